"""Concerns, hops and missed greetings: the queries, and the shape of the documents.

concerns       one a concern: way, form version, answers by code, who raised it (subject and role), its flag; what the
               one who told it left to be called back is sealed
check_ins      programme and person -> the present absence: when last seen, misses by programme, whether raised
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.domain.referral import ACCEPTED, WAITING
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "concerns": [
        index("raised_by", "-_id"),
        index("division", "-_id"),
        index("raised_at", partialFilterExpression={"sealed": {"$type": "binData"}}),
    ],
    "check_ins": [],
}

MOST_REFERRALS = 500
AT_INSTITUTION = sorted(state.value for state in WAITING | ACCEPTED)


async def the_concern(tx: Tx, concern_id: UUID) -> Document:
    """The concern; raises `NotFound`."""
    concern = await tx.get("concerns", concern_id)
    if concern is None:
        raise NotFound("there is no such concern")
    return concern


async def concerns_by(database: Database, subject: str, limit: int) -> list[Document]:
    """What a person raised, the latest first."""
    return await database.find("concerns", {"raised_by": subject}, sort=[("_id", -1)], limit=limit)


async def concerns_in(database: Database, division: str, limit: int) -> list[Document]:
    """What was raised in a division, the latest first."""
    return await database.find("concerns", {"division": under(division)}, sort=[("_id", -1)], limit=limit)


async def cases_of_flags(database: Database, flags: Iterable[UUID]) -> dict[UUID, Document]:
    """The case of each flag that has become one."""
    wanted = set(flags)
    found = await database.find("cases", {"flags.id": {"$in": list(wanted)}}, limit=len(wanted) or 1)
    cases = {row["id"]: case for case in found for row in case["flags"] if row["id"] in wanted}
    if missing := wanted - cases.keys():  # a case with very many flags keeps the older ones beside it
        rows = await database.find("flag_rows", {"_id": {"$in": list(missing)}}, limit=len(missing))
        holders = await database.find("cases", {"_id": {"$in": [row["case_id"] for row in rows]}}, limit=len(missing))
        by_id = {case["_id"]: case for case in holders}
        cases |= {row["_id"]: by_id[row["case_id"]] for row in rows if row["case_id"] in by_id}
    return cases


async def cases_calling(
    tx: Tx, roles: list[str], division: str | None, organisation: UUID | None, limit: int
) -> list[Document]:
    """Open cases whose chain calls one of these roles, in a division or for a school; the most urgent first."""
    query: Document = {"state": "open", "chain.called": {"$in": roles}}
    if division is not None:
        query["division"] = under(division)
    if organisation is not None:
        query["chain.organisation_id"] = organisation
    return await tx.find("cases", query, sort=[("rank", -1), ("opened_at", 1), ("_id", 1)], limit=limit)


async def cases_calling_institution(tx: Tx, organisation: UUID, role: str, limit: int) -> list[Document]:
    """The same for the institution that has a case's referral at present; a draft is none of its business yet."""
    sent: Document = {"organisation_id": organisation, "state": {"$in": AT_INSTITUTION}}
    referrals = await tx.find("referrals", sent, sort=[("_id", -1)], limit=MOST_REFERRALS)
    query = {"_id": {"$in": [one["case_id"] for one in referrals]}, "state": "open", "chain.called": role}
    return await tx.find("cases", query, sort=[("rank", -1), ("opened_at", 1), ("_id", 1)], limit=limit)


async def cases_held(tx: Tx, subject: str, limit: int) -> list[Document]:
    """Open cases of whose chain this person holds the hop."""
    query = {"state": "open", "chain.holder": subject}
    return await tx.find("cases", query, sort=[("rank", -1), ("opened_at", 1), ("_id", 1)], limit=limit)

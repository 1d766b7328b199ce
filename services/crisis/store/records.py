"""Readings, emergency access, holds; and everything that is kept about one case.

readings           one a case, person and slot of time: who read the case's page, in which role
emergency_access   one a use: by whom, why, until when, and its review
grants             case and person -> the case, and until when the last emergency access holds
holds              one a case: who holds it, why, since when
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "readings": [index("case_id", "at")],
    "emergency_access": [index("review.state", "division", "at"), index("case_id")],
    "grants": [index("case_id")],
    "holds": [],
}

SEALED: dict[str, str] = {
    "contacts": "case_id",
    "sections": "case_id",
    "plan_versions": "case_id",
    "referrals": "case_id",
    "consultations": "case_id",
    "medication_hand_overs": "case_id",
    "hand_over_notes": "case_id",
    "guardians": "case_id",
    "transfers": "case_id",
}
"""What of a case is sealed under the key that its `person` names, and the field that names the case."""
REGISTERS = ("programme_contacts", "incident_contacts", "screening_contacts", "posts")
"""Where outside of cases something is sealed under the key that `person` names."""
MORE_INDEXES: dict[str, list[Any]] = {
    **{name: [index("person", sparse=True)] for name in SEALED if name != "contacts"},
    "guardians": [index("person", sparse=True), index("others.person", sparse=True)],
    "transfers": [index("case_id"), index("person", sparse=True)],
    "screenings": [index("person", sparse=True)],
    "incident_people": [index("person", sparse=True)],
    **{name: [index("flag_id", sparse=True)] for name in ("concerns", "outreaches", "incoming_referrals")},
}
"""Indexes of other parts' collections, by which it is found what a case or a person has there."""


async def readings_of(database: Database, case_id: UUID, limit: int) -> list[Document]:
    """Who has read a case, the latest first."""
    return await database.find("readings", {"case_id": case_id}, sort=[("at", -1)], limit=limit)


async def emergency_accesses(database: Database, division: str, state: str, limit: int) -> list[Document]:
    """Uses of emergency access in a division, the oldest first."""
    query = {"review.state": state, "division": under(division)}
    return await database.find("emergency_access", query, sort=[("at", 1)], limit=limit)


async def of_case(tx: Tx, collection: str, field: str, case_id: UUID) -> list[Document]:
    """The documents of a collection that belong to a case."""
    return await tx.find(collection, {field: case_id}, sort=[("_id", 1)])


async def of_flags(tx: Tx, collection: str, flags: list[UUID]) -> list[Document]:
    """What the flags came from."""
    return await tx.find(collection, {"flag_id": {"$in": flags}}, sort=[("_id", 1)])


async def cases_of_person(tx: Tx, person: str) -> list[Document]:
    """All cases of a person, the first one first."""
    return await tx.find("cases", {"person": {"$eq": person, "$type": "string"}}, sort=[("opened_at", 1)])


async def entries_about(tx: Tx, subject: str, limit: int) -> list[Document]:
    """What the audit log says about a subject."""
    return await tx.find("audit_log", {"subject": subject}, sort=[("_id", 1)], limit=limit)


async def sealed_before(tx: Tx, collection: str, field: str, moment: datetime, limit: int) -> list[Document]:
    """Documents that still hold something sealed, from before a moment; the oldest first."""
    query = {field: {"$lt": moment}, "sealed": {"$type": "binData"}}
    return await tx.find(collection, query, sort=[(field, 1)], limit=limit)


async def of_person(tx: Tx, collection: str, person: Any, limit: int) -> list[Document]:
    """What a register outside of cases keeps about a person, the oldest first."""
    return await tx.find(collection, {"person": person}, sort=[("_id", 1)], limit=limit)


async def needed_elsewhere(tx: Tx, person: Any, besides: Collection[UUID], *, registers: bool) -> bool:
    """Whether anything of other cases is sealed under the key, or may yet be: a case of the person that still has what
    is personal. With `registers` also what registers outside of cases keep under it.
    """
    others = {"$nin": list(besides)}
    for collection, field in SEALED.items():
        if await tx.find(collection, {"person": person, field: others}, limit=1):
            return True
    if await tx.find("guardians", {"others.person": person, "case_id": others}, limit=1):
        return True
    sealed = {"person": person, "sealed": {"$type": "binData"}}
    for collection in REGISTERS if registers else ():
        if await tx.find(collection, sealed, limit=1):
            return True
    if isinstance(person, str):
        known = await tx.get("persons", person)
        if known is not None and known["case_id"] is not None and known["case_id"] not in besides:
            return True
        case: Document = {"person": {"$eq": person, "$type": "string"}}
    else:
        case = {"flags.id": person}
    return bool(await tx.find("cases", {**case, "_id": others, "retention.stripped_at": None}, limit=1))


async def programmes_open(tx: Tx, cases: Iterable[Document]) -> bool:
    """Whether the person of these cases is in a programme that has not ended."""
    rows = list(cases)
    goes_on = {"state": {"$in": ["running", "review"]}}
    persons = sorted({case["person"] for case in rows if case["person"] is not None})
    if persons and await tx.find("programmes", {"person": {"$in": persons}, **goes_on}, limit=1):
        return True
    return bool(await tx.find("programmes", {"case_id": {"$in": [case["_id"] for case in rows]}, **goes_on}, limit=1))

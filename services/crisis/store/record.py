"""The typed timeline and the service record: the queries, and the shape of the documents.

sections        one an entry: kind, codes in the clear, `sealed` under the key of `person`; `flag_id` where it was
                written with a flag, before there was a case
care_records    one a case: the individual plan, the safety plan and the next re-assessment; all but what is personal
plan_versions   one a version of either plan: `sealed` under the key of `person`
encounters      one a visit: its stage, and the stages before
flag_rows       flags of a case beyond the newest; the newest are in the case
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx

COLLECTIONS: dict[str, list[Any]] = {
    "sections": [index("case_id", "at"), index("flag_id", sparse=True), index("division", "kind", "at")],
    "care_records": [],
    "plan_versions": [index("case_id", "kind", "-version")],
    "encounters": [index("case_id", "at")],
    "flag_rows": [index("case_id", "-flagged_at")],
}

MOST = 500
"""The most that one reading of a case's entries gives."""


async def sections_of(
    database: Database, case_id: UUID, limit: int, after: UUID | None, kind: str | None
) -> list[Document]:
    """The sections of a case in the order of their time, those after one of them where it is named."""
    query: Document = {"case_id": case_id}
    if kind is not None:
        query["kind"] = kind
    if after is not None:
        last = await database.get("sections", after)
        if last is None:
            raise NotFound("there is no such section")
        later = [{"at": {"$gt": last["at"]}}, {"at": last["at"], "_id": {"$gt": after}}]
        query["$or"] = later
    return await database.find("sections", query, sort=[("at", 1), ("_id", 1)], limit=limit)


async def sections_to_open(tx: Tx, case_id: UUID, kind: str | None) -> list[Document]:
    """The same for a reading, the latest first."""
    query: Document = {"case_id": case_id}
    if kind is not None:
        query["kind"] = kind
    return await tx.find("sections", query, sort=[("at", -1), ("_id", -1)], limit=MOST)


async def legal_basis_of(tx: Tx, flag_id: UUID) -> Document | None:
    """What was recorded before an outreach began."""
    found = await tx.find("sections", {"flag_id": flag_id}, sort=[("_id", 1)], limit=1)
    return found[0] if found else None


async def plan_versions(tx: Tx, case_id: UUID, kind: str) -> list[Document]:
    """The versions of a plan, the latest first."""
    query = {"case_id": case_id, "kind": kind}
    return await tx.find("plan_versions", query, sort=[("version", -1), ("_id", -1)], limit=MOST)


async def latest_plan(tx: Tx, case_id: UUID, kind: str) -> Document | None:
    query = {"case_id": case_id, "kind": kind}
    found = await tx.find("plan_versions", query, sort=[("version", -1), ("_id", -1)], limit=1)
    return found[0] if found else None


async def the_encounter(tx: Tx, encounter_id: UUID) -> Document:
    encounter = await tx.get("encounters", encounter_id)
    if encounter is None:
        raise NotFound("there is no such encounter")
    return encounter


async def encounters_of(database: Database, case_id: UUID, limit: int) -> list[Document]:
    """The visits of a case, the latest first."""
    return await database.find("encounters", {"case_id": case_id}, sort=[("at", -1), ("_id", -1)], limit=limit)


async def older_flags(database: Database, case_id: UUID, limit: int) -> list[Document]:
    """The flags of a case that are no longer in it, the latest first."""
    query = {"case_id": case_id}
    return await database.find("flag_rows", query, sort=[("flagged_at", -1), ("_id", -1)], limit=limit)


async def case_and_flag(database: Database, flag_id: UUID) -> tuple[Document | None, Document | None]:
    """The case that a flag is in, and the flag, whether the case still holds it itself or not."""
    found = await database.find("cases", {"flags.id": flag_id}, limit=1)
    if found:
        return found[0], next(row for row in found[0]["flags"] if row["id"] == flag_id)
    row = await database.get("flag_rows", flag_id)
    return (await database.get("cases", row["case_id"]) if row else None), row

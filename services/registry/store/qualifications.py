"""Qualifications, the scans that prove them, and insurances.

`qualifications`: `_id` (UUID, chosen by the client), `revision`, `person_id`, `division` (the person's), `kind`,
`state` as written (`expired` never is), `valid_from` and `valid_until` (ISO days or None), `sealed` (issuer, number,
sha256 of the proof, under the person's key), `has_proof`, `entered_by`, `verified_by`, `log` (`state`, `by`, `at`,
`reason`). `qualification_files`: `_id` of the qualification, `person_id`, `media_type`, `size`, `sealed`.
`insurances`: `_id`, `revision`, `person_id`, `division`, `kind`, `valid_from`, `valid_until`, `active`, `sealed`
(insurer, number), `entered_by`.
`support_records`: `_id` (of the assignment), `revision`, `person_id`, `division`, `role`, `on`, `insurance_id`, and
`transport`, `communication`, `meals`, `lodging` (yes or no).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx

COLLECTIONS: dict[str, list[Any]] = {
    "qualifications": [index("person_id"), index("division", "_id"), index("division", "valid_until", "_id")],
    "qualification_files": [],
    "insurances": [index("person_id"), index("division", "valid_until", "_id")],
    "support_records": [index("person_id"), index("division", "_id")],
}


async def qualification(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("qualifications", ident)


async def proof(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("qualification_files", ident)


async def held_by(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The qualifications of these people that were neither rejected nor withdrawn."""
    query = {"person_id": {"$in": list(people)}, "state": {"$in": ["entered", "verified"]}}
    return await tx.find("qualifications", query)


async def papers_of(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The qualifications of these people, whatever became of them."""
    return await tx.find("qualifications", {"person_id": {"$in": list(people)}})


async def insurance(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("insurances", ident)


async def insured(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    return await tx.find("insurances", {"person_id": {"$in": list(people)}, "active": True})


async def support_record(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("support_records", ident)


async def merged_entries(tx: Tx, people: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The entries that were merged into these, each with the one that it went into."""
    found = await tx.find("volunteers", {"merged_into": {"$in": list(people)}})
    return {row["_id"]: row["merged_into"] for row in found}


def asked_state(state: str | None, day: str) -> Document:
    """The clause for a state as it stands on an ISO day; `verified` and `expired` are written alike."""
    if state == "verified":
        return {"state": "verified", "$or": [{"valid_until": None}, {"valid_until": {"$gte": day}}]}
    if state == "expired":
        return {"state": "verified", "valid_until": {"$lt": day}}
    return {"state": state} if state else {}


async def in_order(
    database: Database, collection: str, query: Document, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """A page by the last day of validity, the earliest first; equal days in the order of the ids."""
    clauses = [query]
    last = await database.get(collection, after) if after else None
    if last is not None:
        day = last["valid_until"]
        clauses.append({"$or": [{"valid_until": {"$gt": day}}, {"valid_until": day, "_id": {"$gt": after}}]})
    return await database.find(collection, {"$and": clauses}, sort=[("valid_until", 1), ("_id", 1)], limit=limit)

"""Where villages are, and the sizes of organisations that decide who is expected to have a place.

`division_points`: `_id` (division), `revision`, `latitude`, `longitude`, `datum`, `by`, `at`.
`organisation_sizes`: `_id` (organisation), `revision`, `headcount`, `hospital_class`, `hospital_level`,
`provider_id` and `purchased_until` (`YYYY-MM-DD`) of a contract of purchased service, `by`, `at`.
`enrolments`: `_id` (`<organisation>:<year>`), `organisation_id`, `year`, `students`, `teachers`, `revision`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import portions, within

COLLECTIONS = {
    "division_points": [],
    "organisation_sizes": [],
    "enrolments": [index("organisation_id")],
}

MANY = 20_000


async def divisions_of_level(database: Database, division: str, digits: int) -> list[Document]:
    """The divisions with so many digits within one, in the order of their codes; one more than `MANY` at most."""
    query = {**within(division, "_id"), "$expr": {"$eq": [{"$strLenBytes": "$_id"}, digits]}}
    return await database.find("divisions", query, sort=[("_id", 1)], limit=MANY + 1)


async def points_within(database: Database, division: str) -> dict[str, Document]:
    return {row["_id"]: row for row in await database.find("division_points", within(division, "_id"))}


async def point(tx: Tx, division: str) -> Document | None:
    return await tx.get("division_points", division)


async def points(tx: Tx, divisions: Collection[str]) -> None:
    """Read many points for `point` to find."""
    for portion in portions(sorted(divisions)):
        await tx.load("division_points", portion)


async def organisations_within(database: Database, division: str, kinds: Sequence[str]) -> list[Document]:
    """The active organisations of these kinds; one more than `MANY` at most."""
    query = {**within(division), "kind": {"$in": list(kinds)}, "active": True}
    return await database.find("organisations", query, sort=[("_id", 1)], limit=MANY + 1)


async def size(tx: Tx, organisation: uuid.UUID) -> Document | None:
    return await tx.get("organisation_sizes", organisation)


async def sizes_of(database: Database, organisations: Sequence[uuid.UUID]) -> dict[uuid.UUID, Document]:
    found: dict[uuid.UUID, Document] = {}
    for portion in portions(organisations):
        rows = await database.find("organisation_sizes", {"_id": {"$in": portion}})
        found.update({row["_id"]: row for row in rows})
    return found


async def enrolment(tx: Tx, ident: str) -> Document | None:
    return await tx.get("enrolments", ident)


async def enrolments_of(database: Database, schools: Sequence[uuid.UUID], year: int) -> dict[uuid.UUID, Document]:
    """What these schools told for a year; a school that moved keeps what it told."""
    found: dict[uuid.UUID, Document] = {}
    for portion in portions(schools):
        rows = await database.find("enrolments", {"_id": {"$in": [f"{school}:{year}" for school in portion]}})
        found.update({row["organisation_id"]: row for row in rows})
    return found

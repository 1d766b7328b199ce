"""Records of service, calls that wait for hours, stars, honours, incentives and complaints: the queries.

`service_records`: one document a record, never overwritten: `volunteer_id`, `organisation_id`, `division`, `kind`,
`starts_at`, `ends_at`, `travel_minutes`, `minutes`, `state`, `corrects`, `corrected_by`, `double_of` (the record of
another entry of the same person that has the same hours), `assignment_id`, `rating`,
`recorded_by` (the named person's pseudonym), `sealed` (what was done, under the volunteer's key). `service_totals`: by
volunteer, `minutes`, `records`, `ratings`, `rating_sum`, of what counts; each change of a person's records writes it,
so that two at once cannot both be right. `service_assignments`: calls that were taken. `stars`: by volunteer and star.
`honours`, `incentives`, `redemptions` (`slot` can be had once), `complaints` (texts sealed).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.db import index
from chassis.tx import Document, Tx

COLLECTIONS: dict[str, list[Any]] = {
    "service_records": [index("volunteer_id", "starts_at"), index("division"), index("organisation_id")],
    "service_totals": [],
    "service_assignments": [index("division"), index("volunteer_id")],
    "stars": [index("volunteer_id"), index("division")],
    "honours": [index("volunteer_id"), index("division")],
    "incentives": [index("division")],
    "redemptions": [index("slot", unique=True), index("volunteer_id"), index("division")],
    "complaints": [index("division"), index("volunteer_id")],
}
NO_TOTAL = {"minutes": 0, "records": 0, "ratings": 0, "rating_sum": 0}
LONGEST_EXTRACT = 5000


async def record(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("service_records", ident)


async def counted_between(tx: Tx, volunteers: Sequence[uuid.UUID], start: datetime, end: datetime) -> list[Document]:
    """The records that count of a person, under whatever entry, that touch [start, end)."""
    query = {
        "volunteer_id": {"$in": list(volunteers)},
        "state": "counted",
        "starts_at": {"$lt": end},
        "ends_at": {"$gt": start},
    }
    return await tx.find("service_records", query, sort=[("starts_at", 1)])


async def counted_of(tx: Tx, volunteers: Sequence[uuid.UUID]) -> list[Document]:
    """All records of a person that count, in their order."""
    query = {"volunteer_id": {"$in": list(volunteers)}, "state": "counted"}
    return await tx.find("service_records", query, sort=[("starts_at", 1)], limit=LONGEST_EXTRACT)


async def standing_of(tx: Tx, volunteers: Sequence[uuid.UUID]) -> list[Document]:
    """All records of a person that count, or would if the same hours did not stand under another entry; oldest
    first."""
    query = {"volunteer_id": {"$in": list(volunteers)}, "state": {"$in": ["counted", "double"]}}
    return await tx.find("service_records", query, sort=[("recorded_at", 1), ("_id", 1)])


async def total(tx: Tx, ident: uuid.UUID) -> Document:
    return {"_id": ident, **NO_TOTAL, **(await tx.get("service_totals", ident) or {})}


def touch_totals(tx: Tx, volunteers: Sequence[uuid.UUID]) -> None:
    """Meet whoever writes a record of these people down at the same moment: one of the two is run again."""
    for ident in volunteers:
        tx.increment("service_totals", ident, {"settled": 1})


async def totals(tx: Tx, volunteers: Sequence[uuid.UUID]) -> dict[str, int]:
    """What a person's entries come to together."""
    await tx.load("service_totals", volunteers)
    rows = [await total(tx, ident) for ident in volunteers]
    return {name: sum(row[name] for row in rows) for name in NO_TOTAL}


async def assignment(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("service_assignments", ident)


async def stars_of(tx: Tx, volunteers: Sequence[uuid.UUID]) -> list[Document]:
    return await tx.find("stars", {"volunteer_id": {"$in": list(volunteers)}}, sort=[("_id", 1)])


async def honour(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("honours", ident)


async def honours_of(tx: Tx, volunteers: Sequence[uuid.UUID]) -> list[Document]:
    query = {"volunteer_id": {"$in": list(volunteers)}, "state": "recorded"}
    return await tx.find("honours", query, sort=[("awarded_on", 1)], limit=500)


async def incentive(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("incentives", ident)


async def redemption(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("redemptions", ident)


async def redemption_in(tx: Tx, slot: str) -> Document | None:
    found = await tx.find("redemptions", {"slot": slot}, limit=1)
    return found[0] if found else None


async def complaint(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("complaints", ident)

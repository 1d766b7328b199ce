"""Sessions of marriage-registry rooms.

`marriage_sessions`: `_id` (UUID, chosen by the client), `revision`, `place_id`, `division` (the room's), `kind`, `day`
(ISO), `held_by` (a person who works there), `state`, `people` (how many came, None until it was held), `by`.
"""

from __future__ import annotations

import uuid
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "marriage_sessions": [index("place_id", "day", "_id"), index("division", "day")],
}


async def session(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("marriage_sessions", ident)


async def sessions_of(
    database: Database, place: uuid.UUID, asked: Document, after: tuple[str, uuid.UUID] | None, limit: int
) -> list[Document]:
    """A page of a room's sessions by day; `after` is the last one's day and id."""
    clauses: list[Document] = [{"place_id": place, **asked}]
    if after is not None:
        day, ident = after
        clauses.append({"$or": [{"day": {"$gt": day}}, {"day": day, "_id": {"$gt": ident}}]})
    return await database.find("marriage_sessions", {"$and": clauses}, sort=[("day", 1), ("_id", 1)], limit=limit)


async def sums(database: Database, division: str, first: str, last: str) -> list[Document]:
    """Sessions that were held in a division on these days, as ``{_id: kind, sessions, people}``."""
    match = {**within(division), "state": "held", "day": {"$gte": first, "$lte": last}}
    group = {"_id": "$kind", "sessions": {"$sum": 1}, "people": {"$sum": "$people"}}
    return await database.aggregate("marriage_sessions", [{"$match": match}, {"$group": group}, {"$sort": {"_id": 1}}])

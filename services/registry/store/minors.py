"""Minors among the people of the register, whose documents `store.people` describes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "volunteers": [
        index("division", "minor_until", partialFilterExpression={"minor_until": {"$gt": ""}}, name="minors")
    ],
}


async def minors_page(
    database: Database, division: str, asked: Document, day: str, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """People who are under age on an ISO day, in the order of their ids; merged entries left out."""
    query: Document = {**within(division), "minor_until": {"$gt": day}, "merged_into": None, "erased": False, **asked}
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("volunteers", query, sort=[("_id", 1)], limit=limit)


async def minors_of(tx: Tx, people: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Of these people, those who have a day on which they come of age, with it."""
    query = {"_id": {"$in": list(people)}, "minor_until": {"$type": "string"}}
    return {row["_id"]: row["minor_until"] for row in await tx.find("volunteers", query)}

"""Agencies and enterprises with their teams and rooms, whose documents other modules of the store describe."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.db import Database
from chassis.tx import Document
from services.registry.store.core import within


async def units_page(
    database: Database, division: str, kinds: Sequence[str], after: uuid.UUID | None, limit: int
) -> list[Document]:
    """The active organisations of these kinds, in the order of their ids."""
    query: Document = {**within(division), "kind": {"$in": list(kinds)}, "active": True}
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("organisations", query, sort=[("_id", 1)], limit=limit)


async def teams_of(database: Database, units: Sequence[uuid.UUID], types: Sequence[str]) -> list[Document]:
    """The active teams of these units."""
    query = {"organisation_id": {"$in": list(units)}, "type": {"$in": list(types)}, "status": "active"}
    return await database.find("teams", query, sort=[("_id", 1)])


async def rooms_of(database: Database, units: Sequence[uuid.UUID], types: Sequence[str]) -> list[Document]:
    """The open rooms of these units."""
    query = {"organisation_id": {"$in": list(units)}, "type": {"$in": list(types)}, "status": "open"}
    return await database.find("places", query, sort=[("_id", 1)])

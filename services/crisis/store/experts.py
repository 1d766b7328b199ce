"""Experts and their turns.

expert_rotations   one a rotation: its experts, period, slot, what was asked
expert_turns       one a turn of an expert in a slot of a rotation
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.store.cases import under
from services.crisis.store.shifts import covering

COLLECTIONS: dict[str, list[Any]] = {
    "expert_rotations": [index("division", "ends_at")],
    "expert_turns": [index("rotation_id", "slot"), index("expert", "ends_at"), index("division", "ends_at")],
}


async def the_rotation(tx: Tx, rotation_id: UUID) -> Document:
    """The rotation; raises `NotFound`."""
    found = await tx.get("expert_rotations", rotation_id)
    if found is None:
        raise NotFound("there is no such rotation")
    return found


async def turns_of_experts(tx: Tx, experts: Iterable[str], start: datetime, end: datetime) -> list[Document]:
    """The turns that these experts have between two moments, in whichever rotation."""
    query = {"expert": {"$in": sorted(experts)}, "ends_at": {"$gt": start}, "starts_at": {"$lt": end}}
    return await tx.find("expert_turns", query, sort=[("starts_at", 1)], limit=20_000)


async def turns_of(
    database: Database, rotation_id: UUID, start: datetime | None, end: datetime | None, limit: int
) -> list[Document]:
    """The turns of a rotation in the order of its slots."""
    query: Document = {"rotation_id": rotation_id}
    if start is not None:
        query["ends_at"] = {"$gt": start}
    if end is not None:
        query["starts_at"] = {"$lt": end}
    return await database.find("expert_turns", query, sort=[("slot", 1), ("_id", 1)], limit=limit)


async def rotations(database: Database, division: str, limit: int) -> list[Document]:
    """The rotations of a division and of those that it lies in, those that end last first."""
    query = {"$or": [{"division": under(division)}, {"division": {"$in": covering(division)}}]}
    return await database.find("expert_rotations", query, sort=[("ends_at", -1), ("_id", 1)], limit=limit)


async def turns_now(database: Database, division: str, moment: datetime, limit: int) -> list[Document]:
    """Whose turn it is at a moment, in a division's rotations and those of the divisions that it lies in."""
    query = {
        "$or": [{"division": under(division)}, {"division": {"$in": covering(division)}}],
        "ends_at": {"$gt": moment},
        "starts_at": {"$lte": moment},
    }
    return await database.find("expert_turns", query, sort=[("division", -1), ("_id", 1)], limit=limit)

"""The directory of lines.

hotlines   one a line: code (as its flags name it), name, category, operator, population, channels, hours, seats
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under
from services.crisis.store.shifts import covering

COLLECTIONS: dict[str, list[Any]] = {
    "hotlines": [
        index("division", "in_service"),
        index("category", "division"),
        index("code", unique=True, partialFilterExpression={"code": {"$type": "string"}}),
    ]
}


async def line_of_code(tx: Tx, code: str) -> Document | None:
    """The line whose flags carry this name."""
    found = await tx.find("hotlines", {"code": code}, limit=1)
    return found[0] if found else None


async def lines(
    database: Database, division: str, category: str | None, code: str | None, after: UUID | None, limit: int
) -> list[Document]:
    """The lines of a division and of those that it lies in, by id."""
    query: Document = {"$or": [{"division": under(division)}, {"division": {"$in": covering(division)}}]}
    if category is not None:
        query["category"] = category
    if code is not None:
        query["code"] = code
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("hotlines", query, sort=[("_id", 1)], limit=limit)

"""Grids: the queries.

`grids`: `_id` (15 digits: the village's 12 and three of its own), `revision`, `division` (the village), `name`,
`households`, `person_id` (who answers for it, or None), `active` and `log` (`person_id`, `by`, `at`) of who did.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {"grids": [index("division"), index("person_id", sparse=True)]}


async def grid(tx: Tx, code: str) -> Document | None:
    return await tx.get("grids", code)


async def grids_in(database: Database, division: str, asked: Document, after: str | None, limit: int) -> list[Document]:
    """A page of grids in the order of their codes."""
    query = {**within(division), **asked, **({"_id": {"$gt": after}} if after else {})}
    return await database.find("grids", query, sort=[("_id", 1)], limit=limit)


async def grids_of(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """The active grids that a person, under whatever entry, answers for."""
    query = {"person_id": {"$in": list(entries)}, "active": True}
    return await tx.find("grids", query, sort=[("_id", 1)], limit=200)


async def answered_for(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """All of them, those that are not active as well."""
    return await tx.find("grids", {"person_id": {"$in": list(entries)}}, sort=[("_id", 1)])

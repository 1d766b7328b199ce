"""A person across contacts: the queries.

persons         pseudonym -> `case_id` of the open case, `cases` there were, `marks` with their ends, and `also`: the
                pseudonyms that were found to be the same person
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tx import Document, Tx

COLLECTIONS: dict[str, list[Any]] = {}

MOST = 100
"""The most cases of one person that are shown."""


async def persons_of(tx: Tx, case: Document) -> list[Document]:
    """The person of a case under each pseudonym that the person is known by, the case's own first."""
    if case["person"] is None:
        return []
    first = await tx.get("persons", case["person"])
    if first is None:
        return []
    others = [await tx.get("persons", other) for other in first.get("also", ())]
    return [first, *(other for other in others if other is not None)]


async def cases_named(database: Database, keys: Iterable[UUID]) -> list[Document]:
    """The cases by their ids, the latest opened first."""
    query = {"_id": {"$in": list(keys)}}
    return await database.find("cases", query, sort=[("opened_at", -1), ("_id", -1)], limit=MOST)

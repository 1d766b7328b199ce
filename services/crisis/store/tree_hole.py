"""Posts of tree-holes.

posts   one a post: site, author's pseudonym, state, level, groups of terms, the list's version; the text sealed under
        the author's key (the post's own where the author is unknown); who reads it until when; the human's answer
"""

from __future__ import annotations

from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "posts": [index("person"), index("state", "-rank", "posted_at"), index("division", "state", "due_at")],
}


async def next_post(tx: Tx, division: str, not_by: str) -> Document | None:
    """The most urgent post, then the longest waiting; a second reading is not for the first reader."""
    query = {"state": "waiting", "division": under(division), "readers": {"$ne": not_by}}
    found = await tx.find("posts", query, sort=[("rank", -1), ("posted_at", 1)], limit=1)
    return found[0] if found else None


async def posts(database: Database, division: str, state: str | None, limit: int) -> list[Document]:
    """Posts of a division without their texts: those that are due first."""
    query: Document = {"division": under(division)}
    if state is not None:
        query["state"] = state
    return await database.find("posts", query, sort=[("due_at", 1), ("_id", 1)], limit=limit)


async def answers(database: Database, division: str) -> list[Document]:
    """How many posts of each level got each answer, for each version of the list."""
    return await database.aggregate(
        "posts",
        [
            {"$match": {"division": under(division)}},
            {
                "$group": {
                    "_id": {"policy": "$policy", "level": "$level", "answer": "$answer.answer"},
                    "posts": {"$sum": 1},
                }
            },
            {"$sort": {"_id.policy": 1, "_id.level": 1, "_id.answer": 1}},
        ],
    )

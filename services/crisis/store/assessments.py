"""Assessments and self-tests: the queries, and the shape of the documents.

assessments   one an instrument taken for a case: variant, version, manual and edition, answers by item id, result, care
              (tier, the highest that there was, elderly tier, route), policy versions, by, at, complete, due_again_at
self_tests    one a self-test: what was taken and what it came to, and a digest of what was sent; no person, no answers
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "assessments": [index("case_id", "at"), index("division", "at")],
    "self_tests": [index("division", "at")],
}
MOST = 200


async def assessments_of(tx: Tx, case_id: UUID, by: str | None) -> list[Document]:
    """A case's assessments, all or those that one person took, the latest first; at most 200."""
    query: Document = {"case_id": case_id} if by is None else {"case_id": case_id, "by": by}
    return await tx.find("assessments", query, sort=[("at", -1), ("_id", -1)], limit=MOST)


async def self_tests_counted(database: Database, division: str, since: datetime, until: datetime) -> list[Document]:
    """How many self-tests came to what, by instrument, variant and tier."""
    return await database.aggregate(
        "self_tests",
        [
            {"$match": {"division": under(division), "at": {"$gte": since, "$lt": until}}},
            {
                "$group": {
                    "_id": {"instrument": "$instrument", "variant": "$variant", "tier": "$tier"},
                    "taken": {"$sum": 1},
                    "unsafe": {"$sum": {"$cond": ["$unsafe", 1, 0]}},
                    "flagged": {"$sum": {"$cond": ["$flagged", 1, 0]}},
                }
            },
            {"$sort": {"_id": 1}},
            {"$limit": 500},
        ],
    )

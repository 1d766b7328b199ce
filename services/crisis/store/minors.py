"""Minors: the shape of what is kept about guardians and reports.

guardians       one a case: relation and consent in the clear, `sealed` name and telephone under the key of `person`
                `others`: the guardians that a merged case brought, in the same shape and under the same key
"""

from __future__ import annotations

from typing import Any

from chassis.db import Database, index
from chassis.tx import Document
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {"guardians": [index("case_id")]}


async def reports_to_make(database: Database, division: str, limit: int) -> list[Document]:
    """Open cases whose report is to be made or whose harm has to be asked about, the longest waiting first."""
    query = {
        "report.state": {"$in": ["required", "unclear"]},
        "division": under(division),
        "report.since": {"$type": "date"},
        "state": "open",
    }
    return await database.find("cases", query, sort=[("report.since", 1), ("_id", 1)], limit=limit)

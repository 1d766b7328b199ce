"""The shared list of urgent cases.

urgent   one a case on the list, under the case's id: division, reason, who put it there and when, until when
"""

from __future__ import annotations

from typing import Any

from chassis.db import Database, index
from chassis.tx import Document
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {"urgent": [index("division", "put_at")]}


async def urgent_cases(database: Database, division: str, limit: int) -> list[Document]:
    """The list of a division; what was put there first comes first."""
    return await database.find("urgent", {"division": under(division)}, sort=[("put_at", 1), ("_id", 1)], limit=limit)

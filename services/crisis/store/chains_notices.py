"""Notices to the class and the home: the queries.

notices        one a notice: case, school, addressee, advice, means, who sent it and who received it, by code
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "notices": [index("organisation_id", "to", "-_id"), index("division", "-_id"), index("case_id", "state")]
}

MOST = 200


async def notices_of_school(database: Database, organisation: UUID, to: str | None, limit: int) -> list[Document]:
    """Those of a school, the latest first."""
    query: Document = {"organisation_id": organisation}
    if to is not None:
        query |= {"to": to, "state": {"$ne": "withdrawn"}}
    return await database.find("notices", query, sort=[("_id", -1)], limit=limit)


async def notices_in(database: Database, division: str, limit: int) -> list[Document]:
    """Those of a division's schools, the latest first."""
    return await database.find("notices", {"division": under(division)}, sort=[("_id", -1)], limit=limit)


async def unreceived_of(tx: Tx, case_id: UUID) -> list[Document]:
    """The notices of a case that nobody has received."""
    return await tx.find("notices", {"case_id": case_id, "state": "sent"}, sort=[("_id", 1)], limit=MOST)

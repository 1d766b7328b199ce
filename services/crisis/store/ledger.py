"""The task ledger.

ledger_items      one a row (`<division>:<year>:<code>`): title, owner, measure, due day (ISO), state, history
ledger_evidence   one a piece of evidence for a row: what it refers to, or a document's digest, or a publicity activity
"""

from __future__ import annotations

from datetime import date
from typing import Any

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "ledger_items": [
        index("division", "year", "number"),
        index("due_on", "division", "_id", partialFilterExpression={"verified": False}),
    ],
    "ledger_evidence": [index("item_id", "_id"), index("kind", "division", "held_on")],
}


async def the_item(tx: Tx, division: str, year: int, code: str) -> Document:
    """The row; raises `NotFound`."""
    item = await tx.get("ledger_items", key_of(division, year, code))
    if item is None:
        raise NotFound("there is no such row in the ledger")
    return item


def key_of(division: str, year: int, code: str) -> str:
    return f"{division}:{year}:{code}"


async def ledger_of(database: Database, division: str, year: int, limit: int) -> list[Document]:
    """The rows of a division's ledger, in the plan's order."""
    query = {"division": division, "year": year}
    return await database.find("ledger_items", query, sort=[("number", 1), ("_id", 1)], limit=limit)


async def ledger_overdue(database: Database, division: str, today: date, limit: int) -> list[Document]:
    """The rows of a division and below whose day has gone by unverified, the longest overdue first."""
    query = {"verified": False, "due_on": {"$lt": today.isoformat()}, "division": under(division)}
    return await database.find("ledger_items", query, sort=[("due_on", 1), ("_id", 1)], limit=limit)


async def evidence_of(database: Database, item_id: str, limit: int) -> list[Document]:
    """A row's evidence, in the order of its ids."""
    return await database.find("ledger_evidence", {"item_id": item_id}, sort=[("_id", 1)], limit=limit)

"""Risk registers.

risk_registers         one a project or plan: reference, division, state, revision, the risks with their states,
                       `next_review_on`, the first day on which one of them is to be looked at again, history
risk_register_heads    the project's or plan's id -> its register
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.domain.risk_register import RegisterState
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "risk_registers": [index("division", "state", "_id"), index("next_review_on", "division", "_id")],
    "risk_register_heads": [],
}


async def the_register(tx: Tx, register_id: UUID) -> Document:
    """The register; raises `NotFound`."""
    register = await tx.get("risk_registers", register_id)
    if register is None:
        raise NotFound("there is no such risk register")
    return register


async def register_of(tx: Tx, reference: UUID) -> Document | None:
    """The register of a project or plan."""
    head = await tx.get("risk_register_heads", reference)
    return None if head is None else await tx.get("risk_registers", head["register_id"])


async def registers_of(database: Database, division: str, state: RegisterState | None, limit: int) -> list[Document]:
    """The registers of a division, the latest first."""
    query: Document = {"division": under(division)}
    if state is not None:
        query["state"] = state.value
    return await database.find("risk_registers", query, sort=[("_id", -1)], limit=limit)


async def registers_overdue(database: Database, division: str, today: date, limit: int) -> list[Document]:
    """The registers with a risk whose review day has gone by, the longest overdue first."""
    query = {"division": under(division), "next_review_on": {"$lt": today.isoformat()}}
    return await database.find("risk_registers", query, sort=[("next_review_on", 1), ("_id", 1)], limit=limit)

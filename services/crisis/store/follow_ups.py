"""Follow-ups: the queries about plans that are due, and what else a follow-up hangs on.

plans    one a case, declared with the cases: `follow_ups` with their attempts and reports, and `window_until`, the
         first window that ends, by which what is due is ordered
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.db import Database
from chassis.tx import Document, Tx
from services.crisis.store.cases import under


async def due_plans(
    database: Database, division: str, limit: int, after: tuple[datetime, UUID] | None
) -> list[Document]:
    """Plans with a follow-up that is due: those whose window ends first, from a place of the list on."""
    query: Document = {"division": under(division), "window_until": {"$type": "date"}}
    if after is not None:
        moment, ident = after
        query["$or"] = [{"window_until": {"$gt": moment}}, {"window_until": moment, "_id": {"$gt": ident}}]
    return await database.find("plans", query, sort=[("window_until", 1), ("_id", 1)], limit=limit)


async def referral_states(tx: Tx, case_id: UUID) -> frozenset[str]:
    """The states of all referrals that a case had."""
    return frozenset(row["state"] for row in await tx.find("referrals", {"case_id": case_id}, limit=500))

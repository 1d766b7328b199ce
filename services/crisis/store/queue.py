"""The queue of cases that wait for a named person, whom a person holds, and whom a district calls out.

call_out_parties   one an office or service that is called out in a crisis: kind, division, name, number, hours
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under
from services.crisis.store.shifts import covering

COLLECTIONS: dict[str, list[Any]] = {"call_out_parties": [index("division", "kind")]}

QUEUE_ORDER = [("rank", -1), ("acknowledgement.since", 1), ("_id", 1)]
"""The most urgent first, and within a tier who has waited longest."""


def waiting(division: str) -> Document:
    """What waits in a division. The partial index of the queue holds exactly these, in the queue's order.

    The condition on `rank` holds for every case: without one on its first field the division would be looked up in the
    documents, and not in the index.
    """
    return {
        "state": "open",
        "acknowledgement.state": "waiting",
        "rank": {"$gte": 0},
        "division": under(division),
    }


async def next_waiting(tx: Tx, division: str, besides: Collection[str] = ()) -> Document | None:
    """The case that is next, those of some offices left out; two transactions that take the same one disturb each
    other, and one looks again.
    """
    query = waiting(division)
    if besides:
        query["$nor"] = [{"division": under(office)} for office in besides]
    found = await tx.find("cases", query, sort=QUEUE_ORDER, limit=1)
    return found[0] if found else None


async def taken_by_asking(tx: Tx, person: str, ask: UUID) -> Document | None:
    """The case that this person got for this question before."""
    found = await tx.find("cases", {**holding(person), "acknowledgement.ask": ask}, limit=1)
    return found[0] if found else None


def holding(person: str) -> Document:
    """The open cases of a holder. The index has those that somebody holds: it is used where a query says so."""
    return {"held_by": {"$eq": person, "$type": "string"}, "state": "open"}


async def held_by(tx: Tx, person: str, limit: int) -> list[Document]:
    """The open cases that a person holds, the most urgent first."""
    return await tx.find("cases", holding(person), sort=[("rank", -1), ("_id", 1)], limit=limit)


async def held(database: Database, person: str, division: str, limit: int) -> list[Document]:
    """The same for a page: the caller's own open cases within the division."""
    query = {**holding(person), "division": under(division)}
    return await database.find("cases", query, sort=[("rank", -1), ("_id", 1)], limit=limit)


async def parties_for(database: Database, division: str, limit: int) -> list[Document]:
    """Whom a division calls out: its own parties, and those of the divisions that it lies in."""
    query = {"division": {"$in": covering(division)}, "withdrawn_at": None}
    return await database.find("call_out_parties", query, sort=[("division", -1), ("kind", 1), ("_id", 1)], limit=limit)

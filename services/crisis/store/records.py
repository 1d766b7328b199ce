"""Readings, emergency access, holds; and everything that is kept about one case.

readings           one a case, person and slot of time: who read the case's page, in which role
emergency_access   one a use: by whom, why, until when, and its review
grants             case and person -> until when the last emergency access holds
holds              one a case: who holds it, why, since when
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "readings": [index("case_id", "at")],
    "emergency_access": [index("review.state", "division", "at"), index("case_id")],
    "grants": [],
    "holds": [],
}


async def readings_of(database: Database, case_id: UUID, limit: int) -> list[Document]:
    """Who has read a case, the latest first."""
    return await database.find("readings", {"case_id": case_id}, sort=[("at", -1)], limit=limit)


async def emergency_accesses(database: Database, division: str, state: str, limit: int) -> list[Document]:
    """Uses of emergency access in a division, the oldest first."""
    query = {"review.state": state, "division": under(division)}
    return await database.find("emergency_access", query, sort=[("at", 1)], limit=limit)


async def of_case(tx: Tx, collection: str, field: str, case_id: UUID) -> list[Document]:
    """The documents of a collection that belong to a case."""
    return await tx.find(collection, {field: case_id}, sort=[("_id", 1)])


async def cases_of_person(tx: Tx, person: str) -> list[Document]:
    """All cases of a person, the first one first."""
    return await tx.find("cases", {"person": person}, sort=[("opened_at", 1)])


async def entries_about(tx: Tx, subject: str, limit: int) -> list[Document]:
    """What the audit log says about a subject."""
    return await tx.find("audit_log", {"subject": subject}, sort=[("_id", 1)], limit=limit)


async def sealed_before(tx: Tx, collection: str, field: str, moment: datetime, limit: int) -> list[Document]:
    """Documents that still hold something sealed, from before a moment; the oldest first."""
    query = {field: {"$lt": moment}, "sealed": {"$type": "binData"}}
    return await tx.find(collection, query, sort=[(field, 1)], limit=limit)


async def of_person(tx: Tx, collection: str, person: Any, limit: int) -> list[Document]:
    """What a register outside of cases keeps about a person, the oldest first."""
    return await tx.find(collection, {"person": person}, sort=[("_id", 1)], limit=limit)


async def needed_elsewhere(tx: Tx, person: Any, besides: UUID) -> bool:
    """Whether another case of the person still has something under the person's key."""
    if await tx.find("contacts", {"person": person, "case_id": {"$ne": besides}}, limit=1):
        return True
    others = {"person": person, "_id": {"$ne": besides}, "retention.stripped_at": None}
    return isinstance(person, str) and bool(await tx.find("cases", others, limit=1))

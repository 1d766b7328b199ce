"""Programmes: the queries, and the shape of the documents.

programmes          one a person and programme: kind, state, the contacts by phase with their attempts, what somebody
                    has to look at; `window_until`, the first window that ends, and `next_at`, when something comes next
programme_contacts  one a programme: what it takes to reach the person, under the person's own key
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "programmes": [
        index("division", "state", "kind", "next_at", "_id"),
        index("worker", "window_until", "_id"),
        index("person", "kind", "state"),
        index("incident_id", "state", "_id"),
        index("contacts.id"),
        index("case_id", sparse=True),
    ],
    "programme_contacts": [index("person"), index("at", partialFilterExpression={"sealed": {"$type": "binData"}})],
}

Place = tuple[datetime, UUID] | None


async def the_programme(tx: Tx, ident: UUID) -> Document:
    """The programme; raises `NotFound`."""
    found = await tx.get("programmes", ident)
    if found is None:
        raise NotFound("there is no such programme")
    return found


async def programme_of_contact(tx: Tx, contact_id: UUID) -> Document:
    """The programme that a contact belongs to; raises `NotFound`."""
    found = await tx.find("programmes", {"contacts.id": contact_id}, limit=1)
    if not found:
        raise NotFound("there is no such task")
    return found[0]


async def enrolled(tx: Tx, person: str, kind: str, incident_id: UUID | None) -> list[Document]:
    """The person's programmes of this kind that have not ended."""
    query = {"person": person, "kind": kind, "state": {"$in": ["running", "review"]}, "incident_id": incident_id}
    return await tx.find("programmes", query, sort=[("_id", 1)], limit=20)


async def programmes_of_incident(tx: Tx, incident_id: UUID, limit: int) -> list[Document]:
    """Who is still looked after, after an incident."""
    query = {"incident_id": incident_id, "state": {"$in": ["running", "review"]}}
    return await tx.find("programmes", query, sort=[("_id", 1)], limit=limit)


async def list_programmes(
    database: Database,
    division: str,
    kinds: list[str],
    states: list[str],
    limit: int,
    after: Place,
    worker: str | None = None,
) -> list[Document]:
    """Programmes of a division, what comes next first."""
    query: Document = {"division": under(division), "state": {"$in": states}, "kind": {"$in": kinds}}
    if worker is not None:
        query["worker"] = worker
    return await _page(database, query, "next_at", limit, after)


async def tasks_of(database: Database, worker: str, division: str, limit: int, after: Place) -> list[Document]:
    """Programmes of which a contact is due that this person has to make, those whose window ends first coming first."""
    query: Document = {"worker": worker, "division": under(division), "window_until": {"$type": "date"}}
    return await _page(database, query, "window_until", limit, after)


async def _page(database: Database, query: Document, by: str, limit: int, after: Place) -> list[Document]:
    if after is not None:
        moment, ident = after
        query = {"$and": [query, {"$or": [{by: {"$gt": moment}}, {by: moment, "_id": {"$gt": ident}}]}]}
    return await database.find("programmes", query, sort=[(by, 1), ("_id", 1)], limit=limit)

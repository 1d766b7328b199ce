"""Campaigns and those who apply to them: the queries.

`recruitments`: a call for volunteers or a census: `kind`, `form`, window, `due_on`, `units` (division and name),
`receipts` (forms that came on paper), `ended_at` (closed or cancelled), `conditions`, `quota`, counters, `reported`
(the counts told last).
`applications`: one for a campaign and an applicant (`applicant`, a keyed hash of the token's subject); what the
person told is in `sealed`, under the application's own key, which is deleted when the application is decided.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "recruitments": [index("division")],
    "applications": [
        index("recruitment_id", "applicant", unique=True),
        index("recruitment_id", "state"),
        index("volunteer_id", sparse=True),
    ],
}
MOST_FORMS = 20_000


async def recruitment(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("recruitments", ident)


async def calls_over(
    database: Database, places: Collection[str], division: str, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """The open calls for volunteers of these divisions and of what lies in one."""
    query: Document = {
        "$or": [{"division": {"$in": list(places)}}, within(division)],
        "kind": "recruitment",
        "state": "open",
    }
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("recruitments", query, sort=[("_id", 1)], limit=limit)


async def next_after(tx: Tx, campaign: Document) -> Document | None:
    """The next campaign of the kind in the division that begins when this one's window is over, if it began."""
    query = {
        "division": campaign["division"],
        "kind": campaign["kind"],
        "state": {"$in": ["open", "closed"]},
        "opens_on": {"$gt": campaign["closes_on"]},
    }
    found = await tx.find("recruitments", query, sort=[("opens_on", 1), ("_id", 1)], limit=1)
    return found[0] if found else None


async def forms_in(tx: Tx, division: str, form: str, since: datetime, until: datetime | None) -> list[Document]:
    """The forms that came from a division in [since, until), one more than `MOST_FORMS` at most."""
    came: Document = {"$gte": since} if until is None else {"$gte": since, "$lt": until}
    query = {**within(division), "form": form, "at": came}
    return await tx.find("submissions", query, sort=[("_id", 1)], limit=MOST_FORMS + 1)


async def application(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("applications", ident)


async def applications_by(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The applications by which these came to be registered."""
    return await tx.find("applications", {"volunteer_id": {"$in": list(people)}})


async def undecided(tx: Tx, recruitment_id: uuid.UUID) -> list[Document]:
    """The applications to a campaign that were neither decided nor withdrawn."""
    return await tx.find("applications", {"recruitment_id": recruitment_id, "state": "received"}, sort=[("_id", 1)])


async def application_of(tx: Tx, recruitment_id: uuid.UUID, applicant: str) -> Document | None:
    query = {"recruitment_id": recruitment_id, "applicant": applicant}
    found = await tx.find("applications", query, limit=1)
    return found[0] if found else None

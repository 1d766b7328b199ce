"""Who can help where and when: the one query of the search, and the indexes that it runs on.

Each index ends with `division` and the id, in the order of the answer, so that a page is read and not sorted; only
active people are in them. `pairs` (domain/people_search) leads where two things are asked at once: the documents read
are then about as many as the people found, however many have one of the two.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document
from services.registry.domain.availability import Window, blocks
from services.registry.domain.people import TALENT
from services.registry.domain.people_search import pairs
from services.registry.store.core import within
from services.registry.store.people import whole
from services.registry.store.rosters import busy_among

_LED_BY = ("qualifications", "person_types", "languages", "skills", "free_blocks", "pairs")
_ACTIVE: Document = {"partialFilterExpression": {"active": True}}
INDEXES: list[Any] = [
    *(index(name, "division", "_id", **_ACTIVE) for name in _LED_BY),
    index("division", "_id", name="search_division", **_ACTIVE),
    index("division", "_id", name="search_talent", partialFilterExpression={"active": True, "roles": TALENT}),
]
COLLECTIONS = {"volunteers": INDEXES}
ROUNDS = 20
"""How many times a page is filled up after people on duty were left out; `next` goes on from there."""


@dataclass(frozen=True)
class Asked:
    """What is looked for; None asks for nothing. `free` lies within one weekday; `off_duty` is [start, end)."""

    division: str = ""
    qualification: int | None = None
    person_type: int | None = None
    language: str | None = None
    skill: str | None = None
    sex: str | None = None
    role: str | None = None
    free: Window | None = None
    off_duty: tuple[datetime, datetime] | None = None


Place = tuple[str, uuid.UUID]
"""Where a page ended: the division and the id of the last person."""


def query_of(asked: Asked, after: Place | None, descending: bool = False) -> Document:
    """The query of one page; who took the consent to being matched and contacted back is not found."""
    query: Document = {**within(asked.division), "active": True, "consents.matching.state": {"$ne": "withdrawn"}}
    listed = {
        "qualifications": asked.qualification,
        "person_types": asked.person_type,
        "skills": asked.skill,
        "roles": asked.role,
    }
    wanted: Document = {name: [value] for name, value in listed.items() if value is not None}
    if asked.free is not None:
        wanted["free_blocks"] = blocks([asked.free])
        bounds = {"day": asked.free.day, "start": {"$lte": asked.free.start}, "end": {"$gte": asked.free.end}}
        query["rota.windows"] = {"$elemMatch": bounds}
    if together := pairs(wanted):
        # Who has the pairs has what is in them. Saying that too would let the database choose a longer list.
        query["pairs"] = _all_of(together)
        wanted = {"roles": [asked.role]} if asked.role not in (None, TALENT) else {}
    query |= {name: _all_of(values) for name, values in wanted.items()}
    query |= {name: value for name, value in (("languages", asked.language), ("sex", asked.sex)) if value is not None}
    if after is not None:
        division, ident = after
        # The bound on the division is said beside the choice, so that the index is entered where the page begins.
        past = "$lte" if descending else "$gte"
        query["division"] = {**query.get("division", {}), **_tighter(query.get("division"), past, division)}
        step = "$lt" if descending else "$gt"
        query["$or"] = [{"division": {step: division}}, {"division": division, "_id": {step: ident}}]
    return query


def _all_of(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else {"$all": values}


def _tighter(bounds: Document | None, sign: str, division: str) -> Document:
    """The page's bound; one of the prefix that says less must not take its place."""
    present = (bounds or {}).get(sign)
    return {sign: division if present is None else max(present, division)}


def order_of(descending: bool) -> list[tuple[str, int]]:
    return [("division", -1 if descending else 1), ("_id", -1 if descending else 1)]


async def people_found(
    database: Database, asked: Asked, after: Place | None, limit: int, descending: bool = False
) -> tuple[list[Document], Place | None]:
    """A page of people and where the next one begins, None after the last.

    Who is on duty in `off_duty` is left out; the page is filled up for `ROUNDS` times and may then be short of `limit`
    with another one to follow.
    """
    found: list[Document] = []
    for _ in range(ROUNDS if asked.off_duty else 1):
        query = query_of(asked, after, descending)
        rows = await database.find("volunteers", query, sort=order_of(descending), limit=limit)
        free = rows
        if asked.off_duty and rows:
            busy = await busy_among(database, [row["_id"] for row in rows], *asked.off_duty)
            free = [row for row in rows if row["_id"] not in busy]
        for row in free:
            found.append(whole(row))
            if len(found) == limit:
                return found, _end_of(row) if row is not rows[-1] or len(rows) == limit else None
        if len(rows) < limit:
            return found, None
        after = _end_of(rows[-1])
    return found, after


def _end_of(row: Document) -> Place:
    return row["division"], row["_id"]

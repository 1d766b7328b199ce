"""Shifts of the crisis office, hand-overs at their end, and what is watched ahead.

shifts            one a planned shift: division, person (a token's subject), role, starts_at, ends_at, state, hotline_id
watches           one a division that has a plan: the roles that were ever planned, and the gaps that were told
hand_overs        one a hand-over: shift, from, to, the cases, state, step of the clock that calls a supervisor
hand_over_notes   one a case handed over: what the giver wrote, under the person's own key
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
    "shifts": [index("division", "ends_at"), index("person", "ends_at"), index("hotline_id", "ends_at")],
    "watches": [],
    "hand_overs": [
        index("shift_id", "state"),
        index("division", "state", "offered_at"),
        index("to", "state"),
        index("cases.case_id"),
    ],
    "hand_over_notes": [index("hand_over_id"), index("case_id")],
}

PLANNED = ("planned", "missed", "on")
MOST_SHIFTS = 2000
"""Of one division's covers in a look ahead; more than any plan of some weeks holds."""


def covering(division: str) -> list[str]:
    """The division's own code and those that it lies in, the whole country as an empty one."""
    return [division[:size] for size in (0, 2, 4, 6, 9, 12) if size <= len(division)]


async def the_shift(tx: Tx, shift_id: UUID) -> Document:
    """The shift; raises `NotFound`."""
    shift = await tx.get("shifts", shift_id)
    if shift is None:
        raise NotFound("there is no such shift")
    return shift


async def the_hand_over(tx: Tx, hand_over_id: UUID) -> Document:
    """The hand-over; raises `NotFound`."""
    found = await tx.get("hand_overs", hand_over_id)
    if found is None:
        raise NotFound("there is no such hand-over")
    return found


async def shifts_over(tx: Tx, division: str, start: datetime, end: datetime) -> list[Document]:
    """What is planned, missed or on between two moments for a division, by those who cover it."""
    query = {
        "division": {"$in": covering(division)},
        "state": {"$in": list(PLANNED)},
        "ends_at": {"$gt": start},
        "starts_at": {"$lt": end},
    }
    return await tx.find("shifts", query, sort=[("starts_at", 1), ("_id", 1)], limit=MOST_SHIFTS)


async def has_shifts(tx: Tx, division: str) -> bool:
    """Whether anything was planned for a division, whenever, and not withdrawn."""
    query = {"division": division, "state": {"$ne": "withdrawn"}}
    return bool(await tx.find("shifts", query, limit=1))


async def shifts_of(tx: Tx, person: str, start: datetime, end: datetime) -> list[Document]:
    """A person's shifts that overlap a time."""
    query = {
        "person": person,
        "state": {"$in": list(PLANNED)},
        "ends_at": {"$gt": start},
        "starts_at": {"$lt": end},
    }
    return await tx.find("shifts", query, sort=[("starts_at", 1)], limit=20)


async def watches_for(tx: Tx, division: str) -> list[Document]:
    """The watches that say anything about who covers a division, by their keys; nothing where nobody plans."""
    keys = covering(division)
    await tx.load("watches", keys)
    return [watch for key in keys if (watch := await tx.get("watches", key)) is not None]


async def watches_under(tx: Tx, division: str) -> list[Document]:
    """The watches of the divisions that a shift of this one covers."""
    return await tx.find("watches", {"_id": under(division)}, sort=[("_id", 1)], limit=200)


async def lines_of(tx: Tx, division: str) -> list[Document]:
    """The lines of a division that are in service."""
    query = {"division": division, "in_service": True}
    return await tx.find("hotlines", query, sort=[("_id", 1)], limit=200)


async def shifts_between(
    database: Database, division: str, start: datetime, end: datetime, person: str | None, limit: int
) -> list[Document]:
    """Shifts of a division and of those that it lies in, the earliest first."""
    query: Document = {
        "$or": [{"division": under(division)}, {"division": {"$in": covering(division)}}],
        "state": {"$ne": "withdrawn"},
        "ends_at": {"$gt": start},
        "starts_at": {"$lt": end},
    }
    if person is not None:
        query["person"] = person
    return await database.find("shifts", query, sort=[("starts_at", 1), ("_id", 1)], limit=limit)


async def gaps_told(database: Database, division: str, limit: int) -> list[Document]:
    """The watches of a division with a gap that was told and is there."""
    query = {"_id": under(division), "covers.gaps.0": {"$exists": True}}
    return await database.find("watches", query, sort=[("_id", 1)], limit=limit)


async def open_hand_over(tx: Tx, shift_id: UUID) -> Document | None:
    found = await tx.find("hand_overs", {"shift_id": shift_id, "state": "offered"}, limit=1)
    return found[0] if found else None


async def hand_overs_for(database: Database, division: str, person: str, limit: int) -> list[Document]:
    """What is offered in a division, or to this person from wherever."""
    query = {"$or": [{"division": under(division)}, {"to": person}], "state": "offered"}
    return await database.find("hand_overs", query, sort=[("offered_at", 1), ("_id", 1)], limit=limit)


async def hand_overs_of_case(tx: Tx, case_id: UUID) -> list[Document]:
    """Every offer of a case at the end of a shift, the first one first; of the other cases in it nothing."""
    found = await tx.find("hand_overs", {"cases.case_id": case_id}, sort=[("_id", 1)])
    return [{**one, "cases": [row for row in one["cases"] if row["case_id"] == case_id]} for one in found]


async def notes_of(tx: Tx, hand_over_id: UUID) -> list[Document]:
    """The sealed notes of a hand-over; at most one a case."""
    return await tx.find("hand_over_notes", {"hand_over_id": hand_over_id}, sort=[("_id", 1)], limit=2000)

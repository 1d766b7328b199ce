"""Turns, swaps, hand-over notes and calendar links: the queries.

`duties` also holds `remarks` (wishes that a turn does not meet), `changed_at` and, for a turn that came by a swap,
`swap_id`. `swaps`: `{_id, revision, state, division, roster, duty_id, from_id, to_id, return_duty_id, turns (as they
were when they were offered; the oldest have none), made, offered_at, changed_at}`. `hand_overs`: by the turn's id,
`{revision, roster, division, volunteer_id, starts_at, sealed, written_at}`, sealed under the writer's key.
`calendar_links`: by the person's id, `{secret (a hash), revision, made_at}`; the secret itself is kept nowhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.domain.duty import LONGEST
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "swaps": [index("division"), index("from_id"), index("to_id"), index("duty_id")],
    "hand_overs": [index("roster", "starts_at")],
    "calendar_links": [index("secret", unique=True)],
}


async def turns_between(tx: Tx, name: str, start: datetime, end: datetime) -> list[Document]:
    """The turns on a roster that touch [start, end), what this transaction wrote included."""
    query = {"roster": name, "active": True, "starts_at": {"$gt": start - LONGEST, "$lt": end}}
    return await tx.find("duties", {**query, "ends_at": {"$gt": start}})


async def turns_after(tx: Tx, duty: Document) -> list[Document]:
    """Who may take over from a turn: the turns of its roster that go on over its end, and the first to begin after it.

    The one that most likely takes over comes first: who is on duty soonest, and of those who began last.
    """
    name, end = duty["roster"], duty["ends_at"]
    on = {"roster": name, "active": True}
    found = await tx.find("duties", {**on, "starts_at": {"$gt": end - LONGEST, "$lt": end}, "ends_at": {"$gt": end}})
    first = await tx.find("duties", {**on, "starts_at": {"$gte": end}}, sort=[("starts_at", 1)], limit=1)
    if first:
        found += await tx.find("duties", {**on, "starts_at": first[0]["starts_at"]}, sort=[("_id", 1)])
    return sorted(found, key=lambda row: (max(row["starts_at"], end), end - row["starts_at"]))


async def on_duty_from(tx: Tx, moment: datetime, after: uuid.UUID | None, limit: int) -> list[uuid.UUID]:
    """A portion of the people, in the order of their ids, who have turns that are not over at a moment."""
    query: Document = {"active": True, "ends_at": {"$gt": moment}, "starts_at": {"$gt": moment - LONGEST}}
    if after is not None:
        query["volunteer_id"] = {"$gt": after}
    found = await tx.find("duties", query, sort=[("volunteer_id", 1), ("starts_at", 1)], limit=limit)
    return list(dict.fromkeys(row["volunteer_id"] for row in found))


async def turns_for_calendar(
    tx: Tx, volunteers: Sequence[uuid.UUID], start: datetime, end: datetime, most: int
) -> list[Document]:
    """A person's turns under any entry that begin in [start, end), withdrawn ones too; the nearest to the end where
    there are more."""
    query = {"volunteer_id": {"$in": list(volunteers)}, "starts_at": {"$gte": start, "$lt": end}}
    found = await tx.find("duties", query, sort=[("starts_at", -1), ("_id", -1)], limit=most)
    return found[::-1]


async def busy_among(database: Database, volunteers: list[uuid.UUID], start: datetime, end: datetime) -> set[uuid.UUID]:
    """Those of the people who are on duty at some time in [start, end)."""
    query = {
        "volunteer_id": {"$in": volunteers},
        "starts_at": {"$gt": start - LONGEST - timedelta(milliseconds=1), "$lt": end},
        "ends_at": {"$gt": start},
        "active": True,
    }
    return {row["volunteer_id"] for row in await database.find("duties", query)}


# Swaps


async def swap(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("swaps", ident)


async def open_swap_of(tx: Tx, duty: uuid.UUID) -> Document | None:
    found = await tx.find("swaps", {"duty_id": duty, "state": "offered"}, limit=1)
    return found[0] if found else None


def swaps_wanted(division: str, entries: Sequence[uuid.UUID] | None, state: str | None) -> Document:
    """The swaps of a division, or those that a person has a part in, under whichever of the person's entries."""
    wanted = within(division)
    if entries is not None:
        wanted = {"$or": [{side: {"$in": list(entries)}} for side in ("from_id", "to_id")]}
    return {**wanted, **({"state": state} if state else {})}


# Hand-over


async def hand_over(tx: Tx, duty: uuid.UUID) -> Document | None:
    return await tx.get("hand_overs", duty)


async def hand_overs_on(database: Database, name: str, start: datetime, end: datetime, limit: int) -> list[Document]:
    """Which turns of a roster that begin in [start, end) left a note, the latest first."""
    query = {"roster": name, "starts_at": {"$gte": start, "$lt": end}}
    return await database.find("hand_overs", query, sort=[("starts_at", -1)], limit=limit)


# Calendar links


async def calendar_link(tx: Tx, volunteer: uuid.UUID) -> Document | None:
    return await tx.get("calendar_links", volunteer)


async def link_with(tx: Tx, secret: str) -> Document | None:
    found = await tx.find("calendar_links", {"secret": secret}, limit=1)
    return found[0] if found else None

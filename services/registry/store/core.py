"""Divisions, organisations, duty, and pages: the queries."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.db import Database, index
from chassis.sealing import KEYS
from chassis.tx import Document, Tx
from services.registry.domain.duty import LONGEST

COLLECTIONS = {
    "divisions": [index("parent")],
    "organisations": [index("key", unique=True), index("division")],
    "rosters": [index("division")],
    "duties": [index("volunteer_id", "starts_at"), index("roster", "starts_at", "_id")],
    KEYS: [],
}

PORTION = 1000


def within(division: str, field: str = "division") -> Document:
    """What lies in a division, itself included; an empty division is the whole country."""
    return {field: {"$gte": division, "$lt": f"{division}:"}} if division else {}


def portions(values: Iterable[Any], size: int = PORTION) -> Iterable[list[Any]]:
    """Values in lists that fit one query."""
    given = list(values)
    return (given[start : start + size] for start in range(0, len(given), size))


# Divisions


async def division(tx: Tx, code: str) -> Document | None:
    return await tx.get("divisions", code)


async def divisions(tx: Tx, codes: Collection[str]) -> dict[str, Document]:
    """Those of the codes that are there."""
    await tx.load("divisions", codes)
    found = {code: await tx.get("divisions", code) for code in codes}
    return {code: document for code, document in found.items() if document is not None}


async def known_codes(database: Database, codes: Collection[str]) -> set[str]:
    """Those of the codes that the tree has."""
    found: set[str] = set()
    for portion in portions(sorted(codes)):
        found.update(row["_id"] for row in await database.find("divisions", {"_id": {"$in": portion}}))
    return found


async def names_in_edition(database: Database, codes: Sequence[str], edition: str) -> dict[str, str]:
    """The names that an edition gave to these codes."""
    rows = await database.find("divisions", {"_id": {"$in": list(codes)}, "edition": edition})
    return {row["_id"]: row["name"] for row in rows}


async def divisions_below(tx: Tx, places: Sequence[tuple[str, str | None]]) -> list[Document]:
    """What lies in one of these codes and has its parent's parent for a parent, because the code was not there."""
    clauses = [{"parent": parent, "_id": {"$gt": code, "$lt": f"{code}:"}} for code, parent in places if len(code) < 12]
    return await tx.find("divisions", {"$or": clauses}) if clauses else []


async def children(database: Database, parent: str | None, after: str, limit: int) -> list[Document]:
    query = {"parent": parent, "_id": {"$gt": after}}
    return await database.find("divisions", query, sort=[("_id", 1)], limit=limit)


async def codes_under(tx: Tx, parent: str) -> set[str]:
    return {row["_id"] for row in await tx.find("divisions", {"parent": parent})}


# Organisations


async def organisation(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("organisations", ident)


async def organisations_by_key(tx: Tx, keys: Collection[str]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for portion in portions(keys):
        found.update({row["key"]: row for row in await tx.find("organisations", {"key": {"$in": portion}})})
    return found


# Duty


ROSTER_LATER: Document = {
    "kind": "line",
    "seats": None,
    "min_seats": 1,
    "sex": None,
    "languages": [],
    "skills": [],
    "turns": 0,
}
"""What rosters lack that were written before these fields were."""


async def roster(tx: Tx, name: str) -> Document | None:
    found = await tx.get("rosters", name)
    return None if found is None else {**ROSTER_LATER, **found}


async def duty(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("duties", ident)


async def duties_of(
    tx: Tx, volunteers: Sequence[uuid.UUID], starts_before: datetime, ends_after: datetime
) -> list[Document]:
    """The turns of these volunteers, on whatever roster, that touch the stretch of time."""
    query = {
        "volunteer_id": {"$in": list(volunteers)},
        "active": True,
        "starts_at": {"$lt": starts_before},
        "ends_at": {"$gt": ends_after},
    }
    return await tx.find("duties", query)


async def turns_on(database: Database, name: str, start: datetime, end: datetime) -> list[Document]:
    """The turns on a roster that touch [start, end)."""
    return await database.find("duties", _touching(name, start, end), sort=[("starts_at", 1)])


async def turns_page(
    database: Database, name: str, start: datetime, end: datetime, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """A page of them in the order of their beginnings; equal ones in the order of their ids."""
    clauses = [_touching(name, start, end)]
    last = await database.get("duties", after) if after else None
    if last is not None:
        later: Document = {"starts_at": {"$gt": last["starts_at"]}}
        clauses.append({"$or": [later, {"starts_at": last["starts_at"], "_id": {"$gt": after}}]})
    return await database.find("duties", {"$and": clauses}, sort=[("starts_at", 1), ("_id", 1)], limit=limit)


def _touching(name: str, start: datetime, end: datetime) -> Document:
    # No turn is longer, so none that began earlier touches the stretch: the index need not be read from the beginning.
    begun = {"$gt": start - LONGEST - timedelta(milliseconds=1), "$lt": end}
    return {"roster": name, "active": True, "starts_at": begun, "ends_at": {"$gt": start}}


# Pages


async def page(
    database: Database, collection: str, query: Document, after: uuid.UUID | str | None, limit: int
) -> list[Document]:
    """A page in the order of the ids; the last one's id asks for the next page."""
    wanted = {**query, "_id": {"$gt": after}} if after else query
    return await database.find(collection, wanted, sort=[("_id", 1)], limit=limit)


def every(database: Database, collection: str, query: Document) -> AsyncIterator[Document]:
    return database.stream(collection, query)

"""Places, the nominations of them, and the checks of them.

`places`: `_id` (UUID, chosen by the client), `revision`, what `api.places_forms.PlaceIn` tells, `position`
(`latitude`, `longitude`, `datum`) or None, `status` and `status_log` (`status`, `by`, `at`, `day`), `staff`
(`person_id`, `occupation`, `full_time`, `certificate`, `on_wall`, `since`), `responsible` (a person or None) and
`responsible_log`, `pairings`, `demonstration`, `care_level`, `facts` (by name: `value`, `sha256`, `by`, `at`) and
`recorded` (by field: `by`, `at`). `care_village` is there only on a care point that is not closed: one for a village.
`nominations`: `_id`, `revision`, `place_id`, `division`, `aim`, `state`, `log` (`state`, `by`, `at`, `reason`).
`place_checks`: `_id`, `place_id`, `division`, `standard`, `version`, `overall`, `clauses`, `by`, `at`; never changed.
`street_leads`: `_id` (division of a town), `revision`, `person_id`, `log`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import portions, within

COLLECTIONS = {
    "places": [
        index("division", "_id"),
        index("type", "division"),
        index("organisation_id"),
        index("name", "_id"),
        index("parent_id", sparse=True),
        index("host_place_id", sparse=True),
        index("responsible", sparse=True),
        index("care_village", unique=True, sparse=True),
    ],
    "nominations": [index("place_id"), index("division")],
    "place_checks": [index("place_id")],
    "street_leads": [index("person_id")],
}

SORTS = ("id", "name", "division", "type")
MANY = 20_000
"""More places than any city has are not read at once."""


async def place(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("places", ident)


async def care_point_of(tx: Tx, village: str) -> Document | None:
    """The care point of a village that is not closed."""
    found = await tx.find("places", {"care_village": village}, limit=1)
    return found[0] if found else None


async def open_children(tx: Tx, ident: uuid.UUID) -> list[Document]:
    """One place below this one that is not closed, if there is any."""
    return await tx.find("places", {"parent_id": ident, "status": {"$ne": "closed"}}, limit=1)


async def children_of(tx: Tx, ident: uuid.UUID) -> list[Document]:
    """The places below this one that are not closed."""
    return await tx.find("places", {"parent_id": ident, "status": {"$ne": "closed"}}, sort=[("_id", 1)])


async def rooms_in(tx: Tx, house: uuid.UUID) -> list[Document]:
    """The rooms that are in a house and are not closed."""
    return await tx.find("places", {"host_place_id": house, "status": {"$ne": "closed"}}, sort=[("_id", 1)])


async def therapy_of(tx: Tx, organisation: uuid.UUID) -> list[Document]:
    """One place of an organisation with psychotherapy that is not closed, if there is any."""
    query = {"organisation_id": organisation, "functions": "therapy", "status": {"$ne": "closed"}}
    return await tx.find("places", query, limit=1)


async def places_page(
    database: Database, query: Document, sort: str, descending: bool, after: tuple[Any, uuid.UUID] | None, limit: int
) -> list[Document]:
    """A page in the order of a field and, among equals, of the ids; `after` is the last one's value and id."""
    field, way, beyond = "_id" if sort == "id" else sort, -1 if descending else 1, "$lt" if descending else "$gt"
    wanted = query
    if after is not None:
        value, ident = after
        later: list[Document] = [{"_id": {beyond: ident}}]
        if field != "_id":
            later = [{field: {beyond: value}}, {field: value, "_id": {beyond: ident}}]
        wanted = {"$and": [query, {"$or": later}]}
    order = [("_id", way)] if field == "_id" else [(field, way), ("_id", way)]
    return await database.find("places", wanted, sort=order, limit=limit)


async def open_places(database: Database, division: str) -> list[Document]:
    """The open places of a division, one more than `MANY` at most."""
    query = {**within(division), "status": "open"}
    return await database.find("places", query, sort=[("_id", 1)], limit=MANY + 1)


async def places_of(database: Database, organisations: Sequence[uuid.UUID]) -> list[Document]:
    """The open places that these organisations have."""
    found: list[Document] = []
    for portion in portions(organisations):
        found += await database.find("places", {"organisation_id": {"$in": portion}, "status": "open"})
    return found


async def nomination(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("nominations", ident)


async def nominations_of(tx: Tx, place_id: uuid.UUID) -> list[Document]:
    return await tx.find("nominations", {"place_id": place_id}, sort=[("_id", 1)])


async def check(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("place_checks", ident)


async def street_lead(tx: Tx, division: str) -> Document | None:
    return await tx.get("street_leads", division)


async def in_charge_of(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The places that are not closed for which one of these is responsible."""
    return await tx.find("places", {"responsible": {"$in": list(people)}, "status": {"$ne": "closed"}})


async def leads_of(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The streets and towns that one of these leads."""
    return await tx.find("street_leads", {"person_id": {"$in": list(people)}})


async def working(tx: Tx, ident: uuid.UUID) -> Document | None:
    """The active person that a link is to, under the entry that doubles were merged into; None for who left."""
    found = await tx.get("volunteers", ident)
    if found is not None and found.get("merged_into") is not None:
        found = await tx.get("volunteers", found["merged_into"])
    if found is None or found["erased"] or not found["active"]:
        return None
    return found


async def hosted_by(database: Database, house: uuid.UUID, division: str) -> list[Document]:
    """The places of a division that are in a house and are not closed."""
    query = {**within(division), "host_place_id": house, "status": {"$ne": "closed"}}
    return await database.find("places", query, sort=[("_id", 1)], limit=MANY)

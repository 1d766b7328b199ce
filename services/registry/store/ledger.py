"""The work-task ledger, and what its figures are reckoned from.

`ledger_items`: `_id` (`division:year:code`), `revision`, `division`, `year`, `code`, `number`, `title`, `policy`,
`measure`, `owner_id` (an organisation or None), `how` (how it is to be done, or None), `target` (percent), `due_on`
(ISO day), `state`, `verified`, `claim` (`reached`, `of`, `as_of`, `by`, `at`, or None), `evidence` (counts by `holds`,
`fails`, `unchecked`), `settled` (the figure when it was said to be done, or None), `writers`, `done_by`, `history`.
`ledger_evidence`: `_id` (UUID, chosen by the client), `item_id`, `division`, `kind`, `title`, `reference`, `sha256`,
`by`, `at`, and `checked` (`holds`, `reason`, `by`, `at`) or None.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import portions, within

COLLECTIONS: dict[str, list[Any]] = {
    "ledger_items": [index("division", "year", "number"), index("due_on", "_id")],
    "ledger_evidence": [index("item_id", "_id")],
}
LONGEST = 200


def key_of(division: str, year: int, code: str) -> str:
    return f"{division}:{year}:{code}"


async def item(tx: Tx, division: str, year: int, code: str) -> Document | None:
    return await tx.get("ledger_items", key_of(division, year, code))


async def evidence(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("ledger_evidence", ident)


async def referred(tx: Tx, collection: str, ident: uuid.UUID) -> Document | None:
    """A thing of the register that stands as evidence."""
    return await tx.get(collection, ident)


async def ledger(database: Database, division: str, year: int) -> list[Document]:
    """The rows of a division's ledger, in the plan's order."""
    query = {"division": division, "year": year}
    return await database.find("ledger_items", query, sort=[("number", 1), ("_id", 1)], limit=LONGEST)


async def rows(database: Database, query: Document, after: tuple[str, str] | None, limit: int) -> list[Document]:
    """A page of rows, those that are due first at the top; `after` is the due day and the id of the last one."""
    wanted = query
    if after is not None:
        due, ident = after
        wanted = {"$and": [query, {"$or": [{"due_on": {"$gt": due}}, {"due_on": due, "_id": {"$gt": ident}}]}]}
    return await database.find("ledger_items", wanted, sort=[("due_on", 1), ("_id", 1)], limit=limit)


async def evidence_of(database: Database, item_id: str, after: uuid.UUID | None, limit: int) -> list[Document]:
    """A row's evidence, in the order of the ids."""
    query: Document = {"item_id": item_id, **({"_id": {"$gt": after}} if after else {})}
    return await database.find("ledger_evidence", query, sort=[("_id", 1)], limit=limit)


async def open_places_of_type(database: Database, division: str, kind: str) -> list[Document]:
    return await database.find("places", {**within(division), "type": kind, "status": "open"}, sort=[("_id", 1)])


async def organisations_named(database: Database, idents: Iterable[uuid.UUID]) -> dict[uuid.UUID, Document]:
    """Those of the organisations that are active."""
    found: dict[uuid.UUID, Document] = {}
    for portion in portions(set(idents)):
        query = {"_id": {"$in": portion}, "active": True}
        found.update({row["_id"]: row for row in await database.find("organisations", query)})
    return found


async def still_working(database: Database, people: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The linked people who are still active, each with the entry that stands for the person.

    Two links to entries that became one are one person.
    """
    found: dict[uuid.UUID, Document] = {}
    for portion in portions(set(people)):
        for row in await database.find("volunteers", {"_id": {"$in": portion}}):
            found[row["_id"]] = row
    into = {row["merged_into"] for row in found.values() if row.get("merged_into") is not None} - found.keys()
    for portion in portions(into):
        for row in await database.find("volunteers", {"_id": {"$in": portion}}):
            found[row["_id"]] = row
    working = {}
    for ident in set(people) & found.keys():
        one = found.get(found[ident].get("merged_into") or ident)
        if one is not None and one["active"] and not one["erased"]:
            working[ident] = one["_id"]
    return working


async def plans_of(database: Database, division: str, measure: str) -> list[Document]:
    """The training plans of a division that are measured so."""
    query = {"division": division, "measure": measure}
    return await database.find("training_plans", query, sort=[("_id", 1)], limit=LONGEST)

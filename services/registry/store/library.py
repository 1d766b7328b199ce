"""The library: resources, copies, loans, guided readings, what was handed on, and counts of use.

`library_items`: `_id` (UUID, chosen by the client), `revision`, what `api.library_forms.ItemIn` tells, `by`, `at`, and
`terms`: the words by which it is found (`t`, with its weight `w`).
`library_copies`: `_id`, `revision`, `item_id`, `division`, `shelf`, `state` (never `overdue`, which the day decides),
`loan_id` and `due_on` (a day in ISO form) while it is out.
`library_loans`: `_id`, `copy_id`, `item_id`, `division`, `borrower` (`person_id` or `pseudonym`; None once the copy is
back: what somebody read is nobody's business any more), `digest` of what was told (None then too), `lent_on`, `due_on`,
`ended_on`, `outcome`, `log`.
`library_guides`: `_id`, `revision`, what `api.library_forms.GuideIn` tells, `state`, `guide_id`, `asked_by`, `log`.
`library_handed_on`: `_id`, what `api.library_forms.HandedOnIn` tells, `by`, `at`; never changed.
`library_use`: counters `opened`, `lent`, `handed_on` by `_id` = item:month:division.
`library_use_divisions`: the same by month:division:kind.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.domain.library import above
from services.registry.domain.library_terms import MATCH
from services.registry.store.core import within

COLLECTIONS = {
    "library_items": [
        index("terms.t"),
        index("division"),
        index("kind", "division"),
        index("tags", "division"),
        index("title"),
    ],
    "library_copies": [index("item_id"), index("division", "state")],
    "library_loans": [
        index("copy_id"),
        index("division", "ended_on", "due_on"),
        index("borrower.person_id", sparse=True),
        index("borrower.pseudonym", "division", sparse=True),
    ],
    "library_guides": [index("division", "state"), index("asked_by")],
    "library_handed_on": [index("item_id"), index("division")],
    "library_use": [],
    "library_use_divisions": [],
}
MANY = 10_000
"""More rows of counts than this are not told at once: whoever asks is told so."""


async def item(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("library_items", ident)


async def copy(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("library_copies", ident)


async def has_copies(tx: Tx, item_id: uuid.UUID) -> bool:
    return bool(await tx.find("library_copies", {"item_id": item_id}, limit=1))


async def loan(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("library_loans", ident)


async def open_loans_of(tx: Tx, borrower: Document, division: str) -> list[Document]:
    """What a reader has at the moment; a pseudonym is one reader's within a division only."""
    if borrower["person_id"] is not None:
        query: Document = {"borrower.person_id": borrower["person_id"]}
    else:
        query = {"borrower.pseudonym": borrower["pseudonym"], "division": division}
    return await tx.find("library_loans", {**query, "ended_on": None})


async def guide(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("library_guides", ident)


async def handed_on(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("library_handed_on", ident)


async def items_page(
    database: Database, query: Document, field: str, after: tuple[str, uuid.UUID] | None, limit: int
) -> list[Document]:
    """A page in the order of a field (`_id` or `title`) and, among equals, of the ids."""
    wanted = query
    if after is not None:
        value, ident = after
        later: list[Document] = [{"_id": {"$gt": ident}}]
        if field != "_id":
            later = [{field: {"$gt": value}}, {field: value, "_id": {"$gt": ident}}]
        wanted = {"$and": [query, {"$or": later}]}
    order = [("_id", 1)] if field == "_id" else [(field, 1), ("_id", 1)]
    return await database.find("library_items", wanted, sort=order, limit=limit)


async def found_page(
    database: Database, words: Sequence[str], query: Document, after: tuple[int, uuid.UUID] | None, limit: int
) -> list[Document]:
    """Resources that hold one of the words, those that hold more of them first; each with its `rank`.

    The words are data throughout: `$literal` keeps a word that begins with a dollar sign from being read as a field.
    """
    hit: Document = {"$in": ["$$one.t", {"$literal": list(words)}]}
    pipeline: list[Document] = [
        {"$match": {"$and": [{"terms.t": {"$in": list(words)}}, query]}},
        {"$set": {"hits": {"$filter": {"input": "$terms", "as": "one", "cond": hit}}}},
        {
            "$set": {
                "rank": {
                    "$add": [
                        {"$multiply": [{"$size": "$hits"}, MATCH]},
                        {"$min": [MATCH - 1, {"$sum": "$hits.w"}]},
                    ]
                }
            }
        },
        {"$unset": ["terms", "hits"]},
    ]
    if after is not None:
        value, ident = after
        pipeline.append({"$match": {"$or": [{"rank": {"$lt": value}}, {"rank": value, "_id": {"$gt": ident}}]}})
    return await database.aggregate("library_items", [*pipeline, {"$sort": {"rank": -1, "_id": 1}}, {"$limit": limit}])


def shared_with(division: str) -> Document:
    """What the divisions above share, and what lies within."""
    clauses: list[Document] = [within(division)]
    if division:
        clauses.append({"division": {"$in": above(division)}})
    return {"$or": clauses}


async def use_of(database: Database, item_id: uuid.UUID) -> list[Document]:
    """The counts of a resource, by month and division, one row more than `MANY` at most."""
    query = {"_id": {"$gte": f"{item_id}:", "$lt": f"{item_id};"}}
    return await database.find("library_use", query, sort=[("_id", 1)], limit=MANY + 1)


async def use_in(database: Database, month: str, division: str) -> list[Document]:
    """The counts of a month within a division, by division and kind, one row more than `MANY` at most."""
    query: dict[str, Any] = {"_id": {"$gte": f"{month}:{division}", "$lt": f"{month}:{division};"}}
    return await database.find("library_use_divisions", query, sort=[("_id", 1)], limit=MANY + 1)


def count_use(tx: Tx, item: Document, month: str, division: str, what: str) -> None:
    """One more use, of the resource and of its kind; nobody is counted with it."""
    tx.increment("library_use", f"{item['_id']}:{month}:{division}", {what: 1})
    tx.increment("library_use_divisions", f"{month}:{division}:{item['kind']}", {what: 1})

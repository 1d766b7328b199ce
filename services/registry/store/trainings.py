"""Courses, their sessions, and who attended.

`courses`: `_id` (UUID, chosen by the client), `revision`, `division` (for which it is offered), `title`, `level`,
`audiences`, `field`, `type`, `programme`, `topics`, `pass_score` (0-100 or None), `valid_months`, `active`.
`training_sessions`: `_id`, `revision`, `course_id`, `division`, `organiser_id`, `place_id`, `starts_at`, `ends_at`,
`minutes` (credit), `state`, and of the course `level` and `topics`.
`attendances`: `_id` (`session:person`), `revision`, `session_id`, `course_id`, `person_id`, `division` (the
person's), `level`, `topics`, `on` and `until` (ISO days), `attended`, `score`, `passed`, `minutes`, `before`,
`after` (0-100 or None), `by`.
`training_plans`: `_id`, `revision`, `division`, `task`, `owner_id` (a person), `measure` (a code of coverage),
`due_on`, `by`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.domain.divisions import LENGTHS
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "courses": [index("division", "_id"), index("topics", "division")],
    "training_sessions": [index("course_id", "_id"), index("division", "_id")],
    "attendances": [index("person_id", "_id"), index("session_id", "_id"), index("division", "topics")],
    "training_plans": [index("division", "_id")],
}


async def course(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("courses", ident)


async def session(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("training_sessions", ident)


async def plan(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("training_plans", ident)


async def attendances(tx: Tx, keys: Sequence[str]) -> dict[str, Document]:
    await tx.load("attendances", keys)
    found = {key: await tx.get("attendances", key) for key in keys}
    return {key: row for key, row in found.items() if row is not None}


async def attended_by(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """What these people attended, oldest first."""
    query = {"person_id": {"$in": list(people)}, "attended": True}
    return await tx.find("attendances", query, sort=[("on", 1), ("_id", 1)])


async def offered(tx: Tx, division: str, topics: Sequence[str]) -> set[str]:
    """Those of the topics in which a course is offered for the division or for one that it lies in."""
    around = [division[:length] for length in LENGTHS if length <= len(division)]
    query = {"topics": {"$in": list(topics)}, "division": {"$in": around}, "active": True}
    rows = await tx.find("courses", query)
    return {topic for row in rows for topic in row["topics"]}.intersection(topics)


async def listed(
    database: Database, collection: str, query: Document, after: uuid.UUID | str | None, limit: int
) -> list[Document]:
    clauses = [query, {"_id": {"$gt": after}}] if after else [query]
    return await database.find(collection, {"$and": clauses}, sort=[("_id", 1)], limit=limit)


async def measured(database: Database, ident: uuid.UUID) -> list[tuple[int, int]]:
    """The scores before and after of those who were measured twice in a session."""
    query = {"session_id": ident, "attended": True, "before": {"$ne": None}, "after": {"$ne": None}}
    return [(row["before"], row["after"]) for row in await database.find("attendances", query)]


async def reached(
    database: Database, division: str, person_types: Sequence[int], passed: Document, day: str
) -> tuple[int, int]:
    """How many active people of a division have one of the types, and how many of them a passed training like that.

    Whoever was merged into another entry brings the trainings along.
    """
    valid = {"attended": True, "passed": True, "on": {"$lte": day}, **passed}
    still = {"$or": [{"until": None}, {"until": {"$gte": day}}]}
    ours = {"$match": {**within(division), "active": True, "person_types": {"$in": list(person_types)}}}
    entries = {"from": "volunteers", "localField": "_id", "foreignField": "merged_into", "as": "entries"}
    own = {"$concatArrays": [["$_id"], "$entries._id"]}
    theirs = {"from": "attendances", "localField": "idents", "foreignField": "person_id", "as": "done"}
    found = await database.aggregate(
        "volunteers",
        [
            ours,
            {"$project": {"_id": 1}},
            {"$lookup": entries},
            {"$project": {"idents": own}},
            {"$lookup": {**theirs, "pipeline": [{"$match": {"$and": [valid, still]}}, {"$limit": 1}]}},
            {"$group": {"_id": None, "people": {"$sum": 1}, "trained": {"$sum": {"$min": [{"$size": "$done"}, 1]}}}},
        ],
    )
    return (found[0]["people"], found[0]["trained"]) if found else (0, 0)


async def trained_in(database: Database, division: str) -> list[Document]:
    """By topic, how many people of a division have passed it and how many minutes they had, as ``{_id, people,
    minutes}``."""
    return await database.aggregate(
        "attendances",
        [
            {"$match": {**within(division), "attended": True, "passed": True}},
            {"$unwind": "$topics"},
            {"$group": {"_id": {"t": "$topics", "p": "$person_id"}, "minutes": {"$sum": "$minutes"}}},
            {"$group": {"_id": "$_id.t", "people": {"$sum": 1}, "minutes": {"$sum": "$minutes"}}},
            {"$sort": {"_id": 1}},
        ],
    )


async def qualified_in(database: Database, division: str, day: str) -> list[Document]:
    """By kind, how many people of a division hold a verified qualification that is valid on an ISO day."""
    valid = {"$or": [{"valid_until": None}, {"valid_until": {"$gte": day}}]}
    return await database.aggregate(
        "qualifications",
        [
            {"$match": {**within(division), "state": "verified", **valid}},
            {"$group": {"_id": {"k": "$kind", "p": "$person_id"}}},
            {"$group": {"_id": "$_id.k", "people": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ],
    )

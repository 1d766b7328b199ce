"""Courses, their sessions, and who attended.

`courses`: `_id` (UUID, chosen by the client), `revision`, `division` (for which it is offered), `title`, `level`,
`audiences`, `field`, `type`, `programme`, `topics`, `syllabus` and its version, `pass_score` (0-100 or None),
`valid_months`, `active`.
`training_sessions`: `_id`, `revision`, `course_id`, `division`, `organiser_id`, `place_id`, `starts_at`, `ends_at`,
`minutes` (credit), `state`, and of the course `level` and `topics`.
`attendances`: `_id` (`session:person`), `revision`, `session_id`, `course_id`, `person_id`, `division` (the
person's), `level`, `topics`, `on` and `until` (ISO days), `attended`, `score`, `passed`, `minutes`, `before`,
`after` (0-100 or None), `by`.
`training_offers`: `_id` (`division:topic`), `division`, `topic`, `since`; never taken away, for the gate.
`training_plans`: `_id`, `revision`, `division`, `task`, `owner_id` (a person), `measure` (a code of coverage),
`due_on`, `by`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.domain.divisions import LENGTHS
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "courses": [index("division", "_id"), index("topics", "division")],
    "training_sessions": [index("course_id", "_id"), index("division", "_id")],
    "attendances": [index("person_id", "_id"), index("session_id", "_id"), index("division", "topics")],
    "training_offers": [],
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


async def offered_since(tx: Tx, division: str, topics: Sequence[str]) -> dict[str, datetime]:
    """Those of the topics in which a course was ever offered for the division or for one that it lies in, and since
    when."""
    around = [division[:length] for length in LENGTHS if length <= len(division)]
    wanted = [offer_key(area, topic) for area in around for topic in topics]
    await tx.load("training_offers", wanted)
    found: dict[str, datetime] = {}
    for key in wanted:
        row = await tx.get("training_offers", key)
        if row is not None:
            found[row["topic"]] = min(row["since"], found.get(row["topic"], row["since"]))
    return found


async def note_offers(tx: Tx, division: str, topics: Sequence[str]) -> None:
    """Keep since when courses in these topics are offered for a division: what was asked for once stays asked for."""
    for topic in topics:
        key = offer_key(division, topic)
        if await tx.get("training_offers", key) is None:
            tx.put("training_offers", {"_id": key, "division": division, "topic": topic, "since": tx.now})


def offer_key(division: str, topic: str) -> str:
    return f"{division}:{topic}"


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
    minutes}``; entries that were made one are one, and a session under two of them is one."""
    passed = {**within(division), "attended": True, "passed": True}
    owner = await _made_one(database, division)
    found = await database.aggregate(
        "attendances",
        [
            {"$match": {**passed, "person_id": {"$nin": list(owner)}}},
            {"$unwind": "$topics"},
            {"$group": {"_id": {"t": "$topics", "p": "$person_id"}, "minutes": {"$sum": "$minutes"}}},
            {"$group": {"_id": "$_id.t", "people": {"$sum": 1}, "minutes": {"$sum": "$minutes"}}},
        ],
    )
    people, minutes = _counters(found, "people"), _counters(found, "minutes")
    sessions: dict[tuple[str, uuid.UUID, uuid.UUID], int] = {}
    for row in await database.find("attendances", {**passed, "person_id": {"$in": list(owner)}}):
        for topic in row["topics"]:
            key = (topic, owner[row["person_id"]], row["session_id"])
            sessions[key] = max(row["minutes"], sessions.get(key, 0))
    people.update(topic for topic, _ in {key[:2] for key in sessions})
    for (topic, _, _), length in sessions.items():
        minutes[topic] += length
    return [{"_id": topic, "people": people[topic], "minutes": minutes[topic]} for topic in sorted(people)]


async def qualified_in(database: Database, division: str, day: str) -> list[Document]:
    """By kind, how many people of a division hold a verified qualification that is valid on an ISO day; entries that
    were made one are one."""
    valid = {"$or": [{"valid_until": None}, {"valid_until": {"$gte": day}}]}
    held = {**within(division), "state": "verified", **valid}
    owner = await _made_one(database, division)
    found = await database.aggregate(
        "qualifications",
        [
            {"$match": {**held, "person_id": {"$nin": list(owner)}}},
            {"$group": {"_id": {"k": "$kind", "p": "$person_id"}}},
            {"$group": {"_id": "$_id.k", "people": {"$sum": 1}}},
        ],
    )
    people = _counters(found, "people")
    rows = await database.find("qualifications", {**held, "person_id": {"$in": list(owner)}})
    people.update(kind for kind, _ in {(row["kind"], owner[row["person_id"]]) for row in rows})
    return [{"_id": kind, "people": people[kind]} for kind in sorted(people)]


async def _made_one(database: Database, division: str) -> dict[uuid.UUID, uuid.UUID]:
    """The entries of a division that went into another, and those that they went into, each with the latter; few."""
    query = {**within(division), "merged_into": {"$type": "binData"}}
    gone = {row["_id"]: row["merged_into"] for row in await database.find("volunteers", query)}
    return {**gone, **{stays: stays for stays in gone.values()}}


def _counters(rows: Sequence[Document], name: str) -> Counter[str]:
    return Counter({row["_id"]: row[name] for row in rows})

"""Children in difficulty, the tasks of those who help them, and who read what.

`children`: `_id` (UUID, chosen by the client), `revision`, `state`, `division`, `team_id` (the backbone organisation
that keeps the record), `difficulties`, `help`, `basis`, `basis_version`, `basis_on`, `consent_on`, `of_age_year` (the
day is sealed with the birth date), `helped_until` (ISO day on which the last task that is given ends, or None),
`ended_on` (ISO day or None), `identity` (keyed hash of name, birth date and county; there only while it is listed),
`handed_to` (a division whose keeper may take the record over, or None), `sealed` (the personal fields, under the
child's own key), `by` and `changed_at`.
`children_tasks`: `_id`, `revision`, `child_id`, `division`, `volunteer_id`, `help`, `fields`, `since`, `until`,
`state`, `sealed` (what is to be done, under the child's key; None once erased, as is `volunteer_id`), `by`.
`record_checks`: `_id` (UUID, chosen by the client), `revision`, `person_id`, `division` (the person's), `asked`
(of whom), `on` (ISO day), `result`, `entered_by`, `entered_at`, `withdrawn` (a reason or None).
`children_reads`: `_id`, `child_id`, `division`, `task_id` or None, `by`, `fields`, `reason`, `at`; never changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "children": [
        index("division", "_id"),
        index("identity", unique=True, sparse=True),
        index("handed_to", "_id", sparse=True),
        index("state", "of_age_year", "_id"),
    ],
    "record_checks": [index("person_id", "_id")],
    "children_tasks": [index("child_id", "_id"), index("volunteer_id", "_id"), index("state", "_id")],
    "children_reads": [index("child_id", "_id")],
    "teams": [index("type", "members.person_id")],
}
BACKBONE = "children_backbone"


async def child(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("children", ident)


async def task(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("children_tasks", ident)


async def teams_of(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """The active backbone organisations that a person is or was in, under whichever entry."""
    query = {"type": BACKBONE, "members.person_id": {"$in": list(entries)}, "status": "active"}
    return await tx.find("teams", query)


async def backbones_with(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """The backbone organisations that a person is or was in and that were not dissolved."""
    query = {"type": BACKBONE, "members.person_id": {"$in": list(entries)}, "status": {"$ne": "dissolved"}}
    return await tx.find("teams", query)


async def backbone(tx: Tx, division: str) -> list[Document]:
    """The active backbone organisations of a county: its city's, its own, and its towns'."""
    query = {"type": BACKBONE, "status": "active", "$or": [{"division": division[:4]}, within(division)]}
    return await tx.find("teams", query, sort=[("division", 1), ("_id", 1)])


async def children_in(
    tx: Tx, divisions: Sequence[str], asked: Document, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """A page of the records of these divisions, in the order of their ids."""
    query: Document = {"$or": [within(one) or {"_id": {"$exists": True}} for one in divisions], **asked}
    if after is not None:
        query["_id"] = {"$gt": after}
    return await tx.find("children", query, sort=[("_id", 1)], limit=limit)


async def tasks_of(tx: Tx, ident: uuid.UUID) -> list[Document]:
    return await tx.find("children_tasks", {"child_id": ident}, sort=[("_id", 1)])


async def tasks_for(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """The tasks that are given to a person, under whichever entry."""
    query = {"volunteer_id": {"$in": list(entries)}, "state": "given"}
    return await tx.find("children_tasks", query, sort=[("_id", 1)])


async def tasks_running(tx: Tx, idents: Sequence[uuid.UUID], day: str) -> list[Document]:
    """The tasks for these children that are given and whose last day has not passed."""
    query = {"child_id": {"$in": list(idents)}, "state": "given", "until": {"$gte": day}}
    return await tx.find("children_tasks", query, sort=[("_id", 1)])


async def tasks_under_way(tx: Tx, day: str, after: uuid.UUID | None, limit: int) -> list[Document]:
    """A page of the tasks that are given and whose last day has not passed, in the order of their ids."""
    query: Document = {"state": "given", "until": {"$gte": day}} | ({"_id": {"$gt": after}} if after else {})
    return await tx.find("children_tasks", query, sort=[("_id", 1)], limit=limit)


def helped(day: str, wanted: bool = True) -> Document:
    """The clause for a child that somebody has a task for on a day or later, or for one that nobody has."""
    running = {"$gte": day}
    return {"helped_until": running if wanted else {"$not": running}}


async def handed_to(tx: Tx, divisions: Sequence[str], after: uuid.UUID | None, limit: int) -> list[Document]:
    """A page of the records that were handed over to these divisions."""
    if not divisions:
        return []
    query: Document = {"$or": [within(one, "handed_to") for one in divisions]} | (
        {"_id": {"$gt": after}} if after else {}
    )
    return await tx.find("children", query, sort=[("_id", 1)], limit=limit)


async def child_with(tx: Tx, identity: str) -> Document | None:
    """The listed child of a county with this name and birth date."""
    found = await tx.find("children", {"identity": identity}, limit=1)
    return found[0] if found else None


async def growing_up(tx: Tx, year: int, after: uuid.UUID | None, limit: int) -> list[Document]:
    """Listed children who are of age by the end of a year; whether they are today is sealed with the birth date."""
    query: Document = {"state": "listed", "of_age_year": {"$lte": year}} | ({"_id": {"$gt": after}} if after else {})
    return await tx.find("children", query, sort=[("_id", 1)], limit=limit)


async def ended_by(tx: Tx, day: str, limit: int) -> list[Document]:
    """Records that ended on an ISO day or before."""
    query = {"state": "ended", "ended_on": {"$type": "string", "$lte": day}}
    return await tx.find("children", query, sort=[("_id", 1)], limit=limit)


async def record_check(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("record_checks", ident)


async def record_checks_of(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    return await tx.find("record_checks", {"person_id": {"$in": list(people)}}, sort=[("_id", 1)])


async def reads_page(database: Database, ident: uuid.UUID, after: uuid.UUID | None, limit: int) -> list[Document]:
    query: Document = {"child_id": ident} | ({"_id": {"$gt": after}} if after else {})
    return await database.find("children_reads", query, sort=[("_id", 1)], limit=limit)


async def counts(database: Database, division: str, day: str) -> dict[str, int]:
    """Listed children of a division: `children`, `helped`, `waiting`, and by `difficulties.code` and `help.code`."""
    listed = {**within(division), "state": "listed"}
    running = {"$cond": [{"$gte": [{"$ifNull": ["$helped_until", ""]}, day]}, 1, 0]}
    sums = {"_id": None, "children": {"$sum": 1}, "helped": {"$sum": running}}
    (whole,) = await database.aggregate("children", [{"$match": listed}, {"$group": sums}]) or [{}]
    found = {"children": whole.get("children", 0), "helped": whole.get("helped", 0)}
    found["waiting"] = found["children"] - found["helped"]
    for field in ("difficulties", "help"):
        steps: list[Document] = [{"$match": listed}, {"$unwind": f"${field}"}]
        group = {"$group": {"_id": f"${field}", "children": {"$sum": 1}}}
        found |= {
            f"{field}.{row['_id']}": row["children"] for row in await database.aggregate("children", [*steps, group])
        }
    return found


async def towns(database: Database, county: str) -> list[str]:
    """The codes of the towns and streets of a county; local units are expected to keep none."""
    rows = await database.find("divisions", {"parent": county, "local": {"$ne": True}}, sort=[("_id", 1)])
    return [row["_id"] for row in rows]

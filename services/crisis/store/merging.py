"""Doubles: the queries that find them, and what moves with a case."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {}

MOVES = (
    "contacts",
    "sections",
    "plan_versions",
    "encounters",
    "flag_rows",
    "assessments",
    "hand_over_notes",
    "medication_hand_overs",
    "notices",
    "programmes",
)
"""What belongs to a case by its `case_id` and goes along when it is merged; each collection has an index for it."""

BY_CASE_ID = (
    "sections",
    "plan_versions",
    "encounters",
    "assessments",
    "notices",
    "medication_hand_overs",
    "programmes",
)
BY_ID = ("plans", "urgent", "care_records", "guardians")
"""What is found by its division and belongs to a case, by its `case_id` or under the case's own id: it is of the office
that has the case."""


async def of_its_office(tx: Tx, case_id: UUID) -> list[tuple[str, Document]]:
    """Everything of a case that an office finds by its division, with the collection that it is in."""
    found = [(name, document) for name in BY_CASE_ID for document in await belongings(tx, name, case_id)]
    for name in BY_ID:
        document = await tx.get(name, case_id)
        if document is not None:
            found.append((name, document))
    return found


async def belongings(tx: Tx, collection: str, case_id: UUID) -> list[Document]:
    """Everything of one collection that belongs to a case."""
    return await tx.find(collection, {"case_id": case_id}, sort=[("_id", 1)])


async def open_cases_by_id(database: Database, keys: Iterable[UUID], division: str) -> list[Document]:
    query = {"_id": {"$in": list(keys)}, "state": "open", "division": under(division)}
    return await database.find("cases", query, sort=[("opened_at", 1), ("_id", 1)])


async def contacts_alike(database: Database, case_id: UUID, limit: int) -> dict[UUID, set[str]]:
    """Other cases with a contact of the same telephone number or name, by case, with what is the same."""
    own = await database.find("contacts", {"case_id": case_id}, limit=limit)
    found: dict[UUID, set[str]] = {}
    for field, signal in (("same.phone", "same_phone"), ("same.name", "same_name")):
        name = field.removeprefix("same.")
        wanted = sorted({row["same"][name] for row in own if row.get("same", {}).get(name)})
        if not wanted:
            continue
        query = {field: {"$in": wanted}, "case_id": {"$ne": case_id}}
        for row in await database.find("contacts", query, sort=[("at", -1)], limit=limit):
            found.setdefault(row["case_id"], set()).add(signal)
    return found


async def with_the_same_contact(database: Database, case: Document, limit: int) -> list[Document]:
    """Open cases that the same contact of the same line led to: an unknown caller is flagged twice, for example."""
    told = {(row["hotline"], row["contact"]) for row in case["flags"]}
    query = {
        "flags.contact": {"$in": sorted({contact for _, contact in told})},
        "state": "open",
        "_id": {"$ne": case["_id"]},
    }
    found = await database.find("cases", query, sort=[("opened_at", 1), ("_id", 1)], limit=limit)
    return [one for one in found if told & {(row["hotline"], row["contact"]) for row in one["flags"]}]


async def opened_nearby(database: Database, case: Document, hours: int, limit: int) -> list[Document]:
    """Open cases of the same division that were opened at about the same time."""
    moment: datetime = case["opened_at"]
    span = timedelta(hours=hours)
    query = {
        "state": "open",
        "division": case["division"],
        "opened_at": {"$gte": moment - span, "$lte": moment + span},
        "_id": {"$ne": case["_id"]},
    }
    return await database.find("cases", query, sort=[("opened_at", 1), ("_id", 1)], limit=limit)

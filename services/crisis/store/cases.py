"""Cases, their plans, referrals and contacts: the queries, and the shape of the documents.

cases          one a person and episode: state, tier, flags, clock, emergency, responder, referral
persons        caller's pseudonym -> the open case, and all cases there were
plans          one a case: its follow-ups with their attempts
referrals      one a referral, with its history
contacts       one a flag: what it takes to call back, under the person's own key
divisions, organisations    copies from the registry
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import Tier

COLLECTIONS: dict[str, list[Any]] = {
    "cases": [
        index("state", "division", "-rank", "opened_at"),
        index("flags.id"),
        index("flags.contact"),
        index(
            "division",
            "report.state",
            "report.since",
            name="reports",
            partialFilterExpression={"report.since": {"$type": "date"}},
        ),
        # Who is called in a chain, and who holds it; a case without a chain is in neither.
        index("chain.called", sparse=True),
        index("chain.holder", sparse=True),
        # What waits for a named person, and nothing else, in the order in which it is given out.
        index(
            "-rank",
            "acknowledgement.since",
            "_id",
            "division",
            name="queue",
            partialFilterExpression={"state": "open", "acknowledgement.state": "waiting"},
        ),
        index("held_by", "state", "-rank", partialFilterExpression={"held_by": {"$type": "string"}}),
        index("responder.request_id"),
        index("person", partialFilterExpression={"person": {"$type": "string"}}),
    ],
    "persons": [],
    "plans": [index("division", "window_until", "_id", partialFilterExpression={"window_until": {"$type": "date"}})],
    "referrals": [
        index("case_id"),
        index("division"),
        index("organisation_id", "state"),
        index("organisation_id", "slot.week"),
        index("division", "send_by", partialFilterExpression={"state": "drafted"}),
    ],
    "contacts": [index("case_id"), index("person"), index("same.phone", sparse=True), index("same.name", sparse=True)],
    "person_keys": [],
    "divisions": [],
    "organisations": [index("receives", "county")],
}

Place = tuple[int, datetime, UUID]
"""Where a case stands in the list of open cases: its rank, when it was opened, its id."""


async def the_case(tx: Tx, case_id: UUID) -> Document:
    """The case; raises `NotFound`."""
    case = await tx.get("cases", case_id)
    if case is None:
        raise NotFound("there is no such case")
    return case


async def the_plan(tx: Tx, case_id: UUID) -> Document:
    plan = await tx.get("plans", case_id)
    if plan is None:
        raise NotFound("the case has no follow-up plan")
    return plan


async def the_referral(tx: Tx, referral_id: UUID) -> Document:
    referral = await tx.get("referrals", referral_id)
    if referral is None:
        raise NotFound("there is no such referral")
    return referral


async def receivers_of(tx: Tx, counties: Iterable[str]) -> list[Document]:
    """The institutions that receive referrals in these counties, or for the cities that they lie in."""
    wanted = {county[:size] for county in counties for size in (4, 6)}
    return await tx.find(
        "organisations",
        {"receives": True, "county": {"$in": sorted(wanted)}},
        sort=[("around_the_clock", -1), ("name", 1), ("_id", 1)],
    )


async def knows_divisions(tx: Tx) -> bool:
    """Whether the registry's list has begun to arrive."""
    return bool(await tx.find("divisions", {}, limit=1))


async def open_cases(
    database: Database,
    division: str,
    limit: int,
    tier: Tier | None,
    waiting: bool | None,
    called: str | None,
    after: Place | None = None,
) -> list[Document]:
    """Open cases of a division, the most urgent first and the longest waiting within a tier; those after a place."""
    query: Document = {"state": "open", "division": under(division)}
    if tier is not None:
        query["tier"] = tier.value
    if waiting is not None:
        # With a chain alone, nobody of the office has it yet.
        query["acknowledgement.state"] = {"$in": ["waiting", "chain"]} if waiting else "acknowledged"
    if called is not None:
        query |= {"acknowledgement.state": "waiting", "acknowledgement.role": called}
    return await database.find("cases", _after(query, after), sort=ORDER, limit=limit)


ORDER = [("rank", -1), ("opened_at", 1), ("_id", 1)]
"""The most urgent first, the longest open within a tier."""


def _after(query: Document, place: Place | None) -> Document:
    """The same query for what comes after a place in that order."""
    if place is None:
        return query
    rank, opened_at, key = place
    later: list[Document] = [
        {"rank": {"$lt": rank}},
        {"rank": rank, "opened_at": {"$gt": opened_at}},
        {"rank": rank, "opened_at": opened_at, "_id": {"$gt": key}},
    ]
    return {"$and": [query, {"$or": later}]}


async def needing_attention(
    database: Database, division: str, limit: int, silent_since: datetime, after: Place | None = None
) -> list[Document]:
    """Cases where something did not happen: no acknowledgement, responder or emergency contact; a decision is due."""
    query: Document = {
        "state": "open",
        "division": under(division),
        "$or": [
            {"acknowledgement.state": "waiting", "acknowledgement.step": {"$gt": 0}},
            {"responder.state": "coordinator"},
            {"responder.state": "requested", "responder.since": {"$lte": silent_since}},
            {"emergency.state": {"$in": ["required", "called", "unconfirmed"]}},
            {"decisions_needed.0": {"$exists": True}},
            {"report.state": "required"},
            {"chain.hops.state": "overdue"},
        ],
    }
    return await database.find("cases", _after(query, after), sort=ORDER, limit=limit)


async def unsent(database: Database, division: str, now: datetime, limit: int) -> list[Document]:
    """Drafts that should have been sent by now, the longest overdue first."""
    query = {"state": "drafted", "division": under(division), "send_by": {"$not": {"$gt": now}}}
    return await database.find("referrals", query, sort=[("send_by", 1), ("_id", 1)], limit=limit)


async def referrals_for(database: Database, organisation: UUID, states: list[str], limit: int) -> list[Document]:
    """What was sent to an institution. A draft is none of its business yet: it has no deadline before it is sent."""
    query = {"organisation_id": organisation, "state": {"$in": states}, "due_at": {"$ne": None}}
    return await database.find("referrals", query, sort=[("due_at", 1)], limit=limit)


async def contacts_of(tx: Tx, case_id: UUID) -> list[Document]:
    """The sealed contacts of a case, the latest first."""
    return await tx.find("contacts", {"case_id": case_id}, sort=[("at", -1)])


async def has_divisions(database: Database) -> bool:
    """Whether any division has arrived from the registry yet."""
    return bool(await database.find("divisions", {}, limit=1))


def under(division: str) -> Any:
    """A condition for all codes that begin so; every code for an empty division."""
    return {"$gte": division, "$lt": division + ":"} if division else {"$exists": True}

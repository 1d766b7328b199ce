"""Counts of activities, of students who were helped, and of the three stages: counted from the documents each time.

Nothing is kept for them. A period is from a moment (inclusive) until a moment (exclusive).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tx import Document
from contracts.crisis import CampaignKind, ReferralState
from services.crisis.domain.campaign import Service
from services.crisis.domain.case_states import State as CaseState
from services.crisis.domain.chains_notices import Addressee, NoticeState
from services.crisis.domain.codes import CareGroup
from services.crisis.domain.follow_up import State as ContactState
from services.crisis.domain.ledger import EvidenceKind
from services.crisis.domain.screening import State as ScreeningState
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {}

Span = tuple[datetime, datetime]
COUNTED = sorted({CaseState.open.value, CaseState.closed.value})
"""A merged case is counted as the one that it went into."""


def _in(span: Span) -> Document:
    return {"$gte": span[0], "$lt": span[1]}


def _sum(condition: Any) -> Document:
    return {"$sum": {"$cond": [condition, 1, 0]}}


def _some(name: str) -> Document:
    """Whether a look-up brought something."""
    return {"$gt": [{"$size": f"${name}"}, 0]}


def _joined(collection: str, own: str, other: str, stages: list[Document], name: str) -> Document:
    return {"$lookup": {"from": collection, "localField": own, "foreignField": other, "pipeline": stages, "as": name}}


def _one_of(query: Document) -> list[Document]:
    return [{"$match": query}, {"$limit": 1}, {"$project": {"_id": 1}}]


def _students() -> list[Document]:
    """Cases of students. A teacher who was screened at school has a school's chain, and is none."""
    grouped = {"kind": "care_group", "codes.groups": CareGroup.student.value}
    at_school: Document = {"$or": [{"setting": "school"}, {"chain.setting": "school"}]}
    return [
        _joined("sections", "_id", "case_id", _one_of(grouped), "said_student"),
        {
            "$match": {
                "$or": [
                    {**at_school, "way": {"$ne": "screening_result"}},
                    {"way": "school_warning"},
                    {"care_group": CareGroup.student.value},
                    {"said_student.0": {"$exists": True}},
                ]
            }
        },
    ]


def _of_students(school: bool) -> list[Document]:
    """Only what belongs to a student's case."""
    if not school:
        return []
    stages = [*_students(), {"$project": {"_id": 1}}]
    return [_joined("cases", "case_id", "_id", stages, "student"), {"$match": {"student.0": {"$exists": True}}}]


async def _number(database: Database, collection: str, query: Document, then: list[Document]) -> int:
    rows = await database.aggregate(collection, [{"$match": query}, *then, {"$count": "number"}])
    return int(rows[0]["number"]) if rows else 0


# The four activities


async def activities_of(database: Database, division: str, span: Span, school: bool) -> Document:
    """Assessments, interventions, referrals and what was told to homes, within a division and a period."""
    here: Document = {"division": under(division)}
    campaign = [
        _joined("campaigns", "campaign_id", "_id", _one_of({"kind": CampaignKind.school_classes.value}), "classes"),
        {"$match": {"classes.0": {"$exists": True}}},
    ]
    mine = _of_students(school)
    taken = {**here, "taken_at": _in(span), "state": ScreeningState.taken.value}
    screenings = await _number(database, "screenings", taken, campaign if school else [])
    assessments = await _number(database, "assessments", {**here, "at": _in(span)}, mine)
    self_tests = 0 if school else await database.count("self_tests", {**here, "at": _in(span)})
    given = {**here, "kind": "intervention", "at": _in(span)}
    sections = await _number(database, "sections", given, mine)
    programmes = await _number(database, "programmes", {**here, "started_at": _in(span)}, mine)
    sent = {**here, "history": {"$elemMatch": {"state": ReferralState.sent.value, "at": _in(span)}}}
    referrals = await _number(database, "referrals", sent, mine)
    notices = await _notices(database, {**here, "at": _in(span)})
    return {
        "assessment": {
            "total": screenings + assessments + self_tests,
            "screenings": screenings,
            "assessments": assessments,
            "self_tests": self_tests,
        },
        "intervention": {"total": sections + programmes, "sections": sections, "programmes": programmes},
        "referral": {"total": referrals},
        "home_school": notices,
    }


async def _notices(database: Database, query: Document) -> Document:
    query = {**query, "state": {"$ne": NoticeState.withdrawn.value}}
    rows = await database.aggregate(
        "notices",
        [
            {"$match": query},
            {
                "$group": {
                    "_id": "$to",
                    "sent": {"$sum": 1},
                    "received": _sum({"$eq": ["$state", NoticeState.received.value]}),
                }
            },
        ],
    )
    by = {row["_id"]: row for row in rows}
    home = by.get(Addressee.home.value, {"sent": 0, "received": 0})
    return {
        "total": home["sent"],
        "received": home["received"],
        "class": by.get(Addressee.class_.value, {"sent": 0})["sent"],
    }


# Cases flagged in the period, and what came of them


def _flagged(division: str, span: Span) -> list[Document]:
    in_it: Document = {"flags": {"$elemMatch": {"flagged_at": _in(span)}}}
    mine: Document = {"state": {"$in": COUNTED}, "division": under(division)}
    return [
        {"$match": {**mine, "$or": [in_it, {"older_flags": {"$gt": 0}}]}},
        _joined("flag_rows", "_id", "case_id", _one_of({"flagged_at": _in(span)}), "older"),
        {"$match": {"$or": [in_it, {"older.0": {"$exists": True}}]}},
    ]


def _interventions(span: Span) -> Document:
    return _joined("sections", "_id", "case_id", _one_of({"kind": "intervention", "at": _in(span)}), "interventions")


def _referrals(span: Span, state: ReferralState) -> Document:
    moved = {"history": {"$elemMatch": {"state": state.value, "at": _in(span)}}}
    return _joined("referrals", "_id", "case_id", _one_of(moved), "referrals")


def _kept(span: Span) -> Document:
    return {"$elemMatch": {"state": ContactState.kept.value, "ended_at": _in(span)}}


def _accepted_by_responder(span: Span) -> Document:
    start, end = span
    noted = {
        "$and": [
            {"$eq": ["$$one.kind", "responder_accepted"]},
            {"$gte": ["$$one.at", start]},
            {"$lt": ["$$one.at", end]},
        ]
    }
    present = {
        "$and": [
            {"$eq": ["$responder.state", "accepted"]},
            {"$gte": ["$responder.as_of", start]},
            {"$lt": ["$responder.as_of", end]},
        ]
    }
    in_timeline = {"$anyElementTrue": [{"$map": {"input": "$timeline", "as": "one", "in": noted}}]}
    return {"$or": [in_timeline, present]}


def _students_helped(division: str, span: Span) -> list[Document]:
    """One row a student: whether the student was helped, and the student's cases."""
    contact = _one_of({"contacts": _kept(span)})
    return [
        *_flagged(division, span),
        *_students(),
        {"$set": {"known_as": {"$ifNull": ["$person", "$_id"]}, "responded": _accepted_by_responder(span)}},
        _interventions(span),
        _referrals(span, ReferralState.accepted),
        _joined("programmes", "known_as", "person", contact, "in_programme"),
        _joined("programmes", "_id", "case_id", contact, "in_programme_of_case"),
        {
            "$group": {
                "_id": "$known_as",
                "helped": {
                    "$max": {
                        "$or": [
                            "$responded",
                            _some("interventions"),
                            _some("referrals"),
                            _some("in_programme"),
                            _some("in_programme_of_case"),
                        ]
                    }
                },
                "case_id": {"$max": "$_id"},
                "rank": {"$max": "$rank"},
                "opened_at": {"$min": "$opened_at"},
            }
        },
    ]


async def students_helped(database: Database, division: str, span: Span) -> tuple[int, int]:
    """How many of the students flagged in a period were helped in it, and how many they are."""
    counted = {"$group": {"_id": None, "flagged": {"$sum": 1}, "helped": _sum("$helped")}}
    rows = await database.aggregate("cases", [*_students_helped(division, span), counted])
    return (int(rows[0]["helped"]), int(rows[0]["flagged"])) if rows else (0, 0)


async def students_left(database: Database, division: str, span: Span, limit: int) -> list[UUID]:
    """A case of each student who was not, the latest of the student; the most urgent and longest waiting first."""
    stages = [
        *_students_helped(division, span),
        {"$match": {"helped": False}},
        {"$sort": {"rank": -1, "opened_at": 1, "case_id": 1}},
        {"$limit": limit},
        {"$project": {"case_id": 1}},
    ]
    return [row["case_id"] for row in await database.aggregate("cases", stages)]


# The three stages


async def funnel_of(database: Database, division: str, span: Span, days: tuple[date, date]) -> Document:
    """Publicity, watching and warning, intervention; `days` are the first and the last of the period."""
    here: Document = {"division": under(division)}
    screened = await _screenings(database, {**here, "taken_at": _in(span)})
    publicity = await _publicity(database, here, days)
    ended = await _end(database, division, span)
    return {
        "front": {"asked": screened["asked"], "education": screened["education"], **publicity},
        "middle": {
            "screened": screened["screened"],
            "self_tests": await database.count("self_tests", {**here, "at": _in(span)}),
            "screenings_flagged": screened["flagged"],
            "concerns": await database.count("concerns", {**here, "raised_at": _in(span)}),
            "flagged": ended.pop("flagged"),
        },
        "end": ended,
    }


async def _screenings(database: Database, query: Document) -> Document:
    taken = {"$eq": ["$state", ScreeningState.taken.value]}
    rows = await database.aggregate(
        "screenings",
        [
            {"$match": query},
            {
                "$group": {
                    "_id": None,
                    "asked": _sum({"$in": ["$state", [ScreeningState.taken.value, ScreeningState.declined.value]]}),
                    "education": _sum({"$and": [taken, {"$in": [Service.education.value, "$services"]}]}),
                    "screened": _sum({"$and": [taken, {"$not": ["$double"]}]}),
                    "flagged": _sum({"$ne": [{"$ifNull": ["$flag_id", None]}, None]}),
                }
            },
        ],
    )
    return rows[0] if rows else dict.fromkeys(("asked", "education", "screened", "flagged"), 0)


async def _publicity(database: Database, here: Document, days: tuple[date, date]) -> Document:
    held = {"$gte": days[0].isoformat(), "$lte": days[1].isoformat()}
    rows = await database.aggregate(
        "ledger_evidence",
        [
            {"$match": {**here, "kind": EvidenceKind.publicity.value, "held_on": held}},
            {"$group": {"_id": None, "activities": {"$sum": 1}, "participants": {"$sum": "$participants"}}},
        ],
    )
    found = rows[0] if rows else {"activities": 0, "participants": 0}
    return {"publicity_activities": found["activities"], "publicity_participants": found["participants"]}


async def _end(database: Database, division: str, span: Span) -> Document:
    names = {"intervention": "interventions", "referral_attended": "referrals", "follow_up_kept": "plan"}
    rows = await database.aggregate(
        "cases",
        [
            *_flagged(division, span),
            _interventions(span),
            _referrals(span, ReferralState.attended),
            _joined("plans", "_id", "_id", _one_of({"follow_ups": _kept(span)}), "plan"),
            {
                "$group": {
                    "_id": None,
                    "flagged": {"$sum": 1},
                    **{name: _sum(_some(joined)) for name, joined in names.items()},
                    "any": _sum({"$or": [_some(joined) for joined in names.values()]}),
                }
            },
        ],
    )
    found = rows[0] if rows else {}
    return {name: found.get(name, 0) for name in ("flagged", *names, "any")}

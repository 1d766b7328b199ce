"""Courses, their sessions, who attended, and who answers for training everybody; each change with its event."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import CourseOffered, TrainingPlanned, TrainingRecorded, TrainingSessionMoved
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places_people import known_person
from services.registry.commands.standing import look_again
from services.registry.domain.trainings import AUDIENCE_OF, PROGRAMMES, State, allows, has_passed, lasts_until
from services.registry.domain.trainings_policy import TrainingsPolicy
from services.registry.policy import Policies
from services.registry.store import places as places_kept
from services.registry.store import trainings as kept


def _same(before: Document | None, state: dict[str, Any]) -> bool:
    return before is not None and all(before.get(name) == value for name, value in state.items())


async def offer_course(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, policy: TrainingsPolicy
) -> tuple[Document, bool]:
    """A course as it is offered from now on. What was attended keeps the level and the topics that it had."""
    await known_division(tx, told["division"])
    told = {**told, **_taught(told, before, policy)}
    if told["level"] in AUDIENCE_OF and told["audiences"] and AUDIENCE_OF[told["level"]] not in told["audiences"]:
        wider = {"teachers", "clinicians", "cadres", "volunteers", "care_points"}
        if not wider.intersection(told["audiences"]):
            raise Refused(
                "bad_audience", f"{told['level']} 一级的培训对象须含 {AUDIENCE_OF[told['level']]}", "audiences"
            )
    if told["type"] == "party_school" and "cadres" not in told["audiences"]:
        raise Refused("bad_audience", "党校培训的对象须含领导干部 cadres", "audiences")
    if told["programme"] is not None and not PROGRAMMES[told["programme"]].topics.intersection(told["topics"]):
        raise Refused("bad_topics", "课程内容不含培养项目要求的任何一项", "topics")
    if told["active"]:  # before anything else: a course that was offered before traces were kept leaves one now
        await kept.note_offers(tx, told["division"], told["topics"])
    if _same(before, told) and before is not None:
        return before, False
    document = {"_id": ident, "revision": before["revision"] + 1 if before else 1, **told}
    tx.put("courses", document)
    fields = ("revision", "division", "level", "type", "field", "programme", "syllabus", "active")
    tx.emit(
        CourseOffered(
            **tx.stamp(told["division"]),
            course_id=ident,
            topics=tuple(told["topics"]),
            audiences=tuple(told["audiences"]),
            **{name: document[name] for name in fields},
            service=document.get("service"),
        )
    )
    return document, before is None


def _taught(told: dict[str, Any], before: Document | None, policy: TrainingsPolicy) -> dict[str, Any]:
    """The topics of a course, and the version of the syllabus that it follows; one that it had keeps its version."""
    if told["syllabus"] is None:
        if told["topics"] is None:
            raise Refused("missing", "课程内容与大纲至少填一项", "topics")
        return {"syllabus_version": None}
    syllabus = policy.syllabus(told["syllabus"])
    if syllabus is None:
        known = "、".join(one.code for one in policy.syllabi)
        raise Refused("unknown_syllabus", f"没有这个大纲；有 {known}", "syllabus")
    topics = list(syllabus.topics) if told["topics"] is None else told["topics"]
    if lacking := [one.text for one in syllabus.items if one.topic not in topics]:
        raise Refused("bad_topics", f"课程内容缺少大纲要求的“{lacking[0]}”", "topics")
    same = before is not None and before.get("syllabus") == syllabus.code and before["topics"] == topics
    version = before["syllabus_version"] if before is not None and same else policy.version
    return {"topics": topics, "syllabus_version": version}


async def plan_session(
    tx: Tx, ident: uuid.UUID, course: Document, told: dict[str, Any], before: Document | None, inside: str
) -> tuple[Document, bool]:
    """A session of a course, planned; the same again changes nothing."""
    await known_division(tx, told["division"])
    if told["ends_at"] <= told["starts_at"]:
        raise Refused("bad_span", "结束时间须晚于开始时间", "ends_at")
    if told["organiser_id"] is not None and await store.organisation(tx, told["organiser_id"]) is None:
        raise Refused("unknown_organisation", "没有这个组织", "organiser_id")
    if told["place_id"] is not None:
        place = await places_kept.place(tx, told["place_id"])
        if place is None or not place["division"].startswith(inside):
            raise Refused("unknown_place", "没有这个场所", "place_id")
    state = {"course_id": course["_id"], **told}
    if before is not None:
        if _same(before, state):
            return before, False
        if before["state"] != State.planned or before["course_id"] != course["_id"]:
            raise NotAllowed("a session that was held or called off is not rewritten", reason="not_planned")
    elif not course["active"]:
        raise NotAllowed("the course is not offered any more", reason="not_offered")
    document = {
        "_id": ident,
        "revision": before["revision"] + 1 if before else 1,
        "state": State.planned.value,
        "level": course["level"],
        "topics": course["topics"],
        **state,
    }
    return _put_session(tx, document), before is None


def move_session(tx: Tx, found: Document, following: State) -> Document:
    """Held or called off; told again, nothing more happens. Nothing was held before it began."""
    if found["state"] == following:
        return found
    if not allows(State(found["state"]), following):
        raise NotAllowed(f"{found['state']} does not become {following}", reason="bad_step")
    if following is State.held and found["starts_at"] > tx.now:
        raise NotAllowed("the session has not begun", reason="too_early")
    return _put_session(tx, {**found, "state": following.value, "revision": found["revision"] + 1})


def _put_session(tx: Tx, document: Document) -> Document:
    tx.put("training_sessions", document)
    fields = ("course_id", "revision", "division", "state", "starts_at", "ends_at", "minutes")
    told = {name: document[name] for name in fields}
    tx.emit(TrainingSessionMoved(**tx.stamp(document["division"]), session_id=document["_id"], **told))
    return document


@dataclass(frozen=True)
class Attendance:
    """A person at a session; scores from 0 to 100, None where there is none."""

    person: uuid.UUID
    attended: bool
    score: int | None = None
    before: int | None = None
    after: int | None = None


async def record_attendance(
    tx: Tx, session: Document, course: Document, rows: Sequence[Attendance], by: str, inside: str, policies: Policies
) -> list[Document]:
    """Who was at a session that was held, all or none; told again, nothing more happens.

    Whoever's attendance changed is looked at again: a correction may take a training away that a turn rests on.
    """
    if session["state"] != State.held:
        raise NotAllowed("attendance is told of a session that was held", reason="not_held")
    if len({row.person for row in rows}) < len(rows):
        raise Refused("twice", "同一人出现两次", "items")
    await tx.load("volunteers", [row.person for row in rows])
    known = await kept.attendances(tx, [f"{session['_id']}:{row.person}" for row in rows])
    on = local_day(session["starts_at"])
    until = lasts_until(on, course["valid_months"])
    documents, changed = [], []
    for position, row in enumerate(rows):
        person = await known_person(tx, row.person, inside, f"items.{position}.person_id")
        key = f"{session['_id']}:{row.person}"
        passed = has_passed(row.attended, row.score, course["pass_score"])
        state = {
            "attended": row.attended,
            "score": row.score,
            "before": row.before,
            "after": row.after,
        }
        before = known.get(key)
        if _same(before, state) and before is not None:
            documents.append(before)
            continue
        document = {
            "session_id": session["_id"],
            "course_id": course["_id"],
            "person_id": row.person,
            "level": session["level"],
            "topics": session["topics"],
            "on": on.isoformat(),
            "until": until.isoformat() if until else None,
            **(before or {"_id": key, "revision": 0}),
            **state,
            "division": person["division"],
            "passed": passed,
            "minutes": session["minutes"] if row.attended else 0,
            "by": by,
        }
        document["revision"] += 1
        tx.put("attendances", document)
        _tell_attendance(tx, document)
        documents.append(document)
        changed.append(row.person)
    for ident in changed:
        await look_again(tx, ident, policies)
    return documents


def _tell_attendance(tx: Tx, document: Document) -> None:
    fields = ("session_id", "course_id", "revision", "division", "level", "attended", "passed", "minutes")
    tx.emit(
        TrainingRecorded(
            **tx.stamp(document["division"]),
            volunteer_id=document["person_id"],
            topics=tuple(document["topics"]),
            valid_until=date.fromisoformat(document["until"]) if document["until"] else None,
            **{name: document[name] for name in fields},
        )
    )


async def plan_training(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, policy: TrainingsPolicy, inside: str
) -> tuple[Document, bool]:
    """A task with an owner, a measure and a day; its evidence is reckoned when it is read."""
    await known_division(tx, told["division"])
    if told["measure"] not in {one.code for one in policy.coverage}:
        known = "、".join(one.code for one in policy.coverage)
        raise Refused("unknown_measure", f"没有这个指标；有 {known}", "measure")
    await known_person(tx, told["owner_id"], inside, "owner_id")
    state = {**told, "due_on": told["due_on"].isoformat()}
    if _same(before, state) and before is not None:
        return before, False
    document = {"_id": ident, "revision": before["revision"] + 1 if before else 1, **state}
    tx.put("training_plans", document)
    fields = ("revision", "division", "measure", "owner_id")
    told_of = {name: document[name] for name in fields}
    tx.emit(TrainingPlanned(**tx.stamp(told["division"]), plan_id=ident, due_on=told["due_on"], **told_of))
    return document, before is None

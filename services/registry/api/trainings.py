"""Trainings over HTTP: courses, sessions, who attended, what it changed, and how far everybody is reached."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Response

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database, as_utc
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.api.trainings_forms import AttendancesIn, CourseIn, LevelCode, PlanIn, SessionIn, TopicCode
from services.registry.api.volunteers import own_person
from services.registry.commands import trainings as commands
from services.registry.domain.qualifications import KINDS
from services.registry.domain.trainings import (
    AUDIENCES,
    FIELDS,
    LEVELS,
    PROGRAMMES,
    TOPICS,
    TYPES,
    Reached,
    State,
    each_session_once,
    effect,
    left_of,
)
from services.registry.domain.trainings_policy import Coverage
from services.registry.keys import Keys
from services.registry.store import qualifications as qualifications_kept
from services.registry.store import trainings as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
PersonReader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
PlansLimit = Annotated[int, Query(ge=1, le=50)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/training-codes")
    async def codes(caller: Reader) -> Document:
        """The code lists of trainings, with the words of the plans."""
        programmes = {
            code: {"label": one.label, "topics": sorted(one.topics), "certificate": one.certificate}
            for code, one in PROGRAMMES.items()
        }
        lists = {"levels": LEVELS, "audiences": AUDIENCES, "fields": FIELDS, "types": TYPES, "topics": TOPICS}
        policy = keys.policies.trainings.at(now())
        syllabi = {one.code: one.model_dump(exclude={"code"}) for one in policy.syllabi}
        return {**lists, "programmes": programmes, "syllabi": syllabi, "version": policy.version}

    async def course_in(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        """A course that is offered to the caller's division: of it, below it, or of what it lies in."""
        found = await kept.course(tx, ident)
        if found is None or not (caller.sees(found["division"]) or caller.division.startswith(found["division"])):
            raise NotFound("there is no such course")
        return found

    async def session_in(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        found = await kept.session(tx, ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such session")
        return found

    @app.put("/v1/courses/{ident}")
    async def offer(ident: uuid.UUID, body: CourseIn, caller: Registrar, response: Response) -> Document:
        """Offer a course for a division; with `active` false no longer; the same again changes nothing."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.course(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such course")
            policy = keys.policies.trainings.at(tx.now)
            return await commands.offer_course(tx, ident, body.model_dump(), before, policy)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.get("/v1/courses")
    async def courses(
        caller: Reader,
        division: DivisionQuery = None,
        level: LevelCode | None = None,
        topic: TopicCode | None = None,
        syllabus: Annotated[str | None, Query(max_length=64)] = None,
        active: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The courses of a division, in the order of their ids."""
        asked = {"level": level, "topics": topic, "syllabus": syllabus, "active": active}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return paged([_shown(row) for row in await kept.listed(database, "courses", query, after, limit)], limit)

    @app.put("/v1/training-sessions/{ident}")
    async def plan(ident: uuid.UUID, body: SessionIn, caller: Registrar, response: Response) -> Document:
        """Plan a session of a course; the same again changes nothing; registrars only."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            course = await course_in(tx, body.course_id, caller)
            before = await kept.session(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such session")
            told = body.model_dump(exclude={"course_id"})
            for name in ("starts_at", "ends_at"):
                told[name] = as_utc(told[name].astimezone(UTC))
            return await commands.plan_session(tx, ident, course, told, before, caller.division)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.post("/v1/training-sessions/{ident}/{step}")
    async def move(ident: uuid.UUID, step: Literal["held", "cancelled"], caller: Registrar) -> Document:
        """A session was held, or is called off; told again, nothing more happens; registrars only."""

        async def write(tx: Tx) -> Document:
            return commands.move_session(tx, await session_in(tx, ident, caller), State(step))

        return _shown(await database.transact(write))

    @app.get("/v1/training-sessions")
    async def sessions(
        caller: Reader,
        division: DivisionQuery = None,
        course_id: uuid.UUID | None = None,
        state: State | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The sessions that take place in a division, in the order of their ids."""
        asked = {"course_id": course_id, "state": state.value if state else None}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        rows = await kept.listed(database, "training_sessions", query, after, limit)
        return paged([_shown(row) for row in rows], limit)

    @app.put("/v1/training-sessions/{ident}/attendances")
    async def attended(ident: uuid.UUID, body: AttendancesIn, caller: Registrar) -> Document:
        """Who was at a session that was held, with scores; all or none; the same again changes nothing."""

        async def write(tx: Tx) -> list[Document]:
            session = await session_in(tx, ident, caller)
            course = await course_in(tx, session["course_id"], caller)
            rows = [one.told() for one in body.items]
            inside, policies = caller.division, keys.policies
            return await commands.record_attendance(tx, session, course, rows, caller.subject, inside, policies)

        return {"items": [_attendance(row) for row in await database.transact(write)]}

    @app.get("/v1/training-sessions/{ident}/attendances")
    async def attendances(
        ident: uuid.UUID,
        caller: PersonReader,
        after: Annotated[str | None, Query(max_length=80)] = None,
        limit: Limit = 50,
    ) -> Document:
        """Who was at a session, by id; only people of the caller's division."""
        await database.transact(lambda tx: session_in(tx, ident, caller))
        query = {"session_id": ident, **store.within(caller.division)}
        rows = await kept.listed(database, "attendances", query, after, limit)
        return paged([_attendance(row) for row in rows], limit)

    @app.get("/v1/training-sessions/{ident}/effect")
    async def changed(ident: uuid.UUID, caller: Reader) -> Document:
        """What the skill was before and after, over those who were measured twice; no means of a few people."""
        await database.transact(lambda tx: session_in(tx, ident, caller))
        found = effect(await kept.measured(database, ident), keys.policies.trainings.at(now()).measure.few)
        return {"session_id": ident, **vars(found)}

    @app.get("/v1/people/{ident}/trainings")
    async def of_person(ident: uuid.UUID, caller: PersonReader) -> Document:
        """What a person attended and passed, the hours of credit, and what is left of each programme."""

        async def read(tx: Tx) -> Document:
            person = await own_person(tx, ident, caller)
            merged = await qualifications_kept.merged_entries(tx, [person["_id"]])
            rows = each_session_once(await kept.attended_by(tx, [person["_id"], *merged]))
            today = local_day(tx.now).isoformat()
            valid = [row for row in rows if row["passed"] and (row["until"] is None or row["until"] >= today)]
            passed = {topic for row in valid for topic in row["topics"]}
            programmes = [
                {
                    "programme": code,
                    "label": one.label,
                    "left": left_of(one, passed),
                    "certificate": KINDS[one.certificate].label,
                }
                for code, one in PROGRAMMES.items()
            ]
            minutes = sum(row["minutes"] for row in rows)
            hours = round(minutes / 60, 2)
            items = [_attendance(row) for row in rows]
            return {
                "person_id": ident,
                "items": items,
                "hours": hours,
                "passed": sorted(passed),
                "programmes": programmes,
            }

        return await database.transact(read)

    @app.get("/v1/trainings/coverage")
    async def coverage(caller: Reader, division: DivisionQuery = None) -> Document:
        """How far the groups are trained that the plans want trained to the full."""
        inside, policy = reach(caller, division), keys.policies.trainings.at(now())
        items = [await measured_by(database, one, inside) for one in policy.coverage]
        return {"division": inside, "version": policy.version, "items": items}

    @app.get("/v1/trainings/capability")
    async def capability(caller: Reader, division: DivisionQuery = None) -> Document:
        """What the people of a division are able to do: verified certificates by kind, passed trainings by topic."""
        inside, today = reach(caller, division), local_day(now()).isoformat()
        qualified = await kept.qualified_in(database, inside, today)
        trained = await kept.trained_in(database, inside)
        return {
            "division": inside,
            "qualifications": [
                {"kind": row["_id"], "label": KINDS[row["_id"]].label, "people": row["people"]} for row in qualified
            ],
            "trainings": [
                {
                    "topic": row["_id"],
                    "label": TOPICS[row["_id"]],
                    "people": row["people"],
                    "hours": round(row["minutes"] / 60, 2),
                }
                for row in trained
            ],
        }

    @app.put("/v1/training-plans/{ident}")
    async def plan_training(ident: uuid.UUID, body: PlanIn, caller: Registrar, response: Response) -> Document:
        """A task of training everybody, with owner, measure and due date; registrars only."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.plan(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such plan")
            policy = keys.policies.trainings.at(tx.now)
            return await commands.plan_training(tx, ident, body.model_dump(), before, policy, caller.division)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.get("/v1/training-plans")
    async def plans(
        caller: Reader, division: DivisionQuery = None, after: After = None, limit: PlansLimit = 20
    ) -> Document:
        """The tasks of a division: done, late or open, with the coverage as evidence.

        Each coverage is reckoned over all people of a division, so a page is short and reckons each once.
        """
        query = store.within(reach(caller, division))
        measures = {one.code: one for one in keys.policies.trainings.at(now()).coverage}
        today, items = local_day(now()).isoformat(), []
        reckoned: dict[tuple[str, str], Document | None] = {}
        for row in await kept.listed(database, "training_plans", query, after, limit):
            measure, asked = measures.get(row["measure"]), (row["measure"], row["division"])
            if asked not in reckoned:
                reckoned[asked] = await measured_by(database, measure, row["division"]) if measure else None
            evidence = reckoned[asked]
            items.append({**_shown(row), "status": plan_status(row, evidence, today), "evidence": evidence})
        return paged(items, limit)


async def measured_by(database: Database, one: Coverage, inside: str) -> Document:
    """How far a group of a division is trained today."""
    asked: Document = {}
    if one.topics:
        asked["topics"] = {"$in": list(one.topics)}
    if one.levels:
        asked["level"] = {"$in": list(one.levels)}
    today = local_day(now()).isoformat()
    found = Reached(*await kept.reached(database, inside, one.person_types, asked, today), one.target)
    return {
        **one.model_dump(include={"code", "label", "target", "source"}),
        "people": found.people,
        "trained": found.trained,
        "percent": found.percent,
        "met": found.met,
    }


def plan_status(row: Document, evidence: Document | None, today: str) -> str:
    """`done`, `late` or `open`: a task of training is done when its coverage is reached, whoever says so."""
    done = evidence is not None and evidence["met"] is True
    return "done" if done else "late" if row["due_on"] < today else "open"


def _shown(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}


def _attendance(row: Document) -> Document:
    hidden = ("_id", "by")
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in hidden}}

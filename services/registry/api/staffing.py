"""Enrolment of schools, and how many full-time teachers of mental health they need, over HTTP."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query
from pydantic import ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Form
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, reach
from services.registry.commands import coverage as commands
from services.registry.domain.divisions import LENGTHS
from services.registry.domain.staffing import Need, StaffingPolicy, need, total
from services.registry.keys import Keys
from services.registry.store import coverage as kept
from services.registry.store import places as places_kept
from services.registry.store.ledger import still_working

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
YearPath = Annotated[int, Path(ge=2000, le=2099)]
YearQuery = Annotated[int | None, Query(ge=2000, le=2099, description="The year in which the school year begins.")]


class EnrolmentIn(Form):
    """Students, and full-time teachers of mental health, of a school in a school year."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"students": 2301, "teachers": 2}]})

    students: int = Field(ge=0, le=100_000)
    teachers: int = Field(ge=0, le=10_000)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/schools/{organisation_id}/enrolments/{year}")
    async def enrol(organisation_id: uuid.UUID, year: YearPath, body: EnrolmentIn, caller: Registrar) -> Document:
        """What a school tells for a school year; the same again changes nothing."""

        async def write(tx: Tx) -> Document:
            school = await store.organisation(tx, organisation_id)
            if school is None or not caller.sees(school["division"]):
                raise NotFound("there is no such organisation")
            return await commands.enrol(tx, school, year, body.students, body.teachers)

        row = await database.transact(write)
        return {name: value for name, value in row.items() if name != "_id"}

    @app.get("/v1/staffing")
    async def staffing(
        caller: Reader,
        division: DivisionQuery = None,
        year: YearQuery = None,
        lacking: Annotated[bool, Query(description="Only schools with a gap.")] = False,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Teachers required, there and lacking: in all, by the next finer division, and school by school."""
        policy = keys.policies.staffing.at(now())
        inside, asked = reach(caller, division), year or school_year(policy)
        schools = await kept.organisations_within(database, inside, ["school"])
        if len(schools) > kept.MANY:
            raise Refused("too_wide", "学校太多，请选更小的区划", "division")
        needs = await _needs(database, schools, asked, policy)
        parts: dict[str, list[Need]] = defaultdict(list)
        width = next((length for length in LENGTHS if length > len(inside)), LENGTHS[-1])
        for one in needs.values():
            parts[one.division[:width]].append(one)
        listed = [school for school in schools if not lacking or needs[school["_id"]].gap]
        rows = [school for school in listed if after is None or school["_id"] > after][:limit]
        return {
            "division": inside,
            "year": asked,
            "students_for_one": policy.students_for_one,
            "version": policy.version,
            "source": policy.source,
            "total": asdict(total(needs.values())),
            "divisions": [{"division": code, **asdict(total(parts[code]))} for code in sorted(parts)],
            "items": [_shown(school, needs[school["_id"]]) for school in rows],
            "next": rows[-1]["_id"] if len(rows) == limit else None,
        }


async def _needs(
    database: Database, schools: list[Document], year: int, policy: StaffingPolicy
) -> dict[uuid.UUID, Need]:
    idents = [school["_id"] for school in schools]
    told = await kept.enrolments_of(database, idents, year)
    linked: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    for place in await places_kept.places_of(database, idents):
        for one in place["staff"] or ():
            if one["occupation"] == "psychology_teacher" and one["full_time"]:
                linked[place["organisation_id"]].add(one["person_id"])
    working = await still_working(database, {one for people in linked.values() for one in people})
    needs = {}
    for school in schools:
        row = told.get(school["_id"])
        people = len({working[one] for one in linked[school["_id"]] if one in working})
        students, teachers = (row["students"], row["teachers"]) if row else (None, None)
        needs[school["_id"]] = need(school["division"], students, teachers, people, policy.students_for_one)
    return needs


def school_year(policy: StaffingPolicy) -> int:
    """The year in which the present school year began."""
    day = local_day(now())
    return day.year if day.month >= policy.year_begins else day.year - 1


def _shown(school: Document, one: Need) -> Document:
    return {"organisation_id": school["_id"], "name": school["name"], **asdict(one), "gap": one.gap}

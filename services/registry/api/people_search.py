"""The search over HTTP: who can help where and when, masked."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry.api.availability import Time
from services.registry.api.people import Role
from services.registry.api.requests import DivisionQuery, Limit, reach
from services.registry.api.rosters import Language, Moment, Skill, span_of
from services.registry.api.volunteers import load_people, shown_person
from services.registry.domain.availability import DAY, Window, read_minutes
from services.registry.domain.people import PERSON_TYPES, QUALIFICATIONS
from services.registry.keys import Keys
from services.registry.store.people_search import Asked, Place, people_found

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
After = Annotated[str | None, Query(pattern=r"^[0-9]{2,12}:[0-9a-f-]{36}$", description="`next` of the page before.")]
Sort = StrEnum("Sort", {"division": "division", "-division": "-division"})


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/people/search")
    async def search_people(
        caller: Reader,
        division: DivisionQuery = None,
        qualification: Annotated[int | None, Query(ge=1, le=len(QUALIFICATIONS))] = None,
        person_type: Annotated[int | None, Query(ge=1, le=len(PERSON_TYPES))] = None,
        language: Language | None = None,
        skill: Skill | None = None,
        sex: Literal["male", "female"] | None = None,
        role: Role | None = None,
        free_day: Annotated[int | None, Query(ge=1, le=7, description="1 Monday to 7 Sunday.")] = None,
        free_from: Time | None = None,
        free_to: Time | None = None,
        off_duty_from: Moment | None = None,
        off_duty_to: Moment | None = None,
        sort: Sort = Sort.division,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Active people of a division and all in it who meet everything that is asked, masked.

        For registrars and coordinators. Free time is a weekday with times of Asia/Shanghai; `off_duty_from` and
        `off_duty_to` leave out who is on duty then. A page may be short where many are; as long as there is a `next`,
        there may be more.
        """
        asked = Asked(
            reach(caller, division),
            qualification,
            person_type,
            str(language) if language else None,
            str(skill) if skill else None,
            sex,
            str(role) if role else None,
            _free(free_day, free_from, free_to),
            span_of(off_duty_from, off_duty_to) if off_duty_from and off_duty_to else None,
        )
        if bool(off_duty_from) != bool(off_duty_to):
            raise Refused("missing", "a stretch of time has a beginning and an end", "off_duty_to")
        rows, following = await people_found(database, asked, _place(after), limit, sort == "-division")

        async def show(tx: Tx) -> list[Document]:
            await load_people(tx, keys, rows)
            return [
                {
                    **await shown_person(tx, keys, row),
                    "languages": row["languages"],
                    "skills": row["skills"],
                }
                for row in rows
            ]

        items = await database.transact(show)
        return {"items": items, "next": f"{following[0]}:{following[1]}" if following else None}


def _free(day: int | None, start: str | None, end: str | None) -> Window | None:
    if day is None and start is None and end is None:
        return None
    if day is None or start is None or end is None:
        raise Refused("missing", "free time is a weekday with `free_from` and `free_to`", "free_day")
    window = Window(day, read_minutes(start), read_minutes(end))
    if not 0 <= window.start < window.end <= DAY:
        raise Refused("bad_window", "`free_to` must be later than `free_from`, on the same day", "free_to")
    return window


def _place(after: str | None) -> Place | None:
    if after is None:
        return None
    division, _, ident = after.partition(":")
    try:
        return division, uuid.UUID(ident)
    except ValueError:
        raise Refused("bad_page", "`after` is `next` of the page before", "after") from None

"""Over HTTP: what people tell of themselves for rosters."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import keeps
from services.registry.api.rosters import Language, Skill
from services.registry.api.volunteers import own_person, present_person
from services.registry.commands.availability import Told, tell_availability
from services.registry.domain.availability import (
    DAY,
    LANGUAGES,
    SKILLS,
    Window,
    over_midnight,
    read_minutes,
    write_minutes,
)
from services.registry.keys import Keys

Self = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Writer = Annotated[Caller, Depends(caller_with("registrar", "volunteer"))]
KEEPERS = ("registrar", "coordinator")
Time = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
"""``HH:MM`` in Asia/Shanghai."""


WINDOW: dict[str, Any] = {"day": 6, "from": "09:00", "to": "12:00"}


class WindowIn(BaseModel):
    """Free on a weekday, 1 Monday to 7 Sunday; an end before the start is of the next day."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"day": 6, "from": "09:00", "to": "12:00"}]}
    )

    day: int = Field(ge=1, le=7)
    start: Time = Field(alias="from")
    end: Time = Field(alias="to")


class QuietIn(BaseModel):
    """Every day's hours in which a person takes no duty; over midnight where the end is before the start."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"from": "22:00", "to": "07:00"}]})

    start: Time = Field(alias="from")
    end: Time = Field(alias="to")


class AvailabilityIn(BaseModel):
    """All that is told; what is not named is not told any more."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "languages": ["mandarin", "jianghuai"],
                    "skills": ["line-work", "grief"],
                    "hours_a_week": 12,
                    "quiet": {"from": "22:00", "to": "07:00"},
                    "windows": [{"day": 2, "from": "18:00", "to": "21:00"}, {"day": 6, "from": "09:00", "to": "12:00"}],
                }
            ]
        },
    )

    languages: list[Language] = Field([], max_length=len(LANGUAGES))
    skills: list[Skill] = Field([], max_length=len(SKILLS))
    hours_a_week: int | None = Field(None, ge=1, le=168)
    quiet: QuietIn | None = None
    windows: list[WindowIn] = Field([], max_length=70)

    def told(self) -> Told:
        """Raises `Refused` for a window or quiet hours that begin and end at once."""
        windows: list[Window] = []
        for position, window in enumerate(self.windows):
            windows += over_midnight(window.day, *_bounds(window.start, window.end, f"body.windows.{position}.to"))
        quiet = None
        if self.quiet is not None:
            start, end = _bounds(self.quiet.start, self.quiet.end, "body.quiet.to")
            # 24:00 is kept as the midnight that it is, unless the whole day is quiet: a day has no length of its own.
            quiet = start, end % DAY if start else end
        return Told(tuple(map(str, self.languages)), tuple(map(str, self.skills)), self.hours_a_week, quiet, windows)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/volunteers/{ident}/availability")
    async def read_availability(ident: uuid.UUID, caller: Self) -> Document:
        """What a person told for rosters; registrars, coordinators, and the person."""

        async def read(tx: Tx) -> Document:
            return _shown(await present_person(tx, await own_entry(tx, ident, caller, *KEEPERS), caller))

        return await database.transact(read)

    @app.put("/v1/volunteers/{ident}/availability")
    async def write_availability(ident: uuid.UUID, body: AvailabilityIn, caller: Writer) -> Document:
        """Tell it whole; registrars and the person. Turns that are on rosters already stay as they are."""
        told = body.told()

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, await own_entry(tx, ident, caller, "registrar"), caller)
            return _shown(tell_availability(tx, person, told))

        return await database.transact(write)


async def own_entry(tx: Tx, ident: uuid.UUID, caller: Caller, *keepers: str) -> uuid.UUID:
    """The id, unless the caller has none of the roles and the entry is somebody else's: then there is none."""
    if not keeps(caller, *keepers) and ident not in await store.entries_of_subject(tx, caller.subject):
        raise NotFound("there is no such volunteer")
    return ident


def _bounds(start: str, end: str, field: str) -> tuple[int, int]:
    begin, finish = read_minutes(start), read_minutes(end)
    if begin in (DAY, finish):
        raise Refused("bad_window", "a stretch of time ends after it begins", field)
    return begin, finish


def _shown(row: Document) -> Document:
    rota = row["rota"] or {"revision": 0, "hours_a_week": None, "quiet": None, "windows": []}
    quiet = rota["quiet"]
    return {
        "id": row["_id"],
        "division": row["division"],
        "languages": row["languages"],
        "skills": row["skills"],
        "revision": rota["revision"],
        "hours_a_week": rota["hours_a_week"],
        "quiet": quiet and {"from": write_minutes(quiet["start"]), "to": write_minutes(quiet["end"])},
        "windows": [
            {"day": window["day"], "from": write_minutes(window["start"]), "to": write_minutes(window["end"])}
            for window in rota["windows"]
        ],
    }

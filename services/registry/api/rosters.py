"""Rosters and turns of duty over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.clock import LOCAL, now
from chassis.db import Database, as_utc
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode, Name
from services.registry import commands, store
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.commands.duty import move_duty as move_turn
from services.registry.domain.availability import LANGUAGES, SKILLS
from services.registry.domain.duty import Turn
from services.registry.domain.rosters import HOUR, KINDS, LINE_12356, days_of, missing_seats, short_days
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
RosterName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
YEARS = range(2000, 2100)


def _in_reach(moment: datetime) -> datetime:
    if moment.year not in YEARS:
        raise ValueError(f"the year must be {YEARS.start} to {YEARS.stop - 1}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
"""With an offset, and far from where reckoning with times ends: what is a slip of the pen has no time in UTC."""
From = Annotated[Moment | None, Query(alias="from", description="With an offset; now where absent.")]
To = Annotated[Moment | None, Query(alias="to", description="With an offset; a week later where absent.")]

Kind = StrEnum("Kind", {name: name for name in KINDS})  # type: ignore[misc]
Language = StrEnum("Language", {name: name for name in LANGUAGES})  # type: ignore[misc]
Skill = StrEnum("Skill", {name: name for name in SKILLS})  # type: ignore[misc]

SPAN = timedelta(days=7)
LONGEST_SPAN = timedelta(days=366)
MAX_DUTIES = 1_000


class RosterIn(BaseModel):
    """A rota; `around_the_clock` where it must have no gap.

    `seats` is how many may be on duty at once (any number where absent), `min_seats` how many must be; `languages` and
    `skills` are asked of everybody, `sex` is preferred.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "320706",
                    "role": "responder",
                    "around_the_clock": True,
                    "title": "示例热线",
                    "kind": "line-12356",
                    "seats": 4,
                    "min_seats": 2,
                    "sex": "female",
                    "languages": ["mandarin"],
                    "skills": ["line-work"],
                }
            ]
        },
    )

    division: DivisionCode
    role: Name
    around_the_clock: bool = False
    title: str = Field("", max_length=64)
    kind: Kind = Kind("line")
    seats: int | None = Field(None, ge=1, le=1000)
    min_seats: int = Field(1, ge=1, le=1000)
    sex: Literal["male", "female"] | None = None
    languages: list[Language] = Field([], max_length=len(LANGUAGES))
    skills: list[Skill] = Field([], max_length=len(SKILLS))

    def roster(self) -> commands.Roster:
        told = self.model_dump(mode="json")
        return commands.Roster(**{**told, "languages": tuple(told["languages"]), "skills": tuple(told["skills"])})


_TIMES: dict[str, Any] = {"starts_at": "2026-12-01T08:00:00+08:00", "ends_at": "2026-12-01T16:00:00+08:00"}
_DUTY: dict[str, Any] = {"volunteer_id": "01970d3b-0000-7000-8000-0000000000b1", **_TIMES}


class TurnIn(BaseModel):
    """When a turn begins and ends, with offsets."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_TIMES]})

    starts_at: Moment
    ends_at: Moment

    def turn(self) -> Turn:
        return Turn(_utc(self.starts_at), _utc(self.ends_at))


class DutyIn(TurnIn):
    """A turn of a volunteer."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_DUTY]})

    volunteer_id: uuid.UUID


class DutiesIn(BaseModel):
    """Turns that are put on a roster together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"duties": [_DUTY]}]})

    duties: list[DutyIn] = Field(min_length=1, max_length=MAX_DUTIES)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/rosters/{name}")
    async def write_roster(name: RosterName, body: RosterIn, caller: Registrar) -> Document:
        """Make a roster or change what it asks for; registrars only. Turns that are there already stay."""
        seen(caller, body.division)

        async def write(tx: Tx) -> Document:
            found = await store.roster(tx, name)
            if found is not None and not caller.sees(found["division"]):
                raise NotAllowed("the name is taken; choose another")
            document, _ = await commands.write_roster(tx, name, body.roster(), keys.policies)
            return document

        return _roster(await database.transact(write))

    @app.get("/v1/rosters")
    async def list_rosters(
        caller: Reader, division: DivisionQuery = None, after: str | None = None, limit: Limit = 50
    ) -> Document:
        """The rosters of a division; whoever reads what is no secret."""
        query = store.within(reach(caller, division))
        return paged([_roster(row) for row in await store.page(database, "rosters", query, after, limit)], limit)

    @app.get("/v1/rosters/{name}")
    async def read_roster(name: RosterName, caller: Reader) -> Document:
        """One roster; the same readers."""
        return _roster(_visible(await database.get("rosters", name), caller))

    @app.post("/v1/rosters/{name}/duties", status_code=201)
    async def add_duties(name: RosterName, body: DutiesIn, caller: Registrar) -> Document:
        """Put volunteers on duty, all turns or none; registrars only. Nobody is notified.

        409 tells by `reason` what stands against it: overlap, weekly_cap, quiet_hours, languages_missing,
        skills_missing, seats_taken. `remarks` of a turn are wishes that it does not meet.
        """

        async def add(tx: Tx) -> list[Document]:
            roster = _visible(await store.roster(tx, name), caller)
            turns = [(duty.volunteer_id, duty.turn()) for duty in body.duties]
            return await commands.add_duties(tx, roster, turns, caller.division, keys.policies)

        return {"items": [_duty(row) for row in await database.transact(add)]}

    @app.get("/v1/rosters/{name}/duties")
    async def list_duties(
        name: RosterName, caller: Reader, start: From = None, end: To = None, after: After = None, limit: Limit = 200
    ) -> Document:
        """The turns that touch a stretch of time, those first that begin first."""
        _visible(await database.get("rosters", name), caller)
        begin, finish = span_of(start, end)
        rows = await store.turns_page(database, name, begin, finish, after, limit)
        return paged([_duty(row) for row in rows], limit)

    @app.patch("/v1/rosters/{name}/duties/{ident}")
    async def move_duty(name: RosterName, ident: uuid.UUID, body: TurnIn, caller: Registrar) -> Document:
        """Move a turn of the same person to another time, under the rules of a new one; registrars only."""

        async def move(tx: Tx) -> Document:
            roster = _visible(await store.roster(tx, name), caller)
            duty = await store.duty(tx, ident)
            if duty is None or duty["roster"] != name:
                raise NotFound("there is no such turn of duty")
            return await move_turn(tx, roster, duty, body.turn(), caller.division, keys.policies)

        return _duty(await database.transact(move))

    @app.delete("/v1/rosters/{name}/duties/{ident}")
    async def withdraw_duty(name: RosterName, ident: uuid.UUID, caller: Registrar) -> Document:
        """Take a turn back; asked again, nothing more happens. Registrars only."""

        async def withdraw(tx: Tx) -> Document:
            _visible(await store.roster(tx, name), caller)
            duty = await store.duty(tx, ident)
            if duty is None or duty["roster"] != name:
                raise NotFound("there is no such turn of duty")
            return commands.withdraw_duty(tx, duty)

        return _duty(await database.transact(withdraw))

    @app.get("/v1/rosters/{name}/gaps")
    async def list_gaps(name: RosterName, caller: Reader, start: From = None, end: To = None) -> Document:
        """Where fewer than must be are on duty on a roster that must be covered, and the days covered too briefly.

        Ahead as far as the policy says where no end is asked for. A roster around the clock is held to the hours a day
        of the policy: with 24 each gap makes its day too short, with 18 a line may close at night. A 12356 line that
        does close at night is held to the hours of the notice on 12356.
        """
        roster = _visible(await database.get("rosters", name), caller)
        line = keys.policies.rosters.at(now()).line
        hours_a_day = line.hours_a_day if roster["around_the_clock"] else line.hours_12356
        if not roster["around_the_clock"] and _roster(roster)["kind"] != LINE_12356:
            raise NotAllowed("the roster is not one that must be covered, by day and night or as a 12356 line")
        begin, finish = span_of(start, end, timedelta(days=line.days_ahead))
        days = [whole for _, whole in days_of(begin, finish, LOCAL)]
        first, last = days[0].starts_at, days[-1].ends_at
        turns = [Turn(row["starts_at"], row["ends_at"]) for row in await store.turns_on(database, name, first, last)]
        seats = _roster(roster)["min_seats"]
        return {
            "from": begin,
            "to": finish,
            "seats": seats,
            "hours_a_day": hours_a_day,
            "gaps": [
                {"starts_at": gap.starts_at, "ends_at": gap.ends_at, "missing": gap.seats}
                for gap in missing_seats(turns, begin, finish, seats)
            ],
            "short_days": [
                {"day": short.day, "hours": round(short.covered / HOUR, 2)}
                for short in short_days(turns, begin, finish, seats, hours_a_day, LOCAL)
            ],
        }


def span_of(start: datetime | None, end: datetime | None, span: timedelta = SPAN) -> tuple[datetime, datetime]:
    begin = _utc(start) if start else now()
    finish = _utc(end) if end else begin + span
    if finish <= begin:
        raise Refused("bad_span", "`to` must be later than `from`", "to")
    if finish - begin > LONGEST_SPAN:
        raise Refused("bad_span", f"at most {LONGEST_SPAN.days} days at once", "to")
    return begin, finish


def _utc(moment: datetime) -> datetime:
    return as_utc(moment.astimezone(UTC))


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such roster")
    return found


def _roster(row: Document) -> Document:
    shown = {key: value for key, value in {**store.ROSTER_LATER, **row}.items() if key not in ("_id", "turns")}
    return {"id": row["_id"], "name": row["_id"], **shown}


def _duty(row: Document) -> Document:
    return {"id": row["_id"], **{key: value for key, value in row.items() if key != "_id"}}

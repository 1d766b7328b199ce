"""Rosters and turns of duty over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.db import Database, as_utc
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode, Name
from services.registry import commands, store
from services.registry.api.requests import READERS, DivisionQuery, Limit, paged, reach, seen
from services.registry.domain.duty import Turn, gaps
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

SPAN = timedelta(days=7)
LONGEST_SPAN = timedelta(days=366)
MAX_DUTIES = 1_000


class RosterIn(BaseModel):
    """A rota; `around_the_clock` where it must have no gap."""

    division: DivisionCode
    role: Name
    around_the_clock: bool = False
    title: str = Field("", max_length=64)


class DutyIn(BaseModel):
    volunteer_id: uuid.UUID
    starts_at: Moment
    ends_at: Moment

    def turn(self) -> Turn:
        return Turn(_utc(self.starts_at), _utc(self.ends_at))


class DutiesIn(BaseModel):
    duties: list[DutyIn] = Field(min_length=1, max_length=MAX_DUTIES)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/rosters/{name}")
    async def write_roster(name: RosterName, body: RosterIn, caller: Registrar) -> Document:
        seen(caller, body.division)

        async def write(tx: Tx) -> Document:
            found = await store.roster(tx, name)
            if found is not None and not caller.sees(found["division"]):
                raise NotAllowed("the name is taken; choose another")
            document, _ = await commands.write_roster(tx, name, commands.Roster(**body.model_dump()))
            return document

        return _roster(await database.transact(write))

    @app.get("/v1/rosters")
    async def list_rosters(
        caller: Reader, division: DivisionQuery = None, after: str | None = None, limit: Limit = 50
    ) -> Document:
        query = store.within(reach(caller, division))
        return paged([_roster(row) for row in await store.page(database, "rosters", query, after, limit)], limit)

    @app.get("/v1/rosters/{name}")
    async def read_roster(name: RosterName, caller: Reader) -> Document:
        return _roster(_visible(await database.get("rosters", name), caller))

    @app.post("/v1/rosters/{name}/duties", status_code=201)
    async def add_duties(name: RosterName, body: DutiesIn, caller: Registrar) -> Document:
        """Put volunteers on duty, all turns or none."""

        async def add(tx: Tx) -> list[Document]:
            roster = _visible(await store.roster(tx, name), caller)
            turns = [(duty.volunteer_id, duty.turn()) for duty in body.duties]
            return await commands.add_duties(tx, roster, turns, caller.division)

        return {"items": [_duty(row) for row in await database.transact(add)]}

    @app.get("/v1/rosters/{name}/duties")
    async def list_duties(name: RosterName, caller: Reader, start: From = None, end: To = None) -> Document:
        """The turns that touch a stretch of time."""
        _visible(await database.get("rosters", name), caller)
        begin, finish = _span(start, end)
        return {"items": [_duty(row) for row in await store.turns_on(database, name, begin, finish)]}

    @app.delete("/v1/rosters/{name}/duties/{ident}")
    async def withdraw_duty(name: RosterName, ident: uuid.UUID, caller: Registrar) -> Document:
        async def withdraw(tx: Tx) -> Document:
            _visible(await store.roster(tx, name), caller)
            duty = await store.duty(tx, ident)
            if duty is None or duty["roster"] != name:
                raise NotFound("there is no such turn of duty")
            return commands.withdraw_duty(tx, duty)

        return _duty(await database.transact(withdraw))

    @app.get("/v1/rosters/{name}/gaps")
    async def list_gaps(name: RosterName, caller: Reader, start: From = None, end: To = None) -> Document:
        """Where nobody is on duty on a 24-hour roster."""
        roster = _visible(await database.get("rosters", name), caller)
        if not roster["around_the_clock"]:
            raise NotAllowed("the roster is not one that must be covered around the clock")
        begin, finish = _span(start, end)
        turns = [Turn(row["starts_at"], row["ends_at"]) for row in await store.turns_on(database, name, begin, finish)]
        uncovered = [{"starts_at": gap.starts_at, "ends_at": gap.ends_at} for gap in gaps(turns, begin, finish)]
        return {"from": begin, "to": finish, "gaps": uncovered}


def _span(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    begin = _utc(start) if start else now()
    finish = _utc(end) if end else begin + SPAN
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
    return {"id": row["_id"], "name": row["_id"], **{key: value for key, value in row.items() if key != "_id"}}


def _duty(row: Document) -> Document:
    return {"id": row["_id"], **{key: value for key, value in row.items() if key != "_id"}}

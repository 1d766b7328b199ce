"""Sessions of marriage-registry rooms over HTTP: planned, held, and counted; who came is never asked."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Response
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry.api.places import visible
from services.registry.api.places_forms import Day, one_of
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_forms import Form, example
from services.registry.commands import marriage as commands
from services.registry.domain.marriage import KINDS, State, told_sums
from services.registry.keys import Keys
from services.registry.store import marriage as kept
from services.registry.store import places as places_kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Writer = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
KindCode = Annotated[str, *one_of(KINDS)]
AFTER = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9a-f-]{36}$"


class SessionIn(Form):
    """A session: 婚前讲家、婚后理家, or counselling before or after marriage, by somebody who works in the room."""

    model_config = example(kind="before_training", day="2026-03-02", held_by="01970d3b-0000-7000-8000-0000000000b1")

    kind: KindCode
    day: Day
    held_by: uuid.UUID


class StepIn(Form):
    """Held, with how many people came, or cancelled."""

    model_config = example(to="held", people=24)

    to: Literal["held", "cancelled"]
    people: Annotated[int, Field(ge=0, le=10_000)] | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/places/{ident}/marriage-sessions/{session}")
    async def plan(
        ident: uuid.UUID, session: uuid.UUID, body: SessionIn, caller: Writer, response: Response
    ) -> Document:
        """Plan a session of a marriage-registry room; the same again changes nothing."""

        async def write(tx: Tx) -> tuple[Document, bool]:
            place = visible(await places_kept.place(tx, ident), caller)
            return await commands.plan_session(tx, place, session, body.told(), keys.policies, caller.subject)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.post("/v1/places/{ident}/marriage-sessions/{session}/moves")
    async def move(ident: uuid.UUID, session: uuid.UUID, body: StepIn, caller: Writer) -> Document:
        """A session was held, by so many people, or was called off; the same again changes nothing."""

        async def step(tx: Tx) -> Document:
            visible(await places_kept.place(tx, ident), caller)
            found = await kept.session(tx, session)
            if found is None or found["place_id"] != ident:
                raise NotFound("there is no such session")
            return await commands.move_session(tx, found, State(body.to), body.people, keys.policies, caller.subject)

        return _shown(await database.transact(step))

    @app.get("/v1/places/{ident}/marriage-sessions")
    async def sessions(
        ident: uuid.UUID,
        caller: Reader,
        kind: KindCode | None = None,
        state: State | None = None,
        after: Annotated[str | None, Query(pattern=AFTER, description="`next` of the page before.")] = None,
        limit: Limit = 50,
    ) -> Document:
        """The sessions of a room, by day."""
        visible(await database.get("places", ident), caller)
        asked = {"kind": kind, "state": state.value if state else None}
        query = {name: value for name, value in asked.items() if value is not None}
        rows = await kept.sessions_of(database, ident, query, _cursor(after), limit)
        following = f"{rows[-1]['day']}_{rows[-1]['_id']}" if len(rows) == limit else None
        return {"items": [_shown(row) for row in rows], "next": following}

    @app.get("/v1/marriage-sessions/counts")
    async def counts(
        caller: Reader, division: DivisionQuery = None, first: Day | None = None, last: Day | None = None
    ) -> Document:
        """What was held in a division, by kind: sessions and people; this year where no days are named.

        Both are null where so few people came that the counts may be about one couple.
        """
        today = local_day(now())
        begin, end = first or today.replace(month=1, day=1), last or today
        if end < begin:
            raise Refused("bad_span", "截止日不能早于起始日", "last")
        wanted = reach(caller, division)
        found = {row["_id"]: row for row in await kept.sums(database, wanted, begin.isoformat(), end.isoformat())}
        few = keys.policies.places.at(now()).marriage.few
        none = {"sessions": 0, "people": 0}
        kinds = {}
        for code, kind in KINDS.items():
            sums = found.get(code, none)
            kinds[code] = {"label": kind.label, **told_sums(sums["sessions"], sums["people"], few)}
        return {"division": wanted, "first": begin, "last": end, "few": few, "kinds": kinds}


def _cursor(after: str | None) -> tuple[str, uuid.UUID] | None:
    if after is None:
        return None
    day, _, ident = after.partition("_")
    try:
        return day, uuid.UUID(ident)
    except ValueError as error:
        raise Refused("bad_cursor", "`after` must be the `next` of a page", "after") from error


def _shown(row: Document) -> Document:
    names = ("revision", "place_id", "division", "kind", "day", "held_by", "state", "people", "by")
    return {"id": row["_id"], "label": KINDS[row["kind"]].label, **{name: row[name] for name in names}}

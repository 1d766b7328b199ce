"""Stars and honours of volunteers over HTTP."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.requests import DivisionQuery, Limit, reach
from services.registry.api.service_records import person_or_self, shown
from services.registry.api.volunteers import own_person
from services.registry.commands.honours import record_honour, revoke_honour
from services.registry.commands.stars import entries_of, move_star
from services.registry.domain.honours import LEVELS
from services.registry.domain.people import plain
from services.registry.domain.stars import State
from services.registry.keys import Keys
from services.registry.store import service_records as kept

Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Own = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "supervisor"))]
After = Annotated[str | None, Field(max_length=64)]


class StarIn(BaseModel):
    """The next step of a star, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"to": "announced", "reason": "服务满 100 小时"}]}
    )

    to: State
    reason: str = Field(min_length=2, max_length=200)


class HonourIn(BaseModel):
    """An honour that a volunteer was given, by whom and when."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "volunteer_id": "01970d3b-0000-7000-8000-000000000b01",
                    "level": "county",
                    "title": "优秀志愿者",
                    "awarded_by": "示例区文明办",
                    "awarded_on": "2026-03-05",
                }
            ]
        },
    )

    volunteer_id: uuid.UUID
    level: Annotated[str, Field(pattern=f"^({'|'.join(LEVELS)})$")]
    title: Annotated[str, Field(min_length=2, max_length=100)]
    awarded_by: Annotated[str, Field(min_length=2, max_length=100)]
    awarded_on: date


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.post("/v1/people/{ident}/stars/{stars}")
    async def move(ident: uuid.UUID, stars: int, body: StarIn, caller: Registrar) -> Document:
        """Announce, grant, refuse or revoke a star; granting is for the level that the policy names."""

        async def step(tx: Tx) -> Document:
            person = await own_person(tx, ident, caller)
            return await move_star(tx, keys, person, stars, body.to, caller, body.reason)

        return shown(await database.transact(step))

    @app.get("/v1/people/{ident}/stars")
    async def list_stars(ident: uuid.UUID, caller: Own) -> Document:
        """A person's stars with every step; a volunteer reads the own."""

        async def look(tx: Tx) -> list[Document]:
            person = await person_or_self(tx, ident, caller)
            return await kept.stars_of(tx, await entries_of(tx, person))

        return {"items": [shown(row) for row in await database.transact(look)]}

    @app.get("/v1/stars")
    async def stars_in(
        caller: Reader,
        division: DivisionQuery = None,
        state: State | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The stars of a division's volunteers, those on public notice among them."""
        asked = {"state": state.value} if state else {}
        rows = await store.page(database, "stars", store.within(reach(caller, division)) | asked, after, limit)
        full = len(rows) == limit
        return {"items": [shown(row) for row in rows], "next": rows[-1]["_id"] if rows and full else None}

    @app.put("/v1/honours/{ident}")
    async def honour(ident: uuid.UUID, body: HonourIn, caller: Registrar) -> Document:
        """Keep an honour that a volunteer was given; sent again the same, nothing happens."""

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, body.volunteer_id, caller)
            title, by = plain(body.title), plain(body.awarded_by)
            return await record_honour(tx, keys, ident, person, body.level, title, by, body.awarded_on)

        return shown(await database.transact(write))

    @app.post("/v1/honours/{ident}/revoke")
    async def revoke(ident: uuid.UUID, body: Why, caller: Registrar) -> Document:
        """An honour was taken back; why goes into the audit log."""

        async def write(tx: Tx) -> Document:
            found = await kept.honour(tx, ident)
            if found is None or not caller.sees(found["division"]):
                raise NotFound("there is no such honour")
            return revoke_honour(tx, found, caller.subject, body.reason)

        return shown(await database.transact(write))

"""Nominations over HTTP: from the village to the level that is aimed at."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Query

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import NominationIn, StepIn
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach
from services.registry.commands import places_nomination as commands
from services.registry.domain.places_nomination import AIMS, State
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/nominations/{ident}")
    async def nominate(ident: uuid.UUID, body: NominationIn, caller: Registrar) -> Document:
        """Propose a care point for a level; the same again changes nothing."""

        async def propose(tx: Tx) -> Document:
            place = await kept.place(tx, body.place_id)
            if place is None or not caller.sees(place["division"]):
                raise Refused("unknown_place", "没有这个场所", "place_id")
            return await commands.nominate(tx, ident, place, body.aim, body.reason, caller.subject)

        return _shown(await database.transact(propose))

    @app.post("/v1/nominations/{ident}/steps")
    async def step(ident: uuid.UUID, body: StepIn, caller: Registrar) -> Document:
        """Pass it on, name it, send it back, refuse or withdraw it; each level decides its own step."""

        async def take(tx: Tx) -> Document:
            nomination = _visible(await kept.nomination(tx, ident), caller)
            place = _visible(await kept.place(tx, nomination["place_id"]), caller)
            return await commands.step(
                tx, nomination, place, State(body.to), body.reason, by=caller.subject, at=caller.division
            )

        return _shown(await database.transact(take))

    @app.get("/v1/nominations/{ident}")
    async def read_nomination(ident: uuid.UUID, caller: Reader) -> Document:
        """A nomination with every step: who, when, why."""
        return _shown(_visible(await database.get("nominations", ident), caller))

    @app.get("/v1/nominations")
    async def list_nominations(
        caller: Reader,
        division: DivisionQuery = None,
        state: State | None = None,
        aim: Annotated[str | None, Query(pattern=f"^({'|'.join(AIMS)})$")] = None,
        place_id: uuid.UUID | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The nominations of a division, in the order of their ids."""
        asked = {"state": state.value if state else None, "aim": aim, "place_id": place_id}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        rows = await store.page(database, "nominations", query, after, limit)
        return paged([_shown(row) for row in rows], limit)


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such nomination")
    return found


def _shown(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}

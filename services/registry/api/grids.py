"""The grids (网格) of villages over HTTP: the level below the village, each with the person who answers for it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Words
from services.registry.api.requests import READERS, DivisionQuery, Limit, paged, reach
from services.registry.api.teams_forms import Form, example
from services.registry.commands.grids import VILLAGE_DIGITS, register_grid
from services.registry.keys import Keys
from services.registry.store import grids as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS, "community_worker"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
GridWorker = Annotated[Caller, Depends(caller_with("grid_worker"))]
Code = Annotated[str, Path(pattern=r"^[0-9]{15}$", description="The village's 12 digits and three of the grid.")]
AfterCode = Annotated[str | None, Query(pattern=r"^[0-9]{15}$", description="The last code of the page before.")]


class GridIn(Form):
    """A grid as it shall be, whole. `person_id` is the registered person who answers for it."""

    model_config = example(
        name="示例社区第三网格", person_id="01970d3b-0000-7000-8000-000000000b01", households=320, active=True
    )

    name: Words
    person_id: uuid.UUID | None = None
    households: Annotated[int, Field(ge=0, le=100_000)] | None = None
    active: bool = True


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/grids/{code}")
    async def write_grid(code: Code, body: GridIn, caller: Registrar) -> Document:
        """A grid of a village, whole; the same again changes nothing."""
        _seen(code, caller)

        async def write(tx: Tx) -> Document:
            return await register_grid(tx, code, body.told(), by=caller.subject)

        return shown(await database.transact(write))

    @app.get("/v1/grids/mine")
    async def own_grids(caller: GridWorker) -> Document:
        """The grids that the calling grid worker answers for."""

        async def look(tx: Tx) -> list[Document]:
            entries = await store.entries_of_subject(tx, caller.subject)
            return [one for one in await kept.grids_of(tx, entries) if caller.sees(one["division"])] if entries else []

        return {"items": [_short(one) for one in await database.look(look)]}

    @app.get("/v1/grids/{code}")
    async def read_grid(code: Code, caller: Reader) -> Document:
        """A grid, with the log of who answered for it."""
        _seen(code, caller)
        found = await database.get("grids", code)
        if found is None:
            raise NotFound("there is no such grid")
        return shown(found)

    @app.get("/v1/grids")
    async def list_grids(
        caller: Reader,
        division: DivisionQuery = None,
        person_id: uuid.UUID | None = None,
        active: bool | None = None,
        vacant: bool | None = None,
        after: AfterCode = None,
        limit: Limit = 50,
    ) -> Document:
        """The grids of a division by their codes; `vacant` are those that nobody answers for."""
        asked: dict[str, Any] = {k: v for k, v in (("person_id", person_id), ("active", active)) if v is not None}
        if vacant is not None:
            asked = {"$and": [asked, {"person_id": None if vacant else {"$ne": None}}]}
        rows = await kept.grids_in(database, reach(caller, division), asked, after, limit)
        return paged([_short(row) for row in rows], limit)


def shown(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}


def _short(row: Document) -> Document:
    return {name: value for name, value in shown(row).items() if name != "log"}


def _seen(code: str, caller: Caller) -> None:
    if not caller.sees(code[:VILLAGE_DIGITS]):
        raise NotFound("there is no such grid")

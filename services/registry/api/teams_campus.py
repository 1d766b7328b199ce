"""The campus network over HTTP, and how many classes have a representative."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_forms import CampusUnitIn
from services.registry.api.teams_lists import CodeQuery, Cursor, known, listed, shown, visible
from services.registry.commands import teams_campus as commands
from services.registry.domain.teams import CAMPUS
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Order = Literal["id", "name", "level", "-id", "-name", "-level"]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/campus-units/{ident}")
    async def write_unit(ident: uuid.UUID, body: CampusUnitIn, caller: Registrar) -> Document:
        """A unit of a school's four-level network; the same again changes nothing."""

        async def write(tx: Tx) -> Document:
            before = await kept.document(tx, "campus_units", ident)
            if before is not None:
                visible(before, caller)
            return await commands.register_unit(tx, ident, body.told(), before, inside=caller.division)

        return shown(await database.transact(write))

    @app.get("/v1/campus-units")
    async def list_units(
        caller: Reader,
        division: DivisionQuery = None,
        organisation_id: uuid.UUID | None = None,
        parent_id: uuid.UUID | None = None,
        level: CodeQuery = None,
        active: bool | None = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The units of campus networks."""
        known("level", level, CAMPUS)
        asked = {"organisation_id": organisation_id, "parent_id": parent_id, "level": level, "active": active}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "campus_units", query, sort, after, limit)

    @app.get("/v1/organisations/{ident}/campus")
    async def read_campus(ident: uuid.UUID, caller: Reader) -> Document:
        """How many units a school has on each level, and which of its classes have no representative."""
        found = await database.get("organisations", ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such organisation")
        units = await kept.campus_units_of(database, ident)
        classes = [unit for unit in units if unit["level"] == "class"]
        without = [unit["_id"] for unit in classes if not unit["representatives"]]
        covered = len(classes) - len(without)
        return {
            "organisation_id": ident,
            "units": {level: sum(unit["level"] == level for unit in units) for level in CAMPUS},
            "classes": len(classes),
            "classes_with_representative": covered,
            "percent": round(100 * covered / len(classes), 1) if classes else None,
            "without": without,
        }

"""The house that a room is in over HTTP: 综治中心 and 城乡社区综合服务中心, and the rooms that are in one."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry.api.places_forms import Form
from services.registry.api.requests import READERS
from services.registry.commands import places_hosts as commands
from services.registry.domain.places_labels import TYPES
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


class HouseIn(Form):
    """The house that a room is in; null where it is in none any more."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"host_place_id": "01970d3b-0000-7000-8000-000000000c02"}]}
    )

    host_place_id: uuid.UUID | None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/places/{ident}/host-place")
    async def put_into(ident: uuid.UUID, body: HouseIn, caller: Registrar) -> Document:
        """Say which 综治中心 or 城乡社区综合服务中心 a room is in; the same again changes nothing; registrars only."""

        async def write(tx: Tx) -> Document:
            room = _visible(await kept.place(tx, ident), caller)
            return await commands.put_into(tx, room, body.host_place_id, caller.subject, caller.division)

        return _room(await database.transact(write))

    @app.get("/v1/places/{ident}/hosted")
    async def hosted(ident: uuid.UUID, caller: Reader) -> Document:
        """The rooms that are in a house, closed ones left out, within the caller's division."""
        house = _visible(await database.get("places", ident), caller)
        rows = await kept.hosted_by(database, ident, caller.division)
        return {"id": ident, "type_label": TYPES[house["type"]].label, "items": [_room(row) for row in rows]}


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such place")
    return found


def _room(row: Document) -> Document:
    names = ("revision", "name", "type", "division", "tier", "status")
    return {"id": row["_id"], **{name: row[name] for name in names}, "host_place_id": row.get("host_place_id")}

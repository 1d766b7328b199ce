"""Divisions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document
from contracts.base import DivisionCode
from services.registry import commands, store
from services.registry.api.requests import READERS, UPLOAD, Limit, paged, seen, uploaded
from services.registry.domain.divisions import flaw_in_name
from services.registry.domain.people import plain
from services.registry.imports import EDITION, load_divisions
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


class LocalDivision(BaseModel):
    """A unit without a civil code, to be numbered under a parent."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"parent": "320706", "name": "示例农场"}]}
    )

    parent: DivisionCode
    name: str = Field(min_length=1, max_length=64)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/divisions")
    async def list_top_divisions(caller: Reader) -> Document:
        """Where the caller's tree begins: the caller's division, or the provinces."""
        if caller.division:
            return paged([_shown(await _found(database, caller, caller.division))], 0)
        return paged([_shown(row) for row in await store.children(database, None, "", 200)], 0)

    @app.get("/v1/divisions/{code}")
    async def read_division(code: str, caller: Reader) -> Document:
        return _shown(await _found(database, caller, code))

    @app.get("/v1/divisions/{code}/children")
    async def list_children(code: str, caller: Reader, after: str = "", limit: Limit = 100) -> Document:
        await _found(database, caller, code)
        return paged([_shown(row) for row in await store.children(database, code, after, limit)], limit)

    @app.post("/v1/divisions/import", openapi_extra=UPLOAD)
    async def import_divisions(
        request: Request, caller: Registrar, edition: Annotated[str, Query(min_length=1, max_length=64)] = EDITION
    ) -> Document:
        """A CSV `code,name[,local]`, plain or xz."""
        report = await load_divisions(database, await uploaded(request), edition, inside=caller.division)
        return report.as_json()

    @app.post("/v1/divisions", status_code=201)
    async def add_local_division(body: LocalDivision, caller: Registrar) -> Document:
        seen(caller, body.parent)
        name = plain(body.name)
        if flaw := flaw_in_name(name):
            raise Refused("bad_name", flaw, "name")
        return _shown(await database.transact(lambda tx: commands.add_local_division(tx, body.parent, name)))


async def _found(database: Database, caller: Caller, code: str) -> Document:
    found = await database.get("divisions", seen(caller, code))
    if found is None:
        raise NotFound(f"there is no division {code}")
    return found


def _shown(row: Document) -> Document:
    return {
        "id": row["_id"],
        "code": row["_id"],
        "name": row["name"],
        "parent": row["parent"],
        "local": row["local"],
        "edition": row["edition"],
    }

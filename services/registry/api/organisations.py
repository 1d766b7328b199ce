"""Organisations over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from contracts.registry import OrganisationKind
from services.registry import commands, store
from services.registry.api.requests import READERS, UPLOAD, After, DivisionQuery, Limit, paged, reach, seen, uploaded
from services.registry.domain.organisations import NAME_LIMIT, Organisation
from services.registry.domain.people import plain
from services.registry.imports import import_organisations
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


class OrganisationIn(BaseModel):
    """An organisation as it shall be, whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "示例街道社区卫生服务中心",
                    "division": "370812001",
                    "kind": "primary_care",
                    "receives_referrals": True,
                    "around_the_clock": False,
                }
            ]
        },
    )

    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    division: DivisionCode
    kind: OrganisationKind
    receives_referrals: bool
    around_the_clock: bool = False
    backup_id: uuid.UUID | None = None
    active: bool = True

    def told(self) -> Organisation:
        name = plain(self.name)
        if not name:
            raise Refused("missing", "the name is blank", "name")
        if len(name) > NAME_LIMIT:  # one sign may have become many
            raise Refused("too_long", f"the name has more than {NAME_LIMIT} characters once written plainly", "name")
        return Organisation(**{**self.model_dump(), "name": name})


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.post("/v1/organisations/import", openapi_extra=UPLOAD)
    async def take_organisations(request: Request, caller: Registrar) -> Document:
        """A CSV `name,division,kind,receives_referrals,around_the_clock,backup`."""
        report = await import_organisations(database, await uploaded(request), caller.division)
        return report.as_json()

    @app.post("/v1/organisations", status_code=201)
    async def add_organisation(body: OrganisationIn, caller: Registrar) -> Document:
        seen(caller, body.division)
        return await _write(database, body, None, caller)

    @app.put("/v1/organisations/{ident}")
    async def change_organisation(ident: uuid.UUID, body: OrganisationIn, caller: Registrar) -> Document:
        seen(caller, body.division)
        return await _write(database, body, ident, caller)

    @app.get("/v1/organisations/{ident}")
    async def read_organisation(ident: uuid.UUID, caller: Reader) -> Document:
        found = await database.get("organisations", ident)
        return _shown(_visible(found, caller))

    @app.get("/v1/organisations")
    async def list_organisations(
        caller: Reader,
        division: DivisionQuery = None,
        receives_referrals: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        query = store.within(reach(caller, division))
        if receives_referrals is not None:
            query["receives_referrals"] = receives_referrals
        return paged([_shown(row) for row in await store.page(database, "organisations", query, after, limit)], limit)


async def _write(database: Database, body: OrganisationIn, ident: uuid.UUID | None, caller: Caller) -> Document:
    async def write(tx: Tx) -> Document:
        if ident is not None:
            _visible(await store.organisation(tx, ident), caller)
        document, _ = await commands.register_organisation(tx, body.told(), ident)
        return document

    return _shown(await database.transact(write))


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such organisation")
    return found


def _shown(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in ("_id", "key")}}

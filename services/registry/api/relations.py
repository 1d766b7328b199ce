"""Guidance between organisations, the resources of departments, and check-ins with communities over HTTP."""

from __future__ import annotations

import uuid
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from contracts.registry import OrganisationKind
from services.registry import store
from services.registry.api.places_forms import one_of
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach, seen
from services.registry.api.teams_forms import NAME_LIMIT, Department, Form, example
from services.registry.api.teams_lists import CodeQuery, Cursor, Day, known, listed, shown, visible
from services.registry.commands import relations as commands
from services.registry.domain.relations import CHECK_INS, DEPARTMENTS, KINDS, RESOURCES, guides_of
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Order = Literal["id", "kind", "division", "-id", "-kind", "-division"]
ResourceOrder = Literal["id", "name", "department", "-id", "-name", "-department"]
CheckInOrder = Literal["id", "day", "-id", "-day"]
RelationKind = Annotated[str, *one_of(KINDS)]
Supervisor = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
ResourceKind = Annotated[str, *one_of(RESOURCES)]
CheckInForm = Annotated[str, *one_of(CHECK_INS)]
Village = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


class RelationIn(Form):
    """One organisation, or a team of it, guides another, a station, or all of a kind in a division."""

    model_config = example(
        kind="technical_guidance",
        division="370812",
        guide_id="01970d3b-0000-7000-8000-000000000a01",
        guided_kind="primary_care",
        topic="社区老年人心理关爱",
        since="2026-01-01",
    )

    kind: RelationKind
    division: DivisionCode
    guide_id: uuid.UUID
    guided_id: uuid.UUID | None = None
    guided_kind: OrganisationKind | None = None
    place_id: uuid.UUID | None = Field(None, description="The station that is guided.")
    team_id: uuid.UUID | None = Field(None, description="The team of the guide that does it.")
    supervisor: Supervisor | None = Field(
        None, description="By which role, of the policy of the plans: GET /v1/activity-plans/lists."
    )
    person_id: uuid.UUID | None = Field(None, description="The person who does, where it is one.")
    topic: str = Field("", max_length=NAME_LIMIT)
    since: date
    until: date | None = None

    def told(self) -> dict[str, Any]:
        if self.until is not None and self.until < self.since:
            raise Refused("backwards", "止日早于起日", "until")
        return super().told()


class ResourceIn(Form):
    model_config = example(
        department="trade_union", kind="venue", division="370812", name="示例职工之家心理驿站", quantity=1
    )

    department: Department
    kind: ResourceKind
    division: DivisionCode
    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    quantity: int = Field(1, ge=0, le=1_000_000_000)
    organisation_id: uuid.UUID | None = None
    available: bool = True


class CheckInIn(Form):
    """A party organisation with so many members, or one registered person of it, on one day."""

    model_config = example(
        division="370812001001",
        organisation_id="01970d3b-0000-7000-8000-000000000a02",
        form="theme_day",
        day="2026-03-01",
        people=9,
    )

    division: Village
    organisation_id: uuid.UUID
    person_id: uuid.UUID | None = None
    form: CheckInForm
    day: date
    people: int = Field(1, ge=1, le=100_000)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def written(
        collection: str, ident: uuid.UUID, body: RelationIn | ResourceIn | CheckInIn, caller: Caller, command: Any
    ) -> Document:
        seen(caller, body.division)
        told = body.told()

        async def write(tx: Tx) -> Document:
            before = await kept.document(tx, collection, ident)
            if before is not None:
                visible(before, caller)
            document: Document = await command(tx, ident, dict(told), before, inside=caller.division)
            return document

        return shown(await database.transact(write))

    @app.put("/v1/relations/{ident}")
    async def write_relation(ident: uuid.UUID, body: RelationIn, caller: Registrar) -> Document:
        """A relation between organisations, whole; the same again changes nothing."""
        policy = keys.policies.activity_plans.at(now())
        return await written("relations", ident, body, caller, partial(commands.relate, policy=policy))

    @app.get("/v1/relations")
    async def list_relations(
        caller: Reader,
        division: DivisionQuery = None,
        kind: CodeQuery = None,
        guide_id: uuid.UUID | None = None,
        guided_id: uuid.UUID | None = None,
        place_id: uuid.UUID | None = None,
        team_id: uuid.UUID | None = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The relations of a division."""
        known("kind", kind, KINDS)
        asked = {"kind": kind, "guide_id": guide_id, "guided_id": guided_id, "place_id": place_id, "team_id": team_id}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "relations", query, sort, after, limit)

    @app.get("/v1/organisations/{ident}/guides")
    async def read_guides(ident: uuid.UUID, caller: Reader, kind: CodeQuery = None, day: Day = None) -> Document:
        """Who guides an organisation on a day, and who answers for the content of its activities."""
        known("kind", kind, KINDS)
        found = await database.get("organisations", ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such organisation")
        when = day or local_day(now()).isoformat()
        relations = guides_of(found, await kept.relations_of(database, found), when)
        return {"items": [shown(one) for one in relations if kind in (None, one["kind"])]}

    @app.put("/v1/resources/{ident}")
    async def write_resource(ident: uuid.UUID, body: ResourceIn, caller: Registrar) -> Document:
        """What a department has and others may use; the same again changes nothing."""
        return await written("resources", ident, body, caller, commands.list_resource)

    @app.get("/v1/resources")
    async def list_resources(
        caller: Reader,
        division: DivisionQuery = None,
        department: CodeQuery = None,
        kind: CodeQuery = None,
        available: bool | None = None,
        sort: ResourceOrder = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The inventory of a division's departments."""
        known("department", department, DEPARTMENTS)
        known("kind", kind, RESOURCES)
        asked = {"department": department, "kind": kind, "available": available}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "resources", query, sort, after, limit)

    @app.get("/v1/resources/by-department")
    async def sum_resources(caller: Reader, division: DivisionQuery = None) -> Document:
        """What is available, by department and kind."""
        rows = await kept.resource_sums(database, reach(caller, division))
        return {"items": [{**row["_id"], "entries": row["entries"], "quantity": row["quantity"]} for row in rows]}

    @app.put("/v1/community-check-ins/{ident}")
    async def write_check_in(ident: uuid.UUID, body: CheckInIn, caller: Registrar) -> Document:
        """A party organisation or a member of it checked in with a community; the same again changes nothing."""
        return await written("check_ins", ident, body, caller, commands.check_in)

    @app.get("/v1/community-check-ins")
    async def list_check_ins(
        caller: Registrar,
        division: DivisionQuery = None,
        organisation_id: uuid.UUID | None = None,
        form: CodeQuery = None,
        sort: CheckInOrder = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The check-ins of a division; who is in a party is no reading for others than registrars."""
        known("form", form, CHECK_INS)
        asked = {"organisation_id": organisation_id, "form": form}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "check_ins", query, sort, after, limit)

    @app.get("/v1/community-check-ins/counts")
    async def count_check_ins(
        caller: Reader, division: DivisionQuery = None, since: Day = None, until: Day = None
    ) -> Document:
        """Check-ins by community and form, without persons."""
        query = store.within(reach(caller, division))
        days = {name: value for name, value in (("$gte", since), ("$lte", until)) if value is not None}
        if days:
            query |= {"day": days}
        rows = await kept.check_in_sums(database, query)
        if len(rows) > kept.MANY:
            raise Refused("too_wide", "行数太多，请选更小的区划", "division")
        counts = ("check_ins", "organisations")
        return {"items": [{**row["_id"], **{name: row[name] for name in counts}} for row in rows]}

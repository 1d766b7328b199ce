"""The catalogue of preferential treatment over HTTP: four areas, who may have what, and who had it."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from services.registry import store
from services.registry.api.requests import After, DivisionQuery, Limit, paged, reach, seen
from services.registry.api.service_records import papers_of, person_or_self, shown
from services.registry.api.volunteers import own_person
from services.registry.commands import known_division
from services.registry.commands.honours import Offer, list_incentive, merit_of, redeem
from services.registry.domain.honours import AREAS, Conditions, misses
from services.registry.domain.people import plain
from services.registry.keys import Keys
from services.registry.store import service_records as kept

Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Own = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Area = Annotated[str, Field(pattern=f"^({'|'.join(AREAS)})$")]


class ConditionsIn(BaseModel):
    """What the item asks for; `rating` is the mean rating in hundredths, 450 for 4.5."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[int, Field(ge=0, le=100_000)] = 0
    stars: Annotated[int, Field(ge=0, le=5)] = 0
    rating: Annotated[int, Field(ge=0, le=500)] = 0


class IncentiveIn(BaseModel):
    """An item of the catalogue; `times` says whether it is had once ever or once a year."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "320706",
                    "area": "public_service",
                    "label": "示例公园年票免费",
                    "conditions": {"hours": 100, "stars": 1, "rating": 400},
                    "times": "yearly",
                    "places": 200,
                    "source": "示例区志愿服务激励嘉许办法",
                }
            ]
        },
    )

    division: DivisionCode
    area: Area
    label: Annotated[str, Field(min_length=2, max_length=100)]
    conditions: ConditionsIn = Field(default_factory=ConditionsIn)
    times: Literal["ever", "yearly"] = "ever"
    places: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    active: bool = True
    source: Annotated[str, Field(min_length=5, max_length=200)]


class RedemptionIn(BaseModel):
    """Who has which item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "incentive_id": "01970d3b-0000-7000-8000-000000000705",
                    "volunteer_id": "01970d3b-0000-7000-8000-000000000b01",
                }
            ]
        },
    )

    incentive_id: uuid.UUID
    volunteer_id: uuid.UUID


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/incentives/{ident}")
    async def write_incentive(ident: uuid.UUID, body: IncentiveIn, caller: Registrar) -> Document:
        """Put an item into the catalogue of a division, or change it."""
        seen(caller, body.division)
        conditions = Conditions(**body.conditions.model_dump())
        label, source = plain(body.label), plain(body.source)
        offer = Offer(body.area, label, conditions, body.times, body.places, body.active, source)

        async def write(tx: Tx) -> Document:
            await known_division(tx, body.division)
            return await list_incentive(tx, keys, ident, body.division, offer)

        return _labelled(await database.transact(write))

    @app.get("/v1/incentives")
    async def list_incentives(
        caller: Reader,
        division: DivisionQuery = None,
        area: Area | None = None,
        active: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The catalogue of a division and of what lies in it."""
        asked = {"area": area, "active": active}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        rows = await store.page(database, "incentives", query, after, limit)
        return paged([_labelled(row) for row in rows], limit)

    @app.get("/v1/incentives/{ident}/eligibility/{volunteer}")
    async def eligibility(ident: uuid.UUID, volunteer: uuid.UUID, caller: Own) -> Document:
        """Whether a volunteer may have an item, and what is lacking; a volunteer asks for the own."""

        async def look(tx: Tx) -> Document:
            person = await person_or_self(tx, volunteer, caller)
            found = await kept.incentive(tx, ident)
            if found is None or not person["division"].startswith(found["division"]):
                raise NotFound("there is no such item")
            lacking = misses(await merit_of(tx, person), Conditions(**found["conditions"]))
            return {"eligible": not lacking and found["active"], "misses": lacking, "active": found["active"]}

        return await database.transact(look)

    @app.put("/v1/redemptions/{ident}")
    async def write_redemption(ident: uuid.UUID, body: RedemptionIn, caller: Registrar) -> Document:
        """A volunteer has an item, once; what is lacking is a conflict that says so."""

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, body.volunteer_id, caller)
            found = await kept.incentive(tx, body.incentive_id)
            if found is None or not person["division"].startswith(found["division"]):
                raise NotFound("there is no such item for this volunteer")
            return await redeem(tx, ident, found, person, caller.subject)

        return shown(await database.transact(write))

    @app.get("/v1/redemptions")
    async def list_redemptions(
        caller: Registrar,
        division: DivisionQuery = None,
        area: Area | None = None,
        incentive_id: uuid.UUID | None = None,
        volunteer_id: uuid.UUID | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Who had what, by pseudonym."""
        asked = {"area": area, "incentive_id": incentive_id}
        query = store.within(reach(caller, division))
        if volunteer_id is not None:
            query = await database.transact(lambda tx: papers_of(tx, volunteer_id, caller, division))
        query |= {k: v for k, v in asked.items() if v is not None}
        rows = await store.page(database, "redemptions", query, after, limit)
        return paged([shown(row) for row in rows], limit)


def _labelled(row: Document) -> Document:
    return {**shown(row), "area_label": AREAS[row["area"]]}

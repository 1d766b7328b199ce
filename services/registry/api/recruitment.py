"""Campaigns over HTTP: calls for volunteers and censuses of talent, with their deadline and the forms that came."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from services.registry import store
from services.registry.api.codes import ServiceCode
from services.registry.api.people import Preferred, Profession, QualificationCode, TypeCode
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.commands import known_division
from services.registry.commands import recruitment as commands
from services.registry.domain.people import TALENT, VOLUNTEER, plain
from services.registry.domain.recruitment import Standing, State, Unit
from services.registry.domain.talent import PREFERRED
from services.registry.keys import Keys
from services.registry.store import recruitment as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2098, 12, 31))]
FULL_TIME, PART_TIME = 4, 5


class UnitIn(BaseModel):
    """A unit that a form is expected from; without a name, the division itself."""

    model_config = ConfigDict(extra="forbid")

    division: DivisionCode
    name: Annotated[str, Field(max_length=100)] = ""


class ConditionsIn(BaseModel):
    """Whom a call is for: of each list one is enough; an empty list asks for nothing. There is no upper age."""

    model_config = ConfigDict(extra="forbid")

    person_types: Annotated[list[TypeCode], Field(max_length=8)] = []
    qualifications: Annotated[list[QualificationCode], Field(max_length=6)] = []
    professions: Annotated[list[Profession], Field(max_length=16)] = []
    preferred: Annotated[list[Preferred], Field(max_length=8)] = []
    trained: Annotated[list[Literal["yes"]], Field(max_length=1)] = []


class RecruitmentIn(BaseModel):
    """A campaign. Without `due_on` the form is due on the policy's day: 附件1 on 31 March, 附件4 on 30 April."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "320706",
                    "kind": "recruitment",
                    "title": "示例区心理健康志愿者招募",
                    "opens_on": "2026-03-01",
                    "closes_on": "2026-03-31",
                    "quota": 200,
                    "conditions": {"person_types": [1, 3, 4, 7], "preferred": ["medical-worker"]},
                    "least_age": 18,
                    "service": "4-2",
                    "units": [{"division": "320706016", "name": "示例社区卫生服务中心"}],
                }
            ]
        },
    )

    division: DivisionCode
    kind: Literal["recruitment", "census"]
    title: Annotated[str, Field(min_length=2, max_length=100)]
    opens_on: Day
    closes_on: Day
    due_on: Day | None = None
    quota: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    conditions: ConditionsIn = Field(default_factory=ConditionsIn)
    least_age: Annotated[int, Field(ge=1, le=100)] | None = None
    units: Annotated[list[UnitIn], Field(max_length=1000)] = []
    service: ServiceCode | None = Field(None, description="Which of the 25 types of the five services it is for.")

    def told(self) -> commands.Call:
        units = [Unit(unit.division, plain(unit.name)) for unit in self.units]
        if len(set(units)) != len(units):
            raise Refused("twice", "应报单位有重复", "units")
        for unit in units:
            if not unit.division.startswith(self.division):
                raise Refused("outside", f"{unit.division} 不在 {self.division} 之内", "units")
        return commands.Call(
            self.kind,
            plain(self.title),
            self.opens_on,
            self.closes_on,
            self.due_on,
            self.quota,
            self.conditions.model_dump(mode="json"),
            self.least_age,
            units,
            self.service,
        )


class MoveIn(BaseModel):
    """The next state of a campaign."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to": "open"}]})

    to: State


class ReceiptIn(BaseModel):
    """A unit's form that came on paper or by mail: the unit's place in the list, the day, and how many are on it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"unit": 0, "day": "2026-03-30", "people": 12}]}
    )

    unit: Annotated[int, Field(ge=0, le=999)]
    day: Day
    people: Annotated[int, Field(ge=0, le=100_000)] = 0


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/recruitments/{ident}")
    async def write(ident: uuid.UUID, body: RecruitmentIn, caller: Registrar) -> Document:
        """Write a campaign, or change a draft; sent again the same, nothing happens."""
        seen(caller, body.division)
        told = body.told()

        async def put(tx: Tx) -> Document:
            await known_division(tx, body.division)
            return await commands.call(tx, keys, ident, body.division, told)

        return shown_campaign(await database.transact(put))

    @app.post("/v1/recruitments/{ident}/moves")
    async def move(ident: uuid.UUID, body: MoveIn, caller: Registrar) -> Document:
        """Open, close, open again or cancel a campaign; what nobody decided is deleted when it is cancelled."""

        async def step(tx: Tx) -> Document:
            campaign = visible_campaign(await kept.recruitment(tx, ident), caller)
            return await commands.move(tx, keys, campaign, body.to)

        return shown_campaign(await database.transact(step))

    @app.post("/v1/recruitments/{ident}/receipts")
    async def receive(ident: uuid.UUID, body: ReceiptIn, caller: Registrar) -> Document:
        """Enter that a unit's form came otherwise than by an import."""

        async def enter(tx: Tx) -> Document:
            campaign = visible_campaign(await kept.recruitment(tx, ident), caller)
            return commands.enter_receipt(tx, campaign, body.unit, body.day, body.people, caller.subject)

        return shown_campaign(await database.transact(enter))

    @app.get("/v1/recruitments/{ident}/progress")
    async def progress(ident: uuid.UUID, caller: Reader, standing: Standing | None = None) -> Document:
        """Forms on time, late and missing, which add up to the expected; `standing=missing` is the list to remind."""

        async def look(tx: Tx) -> Document:
            campaign = visible_campaign(await kept.recruitment(tx, ident), caller)
            found = await commands.progress_of(tx, campaign)
            rows = [row for row in found.units if standing is None or row["standing"] == standing]
            overdue = local_day(tx.now).isoformat() > campaign["due_on"]
            return {
                "id": ident,
                "form": campaign["form"],
                "report_to": campaign["report_to"],
                "due_on": campaign["due_on"],
                "overdue": overdue and found.counts["missing"] > 0,
                "expected": len(campaign["units"]),
                **found.counts,
                "people": found.people,
                "unexpected": found.unexpected,
                "units": rows,
            }

        return await database.transact(look)

    @app.get("/v1/recruitments/{ident}/statistics")
    async def statistics(ident: uuid.UUID, caller: Reader) -> Document:
        """Who is registered in the campaign's division: the preferred groups, and full-time and part-time teachers."""
        campaign = visible_campaign(await database.get("recruitments", ident), caller)
        role = VOLUNTEER if campaign["kind"] == "recruitment" else TALENT
        counts = await store.counts(database, campaign["division"], role)
        preferred, held = counts["preferred"], counts["qualifications"]
        return {
            "id": ident,
            "role": role,
            "people": counts["people"].get("people", 0),
            "preferred": {
                code: {"label": label, "people": preferred.get(code, 0)} for code, label in PREFERRED.items()
            },
            "full_time_teachers": held.get(FULL_TIME, 0),
            "part_time_teachers": held.get(PART_TIME, 0),
            "quota": campaign["quota"],
            "applications": campaign["applications"],
            "accepted": campaign["accepted"],
        }

    @app.post("/v1/recruitments/{ident}/report")
    async def report(ident: uuid.UUID, caller: Registrar) -> Document:
        """Tell the counts upward as they are now; where they are as told last, nothing happens."""

        async def tell(tx: Tx) -> Document:
            return await commands.report(tx, visible_campaign(await kept.recruitment(tx, ident), caller))

        return shown_campaign(await database.transact(tell))

    @app.get("/v1/recruitments/{ident}")
    async def read(ident: uuid.UUID, caller: Reader) -> Document:
        """A campaign."""
        return shown_campaign(visible_campaign(await database.get("recruitments", ident), caller))

    @app.get("/v1/recruitments")
    async def list_campaigns(
        caller: Reader,
        division: DivisionQuery = None,
        kind: Literal["recruitment", "census"] | None = None,
        state: State | None = None,
        overdue: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The campaigns of a division; `overdue` are those that are open after their deadline."""
        query = store.within(reach(caller, division))
        if kind is not None:
            query["kind"] = kind
        if state is not None:
            query["state"] = state.value
        if overdue is not None:
            query["due_on"] = {("$lt" if overdue else "$gte"): local_day(now()).isoformat()}
            query.setdefault("state", State.open.value)
        rows = await store.page(database, "recruitments", query, after, limit)
        return paged([shown_campaign(row) for row in rows], limit)


def visible_campaign(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such campaign")
    return found


def shown_campaign(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}

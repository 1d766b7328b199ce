"""Experts taking turns."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, ConfigDict, Field

from chassis.clock import now
from chassis.errors import NotFound
from contracts.base import DivisionCode
from services.crisis.api.desk import Body, Desk, Limit, Officer, view
from services.crisis.api.shifts import Planner, Subject
from services.crisis.commands import experts
from services.crisis.domain.experts import ExpertService
from services.crisis.store import experts as store


class Expert(Body):
    person: Subject
    unavailable: list[date] = Field(default=[], max_length=366, description="Days off, in Asia/Shanghai.")


class Rotation(Body):
    """Experts who take turns over a period, `places` of them in each slot. The same `id` is taken once."""

    id: UUID
    division: DivisionCode
    service: ExpertService
    experts: list[Expert] = Field(min_length=1, max_length=500)
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    slot_hours: int = Field(ge=1, le=366 * 24)
    places: int = Field(default=1, ge=1, le=20)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000e0001",
                    "division": "370812",
                    "service": "clinic",
                    "experts": [{"person": "expert-a", "unavailable": ["2026-12-05"]}, {"person": "expert-b"}],
                    "starts_at": "2026-12-01T08:00:00+08:00",
                    "ends_at": "2026-12-08T08:00:00+08:00",
                    "slot_hours": 12,
                }
            ]
        },
    )

    def said(self) -> dict[str, Any]:
        rows = [
            {"person": one.person, "unavailable": sorted({day.isoformat() for day in one.unavailable})}
            for one in self.experts
        ]
        return {
            "division": self.division,
            "service": self.service.value,
            "experts": rows,
            "starts_at": self.starts_at.replace(microsecond=0),
            "ends_at": self.ends_at.replace(microsecond=0),
            "slot_hours": self.slot_hours,
            "places": self.places,
        }


class Swap(Body):
    """Two turns of one rotation, whose experts exchange them."""

    turn_id: UUID
    with_turn_id: UUID

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "turn_id": "01970d3b-0000-7000-8000-0000000e0011",
                    "with_turn_id": "01970d3b-0000-7000-8000-0000000e0012",
                }
            ]
        },
    )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/expert-rotations", tags=["experts"])
    async def build_rotation(body: Rotation, caller: Planner) -> dict[str, Any]:
        """Give every slot of the period its experts: none is empty, and turns differ as little as can be.

        422 `slot_without_expert` names the first slot for which too few are free; nothing is planned then.
        """
        return await desk.do(lambda tx: experts.build_rotation(body.id, body.said(), caller, tx, desk.office))

    @router.get("/expert-rotations", tags=["experts"])
    async def list_rotations(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """The rotations of the caller's division and of those that it lies in, those that end last first."""
        found = await store.rotations(desk.database, caller.division, limit)
        return {"rotations": [view(one) for one in found]}

    @router.get("/expert-rotations/{rotation_id}", tags=["experts"])
    async def get_rotation(
        rotation_id: UUID,
        caller: Officer,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=4000)] = 1000,
    ) -> dict[str, Any]:
        """A rotation with its turns in order, or those between two moments."""
        found = await desk.database.get("expert_rotations", rotation_id)
        if found is None or not (caller.sees(found["division"]) or caller.division.startswith(found["division"])):
            raise NotFound("there is no such rotation")
        turns = await store.turns_of(desk.database, rotation_id, since, until, limit)
        return view(found) | {"turns": [view(turn) for turn in turns]}

    @router.get("/experts/on-turn", tags=["experts"])
    async def list_on_turn(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Whose turn it is now, the nearest division's first: the list to call from."""
        found = await store.turns_now(desk.database, caller.division, now(), limit)
        return {"turns": [view(turn) for turn in found]}

    @router.post("/expert-rotations/{rotation_id}/swap", tags=["experts"])
    async def swap(rotation_id: UUID, body: Swap, caller: Planner) -> dict[str, Any]:
        """Two experts exchange a turn each. 409 `not_free` where one of them is not free in the other's."""
        return await desk.do(lambda tx: experts.swap(rotation_id, body.turn_id, body.with_turn_id, caller, tx))

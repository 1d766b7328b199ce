"""The directory of lines."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import ROLES, Caller, caller_with
from contracts.base import DivisionCode, Name
from services.crisis.api.desk import Body, Desk, Limit, view
from services.crisis.api.queue import Keeper
from services.crisis.commands import hotlines
from services.crisis.domain.hotlines import Category, LineChannel, LineService, OperatorKind, Population
from services.crisis.store import hotlines as store

Anyone = Annotated[Caller, Depends(caller_with(*ROLES))]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9+ -]{3,24}$")]
Area = Annotated[float, Field(gt=0, le=1000)]


class Line(Body):
    """A line, or an account, by which people reach help. Without times it is open around the clock.

    `code` is the technical name that its flags carry; `seats` are the square metres of each seat.
    """

    name: Words
    code: Name | None = None
    category: Category
    division: DivisionCode
    operator: Words
    operator_kind: OperatorKind
    operator_id: UUID | None = Field(default=None, description="The organisation in the registry.")
    population: Population = Population.everyone
    channels: list[LineChannel] = Field(min_length=1, max_length=8)
    services: list[LineService] = Field(default=[LineService.aid], max_length=8)
    number: Number | None = None
    account: Words | None = Field(default=None, description="The name of its WeChat official account.")
    free: bool
    opens: time | None = None
    closes: time | None = None
    seats: list[Area] = Field(default=[], max_length=500)
    in_service: bool

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "示例区24小时心理热线",
                    "code": "line-1",
                    "category": "district_line",
                    "division": "370812",
                    "operator": "示例区心理服务中心",
                    "operator_kind": "health_bureau",
                    "channels": ["phone", "wechat_official_account"],
                    "number": "000-0000-0012",
                    "account": "心灵驿站",
                    "free": True,
                    "seats": [4.5, 5.0],
                    "in_service": True,
                }
            ]
        },
    )

    def said(self) -> dict[str, Any]:
        fields = self.model_dump(mode="json", exclude={"opens", "closes", "operator_id"})
        clock = {name: None if at is None else at.strftime("%H:%M") for name, at in self._times().items()}
        return {**fields, **clock, "operator_id": self.operator_id}

    def _times(self) -> dict[str, time | None]:
        return {"opens": self.opens, "closes": self.closes}


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/hotlines/{line_id}", tags=["hotlines"])
    async def put_hotline(line_id: UUID, body: Line, caller: Keeper) -> dict[str, Any]:
        """Enter a line or change it; `shortfalls` is what it lacks of what its category asks.

        422 with the field where it is to be in service and lacks something; 409 `code_taken` for another line's code.
        """
        return await desk.do(lambda tx: hotlines.put_hotline(line_id, body.said(), caller, tx, desk.office))

    @router.get("/hotlines", tags=["hotlines"])
    async def list_hotlines(
        caller: Anyone,
        category: Category | None = None,
        code: Annotated[Name | None, Query()] = None,
        after: UUID | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """The lines of the caller's division and of those that it lies in, by id; `after` is the last one read."""
        kind = category.value if category else None
        found = await store.lines(desk.database, caller.division, kind, code, after, limit)
        return {"hotlines": [view(line) for line in found]}

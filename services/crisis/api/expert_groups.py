"""Expert groups and their call-outs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotFound
from contracts.base import DivisionCode, Name
from contracts.crisis import EmergencyLevel
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason
from services.crisis.api.incidents import answered, done
from services.crisis.commands import expert_groups as experts
from services.crisis.store.expert_groups import call_outs_of, call_outs_to, expert_groups_of

Keeper = Annotated[Caller, Depends(caller_with(*experts.KEEPERS))]
GroupReader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, *experts.KEEPERS))]
Member = Annotated[Caller, Depends(caller_with(*experts.MEMBERS))]
Subject = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class Certificate(Body):
    """As a certified member of a crisis team."""

    issuer: Name
    valid_from: date
    valid_until: date


class GroupMember(Body):
    subject: Subject
    order: Annotated[int, Field(ge=1, le=1000)]
    specialities: list[Name] = Field(default=[], max_length=20)
    available: bool = True
    certificate: Certificate | None = None


class Group(Body):
    """The whole list; the order is that of the calls."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "revision": 1,
                    "members": [
                        {
                            "subject": "expert-1",
                            "order": 1,
                            "specialities": ["bereavement"],
                            "certificate": {
                                "issuer": "city-health-commission",
                                "valid_from": "2026-01-01",
                                "valid_until": "2028-12-31",
                            },
                        }
                    ],
                }
            ]
        },
    )

    revision: Annotated[int, Field(ge=1, le=100_000)]
    members: list[GroupMember] = Field(max_length=100)


class CallOut(Body):
    """`id` is chosen by the client, so that sending again calls nobody twice."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"id": "01970d3b-0000-7000-8000-0000000ca110", "level": "IV", "wanted": 1, "reason": "个案需专家会诊"}
            ]
        },
    )

    id: UUID
    level: EmergencyLevel
    wanted: Annotated[int, Field(ge=1, le=50)] | None = None
    case_id: UUID | None = None
    reason: Reason


class CallAnswer(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"answer": "acknowledged"}]})

    answer: Literal["acknowledged", "declined"]


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/expert-groups", tags=["expert-groups"])
    async def list_groups(caller: GroupReader, limit: Limit = 50) -> dict[str, Any]:
        """The expert groups of the caller's division and below it."""
        found = await expert_groups_of(desk.database, caller.division, limit)
        return {"groups": [answered(experts.shown_group(group, now())) for group in found]}

    @router.get("/expert-groups/{division}", tags=["expert-groups"])
    async def get_group(division: DivisionCode, caller: GroupReader) -> dict[str, Any]:
        """The list of a division's group, and whom a call-out would leave out today; also for those below it."""
        group = await desk.database.get("expert_groups", division)
        if group is None or not (caller.sees(division) or caller.division.startswith(division)):
            raise NotFound("there is no such expert group")
        return answered(experts.shown_group(group, now()))

    @router.put("/expert-groups/{division}", tags=["expert-groups"])
    async def put_group(division: DivisionCode, body: Group, caller: Keeper) -> dict[str, Any]:
        """Write the list of a division's group, whole; 409 for another revision than the next."""
        members = [member.model_dump() for member in body.members]
        return await done(desk, lambda tx: experts.keep_group(division, members, body.revision, caller, tx))

    @router.post("/expert-groups/{division}/call-outs", tags=["expert-groups"])
    async def call_group(division: DivisionCode, body: CallOut, caller: Officer) -> dict[str, Any]:
        """Call the experts of a division one after another, until as many as are wanted have acknowledged."""
        said = (body.level, body.wanted, body.case_id, body.reason)
        return await done(desk, lambda tx: experts.call_group(body.id, division, *said, caller, tx, desk.office))

    @router.get("/call-outs", tags=["expert-groups"])
    async def list_call_outs(caller: GroupReader, limit: Limit = 50) -> dict[str, Any]:
        """Call-outs in the caller's division, the latest first, with every call and its answer."""
        found = await call_outs_of(desk.database, caller.division, limit)
        return {"call_outs": [answered(made) for made in found]}

    @router.get("/call-outs/mine", tags=["expert-groups"])
    async def list_mine(caller: Member, limit: Limit = 50) -> dict[str, Any]:
        """Call-outs in which the caller was called: the caller's own calls alone."""
        found = await call_outs_to(desk.database, caller.subject, limit)
        return {"call_outs": [experts.shown_to_member(made, caller.subject) for made in found]}

    @router.post("/call-outs/{call_out_id}/answer", tags=["expert-groups"])
    async def answer(call_out_id: UUID, body: CallAnswer, caller: Member) -> dict[str, Any]:
        """A member who was called acknowledges or declines, by name; 404 to everybody else."""
        made = await desk.database.transact(
            lambda tx: experts.answer_call(call_out_id, body.answer, caller, tx, desk.office)
        )
        return experts.shown_to_member(made, caller.subject)

    @router.post("/call-outs/{call_out_id}/cancel", tags=["expert-groups"])
    async def cancel(call_out_id: UUID, body: WithReason, caller: Keeper) -> dict[str, Any]:
        """The experts are not needed any more."""
        return await done(desk, lambda tx: experts.cancel_call_out(call_out_id, body.reason, caller, tx))

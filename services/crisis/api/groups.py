"""Town groups (基层综合管理小组): members, their history, and the log of meetings."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotFound
from contracts.base import DivisionCode
from services.crisis.api.desk import Body, Desk, Limit, WithReason, view
from services.crisis.commands import groups
from services.crisis.commands.ledger import STAFF
from services.crisis.domain.groups import Role
from services.crisis.domain.ledger_policy import Code
from services.crisis.domain.record import Subject
from services.crisis.store.groups import group_gaps, groups_of, history_of, meetings_of

Staff = Annotated[Caller, Depends(caller_with(*STAFF))]
Minutes = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class Member(Body):
    subject: Subject
    department: Code
    role: Role = Role.member


class Group(Body):
    """The group as it shall be from now on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "revision": 1,
                    "members": [
                        {"subject": "town-leader-a", "department": "politics_and_law", "role": "leader"},
                        {"subject": "clinic-a", "department": "health"},
                        {"subject": "police-a", "department": "police"},
                        {"subject": "civil-a", "department": "civil_affairs"},
                    ],
                }
            ]
        },
    )

    revision: Annotated[int, Field(ge=1, le=100_000)]
    members: list[Member] = Field(min_length=1, max_length=100)


class Meeting(Body):
    """A meeting by its day, who was there, and its decisions by code; `text` is sealed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "on": "2026-03-06",
                    "attendance": ["town-leader-a", "clinic-a"],
                    "decisions": ["case_conference", "visit"],
                    "text": "对张示例家庭联合走访，由民政落实临时救助",
                }
            ]
        },
    )

    on: date
    attendance: list[Subject] = Field(min_length=1, max_length=100)
    decisions: list[Code] = Field(default=[], max_length=50)
    text: Minutes | None = None


class ReadMeeting(WithReason):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "核对会议决定"}]})


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/groups", tags=["groups"])
    async def list_groups(caller: Staff, limit: Limit = 50) -> dict[str, Any]:
        """The groups of the towns in the caller's division, with the departments that are missing."""
        found = await groups_of(desk.database, caller.division, limit)
        return {"groups": [view(group) for group in found]}

    @router.get("/groups/gaps", tags=["groups"])
    async def list_gaps(caller: Staff, limit: Limit = 50) -> dict[str, Any]:
        """Towns of the caller's division without a group, or with one in which a department is missing."""
        required = list(desk.office.ledger.at(now()).groups.required)
        return {"gaps": await group_gaps(desk.database, caller.division, required, limit)}

    @router.get("/groups/codes", tags=["groups"])
    async def list_codes(caller: Staff) -> dict[str, Any]:
        """Departments and decisions with their Chinese words."""
        policy = desk.office.ledger.at(now())
        listed = policy.groups
        return {"version": policy.version, "departments": listed.departments, "decisions": listed.decisions}

    @router.put("/groups/{division}", tags=["groups"])
    async def put_group(division: DivisionCode, body: Group, caller: Staff) -> dict[str, Any]:
        """The town's group from now on; 409 for another revision than the next."""
        members = body.model_dump(mode="json")["members"]
        return await desk.do(lambda tx: groups.set_group(division, members, body.revision, caller, tx, desk.office))

    @router.get("/groups/{division}", tags=["groups"])
    async def get_group(division: DivisionCode, caller: Staff) -> dict[str, Any]:
        """A town's group."""
        group = await desk.database.get("town_groups", division) if caller.sees(division) else None
        if group is None:
            raise NotFound("the town has no group")
        return view(group)

    @router.get("/groups/{division}/history", tags=["groups"])
    async def get_history(division: DivisionCode, caller: Staff, limit: Limit = 200) -> dict[str, Any]:
        """Who sits and sat in a town's group, the latest first."""
        _seen(division, caller)
        return {"memberships": [view(row) for row in await history_of(desk.database, division, limit)]}

    @router.put("/groups/{division}/meetings/{meeting_id}", tags=["groups"])
    async def log_meeting(division: DivisionCode, meeting_id: UUID, body: Meeting, caller: Staff) -> dict[str, Any]:
        """Enter a meeting; 422 for who was no member on that day."""
        said = body.model_dump()
        meeting = await desk.database.transact(
            lambda tx: groups.log_meeting(division, meeting_id, caller, tx, desk.office, **said)
        )
        return view(groups.shown(meeting))

    @router.get("/groups/{division}/meetings", tags=["groups"])
    async def list_meetings(division: DivisionCode, caller: Staff, limit: Limit = 50) -> dict[str, Any]:
        """A group's meetings, the latest first; nothing of what is sealed."""
        _seen(division, caller)
        found = await meetings_of(desk.database, division, limit)
        return {"meetings": [view(groups.shown(meeting)) for meeting in found]}

    @router.post("/groups/{division}/meetings/{meeting_id}/read", tags=["groups"])
    async def read_meeting(
        division: DivisionCode, meeting_id: UUID, body: ReadMeeting, caller: Staff
    ) -> dict[str, Any]:
        """A meeting with what was said; the reading is logged."""
        said = (body.reason, caller)
        return await desk.do(lambda tx: groups.read_meeting(division, meeting_id, *said, tx, desk.office))

    def _seen(division: str, caller: Caller) -> None:
        if not caller.sees(division):
            raise NotFound("the town has no group")

"""Shifts of the crisis office: the plan, who signs on and off, its gaps, and the hand-over at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import Refused
from contracts.base import DivisionCode
from services.crisis.api.desk import Body, Desk, Limit, Officer, WithReason, view
from services.crisis.commands import shifts
from services.crisis.commands import shifts_hand_over as handing
from services.crisis.commands.shifts_watch import open_in_plan
from services.crisis.domain.hotlines import Qualification
from services.crisis.domain.shifts import ShiftRole
from services.crisis.store import shifts as store

Planner = Annotated[Caller, Depends(caller_with(*shifts.PLANNERS))]
Subject = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:|-]{1,128}$")]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
LONGEST_LOOK = timedelta(days=62)


class Shift(Body):
    """A planned shift of a named person, by the subject of the person's token."""

    person: Subject
    role: ShiftRole
    division: DivisionCode
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    hotline_id: UUID | None = None
    qualification: Qualification | None = Field(
        default=None, description="What the person has learnt, as who plans the shift vouches for."
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person": "officer-a",
                    "role": "duty_officer",
                    "division": "370812",
                    "starts_at": "2026-12-01T20:00:00+08:00",
                    "ends_at": "2026-12-02T08:00:00+08:00",
                    "qualification": "counsellor",
                }
            ]
        },
    )


class NoteOn(Body):
    case_id: UUID
    text: Note


class HandOver(Body):
    """To whom; without `cases` all open cases that the person holds. `id` is the sender's: the same is taken once."""

    id: UUID
    to: Subject
    cases: list[UUID] | None = Field(default=None, max_length=500)
    notes: list[NoteOn] = Field(default=[], max_length=500)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000008a0",
                    "to": "officer-b",
                    "notes": [{"case_id": "01970d3b-0000-7000-8000-00000000ca5e", "text": "约好今晚十点再通话"}],
                }
            ]
        },
    )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/shifts/{shift_id}", tags=["shifts"])
    async def put_shift(shift_id: UUID, body: Shift, caller: Planner) -> dict[str, Any]:
        """Plan a shift, or change one that has not begun; the same again changes nothing.

        409 `shifts_overlap` where the person has another shift then; 422 `not_qualified` where the line asks for more.
        """
        said = shifts.shift_said(body)
        return await desk.do(lambda tx: shifts.put_shift(shift_id, said, caller, tx, desk.office))

    @router.delete("/shifts/{shift_id}", tags=["shifts"])
    async def withdraw_shift(shift_id: UUID, caller: Planner) -> dict[str, Any]:
        """A planned shift is off; what it leaves open is told at once. 409 once somebody has signed on."""
        return await desk.do(lambda tx: shifts.withdraw_shift(shift_id, caller, tx, desk.office))

    @router.post("/shifts/{shift_id}/start", tags=["shifts"])
    async def start_shift(shift_id: UUID, caller: Officer) -> dict[str, Any]:
        """The person signs on. 403 for another's shift."""
        return await desk.do(lambda tx: shifts.start_shift(shift_id, caller, tx, desk.office))

    @router.post("/shifts/{shift_id}/end", tags=["shifts"])
    async def end_shift(shift_id: UUID, caller: Officer) -> dict[str, Any]:
        """The person signs off; `cases_held` is how many open cases the person still holds.

        409 `emergency_held` while one of them is an act in progress without confirmed contact that nobody is offered.
        """
        return await desk.do(lambda tx: shifts.end_shift(shift_id, caller, tx, desk.office))

    @router.get("/shifts", tags=["shifts"])
    async def list_shifts(
        caller: Officer,
        since: Annotated[AwareDatetime, Query(alias="from")],
        until: Annotated[AwareDatetime, Query(alias="to")],
        person: Annotated[Subject | None, Query()] = None,
        limit: Limit = 200,
    ) -> dict[str, Any]:
        """The plan of the caller's division between two moments, and of those who cover it from above."""
        if not since < until <= since + LONGEST_LOOK:
            raise Refused("time_out_of_bounds", f"`to` lies at most {LONGEST_LOOK.days} days after `from`", "query.to")
        found = await store.shifts_between(desk.database, caller.division, since, until, person, limit)
        return {"shifts": [view(shift) for shift in found]}

    @router.get("/shifts/gaps", tags=["shifts"])
    async def list_gaps(caller: Officer, days: Annotated[int, Query(ge=1, le=62)] = 7) -> dict[str, Any]:
        """When nobody is planned: of the roles that have to be there at all hours, and on the lines in service."""
        end = now() + timedelta(days=days)
        rows = await desk.database.transact(lambda tx: open_in_plan(caller.division, end, tx, desk.office))
        gaps = [
            {"role": row["role"], "hotline_id": row["hotline_id"], "starts_at": since, "ends_at": until}
            for row in rows
            for since, until in row["open"]
        ]
        return {"gaps": gaps, "until": end}

    @router.get("/shifts/gaps-told", tags=["shifts"])
    async def list_gaps_told(caller: Planner, limit: Limit = 50) -> dict[str, Any]:
        """The gaps ahead that were told and are not filled, by division: what a supervisor has to see to."""
        found = await store.gaps_told(desk.database, caller.division, limit)
        rows = [
            {"division": watch["_id"], "role": cover["role"], "hotline_id": cover["hotline_id"], **gap}
            for watch in found
            for cover in watch["covers"]
            for gap in cover["gaps"]
        ]
        return {"gaps": sorted(rows, key=lambda row: row["starts_at"])}

    @router.post("/shifts/{shift_id}/hand-over", tags=["shifts"])
    async def hand_over(shift_id: UUID, body: HandOver, caller: Officer) -> dict[str, Any]:
        """Offer the open cases that the person holds to another, who has to accept; till then the giver is responsible.

        422 `not_held` for a case that the person does not hold; 409 `nothing_held` where there is none.
        """
        notes = {one.case_id: one.text for one in body.notes}
        return await desk.do(
            lambda tx: handing.hand_over(shift_id, body.id, body.to, body.cases, notes, caller, tx, desk.office)
        )

    @router.get("/hand-overs", tags=["shifts"])
    async def list_hand_overs(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """What waits to be accepted in the caller's division, and what is offered to the caller."""
        found = await store.hand_overs_for(desk.database, caller.division, caller.subject, limit)
        return {"hand_overs": [view(one) for one in found]}

    @router.post("/hand-overs/{hand_over_id}/accept", tags=["shifts"])
    async def accept(hand_over_id: UUID, caller: Officer) -> dict[str, Any]:
        """The cases are the caller's, all in one act; `taken` is false for one that was closed or taken meanwhile."""
        return await desk.do(lambda tx: handing.accept(hand_over_id, caller, tx))

    @router.post("/hand-overs/{hand_over_id}/decline", tags=["shifts"])
    async def decline(hand_over_id: UUID, caller: Officer) -> dict[str, Any]:
        """The caller cannot take them: the giver stays responsible, and a supervisor is called."""
        return await desk.do(lambda tx: handing.decline(hand_over_id, caller, tx, desk.office))

    @router.post("/hand-overs/{hand_over_id}/notes", tags=["shifts"])
    async def read_notes(hand_over_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """What the giver wrote, for giver, receiver and supervisor; the reading is logged."""
        found = await desk.database.transact(
            lambda tx: handing.read_notes(hand_over_id, body.reason, caller, tx, desk.office)
        )
        return {"notes": found}

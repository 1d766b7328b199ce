"""The bereavement programme's own door: enrolling with the loss, and the lists of those who look after the bereaved."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from services.crisis.api.desk import Desk, Limit, Officer
from services.crisis.api.follow_ups import After, place_of
from services.crisis.api.programmes import GOING_ON, Enrolment, least, said_of, shown
from services.crisis.commands import programmes as commands
from services.crisis.commands.rights import OFFICERS
from services.crisis.domain.cursor import cursor
from services.crisis.domain.programmes import Loss, Programme, State
from services.crisis.store import programmes as books

Looking = Annotated[Caller, Depends(caller_with(*commands.WORKERS))]


class Bereaved(Enrolment):
    """Whom a person lost, and what it takes to reach the person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000000c1",
                    "division": "370812001",
                    "person_identifier": "000-0000-0002",
                    "contact": {"name": "李示例", "phone": "000-0000-0002"},
                    "loss": {"kind": "illness", "kinship": "spouse", "on": "2026-11-02"},
                    "worker": "community-worker-a",
                    "contact_preferences": {"earliest": "18:00", "latest": "20:00"},
                }
            ]
        },
    )

    loss: Loss


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""
    office = desk.office

    @router.post("/bereavements", tags=["bereavement"])
    async def enrol(body: Bereaved, caller: Officer) -> dict[str, Any]:
        """Take a bereaved person into the programme; its phases count from the day of the loss."""
        said = said_of(body, office) | {"loss": body.loss}
        return shown(
            await desk.database.transact(
                lambda tx: commands.enrol_by(Programme.bereavement, caller, tx, office, **said)
            ),
            office,
        )

    @router.get("/bereavements", tags=["bereavement"])
    async def list_bereavements(
        caller: Looking,
        state: Annotated[list[State] | None, Query()] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> dict[str, Any]:
        """Bereaved people of the caller's division, what is overdue or comes next first.

        A community worker sees those who are the worker's own, and of them only the contacts that are due.
        """
        states = [one.value for one in state] if state else GOING_ON
        in_office = bool(caller.roles.intersection(OFFICERS))
        found = await books.list_programmes(
            desk.database,
            caller.division,
            [Programme.bereavement.value],
            states,
            limit,
            place_of(after),
            worker=None if in_office else caller.subject,
        )
        more = cursor(found[-1]["next_at"], found[-1]["_id"]) if len(found) == limit else None
        if in_office:
            return {"bereavements": [shown(one, office) for one in found], "next": more}
        return {"tasks": [task for one in found for task in least(one, office)], "next": more}

    @router.get("/bereavements/{programme_id}", tags=["bereavement"])
    async def get_bereavement(programme_id: UUID, caller: Officer) -> dict[str, Any]:
        """One bereaved person's programme."""
        programme = await desk.database.get("programmes", programme_id)
        if programme is None or programme["kind"] != Programme.bereavement or not caller.sees(programme["division"]):
            raise NotFound("there is no such programme")
        return shown(programme, office)

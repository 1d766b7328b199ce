"""The shared list of urgent cases."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict

from services.crisis.api.desk import Body, Desk, Limit, Officer, view
from services.crisis.commands import urgent
from services.crisis.commands.urgent import Handled, UrgentReason
from services.crisis.store import urgent as store


class PutUrgent(Body):
    """Why the next shift has to keep an eye on the case."""

    reason: UrgentReason

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "contact_today"}]})


class TakeOff(Body):
    outcome: Handled

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcome": "handled"}]})


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/cases/{case_id}/urgent", tags=["urgent"])
    async def put_urgent(case_id: UUID, body: PutUrgent, caller: Officer) -> dict[str, Any]:
        """Put a case on the shared list; it leaves it by itself after so many days without work as the policy says."""
        return await desk.do(lambda tx: urgent.put_urgent(case_id, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/urgent/handled", tags=["urgent"])
    async def take_off(case_id: UUID, body: TakeOff, caller: Officer) -> dict[str, Any]:
        """The case leaves the list. 404 where it is not on it."""
        return await desk.do(lambda tx: urgent.take_off(case_id, body.outcome, caller, tx))

    @router.get("/urgent", tags=["urgent"])
    async def list_urgent(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """The list of the caller's division, what was put there first; `id` is the case's."""
        found = await store.urgent_cases(desk.database, caller.division, limit)
        return {"urgent": [view(row) for row in found]}

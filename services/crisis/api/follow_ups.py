"""Follow-ups, and what a supervisor decides after them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime

from services.crisis import commands, store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Supervisor, view
from services.crisis.domain.matters import Decision, Matter


class Attempt(Body):
    outcome: Literal["reached", "no_answer", "number_not_in_use", "answered_by_another", "refused_to_talk"]


class Decide(Body):
    decision: Decision
    reason: Reason
    next_at: AwareDatetime | None = None
    about: Matter | None = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/follow-ups", tags=["follow-ups"])
    async def list_follow_ups(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Plans of the caller's division that have a follow-up due now."""
        found = await store.due_follow_ups(desk.database, caller.division, limit)
        return {"plans": [view(plan) for plan in found]}

    @router.post("/cases/{case_id}/follow-ups/{follow_up_id}/attempts", tags=["follow-ups"])
    async def record_attempt(case_id: UUID, follow_up_id: UUID, body: Attempt, caller: Officer) -> dict[str, Any]:
        return await desk.do(
            lambda tx: commands.record_attempt(case_id, follow_up_id, body.outcome, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/decision", tags=["follow-ups"])
    async def decide(case_id: UUID, body: Decide, caller: Supervisor) -> dict[str, Any]:
        """What comes next after a missed follow-up, or a referral that found no receiver."""
        return await desk.do(
            lambda tx: commands.decide(
                case_id, body.decision, body.reason, body.next_at, caller, tx, desk.office, body.about
            )
        )

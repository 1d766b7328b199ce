"""Follow-ups, and what a supervisor decides after them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, ConfigDict

from chassis.errors import Refused
from contracts.base import Tier
from services.crisis import commands, store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Supervisor, view
from services.crisis.domain.cursor import cursor, place
from services.crisis.domain.follow_up import (
    AttemptChannel,
    CallBack,
    Ground,
    Outcome,
    Preferences,
    Report,
    attempts_left,
    next_attempt_from,
)
from services.crisis.domain.matters import Decision, Matter
from services.crisis.office import Office

After = Annotated[
    str | None, Query(max_length=200, description="`next` of the page before; absent for the first page.")
]


class Attempt(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "outcome": "reached",
                    "channel": "call",
                    "report": {
                        "mood": 40,
                        "act_in_progress": "no",
                        "plan_within_72_hours": "no",
                        "attempt_within_2_weeks": "no",
                        "suicidal_intensity": 30,
                        "safety_plan_reviewed": "yes",
                        "means_reviewed": "yes",
                        "in_treatment": "yes",
                        "consent_to_further": "yes",
                    },
                },
                {"outcome": "no_answer"},
                {"outcome": "asked_to_call_later", "again_at": "2026-12-01T19:30:00+08:00"},
            ]
        },
    )

    outcome: Outcome
    channel: AttemptChannel = AttemptChannel.call
    report: Report | None = None
    again_at: AwareDatetime | None = None
    override_reason: Reason | None = None


class Decide(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "decision": "visit",
                    "reason": "连续两次未联系上，由社区上门看望",
                    "next_at": "2026-12-01T10:00:00+08:00",
                    "about": "welfare_check",
                },
                {"decision": "end_follow_up", "ground": "in_treatment", "reason": "已在门诊规律就诊"},
            ]
        },
    )

    decision: Decision
    reason: Reason
    next_at: AwareDatetime | None = None
    about: Matter | None = None
    ground: Ground | None = None
    override_reason: Reason | None = None


class ProposeEnding(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"ground": "in_treatment", "reason": "本人在外地就诊，本平台没有转介记录"}]},
    )

    ground: Ground
    reason: Reason


class Wishes(Preferences):
    """How the person wants to be contacted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "earliest": "18:00",
                    "latest": "20:30",
                    "call_back": "only_when_asked",
                    "shared_phone": "yes",
                    "asked_for_call": True,
                }
            ]
        },
    )

    call_back: CallBack = CallBack.allowed


def place_of(after: str | None) -> tuple[datetime, UUID] | None:
    """The place that a page begins after; raises `Refused` for a cursor that was not made here."""
    if after is None:
        return None
    try:
        return place(after)
    except ValueError as error:
        raise Refused("bad_cursor", "this is no `next` of a page", "query.after") from error


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/follow-ups", tags=["follow-ups"])
    async def list_follow_ups(caller: Officer, limit: Limit = 50, after: After = None) -> dict[str, Any]:
        """Plans of the caller's division that have a follow-up due now, those whose window ends first coming first.

        Each due follow-up tells how many attempts are left, from when on the next one counts, and when its window ends.
        `next` leads to the page that follows, and is null on the last.
        """
        found = await store.due_plans(desk.database, caller.division, limit, place_of(after))
        more = cursor(found[-1]["window_until"], found[-1]["_id"]) if len(found) == limit else None
        return {"plans": [view(_with_attempts(plan, desk.office)) for plan in found], "next": more}

    @router.post("/cases/{case_id}/follow-ups/{follow_up_id}/attempts", tags=["follow-ups"])
    async def record_attempt(case_id: UUID, follow_up_id: UUID, body: Attempt, caller: Officer) -> dict[str, Any]:
        """One attempt and its outcome; who was reached is asked, and the answers may raise the case at once.

        409 where the person must not be called without having asked for it, unless `override_reason` says why.
        """
        return await desk.do(
            lambda tx: commands.record_attempt(
                case_id,
                follow_up_id,
                body.outcome,
                caller,
                tx,
                desk.office,
                channel=body.channel,
                report=body.report,
                again_at=body.again_at,
                override_reason=body.override_reason,
            )
        )

    @router.post("/cases/{case_id}/contact-preferences", tags=["follow-ups"])
    async def set_preferences(case_id: UUID, body: Wishes, caller: Officer) -> dict[str, Any]:
        """At what hours the person wants to be contacted, and whether to be called back at all."""
        return await desk.do(lambda tx: commands.set_preferences(case_id, body, caller, tx, desk.office))

    @router.post("/cases/{case_id}/follow-ups/ending", tags=["follow-ups"])
    async def propose_ending(case_id: UUID, body: ProposeEnding, caller: Officer) -> dict[str, Any]:
        """Propose to end the follow-up on a ground that the record does not bear out; a second person decides."""
        return await desk.do(lambda tx: commands.propose_ending(case_id, body.ground, body.reason, caller, tx))

    @router.post("/cases/{case_id}/decision", tags=["follow-ups"])
    async def decide(case_id: UUID, body: Decide, caller: Supervisor) -> dict[str, Any]:
        """What comes next after a missed follow-up, or another matter that waits for a supervisor.

        Ending a follow-up names its ground, which has to hold in the record (409 with what is missing); otherwise it
        takes a proposal by another person, and `override_reason`.
        """
        return await desk.do(
            lambda tx: commands.decide(
                case_id,
                body.decision,
                body.reason,
                body.next_at,
                caller,
                tx,
                desk.office,
                body.about,
                ground=body.ground,
                override_reason=body.override_reason,
            )
        )


def _with_attempts(plan: dict[str, Any], office: Office) -> dict[str, Any]:
    """The plan as the list shows it; what a contact told stands in the case."""
    attempts = office.policies.of(plan["policy"]).attempts
    rows = []
    for item in plan["follow_ups"]:
        row = {name: value for name, value in item.items() if name != "report"}
        if item["state"] == "due":
            rules = attempts.rules(plan["tier"] == Tier.imminent or bool(item.get("added_by")))
            left, start = attempts_left(item, rules), next_attempt_from(item, rules)
            row |= {"attempts_left": left, "next_attempt_from": start}
        rows.append(row)
    return plan | {"follow_ups": rows}

"""Attempts to reach the person, and what a supervisor decides after them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import (
    FollowUpKept,
    ReferralState,
)
from services.crisis import store
from services.crisis.case import (
    follow_up_fields,
    miss,
    need_decision,
    note,
    release_responder,
    request_responder,
    set_follow_up_timer,
)
from services.crisis.commands.rights import bound, seen_case
from services.crisis.domain.matters import Decision, Matter
from services.crisis.domain.referral import UNDER_WAY
from services.crisis.office import Office

REACHED = ("reached",)


async def record_attempt(
    case_id: UUID, follow_up_id: UUID, outcome: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """One attempt to reach the person; after the last one a supervisor decides."""
    case = await seen_case(case_id, caller, tx)
    plan = await store.the_plan(tx, case_id)
    item = next((item for item in plan["follow_ups"] if item["id"] == follow_up_id), None)
    if item is None:
        raise NotFound("there is no such follow-up")
    if item["state"] not in ("planned", "due"):
        raise NotAllowed(f"the follow-up is {item['state']}")
    first = min(other["due_at"] for other in plan["follow_ups"] if other["state"] == "planned" or other is item)
    if item["state"] == "planned" and item["due_at"] > first:
        raise NotAllowed("another follow-up comes before this one")
    item["attempts"] = [*item["attempts"], {"at": tx.now, "by": caller.subject, "outcome": outcome}]
    most = office.policies.of(plan["policy"]).attempts.most
    if outcome in REACHED:
        item["state"] = "kept"
        note(case, tx, "follow_up_kept", caller.subject, follow_up_id=follow_up_id)
        tx.emit(FollowUpKept(**follow_up_fields(item, plan, tx), attempts=len(item["attempts"])))
        if not any(other["state"] in ("planned", "due") for other in plan["follow_ups"]):
            need_decision(case, Matter.follow_up_plan_ended)  # an open case without a next step would be forgotten
    elif len(item["attempts"]) >= most:
        miss(item, plan, case, tx)
    else:
        note(case, tx, "follow_up_attempted", caller.subject, follow_up_id=follow_up_id, outcome=outcome)
    tx.put("plans", plan)
    tx.put("cases", case)
    set_follow_up_timer(plan, tx)
    return plan


async def decide(
    case_id: UUID,
    decision: Decision,
    reason: str,
    next_at: datetime | None,
    caller: Caller,
    tx: Tx,
    office: Office,
    about: Matter | None = None,
) -> Document:
    """A supervisor's decision after a missed follow-up or a referral that found nobody; `about` says which of them."""
    case = await seen_case(case_id, caller, tx)
    pending = case["decisions_needed"]
    if not pending:
        raise NotAllowed("no decision is due")
    if about is None and len(pending) > 1:
        raise Refused("about_missing", f"several decisions are due; say about which: {', '.join(pending)}", "about")
    about = about or Matter(pending[0])
    if about not in pending:
        raise NotAllowed(f"no decision about {about} is due")
    if decision in (Decision.continue_, Decision.visit):
        if next_at is None:
            raise Refused("time_missing", "the next contact needs a time", "next_at")
        bound(next_at, "next_at", tx, office)
        plan = await tx.get("plans", case_id) or {
            "_id": case_id,
            "division": case["division"],
            "tier": case["tier"],
            "policy": office.policies.at(tx.now).version,
            "follow_ups": [],
        }
        plan["follow_ups"] = [
            *plan["follow_ups"],
            {
                "id": new_id(),
                "ordinal": len(plan["follow_ups"]) + 1,
                "due_at": next_at,
                "state": "planned",
                "attempts": [],
                "added_by": caller.subject,
            },
        ]
        tx.put("plans", plan)
        set_follow_up_timer(plan, tx)
    elif decision == Decision.refer:
        referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
        if referral is None or ReferralState(referral["state"]) not in UNDER_WAY:
            raise NotAllowed("no referral is under way; send it first")
    elif decision == Decision.another_responder:
        release_responder(case, tx)
        request_responder(case, tx, office.policies.at(tx.now))
    elif decision == Decision.end_follow_up:
        await void_plan(case_id, tx)
    case["decisions_needed"] = [other for other in pending if other != about]
    note(case, tx, "decided", caller.subject, decision=decision, about=about)
    tx.record(
        actor=caller.subject,
        action="decision",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        decision=decision,
        about=about,
    )
    tx.put("cases", case)
    return case


async def void_plan(case_id: UUID, tx: Tx) -> None:
    plan = await tx.get("plans", case_id)
    if plan is None:
        return
    for item in plan["follow_ups"]:
        if item["state"] in ("planned", "due"):
            item["state"] = "void"
    tx.put("plans", plan)
    set_follow_up_timer(plan, tx)

"""What is done to a case, whether an event or a person is the reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import (
    FollowUpMissed,
    FollowUpsPlanned,
    ReferralMoved,
    ReferralState,
    ResponderReleased,
    ResponderRequested,
    RiskRaised,
)
from services.crisis.domain.matters import Matter
from services.crisis.domain.policy import Policy
from services.crisis.domain.referral import ENDED, WAITING

TIMELINE_LENGTH = 500
UNANSWERED = ("requested", "offered", "coordinator")
"""A responder is asked for, and nobody has taken the call."""


def note(case: Document, tx: Tx, kind: str, by: str, **details: Any) -> None:
    """Add to the case's timeline; only ids, codes and roles."""
    case["timeline"] = [*case["timeline"], {"at": tx.now, "kind": kind, "by": by, **details}][-TIMELINE_LENGTH:]


def need_decision(case: Document, about: Matter) -> None:
    """A supervisor has to decide; each matter waits for a decision of its own."""
    if about not in case["decisions_needed"]:
        case["decisions_needed"] = [*case["decisions_needed"], about.value]


def start_clock(case: Document, tx: Tx, policy: Policy) -> datetime:
    """Wait for a named person to acknowledge, from the first step of the chain; returns the deadline."""
    step = policy.step(Tier(case["tier"]), 0)
    due_at = tx.now + step.time
    case["acknowledgement"] = {
        "state": "waiting",
        "step": 0,
        "role": step.role,
        "since": tx.now,
        "due_at": due_at,
        "by": None,
        "at": None,
    }
    tx.set_timer("acknowledgement", case["_id"], due_at)
    return due_at


def require_emergency(case: Document, tx: Tx, policy: Policy) -> None:
    """An act is in progress: an emergency service has to be called, and its contact confirmed."""
    if case["emergency"]["state"] in ("required", "called", "unconfirmed"):
        return
    due_at = tx.now + timedelta(minutes=policy.emergency.confirm_minutes)
    case["emergency"] = {"state": "required", "step": 0, "role": policy.emergency.chain[0], "due_at": due_at}
    tx.set_timer("emergency", case["_id"], due_at)
    note(case, tx, "emergency_required", "policy")


def request_responder(case: Document, tx: Tx, policy: Policy) -> None:
    """Ask for a responder where the policy wants one and none is asked for."""
    tier = Tier(case["tier"])
    if tier not in policy.responder.tiers or case["responder"]["state"] not in ("none", "released"):
        return
    request_id = new_id()
    case["responder"] = {"state": "requested", "request_id": request_id, "responder_id": None, "since": tx.now}
    tx.emit(
        ResponderRequested(
            **tx.stamp(case["division"]),
            request_id=request_id,
            case_id=case["_id"],
            division=case["division"],
            tier=tier,
            minor=case["minor"],
        )
    )


def release_responder(case: Document, tx: Tx) -> None:
    """The responder's part is over, or the request is withdrawn."""
    responder = case["responder"]
    if responder["state"] in ("none", "released"):
        return
    tx.emit(
        ResponderReleased(
            **tx.stamp(case["division"]),
            request_id=responder["request_id"],
            case_id=case["_id"],
            division=case["division"],
        )
    )
    case["responder"] = {**responder, "state": "released"}


def check_responder(case: Document, tx: Tx, policy: Policy) -> None:
    """The case is more than it was: who was asked for it may not be qualified any more.

    While nobody has taken the call it is asked anew. Whoever has taken it is with the person: a supervisor decides.
    """
    if case["responder"]["state"] in UNANSWERED:
        release_responder(case, tx)
        request_responder(case, tx, policy)
    elif case["responder"]["state"] == "accepted":
        need_decision(case, Matter.responder_to_check)


async def draft_referral(case: Document, tx: Tx, policy: Policy, receivers: list[Document]) -> None:
    """Draft a referral where the policy wants one, addressed to the nearest institution that receives.

    One that is under way serves, at the case's tier of now; one that ended is followed by another.
    """
    if Tier(case["tier"]) not in policy.referral.tiers:
        return
    if case["referral_id"] is not None:
        present = await tx.get("referrals", case["referral_id"])
        if present is not None and ReferralState(present["state"]) not in ENDED:
            _hasten_referral(present, case, tx, policy)
            return
    new_referral(case, tx, nearest(case["division"], receivers))


def _hasten_referral(referral: Document, case: Document, tx: Tx, policy: Policy) -> None:
    """A case that was raised waits no longer than its new tier allows."""
    if referral["tier"] == case["tier"]:
        return
    referral["tier"] = case["tier"]
    if ReferralState(referral["state"]) in WAITING:
        due_at = tx.now + timedelta(minutes=policy.referral.receive_minutes[Tier(case["tier"])])
        if due_at < referral["due_at"]:
            referral["due_at"] = due_at
            tx.set_timer("referral", referral["_id"], due_at)
    tx.put("referrals", referral)


def new_referral(case: Document, tx: Tx, receiver: Document | None) -> Document:
    """A referral in its first state."""
    referral: Document = {
        "_id": new_id(),
        "case_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "organisation_id": receiver["_id"] if receiver else None,
        "backup_id": receiver["backup_id"] if receiver else None,
        "state": None,
        "attempt": 1,
        "due_at": None,
        "history": [],
    }
    case["referral_id"] = referral["_id"]
    move_referral(referral, tx, ReferralState.drafted, "policy")
    return referral


def move_referral(referral: Document, tx: Tx, state: ReferralState, by: str, reason: str | None = None) -> None:
    """Enter a state, keep who and when, and tell."""
    previous = ReferralState(referral["state"]) if referral["state"] else None
    referral["state"] = state.value
    referral["history"] = [
        *referral["history"],
        {
            "at": tx.now,
            "state": state.value,
            "by": by,
            "organisation_id": referral["organisation_id"],
            "reason": reason,
        },
    ]
    tx.put("referrals", referral)
    tx.emit(
        ReferralMoved(
            **tx.stamp(referral["division"]),
            referral_id=referral["_id"],
            case_id=referral["case_id"],
            division=referral["division"],
            organisation_id=referral["organisation_id"],
            previous=previous,
            state=state,
        )
    )


def send_referral(referral: Document, tx: Tx, policy: Policy, by: str, reason: str | None = None) -> None:
    """Put it before the institution; silence has a deadline."""
    minutes = policy.referral.receive_minutes[Tier(referral["tier"])]
    referral["due_at"] = tx.now + timedelta(minutes=minutes)
    tx.set_timer("referral", referral["_id"], referral["due_at"])
    move_referral(referral, tx, ReferralState.sent, by, reason)


def await_outcome(referral: Document, tx: Tx, policy: Policy) -> None:
    """An accepted referral has to be scheduled in time, and a scheduled one needs an outcome."""
    if ReferralState(referral["state"]) is ReferralState.scheduled:
        referral["due_at"] = referral["scheduled_at"] + timedelta(hours=policy.referral.outcome_hours)
    else:
        referral["due_at"] = tx.now + timedelta(minutes=policy.referral.schedule_minutes[Tier(referral["tier"])])
    tx.set_timer("referral", referral["_id"], referral["due_at"])
    tx.put("referrals", referral)


async def bounce(referral: Document, tx: Tx, policy: Policy) -> None:
    """After a refusal or silence: the backup receiver, or else a person has to decide."""
    if referral["backup_id"] is not None and referral["attempt"] == 1:
        backup = await tx.get("organisations", referral["backup_id"])
        if backup is not None and backup["receives"]:
            referral["organisation_id"], referral["backup_id"] = backup["_id"], None
            referral["attempt"] = 2
            send_referral(referral, tx, policy, "policy", "bounced_to_backup")
            return
    await ask_about_referral(referral, tx, Matter.referral_without_receiver)


async def ask_about_referral(referral: Document, tx: Tx, about: Matter) -> None:
    """A supervisor has to decide how a referral goes on."""
    case = await tx.get("cases", referral["case_id"])
    if case is not None and case["state"] == "open":
        need_decision(case, about)
        note(case, tx, about.value, "policy", referral_id=referral["_id"])
        tx.put("cases", case)


def nearest(division: str, receivers: list[Document]) -> Document | None:
    """The receiver of this county or its city whose own division shares the longest prefix; the order given decides
    among equals. A group of flags has read the receivers of many counties: those of other counties do not count.
    """

    def closeness(receiver: Document) -> int:
        return max(size for size in (0, 2, 4, 6, 9, 12) if receiver["division"][:size] == division[:size])

    within = [one for one in receivers if len(one["county"]) >= 4 and division.startswith(one["county"])]
    return max(within, key=closeness, default=None)


async def plan_follow_ups(case: Document, tx: Tx, policy: Policy) -> None:
    """The plan that the tier asks for, in place of what was planned and is not yet due."""
    set_plan(case, await tx.get("plans", case["_id"]), tx, policy)


def set_plan(case: Document, plan: Document | None, tx: Tx, policy: Policy) -> None:
    """The same, where the present plan is known; a case that opens has none, and need not look."""
    tier, consent = Tier(case["tier"]), Answer(case["consent"])
    due = policy.follow_ups(tier, consent, tx.now)
    if plan is None:
        if not due:
            return
        plan = {"_id": case["_id"], "division": case["division"], "follow_ups": []}
    kept = [item if item["state"] != "planned" else {**item, "state": "void"} for item in plan["follow_ups"]]
    fresh = [
        {"id": new_id(), "ordinal": len(kept) + place, "due_at": moment, "state": "planned", "attempts": []}
        for place, moment in enumerate(due, 1)
    ]
    plan.update(tier=tier.value, policy=policy.version, follow_ups=kept + fresh)
    tx.put("plans", plan)
    set_follow_up_timer(plan, tx)
    tx.emit(
        FollowUpsPlanned(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            tier=tier,
            due=tuple(due),
            policy=policy.version,
        )
    )


def set_follow_up_timer(plan: Document, tx: Tx) -> None:
    """Wake at the next follow-up that is due, or at the end of one's window."""
    moments = [item["due_at"] for item in plan["follow_ups"] if item["state"] == "planned"]
    moments += [item["window_until"] for item in plan["follow_ups"] if item["state"] == "due"]
    if moments:
        tx.set_timer("follow_up", plan["_id"], min(moments))
    else:
        tx.cancel_timer("follow_up", plan["_id"])


async def raise_tier(
    case: Document, tx: Tx, policy: Policy, tier: Tier, receivers: list[Document], by: str, reason: str
) -> None:
    """To a higher tier: the clock starts anew, and the higher tier's plan, referral and responder come to be."""
    previous = Tier(case["tier"])
    case["tier"], case["rank"], case["policy"], case["lowering"] = tier.value, tier.rank, policy.version, None
    start_clock(case, tx, policy)
    if tier is Tier.imminent:
        require_emergency(case, tx, policy)
    await draft_referral(case, tx, policy, receivers)
    await plan_follow_ups(case, tx, policy)
    check_responder(case, tx, policy)
    request_responder(case, tx, policy)
    note(case, tx, "raised", by, previous=previous.value, tier=tier.value, reason=reason)
    tx.record(
        actor=by,
        action="risk_raised",
        subject=str(case["_id"]),
        division=case["division"],
        reason=reason,
        previous=previous.value,
        tier=tier.value,
    )
    tx.emit(
        RiskRaised(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            previous=previous,
            tier=tier,
            by_person=by != "policy",
        )
    )


def miss(item: Document, plan: Document, case: Document, tx: Tx) -> None:
    """The person was not reached; a supervisor decides what comes next."""
    item["state"] = "missed"
    need_decision(case, Matter.follow_up_missed)
    note(case, tx, "follow_up_missed", "policy", follow_up_id=item["id"], attempts=len(item["attempts"]))
    tx.emit(FollowUpMissed(**follow_up_fields(item, plan, tx), attempts=len(item["attempts"])))


def follow_up_fields(item: Document, plan: Document, tx: Tx) -> dict[str, Any]:
    """What every event about a follow-up tells."""
    return {
        **tx.stamp(plan["division"]),
        "follow_up_id": item["id"],
        "case_id": plan["_id"],
        "division": plan["division"],
        "tier": Tier(plan["tier"]),
    }

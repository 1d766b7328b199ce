"""What is done to a case, whether an event or a person is the reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.codes import categories_of
from contracts.crisis import (
    FollowUpMissed,
    FollowUpsPlanned,
    MissedBecause,
    ReferralKind,
    ReferralMoved,
    ReferralState,
    ResponderReleased,
    ResponderRequested,
    RiskRaised,
)
from services.crisis.domain import chains, follow_up
from services.crisis.domain.matters import Matter
from services.crisis.domain.policy import Policy
from services.crisis.domain.referral import ACCEPTED, ENDED, WAITING

TIMELINE_LENGTH = 500
FLAGS_IN_A_CASE = 200
HISTORY_LENGTH = 200
CASE_TIMERS = ("acknowledgement", "emergency", "follow_up", "review", "report", "hop")
"""The timers that are set under a case's id: each ends when the case is closed or merged. A part adds its own."""
LINE = frozenset({"duty_officer", "supervisor", "district_centre"})
"""The roles whose hop is the acknowledgement clock itself."""
PASSES_WITH_ITS_DEED = frozenset(
    {
        Matter.referral_without_receiver,
        Matter.tell_after_emergency,
        Matter.transfer_unanswered,
        Matter.consultation_unanswered,
        Matter.hand_over_unconfirmed,
        Matter.review_due,
        Matter.report_not_made,
    }
)
"""Matters that are gone once the deed is done, without anybody's decision: after them nothing may be left."""
UNANSWERED = ("requested", "offered", "coordinator")
"""A responder is asked for, and nobody has taken the call."""


def seal_key(case: Document) -> Any:
    """Under whose key what is personal is sealed: the person's, or the first flag's about a person unknown."""
    return case["person"] or case["flags"][0]["id"]


def note(case: Document, tx: Tx, kind: str, by: str, **details: Any) -> None:
    """Add to the case's timeline; only ids, codes and roles."""
    case["timeline"] = [*case["timeline"], {"at": tx.now, "kind": kind, "by": by, **details}][-TIMELINE_LENGTH:]


def keep_newest_flags(case: Document, tx: Tx) -> None:
    """A case holds its newest flags; older ones have rows of their own, so that a case may have any number."""
    older, case["flags"] = case["flags"][:-FLAGS_IN_A_CASE], case["flags"][-FLAGS_IN_A_CASE:]
    for row in older:
        tx.put("flag_rows", {**row, "_id": row["id"], "case_id": case["_id"]})
    if older:
        case["older_flags"] = case.get("older_flags", 0) + len(older)


def end_timers(case: Document, tx: Tx) -> None:
    """Nothing of a case waits any more."""
    for kind in CASE_TIMERS:
        tx.cancel_timer(kind, case["_id"])


def need_decision(case: Document, about: Matter) -> None:
    """A supervisor has to decide; each matter waits for a decision of its own."""
    if about not in case["decisions_needed"]:
        case["decisions_needed"] = [*case["decisions_needed"], about.value]


def start_clock(case: Document, tx: Tx, policy: Policy) -> datetime:
    """Wait for a named person to acknowledge, from the first step of the chain; returns the deadline.

    A case that opens in a community or a school, at a tier that can wait, is held by its chain alone: its state is then
    `chain`, and the deadline that of the hop which is called. Whatever starts the clock later starts the line's.
    """
    tier = Tier(case["tier"])
    step = policy.step(tier, 0)
    due_at = tx.now + step.time
    chain = case.get("chain")
    if chain and "acknowledgement" not in case and chains.carries(chain, tier, LINE):
        by_chain = chains.due_at(chain)
        assert by_chain is not None, "a hop that is called has a deadline"
        case["acknowledgement"] = {
            "state": "chain",
            "step": 0,
            "role": step.role,
            "since": tx.now,
            "due_at": None,
            "by": None,
            "at": None,
        }
        return by_chain
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


def passed_to(clock: Document, caller: Caller) -> Document:
    """An acknowledgement that another named person answers for from now on; what it says of the shift or the question
    of who had it before is not said of this person.
    """
    return {**clock, "by": caller.subject, "division": caller.division, "on_shift": None, "ask": None}


def require_emergency(case: Document, tx: Tx, policy: Policy) -> None:
    """An act is in progress: an emergency service has to be called, and its contact confirmed."""
    if case["emergency"]["state"] in ("required", "called", "unconfirmed"):
        return
    due_at = tx.now + timedelta(minutes=policy.emergency.confirm_minutes)
    calls = case["emergency"].get("calls", [])
    role = policy.emergency.role(0)
    case["emergency"] = {"state": "required", "step": 0, "role": role, "due_at": due_at, "calls": calls}
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
            restricted=case.get("access") == "strict",
            problem_categories=tuple(categories_of(case.get("problem_codes", ()))),
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
    new_referral(case, tx, policy, nearest(case["division"], receivers))


def _hasten_referral(referral: Document, case: Document, tx: Tx, policy: Policy) -> None:
    """A case that was raised waits no longer than its new tier allows."""
    if referral["tier"] == case["tier"]:
        return
    referral["tier"] = case["tier"]
    tier, state = Tier(case["tier"]), ReferralState(referral["state"])
    if state is ReferralState.drafted:
        send_by = tx.now + timedelta(minutes=policy.referral.send_minutes[tier])
        referral["send_by"] = min(send_by, referral.get("send_by") or send_by)
    if state in WAITING:
        due_at = tx.now + timedelta(minutes=policy.referral.receive_minutes[tier])
        if due_at < referral["due_at"]:
            referral["due_at"] = due_at
            tx.set_timer("referral", referral["_id"], due_at)
    tx.put("referrals", referral)


def new_referral(
    case: Document, tx: Tx, policy: Policy, receiver: Document | None, kind: ReferralKind = ReferralKind.treatment
) -> Document:
    """A referral in its first state, and the time by which it is to be sent. The one for treatment is the case's own;
    others run beside it.
    """
    referral: Document = {
        "_id": new_id(),
        "case_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "kind": kind.value,
        "organisation_id": receiver["_id"] if receiver else None,
        "backup_id": receiver["backup_id"] if receiver else None,
        "state": None,
        "attempt": 1,
        "due_at": None,
        "send_by": tx.now + timedelta(minutes=policy.referral.send_minutes[Tier(case["tier"])]),
        "psychiatric": False,
        "green_channel": False,
        "no_shows": 0,
        "history": [],
    }
    if kind is ReferralKind.treatment:
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
    ][-HISTORY_LENGTH:]
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
            kind=ReferralKind(referral["kind"]),
            green_channel=referral["green_channel"],
        )
    )


async def ask_about_referral(referral: Document, tx: Tx, about: Matter) -> None:
    """A supervisor has to decide how a referral goes on; what is asked already is not asked twice."""
    case = await tx.get("cases", referral["case_id"])
    if case is not None and case["state"] == "open" and about not in case["decisions_needed"]:
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
    plan.update(tier=tier.value, policy=policy.version)
    void_contacts(plan["follow_ups"], tx, follow_up.State.planned)
    hours = follow_up_rules(plan, case, policy).hours
    for moment in due:
        add_follow_up(plan, hours.following(moment) if hours else moment)
    keep_plan(plan, tx)
    no_longer = {Matter.follow_up_plan_ended, Matter.case_to_close} if due else set()
    case["decisions_needed"] = [about for about in case["decisions_needed"] if about not in no_longer]
    ask_for_next_step(case, plan)
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


def add_follow_up(plan: Document, due_at: datetime, **more: Any) -> Document:
    """One more contact; `added_by` says who set its time, who may well have meant the night."""
    item: Document = {
        "id": new_id(),
        "ordinal": len(plan["follow_ups"]) + 1,
        "due_at": due_at,
        "state": follow_up.State.planned.value,
        "attempts": [],
        **more,
    }
    plan["follow_ups"] = [*plan["follow_ups"], item]
    return item


def void_contacts(items: list[Document], tx: Tx, *states: follow_up.State) -> None:
    """Those in one of the states are not wanted any more."""
    for item in items:
        if item["state"] in states:
            follow_up.move(item, follow_up.State.void, tx.now)


def keep_plan(plan: Document, tx: Tx) -> None:
    """Write it, and wake at the next follow-up that is due, or at the end of one's window.

    `window_until` is the first window that ends, by which the list of due follow-ups is ordered.
    """
    moments = [item["due_at"] for item in plan["follow_ups"] if item["state"] == "planned"]
    windows = [item["window_until"] for item in plan["follow_ups"] if item["state"] == "due"]
    plan["window_until"] = min(windows, default=None)
    tx.put("plans", plan)
    if moments or windows:
        tx.set_timer("follow_up", plan["_id"], min(moments + windows))
    else:
        tx.cancel_timer("follow_up", plan["_id"])


def wishes_of(case: Document) -> follow_up.Preferences:
    """How the person wants to be contacted, as far as it was said."""
    return follow_up.Preferences.model_validate(case.get("contact_preferences") or {})


def follow_up_rules(plan: Document, case: Document, policy: Policy, item: Document | None = None) -> follow_up.Rules:
    """How the plan's contacts are tried, or this one of them: a time that a person has set is not moved."""
    around_the_clock = case["tier"] == Tier.imminent or bool(item and item.get("added_by"))
    return policy.attempts.rules(around_the_clock, wishes_of(case).hours)


def ask_for_next_step(case: Document, plan: Document) -> None:
    """A plan of which nothing is left, in a case that nothing else waits for, would be forgotten: a person decides."""
    if not any(follow_up.is_open(item) for item in plan["follow_ups"]) and not case["decisions_needed"]:
        need_decision(case, Matter.follow_up_plan_ended)


async def need_next_step(case: Document, tx: Tx) -> None:
    """An open case in which nothing is to come would be forgotten: a supervisor decides how it goes on."""
    if case["state"] != "open" or case["acknowledgement"]["state"] != "acknowledged":
        return  # the clock, or the chain, runs
    if case["emergency"]["state"] in ("required", "called", "unconfirmed"):
        return
    chain = case.get("chain")
    if chain and chains.due_at(chain) is not None:
        return
    if any(Matter(about) not in PASSES_WITH_ITS_DEED for about in case["decisions_needed"]):
        return
    referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if referral is not None and ReferralState(referral["state"]) in WAITING | ACCEPTED:
        return
    plan = await tx.get("plans", case["_id"])
    if plan is None or not any(follow_up.is_open(item) for item in plan["follow_ups"]):
        need_decision(case, Matter.follow_up_plan_ended)


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
    evidence = {"reason": reason} if by == "policy" else {}  # a person's words are for the audit log
    note(case, tx, "raised", by, previous=previous.value, tier=tier.value, **evidence)
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


def miss(item: Document, plan: Document, case: Document, tx: Tx, policy: Policy, because: MissedBecause) -> None:
    """The contact has ended without the person: a supervisor decides what comes next.

    Who is missed again and again is not left to the next call: somebody has to go there.
    """
    attempts = follow_up.counted(item)
    matter = Matter.follow_up_refused if because is MissedBecause.refused_to_talk else Matter.follow_up_missed
    need_decision(case, matter)
    note(case, tx, matter.value, "policy", follow_up_id=item["id"], attempts=attempts)
    row = follow_up.misses_in_a_row(plan["follow_ups"])
    if len(row) >= policy.lost_contact.misses[Tier(case["tier"])]:
        need_decision(case, Matter.welfare_check)
        note(case, tx, "welfare_check_asked_for", "policy", misses=len(row))
    tx.emit(FollowUpMissed(**follow_up_fields(item, plan, tx), attempts=attempts, because=because))


def follow_up_fields(item: Document, plan: Document, tx: Tx) -> dict[str, Any]:
    """What every event about a follow-up tells."""
    return {
        **tx.stamp(plan["division"]),
        "follow_up_id": item["id"],
        "case_id": plan["_id"],
        "division": plan["division"],
        "tier": Tier(plan["tier"]),
    }

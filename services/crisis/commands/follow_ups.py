"""Attempts to reach the person, what they tell, and how the person wants to be contacted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import FollowUpDue, FollowUpKept, MissedBecause
from contracts.hotline import RiskFlagged
from services.crisis import store
from services.crisis.case import (
    ask_for_next_step,
    draft_referral,
    follow_up_fields,
    follow_up_rules,
    keep_plan,
    miss,
    need_decision,
    note,
    raise_tier,
    request_responder,
    require_emergency,
    start_clock,
    void_contacts,
    wishes_of,
)
from services.crisis.commands.rights import bound, seen_case
from services.crisis.domain.follow_up import (
    BY_PHONE,
    MEANING,
    OPEN,
    AttemptChannel,
    Outcome,
    Preferences,
    Report,
    Rules,
    State,
    fall_due,
    is_open,
    may_be_tried,
    try_once,
)
from services.crisis.domain.policy import Policy
from services.crisis.domain.tiering import Finding, assess
from services.crisis.office import Office


async def record_attempt(
    case_id: UUID,
    follow_up_id: UUID,
    outcome: str,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    channel: AttemptChannel = AttemptChannel.call,
    report: Report | None = None,
    again_at: datetime | None = None,
    override_reason: str | None = None,
) -> Document:
    """One attempt to reach the person, and what the contact told; after the last one a supervisor decides.

    What the person answered can raise the case at once, by the rules that a flag is tiered by; nothing lowers it.
    """
    said = Outcome(outcome)
    case = await seen_case(case_id, caller, tx)
    plan = await store.the_plan(tx, case_id)
    item = next((item for item in plan["follow_ups"] if item["id"] == follow_up_id), None)
    if item is None:
        raise NotFound("there is no such follow-up")
    if not is_open(item):
        raise NotAllowed(f"the follow-up is {item['state']}")
    first = min(other["due_at"] for other in plan["follow_ups"] if other["state"] == State.planned or other is item)
    if item["state"] == State.planned and item["due_at"] > first:
        raise NotAllowed("another follow-up comes before this one")
    check_attempt(said, report, again_at, tx, office)
    policy = office.policies.of(plan["policy"])
    rules = follow_up_rules(plan, case, policy, item)
    check_due(item, rules, tx)
    check_wishes(wishes_of(case), channel, override_reason, str(case_id), case["division"], caller, tx)
    if item["state"] == State.planned:
        fall_due(item, tx.now, rules)
        tx.emit(FollowUpDue(**follow_up_fields(item, plan, tx)))
    entered = try_once(item, said, channel, tx.now, caller.subject, rules)
    details: dict[str, Any] = {"follow_up_id": follow_up_id, "outcome": said.value, "channel": channel.value}
    note(case, tx, "follow_up_attempted", caller.subject, **details, counted=item["attempts"][-1]["counted"])
    if again_at is not None:
        item["attempts"][-1]["again_at"] = again_at
        item["window_until"] = max(item["window_until"], again_at + rules.window)
    asks = MEANING[said].asks
    if asks is not None and entered is not State.refused:  # `miss` asks about a refusal
        need_decision(case, asks)
        note(case, tx, asks.value, caller.subject, follow_up_id=follow_up_id)
    if entered is State.kept:
        await _keep(item, report or Report(), case, plan, caller, tx, office)
        return await store.the_plan(tx, case_id)
    if entered is State.missed:
        miss(item, plan, case, tx, policy, MissedBecause.unreached)
    elif entered is State.refused:
        miss(item, plan, case, tx, policy, MissedBecause.refused_to_talk)
    keep_plan(plan, tx)
    tx.put("cases", case)
    return plan


def check_attempt(said: Outcome, report: Report | None, again_at: datetime | None, tx: Tx, office: Office) -> None:
    """Raises `Refused` where what is told does not go with the outcome."""
    if report is not None and said is not Outcome.reached:
        raise Refused("report_without_contact", "only who was reached can have answered", "report")
    if (again_at is not None) != (said is Outcome.asked_to_call_later):
        raise Refused("time_does_not_fit", "a later call needs its time, and nothing else has one", "again_at")
    if again_at is not None:
        bound(again_at, "again_at", tx, office)


def check_due(item: Document, rules: Rules, tx: Tx) -> None:
    """Raises `NotAllowed` where the contact lies further ahead than policy lets anybody try it."""
    if not may_be_tried(item, tx.now, rules):
        raise NotAllowed(f"not due yet: this contact is for {item['due_at'].isoformat()}", reason="not_due")


def check_wishes(
    wishes: Preferences,
    channel: AttemptChannel,
    override_reason: str | None,
    subject: str,
    division: str,
    caller: Caller,
    tx: Tx,
) -> None:
    """A shared telephone is called only when the person asked for it; whoever does it all the same says why."""
    if channel not in BY_PHONE or wishes.may_be_phoned:
        return
    if override_reason is None:
        raise NotAllowed(
            "the person must not be called unless the person asked for it; an exception needs a reason",
            reason="not_to_be_called",
            field="override_reason",
        )
    tx.record(
        actor=caller.subject,
        action="called_against_wish",
        subject=subject,
        division=division,
        reason=override_reason,
        channel=channel.value,
    )


async def _keep(
    item: Document, report: Report, case: Document, plan: Document, caller: Caller, tx: Tx, office: Office
) -> None:
    """The person was reached: what was answered stands with the contact, and raises where policy says so."""
    policy = office.policies.at(tx.now)
    finding = finding_of(report, policy)
    item["report"] = {
        **report.model_dump(),
        "tier": finding.tier.value,
        "evidence": list(finding.evidence),
        "policy": policy.version,
    }
    note(case, tx, "follow_up_kept", caller.subject, follow_up_id=item["id"], tier=finding.tier.value)
    tx.emit(FollowUpKept(**follow_up_fields(item, plan, tx), attempts=sum(a["counted"] for a in item["attempts"])))
    keep_plan(plan, tx)
    await _heed(report, finding, case, tx, policy)
    kept = await store.the_plan(tx, case["_id"])
    ask_for_next_step(case, kept)
    tx.put("cases", case)


async def _heed(report: Report, finding: Finding, case: Document, tx: Tx, policy: Policy) -> None:
    if not finding.assessment_needed:
        case["assessment_needed"] = False
    if report.consent_to_further not in (Answer.not_asked, Answer.unknown):
        case["consent"] = report.consent_to_further.value
    if finding.tier.rank > case["rank"]:
        case["lowering"] = None  # who proposed to lower the risk did not know of these answers
        receivers = await store.receivers_of(tx, [case["division"][:6]])
        await raise_tier(case, tx, policy, finding.tier, receivers, "policy", ";".join(finding.evidence))
    elif finding.tier.rank == case["rank"] >= Tier.high.rank:
        # The same danger again: a named person has to look at it, and what it takes has to be there.
        case["lowering"] = None
        if case["acknowledgement"]["state"] == "acknowledged":
            start_clock(case, tx, policy)
            note(case, tx, "clock_restarted", "policy")
        receivers = await store.receivers_of(tx, [case["division"][:6]])
        await draft_referral(case, tx, policy, receivers)
        request_responder(case, tx, policy)
    if report.act_in_progress is Answer.yes:
        require_emergency(case, tx, policy)


def finding_of(report: Report, policy: Policy) -> Finding:
    """The tier of a contact's answers, by the very rules of a flag's: what is not known is not a no."""
    return assess(RiskFlagged.model_construct(**report.risk), policy)


async def set_preferences(case_id: UUID, wishes: Preferences, caller: Caller, tx: Tx, office: Office) -> Document:
    """How the person wants to be contacted; what is planned moves into the person's own hours."""
    case = await seen_case(case_id, caller, tx)
    check_hours(wishes)
    case["contact_preferences"] = wishes.model_dump(mode="json")
    plan = await tx.get("plans", case_id)
    if plan is not None:
        policy = office.policies.of(plan["policy"])
        for item in plan["follow_ups"]:
            hours = follow_up_rules(plan, case, policy, item).hours
            if item["state"] == State.planned and hours is not None:
                item["due_at"] = hours.following(item["due_at"])
        keep_plan(plan, tx)
    note(case, tx, "contact_preferences", caller.subject, call_back=wishes.call_back.value)
    tx.put("cases", case)
    return case


def check_hours(wishes: Preferences) -> None:
    """Raises `Refused` for hours that are half said, or that lie on two days."""
    if (wishes.earliest is None) != (wishes.latest is None):
        raise Refused("hours_incomplete", "the hours need a beginning and an end", "latest")
    if wishes.hours is not None and wishes.hours.earliest >= wishes.hours.latest:
        raise Refused("hours_out_of_order", "earliest has to lie before latest, on one day", "latest")


async def void_plan(case_id: UUID, tx: Tx) -> None:
    """Nothing that was planned is wanted any more."""
    plan = await tx.get("plans", case_id)
    if plan is None:
        return
    void_contacts(plan["follow_ups"], tx, *OPEN)
    keep_plan(plan, tx)

"""What a supervisor decides about a follow-up: another contact, a visit, a referral, help from outside, or its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import ReferralState
from services.crisis import store
from services.crisis.case import (
    add_follow_up,
    follow_up_rules,
    keep_plan,
    need_decision,
    need_next_step,
    note,
    release_responder,
    request_responder,
)
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.follow_ups import void_plan
from services.crisis.commands.rights import bound, seen_case
from services.crisis.domain.follow_up import (
    OPEN,
    AttemptChannel,
    Ground,
    Record,
    State,
    is_open,
    lacks,
    misses_in_a_row,
)
from services.crisis.domain.matters import Decision, Matter
from services.crisis.domain.referral import ACCEPTED, WAITING
from services.crisis.domain.transfer import owner_of
from services.crisis.office import Office

ABOUT_THE_PERSON = frozenset(
    {
        Matter.follow_up_missed,
        Matter.follow_up_plan_ended,
        Matter.follow_up_refused,
        Matter.contact_unusable,
        Matter.person_moved,
        Matter.reported_dead,
        Matter.welfare_check,
        Matter.case_to_close,
    }
)
"""Matters of which the follow-up's end disposes."""

NOT_LEFT = frozenset(
    {
        Matter.welfare_check,
        Matter.safety_assessment_due,
        Matter.tell_police,
        Matter.extreme_event_warning,
        Matter.consultation_or_admission,
    }
)
"""Matters that are not left as they are: something has to be done about them."""

TAKEN = frozenset({"accepted", "scheduled", "attended", "completed"})
"""A referral that an institution has taken."""

HELP_IS_COMING = ("called", "unconfirmed", "confirmed")


async def decide(
    case_id: UUID,
    decision: Decision,
    reason: str,
    next_at: datetime | None,
    caller: Caller,
    tx: Tx,
    office: Office,
    about: Matter | None = None,
    *,
    ground: Ground | None = None,
    override_reason: str | None = None,
) -> Document:
    """A supervisor's decision about a matter; `about` says which. A follow-up ends on a ground that holds."""
    case = await seen_case(case_id, caller, tx)
    pending = case["decisions_needed"]
    unasked = not pending and decision is Decision.end_follow_up and ground is not None
    if not pending and not unasked:
        raise NotAllowed("no decision is due")
    if about is None and len(pending) > 1:
        raise Refused("about_missing", f"several decisions are due; say about which: {', '.join(pending)}", "about")
    if not unasked:
        about = Matter(about or pending[0])
    if about is not None and about not in pending:
        raise NotAllowed(f"no decision about {about} is due")
    case["decisions_needed"] = [other for other in pending if other != about]
    match decision:
        case Decision.continue_ | Decision.visit:
            await _another_contact(case, decision, next_at, caller, tx, office)
        case Decision.refer:
            await _leave_to_referral(case, tx, office)
        case Decision.call_emergency:
            if case["emergency"]["state"] not in HELP_IS_COMING:
                raise NotAllowed("neither 110 nor 120 was called; call first")
            await _look_again(case, tx, office, "after_emergency")
        case Decision.another_responder:
            release_responder(case, tx)
            request_responder(case, tx, office.policies.at(tx.now))
        case Decision.as_it_is:
            if about in NOT_LEFT:
                raise NotAllowed(f"{about} is not left as it is: say what was done, or what is to be done")
        case Decision.end_follow_up:
            await _end(case, ground, override_reason, caller, tx, office)
    if about in ABOUT_THE_PERSON and decision is not Decision.end_follow_up:
        await _need_next_step(case, tx)
    await need_next_step(case, tx)
    note(case, tx, "decided", caller.subject, decision=decision, about=about)
    tx.record(
        actor=caller.subject,
        action="decision",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        decision=decision,
        about=about,
        ground=ground,
    )
    tx.put("cases", case)
    return case


async def _another_contact(
    case: Document, decision: Decision, next_at: datetime | None, caller: Caller, tx: Tx, office: Office
) -> None:
    if next_at is None:
        raise Refused("time_missing", "the next contact needs a time", "next_at")
    bound(next_at, "next_at", tx, office)
    plan = await _plan_of(case, tx, office)
    channel = AttemptChannel.visit if decision is Decision.visit else AttemptChannel.call
    add_follow_up(plan, next_at, added_by=caller.subject, channel=channel.value)
    keep_plan(plan, tx)


async def _leave_to_referral(case: Document, tx: Tx, office: Office) -> None:
    referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if referral is None or ReferralState(referral["state"]) not in WAITING | ACCEPTED:
        raise NotAllowed("no referral is under way; send it first")
    await _look_again(case, tx, office, "after_referral")


async def _look_again(case: Document, tx: Tx, office: Office, why: str) -> None:
    """Others act now; if nothing else is planned, somebody asks after the person when the window has passed."""
    plan = await _plan_of(case, tx, office)
    if any(is_open(item) for item in plan["follow_ups"]):
        return
    policy = office.policies.at(tx.now)
    rules = follow_up_rules(plan, case, policy)
    due_at = tx.now + timedelta(hours=policy.attempts.window_hours)
    add_follow_up(plan, rules.hours.following(due_at) if rules.hours else due_at, because=why)
    keep_plan(plan, tx)


async def _plan_of(case: Document, tx: Tx, office: Office) -> Document:
    return await tx.get("plans", case["_id"]) or {
        "_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "policy": office.policies.at(tx.now).version,
        "follow_ups": [],
    }


async def _need_next_step(case: Document, tx: Tx) -> None:
    """Raises `NotAllowed` for a decision after which nothing would come next: nobody is forgotten by a click."""
    plan = await tx.get("plans", case["_id"])
    planned = plan is not None and any(is_open(item) for item in plan["follow_ups"])
    if not planned and not case["decisions_needed"]:
        raise NotAllowed("nothing would come next; set another contact, or end the follow-up on its ground")


# The end


async def propose_ending(case_id: UUID, ground: Ground, reason: str, caller: Caller, tx: Tx) -> Document:
    """The first of two persons, where a ground does not hold in the record; nothing ends yet."""
    case = await seen_case(case_id, caller, tx)
    case["ending"] = {"ground": ground.value, "by": caller.subject, "at": tx.now}
    note(case, tx, "ending_proposed", caller.subject, ground=ground.value)
    tx.record(
        actor=caller.subject,
        action="ending_proposed",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        ground=ground.value,
    )
    tx.put("cases", case)
    return case


async def _end(
    case: Document, ground: Ground | None, override_reason: str | None, caller: Caller, tx: Tx, office: Office
) -> None:
    """No more contacts, on a ground that policy knows and the record bears out, or that two persons answer for."""
    if ground is None:
        raise Refused("ground_missing", "a follow-up ends on a ground; name it", "ground")
    if case["acknowledgement"]["state"] != "acknowledged":
        raise NotAllowed("nobody has acknowledged this case", reason="not_acknowledged")
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet", reason="emergency_unconfirmed")
    policy = office.policies.at(tx.now)
    if ground not in policy.ending.grounds:
        raise Refused("ground_unknown", f"policy {policy.version} does not know {ground}", "ground")
    missing = lacks(ground, await _record_of(case, tx, office))
    if missing is not None:
        _check_override(case, ground, missing, override_reason, caller, tx)
    await void_plan(case["_id"], tx)
    case["follow_up_end"] = {
        "ground": ground.value,
        "overridden": missing is not None,
        "by": caller.subject,
        "at": tx.now,
        "policy": policy.version,
    }
    case["ending"] = None
    case["decisions_needed"] = [about for about in case["decisions_needed"] if Matter(about) not in ABOUT_THE_PERSON]
    need_decision(case, Matter.case_to_close)
    note(case, tx, "follow_up_ended", caller.subject, ground=ground.value)


def _check_override(
    case: Document, ground: Ground, missing: str, override_reason: str | None, caller: Caller, tx: Tx
) -> None:
    proposed = case.get("ending")
    if override_reason is None or proposed is None or proposed["ground"] != ground:
        raise NotAllowed(
            f"{ground} does not hold: {missing}; to end it all the same takes a proposal on this ground and a second "
            "person's reason",
            reason="ground_does_not_hold",
            field="ground",
        )
    if proposed["by"] == caller.subject:
        raise NotAllowed("ending a follow-up on a ground that does not hold takes a second person", status=403)
    tx.record(
        actor=caller.subject,
        action="ending_overridden",
        subject=str(case["_id"]),
        division=case["division"],
        reason=override_reason,
        ground=ground.value,
        proposed_by=proposed["by"],
    )


async def _record_of(case: Document, tx: Tx, office: Office) -> Record:
    """What the record says, gathered for the rule."""
    policy, tier = office.policies.at(tx.now), Tier(case["tier"])
    plan = await tx.get("plans", case["_id"])
    items = plan["follow_ups"] if plan else []
    row = misses_in_a_row(items)
    attempts = [attempt for item in items for attempt in item["attempts"]]
    reports = [item["report"] for item in sorted(items, key=_ended) if item.get("report")]
    said = [report["consent_to_further"] for report in reports if report["consent_to_further"] != Answer.not_asked]
    declined = (said[-1:] and said[-1] in (Answer.no, Answer.refused)) or any(
        item["state"] == State.refused for item in items
    )
    if policy.follow_up[tier].consent != "always":
        declined = declined or case["consent"] in (Answer.no, Answer.refused)
    changes = [line["kind"] for line in case["timeline"] if line["kind"] in ("raised", "lowered")]
    states = await store.referral_states(tx, case["_id"])
    return Record(
        tier=tier,
        lowered=changes[-1:] == ["lowered"],
        reduced_tiers=policy.ending.reduced_tiers,
        referrals=states,
        declined=bool(declined),
        # Opening again, raising and the same danger again all start the clock anew: the time is counted from there.
        age=tx.now - max(case["opened_at"], case["acknowledgement"]["since"]),
        longest=timedelta(hours=policy.ending.longest_hours[tier]),
        misses=len(row),
        misses_wanted=policy.lost_contact.misses[tier],
        visited=any(attempt["channel"] == AttemptChannel.visit for item in row for attempt in item["attempts"]),
        outcomes=frozenset(attempt["outcome"] for attempt in attempts),
        handed_over=bool(states & TAKEN) or owner_of(case)["since"] > case["opened_at"],
    )


def _ended(item: Document) -> tuple[bool, object]:
    return (State(item["state"]) in OPEN, item.get("ended_at") or item["due_at"])

"""What people decide about a case. Each needs a right, a named person, and where it matters a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import (
    CaseAcknowledged,
    CaseClosed,
    CaseOutcome,
    EmergencyContactConfirmed,
    EmergencyService,
    EmergencyServiceCalled,
    FollowUpKept,
    ReferralState,
    RiskLowered,
)
from services.crisis import store
from services.crisis.case import (
    Office,
    await_outcome,
    bounce,
    follow_up_fields,
    miss,
    move_referral,
    nearest,
    need_decision,
    new_referral,
    note,
    plan_follow_ups,
    raise_tier,
    release_responder,
    request_responder,
    send_referral,
    set_follow_up_timer,
    start_clock,
)
from services.crisis.domain.matters import Decision, Matter
from services.crisis.domain.referral import ACCEPTED, ANSWERS, ENDED, UNDER_WAY, allows

REACHED = ("reached",)
OFFICERS = ("duty_officer", "supervisor", "district_centre")
"""The roles that take cases: who is on the line, who watches over the shift, and who is called when both are silent."""
UNCONFIRMED = ("required", "called", "unconfirmed")
"""An act in progress, and nobody has said yet that help is with the person."""


async def seen_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """An open case within the caller's division; what lies outside does not exist."""
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    if case["state"] != "open":
        raise NotAllowed("the case is closed")
    return case


def role_of(caller: Caller) -> str:
    """The role under which a caller acknowledges."""
    return next((role.replace("_", "-") for role in reversed(OFFICERS) if role in caller.roles), "duty-officer")


async def acknowledge(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A named person takes the case; the clock stops. The same person again is no second acknowledgement."""
    case = await seen_case(case_id, caller, tx)
    clock = case["acknowledgement"]
    if clock["state"] == "acknowledged":
        if clock["by"] == caller.subject:
            return case
        raise NotAllowed("another person has acknowledged this case")
    seconds = int((tx.now - clock["since"]).total_seconds())
    case["acknowledgement"] = {**clock, "state": "acknowledged", "by": caller.subject, "at": tx.now}
    tx.cancel_timer("acknowledgement", case_id)
    note(case, tx, "acknowledged", caller.subject)
    tx.emit(
        CaseAcknowledged(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            tier=Tier(case["tier"]),
            role=role_of(caller),
            seconds=seconds,
            on_time=clock["step"] == 0,
        )
    )
    tx.put("cases", case)
    return case


async def raise_risk(case_id: UUID, tier: Tier, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """Any officer may raise, at any time."""
    case = await seen_case(case_id, caller, tx)
    if tier.rank <= case["rank"]:
        raise NotAllowed(f"the case is at {case['tier']} already; lowering takes a second person")
    receivers = await store.receivers_of(tx, [case["division"][:6]])
    await raise_tier(case, tx, office.policies.at(tx.now), tier, receivers, caller.subject, reason)
    tx.put("cases", case)
    return case


async def propose_lowering(case_id: UUID, tier: Tier, reason: str, caller: Caller, tx: Tx) -> Document:
    """The first of two persons. A score is no reason: someone has talked to the person."""
    case = await seen_case(case_id, caller, tx)
    if tier.rank >= case["rank"]:
        raise NotAllowed(f"{tier} is not below {case['tier']}")
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet")
    case["lowering"] = {"to": tier.value, "reason": reason, "by": caller.subject, "at": tx.now}
    note(case, tx, "lowering_proposed", caller.subject, tier=tier.value)
    tx.record(
        actor=caller.subject,
        action="lowering_proposed",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        tier=tier.value,
    )
    tx.put("cases", case)
    return case


async def agree_to_lower(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The second person, a supervisor, who is not the first."""
    case = await seen_case(case_id, caller, tx)
    proposed = case["lowering"]
    if proposed is None:
        raise NotAllowed("nobody has proposed to lower this case")
    if proposed["by"] == caller.subject:
        raise NotAllowed("lowering a risk takes a second person", status=403)
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet")
    policy = office.policies.at(tx.now)
    previous, tier = Tier(case["tier"]), Tier(proposed["to"])
    case.update(tier=tier.value, rank=tier.rank, policy=policy.version, lowering=None)
    if case["acknowledgement"]["state"] == "waiting":
        start_clock(case, tx, policy)
    await plan_follow_ups(case, tx, policy)
    note(case, tx, "lowered", caller.subject, previous=previous.value, tier=tier.value, proposed_by=proposed["by"])
    tx.record(
        actor=caller.subject,
        action="risk_lowered",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        previous=previous.value,
        tier=tier.value,
        proposed_by=proposed["by"],
        proposed_because=proposed["reason"],
    )
    tx.emit(
        RiskLowered(
            **tx.stamp(case["division"]), case_id=case_id, division=case["division"], previous=previous, tier=tier
        )
    )
    tx.put("cases", case)
    return case


async def call_emergency(case_id: UUID, service: EmergencyService, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person has called 110 or 120; that they are with the person has to be confirmed in time."""
    case = await seen_case(case_id, caller, tx)
    policy = office.policies.of(case["policy"]).emergency
    confirm_by = tx.now + timedelta(minutes=policy.confirm_minutes)
    case["emergency"] = {
        **case["emergency"],
        "state": "called",
        "step": 0,
        "role": policy.chain[0],
        "service": service.value,
        "called_by": caller.subject,
        "called_at": tx.now,
        "due_at": confirm_by,
    }
    tx.set_timer("emergency", case_id, confirm_by)
    note(case, tx, "emergency_called", caller.subject, service=service.value)
    tx.emit(
        EmergencyServiceCalled(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            service=service,
            confirm_by=confirm_by,
        )
    )
    tx.put("cases", case)
    return case


async def confirm_emergency(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The emergency service said that it is with the person."""
    case = await seen_case(case_id, caller, tx)
    emergency = case["emergency"]
    if emergency["state"] not in ("called", "unconfirmed"):
        raise NotAllowed("no emergency service was called")
    case["emergency"] = {**emergency, "state": "confirmed", "confirmed_by": caller.subject, "confirmed_at": tx.now}
    tx.cancel_timer("emergency", case_id)
    note(case, tx, "emergency_confirmed", caller.subject)
    tx.emit(
        EmergencyContactConfirmed(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            service=EmergencyService(emergency["service"]),
        )
    )
    tx.put("cases", case)
    return case


async def refer(
    case_id: UUID,
    organisation_id: UUID | None,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Send the referral, with consent or with a recorded override (PIPL art. 13(4): to protect life and health)."""
    case = await seen_case(case_id, caller, tx)
    policy = office.policies.at(tx.now)
    if case["consent"] != Answer.yes and not override_reason:
        raise NotAllowed("the person's consent is not recorded; an override needs a reason")
    referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if referral is None or ReferralState(referral["state"]) in ENDED:
        receivers = await store.receivers_of(tx, [case["division"][:6]])
        referral = new_referral(case, tx, nearest(case["division"], receivers))
        tx.put("cases", case)
    if not allows(ReferralState(referral["state"]), ReferralState.sent):
        raise NotAllowed(f"a referral that is {referral['state']} cannot be sent")
    if organisation_id is not None:
        chosen = await tx.get("organisations", organisation_id)
        if chosen is None or not chosen["receives"]:
            raise Refused("unknown_receiver", "this organisation does not receive referrals", "organisation_id")
        referral.update(organisation_id=chosen["_id"], backup_id=chosen["backup_id"], attempt=1)
    if referral["organisation_id"] is None:
        raise Refused("no_receiver", "no institution receives referrals here; name one", "organisation_id")
    if case["consent"] != Answer.yes:
        tx.record(
            actor=caller.subject,
            action="consent_overridden",
            subject=str(case_id),
            division=case["division"],
            reason=str(override_reason),
        )
    case["decisions_needed"] = [about for about in case["decisions_needed"] if about != "referral_without_receiver"]
    referral["tier"] = case["tier"]
    send_referral(referral, tx, policy, caller.subject)
    note(case, tx, "referred", caller.subject, referral_id=referral["_id"])
    tx.put("cases", case)
    return referral


async def answer_referral(
    referral_id: UUID,
    state: ReferralState,
    reason: str | None,
    at: datetime | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """What the receiving institution says, by a named person of it. The same answer again changes nothing."""
    referral = await store.the_referral(tx, referral_id)
    present = ReferralState(referral["state"])
    if institution_of(caller) != referral["organisation_id"] or referral["due_at"] is None:
        raise NotFound("there is no such referral")
    if present is state and state is not ReferralState.scheduled:
        return referral
    if state not in ANSWERS or not allows(present, state):
        raise NotAllowed(f"a referral that is {present} cannot become {state}")
    if state is ReferralState.declined and not reason:
        raise Refused("reason_missing", "declining needs a reason", "reason")
    if state is ReferralState.scheduled:
        if at is None:
            raise Refused("time_missing", "scheduling needs the time", "at")
        _bound(at, "at", tx, office)
        referral["scheduled_at"] = at
    referral["receiver"] = caller.subject
    move_referral(referral, tx, state, caller.subject, reason)
    if state in ACCEPTED:
        await_outcome(referral, tx, office.policies.at(tx.now))
    elif state is not ReferralState.received:
        tx.cancel_timer("referral", referral_id)
    if state is ReferralState.declined:
        await bounce(referral, tx, office.policies.at(tx.now))
    case = await store.the_case(tx, referral["case_id"])
    if case["state"] == "open":
        if state is ReferralState.unattended:
            need_decision(case, Matter.referral_unattended)
        note(case, tx, f"referral_{state}", caller.subject, referral_id=referral_id)
        tx.put("cases", case)
    return referral


async def cancel_referral(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The sender takes it back."""
    case = await seen_case(case_id, caller, tx)
    if case["referral_id"] is None:
        raise NotFound("the case has no referral")
    referral = await store.the_referral(tx, case["referral_id"])
    if not allows(ReferralState(referral["state"]), ReferralState.cancelled):
        raise NotAllowed(f"a referral that is {referral['state']} cannot be cancelled")
    move_referral(referral, tx, ReferralState.cancelled, caller.subject, reason)
    tx.cancel_timer("referral", referral["_id"])
    note(case, tx, "referral_cancelled", caller.subject, referral_id=referral["_id"])
    tx.put("cases", case)
    return referral


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
        _bound(next_at, "next_at", tx, office)
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
        await _void_plan(case_id, tx)
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


def in_office(case: Document, caller: Caller) -> bool:
    """An officer of the case's division."""
    return bool(caller.roles.intersection(OFFICERS)) and caller.sees(case["division"])


def responds(case: Document, caller: Caller) -> bool:
    """The responder who took the case, wherever the person lives; who was only asked is not, nor who is done."""
    responder = case["responder"]
    return responder["state"] == "accepted" and str(responder["responder_id"]) == caller.subject


def institution_of(caller: Caller) -> UUID | None:
    """The institution that a token names."""
    try:
        return UUID(caller.organisation) if caller.organisation else None
    except ValueError:
        return None


def _bound(moment: datetime, field: str, tx: Tx, office: Office) -> None:
    """Raises `Refused` for a time that has passed, or that is later than any plan reaches."""
    horizon = office.policies.at(tx.now).horizon
    if not tx.now < moment <= tx.now + horizon:
        raise Refused("time_out_of_bounds", f"the time must lie within the next {horizon.days} days", field)


async def release(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The responder's part is done; the person is free for another call."""
    case = await store.the_case(tx, case_id)
    if not (in_office(case, caller) or responds(case, caller)):
        raise NotFound("there is no such case")
    if case["state"] != "open":
        raise NotAllowed("the case is closed")
    if case["responder"]["state"] in ("none", "released"):
        return case
    release_responder(case, tx)
    note(case, tx, "responder_released", caller.subject)
    tx.put("cases", case)
    return case


async def close(case_id: UUID, outcome: CaseOutcome, reason: str, caller: Caller, tx: Tx) -> Document:
    """The episode ends: nothing waits any more, and a later flag of the person opens a new case.

    Closing ends the follow-ups, so at the tiers that lowering is guarded for most it takes a second person as well.
    """
    case = await seen_case(case_id, caller, tx)
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet")
    if case["acknowledgement"]["state"] != "acknowledged":
        raise NotAllowed("nobody has acknowledged this case")
    if case["rank"] >= Tier.high.rank and case["acknowledgement"]["by"] == caller.subject:
        raise NotAllowed("closing at this risk takes a second person", status=403)
    for kind in ("acknowledgement", "emergency"):
        tx.cancel_timer(kind, case_id)
    await _void_plan(case_id, tx)
    referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if referral is not None and allows(ReferralState(referral["state"]), ReferralState.cancelled):
        move_referral(referral, tx, ReferralState.cancelled, caller.subject, "case_closed")
        tx.cancel_timer("referral", referral["_id"])
    release_responder(case, tx)
    case.update(state="closed", closed_at=tx.now, outcome=outcome.value, decisions_needed=[], lowering=None)
    note(case, tx, "closed", caller.subject, outcome=outcome.value)
    tx.record(
        actor=caller.subject,
        action="case_closed",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        outcome=outcome.value,
    )
    tx.emit(
        CaseClosed(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            tier=Tier(case["tier"]),
            outcome=outcome,
        )
    )
    if case["person"] is not None:
        tx.delete("episodes", case["person"])
    tx.put("cases", case)
    return case


async def _void_plan(case_id: UUID, tx: Tx) -> None:
    plan = await tx.get("plans", case_id)
    if plan is None:
        return
    for item in plan["follow_ups"]:
        if item["state"] in ("planned", "due"):
            item["state"] = "void"
    tx.put("plans", plan)
    set_follow_up_timer(plan, tx)


async def reveal_contacts(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> list[dict[str, Any]]:
    """What it takes to call back, for who has to; each reading is in the audit log."""
    case = await store.the_case(tx, case_id)
    if not (in_office(case, caller) or responds(case, caller)):
        raise NotFound("there is no such case")
    tx.record(
        actor=caller.subject, action="contact_read", subject=str(case_id), division=case["division"], reason=reason
    )
    revealed: list[dict[str, Any]] = []
    for contact in await store.contacts_of(tx, case_id):
        try:
            fields = await office.keys.open(tx, contact["person"], contact["sealed"])
        except Unreadable:
            continue
        revealed.append({"flag_id": contact["_id"], "at": contact["at"], **fields})
    observe.PERSONAL_READS.labels("contact").inc()
    return revealed


async def stand_down(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """No emergency service is needed after all: a supervisor says so, who is not the one that took the case."""
    case = await seen_case(case_id, caller, tx)
    if case["emergency"]["state"] not in UNCONFIRMED:
        raise NotAllowed("no emergency is open")
    if case["acknowledgement"]["state"] != "acknowledged":
        raise NotAllowed("nobody has acknowledged this case")
    if case["acknowledgement"]["by"] == caller.subject:
        raise NotAllowed("standing down takes a second person", status=403)
    case["emergency"] = {**case["emergency"], "state": "stood_down", "by": caller.subject, "at": tx.now}
    tx.cancel_timer("emergency", case_id)
    note(case, tx, "emergency_stood_down", caller.subject)
    tx.record(
        actor=caller.subject,
        action="emergency_stood_down",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
    )
    tx.put("cases", case)
    return case


async def erase_contacts(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person is forgotten: the key goes, and with it every contact under it. The case stays, by pseudonym."""
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    for contact in await store.contacts_of(tx, case_id):
        await office.keys.erase(tx, contact["person"])
        tx.delete("contacts", contact["_id"])
    case["flags"] = [{**row, "contact_state": "erased"} for row in case["flags"]]
    note(case, tx, "contact_erased", caller.subject)
    tx.record(
        actor=caller.subject,
        action="contact_erased",
        subject=str(case_id),
        reason=reason,
        division=case["division"],
    )
    tx.put("cases", case)
    return case

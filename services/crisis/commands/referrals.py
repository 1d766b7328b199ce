"""Referring, and what the receiving institution answers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer
from contracts.crisis import (
    ReferralState,
)
from services.crisis import store
from services.crisis.case import (
    await_outcome,
    bounce,
    move_referral,
    nearest,
    need_decision,
    new_referral,
    note,
    send_referral,
)
from services.crisis.commands.rights import bound, institution_of, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.domain.referral import ACCEPTED, ANSWERS, ENDED, allows
from services.crisis.office import Office


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
        bound(at, "at", tx, office)
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

"""The responder's part done, and the episode's end."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import (
    CaseClosed,
    CaseOutcome,
    ReferralState,
)
from services.crisis import store
from services.crisis.case import (
    move_referral,
    note,
    release_responder,
)
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.follow_ups import void_plan
from services.crisis.commands.rights import in_office, responds, seen_case
from services.crisis.domain.referral import allows


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
    await void_plan(case_id, tx)
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
        person = await tx.get("persons", case["person"])
        if person is not None:
            tx.put("persons", {**person, "case_id": None})
    tx.put("cases", case)
    return case

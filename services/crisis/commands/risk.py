"""Judging a case's risk: anyone of the office may raise it, and two lower it."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import RiskLowered
from services.crisis import store
from services.crisis.case import (
    need_next_step,
    note,
    plan_follow_ups,
    raise_tier,
    seal_key,
    start_clock,
)
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.reasons import ERASED, reason_of, sealed_reason
from services.crisis.commands.rights import seen_case
from services.crisis.office import Office


async def raise_risk(case_id: UUID, tier: Tier, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """Any officer may raise, at any time."""
    case = await seen_case(case_id, caller, tx)
    if tier.rank <= case["rank"]:
        raise NotAllowed(f"the case is at {case['tier']} already; lowering takes a second person")
    receivers = await store.receivers_of(tx, [case["division"][:6]])
    await raise_tier(case, tx, office.policies.at(tx.now), tier, receivers, caller.subject, reason)
    tx.put("cases", case)
    return case


async def propose_lowering(case_id: UUID, tier: Tier, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The first of two persons. A score is no reason: someone has talked to the person."""
    case = await seen_case(case_id, caller, tx)
    if tier.rank >= case["rank"]:
        raise NotAllowed(f"{tier} is not below {case['tier']}")
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet")
    sealed = await sealed_reason(seal_key(case), reason, tx, office)
    case["lowering"] = {"to": tier.value, "by": caller.subject, "at": tx.now, **sealed}
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
    because = await reason_of(proposed, tx, office) or ERASED
    policy = office.policies.at(tx.now)
    previous, tier = Tier(case["tier"]), Tier(proposed["to"])
    case.update(tier=tier.value, rank=tier.rank, policy=policy.version, lowering=None)
    if case["acknowledgement"]["state"] == "waiting":
        start_clock(case, tx, policy)
    await plan_follow_ups(case, tx, policy)
    await need_next_step(case, tx)
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
        proposed_because=because,
    )
    tx.emit(
        RiskLowered(
            **tx.stamp(case["division"]), case_id=case_id, division=case["division"], previous=previous, tier=tier
        )
    )
    tx.put("cases", case)
    return case

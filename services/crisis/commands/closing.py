"""The responder's part done, the episode's end, and its beginning again."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseClosed, CaseOutcome, CaseReopened
from services.crisis import store
from services.crisis.case import (
    draft_referral,
    end_timers,
    need_next_step,
    note,
    plan_follow_ups,
    release_responder,
    request_responder,
    start_clock,
)
from services.crisis.commands.chains import end_chain
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.follow_ups import void_plan
from services.crisis.commands.minors import check_report
from services.crisis.commands.reading import least
from services.crisis.commands.referrals import end_around
from services.crisis.commands.retention import keep_closed, keep_open
from services.crisis.commands.rights import in_office, known_case, responds, seen_case
from services.crisis.commands.urgent import drop_urgent
from services.crisis.domain.case_states import State, allows
from services.crisis.domain.follow_up import State as Contact
from services.crisis.domain.follow_up import is_open
from services.crisis.domain.matters import Matter
from services.crisis.office import Office

CLOSING_DECIDES = frozenset({Matter.case_to_close, Matter.follow_up_plan_ended})
"""Matters to which closing is itself the answer."""


async def release(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The responder's part is done; the person is free for another call, and is answered with the least of the case."""
    case = await store.the_case(tx, case_id)
    whole = in_office(case, caller)
    if not (whole or responds(case, caller)):
        raise NotFound("there is no such case")
    if case["state"] != State.open:
        raise NotAllowed("the case is closed")
    if case["responder"]["state"] not in ("none", "released"):
        release_responder(case, tx)
        await need_next_step(case, tx)
        note(case, tx, "responder_released", caller.subject)
        tx.put("cases", case)
    return case if whole else least(case)


async def close(case_id: UUID, outcome: CaseOutcome, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The episode ends: nothing waits any more, and a later flag of the person opens a new case.

    A follow-up is not ended by closing: it ends on a ground of its own first, and what waits for a decision gets it. At
    the tiers that lowering is guarded for most, and for a case that is said to be an error, closing takes a second
    person as well.
    """
    case = await seen_case(case_id, caller, tx)
    if case["emergency"]["state"] in UNCONFIRMED:
        raise NotAllowed("an act in progress has no confirmed contact yet")
    if case["acknowledgement"]["state"] != "acknowledged":
        raise NotAllowed("nobody has acknowledged this case")
    check_report(case)
    in_error = outcome is CaseOutcome.opened_in_error
    if (in_error or case["rank"] >= Tier.high.rank) and case["acknowledgement"]["by"] == caller.subject:
        raise NotAllowed("closing so takes a second person", status=403)
    plan = await tx.get("plans", case_id)
    if in_error:
        _check_error(case, plan)
    if outcome is not CaseOutcome.opened_in_error and plan and any(is_open(item) for item in plan["follow_ups"]):
        raise NotAllowed("contacts are still to come: the follow-up ends first, on its ground", reason="follow_up_open")
    if waiting := [about for about in case["decisions_needed"] if Matter(about) not in CLOSING_DECIDES]:
        raise NotAllowed(f"decisions are due: {', '.join(waiting)}", reason="matters_open", field="decisions_needed")
    await end(case, tx, caller.subject, "case_closed")
    case.update(state=State.closed.value, closed_at=tx.now, outcome=outcome.value)
    keep_closed(case, tx, office)
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
    for person in await store.persons.persons_of(tx, case):
        if person["case_id"] == case_id:
            tx.put("persons", {**person, "case_id": None})
    tx.put("cases", case)
    return case


def _check_error(case: Document, plan: Document | None) -> None:
    """Raises `NotAllowed` for a case that can be no error: help was called out, or the person was reached."""
    if case["emergency"].get("calls"):
        raise NotAllowed("an emergency was called: this case is no error", reason="no_error")
    if plan is not None and any(item["state"] == Contact.kept for item in plan["follow_ups"]):
        raise NotAllowed("the person was reached: this case is no error", reason="no_error")


async def end(case: Document, tx: Tx, by: str, reason: str) -> None:
    """Whatever the case waits for is over: its timers, plan, chain, referrals and responder."""
    await void_plan(case["_id"], tx)
    await drop_urgent(case["_id"], tx)
    await end_around(case, tx, by, reason)
    end_chain(case, tx)
    end_timers(case, tx)
    release_responder(case, tx)
    case.update(decisions_needed=[], lowering=None)


async def reopen(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """A supervisor opens a closed case again: the clock runs, and the tier's plan, referral and responder come to be.

    Raises `NotAllowed` where the person has another open case, which further flags join.
    """
    caller.needs("supervisor")
    case = await known_case(case_id, caller, tx)
    if not allows(State(case["state"]), State.open):
        raise NotAllowed(f"the case is {case['state']}")
    if (case.get("retention") or {}).get("stripped_at") is not None:
        raise NotAllowed("what was personal in this case is erased; a new flag opens a new one")
    persons = await store.persons.persons_of(tx, case)
    if any(person["case_id"] is not None for person in persons):
        raise NotAllowed("the person has another open case", reason="another_case_is_open")
    policy = office.policies.at(tx.now)
    case.update(
        state=State.open.value,
        closed_at=None,
        outcome=None,
        policy=policy.version,
        reopened=case.get("reopened", 0) + 1,
    )
    keep_open(case, tx)
    due_at = start_clock(case, tx, policy)
    await plan_follow_ups(case, tx, policy)
    await draft_referral(case, tx, policy, await store.receivers_of(tx, [case["division"][:6]]))
    request_responder(case, tx, policy)
    for person in persons:
        tx.put("persons", {**person, "case_id": case_id})
    note(case, tx, "reopened", caller.subject)
    tx.record(
        actor=caller.subject, action="case_reopened", subject=str(case_id), division=case["division"], reason=reason
    )
    tx.emit(
        CaseReopened(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            tier=Tier(case["tier"]),
            acknowledge_by=due_at,
        )
    )
    tx.put("cases", case)
    return case

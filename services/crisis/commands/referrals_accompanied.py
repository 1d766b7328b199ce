"""Somebody goes along to the institution: a volunteer or a community's worker, by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.crisis import ReferralState
from services.crisis import store
from services.crisis.case import need_decision, note
from services.crisis.commands.referrals import sent_by, withdraw_visit
from services.crisis.commands.rights import bound, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.domain.referral import ACCEPTED
from services.crisis.domain.referrals_accompanied import WAITING, State, allows
from services.crisis.office import Office
from services.crisis.store.referrals import the

COMPANIONS = ("volunteer", "community_worker")
LEAST = ("_id", "division", "organisation_id", "at", "state", "accepted_by", "due_at")
"""What a companion sees: where and when, and nothing about the person before the office tells."""


async def ask_for_company(
    referral_id: UUID, ident: UUID, at: datetime | None, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Ask that somebody goes along, at the appointment or at another time. `ident` is chosen by the client."""
    referral, case = await sent_by(referral_id, caller, tx)
    known = await tx.get("accompanied_visits", ident)
    if known is not None:
        if known["referral_id"] != referral_id:
            raise NotAllowed("this id was used for another visit", reason="id_reused", field="id")
        return known
    if ReferralState(referral["state"]) not in ACCEPTED:
        raise NotAllowed(f"the institution has not accepted: the referral is {referral['state']}")
    moment = at or referral.get("scheduled_at")
    if moment is None:
        raise NotAllowed("the referral has no appointment yet; name the time")
    bound(moment, "at", tx, office)
    visit: Document = {
        "_id": ident,
        "case_id": case["_id"],
        "referral_id": referral_id,
        "division": case["division"],
        "organisation_id": referral["organisation_id"],
        "at": moment,
        "state": State.asked.value,
        "asked_by": caller.subject,
        "accepted_by": None,
        "outcome": None,
        "ended_at": None,
    }
    tx.insert("accompanied_visits", visit)
    _wait_for_company(visit, tx, office)
    note(case, tx, "company_asked", caller.subject, visit_id=ident)
    tx.put("cases", case)
    return visit


def _wait_for_company(visit: Document, tx: Tx, office: Office) -> None:
    """Somebody has to be found in time, and at the latest when the visit begins."""
    hours = timedelta(hours=office.referral.at(tx.now).accompanied.accept_hours)
    visit["due_at"] = max(tx.now, min(tx.now + hours, visit["at"]))
    tx.put("accompanied_visits", visit)
    tx.set_timer("accompanied_visit", visit["_id"], visit["due_at"])


async def accept_company(visit_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person will go along. The same person again changes nothing."""
    visit = await _seen(visit_id, caller, tx)
    if visit["state"] == State.accepted and visit["accepted_by"] == caller.subject:
        return visit
    _may_become(visit, State.accepted)
    hours = timedelta(hours=office.referral.at(tx.now).accompanied.done_hours)
    visit.update(state=State.accepted.value, accepted_by=caller.subject, due_at=max(tx.now, visit["at"]) + hours)
    tx.put("accompanied_visits", visit)
    tx.set_timer("accompanied_visit", visit_id, visit["due_at"])
    await _tell(visit, "company_accepted", caller.subject, tx)
    return visit


async def give_back_company(visit_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """Who accepted cannot go: somebody else is asked."""
    visit = await _own(visit_id, caller, tx)
    _may_become(visit, State.asked)
    visit.update(state=State.asked.value, accepted_by=None)
    _wait_for_company(visit, tx, office)
    await _tell(visit, "company_given_back", caller.subject, tx)
    return visit


async def finish_company(visit_id: UUID, done: bool, caller: Caller, tx: Tx) -> Document:
    """The person was brought there, or was not: then a supervisor decides."""
    visit = await _own(visit_id, caller, tx)
    state = State.done if done else State.not_done
    if visit["state"] == state:
        return visit
    _may_become(visit, state)
    visit.update(state=state.value, ended_at=tx.now)
    tx.put("accompanied_visits", visit)
    tx.cancel_timer("accompanied_visit", visit_id)
    await _tell(visit, f"company_{state}", caller.subject, tx, None if done else Matter.visit_unaccompanied)
    return visit


async def withdraw_company(visit_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The office does not need anybody to go along any more."""
    visit = await the(tx, "accompanied_visits", visit_id, "accompanied visit")
    case = await seen_case(visit["case_id"], caller, tx)
    _may_become(visit, State.withdrawn)
    withdraw_visit(visit, tx)
    note(case, tx, "company_withdrawn", caller.subject, visit_id=visit_id)
    tx.put("cases", case)
    return {**visit, "state": State.withdrawn.value, "ended_at": tx.now}


def shown_to_companion(visit: Document) -> Document:
    """The least that somebody needs in order to go along."""
    return {name: visit[name] for name in LEAST}


async def _seen(visit_id: UUID, caller: Caller, tx: Tx) -> Document:
    visit = await the(tx, "accompanied_visits", visit_id, "accompanied visit")
    if not caller.sees(visit["division"]):
        raise NotFound("there is no such accompanied visit")
    return visit


async def _own(visit_id: UUID, caller: Caller, tx: Tx) -> Document:
    visit = await _seen(visit_id, caller, tx)
    if visit["accepted_by"] != caller.subject:
        raise NotAllowed("only who accepted the visit may say so", status=403)
    return visit


def _may_become(visit: Document, state: State) -> None:
    if not allows(State(visit["state"]), state):
        raise NotAllowed(f"a visit that is {visit['state']} cannot become {state}")


async def _tell(visit: Document, kind: str, by: str, tx: Tx, about: Matter | None = None) -> None:
    case = await store.the_case(tx, visit["case_id"])
    if about is not None and case["state"] == "open":
        need_decision(case, about)
    note(case, tx, kind, by, visit_id=visit["_id"])
    tx.put("cases", case)


async def accompanied_visit_due(visit_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody was found to go along, or nobody tells how it went: a supervisor decides, and is asked again."""
    visit = await tx.get("accompanied_visits", visit_id)
    if visit is None or State(visit["state"]) not in WAITING:
        return
    if visit["due_at"] > tx.now:
        tx.set_timer("accompanied_visit", visit_id, visit["due_at"])
        return
    await _tell(visit, "visit_unaccompanied", "policy", tx, Matter.visit_unaccompanied)
    visit["due_at"] = tx.now + timedelta(hours=office.referral.at(tx.now).appointments.ask_again_hours)
    tx.put("accompanied_visits", visit)
    tx.set_timer("accompanied_visit", visit_id, visit["due_at"])

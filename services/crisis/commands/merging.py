"""Two cases that are one person's become one, and flags of another person get a case of their own."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import CasesMerged, ReferralState, RiskRaised
from services.crisis import store
from services.crisis.case import (
    TIMELINE_LENGTH,
    check_responder,
    draft_referral,
    keep_plan,
    need_decision,
    note,
    request_responder,
    start_clock,
    void_contacts,
    wishes_of,
)
from services.crisis.commands.closing import end
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.merging_belongings import take_belongings
from services.crisis.commands.merging_chains import join_chains
from services.crisis.commands.minors import REPORT
from services.crisis.commands.retention import keep_closed
from services.crisis.commands.rights import seen_case
from services.crisis.commands.urgent import take_over_urgent
from services.crisis.domain import follow_up
from services.crisis.domain.case_states import State, allows
from services.crisis.domain.matters import Matter
from services.crisis.domain.referral import ENDED, UNDER_WAY
from services.crisis.domain.report import State as ReportState
from services.crisis.domain.report import stricter
from services.crisis.office import Office

CASES_OF_A_PERSON = 100


async def merge(case_id: UUID, into: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """Everything of a case goes to another one of the same person; the case stays as a pointer. Once is enough.

    The case that goes on has the higher tier, the clock that ends first, and the stricter plan. Cases of two counties
    take a supervisor who sees both.
    """
    gone = await store.the_case(tx, case_id)
    if gone["state"] == State.merged and gone.get("merged_into") == into:
        return await seen_case(into, caller, tx)
    gone, case = await seen_case(case_id, caller, tx), await seen_case(into, caller, tx)
    if case_id == into:
        raise NotAllowed("a case cannot be merged into itself")
    if gone["division"][:6] != case["division"][:6]:
        caller.needs("supervisor")
    if not allows(State(gone["state"]), State.merged):
        raise NotAllowed(f"the case is {gone['state']}")
    policy = office.policies.at(tx.now)
    raised_from, before = Tier(case["tier"]), (case["minor"], case.get("access"))
    higher = gone["rank"] > case["rank"]
    _keep_first_clock(case, gone, higher, tx, office)
    if higher:
        case.update(tier=gone["tier"], rank=gone["rank"], policy=gone["policy"])
    await _keep_stricter_plan(case, gone, higher, tx)
    await _keep_referral(case, gone, tx)
    await _take_what_is_under_way(case, gone, tx)
    _keep_emergency(case, gone, tx)
    _keep_what_is_known(case, gone, tx)
    await take_belongings(case, gone, tx, office)
    await take_over_urgent(case, gone, tx)
    await join_chains(case, gone, tx, office)
    await _join_persons(case, gone, tx)
    took_part = gone["responder"]["state"] == "accepted"
    await end(gone, tx, caller.subject, "case_merged")
    gone.update(state=State.merged.value, merged_into=into, merged_at=tx.now, closed_at=tx.now, flags=[], older_flags=0)
    keep_closed(gone, tx, office)
    note(gone, tx, "merged", caller.subject, into=into)
    tx.put("cases", gone)
    if higher or before != (case["minor"], case.get("access")):
        check_responder(case, tx, policy)
    if higher:
        _tell_raise(case, raised_from, reason, caller, tx)
    await draft_referral(case, tx, policy, await store.receivers_of(tx, [case["division"][:6]]))
    request_responder(case, tx, policy)
    if took_part:
        # Whoever was with the person under the other case was sent away by this.
        need_decision(case, Matter.responder_to_check)
    case["merged_from"] = [*case.get("merged_from", []), case_id]
    note(case, tx, "merged", caller.subject, merged_case_id=case_id)
    tx.record(
        actor=caller.subject,
        action="cases_merged",
        subject=str(into),
        division=case["division"],
        reason=reason,
        merged=str(case_id),
    )
    tx.emit(
        CasesMerged(
            **tx.stamp(case["division"]),
            case_id=into,
            merged_case_id=case_id,
            division=case["division"],
            tier=Tier(case["tier"]),
        )
    )
    tx.put("cases", case)
    return case


def _keep_first_clock(case: Document, gone: Document, higher: bool, tx: Tx, office: Office) -> None:
    """The clock of the higher tier; at the same tier one that waits, and of two the one that ends first."""
    own, other = case["acknowledgement"], gone["acknowledgement"]
    if higher:
        take = True
    elif gone["rank"] < case["rank"]:
        take = False
    elif other["state"] != "waiting":
        take = own["state"] == "chain" and other["state"] == "acknowledged"
    else:
        take = own["state"] != "waiting" or other["due_at"] < own["due_at"]
    if not take:
        return
    if other["state"] == "chain" or _out_of_sight(case, gone):
        # Nobody of the office that goes on with it has it yet.
        case.update(tier=gone["tier"], rank=gone["rank"])
        start_clock(case, tx, office.policies.at(tx.now))
        return
    case["acknowledgement"] = dict(other)
    if other["state"] == "waiting":
        tx.set_timer("acknowledgement", case["_id"], other["due_at"])
    else:
        case["held_by"] = gone.get("held_by")
        tx.cancel_timer("acknowledgement", case["_id"])


def _out_of_sight(case: Document, gone: Document) -> bool:
    """Whether who has acknowledged a case is of an office that does not see the one that goes on."""
    clock = gone["acknowledgement"]
    seen = clock.get("division", gone["division"])
    return clock["state"] == "acknowledged" and not case["division"].startswith(seen)


async def _keep_stricter_plan(case: Document, gone: Document, higher: bool, tx: Tx) -> None:
    """The plan of the higher tier; at the same tier the one whose next contact is first. What was tried stays told."""
    own, other = await tx.get("plans", case["_id"]), await tx.get("plans", gone["_id"])
    if other is None:
        return
    first, theirs = _next_contact(own), _next_contact(other)
    stricter_one = theirs is not None and (higher or first is None or (gone["rank"] == case["rank"] and theirs < first))
    if not stricter_one:
        return
    before = own["follow_ups"] if own else []
    void_contacts(before, tx, follow_up.State.planned)
    fresh = [{**item, "ordinal": place} for place, item in enumerate([*before, *other["follow_ups"]], 1)]
    plan = {**other, **(own or {}), "_id": case["_id"], "division": case["division"]}
    plan.update(tier=case["tier"], policy=other["policy"], follow_ups=fresh)
    # The contacts go over as they are, so that none of them is voided with the other case.
    tx.put("plans", {**other, "follow_ups": [], "window_until": None})
    keep_plan(plan, tx)


def _next_contact(plan: Document | None) -> datetime | None:
    moments: list[datetime] = [
        item["due_at"] for item in (plan or {"follow_ups": []})["follow_ups"] if follow_up.is_open(item)
    ]
    return min(moments, default=None)


async def _keep_referral(case: Document, gone: Document, tx: Tx) -> None:
    """Of two referrals for treatment the one that is further on; the other is withdrawn with its case."""
    theirs = await tx.get("referrals", gone["referral_id"]) if gone["referral_id"] else None
    if theirs is None or ReferralState(theirs["state"]) in ENDED:
        return
    own = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    state = ReferralState(own["state"]) if own is not None else None
    if state is None or state in ENDED or (state not in UNDER_WAY and ReferralState(theirs["state"]) in UNDER_WAY):
        tx.put("referrals", {**theirs, "case_id": case["_id"], "was_of": gone["_id"]})
        if own is not None and state not in ENDED:
            tx.put("referrals", {**own, "case_id": gone["_id"], "was_of": case["_id"]})
            gone["referral_id"] = own["_id"]
        else:
            gone["referral_id"] = None
        case["referral_id"] = theirs["_id"]


async def _take_what_is_under_way(case: Document, gone: Document, tx: Tx) -> None:
    """Consultations, visits and what runs beside the referral for treatment go on under the other case."""
    for collection, found in (await store.referrals.unfinished_of_case(tx, gone["_id"])).items():
        for document in found:
            if document["_id"] != gone["referral_id"]:
                tx.put(collection, {**document, "case_id": case["_id"], "was_of": gone["_id"]})


def _keep_emergency(case: Document, gone: Document, tx: Tx) -> None:
    """An act in progress without confirmed contact stays one; of two, the one whose time ends first."""
    own, other = case["emergency"], gone["emergency"]
    if other["state"] in UNCONFIRMED and (own["state"] not in UNCONFIRMED or other["due_at"] < own["due_at"]):
        case["emergency"] = dict(other)
        tx.set_timer("emergency", case["_id"], other["due_at"])
    elif own["state"] == "none":
        case["emergency"] = dict(other)


def _keep_what_is_known(case: Document, gone: Document, tx: Tx) -> None:
    """Nothing that was known of either is lost, and what is stricter holds."""
    case["opened_at"] = min(case["opened_at"], gone["opened_at"])
    for name in ("minor", "under_14"):
        case[name] = bool(case.get(name) or gone.get(name))
    if "strict" in (case.get("access"), gone.get("access")):
        case["access"] = "strict"
    case["population"] = case.get("population") or gone.get("population")
    case["problem_codes"] = case.get("problem_codes") or gone.get("problem_codes", [])
    if gone.get("contact_preferences"):
        own, other = wishes_of(case), wishes_of(gone)
        if not case.get("contact_preferences") or (own.may_be_phoned and not other.may_be_phoned):
            case["contact_preferences"] = gone["contact_preferences"]
    case["assessment_needed"] = case["assessment_needed"] and gone["assessment_needed"]
    case["harm_to_minor"] = _harm(Answer(case["harm_to_minor"]), Answer(gone["harm_to_minor"])).value
    if case["consent"] in (Answer.not_asked, Answer.unknown):
        case["consent"] = gone["consent"]
    case["decisions_needed"] = list(dict.fromkeys([*case["decisions_needed"], *gone["decisions_needed"]]))
    case["lowering"] = None
    _keep_report(case, gone, tx)
    told = sorted([*case["timeline"], *gone["timeline"]], key=lambda entry: entry["at"])
    case["timeline"] = told[-TIMELINE_LENGTH:]


def _harm(one: Answer, other: Answer) -> Answer:
    """A yes of either; what nobody knows of one of them is not known; only two that say no are a no."""
    for answer in (Answer.yes, Answer.unknown, Answer.refused):
        if answer in (one, other):
            return answer
    return other if one is Answer.not_asked else one


def _keep_report(case: Document, gone: Document, tx: Tx) -> None:
    own, other = (one.get("report") or {"state": ReportState.none.value} for one in (case, gone))
    if own["state"] == other["state"] == ReportState.required:
        kept = min(own, other, key=lambda report: report["due_at"])
    else:
        state = stricter(ReportState(own["state"]), ReportState(other["state"]))
        kept = own if own["state"] == state else other
    case["report"] = dict(kept)
    if kept["state"] == ReportState.required:
        tx.set_timer(REPORT, case["_id"], kept["due_at"])


async def _join_persons(case: Document, gone: Document, tx: Tx) -> None:
    """Later flags of any of the pseudonyms join the case that goes on, now and in the person's next episode."""
    persons = {person["_id"]: person for one in (case, gone) for person in await store.persons.persons_of(tx, one)}
    case["person"] = case["person"] or gone["person"]
    cases = sorted({key for person in persons.values() for key in person["cases"]}, key=str)
    for key, person in persons.items():
        also = sorted(set(persons) - {key})
        tx.put("persons", {**person, "case_id": case["_id"], "also": also, "cases": cases[-CASES_OF_A_PERSON:]})


def _tell_raise(case: Document, previous: Tier, reason: str, caller: Caller, tx: Tx) -> None:
    tier = Tier(case["tier"])
    note(case, tx, "raised", caller.subject, previous=previous.value, tier=tier.value, reason="merged")
    tx.record(
        actor=caller.subject,
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
            by_person=True,
        )
    )

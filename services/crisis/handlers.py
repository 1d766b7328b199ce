"""What the crisis service does with each event, and when a timer is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.clock import new_id
from chassis.errors import Refused, Unavailable
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import (
    AcknowledgementOverdue,
    CaseOpened,
    FlagJoined,
    FollowUpDue,
    ReferralState,
)
from contracts.hotline import RiskFlagged
from contracts.matching import CoordinatorCalled, OfferAccepted, ResponderOffered
from contracts.registry import DivisionsListed, OrganisationRegistered
from services.crisis import store
from services.crisis.case import (
    ask_about_referral,
    bounce,
    check_responder,
    draft_referral,
    follow_up_fields,
    miss,
    move_referral,
    note,
    raise_tier,
    request_responder,
    require_emergency,
    set_follow_up_timer,
    set_plan,
    start_clock,
)
from services.crisis.domain.matters import Matter
from services.crisis.domain.policy import Policy
from services.crisis.domain.referral import ACCEPTED, WAITING
from services.crisis.domain.tiering import Finding, assess
from services.crisis.office import Office

CASES_OF_A_PERSON = 100
"""The latest that a person's own document names; the cases name the person for good."""


async def read_ahead(flags: Sequence[RiskFlagged], tx: Tx, office: Office) -> None:
    """Everything that the flags of a group will look up, at once."""
    places = {flag.place for flag in flags}
    counties = {flag.county for flag in flags}
    await tx.load("divisions", places)
    unknown = [place for place in places if await tx.get("divisions", place) is None]
    if unknown and not await store.knows_divisions(tx):
        # On the first day the flags may come before the registry's list: nobody's flag is refused for that.
        raise Unavailable("the registry's divisions have not arrived yet")
    callers = {flag.caller for flag in flags if flag.caller}
    if callers:
        await tx.load("persons", callers)
        persons = [await tx.get("persons", caller) for caller in callers]
        cases = [person["case_id"] for person in persons if person and person["case_id"]]
        await tx.load("cases", cases)
        await tx.load("plans", cases)
        open_cases = [case for case in [await tx.get("cases", key) for key in cases] if case]
        await tx.load("referrals", [case["referral_id"] for case in open_cases if case["referral_id"]])
        # A person may call from another county than the one in which the case is open.
        counties |= {case["division"][:6] for case in open_cases}
    await office.keys.load(tx, [flag.caller or flag.id for flag in flags if flag.sealed_contact])
    tx.memo["receivers"] = await store.receivers_of(tx, counties)


async def take_flag(flag: RiskFlagged, tx: Tx, office: Office) -> None:
    """A flag opens a case, or joins the open case of the same person and can raise it."""
    policy = office.policies.at(tx.now)
    await _refuse_impossible(flag, tx, policy)
    finding = assess(flag, policy)
    case = None
    if flag.caller is not None:
        person = await tx.get("persons", flag.caller)
        if person is not None and person["case_id"] is not None:
            case = await store.the_case(tx, person["case_id"])
    if case is None:
        case = await _open_case(flag, finding, tx, policy)
    else:
        await _join(case, flag, finding, tx, policy)
    await _keep_contact(case, flag, tx, office)
    tx.put("cases", case)


async def _refuse_impossible(flag: RiskFlagged, tx: Tx, policy: Policy) -> None:
    check_times(flag, tx, policy)
    if await tx.get("divisions", flag.place) is None:
        field = "division" if flag.division else "county"
        raise Refused("unknown_division", f"there is no division {flag.place}", field)


def check_times(flag: RiskFlagged, tx: Tx, policy: Policy) -> None:
    """Raises `Refused` for a flag from the future."""
    latest = tx.now + timedelta(seconds=policy.intake.future_tolerance_seconds)
    for field, moment in (("flagged_at", flag.flagged_at), ("ce-time", flag.occurred_at)):
        if moment > latest:
            raise Refused("time_in_future", f"{field} lies in the future", field)


async def _open_case(flag: RiskFlagged, finding: Finding, tx: Tx, policy: Policy) -> Document:
    case_id = new_id()
    act_in_progress = flag.act_in_progress is Answer.yes
    case: Document = {
        "_id": case_id,
        "state": "open",
        "division": flag.place,
        "hotline": flag.hotline,
        "channel": flag.channel.value,
        "tier": finding.tier.value,
        "rank": finding.tier.rank,
        "policy": policy.version,
        "opened_under": {
            "tier": finding.tier.value,
            "policy": policy.version,
            "consent": flag.consent_to_follow_up.value,
        },
        "assessment_needed": finding.assessment_needed,
        "person": flag.caller,
        "minor": flag.minor,
        "harm_to_minor": flag.suspected_harm_to_minor.value,
        "consent": flag.consent_to_follow_up.value,
        "flags": [_flag_row(flag, finding)],
        "opened_at": tx.now,
        "closed_at": None,
        "outcome": None,
        "emergency": {"state": "none"},
        "responder": {"state": "none", "request_id": None, "responder_id": None},
        "referral_id": None,
        "lowering": None,
        "decisions_needed": [],
        "timeline": [],
    }
    due_at = start_clock(case, tx, policy)
    if act_in_progress:
        require_emergency(case, tx, policy)
    tx.emit(
        CaseOpened(
            **tx.stamp(flag.place),
            case_id=case_id,
            flag_id=flag.id,
            hotline=flag.hotline,
            channel=flag.channel,
            division=flag.place,
            tier=finding.tier,
            minor=flag.minor,
            act_in_progress=act_in_progress,
            acknowledge_by=due_at,
            policy=policy.version,
        )
    )
    await draft_referral(case, tx, policy, tx.memo["receivers"])
    set_plan(case, None, tx, policy)
    request_responder(case, tx, policy)
    note(case, tx, "opened", "policy", flag_id=flag.id, tier=finding.tier.value)
    if flag.caller is not None:
        person = await tx.get("persons", flag.caller) or {"_id": flag.caller, "cases": [], "marks": []}
        tx.put("persons", {**person, "case_id": case_id, "cases": [*person["cases"], case_id][-CASES_OF_A_PERSON:]})
    return case


async def _join(case: Document, flag: RiskFlagged, finding: Finding, tx: Tx, policy: Policy) -> None:
    news = all((row["hotline"], row["contact"]) != (flag.hotline, flag.contact) for row in case["flags"])
    case["flags"] = [*case["flags"], _flag_row(flag, finding)]
    turned_minor = flag.minor and not case["minor"]
    case["minor"] = case["minor"] or flag.minor
    case["assessment_needed"] = case["assessment_needed"] and finding.assessment_needed
    if flag.suspected_harm_to_minor is not Answer.not_asked and case["harm_to_minor"] != Answer.yes:
        case["harm_to_minor"] = flag.suspected_harm_to_minor.value
    # Who proposed to lower the risk did not know of this flag.
    case["lowering"] = None
    consented = case["consent"]
    case["consent"] = _consent(Answer(consented), flag.consent_to_follow_up).value
    note(case, tx, "flag_joined", "policy", flag_id=flag.id, tier=finding.tier.value)
    if finding.tier.rank > case["rank"]:
        await raise_tier(case, tx, policy, finding.tier, tx.memo["receivers"], "policy", ";".join(finding.evidence))
    else:
        if turned_minor:
            check_responder(case, tx, policy)
        if consented != case["consent"]:
            await _plan_as_consented(case, tx, policy)
        if news and finding.tier.rank == case["rank"] and case["acknowledgement"]["state"] == "acknowledged":
            # The same danger again, perhaps months later: a named person has to look at it again.
            start_clock(case, tx, policy)
            await draft_referral(case, tx, policy, tx.memo["receivers"])
            request_responder(case, tx, policy)
            note(case, tx, "clock_restarted", "policy", flag_id=flag.id)
    if flag.act_in_progress is Answer.yes:
        require_emergency(case, tx, policy)
    tx.emit(
        FlagJoined(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            flag_id=flag.id,
            hotline=flag.hotline,
            channel=flag.channel,
            division=case["division"],
            tier=Tier(case["tier"]),
        )
    )


def _consent(present: Answer, said: Answer) -> Answer:
    """What a person said stands until the person says something else; not to know is no answer in its place."""
    if said is Answer.not_asked or (said is Answer.unknown and present is not Answer.not_asked):
        return present
    return said


async def _plan_as_consented(case: Document, tx: Tx, policy: Policy) -> None:
    """Consent that came brings the plan, and consent that went ends it, where the tier's plan hangs on it."""
    plan = await tx.get("plans", case["_id"])
    planned = plan is not None and any(item["state"] in ("planned", "due") for item in plan["follow_ups"])
    wanted = bool(policy.follow_ups(Tier(case["tier"]), Answer(case["consent"]), tx.now))
    if planned != wanted:
        set_plan(case, plan, tx, policy)


async def _keep_contact(case: Document, flag: RiskFlagged, tx: Tx, office: Office) -> None:
    """What it takes to call back, from the hotline's seal to the person's own key.

    A seal that cannot be opened must not stop the flag: the case shows that the contact is unreadable, and the hotline
    can be asked while it still knows.
    """
    if flag.sealed_contact is None:
        return
    person = case["person"] or flag.id
    try:
        fields = office.envelope.open(flag.sealed_contact)
        sealed = await office.keys.seal(tx, person, fields)
    except (Unreadable, ValueError, RecursionError):  # sealed well, with an abyss or half a character inside
        case["flags"][-1]["contact_state"] = "unreadable"
        note(case, tx, "contact_unreadable", "policy", flag_id=flag.id)
        return
    case["flags"][-1]["contact_state"] = "kept"
    tx.insert("contacts", {"_id": flag.id, "case_id": case["_id"], "person": person, "sealed": sealed, "at": tx.now})


def _flag_row(flag: RiskFlagged, finding: Finding) -> Document:
    return {
        "id": flag.id,
        "hotline": flag.hotline,
        "contact": flag.contact,
        "channel": flag.channel.value,
        "flagged_at": flag.flagged_at,
        "tier": finding.tier.value,
        "evidence": list(finding.evidence),
        "contact_state": "none",
    }


# From the registry


async def read_divisions(events: Sequence[DivisionsListed], tx: Tx) -> None:
    await tx.load("divisions", [division.code for event in events for division in event.divisions])


async def keep_divisions(listed: DivisionsListed, tx: Tx) -> None:
    for division in listed.divisions:
        tx.put("divisions", {"_id": division.code, "name": division.name, "local": division.local})


async def read_organisations(events: Sequence[OrganisationRegistered], tx: Tx) -> None:
    await tx.load("organisations", [event.organisation_id for event in events])


async def keep_organisation(event: OrganisationRegistered, tx: Tx) -> None:
    known = await tx.get("organisations", event.organisation_id)
    if known is not None and known["revision"] >= event.revision:
        return
    tx.put(
        "organisations",
        {
            "_id": event.organisation_id,
            "revision": event.revision,
            "name": event.name,
            "kind": event.kind.value,
            "division": event.division,
            "county": event.division[:6],
            "receives": event.receives_referrals and event.active,
            "around_the_clock": event.around_the_clock,
            "backup_id": event.backup_id,
        },
    )


# From matching


async def read_cases(events: Sequence[ResponderOffered | OfferAccepted | CoordinatorCalled], tx: Tx) -> None:
    await tx.load("cases", [event.case_id for event in events])


async def note_offer(event: ResponderOffered, tx: Tx) -> None:
    await _responder(event, tx, "offered", event.responder_id)


async def note_responder(event: OfferAccepted, tx: Tx) -> None:
    await _responder(event, tx, "accepted", event.responder_id)


async def note_coordinator(event: CoordinatorCalled, tx: Tx) -> None:
    await _responder(event, tx, "coordinator", None)


async def _responder(
    event: ResponderOffered | OfferAccepted | CoordinatorCalled, tx: Tx, state: str, responder_id: UUID | None
) -> None:
    case = await tx.get("cases", event.case_id)
    if case is None or case["responder"]["request_id"] != event.request_id or case["responder"]["state"] == "released":
        return
    as_of = case["responder"].get("as_of")
    if as_of is not None and event.occurred_at < as_of:
        return  # it comes late, and something newer is known
    case["responder"] = {
        "state": state,
        "request_id": event.request_id,
        "responder_id": responder_id,
        "as_of": event.occurred_at,
    }
    note(case, tx, f"responder_{state}", "matching", responder_id=responder_id)
    tx.put("cases", case)


# Timers


async def acknowledgement_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody acknowledged in time: the next role of the chain is called; the last one again and again."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] != "open" or case["acknowledgement"]["state"] != "waiting":
        return
    clock = case["acknowledgement"]
    if clock["due_at"] > tx.now:
        tx.set_timer("acknowledgement", case_id, clock["due_at"])
        return
    tier = Tier(case["tier"])
    step = office.policies.of(case["policy"]).step(tier, clock["step"] + 1)
    due_at = tx.now + step.time
    case["acknowledgement"] = {**clock, "step": clock["step"] + 1, "role": step.role, "due_at": due_at}
    tx.set_timer("acknowledgement", case_id, due_at)
    _overdue(case, tx, clock["step"] + 1, step.role, due_at)
    tx.put("cases", case)


async def emergency_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """No confirmed contact in time: the next of the emergency's chain is called."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] != "open":
        return
    emergency = case["emergency"]
    if emergency["state"] not in ("required", "called", "unconfirmed"):
        return
    if emergency["due_at"] > tx.now:
        tx.set_timer("emergency", case_id, emergency["due_at"])
        return
    policy = office.policies.of(case["policy"]).emergency
    step = emergency["step"] + 1
    role = policy.chain[min(step, len(policy.chain) - 1)]
    due_at = tx.now + timedelta(minutes=policy.confirm_minutes)
    state = "unconfirmed" if emergency["state"] in ("called", "unconfirmed") else "required"
    case["emergency"] = {**emergency, "state": state, "step": step, "role": role, "due_at": due_at}
    tx.set_timer("emergency", case_id, due_at)
    _overdue(case, tx, step, role, due_at)
    tx.put("cases", case)


def _overdue(case: Document, tx: Tx, step: int, role: str, due_at: Any) -> None:
    note(case, tx, "overdue", "policy", step=step, called=role)
    tx.emit(
        AcknowledgementOverdue(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            tier=Tier(case["tier"]),
            step=step,
            called=role,
            acknowledge_by=due_at,
        )
    )


async def referral_due(referral_id: UUID, tx: Tx, office: Office) -> None:
    """The institution stayed silent: the referral expires, and goes to the backup. Once accepted, a person asks."""
    referral = await tx.get("referrals", referral_id)
    if referral is None or ReferralState(referral["state"]) not in WAITING | ACCEPTED:
        return
    if referral["due_at"] > tx.now:
        tx.set_timer("referral", referral_id, referral["due_at"])
        return
    if ReferralState(referral["state"]) in ACCEPTED:
        await ask_about_referral(referral, tx, Matter.referral_without_outcome)
        return
    move_referral(referral, tx, ReferralState.expired, "policy")
    await bounce(referral, tx, office.policies.at(tx.now))


async def follow_up_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """Follow-ups fall due, and those whose window passed without contact are missed."""
    plan, case = await tx.get("plans", case_id), await tx.get("cases", case_id)
    if plan is None or case is None or case["state"] != "open":
        return
    window = timedelta(hours=office.policies.of(plan["policy"]).attempts.window_hours)
    for item in plan["follow_ups"]:
        if item["state"] == "planned" and item["due_at"] <= tx.now:
            # Nobody could see before now that it is due, however late the timer is.
            item.update(state="due", window_until=max(item["due_at"], tx.now) + window)
            tx.emit(FollowUpDue(**follow_up_fields(item, plan, tx)))
        if item["state"] == "due" and item["window_until"] <= tx.now:
            miss(item, plan, case, tx)
    tx.put("plans", plan)
    tx.put("cases", case)
    set_follow_up_timer(plan, tx)

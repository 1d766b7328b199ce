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
    MissedBecause,
)
from contracts.hotline import AgeBand, PostPublished, RiskFlagged, Setting, Way
from contracts.matching import CoordinatorCalled, OfferAccepted, ResponderOffered
from contracts.registry import DivisionsListed, OrganisationRegistered
from services.crisis import store
from services.crisis.case import (
    check_responder,
    draft_referral,
    follow_up_fields,
    follow_up_rules,
    keep_newest_flags,
    keep_plan,
    miss,
    need_decision,
    note,
    raise_tier,
    request_responder,
    require_emergency,
    set_plan,
    start_clock,
)
from services.crisis.commands.chains import begin_chain, concern_of, draft_where_none, line_takes
from services.crisis.commands.concerns import is_helper_in_need, mark_repeated
from services.crisis.commands.minors import follow_harm
from services.crisis.commands.record import need_legal_basis
from services.crisis.commands.shifts import staffed_step
from services.crisis.commands.tree_hole import keep_post
from services.crisis.domain import follow_up
from services.crisis.domain.matters import Matter
from services.crisis.domain.merging import compared
from services.crisis.domain.policy import Policy
from services.crisis.domain.tiering import Finding, assess
from services.crisis.office import Office

CASES_OF_A_PERSON = 100
"""The latest that a person's own document names; the cases name the person for good."""
RECENT_OPENINGS = 20
"""When a person's latest cases opened: contacts that repeat are seen across them."""


async def read_ahead(flags: Sequence[RiskFlagged], tx: Tx, office: Office) -> None:
    """Everything that the flags of a group will look up, at once."""
    counties = {flag.county for flag in flags}
    await read_places({flag.place for flag in flags}, tx)
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
    raised_here = [concern_of(flag) for flag in flags if flag.setting is not Setting.line]
    await tx.load("concerns", [concern for concern in raised_here if concern])
    await office.keys.load(tx, [flag.caller or flag.id for flag in flags if flag.sealed_contact])
    tx.memo["receivers"] = await store.receivers_of(tx, counties)


async def read_places(places: set[str], tx: Tx) -> None:
    """The divisions of a group; on the first day, where none has arrived yet, what comes from a hotline waits."""
    await tx.load("divisions", places)
    unknown = [place for place in places if await tx.get("divisions", place) is None]
    if unknown and not await store.knows_divisions(tx):
        # Nobody's flag is refused for coming before the registry's list.
        raise Unavailable("the registry's divisions have not arrived yet")


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
        case = await _open_case(flag, finding, tx, policy, office)
    else:
        await _join(case, flag, finding, tx, policy, office)
    if is_helper_in_need(flag):
        need_decision(case, Matter.helper_needs_treatment)
    if flag.referral_wanted or is_helper_in_need(flag):
        await draft_where_none(case, tx, office)
    if flag.caller is not None:
        await mark_repeated(case, flag, tx, office)
    told = flag.suspected_harm_to_minor is Answer.yes
    follow_harm(case, tx, office, new=told and _first_of_contact(case, flag))
    if flag.way is Way.outreach:
        await need_legal_basis(case, flag.id, tx)
    if flag.assessment is not None and (doubts := office.instruments.doubts(flag.assessment)):
        case["flags"][-1]["assessment_doubts"] = list(doubts)  # shown, and nothing that was raised is taken back
    await _keep_contact(case, flag, tx, office)
    keep_newest_flags(case, tx)
    tx.put("cases", case)


def _first_of_contact(case: Document, flag: RiskFlagged) -> bool:
    return sum((row["hotline"], row["contact"]) == (flag.hotline, flag.contact) for row in case["flags"]) == 1


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


async def _open_case(flag: RiskFlagged, finding: Finding, tx: Tx, policy: Policy, office: Office) -> Document:
    case_id = new_id()
    act_in_progress = flag.act_in_progress is Answer.yes
    case: Document = {
        "_id": case_id,
        "state": "open",
        "division": flag.place,
        "hotline": flag.hotline,
        "channel": flag.channel.value,
        "way": flag.way.value,
        "setting": flag.setting.value,
        "organisation_id": flag.organisation_id,
        "care_group": flag.care_group,
        "chain": None,
        "tier": finding.tier.value,
        "rank": finding.tier.rank,
        "policy": policy.version,
        "opened_under": {
            "tier": finding.tier.value,
            "policy": policy.version,
            "consent": flag.consent_to_follow_up.value,
        },
        "assessment_needed": finding.assessment_needed,
        "unasked": list(finding.unasked),
        "person": flag.caller,
        "minor": flag.minor,
        "under_14": flag.age_band is AgeBand.under_14,
        # 个人信息保护法 art. 28: data of a person under 14 is sensitive.
        "access": "strict" if flag.age_band is AgeBand.under_14 else "ordinary",
        "report": {"state": "none"},
        "harm_to_minor": flag.suspected_harm_to_minor.value,
        "consent": flag.consent_to_follow_up.value,
        "flags": [_flag_row(flag, finding)],
        "opened_at": tx.now,
        "closed_at": None,
        "outcome": None,
        "emergency": {"state": "none"},
        "responder": {"state": "none", "request_id": None, "responder_id": None},
        "referral_id": None,
        "owner": {"division": flag.place, "organisation_id": None, "since": tx.now},
        "transfer_id": None,
        "lowering": None,
        "decisions_needed": [],
        "timeline": [],
    }
    await begin_chain(case, flag, tx, office)
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
            way=flag.way,
            setting=flag.setting,
        )
    )
    await draft_referral(case, tx, policy, tx.memo["receivers"])
    set_plan(case, None, tx, policy)
    request_responder(case, tx, policy)
    note(case, tx, "opened", "policy", flag_id=flag.id, tier=finding.tier.value)
    if flag.caller is not None:
        person = await tx.get("persons", flag.caller) or {"_id": flag.caller, "cases": [], "marks": []}
        recent = [*person.get("recent", ()), tx.now][-RECENT_OPENINGS:]
        cases = [*person["cases"], case_id][-CASES_OF_A_PERSON:]
        tx.put("persons", {**person, "case_id": case_id, "cases": cases, "recent": recent})
        for also in person.get("also", ()):
            # Found to be the same person: what comes under that pseudonym joins here too.
            other = await tx.get("persons", also)
            if other is not None:
                tx.put("persons", {**other, "case_id": case_id})
    return case


async def _join(case: Document, flag: RiskFlagged, finding: Finding, tx: Tx, policy: Policy, office: Office) -> None:
    news = all((row["hotline"], row["contact"]) != (flag.hotline, flag.contact) for row in case["flags"])
    case["flags"] = [*case["flags"], _flag_row(flag, finding)]
    turned_minor = flag.minor and not case["minor"]
    case["minor"] = case["minor"] or flag.minor
    if flag.age_band is AgeBand.under_14 and not case.get("under_14"):
        turned_minor = True
        case["under_14"], case["access"] = True, "strict"
    case["assessment_needed"] = case["assessment_needed"] and finding.assessment_needed
    case["unasked"] = [question for question in case.get("unasked", ()) if question in finding.unasked]
    case["care_group"] = case.get("care_group") or flag.care_group
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
    if flag.setting is Setting.line:
        line_takes(case, tx, office)
    else:
        await begin_chain(case, flag, tx, office)
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
    tx.insert(
        "contacts",
        {
            "_id": flag.id,
            "case_id": case["_id"],
            "person": person,
            "sealed": sealed,
            "same": compared(fields, office.digest),
            "at": tx.now,
        },
    )


def _flag_row(flag: RiskFlagged, finding: Finding) -> Document:
    return {
        "id": flag.id,
        "hotline": flag.hotline,
        "contact": flag.contact,
        "channel": flag.channel.value,
        "division": flag.place,
        "person": flag.caller,
        "flagged_at": flag.flagged_at,
        "tier": finding.tier.value,
        "evidence": list(finding.evidence),
        "contact_state": "none",
    }


# From tree-holes


async def read_posts(posts: Sequence[PostPublished], tx: Tx, office: Office) -> None:
    await read_places({post.place for post in posts}, tx)
    await office.keys.load(tx, [post.author or str(post.id) for post in posts])


async def take_post(post: PostPublished, tx: Tx, office: Office) -> None:
    """A post is kept, and put before a human where the list of terms or the sample says so."""
    if await tx.get("divisions", post.place) is None:
        raise Refused(
            "unknown_division", f"there is no division {post.place}", "division" if post.division else "county"
        )
    await keep_post(post, tx, office)


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
    """Who holds the case; the timeline has one acceptance of a call, under however many entries it goes on."""
    noted = "responder_accepted" if event.takes_over is None else "responder_entry_changed"
    await _responder(event, tx, "accepted", event.responder_id, noted)


async def note_coordinator(event: CoordinatorCalled, tx: Tx) -> None:
    await _responder(event, tx, "coordinator", None)


async def _responder(
    event: ResponderOffered | OfferAccepted | CoordinatorCalled,
    tx: Tx,
    state: str,
    responder_id: UUID | None,
    noted: str | None = None,
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
    note(case, tx, noted or f"responder_{state}", "matching", responder_id=responder_id)
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
    policy = office.policies.of(case["policy"])
    last = len(policy.acknowledgement[tier]) - 1
    number, skipped = await staffed_step(
        case["division"], clock["step"] + 1, last, lambda at: policy.step(tier, at).role, tx, office
    )
    step = policy.step(tier, number)
    due_at = tx.now + step.time
    case["acknowledgement"] = {**clock, "step": number, "role": step.role, "due_at": due_at}
    tx.set_timer("acknowledgement", case_id, due_at)
    _overdue(case, tx, number, step.role, due_at, skipped)
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
    last = len(policy.chain) - 1
    step, skipped = await staffed_step(case["division"], emergency["step"] + 1, last, policy.role, tx, office)
    role = policy.role(step)
    due_at = tx.now + timedelta(minutes=policy.confirm_minutes)
    state = "unconfirmed" if emergency["state"] in ("called", "unconfirmed") else "required"
    case["emergency"] = {**emergency, "state": state, "step": step, "role": role, "due_at": due_at}
    tx.set_timer("emergency", case_id, due_at)
    _overdue(case, tx, step, role, due_at, skipped)
    tx.put("cases", case)


def _overdue(case: Document, tx: Tx, step: int, role: str, due_at: Any, skipped: tuple[str, ...] = ()) -> None:
    if skipped:
        note(case, tx, "nobody_on_shift", "policy", roles=list(skipped))
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
            skipped=skipped,
        )
    )


async def follow_up_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """Follow-ups fall due, and those whose window passed without contact are missed."""
    plan, case = await tx.get("plans", case_id), await tx.get("cases", case_id)
    if plan is None or case is None or case["state"] != "open":
        return
    policy = office.policies.of(plan["policy"])
    for item in plan["follow_ups"]:
        if item["state"] == follow_up.State.planned and item["due_at"] <= tx.now:
            # Nobody could see before now that it is due, however late the timer is.
            follow_up.fall_due(item, tx.now, follow_up_rules(plan, case, policy, item))
            tx.emit(FollowUpDue(**follow_up_fields(item, plan, tx)))
        if item["state"] == follow_up.State.due and item["window_until"] <= tx.now:
            follow_up.move(item, follow_up.State.missed, tx.now)
            miss(item, plan, case, tx, policy, MissedBecause.window_passed)
    keep_plan(plan, tx)
    tx.put("cases", case)

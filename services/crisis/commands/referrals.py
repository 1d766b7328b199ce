"""Referring, and what the receiving institution answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ReferralKind, ReferralState
from services.crisis import store
from services.crisis.case import (
    add_follow_up,
    keep_plan,
    move_referral,
    need_decision,
    need_next_step,
    new_referral,
    note,
    seal_key,
)
from services.crisis.commands.referrals_consent import Scope, consent_to, pass_consent_gate
from services.crisis.commands.rights import bound, institution_of, known_case, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.domain.referral import (
    ACCEPTED,
    ANSWERS,
    ENDED,
    Medication,
    NextStep,
    OutcomeCode,
    allows,
    withdrawal,
)
from services.crisis.office import Office
from services.crisis.receiving import await_outcome, bounce, choose, put_before, wanted
from services.crisis.store import referrals as shelf

SHOWN_TO_RECEIVER = (
    "_id",
    "kind",
    "state",
    "tier",
    "division",
    "organisation_id",
    "due_at",
    "sent_at",
    "scheduled_at",
    "green_channel",
    "no_shows",
    "receiver",
    "feedback",
    "programme",
)
"""What an institution sees of a referral: no case, no timeline, no backup, nobody's reasons but its own."""
PROGRAMME_HIDES = frozenset({"tier", "green_channel"})
"""The programme for severe mental disorders is told its own risk level, and no judgement of ours."""


@dataclass(frozen=True)
class Feedback:
    """What came of it, in codes; `text` is sealed under the person's key."""

    outcome: OutcomeCode
    next_step: NextStep
    medication: Medication
    text: str | None = None


@dataclass(frozen=True)
class Programme:
    """What the programme for severe mental disorders is told: its own risk level, 0-5, and whether it is stable."""

    risk_level: int
    stable: bool


async def refer(
    case_id: UUID,
    organisation_id: UUID | None,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
    psychiatric: bool = False,
) -> Document:
    """Send the case's referral, with consent or with a recorded override (PIPL art. 13(4): to protect life and health).

    The institution is checked: whom it takes, and whether it has a place. Raises `Refused` with the nearest that can.
    """
    case = await seen_case(case_id, caller, tx)
    referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if referral is not None and ReferralState(referral["state"]) not in ENDED:
        _may_be_sent(referral)
    need = wanted(case, ReferralKind.treatment, psychiatric)
    chosen = await choose(organisation_id, need, case["division"], tx, office, tried(referral))
    await pass_consent_gate(case, chosen.organisation["_id"], override_reason, caller, tx, office)
    if referral is None or ReferralState(referral["state"]) in ENDED:
        referral = new_referral(case, tx, office.policies.at(tx.now), chosen.organisation)
    if referral["organisation_id"] != chosen.organisation["_id"] or referral["state"] == ReferralState.drafted:
        referral.update(backup_id=chosen.organisation["backup_id"], attempt=1)
    case["decisions_needed"] = [about for about in case["decisions_needed"] if about != "referral_without_receiver"]
    referral.update(tier=case["tier"], psychiatric=psychiatric)
    put_before(referral, chosen, tx, office, caller.subject)
    note(case, tx, "referred", caller.subject, referral_id=referral["_id"])
    tx.put("cases", case)
    return referral


def tried(referral: Document | None) -> set[UUID]:
    """Who was silent or said no already."""
    back = (ReferralState.declined, ReferralState.expired)
    return {step["organisation_id"] for step in referral["history"] if step["state"] in back} if referral else set()


def _may_be_sent(referral: Document) -> None:
    if not allows(ReferralState(referral["state"]), ReferralState.sent):
        raise NotAllowed(f"a referral that is {referral['state']} cannot be sent")


async def refer_beside(
    case_id: UUID,
    kind: ReferralKind,
    organisation_id: UUID | None,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    programme: Programme | None = None,
    employer_id: UUID | None = None,
) -> Document:
    """A referral that runs beside the case's own: to the programme for severe mental disorders, or an employee's."""
    case = await seen_case(case_id, caller, tx)
    if kind is ReferralKind.treatment:
        raise Refused("wrong_kind", "the referral to treatment is the case's own: refer the case", "kind")
    if (kind is ReferralKind.severe_disorder_programme) != (programme is not None):
        raise Refused(
            "programme_misplaced", "the programme needs its risk level, and nothing else has one", "programme"
        )
    if (kind is ReferralKind.employee) != (employer_id is not None):
        raise Refused("employer_misplaced", "an employee's referral names the employer, and no other", "employer_id")
    if employer_id is not None:
        employer = await tx.get("organisations", employer_id)
        if employer is None or employer_id == organisation_id:
            raise Refused("unknown_employer", "there is no such employer, or it is the receiver", "employer_id")
    for other in await shelf.referrals_of_case(tx, case_id):
        if other["kind"] == kind.value and ReferralState(other["state"]) not in ENDED:
            raise NotAllowed(f"a referral of this kind is {other['state']} already", reason="already_referred")
    need = wanted(case, kind, psychiatric=False)
    chosen = await choose(organisation_id, need, case["division"], tx, office)
    await pass_consent_gate(case, chosen.organisation["_id"], override_reason, caller, tx, office)
    referral = new_referral(case, tx, office.policies.at(tx.now), chosen.organisation, kind)
    if employer_id is not None:
        referral["employer_id"] = employer_id
    if programme is not None:
        await _follow_programme(case, referral, programme, caller, tx, office)
    put_before(referral, chosen, tx, office, caller.subject)
    note(case, tx, "referred", caller.subject, referral_id=referral["_id"], referral_kind=kind.value)
    tx.put("cases", case)
    return referral


async def _follow_programme(
    case: Document, referral: Document, programme: Programme, caller: Caller, tx: Tx, office: Office
) -> None:
    """The programme's own times: within two weeks where it is unstable or the level is high; and the police is told."""
    rules = office.referral.at(tx.now).severe_disorder
    prompt = not programme.stable or programme.risk_level in rules.prompt_levels
    due_at = tx.now + timedelta(days=rules.prompt_days if prompt else rules.stable_days)
    referral["programme"] = {"risk_level": programme.risk_level, "stable": programme.stable, "follow_up_by": due_at}
    plan = await tx.get("plans", case["_id"]) or {
        "_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "policy": office.policies.at(tx.now).version,
        "follow_ups": [],
    }
    add_follow_up(plan, due_at, added_by=caller.subject)
    keep_plan(plan, tx)
    if programme.risk_level >= rules.police_from_level:
        need_decision(case, Matter.tell_police)


async def answer_referral(
    referral_id: UUID,
    state: ReferralState,
    reason: str | None,
    at: datetime | None,
    caller: Caller,
    tx: Tx,
    office: Office,
    feedback: Feedback | None = None,
) -> Document:
    """What the receiving institution says, by a named person of it. The same answer again changes nothing."""
    referral = await received_by(referral_id, caller, tx)
    present = ReferralState(referral["state"])
    if present is state and state is not ReferralState.scheduled:
        return referral
    if state not in ANSWERS or not allows(present, state):
        raise NotAllowed(f"a referral that is {present} cannot become {state}")
    case = await store.the_case(tx, referral["case_id"])
    referral["receiver"] = caller.subject
    referral.pop("reminder", None)
    match state:
        case ReferralState.declined if not reason:
            raise Refused("reason_missing", "declining needs a reason", "reason")
        case ReferralState.scheduled:
            if at is None:
                raise Refused("time_missing", "scheduling needs the time", "at")
            bound(at, "at", tx, office)
            referral["scheduled_at"] = at
        case ReferralState.unattended:
            referral["no_shows"] += 1
        case ReferralState.completed:
            await _keep_feedback(referral, case, feedback, caller, tx, office)
    move_referral(referral, tx, state, caller.subject, reason)
    is_open = case["state"] == "open"
    if state in ACCEPTED and is_open:
        await_outcome(referral, tx, office)
    elif state is not ReferralState.received:
        tx.cancel_timer("referral", referral_id)
    if state is ReferralState.declined:
        await bounce(referral, tx, office)
        case = await store.the_case(tx, referral["case_id"])
    if is_open:
        await need_next_step(case, tx)
        _tell_case(case, referral, state, caller, tx, office)
    return referral


def _tell_case(
    case: Document, referral: Document, state: ReferralState, caller: Caller, tx: Tx, office: Office
) -> None:
    """The case learns of it. From a number of missed visits on a supervisor decides, at high risk from the first."""
    missed = office.referral.at(tx.now).appointments.no_shows[Tier(case["tier"])]
    if state is ReferralState.unattended and referral["no_shows"] >= missed:
        need_decision(case, Matter.referral_unattended)
    note(case, tx, f"referral_{state}", caller.subject, referral_id=referral["_id"])
    tx.put("cases", case)


async def _keep_feedback(
    referral: Document, case: Document, feedback: Feedback | None, caller: Caller, tx: Tx, office: Office
) -> None:
    if feedback is None:
        raise Refused("feedback_missing", "a referral is completed with feedback, in codes", "feedback")
    referral["feedback"] = {
        "outcome": feedback.outcome.value,
        "next_step": feedback.next_step.value,
        "medication": feedback.medication.value,
        "has_text": feedback.text is not None,
        "by": caller.subject,
        "at": tx.now,
    }
    if feedback.text is not None:
        referral["person"] = seal_key(case)
        referral["sealed"] = await office.keys.seal(tx, referral["person"], {"text": feedback.text})


async def received_by(referral_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A referral that is before the caller's institution; a draft is none of its business yet. Raises `NotFound`."""
    referral = await store.the_referral(tx, referral_id)
    if institution_of(caller) != referral["organisation_id"] or referral["due_at"] is None:
        raise NotFound("there is no such referral")
    return referral


def shown_to_receiver(referral: Document) -> Document:
    """What the institution sees of a referral."""
    hidden = PROGRAMME_HIDES if referral["kind"] == ReferralKind.severe_disorder_programme else frozenset()
    shown = {name: referral[name] for name in SHOWN_TO_RECEIVER if name in referral and name not in hidden}
    if "programme" in shown:
        shown["programme"] = {"risk_level": referral["programme"]["risk_level"]}
    return shown


def as_left(referral: Document, institution: UUID | None) -> Document:
    """A referral as the institution that has just answered left it; where it went from there is not its business."""
    if referral["organisation_id"] == institution:
        return referral
    steps = [step for step in referral["history"] if step["organisation_id"] == institution]
    left = {"state": steps[-1]["state"], "organisation_id": institution, "history": steps}
    return {**referral, **left, "green_channel": False}


async def sent_by(referral_id: UUID, caller: Caller, tx: Tx) -> tuple[Document, Document]:
    """A referral and its case, for the office that owns the case; raises `NotFound`."""
    referral = await store.the_referral(tx, referral_id)
    return referral, await known_case(referral["case_id"], caller, tx)


async def cancel_referral(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The sender takes the case's own referral back."""
    case = await seen_case(case_id, caller, tx)
    if case["referral_id"] is None:
        raise NotFound("the case has no referral")
    return await withdraw_referral(case["referral_id"], reason, caller, tx)


async def withdraw_referral(referral_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The sender takes a referral back: it is cancelled, or revoked once a named person had received it."""
    referral = await store.the_referral(tx, referral_id)
    case = await seen_case(referral["case_id"], caller, tx)
    state = withdrawal(ReferralState(referral["state"]))
    if state is None:
        raise NotAllowed(f"a referral that is {referral['state']} cannot be cancelled")
    move_referral(referral, tx, state, caller.subject, reason)
    tx.cancel_timer("referral", referral["_id"])
    for visit in await shelf.visits_of_referral(tx, referral["_id"]):
        withdraw_visit(visit, tx)
    await need_next_step(case, tx)
    note(case, tx, f"referral_{state}", caller.subject, referral_id=referral["_id"])
    tx.put("cases", case)
    return referral


def withdraw_visit(visit: Document, tx: Tx) -> None:
    """Nobody needs to go along any more."""
    tx.put("accompanied_visits", {**visit, "state": "withdrawn", "ended_at": tx.now})
    tx.cancel_timer("accompanied_visit", visit["_id"])


async def end_around(case: Document, tx: Tx, by: str, reason: str) -> None:
    """The case ends: what is under way around it is withdrawn, and no timer outlives it.

    A visit that took place may still be completed with feedback, and what the person is to be told stays listed.
    """
    found = await shelf.unfinished_of_case(tx, case["_id"])
    for referral in found["referrals"]:
        state = withdrawal(ReferralState(referral["state"]))
        if state is not None:
            move_referral(referral, tx, state, by, reason)
        tx.cancel_timer("referral", referral["_id"])
    for consultation in found["consultations"]:
        tx.put("consultations", {**consultation, "state": "withdrawn", "ended_at": tx.now})
        tx.cancel_timer("consultation", consultation["_id"])
    for visit in found["accompanied_visits"]:
        withdraw_visit(visit, tx)
    for telling in found["tellings"]:
        tx.cancel_timer("telling", telling["_id"])
    transfer = await tx.get("transfers", case["transfer_id"]) if case.get("transfer_id") else None
    if transfer is not None and transfer["state"] == "requested":
        tx.put("transfers", {**transfer, "state": "withdrawn", "ended_at": tx.now, "reason_ended": reason})
        tx.cancel_timer("transfer", transfer["_id"])
        case["transfer_id"] = None


async def remind(referral_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The person was reminded of the appointment."""
    referral, case = await sent_by(referral_id, caller, tx)
    if (referral.get("reminder") or {}).get("state") != "due":
        raise NotAllowed("no reminder is due")
    referral["reminder"] = {**referral["reminder"], "state": "done", "by": caller.subject, "at": tx.now}
    tx.put("referrals", referral)
    note(case, tx, "reminded", caller.subject, referral_id=referral_id)
    tx.put("cases", case)
    return referral


async def read_feedback(referral_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """The feedback with its text, for who owns the case; the reading is in the audit log."""
    referral, case = await sent_by(referral_id, caller, tx)
    if "feedback" not in referral:
        raise NotFound("the referral has no feedback")
    text: str | None = None
    if referral.get("sealed") is not None:
        tx.record(
            actor=caller.subject,
            action="feedback_read",
            subject=str(referral_id),
            division=case["division"],
            reason=reason,
        )
        observe.PERSONAL_READS.labels("referral").inc()
        try:
            text = (await office.keys.open(tx, referral["person"], referral["sealed"]))["text"]
        except Unreadable:
            text = None
    return {"referral_id": referral_id, **referral["feedback"], "text": text}


async def attendance(referral_id: UUID, caller: Caller, tx: Tx) -> dict[str, Any]:
    """What an employer learns of an employee's referral, with the person's consent: attended or not, and no more."""
    referral = await store.the_referral(tx, referral_id)
    employer = referral.get("employer_id")
    if employer is None or institution_of(caller) != employer:
        raise NotFound("there is no such referral")
    case = await store.the_case(tx, referral["case_id"])
    if await consent_to(case, employer, Scope.attendance, tx) != "yes":
        raise NotFound("there is no such referral")
    said = {ReferralState.attended: "yes", ReferralState.completed: "yes", ReferralState.unattended: "no"}
    tx.record(
        actor=caller.subject,
        action="attendance_read",
        subject=str(referral_id),
        division=referral["division"],
        reason="consent",
    )
    return {"referral_id": referral_id, "attended": said.get(ReferralState(referral["state"]), "unknown")}


async def shared_contact(referral_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """How to reach the person, for the institution that has accepted, where the person agreed to that."""
    referral = await received_by(referral_id, caller, tx)
    if ReferralState(referral["state"]) not in ACCEPTED:
        raise NotAllowed("the contact is for who has accepted, until the referral is over")
    case = await store.the_case(tx, referral["case_id"])
    if await consent_to(case, referral["organisation_id"], Scope.contact, tx) != "yes":
        raise NotAllowed("the person has not agreed to share the contact with this unit", status=403)
    tx.record(
        actor=caller.subject,
        action="contact_shared",
        subject=str(referral_id),
        division=referral["division"],
        reason=reason,
        organisation_id=str(referral["organisation_id"]),
    )
    observe.PERSONAL_READS.labels("referral").inc()
    found: list[dict[str, Any]] = []
    for contact in await store.contacts_of(tx, case["_id"]):
        try:
            found.append(dict(await office.keys.open(tx, contact["person"], contact["sealed"])))
        except Unreadable:
            continue
    return {"referral_id": referral_id, "contacts": found}

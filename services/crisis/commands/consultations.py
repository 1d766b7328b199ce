"""A psychiatrist's opinion, or a family doctor's, asked for and given by named persons within a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Tier
from services.crisis import store
from services.crisis.case import need_decision, note, seal_key
from services.crisis.commands.referrals_consent import pass_consent_gate
from services.crisis.commands.rights import institution_of, known_case, seen_case
from services.crisis.domain.consultations import REFER, WAITING, Kind, Opinion, Sign, State, allows
from services.crisis.domain.matters import Matter
from services.crisis.domain.receivers import Wanted, in_force
from services.crisis.office import Office
from services.crisis.receiving import choose
from services.crisis.store.referrals import the

AT_ONCE = frozenset({Sign.self_harm, Sign.suicide, Sign.aggression, Sign.psychotic_symptoms})
"""Signs at which the times of a high risk hold, whatever the tier."""
KIND_OF_UNIT = {Kind.psychiatrist: "hospital", Kind.family_doctor: "primary_care"}


@dataclass(frozen=True)
class Given:
    """What the consulted person says; `text` is sealed under the person's key."""

    opinions: tuple[Opinion, ...]
    text: str | None = None


async def request_consultation(
    case_id: UUID,
    ident: UUID,
    kind: Kind,
    sign: Sign,
    organisation_id: UUID | None,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Ask for an opinion. `ident` is chosen by the client: the same request again is answered with what there is."""
    case = await seen_case(case_id, caller, tx)
    known = await tx.get("consultations", ident)
    if known is not None:
        if (known["case_id"], known["kind"], known["sign"]) != (case_id, kind.value, sign.value):
            raise NotAllowed("this id was used for another consultation", reason="id_reused", field="id")
        return known
    need = Wanted(
        minor=case["minor"],
        psychiatric=kind is Kind.psychiatrist,
        tier=case["tier"],
        kinds=frozenset({KIND_OF_UNIT[kind]}),
    )
    chosen = await choose(organisation_id, need, case["division"], tx, office)
    if kind is Kind.family_doctor and not in_force(chosen.profile or {}, local_day(tx.now)):
        raise Refused(
            "no_agreement", "this unit has no agreement in force with a psychiatric institution", "organisation_id"
        )
    await pass_consent_gate(case, chosen.organisation["_id"], override_reason, caller, tx, office)
    tier = max(Tier(case["tier"]), Tier.high, key=lambda one: one.rank) if sign in AT_ONCE else Tier(case["tier"])
    rules = office.referral.at(tx.now)
    consultation: Document = {
        "_id": ident,
        "case_id": case_id,
        "division": case["division"],
        "kind": kind.value,
        "sign": sign.value,
        "tier": tier.value,
        "organisation_id": chosen.organisation["_id"],
        "state": State.requested.value,
        "rules": rules.version,
        "requested_by": caller.subject,
        "requested_at": tx.now,
        "due_at": tx.now + timedelta(minutes=rules.consultation.answer_minutes[tier]),
        "by": None,
        "opinions": [],
        "reason": None,
        "ended_at": None,
    }
    tx.insert("consultations", consultation)
    tx.set_timer("consultation", ident, consultation["due_at"])
    note(case, tx, "consultation_requested", caller.subject, consultation_id=ident, sign=sign.value)
    tx.put("cases", case)
    return consultation


async def answer_consultation(
    consultation_id: UUID,
    state: State,
    reason: str | None,
    given: Given | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """What the consulted institution says, by a named person of it. The same answer again changes nothing."""
    consultation = await the(tx, "consultations", consultation_id, "consultation")
    if institution_of(caller) != consultation["organisation_id"]:
        raise NotFound("there is no such consultation")
    present = State(consultation["state"])
    if present is state and consultation["by"] == caller.subject:
        return consultation
    if state is State.withdrawn or not allows(present, state):
        raise NotAllowed(f"a consultation that is {present} cannot become {state}")
    case = await store.the_case(tx, consultation["case_id"])
    consultation.update(state=state.value, by=caller.subject)
    if state is State.accepted:
        minutes = office.referral.of(consultation["rules"]).consultation.done_minutes[Tier(consultation["tier"])]
        consultation["due_at"] = tx.now + timedelta(minutes=minutes)
        tx.set_timer("consultation", consultation_id, consultation["due_at"])
    else:
        consultation["ended_at"] = tx.now
        tx.cancel_timer("consultation", consultation_id)
    if state is State.declined:
        if not reason:
            raise Refused("reason_missing", "declining needs a reason", "reason")
        consultation["reason"] = reason
        need_decision(case, Matter.consultation_unanswered)
    if state is State.done:
        if given is None or not given.opinions:
            raise Refused("opinion_missing", "an opinion has at least one code", "opinions")
        consultation["opinions"] = [opinion.value for opinion in given.opinions]
        consultation["has_text"] = given.text is not None
        if given.text is not None:
            consultation["person"] = seal_key(case)
            consultation["sealed"] = await office.keys.seal(tx, consultation["person"], {"text": given.text})
        about = Matter.consultation_unanswered
        case["decisions_needed"] = [other for other in case["decisions_needed"] if other != about]
        if REFER.intersection(given.opinions):
            need_decision(case, Matter.referral_advised)
    tx.put("consultations", consultation)
    note(case, tx, f"consultation_{state}", caller.subject, consultation_id=consultation_id)
    tx.put("cases", case)
    return consultation


async def withdraw_consultation(consultation_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """Who asked does not need it any more."""
    consultation = await the(tx, "consultations", consultation_id, "consultation")
    case = await seen_case(consultation["case_id"], caller, tx)
    if not allows(State(consultation["state"]), State.withdrawn):
        raise NotAllowed(f"a consultation that is {consultation['state']} cannot be withdrawn")
    consultation.update(state=State.withdrawn.value, reason=reason, ended_at=tx.now)
    tx.put("consultations", consultation)
    tx.cancel_timer("consultation", consultation_id)
    note(case, tx, "consultation_withdrawn", caller.subject, consultation_id=consultation_id)
    tx.put("cases", case)
    return consultation


async def read_opinion(consultation_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """The opinion with its text, for who has the case; the reading is in the audit log."""
    consultation = await the(tx, "consultations", consultation_id, "consultation")
    case = await known_case(consultation["case_id"], caller, tx)
    if consultation["state"] != State.done:
        raise NotFound("there is no opinion yet")
    text: str | None = None
    if consultation.get("sealed") is not None:
        tx.record(
            actor=caller.subject,
            action="opinion_read",
            subject=str(consultation_id),
            division=case["division"],
            reason=reason,
        )
        observe.PERSONAL_READS.labels("consultation").inc()
        try:
            text = (await office.keys.open(tx, consultation["person"], consultation["sealed"]))["text"]
        except Unreadable:
            text = None
    return {"consultation_id": consultation_id, "opinions": consultation["opinions"], "text": text}


def shown_to_consulted(consultation: Document) -> Document:
    """What the consulted institution sees: why and until when, and no case."""
    hidden = {"case_id", "requested_by", "person", "sealed", "rules"}
    return {name: value for name, value in consultation.items() if name not in hidden}


async def consultation_due(consultation_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody answered, or no opinion came in time: a supervisor decides, and is asked again until something is done."""
    consultation = await tx.get("consultations", consultation_id)
    if consultation is None or State(consultation["state"]) not in WAITING:
        return
    if consultation["due_at"] > tx.now:
        tx.set_timer("consultation", consultation_id, consultation["due_at"])
        return
    case = await store.the_case(tx, consultation["case_id"])
    if Matter.consultation_unanswered not in case["decisions_needed"]:
        need_decision(case, Matter.consultation_unanswered)
        note(case, tx, "consultation_unanswered", "policy", consultation_id=consultation_id)
        tx.put("cases", case)
    hours = office.referral.at(tx.now).appointments.ask_again_hours
    consultation["due_at"] = tx.now + timedelta(hours=hours)
    tx.put("consultations", consultation)
    tx.set_timer("consultation", consultation_id, consultation["due_at"])

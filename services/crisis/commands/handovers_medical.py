"""Medication records at discharge: sent under seal to the home district's primary unit, whose receipt a named person
confirms, or a supervisor is asked.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.crisis import ReferralState
from services.crisis import store
from services.crisis.case import need_decision, note, seal_key
from services.crisis.commands.referrals import received_by
from services.crisis.commands.rights import institution_of, known_case
from services.crisis.domain.handovers_medical import State, allows, unit_for
from services.crisis.domain.matters import Matter
from services.crisis.office import Office
from services.crisis.store.referrals import the, units_of

UNIT = "primary_care"
DISCHARGING = frozenset(
    {ReferralState.accepted, ReferralState.scheduled, ReferralState.attended, ReferralState.completed}
)


async def hand_over(
    referral_id: UUID,
    ident: UUID,
    home: str,
    packet: dict[str, Any],
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """The treating institution hands the medication records over to the primary unit of the home division.

    `ident` is chosen by the client; the same again is answered with what there is. `packet` is sealed under the
    person's key and read by nobody but the named receiver.
    """
    referral = await received_by(referral_id, caller, tx)
    case = await store.the_case(tx, referral["case_id"])
    digest = office.digest(json.dumps({"home": home, **packet}, sort_keys=True))
    known = await tx.get("medication_hand_overs", ident)
    if known is not None:
        if (known["referral_id"], known["digest"]) != (referral_id, digest):
            raise NotAllowed("this id was used for another hand-over", reason="id_reused", field="id")
        return known
    if ReferralState(referral["state"]) not in DISCHARGING:
        raise NotAllowed(f"a referral that is {referral['state']} has no discharge")
    unit = await _unit(home, tx)
    person = seal_key(case)
    sealed = await office.keys.seal(tx, person, {name: json.dumps(value) for name, value in packet.items()})
    document: Document = {
        "_id": ident,
        "case_id": case["_id"],
        "referral_id": referral_id,
        "division": case["division"],
        "home": home,
        "from_organisation_id": referral["organisation_id"],
        "organisation_id": unit["_id"],
        "state": State.sent.value,
        "medications": len(packet["medications"]),
        "person": person,
        "sealed": sealed,
        "digest": digest,
        "by": caller.subject,
        "sent_at": tx.now,
        "received_by": None,
        "received_at": None,
        "history": [],
    }
    tx.insert("medication_hand_overs", document)
    _send(document, caller.subject, tx, office)
    _note(case, tx, "hand_over_sent", caller.subject, ident)
    return document


async def _unit(home: str, tx: Tx) -> Document:
    if await tx.get("divisions", home) is None:
        raise Refused("unknown_division", f"there is no division {home}", "home_division")
    unit = unit_for(home, await units_of(tx, home[:6], UNIT))
    if unit is None:
        raise Refused("no_primary_unit", f"no primary unit receives for {home}", "home_division")
    return unit


def _send(document: Document, by: str, tx: Tx, office: Office) -> None:
    document["state"] = State.sent.value
    document["due_at"] = tx.now + timedelta(hours=office.referral.at(tx.now).hand_over.receipt_hours)
    document["history"] = [
        *document["history"],
        {"at": tx.now, "state": "sent", "by": by, "organisation_id": document["organisation_id"]},
    ][-50:]
    tx.put("medication_hand_overs", document)
    tx.set_timer("medical_hand_over", document["_id"], document["due_at"])


def _note(case: Document, tx: Tx, kind: str, by: str, ident: UUID) -> None:
    note(case, tx, kind, by, hand_over_id=ident)
    tx.put("cases", case)


async def confirm_receipt(hand_over_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A named person of the primary unit has it: only this is receipt. The same person again changes nothing."""
    document = await _of_unit(hand_over_id, caller, tx)
    if document["state"] == State.received and document["received_by"] == caller.subject:
        return document
    if not allows(State(document["state"]), State.received):
        raise NotAllowed(f"a hand-over that is {document['state']} cannot be received")
    document.update(state=State.received.value, received_by=caller.subject, received_at=tx.now)
    tx.put("medication_hand_overs", document)
    tx.cancel_timer("medical_hand_over", hand_over_id)
    case = await store.the_case(tx, document["case_id"])
    about = Matter.hand_over_unconfirmed
    case["decisions_needed"] = [other for other in case["decisions_needed"] if other != about]
    _note(case, tx, "hand_over_received", caller.subject, hand_over_id)
    return document


async def open_packet(hand_over_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """The medication records in plain, for the unit that confirmed receipt; the reading is in the audit log."""
    document = await _of_unit(hand_over_id, caller, tx)
    if document["state"] != State.received:
        raise NotAllowed("confirm the receipt first")
    tx.record(
        actor=caller.subject,
        action="medication_read",
        subject=str(hand_over_id),
        division=document["division"],
        reason=reason,
    )
    observe.PERSONAL_READS.labels("hand_over").inc()
    try:
        fields = await office.keys.open(tx, document["person"], document["sealed"])
    except Unreadable as error:
        raise NotFound("the records were erased") from error
    return {"hand_over_id": hand_over_id, **{name: json.loads(value) for name, value in fields.items()}}


async def send_again(
    hand_over_id: UUID, home: str | None, reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """A supervisor's decision after silence: once more to the same unit, or to that of another division."""
    document = await the(tx, "medication_hand_overs", hand_over_id, "hand-over")
    case = await known_case(document["case_id"], caller, tx)
    if not allows(State(document["state"]), State.sent):
        raise NotAllowed(f"a hand-over that is {document['state']} cannot be sent again")
    if home is not None:
        unit = await _unit(home, tx)
        document.update(home=home, organisation_id=unit["_id"])
    _send(document, caller.subject, tx, office)
    about = Matter.hand_over_unconfirmed
    case["decisions_needed"] = [other for other in case["decisions_needed"] if other != about]
    tx.record(
        actor=caller.subject,
        action="hand_over_sent_again",
        subject=str(hand_over_id),
        division=case["division"],
        reason=reason,
    )
    _note(case, tx, "hand_over_sent", caller.subject, hand_over_id)
    return document


async def _of_unit(hand_over_id: UUID, caller: Caller, tx: Tx) -> Document:
    document = await the(tx, "medication_hand_overs", hand_over_id, "hand-over")
    if institution_of(caller) != document["organisation_id"]:
        raise NotFound("there is no such hand-over")
    return document


def shown(document: Document) -> Document:
    """A hand-over without what it holds."""
    return {name: value for name, value in document.items() if name not in ("sealed", "person", "digest")}


def shown_to_unit(document: Document) -> Document:
    """What the primary unit sees before it opens the packet; no case."""
    return {name: value for name, value in shown(document).items() if name not in ("case_id", "referral_id")}


async def hand_over_due(hand_over_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody confirmed the receipt: it shows as overdue, and a supervisor decides.

    The timer belongs to the hand-over and not to the case, which may well be closed by the day of discharge.
    """
    document = await tx.get("medication_hand_overs", hand_over_id)
    if document is None or document["state"] != State.sent:
        return
    if document["due_at"] > tx.now:
        tx.set_timer("medical_hand_over", hand_over_id, document["due_at"])
        return
    document["state"] = State.overdue.value
    document["history"] = [*document["history"], {"at": tx.now, "state": "overdue", "by": "policy"}][-50:]
    tx.put("medication_hand_overs", document)
    case = await store.the_case(tx, document["case_id"])
    if case["state"] == "open":
        need_decision(case, Matter.hand_over_unconfirmed)
    _note(case, tx, "hand_over_overdue", "policy", hand_over_id)

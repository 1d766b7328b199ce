"""An act in progress: who was called out by whom, whether they are with the person, or a second person's all-clear."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import (
    CallOutKind,
    CallOutPartyCalled,
    CallOutPartyConfirmed,
    EmergencyContactConfirmed,
    EmergencyService,
    EmergencyServiceCalled,
)
from services.crisis.case import need_next_step, note
from services.crisis.commands.rights import role_of, seen_case
from services.crisis.office import Office

UNCONFIRMED = ("required", "called", "unconfirmed")
"""An act in progress, and nobody has said yet that help is with the person."""

CALLS = 200
"""The latest calls that a case keeps; more than a week of the clock's last step."""


class CallOutcome(StrEnum):
    """What became of a call to an emergency service or an office."""

    pending = "pending"
    confirmed = "confirmed"
    no_answer = "no_answer"
    nobody_free = "nobody_free"
    not_found = "not_found"
    refused = "refused"


async def call_emergency(
    case_id: UUID,
    service: EmergencyService | CallOutKind,
    caller: Caller,
    tx: Tx,
    office: Office,
    party_id: UUID | None = None,
    reference: str | None = None,
    ident: UUID | None = None,
) -> Document:
    """A named person has called an emergency service or an office out; that they are with the person has to be
    confirmed in time, or the next of the chain is called. A further call gives no further time.

    The same `ident` with the same content is the same call.
    """
    case = await seen_case(case_id, caller, tx)
    kind = CallOutKind(service.value)
    said = {"by": caller.subject, "service": kind.value, "party_id": party_id, "reference": reference}
    calls = case["emergency"].get("calls", [])
    told = next((call for call in calls if call["id"] == ident), None)
    if told is not None:
        if any(told[name] != value for name, value in said.items()):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return case
    if party_id is not None:
        await _check_party(party_id, kind, case, tx)
    confirm_by = tx.now + timedelta(minutes=office.policies.of(case["policy"]).emergency.confirm_minutes)
    present = case["emergency"]
    opened = present["state"] in UNCONFIRMED
    if present["state"] in ("called", "unconfirmed"):
        confirm_by = min(confirm_by, present["due_at"])
    step = present["step"] if opened else 0
    call: Document = {
        "id": ident or new_id(),
        "at": tx.now,
        **said,
        "role": role_of(caller),
        "step": step,
        "outcome": CallOutcome.pending.value,
        "told_by": None,
        "told_at": None,
    }
    case["emergency"] = {
        **present,
        "state": "called",
        "step": step,
        "role": present["role"] if opened else office.policies.of(case["policy"]).emergency.role(0),
        "service": kind.value,
        "called_by": caller.subject,
        "called_at": tx.now,
        "due_at": confirm_by,
        "calls": [*calls, call][-CALLS:],
    }
    tx.set_timer("emergency", case_id, confirm_by)
    note(case, tx, "emergency_called", caller.subject, service=kind.value, party_id=party_id, call_id=call["id"])
    fields = {**tx.stamp(case["division"]), "case_id": case_id, "division": case["division"], "confirm_by": confirm_by}
    if kind.value in EmergencyService.__members__:
        tx.emit(EmergencyServiceCalled(**fields, service=EmergencyService(kind.value)))
    else:
        tx.emit(CallOutPartyCalled(**fields, party=kind, party_id=party_id))
    tx.put("cases", case)
    return case


async def _check_party(party_id: UUID, kind: CallOutKind, case: Document, tx: Tx) -> None:
    party = await tx.get("call_out_parties", party_id)
    if party is None or party["withdrawn_at"] is not None or not case["division"].startswith(party["division"]):
        raise Refused("unknown_party", "the division's directory has no such party", "party_id")
    if party["kind"] != kind.value:
        raise Refused("another_kind", f"this party is a {party['kind']}", "party_id")


async def confirm_emergency(case_id: UUID, caller: Caller, tx: Tx, call_id: UUID | None = None) -> Document:
    """Who was called said that they are with the person; without `call_id` it is the latest call."""
    case = await seen_case(case_id, caller, tx)
    emergency = case["emergency"]
    if emergency["state"] not in ("called", "unconfirmed"):
        raise NotAllowed("no emergency service was called")
    call = _call_of(emergency, call_id)
    call.update(outcome=CallOutcome.confirmed.value, told_by=caller.subject, told_at=tx.now)
    case["emergency"] = {
        **emergency,
        "state": "confirmed",
        "service": call["service"],
        "confirmed_by": caller.subject,
        "confirmed_at": tx.now,
    }
    tx.cancel_timer("emergency", case_id)
    note(case, tx, "emergency_confirmed", caller.subject, service=call["service"], call_id=call["id"])
    fields = {**tx.stamp(case["division"]), "case_id": case_id, "division": case["division"]}
    if call["service"] in EmergencyService.__members__:
        tx.emit(EmergencyContactConfirmed(**fields, service=EmergencyService(call["service"])))
    else:
        party = CallOutKind(call["service"])
        tx.emit(CallOutPartyConfirmed(**fields, party=party, party_id=call["party_id"]))
    await need_next_step(case, tx)
    tx.put("cases", case)
    return case


async def call_failed(
    case_id: UUID, call_id: UUID, outcome: CallOutcome, caller: Caller, tx: Tx, office: Office
) -> Document:
    """A call that brings nobody: the next of the chain is called at once, and not when the time is over."""
    case = await seen_case(case_id, caller, tx)
    emergency = case["emergency"]
    if emergency["state"] not in ("called", "unconfirmed"):
        raise NotAllowed("no emergency service was called")
    call = _call_of(emergency, call_id)
    if call["outcome"] == outcome.value:
        return case
    if call["outcome"] != CallOutcome.pending:
        raise NotAllowed(f"what became of this call is known: {call['outcome']}")
    call.update(outcome=outcome.value, told_by=caller.subject, told_at=tx.now)
    note(case, tx, "emergency_call_failed", caller.subject, service=call["service"], outcome=outcome.value)
    if all(other["outcome"] != CallOutcome.pending for other in emergency["calls"]):
        case["emergency"] = {**emergency, "state": "unconfirmed", "due_at": tx.now}
        tx.set_timer("emergency", case_id, tx.now)
    tx.put("cases", case)
    return case


def _call_of(emergency: Document, call_id: UUID | None) -> Document:
    calls: list[Document] = emergency["calls"]
    found = calls[-1] if call_id is None else next((call for call in calls if call["id"] == call_id), None)
    if found is None:
        raise NotFound("there is no such call")
    return found


async def stand_down(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """No emergency service is needed after all: a supervisor says so, who is not the one that took the case."""
    case = await seen_case(case_id, caller, tx)
    if case["emergency"]["state"] not in UNCONFIRMED:
        raise NotAllowed("no emergency is open")
    if case["acknowledgement"]["state"] != "acknowledged":
        raise NotAllowed("nobody has acknowledged this case")
    if case["acknowledgement"]["by"] == caller.subject:
        raise NotAllowed("standing down takes a second person", status=403)
    case["emergency"] = {**case["emergency"], "state": "stood_down", "by": caller.subject, "at": tx.now}
    tx.cancel_timer("emergency", case_id)
    note(case, tx, "emergency_stood_down", caller.subject)
    await need_next_step(case, tx)
    tx.record(
        actor=caller.subject,
        action="emergency_stood_down",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
    )
    tx.put("cases", case)
    return case

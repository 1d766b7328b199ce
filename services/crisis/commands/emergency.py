"""An act in progress: the emergency service called, its contact confirmed, or stood down by a second person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.crisis import (
    EmergencyContactConfirmed,
    EmergencyService,
    EmergencyServiceCalled,
)
from services.crisis.case import (
    note,
)
from services.crisis.commands.rights import seen_case
from services.crisis.office import Office

UNCONFIRMED = ("required", "called", "unconfirmed")
"""An act in progress, and nobody has said yet that help is with the person."""


async def call_emergency(case_id: UUID, service: EmergencyService, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person has called 110 or 120; that they are with the person has to be confirmed in time."""
    case = await seen_case(case_id, caller, tx)
    policy = office.policies.of(case["policy"]).emergency
    confirm_by = tx.now + timedelta(minutes=policy.confirm_minutes)
    case["emergency"] = {
        **case["emergency"],
        "state": "called",
        "step": 0,
        "role": policy.chain[0],
        "service": service.value,
        "called_by": caller.subject,
        "called_at": tx.now,
        "due_at": confirm_by,
    }
    tx.set_timer("emergency", case_id, confirm_by)
    note(case, tx, "emergency_called", caller.subject, service=service.value)
    tx.emit(
        EmergencyServiceCalled(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            service=service,
            confirm_by=confirm_by,
        )
    )
    tx.put("cases", case)
    return case


async def confirm_emergency(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The emergency service said that it is with the person."""
    case = await seen_case(case_id, caller, tx)
    emergency = case["emergency"]
    if emergency["state"] not in ("called", "unconfirmed"):
        raise NotAllowed("no emergency service was called")
    case["emergency"] = {**emergency, "state": "confirmed", "confirmed_by": caller.subject, "confirmed_at": tx.now}
    tx.cancel_timer("emergency", case_id)
    note(case, tx, "emergency_confirmed", caller.subject)
    tx.emit(
        EmergencyContactConfirmed(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            service=EmergencyService(emergency["service"]),
        )
    )
    tx.put("cases", case)
    return case


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
    tx.record(
        actor=caller.subject,
        action="emergency_stood_down",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
    )
    tx.put("cases", case)
    return case

"""Calls that volunteers took, as matching tells them: each is closed with hours, or called off."""

from __future__ import annotations

import uuid

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.matching import OfferAccepted
from contracts.registry import ServiceAssigned
from services.registry.domain.service_records_assignments import State, allows
from services.registry.store import service_records as kept


async def open_assignment(event: OfferAccepted, tx: Tx) -> None:
    """The responder took the call; an offer is accepted once.

    A call that goes on under another entry of the person is the same call, under the offer by which it was first taken:
    while it waits for its hours, it is of the entry that holds it. The two may be told in any order.
    """
    ident = event.takes_over or event.offer_id
    known = await kept.assignment(tx, ident)
    if known is not None:
        later = event.takes_over is not None and event.occurred_at >= (known.get("moved_at") or known["accepted_at"])
        if later and State(known["state"]) is State.open and known["volunteer_id"] != event.responder_id:
            _write(tx, {**known, "volunteer_id": event.responder_id, "moved_at": event.occurred_at})
        return
    _write(
        tx,
        {
            "_id": ident,
            "revision": 0,
            "volunteer_id": event.responder_id,
            "division": event.division,
            "accepted_at": event.occurred_at,
            "state": State.open.value,
            "record_id": None,
            "closed_by": None,
        },
    )


def close_assignment(tx: Tx, assignment: Document, to: State, by: str, record_id: object = None) -> Document:
    """The hours are written down, or there were none; the same again changes nothing."""
    present = State(assignment["state"])
    if present is to and assignment["record_id"] == record_id:
        return assignment
    if not allows(present, to):
        raise NotAllowed(f"这次派单已是 {present.value}")
    return _write(tx, {**assignment, "state": to.value, "record_id": record_id, "closed_by": by})


async def move_hours(tx: Tx, corrected: Document, record_id: uuid.UUID) -> None:
    """The hours of a call are those of the record that took the place of the wrong one."""
    ident = corrected["assignment_id"]
    assignment = await kept.assignment(tx, ident) if ident is not None else None
    if assignment is not None and assignment["record_id"] == corrected["_id"]:
        _write(tx, {**assignment, "record_id": record_id})


def _write(tx: Tx, before: Document) -> Document:
    document = {**before, "revision": before["revision"] + 1}
    tx.put("service_assignments", document)
    tx.emit(
        ServiceAssigned(
            **tx.stamp(document["division"]),
            assignment_id=document["_id"],
            revision=document["revision"],
            volunteer_id=document["volunteer_id"],
            division=document["division"],
            state=document["state"],
            record_id=document["record_id"],
        )
    )
    return document

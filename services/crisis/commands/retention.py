"""How long a closed case is kept: its class, a legal hold, and what the clock does when the time has come."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import note
from services.crisis.commands.retention_erasing import OF_A_CASE, erase, held
from services.crisis.domain.records import RecordClass
from services.crisis.office import Office

TIMER = "retention"
ENDED = ("closed", "merged")


def keep_closed(case: Document, tx: Tx, office: Office) -> None:
    """A case has ended: from now on its retention runs."""
    policy = office.records.at(tx.now)
    kind = RecordClass(case.get("record_class", RecordClass.hotline))
    if case.get("outcome") == "opened_in_error":
        kind = RecordClass.opened_in_error
    case["record_class"] = kind.value
    case["retention"] = {
        "policy": policy.version,
        "personal_until": policy.personal_until(kind, tx.now),
        "record_until": policy.record_until(kind, tx.now),
        "stripped_at": None,
    }
    tx.set_timer(TIMER, case["_id"], case["retention"]["personal_until"])


def keep_open(case: Document, tx: Tx) -> None:
    """A case was opened again: nothing of it is too old."""
    case["retention"] = None
    tx.cancel_timer(TIMER, case["_id"])


async def classify_record(
    case_id: UUID, kind: RecordClass, reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Which law the record is kept under; for a closed case the times follow at once."""
    case = await _in_division(case_id, caller, tx)
    case["record_class"] = kind.value
    if case["state"] in ENDED and case["retention"]["stripped_at"] is None:
        policy = office.records.at(tx.now)
        closed_at = case["closed_at"]
        case["retention"] = {
            **case["retention"],
            "policy": policy.version,
            "personal_until": policy.personal_until(kind, closed_at),
            "record_until": policy.record_until(kind, closed_at),
        }
        tx.set_timer(TIMER, case_id, case["retention"]["personal_until"])
    note(case, tx, "record_classified", caller.subject, record_class=kind.value)
    tx.record(
        actor=caller.subject,
        action="record_classified",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        record_class=kind.value,
    )
    tx.put("cases", case)
    return case


async def hold(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """A legal hold: nothing of the case is erased or deleted until it is released."""
    case = await _in_division(case_id, caller, tx)
    if await tx.get("holds", case_id) is not None:
        raise NotAllowed("the case is held already")
    holding: Document = {
        "_id": case_id,
        "division": case["division"],
        "by": caller.subject,
        "at": tx.now,
        "reason": reason,
    }
    tx.insert("holds", holding)
    note(case, tx, "held", caller.subject)
    tx.put("cases", case)
    tx.record(
        actor=caller.subject, action="record_held", subject=str(case_id), division=case["division"], reason=reason
    )
    return holding


async def release_hold(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """Another person than the one who held it lets the clock run again; what is due is done at once."""
    case = await _in_division(case_id, caller, tx)
    holding = await tx.get("holds", case_id)
    if holding is None:
        raise NotAllowed("the case is not held")
    if holding["by"] == caller.subject:
        raise NotAllowed("releasing a hold takes another person", status=403)
    tx.delete("holds", case_id)
    note(case, tx, "hold_released", caller.subject)
    tx.put("cases", case)
    tx.record(
        actor=caller.subject,
        action="record_hold_released",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
    )
    ended: Document | None = case
    while ended is not None and ended["state"] in ENDED:  # the hold stopped the case that it was merged into as well
        tx.set_timer(TIMER, ended["_id"], tx.now)
        ended = await tx.get("cases", ended["merged_into"]) if ended.get("merged_into") is not None else None
    return case


async def retention_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """First what is personal is erased, then, when its own time has come, the record. A hold stops both."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] not in ENDED or await held([case], tx):
        return
    times = case["retention"]
    due_at = times["personal_until"] if times["stripped_at"] is None else times["record_until"]
    if due_at > tx.now:
        tx.set_timer(TIMER, case_id, due_at)
        return
    if times["stripped_at"] is None:
        await erase([case], tx, office, pseudonyms=True)
        case["retention"] = {**times, "stripped_at": tx.now}
        note(case, tx, "personal_part_erased", "policy")
        tx.put("cases", case)
        tx.set_timer(TIMER, case_id, times["record_until"])
        action = "personal_part_erased"
    else:
        await _delete(case, tx)
        action = "record_deleted"
    tx.record(
        actor="policy",
        action=action,
        subject=str(case_id),
        division=case["division"],
        reason=f"{case['record_class']}, {times['policy']}",
    )


async def _delete(case: Document, tx: Tx) -> None:
    for collection, field in OF_A_CASE.items():
        for document in await store.records.of_case(tx, collection, field, case["_id"]):
            tx.delete(collection, document["_id"])
    tx.delete("cases", case["_id"])


async def _in_division(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    return case

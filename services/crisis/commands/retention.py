"""How long a closed case is kept: its class, a legal hold, and what the clock does when the time has come."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import note, seal_key
from services.crisis.domain.records import RecordClass
from services.crisis.office import Office

TIMER = "retention"
ENDED = ("closed", "merged")

OF_A_CASE: dict[str, str] = {
    "plans": "_id",
    "referrals": "case_id",
    "contacts": "case_id",
    "assessments": "case_id",
    "readings": "case_id",
    "emergency_access": "case_id",
    "sections": "case_id",
    "plan_versions": "case_id",
    "encounters": "case_id",
    "care_records": "_id",
    "guardians": "_id",
    "flag_rows": "case_id",
    "consents": "case_id",
    "tellings": "case_id",
    "transfers": "case_id",
    "consultations": "case_id",
    "accompanied_visits": "case_id",
    "medication_hand_overs": "case_id",
    "hand_over_notes": "case_id",
    "notices": "case_id",
}
"""Where else documents of a case lie: the collection, and the field that names the case."""


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
    held: Document = {
        "_id": case_id,
        "division": case["division"],
        "by": caller.subject,
        "at": tx.now,
        "reason": reason,
    }
    tx.insert("holds", held)
    note(case, tx, "held", caller.subject)
    tx.put("cases", case)
    tx.record(
        actor=caller.subject, action="record_held", subject=str(case_id), division=case["division"], reason=reason
    )
    return held


async def release_hold(case_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """Another person than the one who held it lets the clock run again; what is due is done at once."""
    case = await _in_division(case_id, caller, tx)
    held = await tx.get("holds", case_id)
    if held is None:
        raise NotAllowed("the case is not held")
    if held["by"] == caller.subject:
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
    if case["state"] in ENDED:
        tx.set_timer(TIMER, case_id, tx.now)
    return case


async def retention_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """First what is personal is erased, then, when its own time has come, the record. A hold stops both."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] not in ENDED or await tx.get("holds", case_id) is not None:
        return
    times = case["retention"]
    due_at = times["personal_until"] if times["stripped_at"] is None else times["record_until"]
    if due_at > tx.now:
        tx.set_timer(TIMER, case_id, due_at)
        return
    if times["stripped_at"] is None:
        await strip(case, tx, office)
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


async def strip(case: Document, tx: Tx, office: Office) -> None:
    """Erase what is personal of a case. A key that other cases of the person still need stays until theirs are done,
    and so whatever was sealed for this case goes too.
    """
    persons = {contact["person"] for contact in await store.contacts_of(tx, case["_id"])}
    if case["person"] is not None or case["flags"]:  # one that was merged has given its flags away
        persons.add(seal_key(case))
    for person in sorted(persons, key=str):
        if not await store.records.needed_elsewhere(tx, person, case["_id"]):
            await office.keys.erase(tx, person)
    for collection, field in OF_A_CASE.items():
        for document in await store.records.of_case(tx, collection, field, case["_id"]):
            if collection == "contacts":
                tx.delete(collection, document["_id"])
            elif (rest := without_sealed(document)) != document:
                tx.put(collection, rest)
    case["flags"] = [{**row, "contact_state": "erased"} for row in case["flags"]]
    if case["person"] is not None:
        await _forget_person(case, tx)


def without_sealed(value: Any) -> Any:
    """A document without what was sealed in it, however deep: sealed things are bytes, and nothing else is."""
    if isinstance(value, dict):
        return {name: without_sealed(inner) for name, inner in value.items() if not isinstance(inner, bytes)}
    if isinstance(value, list):
        return [without_sealed(inner) for inner in value if not isinstance(inner, bytes)]
    return value


async def _forget_person(case: Document, tx: Tx) -> None:
    """The pseudonym leaves the case, so that nothing joins what happened to who it was."""
    person = await tx.get("persons", case["person"])
    if person is not None:
        rest = [other for other in person["cases"] if other != case["_id"]]
        if rest or person["case_id"] is not None:
            tx.put("persons", {**person, "cases": rest})
        else:
            tx.delete("persons", person["_id"])
    case["person"] = None


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

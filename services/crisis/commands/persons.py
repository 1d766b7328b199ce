"""A person across contacts: the marks that whoever meets the person next should see, and the other cases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import note
from services.crisis.commands.reasons import sealed_reason, with_reason
from services.crisis.commands.rights import known_case, trusted
from services.crisis.domain.codes import MarkKind
from services.crisis.domain.persons import live, with_mark
from services.crisis.office import Office

ABOUT = ("_id", "division", "state", "tier", "opened_at", "closed_at", "outcome")
"""What is told of another case of the same person in the reader's own division."""


async def set_mark(
    case_id: UUID,
    ident: UUID,
    kind: MarkKind,
    hours: int | None,
    reason: str,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Mark the person of a case for one of the durations that the policy has for such a mark; the first by default.

    A mark of the same kind that still holds gives way. The same id again is one mark.
    """
    case = await known_case(case_id, caller, tx)
    person = await _the_person(case, tx)
    known: Document | None = next((mark for mark in person["marks"] if mark["id"] == ident), None)
    rule = office.record.at(tx.now).marks[kind]
    if hours is not None and hours not in rule.hours:
        told = ", ".join(str(one) for one in rule.hours)
        raise Refused("duration_not_allowed", f"such a mark lasts one of {told} hours", "hours")
    if known is not None:
        if (known["kind"], known["hours"], known["by"]) != (kind.value, hours or rule.hours[0], caller.subject):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    if rule.by == "supervisor":
        caller.needs("supervisor", "district_centre")
    lasts = hours or rule.hours[0]
    mark: Document = {
        "id": ident,
        "kind": kind.value,
        "hours": lasts,
        "by": caller.subject,
        "at": tx.now,
        "until": tx.now + timedelta(hours=lasts),
        **await sealed_reason(person["_id"], reason, tx, office),
        "ended_at": None,
        "ended_by": None,
    }
    tx.put("persons", {**person, "marks": with_mark(person["marks"], mark, tx.now)})
    note(case, tx, "mark_set", caller.subject, mark=kind.value, until=mark["until"])
    tx.put("cases", case)
    tx.record(
        actor=caller.subject,
        action="mark_set",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        mark=kind.value,
        hours=lasts,
    )
    return mark


async def end_mark(case_id: UUID, mark_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """A mark ends before its time; one that has ended stays so."""
    case = await known_case(case_id, caller, tx)
    for person in await store.persons.persons_of(tx, case):
        mark: Document | None = next((one for one in person["marks"] if one["id"] == mark_id), None)
        if mark is None:
            continue
        if mark["ended_at"] is not None or mark["until"] <= tx.now:
            return mark
        ended = {**mark, "ended_at": tx.now, "ended_by": caller.subject}
        marks = [ended if one["id"] == mark_id else one for one in person["marks"]]
        tx.put("persons", {**person, "marks": marks})
        note(case, tx, "mark_ended", caller.subject, mark=mark["kind"])
        tx.put("cases", case)
        tx.record(
            actor=caller.subject,
            action="mark_ended",
            subject=str(case_id),
            division=case["division"],
            reason=reason,
            mark=mark["kind"],
        )
        return ended
    raise NotFound("there is no such mark")


async def person_of(case_id: UUID, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """The marks that hold, and the person's other cases: those of the caller's division, and that there are others.

    Of a case elsewhere nothing is told but whether it is open. One case of the strict class within the division is
    told of in the same way, unless the caller may see it.
    """
    case = await known_case(case_id, caller, tx)
    persons = await store.persons.persons_of(tx, case)
    keys = {key for person in persons for key in person["cases"]} - {case_id}
    await tx.load("cases", sorted(keys, key=str))
    others = [other for key in sorted(keys, key=str) if (other := await tx.get("cases", key)) is not None]
    others = [other for other in others if other["state"] != "merged"]
    others.sort(key=lambda other: (other["opened_at"], str(other["_id"])), reverse=True)
    here = [other for other in others if caller.sees(other["division"]) and trusted(other, caller)]
    elsewhere = [other for other in others if other not in here]
    return {
        "known": bool(persons),
        "marks": [await with_reason(mark, tx, office) for person in persons for mark in live(person["marks"], tx.now)],
        "cases": [{("id" if name == "_id" else name): other.get(name) for name in ABOUT} for other in here],
        "elsewhere": {
            "open": sum(other["state"] == "open" for other in elsewhere),
            "closed": sum(other["state"] == "closed" for other in elsewhere),
        },
    }


async def _the_person(case: Document, tx: Tx) -> Document:
    persons = await store.persons.persons_of(tx, case)
    if not persons:
        raise NotAllowed("the person of this case is not known to any line: there is nobody to mark")
    return persons[0]

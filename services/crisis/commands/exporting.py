"""All that is kept about one person, for that person, or for a court."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotFound
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.commands.retention_erasing import OF_A_CASE, cases_of
from services.crisis.office import Office
from services.crisis.store.shifts import hand_overs_of_case

AUDIT_ENTRIES = 10_000
BESIDES: dict[str, str] = {"programmes": "case_id"}
"""What names a case and goes on without it: the collection, and the field."""
OF_A_FLAG = ("concerns", "outreaches", "incoming_referrals")
"""What a flag came from, by its `flag_id`."""
REGISTERS = (*store.records.REGISTERS, "programmes", "screenings", "incident_people")
"""Where else something lies under the person's pseudonym."""


async def export_record(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person's cases in the caller's division with everything that belongs to them, what was sealed in plain.

    What cannot be opened any more is said to be erased. The export itself stands in the audit log.
    """
    first = await store.the_case(tx, case_id)
    if not caller.sees(first["division"]):
        raise NotFound("there is no such case")
    whole = await cases_of(first, tx)
    cases = [case for case in whole if caller.sees(case["division"])]
    names = sorted({case["person"] for case in whole if case["person"] is not None})
    tx.record(
        actor=caller.subject,
        action="record_exported",
        subject=str(case_id),
        division=first["division"],
        reason=reason,
        cases=[str(case["_id"]) for case in cases],
    )
    observe.PERSONAL_READS.labels("export").inc()
    persons = [await tx.get("persons", name) for name in names]
    registers: Document = {
        "persons": [await _plain(_marks(one), one["_id"], tx, office) for one in persons if one is not None]
    }
    for collection in REGISTERS:
        registers[collection] = []
        for name in names:
            found = await store.records.of_person(tx, collection, name, AUDIT_ENTRIES)
            seen = [row for row in found if row.get("division") is None or caller.sees(row["division"])]
            registers[collection] += [await _plain(document, name, tx, office) for document in seen]
    return {
        "_id": case_id,
        "exported_at": tx.now,
        "cases": [await _whole(case, tx, office) for case in cases],
        "registers": registers,
    }


async def _whole(case: Document, tx: Tx, office: Office) -> Document:
    parts: Document = {"case": await _plain(case, case["person"], tx, office)}
    for collection, field in (OF_A_CASE | BESIDES).items():
        documents = await store.records.of_case(tx, collection, field, case["_id"])
        parts[collection] = [
            await _plain(document, document.get("person") or case["person"], tx, office) for document in documents
        ]
    parts["hand_overs"] = await hand_overs_of_case(tx, case["_id"])
    flags = [row["id"] for row in (*case["flags"], *parts["flag_rows"])]
    for collection in OF_A_FLAG:
        found = await store.records.of_flags(tx, collection, flags)
        # What is sealed in a concern is of whoever told it, who is another person.
        parts[collection] = [{name: value for name, value in row.items() if name != "sealed"} for row in found]
    parts["audit_log"] = await store.records.entries_about(tx, str(case["_id"]), AUDIT_ENTRIES)
    return parts


async def _plain(value: Any, person: Any, tx: Tx, office: Office) -> Any:
    """The same with what is sealed opened, however deep."""
    if isinstance(value, bytes):
        try:
            return await office.keys.open(tx, person, value)
        except Unreadable:
            return "erased"
    if isinstance(value, dict):
        owner = value.get("person") or person
        return {name: await _plain(inner, owner, tx, office) for name, inner in value.items()}
    if isinstance(value, list):
        return [await _plain(inner, person, tx, office) for inner in value]
    return value


def _marks(person: Document) -> Document:
    return {name: person.get(name) for name in ("_id", "also", "cases", "marks")}

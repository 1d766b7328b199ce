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
from services.crisis.commands.retention import OF_A_CASE
from services.crisis.office import Office

AUDIT_ENTRIES = 10_000
REGISTERS = ("screening_contacts", "incident_contacts", "programme_contacts", "posts")
"""Where else something lies under the person's own key."""


async def export_record(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person's cases in the caller's division with everything that belongs to them, what was sealed in plain.

    What cannot be opened any more is said to be erased. The export itself stands in the audit log.
    """
    first = await store.the_case(tx, case_id)
    if not caller.sees(first["division"]):
        raise NotFound("there is no such case")
    cases = [first]
    if first["person"] is not None:
        cases = [
            case for case in await store.records.cases_of_person(tx, first["person"]) if caller.sees(case["division"])
        ]
    tx.record(
        actor=caller.subject,
        action="record_exported",
        subject=str(case_id),
        division=first["division"],
        reason=reason,
        cases=[str(case["_id"]) for case in cases],
    )
    observe.PERSONAL_READS.labels("export").inc()
    registers: Document = {}
    for collection in REGISTERS if first["person"] is not None else ():
        found = await store.records.of_person(tx, collection, first["person"], AUDIT_ENTRIES)
        registers[collection] = [await _plain(document, document["person"], tx, office) for document in found]
    return {
        "_id": case_id,
        "exported_at": tx.now,
        "cases": [await _whole(case, tx, office) for case in cases],
        "registers": registers,
    }


async def _whole(case: Document, tx: Tx, office: Office) -> Document:
    parts: Document = {"case": await _plain(case, case["person"], tx, office)}
    for collection, field in OF_A_CASE.items():
        documents = await store.records.of_case(tx, collection, field, case["_id"])
        parts[collection] = [
            await _plain(document, document.get("person") or case["person"], tx, office) for document in documents
        ]
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

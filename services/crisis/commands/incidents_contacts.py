"""What it takes to find a person affected: under the person's own key, opened only to pass it on or to be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis.domain.incidents import common_division
from services.crisis.office import Office
from services.crisis.store.incidents import contacts_of_affected


def key_of(entry: Document) -> Any:
    """The key under which an entry's personal part rests: the person's own, or the entry's where nobody knows who."""
    return entry["person"] or entry["_id"]


async def opened(entry: Document, tx: Tx, office: Office) -> list[tuple[datetime, dict[str, str]]]:
    """The readable contacts of an entry, the latest first."""
    found = []
    for contact in await contacts_of_affected(tx, entry["_id"]):
        try:
            found.append((contact["at"], await office.keys.open(tx, contact["person"], contact["sealed"])))
        except Unreadable:  # the person was erased
            continue
    return found


async def passed_on(entry: Document, incident: Document, by: str, tx: Tx, office: Office) -> dict[str, str] | None:
    """The latest of each field, for the case or the programme that goes on with the person; the passing on is recorded.

    A guardian goes into the note: those who go on with the person know no such field.
    """
    found = await opened(entry, tx, office)
    if not found:
        return None
    fields: dict[str, str] = {}
    for _, texts in reversed(found):
        fields |= texts
    guardian = fields.pop("guardian", None)
    if guardian:
        fields["note"] = f"监护人：{guardian}；{fields.get('note', '')}".rstrip("；")
    tx.record(
        actor=by,
        action="affected_contact_passed_on",
        subject=str(incident["_id"]),
        division=common_division(incident["areas"]),
        reason="so that the person can be reached",
        entry=str(entry["_id"]),
    )
    return fields


async def sealed_for_flag(entry: Document, incident: Document, by: str, tx: Tx, office: Office) -> str | None:
    """The same, sealed anew for a flag."""
    fields = await passed_on(entry, incident, by, tx, office)
    return office.envelope.seal(fields) if fields else None

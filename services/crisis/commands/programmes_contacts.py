"""What it takes to reach a person of a programme: opened for who has to call, and on the record."""

from __future__ import annotations

from typing import Any

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.domain.programmes import State
from services.crisis.office import Office

TO_FIND = ("name", "phone", "address")
"""What a community worker needs in order to go there; a note may say more than that."""


async def open_contact(programme: Document, tx: Tx, office: Office) -> dict[str, str]:
    """The contact in plain, or nothing where there is none any more; whoever calls this writes the audit entry."""
    kept = await tx.get("programme_contacts", programme["_id"])
    rows = [kept] if kept is not None else []
    if not rows and programme["case_id"] is not None:
        rows = await store.contacts_of(tx, programme["case_id"])
    for row in rows:
        try:
            return await office.keys.open(tx, row["person"], row["sealed"])
        except Unreadable:
            continue
    return {}


async def reveal(
    programme: Document, reason: str, caller: Caller, tx: Tx, office: Office, *, to_find: bool
) -> dict[str, Any]:
    """What it takes to reach the person; `to_find` leaves out what is not needed for it. The reading is logged."""
    if programme["state"] == State.ended:
        raise NotAllowed("the programme has ended")
    fields = await open_contact(programme, tx, office)
    tx.record(
        actor=caller.subject,
        action="contact_read",
        subject=str(programme["_id"]),
        division=programme["division"],
        reason=reason,
    )
    observe.PERSONAL_READS.labels("programme").inc()
    return {name: value for name, value in fields.items() if not to_find or name in TO_FIND}

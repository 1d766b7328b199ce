"""What it takes to call back: read by who has to, and erased."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import (
    note,
    seal_key,
)
from services.crisis.commands.rights import OFFICERS, known_case, responds
from services.crisis.office import Office


async def reveal_contacts(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> list[dict[str, Any]]:
    """What it takes to call back, for who has to; each reading is in the audit log."""
    case = await store.the_case(tx, case_id)
    if not responds(case, caller):
        if not caller.roles.intersection(OFFICERS):
            raise NotFound("there is no such case")
        await known_case(case_id, caller, tx)
    tx.record(
        actor=caller.subject, action="contact_read", subject=str(case_id), division=case["division"], reason=reason
    )
    revealed: list[dict[str, Any]] = []
    for contact in await store.contacts_of(tx, case_id):
        try:
            fields = await office.keys.open(tx, contact["person"], contact["sealed"])
        except Unreadable:
            continue
        revealed.append({"flag_id": contact["_id"], "at": contact["at"], **fields})
    observe.PERSONAL_READS.labels("contact").inc()
    return revealed


async def erase_contacts(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person is forgotten: the key goes, and with it every contact under it. The case stays, by pseudonym."""
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    if await tx.get("holds", case_id) is not None:
        raise NotAllowed("the case is held: nothing of it is erased", reason="legal_hold")
    if case["person"] is not None or case["flags"]:
        await office.keys.erase(tx, seal_key(case))  # under which the case's own texts are
    for contact in await store.contacts_of(tx, case_id):
        await office.keys.erase(tx, contact["person"])
        tx.delete("contacts", contact["_id"])
    case["flags"] = [{**row, "contact_state": "erased"} for row in case["flags"]]
    note(case, tx, "contact_erased", caller.subject)
    tx.record(
        actor=caller.subject,
        action="contact_erased",
        subject=str(case_id),
        reason=reason,
        division=case["division"],
    )
    tx.put("cases", case)
    return case

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
from services.crisis.case import note
from services.crisis.commands.retention_erasing import cases_of, erase, held
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
    """The person is forgotten: the keys go, and every contact of all the person's cases. The cases stay, by pseudonym.

    409 `legal_hold` where any of them is held; `case_open` or `programme_open` while somebody has to call the person
    back, here or elsewhere.
    """
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    cases = await cases_of(case, tx)
    if await held(cases, tx):
        raise NotAllowed("a case of the person is held: nothing of it is erased", reason="legal_hold")
    if any(one["state"] == "open" for one in cases):
        raise NotAllowed("a case of the person is open: what it takes to call back stays", reason="case_open")
    if await store.records.programmes_open(tx, cases):
        raise NotAllowed("somebody still calls the person in a programme", reason="programme_open")
    await erase(cases, tx, office, pseudonyms=False)
    for one in cases:
        note(one, tx, "contact_erased", caller.subject)
        tx.record(
            actor=caller.subject,
            action="contact_erased",
            subject=str(one["_id"]),
            reason=reason,
            division=one["division"],
        )
        tx.put("cases", one)
    return case

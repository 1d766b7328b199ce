"""Outreach: help for somebody who has not asked for it, never without its legal basis."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Channel
from contracts.hotline import Way
from services.crisis.commands.record import shown
from services.crisis.domain.codes import LegalBasis
from services.crisis.intake import raise_flag
from services.crisis.office import Office

CONTACT = ("name", "phone", "address", "note")


async def open_outreach(
    ident: UUID,
    division: str,
    basis: LegalBasis,
    reason: str,
    said: dict[str, Any],
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Record why it is allowed, and raise the flag that becomes the case; the same outreach again is one.

    Raises `NotAllowed` (409) where the id was taken by another, `NotFound` outside the caller's division.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    if await tx.get("divisions", division) is None:
        raise Refused("unknown_division", f"there is no division {division}", "division")
    contact = {name: said.pop(name) for name in CONTACT if said.get(name)}
    told = [division, basis, reason, said, contact, caller.subject]
    digest = office.digest(json.dumps(told, sort_keys=True, default=str, ensure_ascii=False))
    known = await tx.get("sections", ident)
    if known is not None:
        if known["digest"] != digest:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return shown(known)
    phone = contact.get("phone")
    person = office.pseudonym(phone) if phone else None
    raise_flag(
        tx,
        source="outreach",
        way=Way.outreach,
        channel=Channel.other,
        division=division,
        contact=ident,
        ident=ident,
        caller=person,
        sealed_contact=office.envelope.seal(contact) if contact else None,
        **said,
    )
    section: Document = {
        "_id": ident,
        "flag_id": ident,
        "case_id": None,
        "division": division,
        "kind": "outreach",
        "codes": {"legal_basis": basis.value},
        "by": caller.subject,
        "at": tx.now,
        "entered_at": tx.now,
        "person": person or ident,
        "digest": digest,
        "personal": ["reason"],
        "sealed": await office.keys.seal(tx, person or ident, {"reason": reason}),
    }
    tx.insert("sections", section)
    tx.record(
        actor=caller.subject,
        action="outreach_opened",
        subject=str(ident),
        division=division,
        reason=basis.label,
        legal_basis=basis.value,
    )
    return shown(section)

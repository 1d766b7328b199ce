"""Organisations: each change with its event, nothing where nothing changes."""

from __future__ import annotations

import uuid

from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import OrganisationRegistered
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.domain.organisations import Organisation


async def register_organisation(tx: Tx, told: Organisation, ident: uuid.UUID | None) -> tuple[Document, bool]:
    """A new organisation, or with `ident` the present state of one; the second value says whether anything changed."""
    await known_division(tx, told.division)
    before = await store.organisation(tx, ident) if ident else None
    if ident and before is None:
        raise NotFound("there is no such organisation")
    if (before is None or before["key"] != told.key) and await store.organisations_by_key(tx, [told.key]):
        raise NotAllowed("the county has an organisation of this name")
    await _check_backup(tx, told, ident)
    return write_organisation(tx, told, before)


async def _check_backup(tx: Tx, told: Organisation, ident: uuid.UUID | None) -> None:
    if told.backup_id is None:
        return
    backup = await store.organisation(tx, told.backup_id)
    if backup is None or backup["_id"] == ident or not (backup["receives_referrals"] and backup["active"]):
        detail = "the backup must be another organisation that receives referrals"
        raise Refused("bad_backup", detail, "backup_id")


def write_organisation(
    tx: Tx, told: Organisation, before: Document | None, ident: uuid.UUID | None = None
) -> tuple[Document, bool]:
    """Write and tell it unless it is as it was."""
    state: Document = {
        "key": told.key,
        "name": told.name,
        "division": told.division,
        "kind": told.kind.value,
        "receives_referrals": told.receives_referrals,
        "around_the_clock": told.around_the_clock,
        "backup_id": told.backup_id,
        "active": told.active,
    }
    if before is not None and all(before[name] == value for name, value in state.items()):
        return before, False
    revision = 1 if before is None else before["revision"] + 1
    document = {"_id": before["_id"] if before else ident or new_id(), "revision": revision, **state}
    tx.put("organisations", document)
    tx.emit(
        OrganisationRegistered(
            **tx.stamp(told.division),
            organisation_id=document["_id"],
            revision=revision,
            name=told.name,
            kind=told.kind,
            division=told.division,
            receives_referrals=told.receives_referrals,
            around_the_clock=told.around_the_clock,
            backup_id=told.backup_id,
            active=told.active,
        )
    )
    return document, True

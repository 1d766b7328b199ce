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
from services.registry.domain.places import MEDICAL, Flaw
from services.registry.store import places, teams


async def register_organisation(tx: Tx, told: Organisation, ident: uuid.UUID | None) -> tuple[Document, bool]:
    """A new organisation, or with `ident` the present state of one; the second value says whether anything changed."""
    await known_division(tx, told.division)
    before = await store.organisation(tx, ident) if ident else None
    if ident and before is None:
        raise NotFound("there is no such organisation")
    if (before is None or before["key"] != told.key) and await store.organisations_by_key(tx, [told.key]):
        raise NotAllowed("同一区县内已有同名机构", field="name")
    if before is not None and (flaw := await flaw_in_change(tx, told, before)) is not None:
        raise NotAllowed(flaw.detail, reason=flaw.reason, field=flaw.field)
    await _check_backup(tx, told, ident)
    return await write_organisation(tx, told, before)


async def flaw_in_change(tx: Tx, told: Organisation, before: Document) -> Flaw | None:
    """What a change would break: names are one county's, and therapy stays inside medicine (精神卫生法第五十一条)."""
    if told.division[:6] != before["division"][:6]:
        return Flaw("leaves_county", "机构迁出区县须在迁入地另行登记，并停用原登记", "division")
    if (told.active and told.kind in MEDICAL) or not (before["active"] and before["kind"] in MEDICAL):
        return None
    if await places.therapy_of(tx, before["_id"]):
        detail = "该机构还有开展心理治疗的场所，须先关闭场所，或去掉心理治疗或改由其他医疗机构所属"
        return Flaw("therapy_outside_medicine", detail, "kind" if told.active else "active")
    return None


async def _check_backup(tx: Tx, told: Organisation, ident: uuid.UUID | None) -> None:
    if told.backup_id is None:
        return
    backup = await store.organisation(tx, told.backup_id)
    there = backup is not None and backup["_id"] != ident and backup["receives_referrals"] and backup["active"]
    # A referral goes there by itself: beyond the county only as far as its city.
    if backup is None or not there or backup["division"][:4] != told.division[:4]:
        detail = "后备机构须是同一区县或同一地市内另一个接收转介的机构"
        raise Refused("bad_backup", detail, "backup_id")


async def write_organisation(
    tx: Tx, told: Organisation, before: Document | None, ident: uuid.UUID | None = None
) -> tuple[Document, bool]:
    """Write and tell it unless it is as it was; the papers that lie where it is go with it."""
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
    if before is not None and before["division"] != told.division:
        for collection, row in await teams.papers_of_organisation(tx, document["_id"]):
            tx.put(collection, {**row, "division": told.division})
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

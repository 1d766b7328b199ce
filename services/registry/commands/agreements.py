"""Agreements with partner units: each change with its event."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import AgreementSigned, OrganisationKind
from services.registry.commands.places import known_organisation
from services.registry.commands.teams import day_of, organisation_anywhere
from services.registry.domain.agreements import BEFORE_SIGNING, CLOSED, State, allows


async def write_agreement(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, by: str, inside: str
) -> Document:
    """A new agreement, drafted, or the terms of one that is not signed yet; the same again changes nothing."""
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before
    if before is not None and before["state"] not in BEFORE_SIGNING:
        raise NotAllowed("协议签订后不能改动内容，请另签协议")
    centre = await known_organisation(tx, told["centre_id"], inside, "centre_id")
    partner = await organisation_anywhere(tx, told["partner_id"], "partner_id")
    if centre["_id"] == partner["_id"]:
        raise Refused("itself", "不能与自己签订协议", "partner_id")
    base = before or {"_id": ident, "revision": 0, "state": State.drafted.value, "signed_on": None, "log": []}
    if before is None:
        base["log"] = [{"state": State.drafted.value, "by": by, "at": tx.now, "reason": ""}]
    return _write(tx, {**base, **told, "division": centre["division"], "partner_kind": partner["kind"]})


def step(tx: Tx, agreement: Document, to: State, reason: str, signed_on: str | None, *, by: str) -> Document:
    """The next state; signing has a day that was, and the same step again changes nothing."""
    present = State(agreement["state"])
    if to is present and signed_on in (None, agreement["signed_on"]):
        return agreement
    if not allows(present, to):
        raise NotAllowed(f"协议现为 {present.value}，不能变为 {to.value}")
    signing = to is State.signed and present in BEFORE_SIGNING
    if signing != (signed_on is not None):
        raise Refused("bad_day", "签订时须填签订日期，其他步骤不填", "signed_on")
    if signed_on is not None:
        if signed_on > local_day(tx.now).isoformat():
            raise Refused("bad_day", "签订日期不能晚于今天", "signed_on")
        if agreement["valid_until"] is not None and agreement["valid_until"] < signed_on:
            raise Refused("bad_day", "有效期在签订之前已满", "signed_on")
        if not agreement["services"]:
            raise NotAllowed("签订前须写明服务内容", field="services")
    entry = {"state": to.value, "by": by, "at": tx.now, "reason": reason}
    day = signed_on or agreement["signed_on"]
    return _write(tx, {**agreement, "state": to.value, "signed_on": day, "log": [*agreement["log"], entry]})


def _write(tx: Tx, document: Document) -> Document:
    document = {**document, "revision": document["revision"] + 1}
    document.pop("open_key", None)
    if State(document["state"]) not in CLOSED:
        document["open_key"] = f"{document['centre_id']}:{document['partner_id']}:{document['kind']}"
    tx.put("agreements", document)
    tx.emit(
        AgreementSigned(
            **tx.stamp(document["division"]),
            agreement_id=document["_id"],
            revision=document["revision"],
            kind=document["kind"],
            division=document["division"],
            centre_id=document["centre_id"],
            partner_id=document["partner_id"],
            partner_kind=OrganisationKind(document["partner_kind"]),
            state=document["state"],
            services=tuple(document["services"]),
            signed_on=day_of(document["signed_on"]),
            valid_from=day_of(document["valid_from"]),
            valid_until=day_of(document["valid_until"]),
        )
    )
    return document

"""Insurances, and the support that a person was given for an assignment."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import InsuranceRecorded, SupportRecorded
from services.registry import store
from services.registry.commands.standing import look_again
from services.registry.domain.insurance import covers
from services.registry.keys import Keys
from services.registry.store import qualifications as kept


async def insure(
    tx: Tx, keys: Keys, ident: uuid.UUID, person: Document, told: dict[str, Any], before: Document | None, by: str
) -> Document:
    """An insurance of a person; the same again changes nothing. `active` false takes it back."""
    if told["valid_until"] < told["valid_from"]:
        raise Refused("bad_validity", "保险期间的截止日期早于起始日期", "valid_until")
    fields = {"insurer": told["insurer"], "number": told["number"]}
    state = {
        "kind": told["kind"],
        "valid_from": told["valid_from"].isoformat(),
        "valid_until": told["valid_until"].isoformat(),
        "active": told["active"],
    }
    holder = before["person_id"] if before else person["_id"]
    if before is not None:
        if holder not in await store.entries_of(tx, person["_id"]):
            raise NotAllowed("this id is another person's insurance", reason="taken")
        known = await keys.persons.open(tx, holder, before["sealed"])
        if known == fields and all(before[name] == value for name, value in state.items()):
            return before
    document: Document = {
        "_id": ident,
        "revision": before["revision"] + 1 if before else 1,
        "person_id": holder,
        "division": person["division"],
        **state,
        "sealed": await keys.persons.seal(tx, holder, fields),
        "entered_by": by,
    }
    tx.put("insurances", document)
    tx.emit(
        InsuranceRecorded(
            **tx.stamp(document["division"]),
            insurance_id=ident,
            volunteer_id=holder,
            revision=document["revision"],
            division=document["division"],
            kind=told["kind"],
            valid_from=told["valid_from"],
            valid_until=told["valid_until"],
            active=told["active"],
        )
    )
    await look_again(tx, person["_id"], keys.policies, papers=False)
    return document


async def support(tx: Tx, ident: uuid.UUID, person: Document, told: dict[str, Any], needs_insurance: bool) -> Document:
    """What the organiser provides for an assignment; before dispatch, so the insurance must hold where it is needed.

    Raises `Refused` for an insurance that is not the person's or does not hold on the day, and `NotAllowed` where the
    role asks for one and none is named.
    """
    entries = await store.entries_of(tx, person["_id"])
    before = await kept.support_record(tx, ident)
    if before is not None and before["person_id"] not in entries:
        raise NotAllowed("this assignment is another person's", reason="taken")
    if told["insurance_id"] is not None:
        found = await kept.insurance(tx, told["insurance_id"])
        if found is None or found["person_id"] not in entries or not found["active"]:
            raise Refused("unknown_insurance", "没有这个人的这份保险", "insurance_id")
        if not covers(found["valid_from"], found["valid_until"], told["on"].isoformat()):
            raise Refused("insurance_expired", "保险在这一天无效", "insurance_id")
    elif needs_insurance:
        raise NotAllowed("派出前须有有效保险", reason="insurance_missing", field="insurance_id")
    state = {**told, "on": told["on"].isoformat()}
    if before is not None and all(before.get(name) == value for name, value in state.items()):
        return before
    revision = before["revision"] + 1 if before else 1
    holder = before["person_id"] if before else person["_id"]
    document = {"_id": ident, "revision": revision, "person_id": holder, "division": person["division"], **state}
    tx.put("support_records", document)
    given = ("transport", "communication", "meals", "lodging")
    tx.emit(
        SupportRecorded(
            **tx.stamp(document["division"]),
            assignment_id=ident,
            volunteer_id=holder,
            revision=revision,
            division=document["division"],
            on=date.fromisoformat(document["on"]),
            insured=document["insurance_id"] is not None,
            **{name: document[name] for name in given},
        )
    )
    return document

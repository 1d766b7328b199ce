"""Volunteers: each change with its event; erasing one deletes the key."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.registry import VolunteerRegistered
from services.registry import store
from services.registry.commands.duty import withdraw_duty
from services.registry.domain.people import Registration, birth_year
from services.registry.keys import Keys


async def write_volunteer(
    tx: Tx, keys: Keys, told: Registration, division: str, given_on: date, before: Document | None, **state: Any
) -> tuple[Document, bool]:
    """Write and tell a volunteer unless all is as it was. `state` may say `active` and `unit`."""
    active = state.get("active", before["active"] if before else True)
    if before and active == before["active"] and not volunteer_differs(keys, told, division, before):
        return before, False
    ident = before["_id"] if before else new_id()
    age_given_on = given_on.isoformat() if told.age is not None else None
    if before and before["age"] == told.age:
        age_given_on = before["age_given_on"]
    given = date.fromisoformat(age_given_on) if age_given_on else given_on
    document: Document = {
        **(before or {"turns": 0}),
        "_id": ident,
        "identity": keys.identity(division, told),
        "digest": keys.digest(told),
        "revision": before["revision"] + 1 if before else 1,
        "division": division,
        "unit": state.get("unit", before["unit"] if before else ""),
        "sex": told.sex,
        "age": told.age,
        "age_given_on": age_given_on,
        "birth_year": birth_year(told.age, given),
        "person_types": list(told.person_types),
        "qualifications": list(told.qualifications),
        "trained": told.trained,
        "active": active,
        "erased": False,
        "sealed": await keys.persons.seal(tx, ident, told.personal()),
        "changed_at": tx.now,
    }
    tx.put("volunteers", document)
    _tell_volunteer(tx, document)
    if before and before["active"] and not active:
        await _stand_down(tx, ident)
    return document, True


def volunteer_differs(keys: Keys, told: Registration, division: str, before: Document | None) -> bool:
    """Whether what is told is new, or not what was told before."""
    return before is None or (before["digest"], before["division"]) != (keys.digest(told), division)


async def registration_of(tx: Tx, keys: Keys, document: Document) -> Registration:
    """A volunteer with the personal fields opened; raises `Unreadable` once the person was erased."""
    fields = await keys.persons.open(tx, document["_id"], document["sealed"])
    told = Registration(
        name="",
        phone="",
        sex=document["sex"],
        age=document["age"],
        person_types=tuple(document["person_types"]),
        qualifications=tuple(document["qualifications"]),
        trained=document["trained"],
    )
    return told.with_personal(fields)


async def erase_volunteer(tx: Tx, keys: Keys, document: Document) -> Document:
    """Delete the person's key and all that tells who it was; the future turns of duty are withdrawn."""
    ident = document["_id"]
    await keys.persons.erase(tx, ident)
    erased: Document = {
        "_id": ident,
        "revision": document["revision"] + 1,
        "division": document["division"],
        "person_types": [],
        "qualifications": [],
        "trained": "unknown",
        "turns": document["turns"] + 1,
        "active": False,
        "erased": True,
        "changed_at": tx.now,
    }
    tx.put("volunteers", erased)
    _tell_volunteer(tx, erased)
    await _stand_down(tx, ident)
    return erased


async def _stand_down(tx: Tx, volunteer: uuid.UUID) -> None:
    # A turn that nobody will take must not hide a gap.
    for duty in await store.duties_of(tx, [volunteer], datetime.max.replace(tzinfo=UTC), tx.now):
        withdraw_duty(tx, duty)


def _tell_volunteer(tx: Tx, document: Document) -> None:
    tx.emit(
        VolunteerRegistered(
            **tx.stamp(document["division"]),
            volunteer_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            person_types=tuple(document["person_types"]),
            qualifications=tuple(document["qualifications"]),
            trained=document["trained"] == "yes",
            active=document["active"],
        )
    )

"""People: each change with its event; erasing one deletes the key."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from chassis.clock import local_day, new_id
from chassis.tx import Document, Tx
from contracts.registry import VolunteerRegistered
from services.registry import store
from services.registry.commands.duty import withdraw_duty
from services.registry.commands.providers import forget_identity
from services.registry.domain.consents import waits_for
from services.registry.domain.people import OPEN, Registration
from services.registry.domain.people_dates import birth_year, born, minor_until, settled, trainings_told
from services.registry.domain.talent import preferred_groups
from services.registry.keys import Keys

_LISTS = frozenset(name for name in OPEN if isinstance(getattr(Registration("", ""), name), tuple))


async def write_volunteer(
    tx: Tx, keys: Keys, told: Registration, division: str, given_on: date, before: Document | None, **state: Any
) -> tuple[Document, bool]:
    """Write and tell a person unless all is as it was. `state` may say `active`, `unit` and a new `ident`.

    Who waits for a guardian's consent is kept and not active, whatever was asked; the consent makes the person active.
    """
    wanted = state.get("active", before["wanted"] if before else True)
    known = await registration_of(tx, keys, before) if before and told.age is not None else None
    known_on = before["age_given_on"] if before else None
    told, age_on = settled(told, given_on, known, date.fromisoformat(known_on) if known_on else None)
    if before and told.age is None and not told.birth_date:
        age_on = None
    if before and wanted == before["wanted"] and not volunteer_differs(keys, told, division, before):
        return before, False
    ident = before["_id"] if before else state.get("ident") or new_id()
    birth = born(told.birth_date, told.age, age_on)
    adult_age = keys.policies.people.at(tx.now).age.adult
    until = minor_until(birth, local_day(tx.now), adult_age)
    document: Document = {
        "turns": 0,
        "consents": {},
        "pledge": None,
        "merged_into": None,
        "distinct_from": [],
        **(before or {}),
        **{name: list(getattr(told, name)) if name in _LISTS else getattr(told, name) for name in OPEN},
        "_id": ident,
        "identity": keys.identity(division, told),
        "digest": keys.digest(told),
        **keys.traits(told),
        "revision": before["revision"] + 1 if before else 1,
        "division": division,
        "unit": state.get("unit", before["unit"] if before else ""),
        "age_given_on": age_on.isoformat() if age_on else None,
        "birth_year": birth_year(told.birth_date, told.age, age_on or given_on),
        "minor_until": until.isoformat() if until else None,
        "preferred": list(preferred_groups(told)),
        "trained_when": [training.when for training in trainings_told(told.training)],
        "wanted": wanted,
        "erased": False,
        "sealed": await keys.persons.seal(tx, ident, told.personal()),
        "changed_at": tx.now,
    }
    return await put_volunteer(tx, document, before), True


async def put_volunteer(tx: Tx, document: Document, before: Document | None) -> Document:
    """Write and tell a document whose fields were set, after working out whether the person is active."""
    waits = waits_for(document["consents"], document["minor_until"], local_day(tx.now))
    active = document["wanted"] and not waits and document["merged_into"] is None
    document = {**document, "waits_for": waits, "active": active}
    tx.put("volunteers", document)
    tell_volunteer(tx, document)
    if before and before["active"] and not active:
        await stand_down(tx, document["_id"])
    return document


def volunteer_differs(keys: Keys, told: Registration, division: str, before: Document | None) -> bool:
    """Whether what is told is new, or not what was told before."""
    return before is None or (before["digest"], before["division"]) != (keys.digest(told), division)


async def registration_of(tx: Tx, keys: Keys, document: Document) -> Registration:
    """A person with the personal fields opened; raises `Unreadable` once the person was erased."""
    fields = await keys.persons.open(tx, document["_id"], document["sealed"])
    known: dict[str, Any] = {name: tuple(document[name]) if name in _LISTS else document[name] for name in OPEN}
    return Registration(name="", phone="", **known).with_personal(fields)


async def erase_volunteer(tx: Tx, keys: Keys, document: Document) -> Document:
    """Delete the person's key and all that tells who it was, in the entries merged into this one too.

    The future turns of duty are withdrawn. Which texts were agreed to and when stays, as proof and without a person.
    """
    ident = document["_id"]
    for other in await store.merged_into(tx, ident):
        await erase_volunteer(tx, keys, other)
    await keys.persons.erase(tx, ident)
    for merge in await store.merges_of(tx, ident):
        tx.put("merges", {**merge, "stayed": None, "went": None})
    erased: Document = {
        "_id": ident,
        "revision": document["revision"] + 1,
        "division": document["division"],
        "roles": [],
        "person_types": [],
        "qualifications": [],
        "trained": "unknown",
        "turns": document["turns"] + 1,
        "consents": {purpose: _proof(consent) for purpose, consent in document["consents"].items()},
        "merged_into": document["merged_into"],
        "wanted": False,
        "active": False,
        "erased": True,
        "changed_at": tx.now,
    }
    tx.put("volunteers", erased)
    tell_volunteer(tx, erased)
    await stand_down(tx, ident)
    await forget_identity(tx, ident)
    return erased


def _proof(consent: Document) -> Document:
    return {name: value for name, value in consent.items() if name != "sealed"}


async def stand_down(tx: Tx, volunteer: uuid.UUID) -> None:
    """Withdraw what a person would do from now on: a turn that nobody will take must not hide a gap."""
    for duty in await store.duties_of(tx, [volunteer], datetime.max.replace(tzinfo=UTC), tx.now):
        withdraw_duty(tx, duty)


def tell_volunteer(tx: Tx, document: Document) -> None:
    until = document.get("minor_until")
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
            roles=tuple(document["roles"]),
            minor=until is not None and local_day(tx.now).isoformat() < until,
            source=document.get("source") or None,
            tags=tuple(document.get("tags", ())),
            professions=tuple(document.get("professions", ())),
            networks=tuple(document.get("networks", ())),
            workforce=document.get("workforce") or None,
            preferred=tuple(document.get("preferred", ())),
            pledge_version=(document.get("pledge") or {}).get("version"),
        )
    )

"""People: each change with its event; erasing one deletes the key."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from chassis.clock import local_day, new_id
from chassis.tx import Document, Tx
from contracts.registry import VolunteerRegistered
from services.registry import store
from services.registry.commands.calendar import drop_link
from services.registry.commands.duty import withdraw_duty, withdraw_unfit
from services.registry.commands.facts import spells_of, told_of, unchecked_of
from services.registry.commands.leaving import leave
from services.registry.commands.papers import carry_papers, forget_checks
from services.registry.commands.providers import forget_identity
from services.registry.domain.consents import waits_for
from services.registry.domain.people import OPEN, Registration
from services.registry.domain.people_dates import birth_year, born, minor_until, settled, trainings_told
from services.registry.domain.people_search import pairs
from services.registry.domain.talent import preferred_groups
from services.registry.keys import Keys
from services.registry.store.recruitment import applications_by

_LISTS = frozenset(name for name in OPEN if isinstance(getattr(Registration("", ""), name), tuple))


async def write_volunteer(
    tx: Tx, keys: Keys, told: Registration, division: str, given_on: date, before: Document | None, **state: Any
) -> tuple[Document, bool]:
    """Write and tell a person unless all is as it was. `state` may say `active`, `unit` and a new `ident`.

    What is new is an office's word, with `own_word` the person's own; `by_office` has what an office states by this.
    Who waits for a guardian's consent is kept and not active, whatever was asked; the consent makes the person active.
    """
    wanted = state.get("active", before["wanted"] if before else True)
    known = await registration_of(tx, keys, before) if before and told.age is not None else None
    known_on = before["age_given_on"] if before else None
    told, age_on = settled(told, given_on, known, date.fromisoformat(known_on) if known_on else None)
    if before and told.age is None and not told.birth_date:
        age_on = None
    unchecked = unchecked_of(told, before, **state)
    vouched = before is not None and unchecked != before.get("unchecked", [])
    same = before is not None and wanted == before["wanted"] and not vouched and stands(before, local_day(tx.now))
    if before and same and not volunteer_differs(keys, told, division, before):
        return before, False
    ident = before["_id"] if before else state.get("ident") or new_id()
    identity = keys.identity(division, told)
    entries = await _make_room(tx, before, identity) if before and identity != before["identity"] else []
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
        "identity": identity,
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
        "unchecked": unchecked,
        "erased": False,
        "sealed": await keys.persons.seal(tx, ident, told.personal()),
        "changed_at": tx.now,
    }
    document = await put_volunteer(tx, document, before)
    if before and any(document[name] != before.get(name) for name in ASKED_AT_THE_GATE):
        await withdraw_unfit(tx, document, keys.policies)
    if before and entries:
        await _give_back(tx, entries, before["identity"])
    return document, True


ASKED_AT_THE_GATE = ("minor_until", "birth_year", "trained", "unchecked")
"""What of a person's own entry the gate reads, and a form may change."""


async def _make_room(tx: Tx, person: Document, identity: str) -> list[Document]:
    """Let a person be known by the name and number of an entry merged into it, which lends them.

    Answers the entries merged into the person; who else has the name and number keeps them, and the write is refused.
    """
    entries = await store.merged_into(tx, person["_id"])
    for row in entries:
        if row.get("identity") == identity:
            without = {name: value for name, value in row.items() if name != "identity"}
            tx.put("volunteers", {**without, "lent": identity, "lent_at": tx.now})
            await tx.flush()  # the hash is free before it is taken
    return entries


async def _give_back(tx: Tx, entries: list[Document], identity: str) -> None:
    """What a person is not known by any more is again that of the entry that lent it last."""
    lent = [row for row in entries if row.get("lent") == identity]
    if lent:
        await tx.flush()
        row = max(lent, key=lambda one: one["lent_at"])
        own = {name: value for name, value in row.items() if name not in ("lent", "lent_at")}
        tx.put("volunteers", {**own, "identity": identity})


async def put_volunteer(tx: Tx, document: Document, before: Document | None) -> Document:
    """Write and tell a document whose fields were set, after working out whether the person is active."""
    waits, active = standing_of(document, local_day(tx.now))
    document = {**document, "waits_for": waits, "active": active, "pairs": pairs(document)}
    tx.put("volunteers", document)
    await tell_volunteer(tx, document)
    if before and any(document[name] != before.get(name) for name in ("division", "merged_into")):
        await carry_papers(tx, document["_id"])
    if before and before["active"] and not active:
        await stand_down(tx, document["_id"])
        if document["merged_into"] is None:  # else the entry that stands for the person keeps the posts
            await leave(tx, document)
    return document


def standing_of(document: Document, today: date) -> tuple[list[str], bool]:
    """What a person waits for on a day, and whether the person is active; who came of age waits for no guardian."""
    waits = waits_for(document["consents"], document["minor_until"], today)
    return waits, document["wanted"] and not waits and document["merged_into"] is None


def stands(document: Document, today: date) -> bool:
    """Whether an entry is as it would be written today."""
    return standing_of(document, today) == (document["waits_for"], document["active"])


def volunteer_differs(keys: Keys, told: Registration, division: str, before: Document | None) -> bool:
    """Whether what is told is new, or not what was told before."""
    return before is None or (before["digest"], before["division"]) != (keys.digest(told), division)


async def registration_of(tx: Tx, keys: Keys, document: Document) -> Registration:
    """A person with the personal fields opened; raises `Unreadable` once the person was erased."""
    fields = await keys.persons.open(tx, document["_id"], document["sealed"])
    known: dict[str, Any] = {name: tuple(document[name]) if name in _LISTS else document[name] for name in OPEN}
    return Registration(name="", phone="", **known).with_personal(fields)


async def erase_volunteer(tx: Tx, keys: Keys, document: Document) -> Document:
    """Erase the person, under whichever entry: of all of them the key goes, and all that tells who it was.

    The future turns of duty are withdrawn, and posts are left. Which texts were agreed to and when stays, as proof and
    without a person. Asked again, nothing more happens, but that no key is left.
    """
    entries = await store.entries_of(tx, document["_id"])
    for ident in entries:
        await keys.persons.erase(tx, ident)
        await drop_link(tx, ident)
        row = await store.volunteer(tx, ident)
        if row is not None and not row["erased"]:
            await _erase_entry(tx, row)
    await leave(tx, document)
    await forget_checks(tx, entries)
    for application in await applications_by(tx, entries):
        gone = {"applicant": f"erased:{application['_id']}", "digest": "", "volunteer_id": None}
        tx.put("applications", {**application, **gone})
    return await store.volunteer(tx, document["_id"]) or document


async def _erase_entry(tx: Tx, document: Document) -> None:
    ident = document["_id"]
    for merge in await store.merges_of(tx, ident):
        tx.put("merges", {**merge, "stayed": None, "went": None, "made": None})
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
    await tell_volunteer(tx, erased)
    await stand_down(tx, ident)
    await forget_identity(tx, ident)


def _proof(consent: Document) -> Document:
    return {name: value for name, value in consent.items() if name != "sealed"}


async def stand_down(tx: Tx, volunteer: uuid.UUID) -> None:
    """Withdraw what a person would do from now on: a turn that nobody will take must not hide a gap."""
    for duty in await store.duties_of(tx, [volunteer], datetime.max.replace(tzinfo=UTC), tx.now):
        withdraw_duty(tx, duty)


async def tell_volunteer(tx: Tx, document: Document) -> None:
    """Tell a person's document with what counts of the claims in it; an event of a revision is told once."""
    until = document.get("minor_until")
    told = await told_of(tx, document)
    tx.emit(
        VolunteerRegistered(
            **tx.stamp(document["division"]),
            volunteer_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            person_types=told.person_types,
            qualifications=told.qualifications,
            trained=told.trained,
            spells=spells_of(told),
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

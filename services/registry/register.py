"""What the registry writes: each change with its event, nothing where nothing changes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import Division, DivisionsListed, DutyRostered, OrganisationRegistered, VolunteerRegistered
from services.registry import store
from services.registry.domain.divisions import Row, common_division, in_events, next_local_code
from services.registry.domain.duty import Turn, flaw_in_turn, overlapping
from services.registry.domain.organisations import Organisation
from services.registry.domain.people import Registration, birth_year
from services.registry.keys import Keys

LOCAL_EDITION = "local"


async def known_division(tx: Tx, code: str) -> Document:
    """The division, or a refusal that names the field."""
    found = await store.division(tx, code)
    if found is None:
        raise Refused("unknown_division", f"there is no division {code}", "division")
    return found


# Divisions


def list_divisions(tx: Tx, edition: str, rows: Sequence[Row]) -> None:
    """Tell what is new or changed, in events no larger than the broker takes."""
    for portion in in_events(rows):
        divisions = tuple(Division(code=row.code, name=row.name, local=row.local) for row in portion)
        place = common_division(row.code for row in portion)
        tx.emit(DivisionsListed(**tx.stamp(place), edition=edition, divisions=divisions))


async def add_local_division(tx: Tx, parent: str, name: str) -> Document:
    """A unit without a civil code, under a parent, with the next free local code."""
    if await store.division(tx, parent) is None:
        raise Refused("unknown_division", f"there is no division {parent}", "parent")
    code = next_local_code(parent, await store.codes_under(tx, parent))
    if code is None:
        raise NotAllowed(f"{parent} can have no further local division")
    document = {"_id": code, "name": name, "parent": parent, "local": True, "edition": LOCAL_EDITION}
    tx.insert("divisions", document)
    list_divisions(tx, LOCAL_EDITION, [Row(0, code, name, True)])
    return document


# Organisations


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


# Volunteers


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


# Duty


@dataclass(frozen=True)
class Roster:
    """A rota as told: what it covers, the role on it, and whether it must have no gap."""

    division: str
    role: str
    around_the_clock: bool
    title: str = ""


async def write_roster(tx: Tx, name: str, told: Roster) -> tuple[Document, bool]:
    await known_division(tx, told.division)
    before = await store.roster(tx, name)
    state: Document = {
        "division": told.division,
        "role": told.role,
        "around_the_clock": told.around_the_clock,
        "title": told.title,
    }
    if before and all(before[field] == value for field, value in state.items()):
        return before, False
    if before and (before["division"], before["role"]) != (told.division, told.role):
        raise NotAllowed("the division and the role of a roster stay; make another roster")
    document = {"_id": name, "revision": before["revision"] + 1 if before else 1, **state}
    tx.put("rosters", document)
    return document, True


async def add_duties(
    tx: Tx, roster: Document, duties: Sequence[tuple[uuid.UUID, Turn]], inside: str = ""
) -> list[Document]:
    """Put volunteers on duty, all turns or none. `Refused` and `NotAllowed` name the position of what cannot be."""
    if not duties:
        return []
    await _check_duties(tx, duties, inside)
    documents = []
    for volunteer, turn in duties:
        document = {
            "_id": new_id(),
            "revision": 1,
            "roster": roster["_id"],
            "division": roster["division"],
            "role": roster["role"],
            "volunteer_id": volunteer,
            "starts_at": turn.starts_at,
            "ends_at": turn.ends_at,
            "active": True,
        }
        tx.insert("duties", document)
        # Two transactions that put the same person on duty at once both write this, so one of them is run again.
        tx.increment("volunteers", volunteer, {"turns": 1})
        _tell_duty(tx, document)
        documents.append(document)
    return documents


async def _check_duties(tx: Tx, duties: Sequence[tuple[uuid.UUID, Turn]], inside: str) -> None:
    await tx.load("volunteers", {volunteer for volunteer, _ in duties})
    by_volunteer: dict[uuid.UUID, list[int]] = {}
    for position, (volunteer, turn) in enumerate(duties):
        if flaw := flaw_in_turn(turn):
            raise Refused("bad_turn", flaw, f"duties.{position}.ends_at")
        found = await store.volunteer(tx, volunteer)
        if found is None or not found["active"] or not found["division"].startswith(inside):
            raise Refused("unknown_volunteer", "there is no such active volunteer", f"duties.{position}.volunteer_id")
        by_volunteer.setdefault(volunteer, []).append(position)
    latest = max(turn.ends_at for _, turn in duties)
    earliest = min(turn.starts_at for _, turn in duties)
    held: dict[uuid.UUID, list[Turn]] = {}
    for portion in store.portions(by_volunteer):
        for duty in await store.duties_of(tx, portion, latest, earliest):
            held.setdefault(duty["volunteer_id"], []).append(Turn(duty["starts_at"], duty["ends_at"]))
    for volunteer, positions in by_volunteer.items():
        before = held.get(volunteer, [])
        clash = overlapping([*before, *(duties[position][1] for position in positions)])
        if clash is not None:
            position = positions[clash[1] - len(before)] if clash[1] >= len(before) else positions[0]
            raise NotAllowed(f"duties.{position}: the volunteer is on duty then already")


def withdraw_duty(tx: Tx, duty: Document) -> Document:
    """Take a turn back; nothing happens when it was taken back before."""
    if not duty["active"]:
        return duty
    withdrawn = {**duty, "active": False, "revision": duty["revision"] + 1}
    tx.put("duties", withdrawn)
    _tell_duty(tx, withdrawn)
    return withdrawn


def _tell_duty(tx: Tx, document: Document) -> None:
    fields = ("revision", "roster", "division", "volunteer_id", "role", "starts_at", "ends_at", "active")
    event = DutyRostered(
        **tx.stamp(document["division"]), duty_id=document["_id"], **{name: document[name] for name in fields}
    )
    tx.emit(event)

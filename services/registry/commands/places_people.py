"""Who works at a place, who is responsible for it, whom it is paired with, and what it stands as an example of."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import StreetLeadNamed
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation, recorded_now, save
from services.registry.domain.places_status import State
from services.registry.store import places as kept

STAFF_LIMIT = 200


async def known_person(tx: Tx, ident: uuid.UUID, inside: str, field: str = "person_id") -> Document:
    """A registered, active person, or a refusal; one outside the caller's division is not there."""
    found = await kept.working(tx, ident)
    if found is None or not found["division"].startswith(inside):
        raise Refused("unknown_person", "没有这个登记在册的人员，或已停用", field)
    return found


def _alive(place: Document) -> None:
    if place["status"] == State.closed:
        raise NotAllowed("场所已关闭")


async def link_staff(
    tx: Tx, place: Document, person: uuid.UUID, told: dict[str, Any], *, by: str, inside: str
) -> Document:
    """One link for a person and place; written again it is replaced."""
    _alive(place)
    person = (await known_person(tx, person, inside))["_id"]
    entries = await store.entries_of(tx, person)
    staff = [one for one in place["staff"] or () if one["person_id"] not in entries]
    if len(staff) >= STAFF_LIMIT:
        raise NotAllowed(f"一个场所最多登记 {STAFF_LIMIT} 人")
    link = {"person_id": person, **told}
    if any(one == link for one in place["staff"] or ()):
        return place
    staff = sorted([*staff, link], key=lambda one: str(one["person_id"]))
    return save(tx, place, recorded_now(tx, {**place, "staff": staff}, {"staff"}, by))


def unlink_staff(tx: Tx, place: Document, person: uuid.UUID, *, by: str) -> Document:
    """Who is not linked is not there to take away."""
    staff = [one for one in place["staff"] or () if one["person_id"] != person]
    if len(staff) == len(place["staff"] or ()):
        raise NotFound("该人员不在这个场所")
    return save(tx, place, recorded_now(tx, {**place, "staff": staff}, {"staff"}, by))


async def name_responsible(
    tx: Tx, place: Document, person: uuid.UUID | None, reason: str, *, by: str, inside: str
) -> Document:
    """The one fixed responsible person; each change stays in the log."""
    _alive(place)
    if person == place["responsible"]:
        return place
    if person is not None:
        person = (await known_person(tx, person, inside))["_id"]
        if person == place["responsible"]:
            return place
    entry = {"person_id": person, "by": by, "at": tx.now, "reason": reason}
    after = {**place, "responsible": person, "responsible_log": [*place["responsible_log"], entry]}
    return save(tx, place, after)


async def name_street_lead(
    tx: Tx, division: str, person: uuid.UUID | None, reason: str, *, by: str, inside: str
) -> Document:
    """The same for a street or a town."""
    await known_division(tx, division)
    before = await kept.street_lead(tx, division) or {"_id": division, "revision": 0, "person_id": None, "log": []}
    if person == before["person_id"]:
        return before
    if person is not None:
        person = (await known_person(tx, person, inside))["_id"]
        if person == before["person_id"]:
            return before
    entry = {"person_id": person, "by": by, "at": tx.now, "reason": reason}
    revision = before["revision"] + 1
    document = {**before, "revision": revision, "person_id": person, "log": [*before["log"], entry]}
    tx.put("street_leads", document)
    tx.emit(StreetLeadNamed(**tx.stamp(division), division=division, revision=revision, person_id=person))
    return document


async def pair(
    tx: Tx, place: Document, organisation: uuid.UUID, told: dict[str, Any], *, by: str, inside: str
) -> Document:
    """An organisation builds the place up together with it; a pairing that ended stays, with its last day."""
    _alive(place)
    await known_organisation(tx, organisation, inside)
    known = next((one for one in place["pairings"] if one["organisation_id"] == organisation), None)
    link = {"organisation_id": organisation, **told}
    if known is not None and {name: known[name] for name in link} == link:
        return place
    others = [one for one in place["pairings"] if one["organisation_id"] != organisation]
    pairings = [*others, {**link, "by": by, "at": tx.now}]
    return save(tx, place, {**place, "pairings": sorted(pairings, key=lambda one: str(one["organisation_id"]))})


def demonstrate(tx: Tx, place: Document, told: dict[str, Any] | None, *, by: str) -> Document:
    """A demonstration status with its level, or None where it has none any more."""
    _alive(place)
    now = place["demonstration"]
    known = {name: now[name] for name in told} if now and told else None
    if (now is None and told is None) or (told is not None and known == told):
        return place
    return save(tx, place, {**place, "demonstration": {**told, "by": by, "at": tx.now} if told else None})

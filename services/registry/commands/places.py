"""Places: each change with its event, nothing where nothing changes, and who recorded each field, and when."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import PlaceRegistered
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places_staff import present_staff
from services.registry.domain.places import flaw_in_parent, flaw_in_place, tier_of
from services.registry.domain.places_hosts import flaw_in_house
from services.registry.domain.places_status import State, allows
from services.registry.policy import Policies
from services.registry.store import places as kept

_NEW: Document = {
    "revision": 0,
    "status": State.planned.value,
    "staff": None,
    "responsible": None,
    "demonstration": None,
    "care_level": None,
}
_BOOKKEEPING = frozenset({"revision", "recorded"})
CERTIFIED = frozenset({"counsellor", "therapist", "psychiatrist"})


async def register_place(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, by: str, inside: str
) -> Document:
    """A new place, planned, or the present state of one; what is not told (None) is not recorded."""
    told = {**told, "tier": tier_of(told["type"], told["tier"])}
    await known_division(tx, told["division"])
    host = await _host(tx, told["organisation_id"], inside)
    if flaw := flaw_in_place(told, host["kind"] if host else None):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    await _parent(tx, ident, told, inside)
    if before is not None:
        await _children(tx, before, told)
        await _houses(tx, before, told)
    await _neighbours(tx, told["neighbours"])
    if before is not None and before["type"] != told["type"] and before["status"] != State.planned:
        raise NotAllowed("场所开放后不能改变类型，请另行登记", field="type")
    base = before or {
        **_NEW,
        "_id": ident,
        "status_log": [{"status": State.planned.value, "by": by, "at": tx.now, "day": str(local_day(tx.now))}],
        "responsible_log": [],
        "pairings": [],
        "facts": {},
        "recorded": {},
    }
    document = {**base, **told}
    await _one_care_point(tx, document)
    changed = {name for name, value in told.items() if base.get(name) != value and value is not None}
    changed |= {name for name in told if base.get(name) is not None and told[name] is None}
    return save(tx, before, recorded_now(tx, document, changed, by))


def recorded_now(tx: Tx, document: Document, names: set[str], by: str) -> Document:
    """The document with who recorded these fields, and when; a field that is not told any more loses its stamp."""
    stamps = dict(document["recorded"])
    for name in sorted(names):
        if document.get(name) is None:
            stamps.pop(name, None)
        else:
            stamps[name] = {"by": by, "at": tx.now}
    return {**document, "recorded": stamps}


def save(tx: Tx, before: Document | None, after: Document) -> Document:
    """Write and tell a place unless it is as it was."""
    if before is not None and _told(before) == _told(after):
        return before
    document = {**after, "revision": after["revision"] + 1}
    tx.put("places", document)
    staff = document["staff"] or []
    tx.emit(
        PlaceRegistered(
            **tx.stamp(document["division"]),
            place_id=document["_id"],
            revision=document["revision"],
            type=document["type"],
            division=document["division"],
            status=document["status"],
            organisation_id=document["organisation_id"],
            parent_id=document.get("parent_id"),
            tier=document["tier"],
            systems=tuple(document["systems"]),
            functions=tuple(document["functions"] or ()),
            rooms=len(document["rooms"] or ()),
            staff_full_time=sum(one["full_time"] for one in staff),
            staff_part_time=sum(not one["full_time"] for one in staff),
            responsible_id=document["responsible"],
            care_level=document["care_level"],
            demonstration_level=document["demonstration"]["level"] if document["demonstration"] else None,
        )
    )
    return document


def _told(document: Mapping[str, Any]) -> Document:
    return {name: value for name, value in document.items() if name not in _BOOKKEEPING}


async def _host(tx: Tx, ident: uuid.UUID | None, inside: str) -> Document | None:
    if ident is None:
        return None
    return await known_organisation(tx, ident, inside)


async def known_organisation(tx: Tx, ident: uuid.UUID, inside: str, field: str = "organisation_id") -> Document:
    """The organisation, or a refusal that names the field; one outside the caller's division is not there."""
    found = await store.organisation(tx, ident)
    if found is None or not found["active"] or not found["division"].startswith(inside):
        raise Refused("unknown_organisation", "没有这个机构，或已停用", field)
    return found


async def linked_organisation(
    tx: Tx, told: dict[str, Any], before: Document | None, inside: str, field: str = "organisation_id"
) -> Document | None:
    """The organisation of a field, known to the caller where the link is new or another one; None where none is told.

    A link that was made stays, so that what belongs to an organisation that left can still be ended.
    """
    ident = told[field]
    if ident is None:
        return None
    if before is not None and before[field] == ident:
        return await store.organisation(tx, ident)
    return await known_organisation(tx, ident, inside, field)


async def _parent(tx: Tx, ident: uuid.UUID, told: dict[str, Any], inside: str) -> None:
    if told["parent_id"] is None:
        return
    parent = await kept.place(tx, told["parent_id"])
    if parent is None or parent["_id"] == ident or not parent["division"].startswith(inside[:6]):
        raise Refused("unknown_place", "没有这个上级场所", "parent_id")
    if parent["status"] == State.closed:
        raise Refused("closed_place", "上级场所已关闭", "parent_id")
    if flaw := flaw_in_parent(told, parent):
        raise Refused(flaw.reason, flaw.detail, flaw.field)


async def _children(tx: Tx, before: Document, told: dict[str, Any]) -> None:
    """What hangs below a place still has to fit below it."""
    changed = next((name for name in ("tier", "division", "type") if before[name] != told[name]), None)
    if changed is None:
        return
    for below in await kept.children_of(tx, before["_id"]):
        if flaw_in_parent(below, told):
            raise NotAllowed("下级场所不再符合，请先改挂下级场所", reason="bad_parent", field=changed)


async def _houses(tx: Tx, before: Document, told: dict[str, Any]) -> None:
    """A room still has to fit into the house that it is in, and a house still holds its rooms."""
    changed = next((name for name in ("tier", "division", "type") if before[name] != told[name]), None)
    if changed is None:
        return
    if (house_id := before.get("host_place_id")) is not None:
        house = await kept.place(tx, house_id)
        if house is not None and flaw_in_house(told, house):
            raise NotAllowed("不再符合所在综治中心或服务中心，请先迁出", reason="in_a_house", field=changed)
    for room in await kept.rooms_in(tx, before["_id"]):
        if flaw_in_house(room, {**told, "status": before["status"]}):
            raise NotAllowed("设在这里的咨询室等不再符合，请先迁出", reason="has_rooms", field=changed)


async def _neighbours(tx: Tx, codes: list[str]) -> None:
    known = await store.divisions(tx, codes)
    for position, code in enumerate(codes):
        if code not in known:
            raise Refused("unknown_division", f"没有区划 {code}", f"neighbours.{position}")


async def _one_care_point(tx: Tx, document: Document) -> None:
    """A care point is set up by village, one for each; the unique field is there as long as it is not closed."""
    document.pop("care_village", None)
    if document["type"] != "care_point" or document["status"] == State.closed:
        return
    if len(document["division"]) != 12:
        raise Refused("division_too_coarse", "老年心理关爱点以村（居）为单位，区划须到村（居）", "division")
    other = await kept.care_point_of(tx, document["division"])
    if other is not None and other["_id"] != document["_id"]:
        raise NotAllowed("该村（居）已有老年心理关爱点", field="division")
    document["care_village"] = document["division"]


async def move_place(tx: Tx, place: Document, to: State, reason: str, policies: Policies, *, by: str) -> Document:
    """Open, suspend or close; the same state again changes nothing."""
    present = State(place["status"])
    if to is present:
        return place
    if not allows(present, to):
        raise NotAllowed(f"场所现为 {present.value}，不能变为 {to.value}")
    if to is State.open and place["type"] == "practice_room" and not await _has_counsellor(tx, place, policies):
        raise NotAllowed(
            "心语小屋须先登记资质已核验且在有效期内的心理咨询师，才能开放", reason="no_qualified_counsellor"
        )
    if to is State.closed and await kept.open_children(tx, place["_id"]):
        raise NotAllowed("还有下级场所挂在这里，请先改挂或关闭")
    if to is State.closed and await kept.rooms_in(tx, place["_id"]):
        raise NotAllowed("还有咨询室等设在这里，请先迁出或关闭", reason="has_rooms")
    entry = {"status": to.value, "by": by, "at": tx.now, "day": str(local_day(tx.now)), "reason": reason}
    after = {**place, "status": to.value, "status_log": [*place["status_log"], entry]}
    if to is State.closed:
        after.pop("care_village", None)
    return save(tx, place, after)


async def _has_counsellor(tx: Tx, place: Document, policies: Policies) -> bool:
    staff = await present_staff(tx, place, policies)
    return any(one["occupation"] in CERTIFIED and one["certificate"] is True for one in staff or ())


def record_fact(
    tx: Tx, place: Document, name: str, value: bool | float | None, sha256: str | None, by: str
) -> Document:
    """A yes, a no or a number, with the hash of what proves it; None takes it back to not known."""
    facts = dict(place["facts"])
    known = facts.get(name)
    if value is None:
        facts.pop(name, None)
    elif known is None or (known["value"], known["sha256"]) != (value, sha256):
        facts[name] = {"value": value, "sha256": sha256, "by": by, "at": tx.now}
    return save(tx, place, {**place, "facts": facts})

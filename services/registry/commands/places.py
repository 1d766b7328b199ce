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
from services.registry.domain.places import flaw_in_parent, flaw_in_place, tier_of
from services.registry.domain.places_status import State, allows
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


async def _parent(tx: Tx, ident: uuid.UUID, told: dict[str, Any], inside: str) -> None:
    if told["parent_id"] is None:
        return
    parent = await kept.place(tx, told["parent_id"])
    if parent is None or parent["_id"] == ident or not parent["division"].startswith(inside[:6]):
        raise Refused("unknown_place", "没有这个上级场所", "parent_id")
    if flaw := flaw_in_parent(told, parent):
        raise Refused(flaw.reason, flaw.detail, flaw.field)


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


async def move_place(tx: Tx, place: Document, to: State, reason: str, by: str) -> Document:
    """Open, suspend or close; the same state again changes nothing."""
    present = State(place["status"])
    if to is present:
        return place
    if not allows(present, to):
        raise NotAllowed(f"场所现为 {present.value}，不能变为 {to.value}")
    if to is State.open and place["type"] == "practice_room" and not _has_counsellor(place):
        raise NotAllowed("心语小屋须先登记持证的心理咨询师，才能开放", reason="no_qualified_counsellor")
    if to is State.closed and await kept.open_children(tx, place["_id"]):
        raise NotAllowed("还有下级场所挂在这里，请先改挂或关闭")
    entry = {"status": to.value, "by": by, "at": tx.now, "day": str(local_day(tx.now)), "reason": reason}
    after = {**place, "status": to.value, "status_log": [*place["status_log"], entry]}
    if to is State.closed:
        after.pop("care_village", None)
    return save(tx, place, after)


def _has_counsellor(place: Document) -> bool:
    return any(one["occupation"] in CERTIFIED and one["certificate"] is True for one in place["staff"] or ())


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

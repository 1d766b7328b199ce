"""A room is put into the house that it is in, and the checklist knows it."""

from __future__ import annotations

import uuid

from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from services.registry.commands.places import recorded_now, save
from services.registry.domain.places_hosts import AT_LEVEL, IN_HOUSE, flaw_in_house, proven
from services.registry.domain.places_status import State
from services.registry.store import places as kept


async def put_into(tx: Tx, room: Document, house_id: uuid.UUID | None, by: str, inside: str) -> Document:
    """The house that a room is in, or None where it is in none any more; the same again changes nothing."""
    if room["status"] == State.closed:
        raise NotAllowed("场所已关闭")
    if room.get("host_place_id") == house_id:
        return {**room, "host_place_id": house_id}
    facts = {name: fact for name, fact in room["facts"].items() if name not in (IN_HOUSE, AT_LEVEL)}
    if house_id is not None:
        house = await kept.place(tx, house_id)
        if house is None or house_id == room["_id"] or not house["division"].startswith(inside[:6]):
            raise Refused("unknown_place", "没有这个场所", "host_place_id")
        if flaw := flaw_in_house(room, house):
            raise Refused(flaw.reason, flaw.detail, flaw.field)
        if room["type"] == "governance_room":
            fact = {"sha256": None, "by": by, "at": tx.now}
            facts |= {name: {"value": value, **fact} for name, value in proven(room).items()}
    after = {**room, "host_place_id": house_id, "facts": facts}
    return save(tx, room, recorded_now(tx, after, {"host_place_id"}, by))

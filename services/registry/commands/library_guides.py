"""Orders for guided reading: asked for, given to a guide, held."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry.commands.divisions import known_division
from services.registry.commands.library import reads
from services.registry.domain.library_guides import LABELS, State, allows
from services.registry.store import library as kept
from services.registry.store.places import working


def visible_order(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such order")
    return found


async def order(tx: Tx, ident: uuid.UUID, told: dict[str, Any], caller: Caller) -> tuple[Document, bool]:
    """An order for guided reading of resources that are there, and whether it is new."""
    before = await kept.guide(tx, ident)
    if before is not None:
        visible_order(before, caller)
        if any(before[name] != value for name, value in told.items()):
            raise NotAllowed("这个编号已用于另一份导读申请")
        return before, False
    await known_division(tx, told["division"])
    if told["wanted_on"] < local_day(tx.now).isoformat():
        raise Refused("bad_day", "导读日不能早于今天", "wanted_on")
    for position, item_id in enumerate(told["item_ids"]):
        item = await kept.item(tx, item_id)
        if item is None or not item["active"] or not reads(caller, item["division"]):
            raise Refused("unknown_resource", "没有这个资源，或已下架", f"item_ids.{position}")
    document: Document = {"_id": ident, "revision": 0, **told, "guide_id": None, "log": []}
    return _write(tx, document, State.requested, None, caller), True


async def move(
    tx: Tx, found: Document, to: State, guide_id: uuid.UUID | None, reason: str | None, caller: Caller
) -> Document:
    """The next step; the same again changes nothing. A guide is an active person of the caller's division."""
    present = State(found["state"])
    if (guide_id is not None) is not (to is State.assigned):
        raise Refused("bad_guide", "安排导读时填写导读志愿者，其他步骤不填", "guide_id")
    if guide_id is not None:
        person = await working(tx, guide_id)
        if person is None or not caller.sees(person["division"]):
            raise Refused("unknown_person", "没有这个人员，或已停用", "guide_id")
        guide_id = person["_id"]
    if to is present and guide_id in (None, found["guide_id"]):
        return found
    if not allows(present, to):
        raise NotAllowed(f"导读申请现为“{LABELS[present]}”，不能变为“{LABELS[to]}”")
    if to is State.held and local_day(tx.now).isoformat() < found["wanted_on"]:
        raise NotAllowed("导读日还没有到")
    held_by = found["guide_id"] if to is State.held else guide_id
    return _write(tx, {**found, "guide_id": held_by}, to, reason, caller)


def _write(tx: Tx, document: Document, state: State, reason: str | None, caller: Caller) -> Document:
    entry = {"state": state.value, "by": caller.subject, "at": tx.now, "reason": reason}
    after = {
        **document,
        "revision": document["revision"] + 1,
        "state": state.value,
        "log": [*document["log"], entry],
    }
    tx.put("library_guides", after)
    return after

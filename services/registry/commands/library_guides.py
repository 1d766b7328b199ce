"""Orders for guided reading: asked for, given to a guide, held."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Event
from contracts.registry import GuidedReadingMoved
from services.registry.commands import gate
from services.registry.commands.divisions import known_division
from services.registry.commands.library import reads
from services.registry.domain.gate import REASONS
from services.registry.domain.library_guides import LABELS, State, allows
from services.registry.policy import Policies
from services.registry.store import library as kept
from services.registry.store.places import working

GUIDE = "publicist"
"""The role of the gate by which somebody guides a reading: it opens books to people and meets nobody's secrets."""


def visible_order(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such order")
    return found


async def order(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], caller: Caller, *, keeper: bool
) -> tuple[Document, bool]:
    """An order for guided reading of resources that are there, and whether it is new."""
    before = await kept.guide(tx, ident)
    if before is not None:
        visible_order(before, caller)
        own = keeper or before["asked_by"] == caller.subject
        if not own or any(before[name] != value for name, value in told.items()):
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
    document["asked_by"] = caller.subject
    return _write(tx, document, State.requested, None, caller), True


async def move(
    tx: Tx,
    found: Document,
    to: State,
    guide_id: uuid.UUID | None,
    reason: str | None,
    caller: Caller,
    policies: Policies,
) -> Document:
    """The next step; the same again changes nothing.

    A guide is a person of the caller's division whom the gate lets through, and who is still there when it is held.
    """
    present = State(found["state"])
    if (guide_id is not None) is not (to is State.assigned):
        raise Refused("bad_guide", "安排导读时填写导读志愿者，其他步骤不填", "guide_id")
    if guide_id is not None:
        person = await working(tx, guide_id)
        if person is None or not caller.sees(person["division"]):
            raise Refused("unknown_person", "没有这个人员，或已停用", "guide_id")
        guide_id = person["_id"]
        await _may_guide(tx, person, found, policies)
    if to is present and guide_id in (None, found["guide_id"]):
        return found
    if not allows(present, to):
        raise NotAllowed(f"导读申请现为“{LABELS[present]}”，不能变为“{LABELS[to]}”")
    if to is State.held and local_day(tx.now).isoformat() < found["wanted_on"]:
        raise NotAllowed("导读日还没有到")
    if to is State.held and (found["guide_id"] is None or await working(tx, found["guide_id"]) is None):
        raise NotAllowed("导读志愿者已不在登记在册的人员中，请另行安排", reason="inactive")
    held_by = found["guide_id"] if to is State.held else guide_id
    return _write(tx, {**found, "guide_id": held_by}, to, reason, caller)


async def _may_guide(tx: Tx, person: Document, found: Document, policies: Policies) -> None:
    asked = gate.Asked(date.fromisoformat(found["wanted_on"]), role=GUIDE)
    if reasons := (await gate.may(tx, person, asked, policies)).reasons:
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(f"不能安排导读：{words}", reason=reasons[0].code, field="guide_id")


def _write(tx: Tx, document: Document, state: State, reason: str | None, caller: Caller) -> Document:
    entry = {"state": state.value, "by": caller.subject, "at": tx.now, "reason": reason}
    after = {
        **document,
        "revision": document["revision"] + 1,
        "state": state.value,
        "log": [*document["log"], entry],
    }
    tx.put("library_guides", after)
    names = ("revision", "division", "state", "audience", "people")
    event: Event = GuidedReadingMoved(
        **tx.stamp(after["division"]),
        order_id=after["_id"],
        resources=len(after["item_ids"]),
        wanted_on=date.fromisoformat(after["wanted_on"]),
        **{name: after[name] for name in names},
    )
    tx.emit(event)
    return after

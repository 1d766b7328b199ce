"""The library's resources: written with the words by which they are found, opened, handed on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Event
from contracts.registry import LibraryHandedOn, LibraryItemListed
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.domain.library import above, flaw_in_item, may_be_handed_on, month_of
from services.registry.domain.library_labels import HANDED_ON, LICENCES, PROBLEMS
from services.registry.domain.library_terms import weighed
from services.registry.domain.places_status import State as Status
from services.registry.store import library as kept
from services.registry.store import places as sites

_BOOKKEEPING = frozenset({"revision", "by", "at"})


def reads(caller: Caller, division: str) -> bool:
    """Whether a resource of a division is there for the caller: within the own one, or shared from above."""
    return caller.sees(division) or division in above(caller.division)


def readable(found: Document | None, caller: Caller) -> Document:
    if found is None or not reads(caller, found["division"]):
        raise NotFound("there is no such resource")
    return found


def words_of(told: Mapping[str, Any]) -> dict[str, int]:
    """The weighed words of a resource as told; cuts text, so it is called off the event loop."""
    labels = " ".join(PROBLEMS[tag].label for tag in told["tags"])
    return weighed(told["title"], labels, told["description"] or "")


async def write_item(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], words: Mapping[str, int], caller: Caller
) -> tuple[Document, bool]:
    """A resource as it shall be, and whether it is new; the same again changes nothing."""
    before = await kept.item(tx, ident)
    if before is not None and not caller.sees(before["division"]):
        raise NotFound("there is no such resource")
    if flaw := flaw_in_item(told):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    await known_division(tx, told["division"])
    await _provider(tx, told["provider_id"], caller)
    await _site(tx, told, caller)
    if before is not None and before["kind"] != told["kind"] and await kept.has_copies(tx, ident):
        raise NotAllowed("已登记复本，不能改变资源类型", field="kind")
    terms = [{"t": word, "w": weight} for word, weight in words.items()]
    after: Document = {**(before or {}), "_id": ident, **told, "terms": terms}
    if before is not None and _content(before) == _content(after):
        return before, False
    after |= {"revision": (before["revision"] if before else 0) + 1, "by": caller.subject, "at": tx.now}
    tx.put("library_items", after)
    names = ("revision", "division", "kind", "licence", "provider_id", "place_id", "active")
    lists = ("audiences", "purposes", "settings", "training")
    tx.emit(
        LibraryItemListed(
            **tx.stamp(told["division"]),
            item_id=ident,
            problems=tuple(after["tags"]),
            **{name: after[name] for name in names},
            **{name: tuple(after[name]) for name in lists},
        )
    )
    return after, before is None


def _content(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _BOOKKEEPING}


async def _provider(tx: Tx, ident: uuid.UUID | None, caller: Caller) -> None:
    if ident is None:
        return
    found = await store.organisation(tx, ident)
    if found is None or not found["active"] or not reads(caller, found["division"]):
        raise Refused("unknown_organisation", "没有这个机构，或已停用", "provider_id")


async def _site(tx: Tx, told: Mapping[str, Any], caller: Caller) -> None:
    if told["place_id"] is None:
        return
    found = await sites.place(tx, told["place_id"])
    if found is None or found["status"] == Status.closed or not reads(caller, found["division"]):
        raise Refused("unknown_place", "没有这个场所，或已关闭", "place_id")
    if told["kind"] == "training_base" and found["type"] != "training_base":
        raise Refused("wrong_place", "该场所登记的类型不是培训基地", "place_id")


async def open_item(tx: Tx, ident: uuid.UUID, division: str | None, caller: Caller) -> Document:
    """Count one opening in a division; who opened it is written nowhere."""
    item = in_use(readable(await kept.item(tx, ident), caller))
    if division is not None:
        await known_division(tx, division)
    where = division or caller.division or item["division"]
    kept.count_use(tx, item, month_of(local_day(tx.now)), where, "opened")
    return item


async def hand_on(tx: Tx, ident: uuid.UUID, told: dict[str, Any], caller: Caller) -> tuple[Document, bool]:
    """An entry of the log of what was handed on, and whether it is new; only material whose rights allow it."""
    before = await kept.handed_on(tx, ident)
    if before is not None:
        if not caller.sees(before["division"]) or any(before[name] != value for name, value in told.items()):
            raise NotAllowed("这个编号已用于另一条记录")
        return before, False
    item = in_use(readable(await kept.item(tx, told["item_id"]), caller))
    await known_division(tx, told["division"])
    if item["kind"] not in HANDED_ON:
        raise NotAllowed("只有音频、视频登记发放", reason="wrong_kind")
    if not may_be_handed_on(item["licence"]):
        label = LICENCES[item["licence"]].label
        raise NotAllowed(f"使用许可为“{label}”，不能发放", reason="licence")
    if told["on"] > local_day(tx.now).isoformat():
        raise Refused("bad_day", "发放日不能晚于今天", "on")
    await _receiver(tx, told["organisation_id"], caller)
    document = {"_id": ident, **told, "by": caller.subject, "at": tx.now}
    tx.insert("library_handed_on", document)
    names = ("item_id", "division", "channel", "setting", "organisation_id", "copies")
    event: Event = LibraryHandedOn(
        **tx.stamp(told["division"]),
        handed_on_id=ident,
        revision=1,
        day=date.fromisoformat(told["on"]),
        **{name: told[name] for name in names},
    )
    tx.emit(event)
    kept.count_use(tx, item, told["on"][:7], told["division"], "handed_on")
    return document, True


async def _receiver(tx: Tx, ident: uuid.UUID | None, caller: Caller) -> None:
    if ident is None:
        return
    found = await store.organisation(tx, ident)
    if found is None or not found["active"] or not caller.sees(found["division"]):
        raise Refused("unknown_organisation", "没有这个机构，或已停用", "organisation_id")


def in_use(item: Document) -> Document:
    if not item["active"]:
        raise NotAllowed("该资源已下架", reason="withdrawn")
    return item

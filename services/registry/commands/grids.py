"""Grids of villages and who answers for each, with the log of changes."""

from __future__ import annotations

from typing import Any

from chassis.errors import Refused
from chassis.tx import Document, Tx
from contracts.registry import GridRegistered
from services.registry import store
from services.registry.commands.places_people import known_person
from services.registry.store import grids as kept

VILLAGE_DIGITS = 12
LOG = 100
"""The newest changes that are kept beside a grid; all of them are in the events."""


async def register_grid(tx: Tx, code: str, told: dict[str, Any], *, by: str) -> Document:
    """A grid of a village that there is, whole; the same again changes nothing."""
    village = code[:VILLAGE_DIGITS]
    if await store.division(tx, village) is None:
        raise Refused("unknown_division", f"没有这个村（社区）：{village}", "code")
    before = await kept.grid(tx, code)
    if told["person_id"] is not None and (before is None or before["person_id"] != told["person_id"]):
        told = {**told, "person_id": (await known_person(tx, told["person_id"], code[:6]))["_id"]}
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before
    return _put(tx, code, told, before, by)


def vacate(tx: Tx, grid: Document, by: str) -> Document:
    """Nobody answers for a grid any more, until somebody is named."""
    told = {name: value for name, value in grid.items() if name not in ("_id", "revision", "division", "log")}
    return _put(tx, grid["_id"], {**told, "person_id": None}, grid, by)


def _put(tx: Tx, code: str, told: dict[str, Any], before: Document | None, by: str) -> Document:
    log = before["log"] if before else []
    if before is None or before["person_id"] != told["person_id"]:
        log = [*log, {"person_id": told["person_id"], "by": by, "at": tx.now}][-LOG:]
    village = code[:VILLAGE_DIGITS]
    document = {
        "_id": code,
        "revision": before["revision"] + 1 if before else 1,
        "division": village,
        **told,
        "log": log,
    }
    tx.put("grids", document)
    tx.emit(
        GridRegistered(
            **tx.stamp(village),
            grid=code,
            revision=document["revision"],
            division=village,
            person_id=document["person_id"],
            active=document["active"],
        )
    )
    return document

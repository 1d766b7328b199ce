"""Stars: announced when the hours are there, granted by the level that may after the public notice."""

from __future__ import annotations

import uuid

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import StarsMoved
from services.registry import store
from services.registry.domain.stars import LEVEL_DIGITS, State, allows, notice_until, stars_for
from services.registry.keys import Keys
from services.registry.store import service_records as kept


async def entries_of(tx: Tx, person: Document) -> list[uuid.UUID]:
    """The ids under which a person is or was registered."""
    return await store.entries_of(tx, person["_id"])


async def move_star(tx: Tx, keys: Keys, person: Document, stars: int, to: State, caller: Caller, why: str) -> Document:
    """The next step of a star; the same again changes nothing. Raises `Refused` and `NotAllowed`."""
    entries = await entries_of(tx, person)
    same = [row for row in await kept.stars_of(tx, entries) if row["stars"] == stars]
    known = _in_force(same)
    policy = keys.policies.service_records.at(tx.now)
    level = policy.stars.level(stars)
    if level is None:
        raise Refused("unknown_star", f"政策里没有 {stars} 星", "stars")
    if known is None and to is not State.announced:
        raise NotAllowed("请先公示")
    if known is not None and known["state"] == to:
        return known
    if known is not None and not allows(State(known["state"]), to):
        raise NotAllowed(f"该星级现为 {known['state']}，不能变为 {to.value}")
    if to is not State.announced and len(caller.division) > LEVEL_DIGITS[level.granted_by]:
        raise NotAllowed(f"{stars} 星由 {level.granted_by} 一级决定", status=403)
    if caller.subject in map(str, entries):
        raise NotAllowed("不能评定自己的星级", status=403)
    if to in (State.announced, State.granted):
        total = await kept.totals(tx, entries)
        if stars_for(total["minutes"], policy.stars) < stars:
            raise NotAllowed(f"服务时间不足 {level.hours} 小时", reason="too_few_hours")
    if to is State.granted and known is not None and local_day(tx.now).isoformat() <= known["notice_until"]:
        raise NotAllowed(f"公示至 {known['notice_until']}，期满后才能评定", reason="on_notice")
    until = known["notice_until"] if known else ""
    if to is State.announced:
        last = notice_until(local_day(tx.now), policy.stars.notice_working_days, policy.stars.days_off)
        until = last.isoformat()
    entry = {"state": to.value, "by": caller.subject, "at": tx.now, "why": why, "policy": policy.version}
    moved = {"state": to.value, "notice_until": until, "granted_by": level.granted_by}
    if known is None:
        ident = person["_id"]
        known = {"_id": f"{ident}:{stars}", "volunteer_id": ident, "stars": stars, "revision": 0, "log": []}
    document = _write(tx, {**known, "division": person["division"], **moved}, entry)
    for row in same:  # granted under two entries it is revoked under both
        if to is State.revoked and row["_id"] != document["_id"] and allows(State(row["state"]), to):
            _write(tx, {**row, "state": to.value}, entry)
    return document


def _write(tx: Tx, star: Document, entry: Document) -> Document:
    document = {**star, "revision": star["revision"] + 1, "log": [*star["log"], entry][-50:]}
    tx.put("stars", document)
    tx.emit(
        StarsMoved(
            **tx.stamp(document["division"]),
            volunteer_id=document["volunteer_id"],
            revision=document["revision"],
            division=document["division"],
            stars=document["stars"],
            state=document["state"],
            notice_until=document["notice_until"],
        )
    )
    return document


def _in_force(rows: list[Document]) -> Document | None:
    """Of the same star under several entries of a person the one that stands: granted before announced."""
    order = (State.granted, State.announced, State.revoked, State.refused)
    return min(rows, key=lambda row: order.index(State(row["state"])), default=None)


async def granted_stars(tx: Tx, person: Document) -> int:
    """The most stars that were granted to a person; 0 for none."""
    rows = await kept.stars_of(tx, await entries_of(tx, person))
    return max((row["stars"] for row in rows if row["state"] == State.granted), default=0)

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
    return [person["_id"], *(row["_id"] for row in await store.merged_into(tx, person["_id"]))]


async def move_star(tx: Tx, keys: Keys, person: Document, stars: int, to: State, caller: Caller, why: str) -> Document:
    """The next step of a star; the same again changes nothing. Raises `Refused` and `NotAllowed`."""
    known = await kept.star(tx, person["_id"], stars)
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
    if caller.subject == str(person["_id"]):
        raise NotAllowed("不能评定自己的星级", status=403)
    if to in (State.announced, State.granted):
        total = await kept.totals(tx, await entries_of(tx, person))
        if stars_for(total["minutes"], policy.stars) < stars:
            raise NotAllowed(f"服务时间不足 {level.hours} 小时", reason="too_few_hours")
    if to is State.granted and known is not None and local_day(tx.now).isoformat() <= known["notice_until"]:
        raise NotAllowed(f"公示至 {known['notice_until']}，期满后才能评定", reason="on_notice")
    until = known["notice_until"] if known else ""
    if to is State.announced:
        last = notice_until(local_day(tx.now), policy.stars.notice_working_days, policy.stars.days_off)
        until = last.isoformat()
    entry = {"state": to.value, "by": caller.subject, "at": tx.now, "why": why, "policy": policy.version}
    document: Document = {
        "_id": f"{person['_id']}:{stars}",
        "volunteer_id": person["_id"],
        "division": person["division"],
        "stars": stars,
        "granted_by": level.granted_by,
        "revision": known["revision"] + 1 if known else 1,
        "state": to.value,
        "notice_until": until,
        "log": [*(known["log"] if known else []), entry][-50:],
    }
    tx.put("stars", document)
    tx.emit(
        StarsMoved(
            **tx.stamp(person["division"]),
            volunteer_id=person["_id"],
            revision=document["revision"],
            division=person["division"],
            stars=stars,
            state=to.value,
            notice_until=until,
        )
    )
    return document


async def granted_stars(tx: Tx, person: Document) -> int:
    """The most stars that were granted to a person; 0 for none."""
    rows = await kept.stars_of(tx, await entries_of(tx, person))
    return max((row["stars"] for row in rows if row["state"] == State.granted), default=0)

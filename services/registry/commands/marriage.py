"""Sessions of marriage-registry rooms, each change with its event."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import MarriageSessionMoved
from services.registry import store
from services.registry.commands import gate
from services.registry.commands.places_staff import present_staff
from services.registry.domain.gate import REASONS
from services.registry.domain.marriage import KINDS, OF_TODAY, ROOM, SERVICE, State, allows, flaw_in_people
from services.registry.domain.places_status import State as Place
from services.registry.policy import Policies
from services.registry.store import marriage as kept


async def plan_session(
    tx: Tx, place: Document, ident: uuid.UUID, told: dict[str, Any], policies: Policies, by: str
) -> tuple[Document, bool]:
    """A session of an open room by somebody who works there and may hold it; the same again changes nothing."""
    before = await kept.session(tx, ident)
    held_by = (await store.entries_of(tx, told["held_by"]))[0]
    state = {"place_id": place["_id"], **told, "held_by": held_by}
    if before is not None:
        if all(before[name] == value for name, value in state.items()):
            return before, False
        if before["place_id"] != place["_id"]:
            raise NotAllowed("这个编号已用于另一次活动", reason="taken")
        if before["state"] != State.planned:
            raise NotAllowed("活动已举行或取消，不能修改", reason="not_planned")
    if place["type"] != ROOM:
        raise Refused("no_marriage_room", "只有婚辅小站登记婚前、婚后活动", "place_id")
    if place["status"] != Place.open:
        raise NotAllowed("场所未开放", reason="not_open")
    if held_by not in {one["person_id"] for one in await present_staff(tx, place, policies) or ()}:
        raise Refused("no_staff", "该人员不在这个场所，或已离开", "held_by")
    await _may_hold(tx, state, policies, frozenset())
    base = before or {"_id": ident, "revision": 0, "state": State.planned.value, "people": None}
    return _put(tx, {**base, **state, "division": place["division"], "by": by}), before is None


async def _may_hold(tx: Tx, session: Document, policies: Policies, passed: Collection[str]) -> None:
    """Raises `NotAllowed` where the gate has something else than `passed` against who holds a counselling."""
    if KINDS[session["kind"]].training:
        return
    person = await store.volunteer(tx, session["held_by"])
    if person is None:
        raise Refused("unknown_person", "没有这个登记在册的人员", "held_by")
    person = await store.survivor(tx, person)
    asked = gate.Asked(date.fromisoformat(session["day"]), service=SERVICE)
    reasons = [one for one in (await gate.may(tx, person, asked, policies)).reasons if one.code not in passed]
    if reasons:
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(f"不能开展心理疏导：{words}", reason=reasons[0].code, field="held_by")


async def move_session(tx: Tx, found: Document, to: State, people: int | None, policies: Policies, by: str) -> Document:
    """Held, with how many came, or called off; the same again changes nothing."""
    if (to is State.held) is (people is None):
        raise Refused("bad_people", "举行的活动须填参加人数，取消的不填", "people")
    present = State(found["state"])
    if present is to and found["people"] == people:
        return found
    if not allows(present, to):
        raise NotAllowed(f"活动现为 {present.value}，不能变为 {to.value}")
    if to is State.held:
        if found["day"] > local_day(tx.now).isoformat():
            raise NotAllowed("活动日期未到", reason="too_early", field="to")
        couple = policies.places.at(tx.now).marriage.couple
        if people is not None and (flaw := flaw_in_people(found["kind"], people, couple)):
            raise Refused("bad_people", flaw, "people")
        # Who left since may have held it all the same; a certificate that did not hold on the day may not.
        await _may_hold(tx, found, policies, OF_TODAY)
    return _put(tx, {**found, "state": to.value, "people": people, "by": by})


def _put(tx: Tx, before: Document) -> Document:
    document = {**before, "revision": before["revision"] + 1}
    tx.put("marriage_sessions", document)
    tx.emit(
        MarriageSessionMoved(
            **tx.stamp(document["division"]),
            session_id=document["_id"],
            revision=document["revision"],
            place_id=document["place_id"],
            division=document["division"],
            kind=document["kind"],
            day=date.fromisoformat(document["day"]),
            state=document["state"],
            people=document["people"] or 0,
        )
    )
    return document

"""Experts taking turns: a rotation is built whole, or not at all, and two may swap."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.shifts import PLANNERS
from services.crisis.domain.experts import NobodyLeft, is_free, rota, slots
from services.crisis.domain.shifts import Interval
from services.crisis.office import Office
from services.crisis.store import experts as store


async def build_rotation(rotation_id: UUID, said: Document, caller: Caller, tx: Tx, office: Office) -> Document:
    """Give every slot of a period its experts: none is empty, nobody is in two places, turns are as even as can be.

    `said` has division, service, experts (each a person and days off, ISO dates), starts_at, ends_at, slot_hours and
    places. The same again is answered with what there is; another under the same id is refused.
    """
    caller.needs(*PLANNERS)
    if not caller.sees(said["division"]):
        raise NotFound("there is no such division")
    known = await tx.get("expert_rotations", rotation_id)
    if known is not None:
        if not caller.sees(known["division"]):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        if {name: known[name] for name in said} != said:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    policy = office.shifts.at(tx.now)
    when = _slots(said, tx, office)
    experts = [one["person"] for one in said["experts"]]
    if len(set(experts)) != len(experts):
        raise Refused("twice", "an expert is named twice", "experts")
    busy: dict[str, list[Interval]] = {}
    for turn in await store.turns_of_experts(tx, experts, said["starts_at"], said["ends_at"]):
        busy.setdefault(turn["expert"], []).append((turn["starts_at"], turn["ends_at"]))
    off = {one["person"]: _days(one) for one in said["experts"]}
    try:
        table = rota(experts, when, said["places"], off, busy)
    except NobodyLeft as error:
        raise Refused("slot_without_expert", f"too few experts are free: {error}", "experts") from error
    for number, (slot, chosen) in enumerate(zip(when, table, strict=True)):
        for expert in chosen:
            turn = {
                "_id": new_id(),
                "rotation_id": rotation_id,
                "division": said["division"],
                "service": said["service"],
                "slot": number,
                "expert": expert,
                "starts_at": slot[0],
                "ends_at": slot[1],
                "planned_for": expert,
            }
            tx.insert("expert_turns", turn)
    counts = {expert: sum(expert in chosen for chosen in table) for expert in experts}
    rotation: Document = {
        "_id": rotation_id,
        **said,
        "slots": len(when),
        "fewest_turns": min(counts.values()),
        "most_turns": max(counts.values()),
        "policy": policy.version,
        "built_by": caller.subject,
        "built_at": tx.now,
        "swaps": [],
    }
    tx.insert("expert_rotations", rotation)
    return rotation


def _slots(said: Document, tx: Tx, office: Office) -> list[Interval]:
    policy = office.shifts.at(tx.now).experts
    if said["ends_at"] <= said["starts_at"]:
        raise Refused("no_time", "the rotation ends before it begins", "ends_at")
    if said["ends_at"] <= tx.now:
        raise Refused("time_has_passed", "the rotation lies in the past", "ends_at")
    if not policy.shortest_hours <= said["slot_hours"] <= policy.longest_hours:
        detail = f"a slot has {policy.shortest_hours} to {policy.longest_hours} hours"
        raise Refused("slot_length", detail, "slot_hours")
    length = timedelta(hours=said["slot_hours"])
    if (said["ends_at"] - said["starts_at"]) / length * said["places"] > policy.most_turns:
        raise Refused("too_many_turns", f"a rotation has at most {policy.most_turns} turns", "ends_at")
    return slots(said["starts_at"], said["ends_at"], length)


def _days(one: Document) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in one["unavailable"])


async def swap(rotation_id: UUID, turn_id: UUID, other_id: UUID, caller: Caller, tx: Tx) -> Document:
    """Two experts of a rotation exchange a turn each; how many each has stays as it is."""
    caller.needs(*PLANNERS)
    rotation = await store.the_rotation(tx, rotation_id)
    if not caller.sees(rotation["division"]):
        raise NotFound("there is no such rotation")
    one, other = await tx.get("expert_turns", turn_id), await tx.get("expert_turns", other_id)
    if one is None or one["rotation_id"] != rotation_id:
        raise Refused("unknown_turn", "the rotation has no such turn", "turn_id")
    if other is None or other["rotation_id"] != rotation_id:
        raise Refused("unknown_turn", "the rotation has no such turn", "with_turn_id")
    if min(one["starts_at"], other["starts_at"]) <= tx.now:
        raise NotAllowed("a turn that has begun is not swapped")
    if one["expert"] == other["expert"]:
        raise NotAllowed("both turns are the same expert's")
    for gives, takes in ((one, other), (other, one)):
        await _check_free(rotation, gives, takes["expert"], takes, tx)
    first, second = one["expert"], other["expert"]
    tx.put("expert_turns", {**one, "expert": second})
    tx.put("expert_turns", {**other, "expert": first})
    row = {"at": tx.now, "by": caller.subject, "turn_id": turn_id, "with_turn_id": other_id}
    rotation["swaps"] = [*rotation["swaps"], row][-500:]
    tx.put("expert_rotations", rotation)
    return rotation


async def _check_free(rotation: Document, turn: Document, expert: str, given: Document, tx: Tx) -> None:
    """Raises `NotAllowed` unless the expert, without the turn that is given away, is free in the other one's time."""
    slot = (turn["starts_at"], turn["ends_at"])
    busy = [
        (other["starts_at"], other["ends_at"])
        for other in await store.turns_of_experts(tx, [expert], *slot)
        if other["_id"] != given["_id"]
    ]
    off = next((_days(one) for one in rotation["experts"] if one["person"] == expert), frozenset())
    if not is_free(slot, off, busy):
        raise NotAllowed("an expert is not free in the other's turn", reason="not_free")

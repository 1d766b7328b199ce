"""Shifts of the crisis office: who plans them, who signs on and off, and who is called while nobody is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.rights import OFFICERS, WATCHERS
from services.crisis.commands.shifts_watch import rostered_role, watch
from services.crisis.domain.shifts import ShiftRole, ShiftState, allows, signed_on, there, within
from services.crisis.office import Office
from services.crisis.store import queue as queue_store
from services.crisis.store import shifts as store

PLANNERS = ("supervisor", "district_centre")
UNCONFIRMED = ("required", "called", "unconfirmed")


async def put_shift(shift_id: UUID, said: Document, caller: Caller, tx: Tx, office: Office) -> Document:
    """Plan a shift, or change one that has not begun; the same again changes nothing.

    `said` has division, person, role, starts_at, ends_at, hotline_id and qualification (None where there is none).
    """
    caller.needs(*PLANNERS)
    if not caller.sees(said["division"]):
        raise NotFound("there is no such division")
    known = await tx.get("shifts", shift_id)
    if known is not None:
        if not caller.sees(known["division"]):
            raise NotFound("there is no such shift")
        if {name: known[name] for name in said} == said:
            return known
        if known["state"] != ShiftState.planned:
            raise NotAllowed(f"the shift is {known['state']}")
    await _check(shift_id, said, tx, office)
    policy = office.shifts.at(tx.now)
    shift: Document = {
        "_id": shift_id,
        **said,
        "state": ShiftState.planned.value,
        "started_at": None,
        "ended_at": None,
        "ended_by": None,
        "policy": policy.version,
        "set_by": caller.subject,
        "set_at": tx.now,
    }
    tx.put("shifts", shift)
    tx.set_timer("shift", shift_id, max(tx.now, said["starts_at"]) + policy.shifts.grace)
    await watch(said["division"], tx, office, role=said["role"], tell=False)
    if known is not None and known["division"] != said["division"]:
        await watch(known["division"], tx, office)
    return shift


async def _check(shift_id: UUID, said: Document, tx: Tx, office: Office) -> None:
    policy = office.shifts.at(tx.now)
    starts_at, ends_at = said["starts_at"], said["ends_at"]
    if ends_at <= starts_at:
        raise Refused("no_time", "the shift ends before it begins", "ends_at")
    if ends_at - starts_at > timedelta(hours=policy.shifts.longest_hours):
        raise Refused("too_long", f"a shift has at most {policy.shifts.longest_hours} hours", "ends_at")
    if ends_at <= tx.now:
        raise Refused("time_has_passed", "the shift has ended already", "ends_at")
    if starts_at > tx.now + timedelta(days=policy.shifts.ahead_days):
        raise Refused("too_far", f"a shift is planned at most {policy.shifts.ahead_days} days ahead", "starts_at")
    if said["hotline_id"] is not None:
        line = await tx.get("hotlines", said["hotline_id"])
        if line is None or not said["division"].startswith(line["division"]):
            raise Refused("unknown_line", "the division has no such line", "hotline_id")
        wanted = policy.categories[line["category"]].qualifications
        if wanted and said["qualification"] not in wanted:
            detail = f"this line is staffed by {', '.join(wanted)} alone"
            raise Refused("not_qualified", detail, "qualification")
    for other in await store.shifts_of(tx, said["person"], starts_at, ends_at):
        if other["_id"] != shift_id:
            raise NotAllowed("the person has another shift at this time", reason="shifts_overlap", field="starts_at")


async def withdraw_shift(shift_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A planned shift is off; what it leaves open is looked at at once."""
    shift = await _planned_by(shift_id, caller, tx)
    if shift["state"] == ShiftState.withdrawn:
        return shift
    _move(shift, ShiftState.withdrawn)
    shift.update(ended_at=tx.now, ended_by=caller.subject)
    tx.put("shifts", shift)
    tx.cancel_timer("shift", shift_id)
    await watch(shift["division"], tx, office)
    return shift


async def start_shift(shift_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person signs on, by name; nobody does it for another."""
    shift = await _own(shift_id, caller, tx)
    if shift["role"] in OFFICERS:
        caller.needs(shift["role"])
    if shift["state"] == ShiftState.on:
        return shift
    policy = office.shifts.at(tx.now).shifts
    if tx.now < shift["starts_at"] - timedelta(minutes=policy.early_minutes):
        raise NotAllowed(f"a shift is signed on at most {policy.early_minutes} minutes before it begins")
    if tx.now >= shift["ends_at"]:
        raise NotAllowed("the shift is over")
    _move(shift, ShiftState.on)
    shift["started_at"] = tx.now
    tx.put("shifts", shift)
    tx.set_timer("shift", shift_id, shift["ends_at"] + policy.overrun)
    await watch(shift["division"], tx, office)
    return shift


async def end_shift(shift_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person signs off, or a supervisor for whoever forgot; answers how many cases the person still holds.

    Nobody leaves an act in progress behind that no emergency contact is confirmed for and no hand-over is offered of.
    """
    shift = await store.the_shift(tx, shift_id)
    if shift["person"] != caller.subject:
        shift = await _planned_by(shift_id, caller, tx)
    held = await queue_store.held_by(tx, shift["person"], office.shifts.at(tx.now).hand_over.most_cases)
    if shift["state"] != ShiftState.ended:
        offered = await store.open_hand_over(tx, shift_id)
        given = {row["case_id"] for row in offered["cases"]} if offered else set()
        if any(case["emergency"]["state"] in UNCONFIRMED and case["_id"] not in given for case in held):
            raise NotAllowed(
                "an act in progress has no confirmed contact yet: hand the case over first", reason="emergency_held"
            )
        _end(shift, caller.subject, tx)
        tx.cancel_timer("shift", shift_id)
        await watch(shift["division"], tx, office)
    return {**shift, "cases_held": len(held)}


def _end(shift: Document, by: str, tx: Tx) -> None:
    _move(shift, ShiftState.ended)
    shift.update(ended_at=tx.now, ended_by=by)
    tx.put("shifts", shift)


def _move(shift: Document, state: ShiftState) -> None:
    if not allows(ShiftState(shift["state"]), state):
        raise NotAllowed(f"the shift is {shift['state']}")
    shift["state"] = state.value


async def _planned_by(shift_id: UUID, caller: Caller, tx: Tx) -> Document:
    shift = await store.the_shift(tx, shift_id)
    if not caller.sees(shift["division"]):
        raise NotFound("there is no such shift")
    caller.needs(*PLANNERS)
    return shift


async def _own(shift_id: UUID, caller: Caller, tx: Tx) -> Document:
    shift = await store.the_shift(tx, shift_id)
    if shift["person"] != caller.subject:
        if caller.sees(shift["division"]) and caller.roles & WATCHERS:
            raise NotAllowed("the shift is another person's", status=403)
        raise NotFound("there is no such shift")
    return shift


async def shift_due(shift_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody signed on in time: the shift is missed, and its gap is told. Nobody signed off: it ends by itself."""
    shift = await tx.get("shifts", shift_id)
    if shift is None:
        return
    policy = office.shifts.at(tx.now).shifts
    state = ShiftState(shift["state"])
    if state is ShiftState.planned:
        due_at = max(shift["starts_at"], shift["set_at"]) + policy.grace
    elif state is ShiftState.on:
        due_at = shift["ends_at"] + policy.overrun
    else:
        return
    if due_at > tx.now:
        tx.set_timer("shift", shift_id, due_at)
        return
    if state is ShiftState.planned:
        _move(shift, ShiftState.missed)
        tx.put("shifts", shift)
    else:
        _end(shift, "policy", tx)
    await watch(shift["division"], tx, office)


# Who is there


async def on_shift(division: str, caller: Caller, tx: Tx, office: Office) -> bool:
    """Whether the caller is on a shift that covers a division.

    Raises `NotAllowed` (403, `not_on_shift`) where the caller is not, and the plan has others of the caller's role who
    have come. Where nobody was planned, or nobody has come, nobody is locked out: an unanswered case is worse.
    """
    own, closed = await _cover(division, caller, tx, office)
    if closed is not None:
        raise others_are()
    return own


async def others_on_shift(division: str, caller: Caller, tx: Tx, office: Office) -> str | None:
    """The widest division around this one of whose cases `on_shift` would take none for the caller; None: it takes."""
    _, closed = await _cover(division, caller, tx, office)
    if closed is None:
        return None
    policy = office.shifts.at(tx.now).shifts
    planned = await store.shifts_of(tx, caller.subject, tx.now - policy.overrun, tx.now + timedelta(seconds=1))
    # Within what others cover the caller may be on the shift of one village: then only this division is theirs.
    return division if any(shift["division"].startswith(closed) for shift in planned) else closed


def others_are() -> NotAllowed:
    return NotAllowed("others are on shift now, and you are not", status=403, reason="not_on_shift")


async def _cover(division: str, caller: Caller, tx: Tx, office: Office) -> tuple[bool, str | None]:
    """Whether the caller is on a shift that covers a division, and else by whose division others have come for it."""
    watches = await store.watches_for(tx, division)
    if not watches:
        return False, None
    policy = office.shifts.at(tx.now).shifts
    shifts = await store.shifts_over(tx, division, tx.now - policy.overrun, tx.now + timedelta(seconds=1))
    here = [shift for shift in shifts if there(shift, tx.now, policy.grace, policy.overrun)]
    own = [shift for shift in here if shift["person"] == caller.subject]
    if own or policy.needed == "never":
        return bool(own), None
    come: dict[str, str] = {}
    for shift in shifts:
        if signed_on(shift, tx.now, policy.overrun) and within(shift, tx.now):
            widest = come.get(shift["role"], shift["division"])
            come[shift["role"]] = min(widest, shift["division"], key=len)
    roles = caller.roles.intersection(OFFICERS)
    if roles and roles <= come.keys():
        return False, max((come[role] for role in roles), key=len)
    return False, None


async def staffed_step(
    division: str, step: int, last: int, role_at: Callable[[int], str], tx: Tx, office: Office
) -> tuple[int, tuple[str, ...]]:
    """From `step` on, the first step whose role is not known to be absent; and the roles that were passed over.

    A role is known to be absent where the division's plan knows shifts of it, and nobody is on one. The last step is
    never passed over. Where nobody plans shifts this reads a few keys and asks nothing.
    """
    if step >= last:
        return step, ()
    watches = await store.watches_for(tx, division)
    planned = {role for one in watches for role in one["roles"]}
    if not planned:
        return step, ()
    policy = office.shifts.at(tx.now).shifts
    shifts = await store.shifts_over(tx, division, tx.now - policy.overrun, tx.now + timedelta(seconds=1))
    here = {shift["role"] for shift in shifts if there(shift, tx.now, policy.grace, policy.overrun)}
    skipped: list[str] = []
    while step < last:
        role = rostered_role(role_at(step))
        if role is None or role not in planned or role in here:
            break
        skipped.append(role_at(step))
        step += 1
    return step, tuple(skipped)


def shift_said(body: Any) -> Document:
    """The fields of a shift as a person said them; times as they are kept."""
    return {
        "division": body.division,
        "person": body.person,
        "role": ShiftRole(body.role).value,
        "starts_at": _kept(body.starts_at),
        "ends_at": _kept(body.ends_at),
        "hotline_id": body.hotline_id,
        "qualification": body.qualification.value if body.qualification else None,
    }


def _kept(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

"""Who takes which case: the worker asks for the next, and the most urgent is given; nobody picks."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseAcknowledged
from services.crisis.case import need_next_step, note
from services.crisis.commands.chains import acknowledged
from services.crisis.commands.reading import enter_reading
from services.crisis.commands.rights import OFFICERS, WATCHERS, role_of, seen_case
from services.crisis.commands.shifts import on_shift, others_are, others_on_shift
from services.crisis.office import Office
from services.crisis.store import queue as store


async def take_next(ask: UUID | None, caller: Caller, tx: Tx, office: Office) -> Document | None:
    """The most urgent case that waits in the caller's division, then the longest waiting; it is the caller's now.

    None where nothing waits. The same `ask` of the same person gives the same case again, so that an answer that got
    lost gives nobody a second one. Two who ask at once write the same document: one of them looks again.
    """
    caller.needs(*OFFICERS)
    if ask is not None:
        taken = await store.taken_by_asking(tx, caller.subject, ask)
        if taken is not None:
            await enter_reading(taken, caller, tx, office)
            return taken
    case = await _first_for(caller, tx, office)
    if case is None:
        return None
    return await _take(case, caller, tx, office, ask)


async def _first_for(caller: Caller, tx: Tx, office: Office) -> Document | None:
    """The first case that waits in the caller's division, and that the caller may take on shift.

    Where others are on shift for one office of a caller who serves several, those of the other offices still come.
    Raises `NotAllowed` where what waits waits for others alone.
    """
    others: list[str] = []
    while (case := await store.next_waiting(tx, caller.division, besides=others)) is not None:
        theirs = await others_on_shift(case["division"], caller, tx, office)
        if theirs is None:
            return case
        others.append(theirs)
    if others:
        raise others_are()
    return None


async def acknowledge(case_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person takes this case; the clock stops. The same person again is no second acknowledgement.

    A duty officer may name the case that is next, and one that was theirs before its clock started again. Whoever
    watches over the shift may name any.
    """
    case = await seen_case(case_id, caller, tx)
    clock = case["acknowledgement"]
    if clock["state"] == "acknowledged":
        if clock["by"] == caller.subject:
            await enter_reading(case, caller, tx, office)
            return case
        raise NotAllowed("another person has acknowledged this case")
    picking = office.shifts.at(tx.now).queue.picking
    if not (picking or caller.roles & WATCHERS or case.get("held_by") == caller.subject):
        first = await _first_for(caller, tx, office)
        if first is not None and first["_id"] != case_id:
            raise NotAllowed("another case is more urgent or has waited longer: ask for the next", reason="not_next")
    return await _take(case, caller, tx, office, None)


async def _take(case: Document, caller: Caller, tx: Tx, office: Office, ask: UUID | None) -> Document:
    present = await on_shift(case["division"], caller, tx, office)
    clock = case["acknowledgement"]
    seconds = int((tx.now - clock["since"]).total_seconds())
    case["acknowledgement"] = {
        **clock,
        "state": "acknowledged",
        "by": caller.subject,
        "at": tx.now,
        "division": caller.division,
        "on_shift": present,
        "ask": ask,
    }
    case["held_by"] = caller.subject
    tx.cancel_timer("acknowledgement", case["_id"])
    note(case, tx, "acknowledged", caller.subject, on_shift=present)
    acknowledged(case, tx)
    await need_next_step(case, tx)
    tx.emit(
        CaseAcknowledged(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            tier=Tier(case["tier"]),
            role=role_of(caller),
            seconds=seconds,
            on_time=clock["step"] == 0,
        )
    )
    await enter_reading(case, caller, tx, office)  # who takes a case is answered with all of it
    tx.put("cases", case)
    return case

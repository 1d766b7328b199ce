"""Looking ahead: a supervisor is there at all hours, and so is somebody on each line that is open, or the gap is shown
before it comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chassis.tx import Document, Tx
from contracts.crisis import SupervisionGapFilled, SupervisionGapFound
from services.crisis.domain.shifts import (
    Interval,
    ShiftRole,
    cover,
    follow_gaps,
    gaps,
    next_look,
    opening,
    time_of,
)
from services.crisis.office import Office
from services.crisis.store import shifts as store


def rostered_role(called: str) -> str | None:
    """The role of a plan that the clock calls by this name; none for 110, 120 and other houses."""
    return next((role.value for role in ShiftRole if role.called == called), None)


async def watch(division: str, tx: Tx, office: Office, role: str | None = None, tell: bool = True) -> None:
    """The plan of a division has changed: look ahead now, there and in every division that it covers.

    Without `tell`, what the change fills is told at once, and what is still open a little later: a plan is entered
    shift by shift.
    """
    own = await tx.get("watches", division) or {"_id": division, "division": division, "roles": [], "covers": []}
    tx.put("watches", {**own, "roles": sorted({*own["roles"], *([role] if role else [])})})
    for one in await store.watches_under(tx, division):
        await supervision_due(one["_id"], tx, office, tell)


async def supervision_due(division: str, tx: Tx, office: Office, tell: bool = True) -> None:
    """Each day, and when a gap comes near: what is open in the plan is told, once at each look ahead."""
    found = await tx.get("watches", division)
    if found is None:
        return
    if not (await store.has_shifts(tx, division) or await store.lines_of(tx, division)):
        for one in found["covers"]:
            for gap in one["gaps"]:
                _tell_filled(division, one, gap, tx)
        tx.delete("watches", division)
        tx.cancel_timer("supervision", division)
        return
    policy = office.shifts.at(tx.now)
    ahead = policy.supervision.ahead_hours
    end = tx.now + timedelta(hours=max(ahead) + 24)
    known = {(one["role"], one["hotline_id"]): one["gaps"] for one in found["covers"]}
    covers: list[Document] = []
    every: list[Interval] = []
    for one in await open_in_plan(division, end, tx, office):
        key = (one["role"], one["hotline_id"])
        present, to_tell, filled = follow_gaps(known.pop(key, []), one["open"], tx.now, ahead, tell)
        for gap, hours in to_tell:
            tx.emit(SupervisionGapFound(**_fields(division, one, gap, tx), ahead_hours=hours))
        for gap in filled:
            _tell_filled(division, one, gap, tx)
        every += one["open"]
        covers.append({"role": one["role"], "hotline_id": one["hotline_id"], "gaps": present})
    for (gone_role, hotline_id), left in known.items():  # the line closed, or the policy asks no more
        for gap in left:
            _tell_filled(division, {"role": gone_role, "hotline_id": hotline_id}, gap, tx)
    tx.put("watches", {**found, "covers": covers, "looked_at": tx.now})
    look_at = next_look(every, tx.now, ahead)
    settled_at = tx.now + timedelta(minutes=policy.supervision.settle_minutes)
    tx.set_timer("supervision", division, look_at if tell else min(look_at, settled_at))


async def open_in_plan(division: str, end: Any, tx: Tx, office: Office) -> list[Document]:
    """For each role that has to be there at all hours, and each line: when nobody is, from now to `end`.

    Rows of `role`, `hotline_id` (None for a role of the whole division) and `open`, the gaps.
    """
    policy = office.shifts.at(tx.now)
    shifts = await store.shifts_over(tx, division, tx.now - policy.shifts.overrun, end)
    rows: list[Document] = []
    for role in policy.supervision.roles:
        covered = cover([one for one in shifts if one["role"] == role], tx.now, policy.shifts.overrun)
        rows.append({"role": role.value, "hotline_id": None, "open": gaps(covered, tx.now, end)})
    for line in await store.lines_of(tx, division):
        covered = cover([one for one in shifts if one["hotline_id"] == line["_id"]], tx.now, policy.shifts.overrun)
        hours = opening(time_of(line["opens"]), time_of(line["closes"]), tx.now, end)
        missing = [gap for since, until in hours for gap in gaps(covered, since, until)]
        rows.append({"role": ShiftRole.duty_officer.value, "hotline_id": line["_id"], "open": missing})
    return rows


def _tell_filled(division: str, one: Document, gap: Document, tx: Tx) -> None:
    tx.emit(SupervisionGapFilled(**_fields(division, one, gap, tx)))


def _fields(division: str, one: Document, gap: Document, tx: Tx) -> dict[str, Any]:
    return {
        **tx.stamp(division),
        "division": division,
        "role": ShiftRole(one["role"]).called,
        "hotline_id": one["hotline_id"],
        "starts_at": gap["starts_at"],
        "ends_at": gap["ends_at"],
    }

"""The shared list of urgent cases: put there with a reason, taken off when handled, and gone by itself when idle."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.case import note
from services.crisis.commands.rights import seen_case
from services.crisis.domain.shifts_policy import UrgentPolicy
from services.crisis.office import Office

TIMER = "urgent"


class UrgentReason(StrEnum):
    """Why the next shift, too, has to keep an eye on a case; a code, since a list is read by many."""

    contact_today = "contact_today"
    awaiting_bed = "awaiting_bed"
    means_at_hand = "means_at_hand"
    nobody_near = "nobody_near"
    may_lose_contact = "may_lose_contact"
    institution_silent = "institution_silent"
    family_decides = "family_decides"
    school_waits = "school_waits"


class Handled(StrEnum):
    handled = "handled"
    put_by_mistake = "put_by_mistake"


async def put_urgent(case_id: UUID, reason: UrgentReason, caller: Caller, tx: Tx, office: Office) -> Document:
    """Any officer puts a case on the list; putting it there again changes the reason, not since when it is there."""
    case = await seen_case(case_id, caller, tx)
    known = await tx.get("urgent", case_id)
    if known is not None and known["reason"] == reason.value:
        return known
    policy = office.shifts.at(tx.now)
    put_at = known["put_at"] if known else tx.now
    row: Document = {
        "_id": case_id,
        "division": case["division"],
        "tier": case["tier"],
        "reason": reason.value,
        "put_by": caller.subject,
        "put_at": put_at,
        "policy": policy.version,
        "expires_at": _expiry(put_at, tx.now, policy.urgent),
    }
    tx.put("urgent", row)
    tx.set_timer(TIMER, case_id, row["expires_at"])
    note(case, tx, "put_on_urgent_list", caller.subject, reason=reason.value)
    tx.put("cases", case)
    return row


async def take_off(case_id: UUID, outcome: Handled, caller: Caller, tx: Tx) -> Document:
    """Somebody has seen to it."""
    case = await seen_case(case_id, caller, tx)
    row = await tx.get("urgent", case_id)
    if row is None:
        raise NotFound("the case is not on the urgent list")
    await drop_urgent(case_id, tx)
    note(case, tx, "taken_off_urgent_list", caller.subject, outcome=outcome.value)
    tx.put("cases", case)
    return row


async def drop_urgent(case_id: UUID, tx: Tx) -> None:
    """The case leaves the list, and its timer with it; for whoever closes or merges a case."""
    if await tx.get("urgent", case_id) is not None:
        tx.delete("urgent", case_id)
        tx.cancel_timer(TIMER, case_id)


async def take_over_urgent(case: Document, gone: Document, tx: Tx) -> None:
    """A case that goes on for another one stands on the list if either did, and no longer than the first of them."""
    own, theirs = await tx.get("urgent", case["_id"]), await tx.get("urgent", gone["_id"])
    if theirs is None:
        return
    both = [row for row in (own, theirs) if row is not None]
    row: Document = {
        **both[0],
        "_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "put_at": min(row["put_at"] for row in both),
        "expires_at": min(row["expires_at"] for row in both),
    }
    tx.put("urgent", row)
    tx.set_timer(TIMER, case["_id"], row["expires_at"])


async def urgent_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """Nothing was done about the case for so many days, or it was on the list for so many weeks: it leaves the list,
    and its timeline says so. What people did meanwhile, as the timeline shows it, keeps it there.
    """
    row = await tx.get("urgent", case_id)
    if row is None:
        return
    case = await tx.get("cases", case_id)
    if case is None or case["state"] != "open":
        tx.delete("urgent", case_id)
        return
    policy = office.shifts.of(row["policy"]).urgent
    acts = [line["at"] for line in case["timeline"] if line["by"] != "policy" and line["by"] != "matching"]
    expires_at = _expiry(row["put_at"], max([row["put_at"], *acts]), policy)
    if expires_at > tx.now:
        tx.put("urgent", {**row, "expires_at": expires_at})
        tx.set_timer(TIMER, case_id, expires_at)
        return
    tx.delete("urgent", case_id)
    note(case, tx, "urgent_expired", "policy", put_by=row["put_by"], reason=row["reason"])
    tx.put("cases", case)


def _expiry(put_at: datetime, touched_at: datetime, policy: UrgentPolicy) -> datetime:
    return min(touched_at + timedelta(days=policy.idle_days), put_at + timedelta(weeks=policy.most_weeks))

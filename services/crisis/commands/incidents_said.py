"""What the commands about incidents share: who sees which, times and places that people say, the same said twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.db import as_utc
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import EmergencyKind
from services.crisis.domain.incidents import IncidentState, common_division
from services.crisis.office import Office
from services.crisis.store.incidents import the_incident

LEADERS = ("supervisor", "district_centre")
"""Who declares and leads an incident."""
AFTERCARE_TIMER = "incident_aftercare"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_AGO = timedelta(days=3660)
"""What happened earlier is a slip of the pen."""


def moment_of(said: datetime, field: str, tx: Tx, office: Office, *, ahead_days: int = 0) -> datetime:
    """A moment that a person names, in UTC and cut to the millisecond; raises `Refused` for an impossible one."""
    tolerance = office.policies.at(tx.now).intake.future_tolerance_seconds
    if said > tx.now + timedelta(days=ahead_days, seconds=tolerance):
        raise Refused("time_in_future", f"{field} lies too far in the future", field)
    if said < tx.now - LONGEST_AGO:
        raise Refused("time_out_of_bounds", f"{field} lies too far in the past", field)
    return as_utc(said.astimezone(UTC))


async def known_division(tx: Tx, division: str, field: str = "division") -> None:
    """Raises `Refused` for a division that the registry does not list."""
    if await tx.get("divisions", division) is None:
        raise Refused("unknown_division", f"there is no division {division}", field)


def same_again(office: Office, *said: Any) -> str:
    """A keyed digest of what was said, to know the same thing when it comes again; nobody can guess a name from it."""
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False, default=_plain)
    return office.digest(f"said:{plain}")


def _plain(value: Any) -> str:
    # The distance, because a moment at the edge of the calendar cannot be put into another zone.
    return str(value - EPOCH) if isinstance(value, datetime) else str(value)


def check_same(present: Document, digest: str) -> Document:
    """The document of before, if the same was said; raises `NotAllowed` (409) for something else under its id."""
    if present["digest"] != digest:
        raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
    return present


def touches(incident: Document, caller: Caller) -> bool:
    """Whether the incident reaches into the caller's division."""
    return any(caller.sees(area) or caller.division.startswith(area) for area in incident["areas"])


async def seen_incident(incident_id: UUID, caller: Caller, tx: Tx, *, open_: bool = True) -> Document:
    """An incident that touches the caller's division; raises `NotFound`, or `NotAllowed` once it is closed."""
    incident = await the_incident(tx, incident_id)
    if not touches(incident, caller):
        raise NotFound("there is no such incident")
    if open_ and incident["state"] == IncidentState.closed:
        raise NotAllowed("the incident is closed")
    return incident


async def led_incident(incident_id: UUID, caller: Caller, tx: Tx) -> Document:
    """An open incident all of whose areas the caller is responsible for."""
    incident = await seen_incident(incident_id, caller, tx)
    if not all(caller.sees(area) for area in incident["areas"]):
        raise NotAllowed("the incident reaches beyond your division", status=403)
    return incident


def about(incident: Document, tx: Tx) -> dict[str, Any]:
    return {
        **tx.stamp(common_division(incident["areas"])),
        "incident_id": incident["_id"],
        "kind": EmergencyKind(incident["kind"]),
        "areas": tuple(incident["areas"]),
    }


def record(incident: Document, tx: Tx, action: str, reason: str, caller: Caller, **details: Any) -> None:
    tx.record(
        actor=caller.subject,
        action=action,
        subject=str(incident["_id"]),
        division=common_division(incident["areas"]),
        reason=reason,
        **details,
    )

"""Agreements with partner units: how one stands, and whether enough were signed in time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class State(StrEnum):
    drafted = "drafted"
    negotiating = "negotiating"
    signed = "signed"
    suspended = "suspended"
    ended = "ended"
    terminated = "terminated"
    abandoned = "abandoned"


NEXT: dict[State, frozenset[State]] = {
    State.drafted: frozenset({State.negotiating, State.signed, State.abandoned}),
    State.negotiating: frozenset({State.drafted, State.signed, State.abandoned}),
    State.signed: frozenset({State.suspended, State.ended, State.terminated}),
    State.suspended: frozenset({State.signed, State.ended, State.terminated}),
    State.ended: frozenset(),
    State.terminated: frozenset(),
    State.abandoned: frozenset(),
}
CLOSED = frozenset({State.ended, State.terminated, State.abandoned})
BEFORE_SIGNING = frozenset({State.drafted, State.negotiating})

KINDS = {"cooperation": "合作协议", "purchase": "政府购买服务合同"}
SERVICES = {
    "check_up": "心理体检",
    "group": "团体心理辅导",
    "individual": "个体心理咨询",
    "crisis": "心理危机干预",
}


def allows(present: State, following: State) -> bool:
    """Whether the table has the step."""
    return following in NEXT[present]


def in_force(agreement: Mapping[str, Any], day: str) -> bool:
    """Whether an agreement holds on an ISO day."""
    since, until = agreement["valid_from"] or agreement["signed_on"], agreement["valid_until"]
    return agreement["state"] == State.signed and since <= day and (until is None or day <= until)


@dataclass(frozen=True)
class Progress:
    """Partners that signed: so far, and by the last day of the target. `days_left` is below 0 once it is over."""

    target: int
    by: date
    signed: int
    signed_in_time: int
    negotiating: int
    met: bool
    days_left: int
    by_service: dict[str, int]


def progress(
    agreements: Iterable[Mapping[str, Any]], kinds: Collection[str], target: int, by: date, today: date
) -> Progress:
    """How far the target is, as of a day; a partner counts once however many agreements it has."""
    signed: set[Any] = set()
    in_time: set[Any] = set()
    talking: set[Any] = set()
    services: dict[str, set[Any]] = {code: set() for code in SERVICES}
    for one in agreements:
        if one["partner_kind"] not in kinds:
            continue
        partner, day = one["partner_id"], one["signed_on"]
        if day is not None and day <= today.isoformat():
            signed.add(partner)
            if day <= by.isoformat():
                in_time.add(partner)
            for code in one["services"]:
                services[code].add(partner)
        elif one["state"] in BEFORE_SIGNING:
            talking.add(partner)
    return Progress(
        target,
        by,
        len(signed),
        len(in_time),
        len(talking - signed),
        len(in_time) >= target,
        (by - today).days,
        {code: len(partners) for code, partners in services.items()},
    )

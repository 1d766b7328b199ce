"""Crisis-intervention expert groups: who may be called, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any


class CallOutState(StrEnum):
    calling = "calling"
    answered = "answered"
    """As many experts as were wanted have acknowledged."""
    exhausted = "exhausted"
    """The list was gone through as often as the policy says, and experts are still missing: a gap that shows."""
    cancelled = "cancelled"


NEXT: dict[CallOutState, frozenset[CallOutState]] = {
    CallOutState.calling: frozenset({CallOutState.answered, CallOutState.exhausted, CallOutState.cancelled}),
    # More experts are wanted, or a late answer is still welcome.
    CallOutState.answered: frozenset({CallOutState.calling, CallOutState.cancelled}),
    CallOutState.exhausted: frozenset({CallOutState.calling, CallOutState.answered, CallOutState.cancelled}),
    CallOutState.cancelled: frozenset(),
}

WAITING = "waiting"
"""A call that has no answer yet."""


def allows(present: CallOutState, following: CallOutState) -> bool:
    """Whether a call-out may move so."""
    return following in NEXT[present]


def certified(member: Mapping[str, Any], day: date) -> bool:
    """Whether the crisis team's certificate holds on that day; dates are ISO 8601 text."""
    certificate = member["certificate"]
    return bool(certificate and certificate["valid_from"] <= day.isoformat() <= certificate["valid_until"])


def call_list(members: Sequence[Mapping[str, Any]], day: date) -> list[str]:
    """The subjects to call, in their order; who is not available or whose certificate does not hold is left out."""
    ordered = sorted(members, key=lambda member: (member["order"], member["subject"]))
    return [member["subject"] for member in ordered if member["available"] and certified(member, day)]


def next_to_call(order: Sequence[str], calls: Sequence[Mapping[str, Any]], rounds: int) -> str | None:
    """Who comes next: the first with the fewest calls so far, never one who acknowledged, declined or is being called;
    nobody once all were called `rounds` times.
    """
    out = {call["subject"] for call in calls if call["outcome"] in (WAITING, "acknowledged", "declined")}
    times = {subject: sum(call["subject"] == subject for call in calls) for subject in order if subject not in out}
    open_ = [subject for subject in order if times.get(subject, rounds) < rounds]
    return min(open_, key=lambda subject: times[subject], default=None)

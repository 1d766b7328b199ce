"""How a provider stands: registered, verified by a person, suspended, or ended."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    registered = "registered"
    verified = "verified"
    suspended = "suspended"
    ended = "ended"


NEXT: dict[State, frozenset[State]] = {
    State.registered: frozenset({State.verified, State.ended}),
    # What was verified changes its proof: it is registered again, and verified anew.
    State.verified: frozenset({State.registered, State.suspended, State.ended}),
    State.suspended: frozenset({State.registered, State.verified, State.ended}),
    State.ended: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether the table has the step."""
    return following in NEXT[present]

"""How a team stands: proposed, active, suspended, or dissolved for good."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    proposed = "proposed"
    active = "active"
    suspended = "suspended"
    dissolved = "dissolved"


NEXT: dict[State, frozenset[State]] = {
    State.proposed: frozenset({State.active, State.dissolved}),
    State.active: frozenset({State.suspended, State.dissolved}),
    State.suspended: frozenset({State.active, State.dissolved}),
    State.dissolved: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether the table has the step."""
    return following in NEXT[present]

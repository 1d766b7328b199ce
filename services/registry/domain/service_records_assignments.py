"""A call that a volunteer took: open until the organiser writes down the hours, or says that there were none."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    open = "open"
    completed = "completed"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.open: frozenset({State.completed, State.cancelled}),
    State.completed: frozenset(),
    State.cancelled: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]

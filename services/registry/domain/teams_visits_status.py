"""A visit of an expert to a school: planned, then done or called off."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    planned = "planned"
    done = "done"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.done, State.cancelled}),
    State.cancelled: frozenset({State.planned}),
    State.done: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether the table has the step."""
    return following in NEXT[present]

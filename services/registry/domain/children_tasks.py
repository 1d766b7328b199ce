"""A volunteer's task for a child in difficulty: given, then done or withdrawn; it is open on its days alone."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    given = "given"
    done = "done"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.given: frozenset({State.done, State.withdrawn}),
    State.done: frozenset(),
    State.withdrawn: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


def is_open(state: str, since: str, until: str, day: str) -> bool:
    """Whether a task may be looked into on an ISO day; its first and its last day count."""
    return state == State.given and since <= day <= until

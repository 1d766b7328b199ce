"""The case's states. A merged case stays as a pointer to the case that took its flags."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    open = "open"
    closed = "closed"
    merged = "merged"


NEXT: dict[State, frozenset[State]] = {
    State.open: frozenset({State.closed, State.merged}),
    State.closed: frozenset({State.open}),
    State.merged: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether a case may move so."""
    return following in NEXT[present]

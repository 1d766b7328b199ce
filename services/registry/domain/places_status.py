"""A place's life: planned, open, suspended for a while, closed for good."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    planned = "planned"
    open = "open"
    suspended = "suspended"
    closed = "closed"


NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.open, State.closed}),
    State.open: frozenset({State.suspended, State.closed}),
    State.suspended: frozenset({State.open, State.closed}),
    State.closed: frozenset(),
}
LABELS = {State.planned: "筹建", State.open: "开放", State.suspended: "暂停", State.closed: "关闭"}


def allows(present: State, following: State) -> bool:
    """Whether a place may pass from one state to the other."""
    return following in NEXT[present]

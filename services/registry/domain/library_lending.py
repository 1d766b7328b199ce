"""A copy on a shelf: available, lent, returned in time or late, or lost."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class State(StrEnum):
    available = "available"
    lent = "lent"
    overdue = "overdue"
    returned = "returned"
    lost = "lost"


NEXT: dict[State, frozenset[State]] = {
    State.available: frozenset({State.lent, State.lost}),
    State.lent: frozenset({State.returned, State.overdue, State.lost}),
    State.overdue: frozenset({State.returned, State.lost, State.lent}),  # lent again: the day was put off
    # A copy that is back is on the desk until somebody puts it on the shelf.
    State.returned: frozenset({State.available, State.lost}),
    State.lost: frozenset({State.returned}),
}
LABELS = {
    State.available: "在架",
    State.lent: "借出",
    State.overdue: "逾期",
    State.returned: "已归还（待上架）",
    State.lost: "遗失",
}
OUT = frozenset({State.lent, State.overdue})


def allows(present: State, following: State) -> bool:
    """Whether a copy may pass from one state to the other."""
    return following in NEXT[present]


def present_state(kept: State, due_on: str | None, today: date) -> State:
    """The state of today: a copy that is lent is overdue from the day after its last day, without anybody's doing."""
    if kept is State.lent and due_on is not None and due_on < today.isoformat():
        return State.overdue
    return kept

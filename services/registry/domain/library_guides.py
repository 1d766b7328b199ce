"""An order for guided reading (导读): asked for, given to a guide, held; or refused or called off."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    requested = "requested"
    assigned = "assigned"
    held = "held"
    declined = "declined"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.requested: frozenset({State.assigned, State.declined, State.cancelled}),
    # A guide who cannot come is replaced: the order waits again.
    State.assigned: frozenset({State.held, State.requested, State.cancelled}),
    State.held: frozenset(),
    State.declined: frozenset(),
    State.cancelled: frozenset(),
}
LABELS = {
    State.requested: "待安排",
    State.assigned: "已安排",
    State.held: "已完成",
    State.declined: "不予安排",
    State.cancelled: "已取消",
}


def allows(present: State, following: State) -> bool:
    """Whether an order may pass from one state to the other."""
    return following in NEXT[present]

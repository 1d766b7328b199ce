"""A swap of turns: offered by who is on duty, accepted by the other, done once all rules were looked at again."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    offered = "offered"
    accepted = "accepted"
    declined = "declined"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.offered: frozenset({State.accepted, State.declined, State.withdrawn}),
    State.accepted: frozenset(),
    State.declined: frozenset(),
    State.withdrawn: frozenset(),
}
"""Accepted is also done: the turns change hands in the same transaction, or the offer stays an offer."""

LABELS = {State.offered: "待对方确认", State.accepted: "已换班", State.declined: "对方谢绝", State.withdrawn: "已撤回"}


def allows(present: State, following: State) -> bool:
    """Whether a swap may pass from one state to the other."""
    return following in NEXT[present]

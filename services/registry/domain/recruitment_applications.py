"""An application to a campaign: received, then taken, refused, or taken back."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    received = "received"
    accepted = "accepted"
    refused = "refused"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.received: frozenset({State.accepted, State.refused, State.withdrawn}),
    State.accepted: frozenset(),
    State.refused: frozenset(),
    State.withdrawn: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]

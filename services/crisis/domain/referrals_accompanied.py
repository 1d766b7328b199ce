"""Going with the person to the institution: asked for, taken by a named person, done or not."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    asked = "asked"
    accepted = "accepted"
    done = "done"
    not_done = "not_done"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.asked: frozenset({State.accepted, State.withdrawn}),
    # Who accepted may give it back: it is asked for again.
    State.accepted: frozenset({State.asked, State.done, State.not_done, State.withdrawn}),
    State.done: frozenset(),
    State.not_done: frozenset(),
    State.withdrawn: frozenset(),
}
WAITING = frozenset(state for state, following in NEXT.items() if following)


def allows(present: State, following: State) -> bool:
    """Whether an accompanied visit may move so."""
    return following in NEXT[present]

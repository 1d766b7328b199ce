"""The list of people at high risk after an incident: each stays on it until a named person closes it."""

from __future__ import annotations

from enum import StrEnum


class AftercareState(StrEnum):
    none = "none"
    listed = "listed"
    """At high risk; nothing planned yet, while the incident is still active."""
    followed = "followed"
    """The follow-up programme of the incident runs."""
    closed = "closed"


NEXT: dict[AftercareState, frozenset[AftercareState]] = {
    AftercareState.none: frozenset({AftercareState.listed}),
    AftercareState.listed: frozenset({AftercareState.followed, AftercareState.closed}),
    AftercareState.followed: frozenset({AftercareState.closed}),
    # A person who is found at high risk once more comes back.
    AftercareState.closed: frozenset({AftercareState.listed}),
}

OPEN = frozenset({AftercareState.listed, AftercareState.followed})


class AftercareOutcome(StrEnum):
    recovered = "recovered"
    in_treatment = "in_treatment"
    followed_elsewhere = "followed_elsewhere"
    declined = "declined"
    moved_away = "moved_away"
    died = "died"


def allows(present: AftercareState, following: AftercareState) -> bool:
    """Whether an entry may move so."""
    return following in NEXT[present]

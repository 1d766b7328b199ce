"""Critical incidents: reported, acknowledged by a named person above, closed."""

from __future__ import annotations

from enum import StrEnum


class CriticalState(StrEnum):
    reported = "reported"
    acknowledged = "acknowledged"
    closed = "closed"


NEXT: dict[CriticalState, frozenset[CriticalState]] = {
    CriticalState.reported: frozenset({CriticalState.acknowledged}),
    CriticalState.acknowledged: frozenset({CriticalState.closed}),
    CriticalState.closed: frozenset(),
}


def allows(present: CriticalState, following: CriticalState) -> bool:
    """Whether a report may move so."""
    return following in NEXT[present]

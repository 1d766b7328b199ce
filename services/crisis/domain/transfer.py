"""Handing a case to another office. Until a named person of it accepts, the old owner acts and its clock runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class State(StrEnum):
    requested = "requested"
    accepted = "accepted"
    declined = "declined"
    withdrawn = "withdrawn"
    expired = "expired"


NEXT: dict[State, frozenset[State]] = {
    State.requested: frozenset({State.accepted, State.declined, State.withdrawn, State.expired}),
    State.accepted: frozenset(),
    State.declined: frozenset(),
    State.withdrawn: frozenset(),
    State.expired: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether a transfer may move so."""
    return following in NEXT[present]


def owner_of(case: Document) -> Document:
    """Who owns a case: the office where it was opened, until a transfer was accepted."""
    owner: Document = case.get("owner") or {
        "division": case["division"],
        "organisation_id": None,
        "since": case["opened_at"],
    }
    return owner

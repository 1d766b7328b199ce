"""Medication records at discharge, to the primary unit where the person lives, so that treatment goes on."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class State(StrEnum):
    sent = "sent"
    overdue = "overdue"
    received = "received"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.sent: frozenset({State.received, State.overdue, State.withdrawn}),
    # To another unit of the home division, or once more to the same.
    State.overdue: frozenset({State.received, State.sent, State.withdrawn}),
    State.received: frozenset(),
    State.withdrawn: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether a hand-over may move so."""
    return following in NEXT[present]


def unit_for(home: str, units: Iterable[Document]) -> Document | None:
    """The primary unit of a home division by its area code: the longest code that the home lies in, or else a unit
    inside the home division; the order given decides among equals.
    """
    units = list(units)
    around = [unit for unit in units if len(unit["division"]) >= 6 and home.startswith(unit["division"])]
    if around:
        return max(around, key=lambda unit: len(unit["division"]))
    return next((unit for unit in units if unit["division"].startswith(home)), None)

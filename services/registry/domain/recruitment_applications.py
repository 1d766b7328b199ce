"""An application to a campaign: received, then taken, refused, or taken back; and what it adds to who is known."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from services.registry.domain.people import ROLES, Registration


class State(StrEnum):
    received = "received"
    accepted = "accepted"
    refused = "refused"
    withdrawn = "withdrawn"
    lapsed = "lapsed"


NEXT: dict[State, frozenset[State]] = {
    State.received: frozenset({State.accepted, State.refused, State.withdrawn, State.lapsed}),
    State.accepted: frozenset(),
    State.refused: frozenset(),
    State.withdrawn: frozenset({State.received}),
    State.lapsed: frozenset(),
}
"""Lapsed is what was not decided when the campaign was cancelled. Who withdrew may apply again."""


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


_TOGETHER = (
    ("birth_date", "age"),
    ("person_types", "other_type"),
    ("qualifications", "other_qualification"),
    ("trained", "training"),
)
_ALONE = ("sex", "education", "employer", "post", "major", "professions")
_BLANK = Registration("", "")


def filled(known: Registration, told: Registration) -> Registration:
    """An entry with its blanks filled by what somebody tells who has the same name and number.

    That may be a stranger, so nothing that is known is changed; the roles add up.
    """
    changes: dict[str, Any] = {"roles": tuple(role for role in ROLES if role in {*known.roles, *told.roles})}
    for names in (*_TOGETHER, *((name,) for name in _ALONE)):
        if all(getattr(known, name) == getattr(_BLANK, name) for name in names):
            changes |= {name: getattr(told, name) for name in names}
    return replace(known, **changes)

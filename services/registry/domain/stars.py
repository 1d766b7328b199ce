"""Stars of volunteers by hours of service: announced, shown to the public for some days, then granted.

Which hours make which star, who grants it and how long it is announced are policy.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.registry.domain.versions import PolicyPart, Source

FRIDAY = 4
LEVEL_DIGITS = {"county": 6, "city": 4, "province": 2}
"""How many digits the division of the one who grants may have, at most."""


class State(StrEnum):
    """Where a star stands."""

    announced = "announced"
    granted = "granted"
    refused = "refused"
    revoked = "revoked"


NEXT: dict[State, frozenset[State]] = {
    State.announced: frozenset({State.granted, State.refused}),
    State.granted: frozenset({State.revoked}),
    State.refused: frozenset({State.announced}),
    State.revoked: frozenset({State.announced}),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


class Star(PolicyPart):
    """How many hours a star takes, and which level grants it."""

    stars: Annotated[int, Field(ge=1, le=5)]
    hours: Annotated[int, Field(ge=1)]
    granted_by: Literal["county", "city", "province"]


class StarsPolicy(PolicyPart):
    """The stars in their order; more stars never take fewer hours."""

    hours_source: Source
    granted_by_source: Source
    notice_working_days: Annotated[int, Field(ge=0, le=60)]
    notice_source: Source
    days_off: tuple[date, ...] = ()
    levels: Annotated[tuple[Star, ...], Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def in_order(self) -> Self:
        for lower, higher in zip(self.levels, self.levels[1:], strict=False):
            if higher.stars <= lower.stars or higher.hours <= lower.hours:
                raise ValueError(f"{higher.stars} stars must take more hours than {lower.stars}")
        return self

    def level(self, stars: int) -> Star | None:
        return next((level for level in self.levels if level.stars == stars), None)


def stars_for(minutes: int, policy: StarsPolicy) -> int:
    """How many stars these minutes of service make; 0 for none."""
    return max((level.stars for level in policy.levels if minutes >= level.hours * 60), default=0)


def notice_until(announced: date, working_days: int, days_off: Collection[date]) -> date:
    """The last day of the public notice: so many working days after the day of the announcement."""
    day, left = announced, working_days
    while left > 0:
        day += timedelta(days=1)
        if day.weekday() <= FRIDAY and day not in days_off:
            left -= 1
    return day

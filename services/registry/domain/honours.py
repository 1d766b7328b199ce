"""Honours that volunteers were given, and what volunteers who served much are treated to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    recorded = "recorded"
    revoked = "revoked"


NEXT: dict[State, frozenset[State]] = {
    State.recorded: frozenset({State.revoked}),
    State.revoked: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


LEVELS: Mapping[str, str] = MappingProxyType(
    {"unit": "单位", "county": "县（区）", "city": "市", "province": "省", "nation": "国家"}
)

AREAS: Mapping[str, str] = MappingProxyType(
    {
        "employment": "就业创业",
        "medical_and_school": "就医就学",
        "commendation": "评先评优",
        "public_service": "公共服务",
    }
)
"""在就业创业、就医就学、评先评优、公共服务等方面给予礼遇优待."""


@dataclass(frozen=True)
class Conditions:
    """What an item of the catalogue asks for: hours, stars, and the mean of the ratings in hundredths."""

    hours: int = 0
    stars: int = 0
    rating: int = 0


@dataclass(frozen=True)
class Merit:
    """What a volunteer has: minutes that count, stars that were granted, and ratings."""

    minutes: int
    stars: int
    ratings: int
    rating_sum: int

    @property
    def mean(self) -> int:
        """The mean rating in hundredths; 0 where nobody rated."""
        return self.rating_sum * 100 // self.ratings if self.ratings else 0


def misses(merit: Merit, wanted: Conditions) -> list[str]:
    """What the volunteer lacks, in codes; nothing where the item may be had."""
    lacking = {
        "hours": merit.minutes < wanted.hours * 60,
        "stars": merit.stars < wanted.stars,
        "rating": merit.mean < wanted.rating,
    }
    return [name for name, lacks in lacking.items() if lacks]


def slot(volunteer: object, incentive: object, times: str, day: date) -> str:
    """What can be had once only: an item by a person, ever or in a year."""
    return f"{incentive}:{volunteer}:{day.year if times == 'yearly' else 'ever'}"

"""Records of service: how long someone served, without the way there, as the organiser wrote it down.

A record is never overwritten: a correction is a second record that takes the place of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from services.registry.domain.stars import StarsPolicy
from services.registry.domain.versions import PolicyPart, Source, Versioned

LOCAL = ZoneInfo("Asia/Shanghai")

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "outreach": "心理健康科普宣传",
        "support": "心理支持",
        "relief": "心理疏导",
        "hotline": "心理热线值守",
        "crisis": "心理危机响应",
        "home_visit": "入户探访",
        "training": "培训授课",
        "other": "其他志愿服务",
    }
)
"""What was done; the first three are what volunteers do by the plan, 科普宣传、心理支持、心理疏导."""


class State(StrEnum):
    """Whether a record counts."""

    counted = "counted"
    double = "double"
    corrected = "corrected"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.counted: frozenset({State.corrected, State.withdrawn, State.double}),
    # The same hours stand in another record of the same person; they count again once that one does not.
    State.double: frozenset({State.counted, State.withdrawn}),
    State.corrected: frozenset(),
    State.withdrawn: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


class Bounds(PolicyPart):
    """What a record can be: at most so many minutes in a day, and written down at most so many days later."""

    minutes_a_day: Annotated[int, Field(ge=1, le=1440)]
    minutes_a_day_source: Source
    days_to_record: Annotated[int, Field(ge=1, le=36500)]
    days_to_record_source: Source


class Incentives(PolicyPart):
    """The areas in which volunteers are treated with preference."""

    areas: tuple[Annotated[str, Field(min_length=1, max_length=32)], ...]
    source: Source


class ServicePolicy(Versioned):
    record: Bounds
    stars: StarsPolicy
    incentives: Incentives


@dataclass(frozen=True)
class Span:
    """A stretch of service, [starts_at, ends_at), and the minutes in it that were spent on the way."""

    starts_at: datetime
    ends_at: datetime
    travel_minutes: int = 0

    @property
    def minutes(self) -> int:
        """What counts: whole minutes of service, without the way."""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60 - self.travel_minutes

    def touches(self, other: Span) -> bool:
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def days(self) -> tuple[datetime, datetime]:
        """From the first midnight to the last of the local days that it touches."""
        first = self.starts_at.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
        last = self.ends_at.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
        return first.astimezone(UTC), (last + timedelta(days=1)).astimezone(UTC)

    def by_day(self) -> dict[str, int]:
        """Minutes of the stretch, the way included, by the local day that they fall in."""
        days: dict[str, int] = {}
        at, end = self.starts_at.astimezone(LOCAL), self.ends_at.astimezone(LOCAL)
        while at < end:
            midnight = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            until = min(midnight, end)
            seconds = int((until - at).total_seconds())
            days[at.date().isoformat()] = days.get(at.date().isoformat(), 0) + seconds // 60
            at = until
        return days


@dataclass(frozen=True)
class Flaw:
    """Why a record is not taken: a stable word, words for people, and the field."""

    reason: str
    detail: str
    field: str


def flaw_of(span: Span, now: datetime, bounds: Bounds) -> Flaw | None:
    """What is wrong with a stretch by itself."""
    if span.ends_at <= span.starts_at:
        return Flaw("bad_time", "结束时间须晚于开始时间", "ends_at")
    if span.ends_at > now:
        return Flaw("in_future", "服务结束后才能记录，不能记录将来的时间", "ends_at")
    if span.ends_at < now - timedelta(days=bounds.days_to_record):
        return Flaw("too_late", f"服务结束后 {bounds.days_to_record} 天内记录", "ends_at")
    if span.ends_at - span.starts_at > timedelta(days=1):
        return Flaw("too_long", "一条记录不超过 24 小时，请分开记录", "ends_at")
    if span.travel_minutes < 0 or span.minutes < 1:
        return Flaw("no_service", "除去路途，服务时间不足 1 分钟", "travel_minutes")
    return None


def flaw_among(span: Span, others: list[Span], bounds: Bounds) -> Flaw | None:
    """What is wrong with a stretch beside the person's other records."""
    if any(span.touches(other) for other in others):
        return Flaw("overlap", "与该志愿者已有的一条记录时间重叠", "starts_at")
    sums = span.by_day()
    for other in others:
        for day, minutes in other.by_day().items():
            if day in sums:
                sums[day] += minutes
    for day, minutes in sums.items():
        if minutes > bounds.minutes_a_day:
            return Flaw("too_much", f"{day} 的服务合计超过 {bounds.minutes_a_day} 分钟", "ends_at")
    return None

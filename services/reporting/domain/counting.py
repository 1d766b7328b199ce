"""What each event adds to which counter.

Only what is no sum of other counters is kept: the cases of a day are the sum of the cases of its tiers. A count falls
on the day in Asia/Shanghai on which the event occurred.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from contracts import crisis, matching
from contracts.base import Event

SHANGHAI = ZoneInfo("Asia/Shanghai")

COUNTRY = "0"
"""The key of the whole country, the parent of the provinces."""

LEVELS = (2, 4, 6, 9, 12)
"""Digits of a province, city, county, town and village."""

ALL_TIME = "all"
"""The period of the one counter of the whole country that never ends; audits compare it."""

BOUNDS = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Upper bounds, in seconds, of the histogram of times to acknowledgement; the last bucket is open."""

BUCKETS = (*(f"to_{bound}" for bound in BOUNDS), "over")

Counters = dict[str, dict[str, int]]
"""Amounts by counter key and indicator path."""


def local_day(moment: datetime) -> date:
    """The day in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def level_of(division: str) -> int:
    """The number of digits; 0 for the whole country."""
    return 0 if division == COUNTRY else len(division)


def counter_key(period: str, division: str) -> str:
    """The key of one counter document: ``2026-11-22|06|320706``, or ``2026-11|06|320706`` for the month.

    Keys of one period and level are neighbours, and so are the divisions under one parent.
    """
    return f"{period}|{level_of(division):02d}|{division}"


def lineage(division: str) -> list[str]:
    """The division and everything above it, the whole country first."""
    return [COUNTRY, *(division[:digits] for digits in LEVELS if digits <= len(division))]


@lru_cache(maxsize=65_536)
def counter_keys(division: str, day: date) -> tuple[str, ...]:
    """The keys that an event in this division on this day counts under: its day and month at every level."""
    periods = (day.isoformat(), day.isoformat()[:7])
    keys = [counter_key(period, place) for place in lineage(division) for period in periods]
    return (*keys, counter_key(ALL_TIME, COUNTRY))


def _bucket(seconds: int) -> str:
    return BUCKETS[bisect_left(BOUNDS, seconds)]


@lru_cache(maxsize=256)
def _opened(tier: str, channel: str, minor: bool) -> Mapping[str, int]:
    age = "minor" if minor else "adult_or_unknown"
    return {f"cases.tier.{tier}": 1, f"cases.channel.{channel}": 1, f"cases.age.{age}": 1}


def _acknowledged(event: crisis.CaseAcknowledged) -> Mapping[str, int]:
    return {
        "acknowledgements.on_time" if event.on_time else "acknowledgements.late": 1,
        "acknowledgements.seconds": event.seconds,
        f"acknowledgements.within.{_bucket(event.seconds)}": 1,
    }


def _accepted(seconds: int) -> Mapping[str, int]:
    return {"responders.accepted": 1, "responders.seconds": seconds}


_AMOUNTS: dict[type[Event], Callable[[Any], Mapping[str, int]]] = {
    crisis.CaseOpened: lambda e: _opened(e.tier.value, e.channel.value, e.minor),
    crisis.FlagJoined: lambda e: {f"joined.channel.{e.channel.value}": 1},
    crisis.RiskRaised: lambda e: {"risk.raised": 1},
    crisis.RiskLowered: lambda e: {"risk.lowered": 1},
    crisis.CaseAcknowledged: _acknowledged,
    crisis.AcknowledgementOverdue: lambda e: {"acknowledgements.overdue_steps": 1},
    crisis.EmergencyServiceCalled: lambda e: {f"emergency.called.{e.service.value}": 1},
    crisis.EmergencyContactConfirmed: lambda e: {f"emergency.confirmed.{e.service.value}": 1},
    crisis.ReferralMoved: lambda e: {f"referrals.{e.state.value}": 1},
    crisis.FollowUpsPlanned: lambda e: {"follow_ups.planned": len(e.due)},
    crisis.FollowUpDue: lambda e: {"follow_ups.due": 1},
    crisis.FollowUpKept: lambda e: {"follow_ups.kept": 1, "follow_ups.attempts": e.attempts},
    crisis.FollowUpMissed: lambda e: {"follow_ups.missed": 1, "follow_ups.attempts": e.attempts},
    crisis.CasesMerged: lambda e: {"cases.merged": 1},
    crisis.CaseSplit: lambda e: {"cases.split": 1},
    crisis.CaseReopened: lambda e: {"cases.reopened": 1},
    crisis.MandatoryReportRequired: lambda e: {"reports.required": 1},
    crisis.MandatoryReportMade: lambda e: {"reports.made.on_time" if e.on_time else "reports.made.late": 1},
    crisis.CaseClosed: lambda e: {f"closed.{e.outcome.value}": 1},
    matching.ResponderOffered: lambda e: {"responders.offered": 1},
    matching.OfferAccepted: lambda e: _accepted(e.seconds) if e.takes_over is None else {},
    matching.OfferDeclined: lambda e: {"responders.declined": 1},
    matching.OfferExpired: lambda e: {"responders.expired": 1},
    matching.CoordinatorCalled: lambda e: {f"coordinator.{e.reason.value}": 1},
}

COUNTED: tuple[type[Event], ...] = tuple(_AMOUNTS)
"""The events that count."""


def amounts(event: Event) -> Mapping[str, int]:
    """What the event adds, by indicator path; not to be changed by the caller."""
    return _AMOUNTS[type(event)](event)


def contributions(event: Event) -> list[tuple[str, date, str, int]]:
    """What the event adds as (division, day, indicator path, amount), at every level; nothing for other events."""
    if type(event) not in _AMOUNTS:
        return []
    day = local_day(event.occurred_at)
    division: str = event.division  # type: ignore[attr-defined]  # every counted event has one
    return [
        (place, day, path, amount) for place in lineage(division) for path, amount in amounts(event).items() if amount
    ]


def recount(events: Iterable[Event]) -> Counters:
    """The counters of these events, each id counted once."""
    counters: Counters = {}
    seen = set()
    for event in events:
        if event.id in seen or type(event) not in _AMOUNTS:
            continue
        seen.add(event.id)
        for key in keys_of(event):
            sums = counters.setdefault(key, {})
            for path, amount in amounts(event).items():
                sums[path] = sums.get(path, 0) + amount
    return counters


def keys_of(event: Event) -> tuple[str, ...]:
    """The keys of the counters that the event adds to."""
    return counter_keys(event.division, local_day(event.occurred_at))  # type: ignore[attr-defined]


def months_between(first: date, last: date) -> Iterator[str]:
    """The months that the days from `first` to `last` touch, as ``2026-11``."""
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        yield f"{year:04d}-{month:02d}"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)

"""Shifts of the crisis office: their states, who is there at a moment, and where nobody is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Shanghai")
Interval = tuple[datetime, datetime]
"""From the first moment to the first that does not belong to it."""


class ShiftRole(StrEnum):
    """What a person is there for."""

    duty_officer = "duty_officer"
    supervisor = "supervisor"
    district_centre = "district_centre"
    expert = "expert"

    @property
    def called(self) -> str:
        """The name under which the clock calls the role."""
        return self.value.replace("_", "-")


class ShiftState(StrEnum):
    planned = "planned"
    missed = "missed"
    """Nobody signed on in time; whoever comes late still may."""
    on = "on"
    ended = "ended"
    withdrawn = "withdrawn"


NEXT: dict[ShiftState, frozenset[ShiftState]] = {
    ShiftState.planned: frozenset({ShiftState.on, ShiftState.missed, ShiftState.withdrawn}),
    ShiftState.missed: frozenset({ShiftState.on, ShiftState.withdrawn}),
    ShiftState.on: frozenset({ShiftState.ended}),
    ShiftState.ended: frozenset(),
    ShiftState.withdrawn: frozenset(),
}


class HandOverState(StrEnum):
    offered = "offered"
    """The giver stays responsible."""
    accepted = "accepted"
    declined = "declined"
    withdrawn = "withdrawn"


HAND_OVER_NEXT: dict[HandOverState, frozenset[HandOverState]] = {
    HandOverState.offered: frozenset({HandOverState.accepted, HandOverState.declined, HandOverState.withdrawn}),
    HandOverState.accepted: frozenset(),
    HandOverState.declined: frozenset(),
    HandOverState.withdrawn: frozenset(),
}


def allows(present: ShiftState, following: ShiftState) -> bool:
    """Whether a shift may move so."""
    return following in NEXT[present]


def within(shift: dict[str, Any], moment: datetime) -> bool:
    """Whether the plan wants the person there at this moment."""
    return bool(shift["starts_at"] <= moment < shift["ends_at"])


def signed_on(shift: dict[str, Any], moment: datetime, overrun: timedelta) -> bool:
    """The person has come, and has neither left nor forgotten to say so long ago."""
    return bool(shift["state"] == ShiftState.on and moment < shift["ends_at"] + overrun)


def there(shift: dict[str, Any], moment: datetime, grace: timedelta, overrun: timedelta) -> bool:
    """Signed on; or about to be, in the first minutes of the shift."""
    fresh = shift["state"] == ShiftState.planned and shift["starts_at"] <= moment < shift["starts_at"] + grace
    return signed_on(shift, moment, overrun) or (fresh and within(shift, moment))


def cover(shifts: Iterable[dict[str, Any]], moment: datetime, overrun: timedelta) -> list[Interval]:
    """When somebody is there: as planned, from now on for those who have signed on, and never for the missed."""
    found: list[Interval] = []
    for shift in shifts:
        if shift["state"] == ShiftState.planned:
            found.append((shift["starts_at"], shift["ends_at"]))
        elif signed_on(shift, moment, overrun):
            found.append((min(moment, shift["starts_at"]), shift["ends_at"]))
    return found


def gaps(covered: Iterable[Interval], start: datetime, end: datetime) -> list[Interval]:
    """What of the time from `start` to `end` no interval covers, in order."""
    found: list[Interval] = []
    reached = start
    for since, until in sorted(covered):
        if reached >= end:
            break
        if since > reached:
            found.append((reached, min(since, end)))
        reached = max(reached, until)
    if reached < end:
        found.append((reached, end))
    return found


def opening(opens: time | None, closes: time | None, start: datetime, end: datetime) -> list[Interval]:
    """The opening hours of a line between two moments, by the clock of Asia/Shanghai; no times: around the clock."""
    if opens is None or closes is None or opens == closes:
        return [(start, end)] if start < end else []
    found: list[Interval] = []
    day = start.astimezone(LOCAL).date() - timedelta(days=1)
    while True:
        since = datetime.combine(day, opens, LOCAL)
        until = datetime.combine(day + timedelta(days=1 if closes <= opens else 0), closes, LOCAL)
        if since >= end:
            return found
        if until > start:
            found.append((max(since, start), min(until, end)))
        day += timedelta(days=1)


def hours_a_day(opens: time | None, closes: time | None) -> float:
    """How many hours of a day a line is open."""
    if opens is None or closes is None or opens == closes:
        return 24.0
    minutes = (closes.hour * 60 + closes.minute) - (opens.hour * 60 + opens.minute)
    return (minutes % (24 * 60)) / 60


def follow_gaps(
    known: list[dict[str, Any]],
    found: list[Interval],
    moment: datetime,
    ahead_hours: tuple[int, ...],
    tell: bool = True,
) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], int]], list[dict[str, Any]]]:
    """Gaps as they were known, as they are now: those there are, those to be told now with the look ahead that found
    them, and those that were told and are filled. A gap is told once at each look ahead, the nearest that applies;
    without `tell` none is told that was not told before.
    """
    present: list[dict[str, Any]] = []
    to_tell: list[tuple[dict[str, Any], int]] = []
    for since, until in found:
        reached = [hours for hours in ahead_hours if since - moment <= timedelta(hours=hours)]
        if not reached:
            continue
        same = [one for one in known if one["starts_at"] < until and since < one["ends_at"]]
        told = {hours for one in same for hours in one["told"]}
        if not tell:
            reached = sorted(told)
        if not reached:
            continue
        gap = {
            "starts_at": since,
            "ends_at": until,
            "found_at": min((one["found_at"] for one in same), default=moment),
            "told": sorted(told.union(reached), reverse=True),
        }
        present.append(gap)
        if not told.issuperset(reached):
            to_tell.append((gap, min(reached)))
    filled = [
        one
        for one in known
        if one["ends_at"] > moment
        and not any(one["starts_at"] < gap["ends_at"] and gap["starts_at"] < one["ends_at"] for gap in present)
    ]
    return present, to_tell, filled


def next_look(found: list[Interval], moment: datetime, ahead_hours: tuple[int, ...]) -> datetime:
    """When to look again: each day, and exactly when a gap comes within a look ahead."""
    moments = [since - timedelta(hours=hours) for since, _ in found for hours in ahead_hours]
    return min([moment + timedelta(days=1), *(one for one in moments if one > moment)])


def time_of(text: str | None) -> time | None:
    """A time of day as it is kept, `HH:MM`."""
    return None if text is None else time.fromisoformat(text)

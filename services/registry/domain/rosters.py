"""What a roster asks for and what a person's limits allow: kinds, seats, weekly hours, quiet hours, days too short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType

from services.registry.domain.duty import Turn

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "line": "心理援助热线",
        "line-12356": "12356 心理援助热线",
        "seat": "热线坐席",
        "experts": "专家轮流坐诊",
        "centre": "服务中心（站、室）",
    }
)
LINE_12356 = "line-12356"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, order=True)
class Missing:
    """A stretch in which `seats` fewer people are on duty than must be."""

    starts_at: datetime
    ends_at: datetime
    seats: int


@dataclass(frozen=True)
class ShortDay:
    """A local day covered for less than it must be."""

    day: date
    covered: timedelta
    wanted: timedelta


def manned(turns: Iterable[Turn], start: datetime, end: datetime) -> Iterator[tuple[Turn, int]]:
    """[start, end) in stretches, each with how many turns it is in; in order, and neighbours differ."""
    changes: dict[datetime, int] = {}
    for turn in turns:
        begin, finish = max(turn.starts_at, start), min(turn.ends_at, end)
        if begin < finish:
            changes[begin] = changes.get(begin, 0) + 1
            changes[finish] = changes.get(finish, 0) - 1
    count, since = changes.pop(start, 0), start
    for moment in sorted(changes):
        if moment < end and changes[moment]:
            yield Turn(since, moment), count
            count, since = count + changes[moment], moment
    if since < end:
        yield Turn(since, end), count


def missing_seats(turns: Iterable[Turn], start: datetime, end: datetime, seats: int) -> list[Missing]:
    """The stretches of [start, end) with fewer than `seats` on duty."""
    return [
        Missing(stretch.starts_at, stretch.ends_at, seats - count)
        for stretch, count in manned(turns, start, end)
        if count < seats
    ]


def most_at_once(turns: Sequence[Turn]) -> int:
    """How many of the turns run at the busiest moment."""
    if not turns:
        return 0
    start, end = min(turn.starts_at for turn in turns), max(turn.ends_at for turn in turns)
    return max(count for _, count in manned(turns, start, end))


def days_of(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[date, Turn]]:
    """The local days that [start, end) touches, each whole."""
    day = start.astimezone(zone).date()
    while (begin := _midnight(day, zone)) < end:
        yield day, Turn(begin, _midnight(day + DAY, zone))
        day += DAY


def short_days(
    turns: Sequence[Turn], start: datetime, end: datetime, seats: int, hours_a_day: int, zone: tzinfo
) -> list[ShortDay]:
    """The local days wholly inside [start, end) on which `seats` are filled for less than `hours_a_day`."""
    short = []
    wanted = hours_a_day * HOUR
    for day, whole in days_of(start, end, zone):
        if whole.starts_at < start or whole.ends_at > end:
            continue
        lacking = sum(
            (gap.ends_at - gap.starts_at for gap in missing_seats(turns, whole.starts_at, whole.ends_at, seats)),
            timedelta(),
        )
        if DAY - lacking < wanted:
            short.append(ShortDay(day, DAY - lacking, wanted))
    return short


def week_of(moment: datetime, zone: tzinfo) -> date:
    """The Monday of the local week."""
    day = moment.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def week_bounds(start: datetime, end: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Where the local week of `start` begins, and where that of `end` is over."""
    return _midnight(week_of(start, zone), zone), _midnight(week_of(end, zone) + timedelta(days=7), zone)


def hours_by_week(turns: Iterable[Turn], zone: tzinfo) -> dict[date, timedelta]:
    """Time on duty by the Monday of each local week; a turn over midnight of Sunday counts in both."""
    sums: dict[date, timedelta] = {}
    for turn in turns:
        begin = turn.starts_at
        while begin < turn.ends_at:
            monday = week_of(begin, zone)
            finish = min(turn.ends_at, _midnight(monday + timedelta(days=7), zone))
            sums[monday] = sums.get(monday, timedelta()) + (finish - begin)
            begin = finish
    return sums


def quiet_broken(turn: Turn, quiet_from: int, quiet_to: int, zone: tzinfo) -> bool:
    """Whether a turn touches the daily quiet hours: minutes after local midnight, `quiet_to` excluded.

    From 22:00 to 07:00 is over midnight, from 00:00 to 24:00 (1440) the whole day. The same minute twice is no quiet
    hour at all.
    """
    if quiet_from == quiet_to:
        return False
    length = timedelta(minutes=(quiet_to - quiet_from) % (24 * 60) or 24 * 60)
    for day, _ in days_of(turn.starts_at - DAY, turn.ends_at, zone):
        begin = _midnight(day, zone) + timedelta(minutes=quiet_from)
        if begin < turn.ends_at and turn.starts_at < begin + length:
            return True
    return False


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)

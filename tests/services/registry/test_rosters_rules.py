"""The rules of rosters: seats, days, weeks, quiet hours, free time; each beside a count by the quarter of an hour."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import LOCAL
from services.registry.domain.availability import DAY, Window, blocks, covered_by, merged, over_midnight
from services.registry.domain.duty import Turn
from services.registry.domain.rosters import (
    hours_by_week,
    missing_seats,
    most_at_once,
    quiet_broken,
    short_days,
    week_of,
)
from services.registry.domain.swaps import NEXT, State, allows

ZERO = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: float) -> datetime:
    return ZERO + hour * HOUR


turns = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 40)).map(lambda pair: Turn(at(pair[0]), at(pair[0] + pair[1]))),
    max_size=12,
)
spans = st.tuples(st.integers(0, 200), st.integers(1, 100)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def on_duty(given_turns: list[Turn], hour: int) -> int:
    return sum(turn.starts_at <= at(hour) < turn.ends_at for turn in given_turns)


@settings(deadline=None)
@given(turns, spans, st.integers(1, 3))
def test_an_hour_lacks_as_many_as_the_seats_less_those_on_duty(
    given_turns: list[Turn], span: tuple[int, int], seats: int
) -> None:
    found = missing_seats(given_turns, at(span[0]), at(span[1]), seats)
    for hour in range(*span):
        told = sum(gap.seats for gap in found if gap.starts_at <= at(hour) < gap.ends_at)
        assert told == max(seats - on_duty(given_turns, hour), 0)
    assert all(at(span[0]) <= gap.starts_at < gap.ends_at <= at(span[1]) for gap in found)


@settings(deadline=None)
@given(turns)
def test_the_busiest_hour_is_found(given_turns: list[Turn]) -> None:
    assert most_at_once(given_turns) == max((on_duty(given_turns, hour) for hour in range(241)), default=0)


@settings(deadline=None)
@given(turns, st.integers(1, 2), st.sampled_from([18, 24]))
def test_a_day_is_short_exactly_if_too_few_of_its_hours_are_filled(
    given_turns: list[Turn], seats: int, hours: int
) -> None:
    found = {short.day: short.covered for short in short_days(given_turns, at(0), at(200), seats, hours, LOCAL)}
    filled: dict[object, int] = {}
    whole: dict[object, int] = {}
    for hour in range(200):
        day = at(hour).astimezone(LOCAL).date()
        whole[day] = whole.get(day, 0) + 1
        filled[day] = filled.get(day, 0) + (on_duty(given_turns, hour) >= seats)
    expected = {day: count * HOUR for day, count in filled.items() if whole[day] == 24 and count < hours}
    assert found == expected


@settings(deadline=None)
@given(turns)
def test_hours_count_in_the_local_week_that_they_lie_in(given_turns: list[Turn]) -> None:
    expected: dict[object, timedelta] = {}
    for hour in range(241):
        if count := on_duty(given_turns, hour):
            monday = week_of(at(hour), LOCAL)
            expected[monday] = expected.get(monday, timedelta()) + count * HOUR
    assert hours_by_week(given_turns, LOCAL) == expected


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 40), st.integers(0, 23), st.integers(0, 23))
def test_quiet_hours_are_broken_exactly_if_one_of_the_turns_hours_is_quiet(
    start: int, length: int, quiet_from: int, quiet_to: int
) -> None:
    turn = Turn(at(start), at(start + length))
    hours = {at(hour).astimezone(LOCAL).hour for hour in range(start, start + length)}
    quiet = {(quiet_from + step) % 24 for step in range((quiet_to - quiet_from) % 24)}
    assert quiet_broken(turn, quiet_from * 60, quiet_to * 60, LOCAL) == bool(hours & quiet)


told = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 47), st.integers(0, 48)).filter(lambda t: t[1] != t[2]), max_size=10
)


@settings(deadline=None)
@given(told, st.integers(0, 100), st.integers(1, 20))
def test_merged_windows_are_the_same_time_and_say_whether_a_turn_lies_in_it(
    given_windows: list[tuple[int, int, int]], start: int, length: int
) -> None:
    windows = [one for day, begin, end in given_windows for one in over_midnight(day, begin * 30, end * 30)]
    kept = merged(windows)

    def free(among: list[Window], day: int, minute: int) -> bool:
        return any(window.day == day and window.start <= minute < window.end for window in among)

    week = [(day, minute) for day in range(1, 8) for minute in range(0, DAY, 30)]
    assert [free(kept, *moment) for moment in week] == [free(windows, *moment) for moment in week]
    assert all(a.day < b.day or a.end < b.start for a, b in itertools.pairwise(kept))
    touched = sorted({(day - 1) * 6 + minute // 240 for day, minute in week if free(kept, day, minute)})
    assert blocks(kept) == touched
    turn = Turn(at(start / 2), at((start + length) / 2))
    moments = [at(half / 2).astimezone(LOCAL) for half in range(start, start + length)]
    inside = all(free(kept, moment.isoweekday(), moment.hour * 60 + moment.minute) for moment in moments)
    assert covered_by(kept, turn, LOCAL) == inside


def test_a_swap_ends_once_and_only_from_an_offer() -> None:
    assert {(a, b) for a in State for b in State if allows(a, b)} == {
        (State.offered, State.accepted),
        (State.offered, State.declined),
        (State.offered, State.withdrawn),
    }
    assert set(NEXT) == set(State)

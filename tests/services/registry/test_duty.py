"""Turns of duty: no volunteer holds two at once, and a 24-hour line shows its gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.duty import Turn, flaw_in_turn, gaps, overlapping

ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return ZERO + timedelta(hours=hour)


turns = st.lists(
    st.tuples(st.integers(0, 80), st.integers(1, 30)).map(lambda pair: Turn(at(pair[0]), at(pair[0] + pair[1]))),
    max_size=12,
)
windows = st.tuples(st.integers(0, 100), st.integers(1, 60)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(turns, windows)
def test_an_hour_is_in_a_gap_exactly_if_nobody_is_on_duty_in_it(
    given_turns: list[Turn], window: tuple[int, int]
) -> None:
    start, end = at(window[0]), at(window[1])
    found = gaps(given_turns, start, end)
    for hour in range(*window):
        covered = any(turn.starts_at <= at(hour) < turn.ends_at for turn in given_turns)
        in_gap = sum(gap.starts_at <= at(hour) < gap.ends_at for gap in found)
        assert in_gap == (0 if covered else 1)


@given(turns, windows)
def test_gaps_lie_inside_the_window_in_order_and_do_not_touch(given_turns: list[Turn], window: tuple[int, int]) -> None:
    start, end = at(window[0]), at(window[1])
    found = gaps(given_turns, start, end)
    edges = [moment for gap in found for moment in (gap.starts_at, gap.ends_at)]
    assert edges == sorted(set(edges))
    assert all(start <= moment <= end for moment in edges)


@given(turns)
def test_an_overlap_is_found_exactly_if_two_turns_share_an_hour(given_turns: list[Turn]) -> None:
    hours = [hour for turn in given_turns for hour in range(200) if turn.starts_at <= at(hour) < turn.ends_at]
    assert (overlapping(given_turns) is not None) == (len(hours) != len(set(hours)))


def test_turns_that_follow_each_other_do_not_overlap() -> None:
    assert overlapping([Turn(at(0), at(8)), Turn(at(8), at(16))]) is None
    assert overlapping([Turn(at(0), at(8)), Turn(at(20), at(30)), Turn(at(7), at(16))]) == (0, 2)


def test_a_turn_must_end_after_it_starts_and_not_last_for_months() -> None:
    assert flaw_in_turn(Turn(at(8), at(8)))
    assert flaw_in_turn(Turn(at(0), at(24 * 32)))
    assert flaw_in_turn(Turn(at(0), at(24))) is None

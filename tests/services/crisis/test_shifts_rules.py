"""Who is there, where nobody is, and who has which turn: rules without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crisis.domain.experts import NobodyLeft, days_of, is_free, rota, slots
from services.crisis.domain.hotlines import Category, LineChannel, OperatorKind, Population, shortfalls
from services.crisis.domain.shifts import (
    NEXT,
    ShiftState,
    allows,
    cover,
    follow_gaps,
    gaps,
    hours_a_day,
    next_look,
    opening,
    there,
)
from services.crisis.domain.shifts_policy import ShiftPolicy
from services.crisis.domain.versions import SHIPPED, load_versions

START = datetime(2026, 12, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = load_versions(ShiftPolicy, "shifts").of("2026-11")

hours = st.integers(0, 200)
intervals = st.lists(
    st.tuples(hours, st.integers(1, 30)).map(lambda pair: (START + pair[0] * HOUR, START + sum(pair) * HOUR)),
    max_size=25,
)


# Gaps


@given(covered=intervals, end=st.integers(1, 200))
def test_each_hour_is_either_covered_or_in_a_gap(covered: list[tuple[datetime, datetime]], end: int) -> None:
    found = gaps(covered, START, START + end * HOUR)
    for number in range(end):
        moment = START + number * HOUR
        somebody = any(since <= moment < until for since, until in covered)
        nobody = any(since <= moment < until for since, until in found)
        assert somebody is not nobody
    assert found == sorted(found)
    assert all(before[1] < after[0] for before, after in pairwise(found)), "told once, not in pieces"


def a_shift(state: str, since: datetime, until: datetime) -> dict[str, object]:
    return {"state": state, "starts_at": since, "ends_at": until}


def test_a_missed_shift_covers_nothing_and_a_late_one_from_when_it_began() -> None:
    now = START + 2 * HOUR
    planned, missed, on = (a_shift(state, START, START + 8 * HOUR) for state in ("planned", "missed", "on"))
    assert gaps(cover([missed], now, HOUR), now, START + 8 * HOUR) == [(now, START + 8 * HOUR)]
    assert gaps(cover([missed, on], now, HOUR), now, START + 8 * HOUR) == []
    assert gaps(cover([planned], now, HOUR), now, START + 10 * HOUR) == [(START + 8 * HOUR, START + 10 * HOUR)]


def test_who_is_about_to_sign_on_is_there_and_who_never_came_is_not() -> None:
    planned, on = (a_shift(state, START, START + 8 * HOUR) for state in ("planned", "on"))
    grace, overrun = 15 * timedelta(minutes=1), HOUR
    assert there(planned, START, grace, overrun)
    assert there(planned, START + timedelta(minutes=14), grace, overrun)
    assert not there(planned, START + timedelta(minutes=15), grace, overrun)
    assert not there(planned, START - timedelta(minutes=1), grace, overrun)
    assert there(on, START - timedelta(minutes=1), grace, overrun)
    assert there(on, START + 8 * HOUR + timedelta(minutes=59), grace, overrun)
    assert not there(on, START + 9 * HOUR, grace, overrun)


@given(covered=intervals, looks=st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_a_gap_is_told_once_at_each_look_ahead_and_never_later_than_it_comes(
    covered: list[tuple[datetime, datetime]], looks: list[int]
) -> None:
    """Whoever looks exactly when `next_look` says hears of each gap 72 and 24 hours before it begins."""
    ahead = (72, 24)
    moment = START
    known: list[dict[str, Any]] = []
    told: dict[datetime, list[tuple[int, timedelta]]] = {}
    for _ in range(400):
        if moment > START + 230 * HOUR:
            break
        found = gaps(covered, moment, moment + 96 * HOUR)
        known, to_tell, _ = follow_gaps(known, found, moment, ahead)
        for gap, look in to_tell:
            told.setdefault(gap["starts_at"], []).append((look, gap["starts_at"] - moment))
        moment = next_look(found, moment, ahead)
    for since, until in gaps(covered, START, START + 200 * HOUR):
        if since - START < 100 * HOUR:
            continue
        assert [look for look, _ in told[since]] == [72, 24], (since, until)
        assert [lead for _, lead in told[since]] == [72 * HOUR, 24 * HOUR]


def test_a_gap_that_is_filled_is_told_to_be_filled_and_one_that_shrinks_is_the_same() -> None:
    gap = (START + 10 * HOUR, START + 20 * HOUR)
    known, to_tell, filled = follow_gaps([], [gap], START, (72, 24))
    assert [look for _, look in to_tell] == [24]
    assert filled == []
    known, to_tell, filled = follow_gaps(known, [(START + 10 * HOUR, START + 12 * HOUR)], START + HOUR, (72, 24))
    assert (to_tell, filled) == ([], [])
    assert known[0]["found_at"] == START
    known, to_tell, filled = follow_gaps(known, [], START + 2 * HOUR, (72, 24))
    assert (known, to_tell) == ([], [])
    assert [one["starts_at"] for one in filled] == [START + 10 * HOUR]


def test_a_line_that_closes_at_night_is_open_by_the_clock_of_shanghai() -> None:
    found = opening(time(6), time(0), START, START + 2 * DAY)
    assert found == [
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1, 16, tzinfo=UTC)),
        (datetime(2026, 12, 1, 22, tzinfo=UTC), datetime(2026, 12, 2, 16, tzinfo=UTC)),
        (datetime(2026, 12, 2, 22, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC)),
    ]
    assert hours_a_day(time(6), time(0)) == 18
    assert opening(None, None, START, START + DAY) == [(START, START + DAY)]
    assert opening(time(22), time(6), START, START + DAY) == [
        (datetime(2026, 12, 1, 14, tzinfo=UTC), datetime(2026, 12, 1, 22, tzinfo=UTC))
    ]


def test_a_shift_ends_once_and_is_not_withdrawn_while_somebody_is_on_it() -> None:
    assert not allows(ShiftState.on, ShiftState.withdrawn)
    assert allows(ShiftState.missed, ShiftState.on)
    assert NEXT[ShiftState.ended] == NEXT[ShiftState.withdrawn] == frozenset()
    assert set(NEXT) == set(ShiftState)


# Turns

experts = st.integers(1, 12).map(lambda count: [f"expert-{number}" for number in range(count)])


@given(data=st.data(), names=experts, places=st.integers(1, 3), days=st.integers(1, 20), length=st.integers(4, 36))
def test_no_slot_is_empty_nobody_is_twice_in_one_and_turns_are_even(
    data: st.DataObject, names: list[str], places: int, days: int, length: int
) -> None:
    when = slots(START, START + days * DAY, length * HOUR)
    off = {
        name: frozenset(
            date(2026, 12, 1) + number * DAY for number in data.draw(st.sets(st.integers(0, days), max_size=4))
        )
        for name in data.draw(st.lists(st.sampled_from(names), unique=True))
    }
    busy = {
        name: data.draw(intervals.map(lambda rows: rows[:2]))
        for name in data.draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    }
    try:
        table = rota(names, when, places, off, busy)
    except NobodyLeft as error:
        free = [one for one in names if is_free(when[error.slot], off.get(one, frozenset()), busy.get(one, ()))]
        assert len(free) < places
        return
    assert len(table) == len(when)
    assert (when[0][0], when[-1][1]) == (START, START + days * DAY)
    assert all(before[1] == after[0] for before, after in pairwise(when))
    for slot, chosen in zip(when, table, strict=True):
        assert len(chosen) == len(set(chosen)) == places
        for one in chosen:
            assert not days_of(slot) & off.get(one, frozenset())
            assert not any(since < slot[1] and slot[0] < until for since, until in busy.get(one, ()))
    always = [one for one in names if all(is_free(slot, off.get(one, frozenset()), busy.get(one, ())) for slot in when)]
    turns = [sum(one in chosen for chosen in table) for one in always]
    assert not turns or max(turns) - min(turns) <= 1


@given(days=st.integers(2, 30))
def test_a_hundred_experts_take_turns_and_nobody_has_two_slots_running(days: int) -> None:
    names = [f"expert-{number}" for number in range(100)]
    table = rota(names, slots(START, START + days * DAY, 12 * HOUR), 1, {}, {})
    assert all(not set(before) & set(after) for before, after in pairwise(table))
    assert [chosen[0] for chosen in table] == names[: len(table)]


def test_the_first_slot_for_which_nobody_is_free_is_named() -> None:
    when = slots(START, START + 3 * DAY, DAY)
    with pytest.raises(NobodyLeft) as error:
        rota(["expert-a"], when, 1, {"expert-a": frozenset({date(2026, 12, 3)})}, {})
    assert error.value.slot == 1, "the second slot begins on the second at eight o'clock and ends on the third"


# Lines


def a_line(category: Category, **said: object) -> dict[str, object]:
    rules = POLICY.categories[category]
    return {
        "free": True,
        "operator_kind": rules.operators[0] if rules.operators else OperatorKind.other,
        "population": rules.population,
        "channels": list(rules.channels),
        "services": list(rules.services),
        "opens": None,
        "closes": None,
        "seats": [4.0, 4.0],
        **said,
    }


@pytest.mark.parametrize("category", list(Category))
def test_a_line_that_is_what_its_category_asks_lacks_nothing(category: Category) -> None:
    assert shortfalls(a_line(category), POLICY.categories[category], POLICY.lines) == []


@pytest.mark.parametrize(
    ("category", "said", "reason"),
    [
        (Category.psychological_120, {"free": False}, "not_free"),
        (Category.reassurance, {"operator_kind": OperatorKind.volunteer_team}, "operator"),
        (Category.reassurance, {"opens": "08:00", "closes": "20:00"}, "hours"),
        (Category.fledgling, {"population": Population.everyone}, "population"),
        (Category.forget_me_not, {"operator_kind": OperatorKind.volunteer_team}, "operator"),
        (Category.beauty_of_mind, {"operator_kind": OperatorKind.hospital}, "operator"),
        (Category.university, {"operator_kind": OperatorKind.hospital}, "operator"),
        (Category.line_12356, {"opens": "06:00", "closes": "23:59"}, "hours"),
        (Category.line_12356, {"seats": [4.0]}, "seats"),
        (Category.line_12356, {"seats": [4.0, 3.9]}, "seat_area"),
        (Category.district_line, {"channels": [LineChannel.phone]}, "channel"),
        (Category.wechat_account, {"services": ["aid"]}, "service"),
    ],
)
def test_what_a_line_lacks_is_named(category: Category, said: dict[str, object], reason: str) -> None:
    found = shortfalls(a_line(category, **said), POLICY.categories[category], POLICY.lines)
    assert [one["reason"] for one in found] == [reason]
    assert found[0]["field"] in {*said, "opens"}


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("ahead_hours = [72, 24]", "ahead_hours = [24, 72]", "supervision.ahead_hours"),
        ("[categories.university]", "[categories.universities]", "universities"),
        (
            'hours = 24\nhours_source = "the stricter by default (24',
            'hours = 17\nhours_source = "the stricter by default (24',
            "at least 18 hours",
        ),
        ("picking = false", 'picking = "sometimes"', "queue.picking"),
    ],
)
def test_a_slip_in_the_policy_is_named(tmp_path: Path, old: str, new: str, place: str) -> None:
    folder = tmp_path / "shifts"
    folder.mkdir()
    text = (SHIPPED / "shifts" / "2026-11.toml").read_text(encoding="utf-8")
    assert text.count(old) >= 1
    (folder / "2026-11.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=place):
        load_versions(ShiftPolicy, "shifts", folder.parent)

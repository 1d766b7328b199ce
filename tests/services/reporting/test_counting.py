"""What an event adds, where, and on which day."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id
from contracts.matching import OfferAccepted
from contracts.registry import DivisionsListed
from contracts.topology import EVENTS
from services.reporting.domain import COUNTED, INDICATORS, contributions, figures, recount
from services.reporting.domain.counting import BOUNDS, BUCKETS
from services.reporting.domain.indicators import median
from tests.services.reporting.days import opened, some_events


def test_a_case_in_a_village_counts_for_it_and_everything_above() -> None:
    moment = datetime(2026, 3, 1, 4, tzinfo=UTC)
    event = opened(moment, "370812001002", random.Random(1), tier="high", channel="call", minor=True)
    found = {(place, path): amount for place, day, path, amount in contributions(event)}
    places = ("0", "37", "3708", "370812", "370812001", "370812001002")
    paths = ("cases.tier.high", "cases.channel.call", "cases.age.minor")
    assert found == {(place, path): 1 for place in places for path in paths}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC), date(2026, 2, 28)),
        (datetime(2026, 2, 28, 16, 0, 0, tzinfo=UTC), date(2026, 3, 1)),
    ],
)
def test_a_day_ends_at_midnight_in_shanghai(moment: datetime, day: date) -> None:
    """Midnight there is 16:00 in UTC; the month turns with the day."""
    event = opened(moment, "370812", random.Random(1))
    assert {found for _, found, _, _ in contributions(event)} == {day}
    assert f"{day.isoformat()[:7]}|06|370812" in recount([event])


def test_every_event_that_the_topology_sends_here_is_counted_or_names_divisions() -> None:
    sent = {declared.event for declared in EVENTS if "reporting" in declared.consumers}
    assert sent == {*COUNTED, DivisionsListed}


def test_a_call_that_goes_on_under_another_entry_was_accepted_once() -> None:
    taken = next(event for event in some_events(3, 200) if isinstance(event, OfferAccepted))
    moved = taken.model_copy(update={"id": new_id(), "offer_id": new_id(), "takes_over": taken.offer_id})
    assert recount([taken, moved]) == recount([taken]) != {}
    assert contributions(moved) == []


def test_an_event_counts_once() -> None:
    events = some_events(3, 50)
    assert recount([*events, *events]) == recount(events)


@given(st.integers(0, 10_000))
def test_months_are_the_sum_of_their_days_and_parents_of_their_children(seed: int) -> None:
    counters = recount(some_events(seed, 60))
    by_month: dict[str, Counter[str]] = {}
    for key, amounts in counters.items():
        period, level, place = key.split("|")
        if len(period) == 10:
            by_month.setdefault(f"{period[:7]}|{level}|{place}", Counter()).update(amounts)
    months = {key: amounts for key, amounts in counters.items() if len(key.split("|")[0]) == 7}
    assert {key: dict(amounts) for key, amounts in by_month.items()} == months
    provinces: dict[str, Counter[str]] = {}
    for key, amounts in months.items():
        period, level, _ = key.split("|")
        if level == "02":
            provinces.setdefault(f"{period}|00|0", Counter()).update(amounts)
    assert {key: dict(amounts) for key, amounts in provinces.items()} == {
        key: amounts for key, amounts in months.items() if "|00|" in key
    }


def test_totals_follow_from_what_is_counted() -> None:
    amounts = {
        "cases.tier.high": 3,
        "cases.tier.low": 4,
        "cases.channel.call": 7,
        "joined.channel.call": 2,
        "acknowledgements.on_time": 2,
        "acknowledgements.late": 1,
        "acknowledgements.seconds": 100,
    }
    found = figures(amounts)
    assert (found["cases.total"], found["joined.total"], found["flags.total"]) == (7, 2, 9)
    assert found["flags.channel.call"] == 9
    assert found["acknowledgements.total"] == 3
    assert found["acknowledgements.mean_seconds"] == 33
    assert found["responders.mean_seconds"] is None


@given(st.lists(st.integers(1, 86_400), min_size=1, max_size=200))
def test_the_estimated_median_lies_in_the_bucket_of_the_median(times: list[int]) -> None:
    counts = dict.fromkeys(BUCKETS, 0)
    for seconds in times:
        counts[next(name for name, bound in zip(BUCKETS, BOUNDS, strict=False) if seconds <= bound)] += 1
    middle = sorted(times)[(len(times) - 1) // 2]
    upper = next(bound for bound in BOUNDS if middle <= bound)
    lower = max((bound for bound in BOUNDS if bound < middle), default=0)
    estimate = median([counts[name] for name in BUCKETS])
    assert estimate is not None
    assert lower <= estimate <= upper


def test_every_column_of_the_tables_has_a_name_of_its_own() -> None:
    names = [indicator.chinese for indicator in INDICATORS]
    assert sorted(names) == sorted(set(names))
    assert all(indicator.definition and indicator.english and indicator.definition_en for indicator in INDICATORS)

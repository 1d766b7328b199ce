"""What is told outside a county gives no small count away, not by subtraction either."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.reporting.domain import BY_ID, disclose
from services.reporting.domain.indicators import sums
from services.reporting.domain.policy import parse
from services.reporting.policy import SHIPPED, read_policy
from tests.services.reporting.attacker import SUMS, Attacker, Table

THRESHOLD = 10
SLACK = 1e-6
SMALL_OR_NOT = st.one_of(
    st.just(0), st.integers(1, 9), st.integers(1, 9), st.integers(10, 14), st.integers(15, 60), st.integers(100, 400)
)

FLAGS = tuple(
    name for name, indicator in BY_ID.items() if name.startswith(("cases.", "joined.")) and not indicator.sum_of
)
AFTERWARDS = (
    "acknowledgements.on_time",
    "acknowledgements.late",
    "acknowledgements.seconds",
    "acknowledgements.overdue_steps",
    "emergency.called.police_110",
    "emergency.called.ambulance_120",
    "referrals.sent",
    "follow_ups.kept",
    "follow_ups.missed",
    "follow_ups.attempts",
    "responders.accepted",
    "responders.declined",
    "responders.expired",
    "responders.seconds",
    "closed.risk_reduced",
    "closed.in_treatment",
    "closed.died",
)


def breakdown(amounts: list[int], total: int) -> list[int]:
    """Cut a total into parts in the proportion of the amounts."""
    weight = sum(amounts) or 1
    parts = [total * amount // weight for amount in amounts]
    parts[0] += total - sum(parts)
    return parts


@st.composite
def counties(draw: st.DrawFn) -> list[str]:
    """A few counties in one or two provinces, with cities of one to four counties."""
    codes = []
    for province in ("32", "37")[: draw(st.integers(1, 2))]:
        for city in range(1, draw(st.integers(1, 3)) + 1):
            codes += [f"{province}{city:02d}{county:02d}" for county in range(1, draw(st.integers(1, 4)) + 1)]
    return codes


@st.composite
def months_of_flags(draw: st.DrawFn) -> dict[str, dict[str, int]]:
    """A month's flags and cases by county; tiers, channels and ages each sum to the cases."""
    table = {}
    for county in draw(counties()):
        row: dict[str, int] = {}
        tiers = [draw(SMALL_OR_NOT) for _ in range(4)]
        row |= dict(zip((f"cases.tier.{t}" for t in ("moderate", "high", "low", "imminent")), tiers, strict=True))
        names = [name for name in FLAGS if name.startswith("cases.channel.")]
        weights = [draw(st.integers(0, 9)) for _ in names]
        row |= dict(zip(names, breakdown(weights, sum(tiers)), strict=True))
        minors = draw(st.integers(0, sum(tiers)))
        row |= {"cases.age.minor": minors, "cases.age.adult_or_unknown": sum(tiers) - minors}
        names = [name for name in FLAGS if name.startswith("joined.channel.")]
        weights = [draw(st.integers(0, 9)) for _ in names]
        row |= dict(zip(names, breakdown(weights, draw(SMALL_OR_NOT)), strict=True))
        table[county] = row
    return table


@st.composite
def months_of_the_rest(draw: st.DrawFn) -> dict[str, dict[str, int]]:
    """A month's counts of what happens to cases, with cases of any tiers."""
    names = (*AFTERWARDS, *(name for name in FLAGS if name.startswith("cases.tier.")))
    return {county: {name: draw(SMALL_OR_NOT) for name in names} for county in draw(counties())}


def rolled_up(by_county: Table) -> dict[str, dict[str, int]]:
    """The same at every level above the county too."""
    table: dict[str, dict[str, int]] = {}
    for county, row in by_county.items():
        for place in ("0", county[:2], county[:4], county):
            sums_of_place = table.setdefault(place, {})
            for name, amount in row.items():
                sums_of_place[name] = sums_of_place.get(name, 0) + amount
    return table


def told_and_withheld(
    by_county: Table, indicators: list[str]
) -> tuple[dict[str, dict[str, int]], list[tuple[str, str]]]:
    table = rolled_up(by_county)
    published = disclose(table, THRESHOLD)
    told = {
        place: {name: int(value) for name, value in figures.items() if name in indicators and value is not None}
        for place, figures in published.items()
    }
    for place, figures in told.items():
        assert {name: sums(table[place])[name] for name in figures} == figures, "what is told is true"
    return told, [(place, name) for place in table for name in indicators if name not in told[place]]


def given_away(attacker: Attacker, withheld: list[tuple[str, str]]) -> list[str]:
    """The withheld figures that the reader can narrow to less than the threshold."""
    found = attacker.narrowed(withheld, THRESHOLD - SLACK)
    return [f"{name} of {place} is in {interval}" for (place, name), interval in found.items()]


def connected(leaves: tuple[str, ...]) -> list[str]:
    """These indicators and the totals over them."""
    names = list(leaves)
    for _ in range(3):
        names += [total for total, parts in SUMS if total not in names and set(parts) & set(names)]
    missing = [part for total, parts in SUMS if total in names for part in parts if part not in names]
    return list(dict.fromkeys([*names, *missing]))


TWO_SMALL_OF_THREE = {
    "370101": {"cases.tier.high": 3, "cases.channel.call": 3, "cases.age.minor": 3},
    "370102": {"cases.tier.high": 40, "cases.channel.call": 40, "cases.age.minor": 40},
    "370103": {"cases.tier.low": 60, "cases.channel.sms": 60, "cases.age.adult_or_unknown": 60},
}


@example(by_county=TWO_SMALL_OF_THREE)
@given(by_county=months_of_flags())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reader_can_narrow_a_withheld_count_of_flags_and_cases(by_county: dict[str, dict[str, int]]) -> None:
    """Everything told, all sums of divisions and categories: a withheld count stays open over ten or more."""
    indicators = connected(FLAGS)
    told, withheld = told_and_withheld(by_county, indicators)
    attacker = Attacker(list(by_county), indicators, told)
    assert not given_away(attacker, withheld)


@given(by_county=months_of_the_rest())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reader_can_narrow_a_withheld_count_of_what_followed(by_county: dict[str, dict[str, int]]) -> None:
    """Acknowledgements with their times, referrals, follow-ups, responders and closings are as safe."""
    indicators = connected((*AFTERWARDS, *(name for name in FLAGS if name.startswith("cases.tier."))))
    elsewhere = ("flags.", "joined.", "cases.channel.", "cases.age.")
    indicators = [name for name in indicators if not name.startswith(elsewhere)]
    told, withheld = told_and_withheld(by_county, indicators)
    attacker = Attacker(list(by_county), indicators, told)
    assert not given_away(attacker, withheld)


RULES = {
    "follow_ups.planned": {"imminent": 6, "high": 5, "moderate": 3, "low": 1},
    "referrals.drafted": {"imminent": 1, "high": 1, "moderate": 1},
    "emergency.called.total": {"imminent": 2},
    "responders.offered": {"imminent": 1, "high": 1},
}


@given(by_county=months_of_flags())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_who_knows_the_policies_learns_no_more_about_the_cases(by_county: dict[str, dict[str, int]]) -> None:
    """A plan has so many dates for each tier, and so on: what follows from tiers by rule adds nothing to them."""
    for row in by_county.values():
        for name, weights in RULES.items():
            leaf = "emergency.called.police_110" if name == "emergency.called.total" else name
            row[leaf] = sum(weight * row[f"cases.tier.{tier}"] for tier, weight in weights.items())
    indicators = [*connected(FLAGS), *RULES, "emergency.called.police_110", "emergency.called.ambulance_120"]
    told, withheld = told_and_withheld(by_county, indicators)
    rules = {
        name: {f"cases.tier.{tier}": weight for tier, weight in weights.items()} for name, weights in RULES.items()
    }
    attacker = Attacker(list(by_county), indicators, told, rules)
    withheld = [(place, name) for place, name in withheld if name.startswith(("cases.", "joined.", "flags."))]
    assert not given_away(attacker, withheld)


@given(by_county=months_of_flags())
@settings(max_examples=100, deadline=None)
def test_no_count_from_one_to_nine_is_told(by_county: dict[str, dict[str, int]]) -> None:
    for figures in disclose(rolled_up(by_county), THRESHOLD).values():
        assert not [name for name, value in figures.items() if value is not None and 1 <= value <= 9]


def test_the_attacker_of_these_tests_does_find_what_is_given_away() -> None:
    """A city and all its counties but one, told, give the last one away."""
    told = {"3701": {"risk.raised": 43}, "370102": {"risk.raised": 40}}
    found = Attacker(["370101", "370102"], ["risk.raised"], told).interval("370101", "risk.raised")
    assert (round(found.least), round(found.most)) == (3, 3)


def test_a_small_county_takes_one_larger_with_it() -> None:
    table = rolled_up({"370101": {"risk.raised": 3}, "370102": {"risk.raised": 40}, "370103": {"risk.raised": 90}})
    told = {place: figures.get("risk.raised") for place, figures in disclose(table, THRESHOLD).items()}
    assert told == {"0": 133, "37": 133, "3701": 133, "370103": 90, "370101": None, "370102": None}


def test_a_zero_is_told_and_protects_nobody() -> None:
    table = rolled_up({"370101": {"risk.raised": 3}, "370102": {"risk.lowered": 12}, "370103": {"risk.raised": 90}})
    told = {place: figures.get("risk.raised") for place, figures in disclose(table, THRESHOLD).items()}
    assert told["370102"] == 0
    assert told["370101"] is None
    assert told["370103"] is None


def test_a_county_tells_its_large_tiers_and_merges_the_small_ones() -> None:
    row = {"cases.tier.moderate": 50, "cases.tier.high": 30, "cases.tier.low": 20, "cases.tier.imminent": 2}
    one, other = disclose(rolled_up({"370101": row, "370102": row}), THRESHOLD), "370101"
    assert one[other]["cases.total"] == 102
    assert one[other]["cases.tier.moderate"] == 50
    assert one[other]["cases.tier.high"] == 30
    assert "cases.tier.low" not in one[other]
    assert "cases.tier.imminent" not in one[other]


def test_a_mean_is_withheld_with_its_count() -> None:
    small = {"acknowledgements.on_time": 4, "acknowledgements.seconds": 900}
    large = {"acknowledgements.on_time": 40, "acknowledgements.seconds": 4000}
    told = disclose(rolled_up({"370101": small, "370102": large, "370103": large, "370104": large}), THRESHOLD)
    assert "acknowledgements.mean_seconds" not in told["370101"]
    assert "acknowledgements.seconds" not in told["370101"]
    assert told["370104"]["acknowledgements.mean_seconds"] == 100


def test_the_threshold_may_be_raised_and_not_lowered() -> None:
    """The shipped policy says ten; a district's file may say more."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert read_policy(None).threshold == 10
    assert parse(text.replace("value = 10", "value = 16")).threshold == 16
    with pytest.raises(ValueError, match="below"):
        parse(text.replace("value = 10", "value = 9"))
    with pytest.raises(ValueError, match="no source"):
        parse(text.replace("source = ", "was = ", 1))


def test_a_higher_threshold_withholds_more() -> None:
    table = rolled_up({"370101": {"risk.raised": 12}, "370102": {"risk.raised": 40}, "370103": {"risk.raised": 90}})
    assert disclose(table, 10)["370101"]["risk.raised"] == 12
    assert "risk.raised" not in disclose(table, 16)["370101"]

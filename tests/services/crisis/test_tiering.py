"""From answers to a tier."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.base import Answer, Tier
from contracts.hotline import RiskFlagged
from services.crisis.domain.policy import ANSWERS, load_policies
from services.crisis.domain.tiering import Finding, assess
from tests.services.crisis.world import NO, a_flag

POLICY = load_policies().of("2026-11")
QUESTIONS = sorted(ANSWERS - {"consent_to_follow_up"})
RATINGS = ("suicidal_intensity", "hopelessness")
NOT_KNOWN = ("unknown", "refused", "not_asked")
LEVELS = ("unknown", "low", "moderate", "high")
WINDOWS = (None, "ever", "P1Y", "P6M", "P3M", "P90D", "P1M", "P30D", "P2W", "P1D", "PT12H")


def found(**said: Any) -> Finding:
    return assess(a_flag(**said), POLICY)


def tier_of(**said: Any) -> Tier:
    return found(**{**NO, **said}).tier


def beijing(total: int | None) -> dict[str, Any]:
    return {"assessment": {"instrument": "beijing-hotline-scale", "version": "1", "total": total}}


def c_ssrs(*answers: tuple[str, str, str | None]) -> dict[str, Any]:
    rows = [{"item": item, "answer": answer, "window": window} for item, answer, window in answers]
    return {"assessment": {"instrument": "c-ssrs-screener", "version": "2016", "answers": rows}}


ratings = st.one_of(st.integers(0, 100), st.sampled_from(NOT_KNOWN))
assessments = st.one_of(
    st.none(),
    st.integers(0, 16).map(lambda total: beijing(total)["assessment"]),
    st.lists(
        st.tuples(
            st.sampled_from(["q1", "q2", "q3", "q4", "q5", "q6"]),
            st.sampled_from([answer.value for answer in Answer]),
            st.sampled_from(WINDOWS),
        ),
        max_size=6,
    ).map(lambda rows: c_ssrs(*rows)["assessment"]),
)
statements = st.fixed_dictionaries(
    {
        **{question: st.sampled_from([answer.value for answer in Answer]) for question in QUESTIONS},
        **dict.fromkeys(RATINGS, ratings),
        "hotline_level": st.sampled_from(LEVELS),
        "assessment": assessments,
    }
)


@given(statements, st.sampled_from(QUESTIONS))
def test_a_yes_never_gives_a_lower_tier_than_any_other_answer(said: dict[str, Any], question: str) -> None:
    yes = found(**{**said, question: "yes"}).tier.rank
    assert all(found(**{**said, question: other}).tier.rank <= yes for other in ("no", *NOT_KNOWN))


@given(statements, st.sampled_from(QUESTIONS), st.sampled_from(NOT_KNOWN))
def test_not_to_know_or_to_refuse_never_gives_a_lower_tier_than_no(
    said: dict[str, Any], question: str, answer: str
) -> None:
    assert found(**{**said, question: answer}).tier.rank >= found(**{**said, question: "no"}).tier.rank


@given(statements, st.sampled_from(RATINGS), st.integers(0, 100), st.integers(0, 100))
def test_a_higher_rating_never_lowers(said: dict[str, Any], rating: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert found(**{**said, rating: high}).tier.rank >= found(**{**said, rating: low}).tier.rank


@given(statements, st.integers(0, 30), st.integers(0, 30))
def test_a_higher_total_never_lowers(said: dict[str, Any], one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert found(**{**said, **beijing(high)}).tier.rank >= found(**{**said, **beijing(low)}).tier.rank


@given(statements)
def test_a_scale_only_raises(said: dict[str, Any]) -> None:
    """With a positive predictive value of 14.4 % no score may take away what a person said."""
    assert found(**said).tier.rank >= found(**{**said, "assessment": None}).tier.rank


@given(statements)
def test_the_hotlines_own_level_is_a_floor_and_never_a_ceiling(said: dict[str, Any]) -> None:
    ranks = [found(**{**said, "hotline_level": level}).tier.rank for level in LEVELS]
    assert ranks == sorted(ranks)
    assert ranks[LEVELS.index("high")] >= Tier.high.rank


@given(statements)
def test_a_danger_that_was_not_cleared_up_has_to_be_asked_about(said: dict[str, Any]) -> None:
    finding = found(**said)
    cleared = all(said[question] in ("yes", "no") for question in NO)
    assert finding.assessment_needed is not cleared
    assert cleared or finding.tier.rank >= Tier.moderate.rank


@settings(max_examples=50)
@given(statements, st.sampled_from(["q3", "q4", "q5", "q6"]), st.sampled_from(WINDOWS))
def test_a_window_that_is_not_told_counts_as_the_nearest(said: dict[str, Any], item: str, window: str | None) -> None:
    untold = found(**{**said, **c_ssrs((item, "yes", None))}).tier.rank
    assert untold >= found(**{**said, **c_ssrs((item, "yes", window))}).tier.rank


@pytest.mark.parametrize(
    ("total", "tier"),
    [(0, "low"), (3, "low"), (4, "moderate"), (7, "moderate"), (8, "high"), (16, "high"), (None, "low")],
)
def test_the_beijing_scale_is_moderate_from_4_and_high_from_8(total: int | None, tier: str) -> None:
    assert tier_of(**beijing(total)) == tier


def test_a_total_of_another_instrument_is_not_read_by_the_beijing_scales_limits() -> None:
    assert tier_of(assessment={"instrument": "phq-9", "version": "1", "total": 12}) == "low"


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"act_in_progress": "yes"}, "imminent"),
        ({"plan_within_72_hours": "yes"}, "high"),
        ({"attempt_within_2_weeks": "yes"}, "high"),
        ({"suspected_harm_to_minor": "yes"}, "high"),
        ({"danger_to_others": "yes"}, "high"),
        ({"suicidal_intensity": 79}, "low"),
        ({"suicidal_intensity": 80}, "high"),
        ({"hopelessness": 79}, "low"),
        ({"hopelessness": 80}, "moderate"),
        ({"plan_within_72_hours": "refused"}, "moderate"),
        ({"act_in_progress": "not_asked"}, "moderate"),
        ({"hotline_level": "high", "suicidal_intensity": 0}, "high"),
        ({}, "low"),
    ],
)
def test_what_a_person_says_decides_the_tier(said: dict[str, Any], tier: str) -> None:
    assert tier_of(**said) == tier


@pytest.mark.parametrize(
    ("item", "window", "tier"),
    [
        ("q1", "P1M", "low"),
        ("q2", "P1M", "low"),
        ("q3", "P1M", "moderate"),
        ("q4", "P1M", "high"),
        ("q5", "P1M", "high"),
        ("q4", "P1W", "high"),
        ("q5", "P30D", "high"),
        ("q5", "PT72H", "high"),
        ("q4", None, "high"),
        ("q4", "P2M", "moderate"),
        ("q5", "ever", "moderate"),
        ("q6", "P3M", "high"),
        ("q6", "P1D", "high"),
        ("q6", "P90D", "high"),
        ("q6", "P1Y", "moderate"),
        ("q6", "ever", "moderate"),
        ("q6", None, "high"),
        ("q6", "PNONSENSE", "high"),
    ],
)
def test_the_c_ssrs_items_weigh_by_the_time_that_they_ask_about(item: str, window: str | None, tier: str) -> None:
    assert tier_of(**c_ssrs((item, "yes", window))) == tier
    assert all(tier_of(**c_ssrs((item, answer, window))) == "low" for answer in ("no", "unknown", "refused"))


def test_the_finding_names_every_rule_that_held() -> None:
    finding = found(**{**NO, "plan_within_72_hours": "yes", "hopelessness": 90, **beijing(9)})
    expected = {"plan_within_72_hours=yes", "hopelessness>=80", "beijing-hotline-scale>=8", "beijing-hotline-scale>=4"}
    assert set(finding.evidence) == expected


def test_nothing_that_the_flag_calls_a_danger_is_left_without_a_rule() -> None:
    """A question that the contract adds must get a rule, or a reason why it has none."""
    ruled = {rule.question for rule in POLICY.tiering.answers}
    assert ruled == set(QUESTIONS) <= set(RiskFlagged.model_fields)

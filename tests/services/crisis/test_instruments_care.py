"""What a result comes to: the seeds' tiers, and the route of each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.base import Tier
from services.crisis.domain.instruments import (
    CarePolicy,
    CareTier,
    ElderlyTier,
    Result,
    Route,
    care_tier,
    case_tier,
    catalogue,
    elderly_tier,
    route,
    score,
)
from services.crisis.domain.versions import load_versions
from tests.services.crisis.test_instruments import CATALOGUE, DEFINITIONS, PHQ, SLEEP, with_total

POLICY = load_versions(CarePolicy, "care_tiers").of("2026-11")
SEVERITY = {CareTier.unknown: 0, CareTier.general: 0, CareTier.borderline: 1, CareTier.high_risk: 2}


def of(instrument: str, total: int, variant: str | None = None) -> Result:
    definition = CATALOGUE.get(instrument, variant)
    return score(definition, with_total(definition, total))


def said(instrument: str, **answers: Any) -> Result:
    return score(CATALOGUE.get(instrument), answers)


def gds(points: int) -> Result:
    definition = CATALOGUE.get("gds-15")
    low = {ident: "no" if ident in definition.reverse else "yes" for ident in definition.by_id}
    well = {ident: "yes" if answer == "no" else "no" for ident, answer in low.items()}
    return said("gds-15", **well | dict(list(low.items())[:points]))


@pytest.mark.parametrize(
    ("result", "care", "elderly"),
    [
        (said("phq-9", **dict.fromkeys(PHQ.by_id, 0)), "general", "normal"),
        (of("phq-9", 4), "general", "normal"),
        (of("phq-9", 5), "borderline", "mild"),
        (of("phq-9", 9), "borderline", "mild"),
        (of("phq-9", 10), "high_risk", "moderate_or_suspected_cognitive"),
        (of("gad-7", 4), "general", "normal"),
        (of("gad-7", 5), "borderline", "mild"),
        (of("gad-7", 10), "high_risk", "moderate_or_suspected_cognitive"),
        (gds(4), "general", "normal"),
        (gds(5), "borderline", "mild"),
        (gds(8), "borderline", "mild"),
        (gds(9), "high_risk", "moderate_or_suspected_cognitive"),
        (of("k10", 15), "general", "normal"),
        (of("k10", 16), "borderline", "mild"),
        (of("k10", 22), "high_risk", "moderate_or_suspected_cognitive"),
        (of("k10", 19, "clinical"), "general", "normal"),
        (of("k10", 20, "clinical"), "borderline", "mild"),
        (of("k10", 25, "clinical"), "high_risk", "moderate_or_suspected_cognitive"),
        (of("k10", 6, "us"), "borderline", "mild"),
        (of("k10", 12, "us"), "high_risk", "moderate_or_suspected_cognitive"),
        (of("scl-90", 90), "general", "normal"),
        (of("scl-90", 161), "high_risk", "moderate_or_suspected_cognitive"),
        (said("psqi", **SLEEP), "general", "normal"),
        (said("psqi", **SLEEP | {"quality": 3, "medication": 3, "sleep_minutes": 290}), "borderline", "mild"),
        (said("cognitive-screen", suspected_abnormality="no"), "general", "normal"),
        (said("cognitive-screen", suspected_abnormality="yes"), "high_risk", "moderate_or_suspected_cognitive"),
        (said("c-ssrs-screener", q1="no", q2="no", q6="no"), "general", "normal"),
    ],
)
def test_a_result_comes_to_a_tier_of_each_seed(result: Result, care: str, elderly: str) -> None:
    assert care_tier([result], POLICY) == care
    assert elderly_tier([result], POLICY) == elderly


def test_every_band_of_every_instrument_comes_to_something() -> None:
    for definition in DEFINITIONS:
        for band in definition.bands:
            assert POLICY.level(definition.instrument, definition.variant, band.code) is not None, definition.key


def test_who_has_no_scorable_result_is_unknown_and_not_general() -> None:
    unscorable = said("phq-9", q1=0, q2="refused")
    assert care_tier([], POLICY) is CareTier.unknown
    assert care_tier([unscorable], POLICY) is CareTier.unknown
    assert elderly_tier([unscorable], POLICY) is ElderlyTier.unknown
    assert care_tier([of("gad-7", 0), unscorable], POLICY) is CareTier.unknown
    assert elderly_tier([of("gad-7", 0), unscorable], POLICY) is ElderlyTier.unknown
    assert care_tier([of("gad-7", 5), unscorable], POLICY) is CareTier.borderline
    unasked = said("beijing-hotline-scale", total=0)
    assert care_tier([unasked], POLICY) is CareTier.unknown, "its three questions were not asked"
    assert elderly_tier([unasked], POLICY) is ElderlyTier.unknown
    assert route(CareTier.unknown) is Route.ask_again


def test_the_most_severe_result_decides() -> None:
    assert care_tier([of("phq-9", 0), of("gad-7", 12), said("psqi", **SLEEP)], POLICY) is CareTier.high_risk
    assert elderly_tier([of("phq-9", 0), of("gad-7", 6)], POLICY) is ElderlyTier.mild


def test_what_is_certain_without_the_missing_item_decides_already() -> None:
    result = said("phq-9", **dict.fromkeys(PHQ.by_id, 3) | {"q9": 0, "q1": "refused"})
    assert (result.total, result.band) == (None, None)
    assert care_tier([result], POLICY) is CareTier.high_risk
    assert case_tier(result, POLICY) is Tier.moderate


def test_a_variant_has_levels_of_its_own_before_those_of_all() -> None:
    row = next(row for row in POLICY.levels if row.variants == ("clinical",))
    for_all = row.model_copy(update={"variants": (), "bands": {"mild": row.bands["severe"]}})
    policy = POLICY.model_copy(update={"levels": (for_all, *POLICY.levels)})
    assert policy.level("k10", "clinical", "mild") == row.bands["mild"]
    assert policy.level("k10", "other", "mild") == row.bands["severe"]


def test_an_answer_about_safety_is_high_risk_whatever_the_total() -> None:
    result = said("phq-9", **dict.fromkeys(PHQ.by_id, 0) | {"q9": 1})
    assert result.total == 1
    assert care_tier([result], POLICY) is CareTier.high_risk
    assert case_tier(result, POLICY) is Tier.moderate
    assert case_tier(said("phq-9", q9=1), POLICY) is Tier.moderate, "before the form is complete too"


def test_a_tier_has_its_route() -> None:
    """正常: encourage; 轻度: intervene and follow up; 中度及以上或疑似认知异常: refer."""
    assert {tier: route(tier) for tier in CareTier} == {
        CareTier.general: Route.encourage,
        CareTier.borderline: Route.intervene_and_follow_up,
        CareTier.high_risk: Route.refer,
        CareTier.unknown: Route.ask_again,
    }


def test_each_tier_has_guidance_of_its_own_and_a_plan() -> None:
    assert [POLICY.plans[tier].label for tier in CareTier] == ["一般人群", "临界人群", "高危人群", "尚不能判断"]
    guidance = {POLICY.plans[tier].guidance for tier in CareTier}
    assert len(guidance) == len(CareTier)
    assert all(POLICY.plans[tier].measures for tier in CareTier)
    offers = {tier: POLICY.plans[tier].offers for tier in CareTier}
    assert offers.pop(CareTier.general) == ("peer_leader",)
    assert set(offers.values()) == {()}
    assert POLICY.plans[CareTier.borderline].follow_up_times > 1, "it recurs"


@pytest.mark.parametrize(
    ("result", "tier"),
    [
        (of("phq-9", 19), None),
        (of("phq-9", 24), Tier.moderate),
        (of("gad-7", 21), None),
        (of("k10", 29), None),
        (of("k10", 30), Tier.moderate),
        (said("c-ssrs-screener", q1="no", q2="no", q6="no"), None),
        (said("c-ssrs-screener", q1="yes"), Tier.low),
        (said("c-ssrs-screener", q2="yes", q3="yes"), Tier.moderate),
        (said("c-ssrs-screener", q2="yes", q4="yes"), Tier.high),
        (said("c-ssrs-screener", q6="yes", q6_recent="no"), Tier.moderate),
        (said("c-ssrs-screener", q6="yes", q6_recent="yes"), Tier.high),
        (said("beijing-hotline-scale", total=3), Tier.low),
        (said("beijing-hotline-scale", total=4), Tier.moderate),
        (said("beijing-hotline-scale", total=8), Tier.high),
        (said("beijing-hotline-scale", plan_within_72_hours="yes"), Tier.high),
        (said("beijing-hotline-scale", attempt_within_2_weeks="yes"), Tier.high),
        (said("beijing-hotline-scale", act_in_progress="yes"), Tier.imminent),
    ],
)
def test_a_result_raises_a_case_to_its_tier(result: Result, tier: Tier | None) -> None:
    assert case_tier(result, POLICY) is tier


answers = st.dictionaries(st.sampled_from(sorted(PHQ.by_id)), st.integers(0, 3))
results = st.one_of(
    answers.map(lambda given: score(PHQ, given)),
    st.dictionaries(
        st.sampled_from(sorted(catalogue(None).get("c-ssrs-screener").by_id)), st.sampled_from(["yes", "no", "unknown"])
    ).map(lambda given: said("c-ssrs-screener", **given)),
    st.integers(0, 21).map(lambda total: of("gad-7", total)),
)


@given(st.lists(results, max_size=4), results)
def test_one_result_more_never_takes_a_person_out_of_a_tier(before: list[Result], more: Result) -> None:
    assert SEVERITY[care_tier([*before, more], POLICY)] >= SEVERITY[care_tier(before, POLICY)]


@given(answers, answers)
def test_one_answer_more_never_lowers_what_it_raises_a_case_to(first: dict[str, int], more: dict[str, int]) -> None:
    before, after = (case_tier(score(PHQ, given), POLICY) for given in (first, {**more, **first}))
    assert before is None or (after is not None and after.rank >= before.rank)

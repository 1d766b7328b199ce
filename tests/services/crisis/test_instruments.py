"""Instruments: every boundary of every band, the special rules, and what the definitions promise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.hotline import Assessment
from services.crisis.domain.instruments import Definition, Kind, Result, WrongAnswer, catalogue, score
from services.crisis.domain.instruments.catalogue import INSTRUMENTS

CATALOGUE = catalogue(None)
DEFINITIONS = CATALOGUE.all()
NAMES = [f"{one.instrument}.{one.variant}" for one in DEFINITIONS]

PHQ, GAD, GDS = (CATALOGUE.get(name) for name in ("phq-9", "gad-7", "gds-15"))
GDS_B = CATALOGUE.get("gds-15", "order-b")
SCL, SCL_0 = CATALOGUE.get("scl-90", "one-to-five"), CATALOGUE.get("scl-90", "zero-to-four")
PSQI, PSQI_1989 = CATALOGUE.get("psqi"), CATALOGUE.get("psqi", "buysse-1989")
CSSRS, BEIJING = CATALOGUE.get("c-ssrs-screener"), CATALOGUE.get("beijing-hotline-scale")

SLEEP: dict[str, int | str] = {
    "bed_time": "23:00",
    "rise_time": "07:00",
    "latency_minutes": 10,
    "sleep_minutes": 450,
    "not_asleep_within_30_minutes": 0,
    "wakes_at_night_or_early": 0,
    "gets_up_for_bathroom": 0,
    "cannot_breathe_comfortably": 0,
    "coughs_or_snores": 0,
    "feels_too_cold": 0,
    "feels_too_hot": 0,
    "bad_dreams": 0,
    "has_pain": 0,
    "other_reasons": 0,
    "medication": 0,
    "trouble_staying_awake": 0,
    "trouble_with_enthusiasm": 0,
    "quality": 0,
}


def with_total(definition: Definition, total: int) -> dict[str, int | str]:
    """Answers that add up to so much, the first items first."""
    rest = total - sum(item.least for item in definition.scored)
    answers: dict[str, int | str] = {}
    for item in definition.scored:
        more = min(rest, item.most - item.least)
        answers[item.id] = item.least + more
        rest -= more
    assert rest == 0
    return answers


def no_to_all() -> dict[str, str]:
    return {"q1": "no", "q2": "no", "q6": "no"}


# Every band's boundaries


@pytest.mark.parametrize(
    ("instrument", "variant", "bands"),
    [
        ("phq-9", "standard", "0 minimal 4|5 mild 9|10 moderate 14|15 moderately_severe 19|20 severe 27"),
        ("gad-7", "standard", "0 minimal 4|5 mild 9|10 moderate 14|15 severe 21"),
        ("k10", "abs", "10 low 15|16 moderate 21|22 high 29|30 very_high 50"),
        ("k10", "clinical", "10 well 19|20 mild 24|25 moderate 29|30 severe 50"),
        ("k10", "us", "0 low 5|6 moderate 11|12 high 19|20 very_high 40"),
        ("beijing-hotline-scale", "total", "0 low 3|4 moderate 7|8 high 16"),
    ],
)
def test_a_band_reaches_from_its_first_total_to_its_last(instrument: str, variant: str, bands: str) -> None:
    definition = CATALOGUE.get(instrument, variant)
    for row in bands.split("|"):
        first, band, last = row.split()
        for total in (int(first), int(last)):
            result = score(definition, with_total(definition, total))
            assert (result.total, result.band) == (total, band)


@pytest.mark.parametrize(("instrument", "cut_off"), [("phq-9", 10), ("gad-7", 10)])
def test_from_ten_on_a_screen_is_positive(instrument: str, cut_off: int) -> None:
    definition = CATALOGUE.get(instrument)
    assert score(definition, with_total(definition, cut_off - 1)).positive is False
    assert score(definition, with_total(definition, cut_off)).positive is True


@pytest.mark.parametrize(
    ("total", "band"),
    [(0, "normal"), (4, "normal"), (5, "mild"), (8, "mild"), (9, "moderate"), (11, "moderate"), (12, "severe")],
)
def test_the_gds_counts_a_no_where_the_item_is_reversed(total: int, band: str) -> None:
    depressed = {item.id: "no" if item.id in GDS.reverse else "yes" for item in GDS.scored}
    well = {ident: "yes" if answer == "no" else "no" for ident, answer in depressed.items()}
    answers = {**well, **dict(list(depressed.items())[:total])}
    result = score(GDS, answers)
    assert (result.total, result.band, result.positive) == (total, band, total >= 5)
    assert score(GDS, depressed).total == 15


def test_the_gds_key_is_1_5_7_11_13_in_one_order_and_1_5_7_12_13_in_the_other() -> None:
    def places(definition: Definition) -> list[int]:
        return [place for place, ident in enumerate(definition.by_id, 1) if ident in definition.reverse]

    assert places(GDS) == [1, 5, 7, 11, 13]
    assert places(GDS_B) == [1, 5, 7, 12, 13]


@given(st.fixed_dictionaries({ident: st.sampled_from(["yes", "no", "refused"]) for ident in GDS.by_id}))
def test_the_order_of_a_form_changes_no_score(answers: dict[str, str]) -> None:
    one, other = score(GDS, answers), score(GDS_B, answers)
    assert (one.total, one.band, set(one.missing)) == (other.total, other.band, set(other.missing))


# PHQ-9


@pytest.mark.parametrize("answer", [1, 2, 3])
def test_item_9_above_zero_asks_for_a_safety_assessment_before_the_form_is_complete(answer: int) -> None:
    result = score(PHQ, {"q9": answer})
    assert result.safety_assessment_needed
    assert result.total is None
    assert "phq-9.item_9_above_zero" in result.evidence
    whole = score(PHQ, {**dict.fromkeys(PHQ.by_id, 0), "q9": answer})
    assert whole.safety_assessment_needed
    assert (whole.total, whole.band) == (answer, "minimal")


@pytest.mark.parametrize("answer", [0, "refused", "unknown", "not_asked"])
def test_item_9_at_zero_or_not_answered_asks_for_none(answer: int | str) -> None:
    assert not score(PHQ, {**with_total(PHQ, 24), "q9": answer}).safety_assessment_needed


# A missing item


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [None, "unknown", "refused", "not_asked"])
def test_a_missing_item_gives_no_total(name: str, answer: str | None) -> None:
    instrument, variant = name.split(".")
    definition = CATALOGUE.get(instrument, variant)
    whole: dict[str, Any] = (
        SLEEP if instrument == "psqi" else {item.id: item.least for item in definition.by_id.values()}
    )
    for ident in [item.id for item in definition.scored if item.of.skipped_if is None]:
        answers = {**whole, ident: answer} if answer else {k: v for k, v in whole.items() if k != ident}
        result = score(definition, answers)
        assert result.total is None
        assert ident in result.missing
        assert result.positive is not False
        assert result.band is None


def test_what_the_missing_items_cannot_change_is_known_already() -> None:
    """Eight items at their worst, one refused: no total, and yet severe whatever the ninth is."""
    result = score(PHQ, {**dict.fromkeys(PHQ.by_id, 3), "q1": "refused"})
    assert (result.total, result.band, result.at_least, result.positive) == (None, None, "severe", True)


def test_a_missing_item_counts_as_its_least_and_no_less() -> None:
    """36 items of the SCL-90 at 3, and each of the 54 others is at least 1: above 160 whatever they are."""
    by_factor = [factor.items for factor in SCL.factors]
    order = [ident for place in range(13) for group in by_factor for ident in group[place : place + 1]]
    above, at = score(SCL, dict.fromkeys(order[:36], 3)), score(SCL, dict.fromkeys(order[:35], 3))
    assert (above.total, above.band, above.positive) == (None, "positive", True)
    assert (at.total, at.band, at.positive) == (None, None, None)


answers_so_far = st.dictionaries(st.sampled_from(sorted(PHQ.by_id)), st.integers(0, 3))


@given(answers_so_far, answers_so_far)
def test_an_answer_more_never_takes_away_what_was_certain(first: dict[str, int], more: dict[str, int]) -> None:
    before, after = score(PHQ, first), score(PHQ, {**more, **first})
    severity = PHQ.severity
    assert severity[after.at_least or "minimal"] >= severity[before.at_least or "minimal"]
    assert after.safety_assessment_needed >= before.safety_assessment_needed
    assert before.positive is not True or after.positive is True


@given(st.dictionaries(st.sampled_from(sorted(CSSRS.by_id)), st.sampled_from(["yes", "no", "refused"])), st.data())
def test_no_later_answer_lowers_a_c_ssrs_screen(first: dict[str, str], data: st.DataObject) -> None:
    ident = data.draw(st.sampled_from(sorted(CSSRS.by_id)))
    later = {ident: data.draw(st.sampled_from(["yes", "no", "refused"])), **first}
    before, after = score(CSSRS, first), score(CSSRS, later)
    assert CSSRS.severity[after.at_least or "not_reported"] >= CSSRS.severity[before.at_least or "not_reported"]


def test_an_answer_that_the_item_does_not_have_is_refused_with_the_item() -> None:
    wrong: list[tuple[Definition, Mapping[str, Any], str]] = [
        (PHQ, {"q1": 4}, "q1"),
        (PHQ, {"q1": -1}, "q1"),
        (PHQ, {"q1": True}, "q1"),
        (PHQ, {"q1": "yes"}, "q1"),
        (PHQ, {"q10": 1}, "q10"),
        (GDS, {"happy": "maybe"}, "happy"),
        (PSQI, {"bed_time": "24:00"}, "bed_time"),
        (PSQI, {"bed_time": "2:30"}, "bed_time"),
        (PSQI, {"bed_time": "22:60"}, "bed_time"),
        (PSQI, {"sleep_minutes": 1441}, "sleep_minutes"),
        (BEIJING, {"total": 17}, "total"),
    ]
    for definition, answers, item in wrong:
        with pytest.raises(WrongAnswer) as error:
            score(definition, answers)
        assert error.value.item == item


# C-SSRS


@pytest.mark.parametrize(
    ("said", "band"),
    [
        ({}, "not_reported"),
        ({"q1": "yes"}, "low"),
        ({"q2": "yes", "q3": "no", "q4": "no", "q5": "no"}, "low"),
        ({"q2": "yes", "q3": "yes", "q4": "no", "q5": "no"}, "moderate"),
        ({"q2": "yes", "q3": "no", "q4": "yes", "q5": "no"}, "high"),
        ({"q2": "yes", "q3": "no", "q4": "no", "q5": "yes"}, "high"),
        ({"q6": "yes", "q6_recent": "no"}, "moderate"),
        ({"q6": "yes", "q6_recent": "yes"}, "high"),
        ({"q6": "yes", "q6_recent": "unknown"}, "high"),
        ({"q6": "yes", "q6_recent": "refused"}, "high"),
        ({"q4": "yes"}, "high"),
    ],
)
def test_the_c_ssrs_screener_is_read_by_rule_and_never_summed(said: dict[str, str], band: str) -> None:
    result = score(CSSRS, {**no_to_all(), **said})
    assert result.band == band
    assert result.total is None
    assert result.safety_assessment_needed is (band != "not_reported"), "any yes needs a person to look"


def test_without_thoughts_of_killing_oneself_method_intent_and_plan_are_not_asked() -> None:
    assert score(CSSRS, {"q1": "no", "q2": "no"}).missing == ("q6", "q6_recent")
    assert score(CSSRS, no_to_all()).missing == ()
    assert score(CSSRS, {"q1": "no", "q2": "yes", "q6": "no"}).missing == ("q3", "q4", "q5")
    assert score(CSSRS, {"q1": "no", "q2": "refused", "q6": "no"}).missing == ("q2", "q3", "q4", "q5")


def test_no_to_everything_is_not_reported_and_not_no_risk() -> None:
    assert "不等于没有风险" in CSSRS.band("not_reported").label


def test_a_yes_may_be_sent_as_a_number() -> None:
    said = {"q1": 1, "q2": 0, "q6": 0}
    assert score(CSSRS, said) == score(CSSRS, {"q1": "yes", "q2": "no", "q6": "no"})
    assert score(CSSRS, said).missing == ()


def test_the_c_ssrs_items_ask_about_their_windows() -> None:
    windows = {ident: item.of.window for ident, item in CSSRS.by_id.items()}
    assert windows == {**dict.fromkeys(("q1", "q2", "q3", "q4", "q5"), "P1M"), "q6": "ever", "q6_recent": "P3M"}


# Beijing


@pytest.mark.parametrize(
    ("said", "band"),
    [
        ({}, "low"),
        ({"plan_within_72_hours": "yes"}, "high"),
        ({"attempt_within_2_weeks": "yes"}, "high"),
        ({"act_in_progress": "yes"}, "in_progress"),
    ],
)
def test_three_answers_make_a_high_risk_whatever_the_total(said: dict[str, str], band: str) -> None:
    no = dict.fromkeys(("plan_within_72_hours", "attempt_within_2_weeks", "act_in_progress"), "no")
    assert score(BEIJING, {"total": 0, **no, **said}).band == band
    assert score(BEIJING, said).band == (band if said else None)
    assert score(BEIJING, {"total": 16, **no, **said}).band == ("in_progress" if band == "in_progress" else "high")


def test_a_low_total_alone_is_no_all_clear() -> None:
    """Nobody has asked about the three answers yet."""
    result = score(BEIJING, {"total": 0})
    assert (result.total, result.band, result.positive) == (0, "low", None)
    assert set(result.missing) == {"plan_within_72_hours", "attempt_within_2_weeks", "act_in_progress"}


# SCL-90


def scl(definition: Definition, **said: int) -> Result:
    return score(definition, {**{item.id: item.least for item in definition.scored}, **said})


def test_the_scl_90_key_puts_each_item_into_one_group() -> None:
    grouped = [ident for factor in SCL.factors for ident in factor.items]
    assert sorted(grouped) == sorted(SCL.by_id)
    sizes = {factor.code: len(factor.items) for factor in SCL.factors}
    assert list(sizes.values()) == [12, 10, 9, 13, 10, 6, 7, 6, 10, 7]
    assert [factor.code for factor in SCL.factors if not factor.screened] == ["other_items"]


@pytest.mark.parametrize(("definition", "low", "total"), [(SCL, 1, 160), (SCL_0, 0, 70)])
def test_the_scl_90_is_positive_above_its_total(definition: Definition, low: int, total: int) -> None:
    """The rises lie in many items of all groups, each but a little, so that no other criterion holds."""
    by_factor = [list(factor.items) for factor in definition.factors]
    order = [ident for place in range(13) for group in by_factor for ident in group[place : place + 1]]
    at = dict.fromkeys(order[:35], low + 2)
    result = scl(definition, **at)
    assert (result.total, result.band, result.positive) == (total, "below_criteria", False)
    above = scl(definition, **{**at, order[0]: low + 3})
    assert (above.total, above.band) == (total + 1, "positive")
    assert above.evidence[1:] == ("scl-90.total", *above.evidence[2:])


@pytest.mark.parametrize(("definition", "low"), [(SCL, 1), (SCL_0, 0)])
def test_the_scl_90_is_positive_with_more_than_43_positive_items(definition: Definition, low: int) -> None:
    items = [f"q{number}" for number in range(1, 91) if number != 15]
    at = scl(definition, **dict.fromkeys(items[:43], low + 1))
    above = scl(definition, **dict.fromkeys(items[:44], low + 1))
    assert (at.positive_items, at.positive) == (43, False)
    assert (above.positive_items, above.positive) == (44, True)
    assert above.evidence == ("scl-90:positive", "scl-90.positive_items")


@pytest.mark.parametrize(("definition", "low"), [(SCL, 1), (SCL_0, 0)])
def test_the_scl_90_is_positive_with_a_factor_above_its_limit_and_not_at_it(definition: Definition, low: int) -> None:
    hostility = next(factor.items for factor in definition.factors if factor.code == "hostility")
    at = scl(definition, **dict.fromkeys(hostility, low + 1))
    above = scl(definition, **{**dict.fromkeys(hostility, low + 1), hostility[0]: low + 2})
    assert at.positive is False
    assert above.evidence == ("scl-90:positive", "scl-90.factor")


def test_the_items_outside_the_nine_factors_are_none() -> None:
    others = next(factor.items for factor in SCL.factors if factor.code == "other_items")
    assert scl(SCL, **dict.fromkeys(others, 3)).positive is False


def test_thoughts_of_ending_ones_life_ask_for_a_safety_assessment_in_the_scl_90_too() -> None:
    assert score(SCL, {"q15": 2}).safety_assessment_needed
    assert not score(SCL, {"q15": 1}).safety_assessment_needed
    assert score(SCL_0, {"q15": 1}).safety_assessment_needed


# PSQI


def sleep(**said: Any) -> dict[str, float | None]:
    return {part.code: part.value for part in score(PSQI, {**SLEEP, **said}).parts}


@pytest.mark.parametrize(
    ("said", "component", "points"),
    [
        ({"quality": 2}, "quality", 2),
        ({"latency_minutes": 15}, "latency", 0),
        ({"latency_minutes": 16}, "latency", 1),
        ({"latency_minutes": 30}, "latency", 1),
        ({"latency_minutes": 31}, "latency", 1),
        ({"latency_minutes": 31, "not_asleep_within_30_minutes": 1}, "latency", 2),
        ({"latency_minutes": 60, "not_asleep_within_30_minutes": 2}, "latency", 2),
        ({"latency_minutes": 61, "not_asleep_within_30_minutes": 1}, "latency", 2),
        ({"latency_minutes": 61, "not_asleep_within_30_minutes": 2}, "latency", 3),
        ({"sleep_minutes": 421}, "duration", 0),
        ({"sleep_minutes": 420}, "duration", 1),
        ({"sleep_minutes": 360}, "duration", 1),
        ({"sleep_minutes": 359}, "duration", 2),
        ({"sleep_minutes": 300}, "duration", 2),
        ({"sleep_minutes": 299}, "duration", 3),
        ({"sleep_minutes": 408}, "efficiency", 0),
        ({"sleep_minutes": 407}, "efficiency", 1),
        ({"sleep_minutes": 360}, "efficiency", 1),
        ({"sleep_minutes": 359}, "efficiency", 2),
        ({"sleep_minutes": 312}, "efficiency", 2),
        ({"sleep_minutes": 311}, "efficiency", 3),
        ({"has_pain": 1}, "disturbances", 1),
        ({"has_pain": 3, "bad_dreams": 3, "feels_too_hot": 3}, "disturbances", 1),
        ({"has_pain": 3, "bad_dreams": 3, "feels_too_hot": 3, "feels_too_cold": 1}, "disturbances", 2),
        ({"medication": 3}, "medication", 3),
        ({"trouble_staying_awake": 1, "trouble_with_enthusiasm": 1}, "daytime", 1),
        ({"trouble_staying_awake": 1, "trouble_with_enthusiasm": 2}, "daytime", 2),
        ({"trouble_staying_awake": 2, "trouble_with_enthusiasm": 2}, "daytime", 2),
        ({"trouble_staying_awake": 2, "trouble_with_enthusiasm": 3}, "daytime", 3),
    ],
)
def test_each_component_of_the_psqi_has_its_boundaries(said: dict[str, int], component: str, points: int) -> None:
    assert sleep(**said)[component] == points


@pytest.mark.parametrize(("sum_of", "points"), [(18, 2), (19, 3), (27, 3)])
def test_the_disturbances_of_sleep_are_severe_from_nineteen(sum_of: int, points: int) -> None:
    disturbances = next(one for one in PSQI.components if one.code == "disturbances").items
    said = {ident: max(0, min(3, sum_of - 3 * place)) for place, ident in enumerate(disturbances)}
    assert sum(said.values()) == sum_of
    assert sleep(**said)["disturbances"] == points


WORKED: dict[str, int | str] = {
    **SLEEP,
    "bed_time": "22:30",
    "rise_time": "06:30",
    "latency_minutes": 45,
    "sleep_minutes": 330,
    "not_asleep_within_30_minutes": 2,
    "wakes_at_night_or_early": 3,
    "gets_up_for_bathroom": 2,
    "bad_dreams": 1,
    "medication": 0,
    "trouble_staying_awake": 1,
    "trouble_with_enthusiasm": 1,
    "quality": 2,
}


def test_a_night_worked_out_by_hand() -> None:
    """In bed 8 h, asleep 5 h 30 min: 68 %. Quality 2; latency 2 + 2 = 4 points, so 2; duration 2; efficiency 2;
    disturbances 6, so 1; medication 0; daytime 2, so 1. In all 10.
    """
    result = score(PSQI, WORKED)
    assert [part.value for part in result.parts] == [2, 2, 2, 2, 1, 0, 1]
    assert (result.total, result.band) == (10, "poor")


@pytest.mark.parametrize(
    ("total", "china", "original"), [(5, "good", "good"), (6, "good", "poor"), (7, "good", "poor"), (8, "poor", "poor")]
)
def test_the_chinese_cut_off_is_above_7_and_the_original_above_5(total: int, china: str, original: str) -> None:
    """Quality 3 and medication 0-3 and daytime 0-2 make up the total."""
    more = total - 3
    said = {**SLEEP, "quality": 3, "medication": min(more, 3), "trouble_staying_awake": [0, 1, 3][max(0, more - 3)]}
    results = [score(definition, said) for definition in (PSQI, PSQI_1989)]
    assert [result.total for result in results] == [total, total]
    assert [result.band for result in results] == [china, original]


def test_what_the_bed_partner_says_is_not_scored() -> None:
    partner = {ident: 3 for ident in PSQI.by_id if ident.startswith("partner_")}
    assert len(partner) == 5
    assert score(PSQI, {**SLEEP, **partner}).total == score(PSQI, SLEEP).total == 0
    assert len([item for item in PSQI.by_id.values() if item.of.scored]) == 18


def test_longer_asleep_than_in_bed_has_to_be_asked_again() -> None:
    result = score(PSQI, {**SLEEP, "sleep_minutes": 481})
    assert (result.total, result.missing) == (None, ("sleep_minutes",))
    assert score(PSQI, {**SLEEP, "sleep_minutes": 480}).total == 0


# A cognitive screen


def test_the_conclusion_of_a_licensed_cognitive_screen() -> None:
    screen = CATALOGUE.get("cognitive-screen")
    assert score(screen, {"suspected_abnormality": "yes"}).band == "suspected"
    assert score(screen, {"suspected_abnormality": "no"}).band == "normal"
    assert score(screen, {"suspected_abnormality": "unknown"}).band is None


OWN = """
like = "cognitive-screen.outcome.2026-11"
variant = "own-total"
default = true
method = "sum"
bands_source = "the licence that the operator holds"
rules = []

[[items]]
ids = ["total"]
kind = "number"
most = 30

[[bands]]
code = "normal"
label = "未见疑似认知异常"
from = 24
positive = false
[[bands]]
code = "suspected"
label = "疑似认知异常"
from = 0
positive = true
"""


def operators(folder: Path, kind: str, name: str, content: str) -> Path:
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / f"{name}.toml").write_text(content, encoding="utf-8")
    return folder


def test_an_operator_adds_a_test_of_which_a_lower_total_is_worse(tmp_path: Path) -> None:
    own = catalogue(operators(tmp_path, "instruments", "cognitive-screen.own", OWN)).get("cognitive-screen")
    assert own.variant == "own-total"
    assert [score(own, {"total": total}).band for total in (0, 23, 24, 30)] == [
        "suspected",
        "suspected",
        "normal",
        "normal",
    ]
    assert score(own, {}).at_least is None


EDITION = """
like = "gds-15.standard.2026-11"

[[manuals]]
code = "elderly-care-action-handbook"
title = "《老年心理关爱行动工作手册》"
edition = "2022 年版"
source = "the edition that the city handed out"
"""


def test_an_operator_writes_down_the_edition_of_the_manual_in_use(tmp_path: Path) -> None:
    own = catalogue(operators(tmp_path, "instruments", "gds-15.own", EDITION)).get("gds-15")
    assert own.key == GDS.key
    assert own.manual("elderly-care-action-handbook").edition == "2022 年版"
    assert own.by_id.keys() == GDS.by_id.keys()


def test_an_operators_slip_names_the_file(tmp_path: Path) -> None:
    slips = [
        OWN.replace("rules = []", 'rules = [{ id = "a", band = "none", source = "somewhere" }]'),
        OWN.replace('like = "cognitive-screen.outcome.2026-11"', 'like = "nothing"'),
        OWN.replace("from = 24", "from = 0"),
        OWN.replace('kind = "number"', 'kind = "choice"'),
        OWN.replace('ids = ["total"]', 'ids = ["total", "total"]'),
        "like = [",
    ]
    for slip in slips:
        with pytest.raises(ValueError, match=r"own\.toml"):
            catalogue(operators(tmp_path, "instruments", "own", slip))


def test_licensed_wording_is_served_and_none_is_shipped(tmp_path: Path) -> None:
    assert all(CATALOGUE.texts(definition) is None for definition in DEFINITIONS)
    wording = 'licence = "测试用许可"\nlanguage = "zh-CN"\nvariants = ["standard"]\n[items]\nhappy = "示例题目"\n'
    texts = catalogue(operators(tmp_path, "instrument_texts", "gds-15", wording))
    found = texts.texts(texts.get("gds-15"))
    assert found is not None
    assert found.items == {"happy": "示例题目"}
    assert texts.texts(texts.get("gds-15", "order-b")) is None
    with pytest.raises(ValueError, match=r"phq-9\.toml"):
        catalogue(operators(tmp_path, "instrument_texts", "phq-9", wording))


# The definitions


@pytest.mark.parametrize("definition", DEFINITIONS, ids=NAMES)
def test_a_definition_says_where_it_comes_from(definition: Definition) -> None:
    assert definition.source
    assert definition.bands_source
    assert definition.texts_licence
    assert all(rule.source for rule in definition.rules)
    assert definition.manual(None).edition
    if definition.by_id and definition.instrument in ("phq-9", "gds-15", "cognitive-screen", "gad-7", "k10"):
        titles = {manual.title for manual in definition.manuals}
        assert {"《老年心理关爱行动工作手册》", "《老年人心理健康评估与干预手册》"} <= titles


def test_there_is_one_file_for_each_version_of_a_variant_and_one_default_for_each_instrument() -> None:
    stems = {path.stem for path in INSTRUMENTS.glob("*.toml")}
    assert stems == {".".join(definition.key) for definition in DEFINITIONS}
    instruments = {definition.instrument for definition in DEFINITIONS}
    defaults = [definition.instrument for definition in DEFINITIONS if definition.default]
    assert sorted(defaults) == sorted(instruments)
    assert instruments == {
        "c-ssrs-screener",
        "beijing-hotline-scale",
        "phq-9",
        "gad-7",
        "gds-15",
        "k10",
        "scl-90",
        "psqi",
        "cognitive-screen",
    }


def test_what_is_not_there_is_a_key_error() -> None:
    for key in [("mmpi", None, None), ("phq-9", "short", None), ("phq-9", None, "1999"), ("phq-9", "short", "2026-11")]:
        with pytest.raises(KeyError):
            CATALOGUE.get(*key)


@given(st.sampled_from(DEFINITIONS), st.data())
def test_any_answers_that_an_instrument_takes_give_a_result_that_is_one_of_its_bands(
    definition: Definition, data: st.DataObject
) -> None:
    answers: dict[str, int | str] = {}
    for item in definition.by_id.values():
        values: st.SearchStrategy[Any] = st.integers(item.least, item.most)
        if item.of.kind is Kind.choice:
            values = st.sampled_from([option.value for option in item.of.options])
        given = data.draw(
            st.one_of(values, st.sampled_from([None, "refused"])) if len(definition.by_id) < 50 else values
        )
        if given is not None:
            answers[item.id] = given
    result = score(definition, answers)
    assert result.band is None or result.band in definition.severity
    assert not (result.missing and result.total is not None and definition.instrument != "beijing-hotline-scale")
    assert result.band is None or result.at_least is not None


# What a hotline reports


def doubts(instrument: str, total: int | None = None, *answers: tuple[str, str | None]) -> tuple[str, ...]:
    rows = [{"item": item, "answer": "yes", "window": window} for item, window in answers]
    return CATALOGUE.doubts(
        Assessment.model_validate({"instrument": instrument, "version": "x", "answers": rows, "total": total})
    )


def test_a_report_is_held_against_the_definition() -> None:
    assert doubts("beijing-hotline-scale", 16) == ()
    assert doubts("beijing-hotline-scale", 17) == ("total_out_of_bounds",)
    assert doubts("k10", 0) == (), "one of its variants begins there"
    assert doubts("k10", 51) == ("total_out_of_bounds",)
    assert doubts("psqi", 22) == ("total_out_of_bounds",)
    assert doubts("c-ssrs-screener", 3) == ("total_of_what_is_never_summed",)
    assert doubts("c-ssrs-screener", None, ("q6", "P3M"), ("q6", "ever"), ("q4", "P1M"), ("q4", None)) == ()
    assert doubts("c-ssrs-screener", None, ("q4", "P5Y"), ("q7", None)) == ("other_window:q4", "unknown_item:q7")


def test_an_instrument_that_is_not_known_here_raises_no_doubt() -> None:
    assert doubts("some-other-scale", 999, ("x", "P1D")) == ()

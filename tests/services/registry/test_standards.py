"""The building standards as checklists: pass, fail, or missing; what nobody recorded never passes."""

from __future__ import annotations

import copy
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.standards import Standards
from services.registry.domain.standards_check import Checked, Outcome, Site, check
from services.registry.policy import SHIPPED, Policies

FILE = SHIPPED / "standards" / "2026-11.toml"
POLICY = Standards.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))
CENTRE, STATION = POLICY.standards["centre"], POLICY.standards["station"]


def room(kind: str, *items: str, area: float | None = None) -> dict[str, Any]:
    return {"kind": kind, "area_m2": area, "equipment": list(items)}


def staff(count: int, occupation: str, *, full: bool, certificate: bool | None = True) -> list[dict[str, Any]]:
    return [{"occupation": occupation, "full_time": full, "certificate": certificate}] * count


ROOMS = [
    room(
        "reception",
        *(
            [
                "display_board",
                "sofa",
                "tea_table",
                "plants",
                "bookshelf",
                "office_desk",
                "telephone",
                "computer",
                "printer",
            ]
        ),
    ),
    room("assessment", "desk_and_chairs", "computer", "printer", "plants"),
    room("individual", "wall_chart", "chair", "table", "plants", "hourglass", area=10),
    room("individual", area=20),
    room("sandplay", "electronic_sandplay"),
    room("venting", "venting_ball", "venting_stick"),
    room("biofeedback", "biofeedback_device", "wall_chart"),
    room("group", "group_toolbox", "group_desks", "video_equipment", "wall_chart"),
    room("archive", "archive_cabinet", "office_desk"),
]
FACTS: dict[str, bool | float] = {
    **{name: True for name, fact in POLICY.facts.items() if not fact.number},
    "area_m2": 400,
}
STAFF = [
    *staff(2, "administrator", full=True, certificate=None),
    *staff(1, "counsellor", full=True),
    *staff(1, "psychiatrist", full=True),
    *staff(6, "therapist", full=False),
]
FUNCTIONS = [
    "publicity",
    "counselling",
    "assessment",
    "therapy",
    "experience",
    "hotline",
    "crisis",
    "platform",
    "archives",
]
EXTRAS = ["data_cabinet", "clock", "air_conditioner", "water_dispenser"]


def a_centre(**fields: Any) -> Site:
    """A centre that follows the annex in everything, and no further."""
    whole: dict[str, Any] = {
        "facts": FACTS,
        "rooms": ROOMS,
        "equipment": EXTRAS,
        "functions": FUNCTIONS,
        "staff": STAFF,
        "rules": 1,
    }
    return Site(**{**whole, **fields})


def outcome(result: Checked, code: str) -> str:
    (found,) = [found.outcome.value for clause, found in result.clauses if clause.code == code]
    return found


def facts(**changed: bool | float | None) -> dict[str, bool | float]:
    return {name: value for name, value in {**FACTS, **changed}.items() if value is not None}


def test_a_centre_that_follows_the_annex_passes_every_clause() -> None:
    result = check(CENTRE, a_centre())
    assert {found.outcome for _, found in result.clauses} == {Outcome.passed}
    assert result.overall is Outcome.passed


def without(kind: str) -> list[dict[str, Any]]:
    return [one for one in ROOMS if one["kind"] != kind]


def lacking(kind: str, item: str) -> list[dict[str, Any]]:
    rooms = copy.deepcopy(ROOMS)
    for one in rooms:
        if one["kind"] == kind:
            one["equipment"] = [there for there in one["equipment"] if there != item]
    return rooms


def sized(*areas: float | None) -> list[dict[str, Any]]:
    equipment = ("wall_chart", "sofa", "tea_table", "plants", "hourglass")
    return [*without("individual"), *(room("individual", *equipment, area=area) for area in areas)]


KINDS = ("reception", "assessment", "individual", "sandplay", "venting", "biofeedback", "group", "archive")
ALONE = {
    "reception": "display_board sofa tea_table plants bookshelf office_desk telephone computer printer",
    "assessment": "desk_and_chairs computer printer plants",
    "individual": "wall_chart plants hourglass chair table",
    "sandplay": "electronic_sandplay",
    "venting": "venting_ball venting_stick",
    "biofeedback": "biofeedback_device wall_chart",
    "group": "group_toolbox group_desks video_equipment wall_chart",
    "archive": "archive_cabinet office_desk",
}
EQUIPMENT = [
    (kind, item, f"1.3.{number}_{kind}") for number, kind in enumerate(KINDS, 1) for item in ALONE[kind].split()
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_the_eight_rooms_is_asked_for(kind: str) -> None:
    result = check(CENTRE, a_centre(rooms=without(kind)))
    assert (outcome(result, f"1.2.room_{kind}"), result.overall) == ("fail", Outcome.failed)


@pytest.mark.parametrize(("kind", "item", "code"), EQUIPMENT)
def test_each_item_of_each_room_is_asked_for(kind: str, item: str, code: str) -> None:
    result = check(CENTRE, a_centre(rooms=lacking(kind, item)))
    assert (outcome(result, code), result.overall) == ("fail", Outcome.failed)


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ((10, 20), "pass"),
        ((9.99, 15), "fail"),
        ((15, 20.01), "fail"),
        ((15, None), "missing"),
        ((9, None), "fail"),
        ((), "missing"),
    ],
)
def test_individual_rooms_have_ten_to_twenty_square_metres_each(areas: tuple[Any, ...], expected: str) -> None:
    assert outcome(check(CENTRE, a_centre(rooms=sized(*areas))), "1.2.individual_area") == expected


@pytest.mark.parametrize(
    ("code", "changed", "expected"),
    [
        ("1.1.area", {"area_m2": 399.9}, "fail"),
        ("1.1.area", {"area_m2": 100_000}, "pass"),
        ("1.1.area", {"area_m2": None}, "missing"),
        ("1.1.independent", {"independent": False}, "fail"),
        ("1.1.urban", {"urban": False}, "fail"),
        ("1.1.urban", {"urban": None}, "missing"),
        ("4.2.fees_posted", {"fees_posted": False}, "fail"),
        ("4.2.qualifications_posted", {"qualifications_posted": None}, "missing"),
        ("4.2.rules_posted", {"rules_posted": False}, "fail"),
    ],
)
def test_facts_of_a_centre(code: str, changed: dict[str, bool | float | None], expected: str) -> None:
    result = check(CENTRE, a_centre(facts=facts(**changed)))
    assert outcome(result, code) == expected
    assert result.overall.value == expected


def test_the_ground_floor_and_other_fittings_are_recommended_and_fail_nothing() -> None:
    result = check(CENTRE, a_centre(facts=facts(ground_floor_or_own_office=False), equipment=[]))
    assert outcome(result, "1.1.ground_floor") == "advised"
    assert outcome(result, "1.3.9_other") == "advised"
    assert result.overall is Outcome.passed
    unknown = check(CENTRE, a_centre(facts=facts(ground_floor_or_own_office=None)))
    assert (outcome(unknown, "1.1.ground_floor"), unknown.overall) == ("missing", Outcome.passed)


@pytest.mark.parametrize(
    ("code", "people", "expected"),
    [
        ("2.1.staff", STAFF[1:], "fail"),
        ("2.2.full_time_certified", [*STAFF[:2], *STAFF[3:]], "fail"),
        (
            "2.2.full_time_certified",
            [*STAFF[:3], *STAFF[4:], *staff(1, "counsellor", full=True, certificate=False)],
            "fail",
        ),
        (
            "2.2.full_time_certified",
            [*STAFF[:3], *STAFF[4:], *staff(1, "counsellor", full=True, certificate=None)],
            "missing",
        ),
        ("2.2.full_time_certified", [*STAFF[:3], *STAFF[4:], *staff(1, "social_worker", full=True)], "fail"),
        ("2.3.part_time_certified", STAFF[:-1], "fail"),
        ("2.3.part_time_certified", [*STAFF[:-1], *staff(1, "therapist", full=True)], "fail"),
        ("2.3.part_time_certified", None, "missing"),
    ],
)
def test_people_of_a_centre(code: str, people: Any, expected: str) -> None:
    assert outcome(check(CENTRE, a_centre(staff=people)), code) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_of_the_nine_functions_is_asked_for(function: str) -> None:
    left = [one for one in FUNCTIONS if one != function]
    assert outcome(check(CENTRE, a_centre(functions=left)), f"3.{function}") == "fail"
    assert outcome(check(CENTRE, a_centre(functions=None)), f"3.{function}") == "missing"


def test_own_rules_of_work_are_asked_for() -> None:
    assert outcome(check(CENTRE, a_centre(rules=0)), "4.1.rules") == "fail"
    assert outcome(check(CENTRE, a_centre(rules=None)), "4.1.rules") == "missing"


ITEMS = ["office_desk", "telephone", "computer", "printer", "wall_chart", "data_cabinet"]
STATION_FUNCTIONS = ["reception", "publicity", "platform", "referral"]


def a_station(**fields: Any) -> Site:
    whole: dict[str, Any] = {
        "facts": facts(area_m2=20, fees_posted=None),
        "rooms": None,
        "equipment": ITEMS,
        "functions": STATION_FUNCTIONS,
        "staff": staff(1, "counsellor", full=False, certificate=None),
        "rules": 1,
    }
    return Site(**{**whole, **fields})


def test_a_station_needs_what_its_annex_says_and_no_fees() -> None:
    assert check(STATION, a_station()).overall is Outcome.passed
    assert not [clause for clause in STATION.clauses if "收费" in clause.text]
    assert outcome(check(STATION, a_station(facts=facts(area_m2=19.9))), "1.1.area") == "fail"
    assert outcome(check(STATION, a_station(staff=[])), "2.staff") == "fail"
    assert outcome(check(STATION, a_station(staff=None)), "2.staff") == "missing"
    for posted in ("qualifications_posted", "rules_posted"):
        assert outcome(check(STATION, a_station(facts=facts(**{posted: None}))), f"4.2.{posted}") == "missing"


@pytest.mark.parametrize("item", ITEMS)
def test_each_of_the_six_items_of_a_station_is_asked_for(item: str) -> None:
    left = [one for one in ITEMS if one != item]
    assert outcome(check(STATION, a_station(equipment=left)), f"1.2.{item}") == "fail"
    in_a_room = a_station(equipment=left, rooms=[room("work_area", item)])
    assert outcome(check(STATION, in_a_room), f"1.2.{item}") == "pass"
    not_looked = a_station(equipment=left, rooms=[{"kind": "work_area", "area_m2": None, "equipment": None}])
    assert outcome(check(STATION, not_looked), f"1.2.{item}") == "missing"


@pytest.mark.parametrize("function", STATION_FUNCTIONS)
def test_each_of_the_four_functions_of_a_station_is_asked_for(function: str) -> None:
    left = [one for one in STATION_FUNCTIONS if one != function]
    assert outcome(check(STATION, a_station(functions=left)), f"3.{function}") == "fail"


def test_a_station_can_counsel_or_guide_and_keeps_health_records() -> None:
    standard = POLICY.standards["station_capability"]
    one = staff(1, "counsellor", full=False)
    for way in ("counselling", "guidance"):
        site = Site(functions=[way, "health_record"], staff=one)
        assert check(standard, site).overall is Outcome.passed
    assert outcome(check(standard, Site(functions=["guidance"], staff=one)), "health_record") == "fail"
    assert outcome(check(standard, Site(functions=["health_record"], staff=one)), "counselling") == "fail"
    assert outcome(check(standard, Site(functions=["health_record"], staff=[])), "staff") == "fail"


def test_a_school_needs_one_room_and_may_have_six_more() -> None:
    standard = POLICY.standards["school_room"]
    optional = [clause.code for clause in standard.clauses if clause.recommended]
    assert len(optional) == 6
    plain = check(standard, Site(rooms=[room("counselling")]))
    assert plain.overall is Outcome.passed
    assert {outcome(plain, code) for code in optional} == {"advised"}
    kinds = ("counselling", "assessment", "group", "sandplay", "painting", "music", "venting")
    assert check(standard, Site(rooms=[room(kind) for kind in kinds])).counts() == {"pass": 7}
    assert check(standard, Site(rooms=[room("music")])).overall is Outcome.failed


@pytest.mark.parametrize(("name", "count"), [("five_haves", 5), ("three_in_place", 3)])
def test_the_lists_of_yes_and_no_ask_for_each_by_itself(name: str, count: int) -> None:
    standard = POLICY.standards[name]
    assert len(standard.clauses) == count
    assert check(standard, Site(facts=FACTS)).overall is Outcome.passed
    for clause in standard.clauses:
        assert outcome(check(standard, Site(facts=facts(**{clause.code: False}))), clause.code) == "fail"
        assert outcome(check(standard, Site(facts=facts(**{clause.code: None}))), clause.code) == "missing"


def test_every_clause_says_where_it_is_written() -> None:
    for name, standard in POLICY.standards.items():
        # For a centre for minors no paper was found, and each of its clauses says so.
        written = ("no published source",) if name == "minor_centre" else ("济兖政办字", "鲁文明")
        assert all(clause.source.startswith(written) for clause in standard.clauses)


SITES = st.builds(
    Site,
    facts=st.dictionaries(st.sampled_from(sorted(FACTS)), st.booleans() | st.floats(0, 1000)),
    rooms=st.none() | st.lists(st.sampled_from(ROOMS)),
    equipment=st.none() | st.lists(st.sampled_from(ITEMS)),
    functions=st.none() | st.lists(st.sampled_from(FUNCTIONS)),
    staff=st.none() | st.lists(st.sampled_from(STAFF)),
    rules=st.none() | st.integers(0, 3),
)


@settings(deadline=None)
@given(SITES, st.sampled_from(sorted(POLICY.standards)))
def test_whatever_is_recorded_every_clause_has_an_outcome_and_the_worst_decides(site: Site, name: str) -> None:
    standard = POLICY.standards[name]
    result = check(standard, site)
    assert [clause for clause, _ in result.clauses] == list(standard.clauses)
    binding = {found.outcome.value for clause, found in result.clauses if not clause.recommended}
    assert (result.overall is Outcome.failed) == ("fail" in binding)
    assert (result.overall is Outcome.passed) == (not {"fail", "missing"} & binding)
    nothing = check(standard, Site())
    assert Outcome.passed not in {found.outcome for _, found in nothing.clauses}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('fact = "urban"', 'fact = "rural"'),
        ('room = "sandplay"', 'room = "ballroom"'),
        ('types = ["centre"]', 'types = ["castle"]'),
        ("at_most = 20", "at_most = 5"),
        ('code = "1.1.urban"', 'code = "1.1.area"'),
        ("at_least = 400", 'at_least = 400\ncolour = "green"'),
    ],
)
def test_a_districts_own_standard_with_a_slip_of_the_pen_is_refused_by_file(tmp_path: Path, old: str, new: str) -> None:
    shutil.copytree(FILE.parent, tmp_path / "standards")
    own = tmp_path / "standards" / FILE.name
    text = own.read_text(encoding="utf-8")
    assert old in text
    own.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"2026-11\.toml"):
        Policies.load(tmp_path)

"""Who is asked next: hard conditions first, then the nearest, then the least recently called."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.base import Tier
from contracts.matching import NobodyLeft
from services.matching.domain.choice import Ask, Board, Person, nearness, qualifies, shared
from services.matching.domain.policy import SHIPPED, load_policies
from tests.services.matching.support import START

POLICY = load_policies().at(START)

CODES = ("37", "3708", "370811", "370812", "370812001", "370812002", "370812001201", "370812001202", "320706001")
people = st.builds(
    Person,
    id=st.uuids(),
    division=st.sampled_from(CODES),
    person_types=st.frozensets(st.integers(1, 8), max_size=3),
    qualifications=st.frozensets(st.integers(1, 6), max_size=3),
    trained=st.booleans(),
    active=st.booleans(),
    busy=st.booleans(),
    called_at=st.none() | st.integers(0, 5).map(lambda minutes: START + timedelta(minutes=minutes)),
)
cases = st.builds(
    Ask,
    request_id=st.uuids(),
    division=st.sampled_from([code for code in CODES if len(code) >= 6]),
    tier=st.sampled_from(Tier),
    minor=st.booleans(),
    requested_at=st.just(START),
)


def a_person(person_types: tuple[int, ...] = (), qualifications: tuple[int, ...] = (), **more: bool) -> Person:
    state = {"trained": True, "active": True, "busy": False, **more}
    return Person(uuid.uuid4(), "370812", frozenset(person_types), frozenset(qualifications), called_at=None, **state)


def test_nobody_untrained_or_inactive_qualifies() -> None:
    assert qualifies(a_person((3,), (1,)), Tier.high, False, POLICY)
    assert not qualifies(a_person((3,), (1,), trained=False), Tier.high, False, POLICY)
    assert not qualifies(a_person((3,), (1,), active=False), Tier.high, False, POLICY)


def test_a_counsellor_is_not_sent_to_an_act_in_progress() -> None:
    assert not qualifies(a_person((1,), (3,)), Tier.imminent, False, POLICY)
    assert qualifies(a_person((1,), (3,)), Tier.high, False, POLICY)


def test_a_social_worker_answers_a_moderate_case_but_not_a_high_one() -> None:
    assert qualifies(a_person((5,)), Tier.moderate, False, POLICY)
    assert not qualifies(a_person((5,)), Tier.high, False, POLICY)


def test_a_minors_case_asks_for_more() -> None:
    assert qualifies(a_person((5,)), Tier.moderate, False, POLICY)
    assert not qualifies(a_person((5,)), Tier.moderate, True, POLICY)
    assert qualifies(a_person((5,), (4,)), Tier.moderate, True, POLICY)


@pytest.mark.parametrize("tier", Tier)
def test_a_case_of_the_strict_class_asks_no_ordinary_volunteer(tier: Tier) -> None:
    for code in (1, 4, 5, 6, 7, 8):
        assert not qualifies(a_person((code,)), tier, False, POLICY, restricted=True)
    assert not qualifies(a_person((5,), (3,)), tier, True, POLICY, restricted=True)
    assert qualifies(a_person((3,), (1,)), tier, True, POLICY, restricted=True)


def test_of_a_restricted_request_the_nearest_volunteer_is_passed_over() -> None:
    board = Board()
    volunteer, doctor = a_person((1, 5)), a_person((3,), (1,))
    for one in (volunteer, doctor):
        board.add_roster(one.id, "370812")
        board.put(one)
    for restricted, expected in ((False, {volunteer.id, doctor.id}), (True, {doctor.id})):
        ask = Ask(uuid.uuid4(), "370812", Tier.moderate, False, START, restricted=restricted)
        assert {person.id for person, _ in board.candidates(ask, POLICY)} == expected


def test_a_student_answers_no_case() -> None:
    assert not any(qualifies(a_person((7,)), tier, minor, POLICY) for tier in Tier for minor in (False, True))


@pytest.mark.parametrize(
    ("case", "home", "rosters", "digits"),
    [
        ("370812001201", "370812001201", ["370812001"], 12),
        ("370812001201", "370812001202", ["370812001"], 9),
        ("370812001201", "370812", ["370812"], 6),
        ("370812001201", "370812001201", ["3708"], 12),  # a city's roster covers the village
        ("370812001201", "370812001201", ["370811"], 4),  # another county's roster counts once the area has both
        ("370812001201", "370811", ["3708"], 4),
        ("370812", "370812001201", ["370812001"], 6),
        ("370812", "320706", ["37"], 0),
        ("370812", "370812", [], 0),
        ("370812", "370812", ["320706"], 0),
        ("370812", "370812", ["320706", "370812"], 6),
    ],
)
def test_how_near_a_responder_is(case: str, home: str, rosters: list[str], digits: int) -> None:
    assert nearness(case, home, rosters) == digits


@given(st.sampled_from(CODES), st.sampled_from(CODES))
def test_the_shared_division_is_the_same_from_both_sides(one: str, other: str) -> None:
    assert shared(one, other) == shared(other, one) <= min(len(one), len(other))


@given(
    st.lists(st.tuples(people, st.sampled_from(CODES)), max_size=12, unique_by=lambda pair: pair[0].id),
    cases,
    st.data(),
)
def test_the_choice_is_the_nearest_then_the_least_recently_called(
    duty: list[tuple[Person, str]], case: Ask, data: st.DataObject
) -> None:
    """Held against the definition: sort all who may be asked, and take the first."""
    asked = data.draw(st.frozensets(st.sampled_from([person.id for person, _ in duty]))) if duty else frozenset()
    ask = Ask(case.request_id, case.division, case.tier, case.minor, case.requested_at, asked)
    board = Board()
    for person, roster in duty:
        board.add_roster(person.id, roster)
        board.put(person)
    chosen = None
    for level in POLICY.area.digits:
        if level <= len(ask.division) and chosen is None:
            chosen = board.first(ask, level, POLICY)

    fit = [
        (-nearness(ask.division, person.division, [roster]), person.turn, person)
        for person, roster in duty
        if qualifies(person, ask.tier, ask.minor, POLICY) and nearness(ask.division, person.division, [roster])
    ]
    free = [row for row in fit if not row[2].busy and row[2].id not in asked]
    assert chosen == (min(free)[2] if free else None)
    if chosen is None:
        left = {row[2].id for row in fit}
        expected = (
            NobodyLeft.nobody_on_duty
            if not left
            else NobodyLeft.all_declined_or_silent
            if left <= asked
            else NobodyLeft.everybody_busy
        )
        assert board.why_nobody(ask, POLICY) is expected


def test_a_policy_must_have_a_rule_for_each_tier(tmp_path: Path) -> None:
    shipped = Path(SHIPPED, "2026-11.toml").read_text(encoding="utf-8")
    start, end = shipped.index("[tiers.low]"), shipped.index("# A minor's case")
    Path(tmp_path, "broken.toml").write_text(shipped[:start] + shipped[end:], encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)broken.toml.*no rule for the tiers low"):
        load_policies(tmp_path)


def test_the_districts_policy_comes_before_the_one_that_ships(tmp_path: Path) -> None:
    shipped = Path(SHIPPED, "2026-11.toml").read_text(encoding="utf-8")
    Path(tmp_path, "2026-11.toml").write_text(shipped.replace("answer_seconds = 60\n", "answer_seconds = 45\n"))
    assert load_policies(tmp_path).at(START).answer_within(Tier.imminent) == timedelta(seconds=45)
    assert load_policies().at(START).answer_within(Tier.imminent) == timedelta(seconds=60)

"""Policy files: whole, sourced, and refused by name and place where they are not."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.base import Answer, Tier
from contracts.crisis import ReferralState
from services.crisis.domain.policy import load_policies
from services.crisis.domain.referral import ANSWERS, ENDED, NEXT, UNDER_WAY, WAITING, allows
from services.crisis.domain.versions import SHIPPED

NEWEST = sorted(SHIPPED.glob("*.toml"))[-1]
NOON = datetime(2026, 12, 1, 4, tzinfo=UTC)


def numbers_without_source(value: Any, place: str = "", sources: tuple[str, ...] = ()) -> list[str]:
    """Where a number stands in a table that names no source for it."""
    if isinstance(value, dict):
        here = tuple(name for name in value if name == "source" or name.endswith("_source"))
        return [
            lack
            for name, inner in value.items()
            if name not in here
            for lack in numbers_without_source(inner, f"{place}.{name}", here or sources)
        ]
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return [lack for n, inner in enumerate(value) for lack in numbers_without_source(inner, f"{place}[{n}]")]
    inside = value if isinstance(value, list) else [value]
    is_number = any(isinstance(inner, int) and not isinstance(inner, bool) for inner in inside)
    return [place] if is_number and not sources else []


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.toml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_number_stands_beside_its_source(path: Path) -> None:
    content = tomllib.loads(path.read_text())
    assert numbers_without_source(content) == []
    for line in re.findall(r'_?source = "(.*)"', path.read_text()):
        assert len(line) > 10, f"{line!r} names no source"


def test_the_search_for_sources_finds_a_number_without_one() -> None:
    assert numbers_without_source({"attempts": {"most": 3}}) == [".attempts.most"]


def spoil(folder: Path, old: str, new: str) -> Path:
    text = NEWEST.read_text()
    assert old in text
    path = folder / "district.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('role = "supervisor"\nminutes = 3', 'role = "值班主任"\nminutes = 3', "acknowledgement.imminent.1.role"),
        ("minutes = 15", "minutes = 0", "acknowledgement.high.0.minutes"),
        ("minutes = 15", 'minutes = "15"x', "line"),
        ('question = "act_in_progress"', 'question = "act_in_progres"', "tiering.answers.0.question"),
        ('question = "hopelessness"', 'question = "danger_to_others"', "tiering.ratings.1.question"),
        ("from = 80", "from = 101", "tiering.ratings.0.from"),
        ('windows = ["P1M"]', 'windows = ["1 month"]', "tiering.items.0.windows.0"),
        ('chain = ["supervisor"', 'chain = ["Supervisor"', "emergency.chain.0"),
        ("hours = [72, 168, 720]", "hours = [168, 72]", "follow_up.moderate.hours"),
        ("hours = [72, 168, 720]", "hours = [-1]", "follow_up.moderate.hours.0"),
        ("low = 2880", "# low", "Invalid"),
        (", low = 2880", "", "referral.send_minutes"),
        ('most = 3\nsource = "988', 'most = 3\n#source = "988', "attempts.source"),
        ("[[acknowledgement.low]]", "[[acknowledgement.lowest]]", "acknowledgement.lowest"),
        ('tiers = ["imminent", "high", "moderate"]', 'tiers = ["urgent"]', "responder.tiers.0"),
        ("in_force_from = 2024-01-01T00:00:00+08:00", "in_force_from = 2024-01-01T00:00:00", "in_force_from"),
        ("[attempts]", "[attempts]\nmosst = 3", "attempts.mosst"),
    ],
)
def test_a_malformed_policy_is_refused_by_file_and_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    path = spoil(tmp_path, old, new)
    with pytest.raises(ValueError) as refusal:
        load_policies(tmp_path)
    assert str(path) in str(refusal.value)
    assert place in str(refusal.value)


def test_a_policy_that_says_nothing_about_a_tier_is_refused(tmp_path: Path) -> None:
    text = NEWEST.read_text()
    start = text.index("[follow_up.low]")
    (tmp_path / "district.toml").write_text(text[:start] + text[text.index("[attempts]") :])
    with pytest.raises(ValueError, match=r"follow_up\n.*nothing is said about low"):
        load_policies(tmp_path)


def test_a_districts_own_file_comes_before_the_shipped_one_of_the_same_version(tmp_path: Path) -> None:
    spoil(tmp_path, "most = 3", "most = 5")
    assert load_policies(tmp_path).at(NOON).attempts.most == 5
    assert load_policies().at(NOON).attempts.most == 3


def test_a_newer_policy_decides_from_its_own_day_on_and_the_old_one_stays_readable(tmp_path: Path) -> None:
    path = spoil(tmp_path, 'version = "2026-11"', 'version = "2027-01"')
    path.write_text(path.read_text().replace("in_force_from = 2024-01-01", "in_force_from = 2027-01-01"))
    policies = load_policies(tmp_path)
    assert policies.at(datetime(2026, 12, 31, 15, 59, tzinfo=UTC)).version == "2026-11"
    assert policies.at(datetime(2026, 12, 31, 16, 0, tzinfo=UTC)).version == "2027-01"
    assert policies.of("2026-11").version == "2026-11"


def test_two_policies_cannot_begin_at_the_same_moment(tmp_path: Path) -> None:
    spoil(tmp_path, 'version = "2026-11"', 'version = "2026-11-district"')
    with pytest.raises(ValueError, match="from the same moment"):
        load_policies(tmp_path)


@pytest.mark.parametrize(
    ("tier", "planned_with"),
    [("imminent", set(Answer)), ("high", set(Answer)), ("low", {Answer.yes})],
)
def test_a_follow_up_needs_the_consent_that_its_tier_asks_for(tier: Tier, planned_with: set[Answer]) -> None:
    policy = load_policies().at(NOON)
    assert {answer for answer in Answer if policy.follow_ups(Tier(tier), answer, NOON)} == planned_with


def test_a_moderate_tier_is_followed_up_unless_the_person_refused() -> None:
    policy = load_policies().at(NOON)
    planned = {answer for answer in Answer if policy.follow_ups(Tier.moderate, answer, NOON)}
    assert planned == {Answer.yes, Answer.unknown, Answer.not_asked}


def test_a_high_risk_is_followed_up_within_a_day_and_for_a_year() -> None:
    due = load_policies().at(NOON).follow_ups(Tier.high, Answer.refused, NOON)
    assert due[0] - NOON <= timedelta(hours=48)
    assert due[-1] - NOON == timedelta(days=365)
    assert due == sorted(due)


def test_the_higher_the_tier_the_sooner_somebody_has_to_acknowledge() -> None:
    policy = load_policies().at(NOON)
    times = [policy.step(tier, 0).time for tier in sorted(Tier, key=lambda tier: -tier.rank)]
    assert times == sorted(times)
    assert policy.step(Tier.imminent, 99).role == "emergency-110-120"


LEGAL = """
drafted: sent cancelled
sent: received expired cancelled
received: accepted declined expired revoked
accepted: scheduled attended revoked
scheduled: scheduled attended unattended revoked
attended: completed
unattended: scheduled revoked
declined: sent bounced cancelled
expired: sent bounced cancelled
bounced: sent cancelled
completed:
cancelled:
revoked:
"""


def test_a_referral_moves_along_these_ways_and_no_others() -> None:
    table = {
        ReferralState(line.split(":")[0]): {ReferralState(word) for word in line.split(":")[1].split()}
        for line in LEGAL.strip().splitlines()
    }
    assert set(table) == set(ReferralState)
    assert {present: {to for to in ReferralState if allows(present, to)} for present in ReferralState} == table
    assert {state for state, to in table.items() if not to} == ENDED


def test_every_referral_can_come_to_an_end() -> None:
    for state in ReferralState:
        reached, fresh = {state}, [state]
        while fresh:
            fresh = [to for one in fresh for to in NEXT[one] if to not in reached]
            reached.update(fresh)
        assert reached & ENDED


def test_only_the_institution_says_that_it_received() -> None:
    """Sent is not received: nothing but an answer leads out of `sent`, or a deadline, or the sender's withdrawal."""
    assert NEXT[ReferralState.sent] - ANSWERS == {ReferralState.expired, ReferralState.cancelled}
    assert WAITING <= UNDER_WAY
    assert not UNDER_WAY & {ReferralState.drafted, ReferralState.declined, ReferralState.expired}

"""The hotline's day: what is kept is what is made, it is mixed as published, and it can be replayed as a new day."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.envelope import from_message, from_structured
from chassis.errors import Refused
from chassis.sealing import Envelope
from contracts.base import Answer
from contracts.hotline import HotlineLevel, RiskFlagged
from contracts.topology import hotline_subjects
from xinqiao import secrets as credentials
from xinqiao.contracts_tool import ROOT
from xinqiao.secrets import Secrets
from xinqiao.simulate import (
    DAY_FILE,
    HOTLINES,
    KEPT_FLAGS,
    Line,
    divisions,
    expected,
    generate,
    read_day,
    replay,
    seal_to,
    write_day,
)

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def day() -> list[Line]:
    return read_day()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    made = Secrets(tmp_path_factory.mktemp("secrets"))
    credentials.create(made, "127.0.0.1:1")
    return made


@pytest.fixture(scope="module")
def replayed(day: list[Line], secrets: Secrets) -> list[Line]:
    return list(replay(day, NOW, "run-1", seal_to(secrets.sealing_public)))


def flag_of(line: Line) -> RiskFlagged:
    if line.via == "http":
        event = from_structured(json.loads(line.body))
    else:
        event = from_message(line.subject, line.headers, line.body.encode())
    assert isinstance(event, RiskFlagged)
    return event


def good(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.expect in ("case", "joins")]


def level_of(flag: RiskFlagged) -> str:
    """The hotline's level; where it has none, the instrument's."""
    if flag.hotline_level is not HotlineLevel.unknown:
        return str(flag.hotline_level)
    assert flag.assessment is not None
    assert flag.assessment.total is not None
    return "high" if flag.assessment.total >= 8 else "moderate" if flag.assessment.total >= 4 else "low"


def test_the_kept_day_is_what_the_generator_makes(tmp_path: Path) -> None:
    write_day(tmp_path / "day.jsonl")
    assert (tmp_path / "day.jsonl").read_text() == DAY_FILE.read_text()


def test_the_day_has_two_hundred_flags_over_hours_counties_divisions_and_channels(replayed: list[Line]) -> None:
    flags = [flag_of(line) for line in good(replayed)]
    assert len(flags) == KEPT_FLAGS >= 200
    assert len({int(line.at // 3600) for line in replayed}) == 24
    assert {flag.county for flag in flags} == {"370812", "320706"}
    assert {len(flag.place) for flag in flags} == {6, 9, 12}
    assert len({flag.place for flag in flags}) > 50
    assert {flag.channel for flag in flags} >= {"call", "chat", "sms", "tree_hole"}
    assert {line.via for line in replayed} == {"nats", "http"}


def test_the_divisions_are_those_of_the_two_counties(replayed: list[Line]) -> None:
    known = {code for codes in divisions().values() for code in codes} | set(HOTLINES.values())
    assert {flag_of(line).place for line in good(replayed)} <= known


def test_the_risk_is_mixed_as_in_the_beijing_figures(replayed: list[Line]) -> None:
    levels = Counter(level_of(flag_of(line)) for line in good(replayed))
    shares = {level: count / KEPT_FLAGS for level, count in levels.items()}
    published = {"high": 5_822 / 21_346, "moderate": 11_791 / 21_346, "low": 3_733 / 21_346}
    assert shares == pytest.approx(published, abs=1 / KEPT_FLAGS)


def test_the_day_has_repeat_callers_minors_acts_in_progress_and_questions_without_answer(replayed: list[Line]) -> None:
    flags = [flag_of(line) for line in good(replayed)]
    calls = Counter(flag.caller for flag in flags if flag.caller)
    assert sum(count > 1 for count in calls.values()) >= 10
    assert sum(flag.caller is None for flag in flags) >= 5
    assert sum(flag.minor for flag in flags) >= 10
    assert sum(flag.act_in_progress is Answer.yes for flag in flags) >= 2
    assert sum(flag.suspected_harm_to_minor is Answer.yes for flag in flags) >= 1
    for word in ("refused", "unknown", "not_asked"):
        assert sum(flag.suicidal_intensity == word for flag in flags) >= 1
        assert sum(flag.plan_within_72_hours == word for flag in flags) >= 1
    late = [flag for line, flag in zip(good(replayed), flags, strict=True) if _sent(line) - flag.flagged_at > _HOUR]
    assert len(late) >= 5


_HOUR = timedelta(hours=1)


LAST = max(line.at for line in read_day())


def _sent(line: Line) -> datetime:
    return NOW - timedelta(seconds=LAST - line.at)


def test_a_second_flag_of_a_caller_joins_and_the_first_opens_a_case(replayed: list[Line]) -> None:
    known: set[str] = set()
    for line in good(replayed):
        caller = flag_of(line).caller
        assert line.expect == ("joins" if caller in known else "case")
        if caller:
            known.add(caller)


def test_among_them_is_what_real_life_brings(day: list[Line]) -> None:
    ends = expected(day)
    for end in (
        *("duplicate", "denied", "refused:malformed_json", "refused:invalid", "refused:unknown_version"),
        *("dead:unknown_version", "dead:malformed_json", "dead:invalid", "dead:unknown_division"),
        *("dead:time_in_future", "dead:id_reused", "dead:bad_envelope", "dead:too_large", "dead:type_mismatch"),
    ):
        assert ends[end] >= 1, end


def test_the_guide_for_hotlines_tells_every_end(day: list[Line]) -> None:
    guide = (ROOT / "docs" / "hotlines.md").read_text()
    for end in expected(day):
        _, _, reason = end.partition(":")
        assert not reason or f"`{reason}`" in guide, end


def test_what_has_to_die_is_refused_with_its_reason_where_the_envelope_can_tell(replayed: list[Line]) -> None:
    told_later = {"unknown_division", "time_in_future", "id_reused"}
    for line in replayed:
        kind, _, reason = line.expect.partition(":")
        if kind == "dead" and reason not in told_later:
            with pytest.raises(Refused) as refused:
                flag_of(line)
            assert refused.value.reason == reason
        elif kind == "dead":
            flag_of(line)
        elif line.expect == "refused:malformed_json":
            with pytest.raises(ValueError):
                json.loads(line.body)
        elif kind == "refused":
            with pytest.raises(Refused) as refused:
                flag_of(line)
            assert refused.value.reason == reason


def test_a_duplicate_is_the_same_to_the_byte_and_a_reused_id_is_not(replayed: list[Line]) -> None:
    first = {line.ident: line for line in reversed(replayed) if line.expect in ("case", "joins")}
    for line in replayed:
        if line.expect == "duplicate":
            assert first[line.ident].body == line.body
        if line.expect == "dead:id_reused":
            assert first[line.ident].body != line.body
            assert line.headers["Nats-Msg-Id"] != line.ident


def test_a_hotline_is_denied_exactly_where_its_credential_does_not_reach(day: list[Line]) -> None:
    for line in day:
        if line.via == "nats":
            ends = [allowed.split("*") for allowed in hotline_subjects(HOTLINES[line.hotline])]
            fits = any(line.subject.startswith(start) and line.subject.endswith(end) for start, end in ends)
            assert fits == (line.expect != "denied")


def test_the_last_line_is_sent_now_and_nothing_that_is_good_lies_in_the_future(
    day: list[Line], replayed: list[Line]
) -> None:
    last = max(day, key=lambda line: line.at)
    assert last.expect in ("case", "joins", "duplicate") or last.at - good(day)[-1].at < 300
    flags = [flag_of(line) for line in good(replayed)]
    assert all(flag.flagged_at <= NOW for flag in flags)
    assert max(flag.flagged_at for flag in flags) > NOW - _HOUR
    (future,) = [line for line in replayed if line.expect == "dead:time_in_future"]
    assert flag_of(future).flagged_at > NOW + timedelta(days=1)


def test_a_second_run_is_a_second_day_with_other_ids_and_other_people(day: list[Line]) -> None:
    one, two = ([flag_of(line) for line in good(list(replay(day, NOW, run)))] for run in ("run-1", "run-2"))
    assert {flag.id for flag in one}.isdisjoint(flag.id for flag in two)
    assert {flag.caller for flag in one if flag.caller}.isdisjoint(flag.caller for flag in two if flag.caller)
    assert Counter(Counter(flag.caller for flag in one).values()) == Counter(
        Counter(flag.caller for flag in two).values()
    )
    again = [flag_of(line) for line in good(list(replay(day, NOW, "run-1")))]
    assert one == again


def test_ids_are_of_version_7_and_of_the_day_they_are_replayed_on(replayed: list[Line]) -> None:
    for line in good(replayed):
        ident = uuid.UUID(line.ident)
        assert ident.version == 7
        assert abs((ident.int >> 80) / 1000 - _sent(line).timestamp()) < 1


def test_contacts_are_sealed_to_the_crisis_service_and_made_up(replayed: list[Line], secrets: Secrets) -> None:
    envelope = Envelope(secrets.sealing_private)
    sealed = [(line, flag_of(line).sealed_contact) for line in good(replayed)]
    assert sum(contact is not None for _, contact in sealed) > 100
    for line, contact in sealed:
        assert (contact is None) == (line.contact is None)
        if contact is not None:
            opened = envelope.open(contact)
            assert opened == line.contact
            assert opened["name"].startswith("示例来电者")
            assert opened["phone"].startswith("000-0000-")
    assert not any("示例来电者" in line.body or "000-0000" in line.body for line in replayed)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 400), st.integers(0, 2**32))
def test_any_day_is_in_order_and_has_the_flags_that_were_asked_for(flags: int, seed: int) -> None:
    lines = list(generate(flags, seed))
    assert len(good(lines)) == flags
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert list(generate(flags, seed)) == lines
    for line in good(list(replay(lines, NOW, "run"))):
        flag_of(line)


def test_without_mishaps_every_line_is_a_good_flag() -> None:
    assert expected(generate(500, 1, mishaps=False)).keys() == {"case", "joins"}

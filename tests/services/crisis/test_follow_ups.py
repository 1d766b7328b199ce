"""Follow-ups: how a person is tried, what an answer does, who decides when nobody answers, and when it may end."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import LOCAL, new_id
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import EmergencyService, FollowUpDue, FollowUpKept, FollowUpMissed, ReferralState, RiskRaised
from services.crisis import commands
from services.crisis.commands.follow_ups import check_hours, finding_of
from services.crisis.commands.follow_ups_decisions import NOT_LEFT
from services.crisis.domain.follow_up import (
    MEANING,
    NEXT,
    OPEN,
    AttemptChannel,
    CallBack,
    Ground,
    Hours,
    Outcome,
    Preferences,
    Report,
    Rules,
    State,
    allows,
    attempts_left,
    counted,
    fall_due,
    misses_in_a_row,
    move,
    try_once,
)
from services.crisis.domain.matters import Matter
from services.crisis.domain.policy import load_policies
from services.crisis.domain.tiering import Finding
from services.crisis.domain.versions import SHIPPED
from tests.services.crisis.world import (
    HIGH,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    NO,
    OFFICER,
    OTHER_OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    World,
    person,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 12, 1, 4, tzinfo=UTC)
DAYTIME = Hours(time(9), time(21))
RULES = Rules(most=3, interval=3 * HOUR, window=DAY, hours=DAYTIME)
ROUTES = {
    "POST /v1/cases/{case_id}/contact-preferences",
    "POST /v1/cases/{case_id}/follow-ups/ending",
}

moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
times = st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None))


def a_contact(due_at: datetime = NOON, **more: Any) -> Document:
    return {"id": new_id(), "ordinal": 1, "due_at": due_at, "state": "planned", "attempts": [], **more}


async def a_case(world: World, said: dict[str, str] = HIGH, **more: Any) -> UUID:
    key: UUID = (await world.flag(caller=person(), **said, **more))["_id"]
    await world.acknowledge(key)
    return key


# The rules


def test_a_contact_moves_along_these_ways_and_no_others() -> None:
    table = {state: {other for other in State if allows(state, other)} for state in State}
    assert table == {
        State.planned: {State.due, State.void},
        State.due: {State.kept, State.missed, State.refused, State.void},
        State.kept: set(),
        State.missed: set(),
        State.refused: set(),
        State.void: set(),
    }
    assert {state for state in State if not NEXT[state]} == set(State) - OPEN


@given(st.lists(st.sampled_from(State), max_size=6))
def test_no_contact_takes_a_way_that_is_not_in_the_table(wanted: list[State]) -> None:
    contact = a_contact()
    for state in wanted:
        present = State(contact["state"])
        if allows(present, state):
            move(contact, state, NOON)
            assert ("ended_at" in contact) is (state not in OPEN)
        else:
            with pytest.raises(ValueError, match="cannot become"):
                move(contact, state, NOON)
            assert contact["state"] == present


def test_every_outcome_says_what_it_means() -> None:
    assert set(MEANING) == set(Outcome)
    assert {said for said, meaning in MEANING.items() if meaning.ends is State.kept} == {Outcome.reached}
    refused = MEANING[Outcome.refused_to_talk]
    assert refused.ends is State.refused, "who refused to talk was not reached, and was not missed either"
    assert refused.asks is not None


@given(moments, times, times)
def test_a_moment_outside_the_hours_moves_to_the_next_that_lies_within(
    moment: datetime, one: time, other: time
) -> None:
    if one == other:
        return
    hours = Hours(min(one, other), max(one, other))
    moved = hours.following(moment)
    assert hours.hold(moved)
    assert timedelta(0) <= moved - moment < DAY
    assert moved == moment or moved.astimezone(LOCAL).time() == hours.earliest


@given(
    st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 600)), max_size=12),
    st.integers(3, 5),
    st.booleans(),
)
def test_attempts_that_count_are_spaced_and_never_more_than_policy_asks_for(
    tries: list[tuple[Outcome, int]], most: int, at_night_too: bool
) -> None:
    rules = Rules(most, 3 * HOUR, DAY, None if at_night_too else DAYTIME)
    contact = a_contact()
    fall_due(contact, NOON, rules)
    moment, entered = NOON, None
    for outcome, minutes in tries:
        moment += minutes * MINUTE
        entered = try_once(contact, outcome, AttemptChannel.call, moment, "officer-a", rules)
        assert entered is None or State(contact["state"]) is entered
        if entered is not None:
            break
    assert counted(contact) <= most
    assert attempts_left(contact, rules) == (most - counted(contact) if entered is None else 0)
    told = [
        attempt
        for attempt in contact["attempts"]
        if attempt["counted"] and MEANING[Outcome(attempt["outcome"])].ends is None
    ]
    for before, after in pairwise(told):
        assert after["at"] - before["at"] >= 3 * HOUR
    assert at_night_too or all(DAYTIME.hold(attempt["at"]) for attempt in told)
    assert (contact["state"] == State.missed) is (counted(contact) == most and entered is State.missed)


@given(st.lists(st.sampled_from([State.kept, State.missed, State.refused, State.void]), max_size=8))
def test_a_row_of_misses_ends_at_the_last_time_the_person_was_heard(ends: list[State]) -> None:
    contacts = []
    for place, state in enumerate(ends):
        contact = a_contact(ordinal=place)
        if state is not State.void:
            move(contact, State.due, NOON)
        move(contact, state, NOON + place * DAY)
        contacts.append(contact)
    heard = [state for state in ends if state is not State.void]
    expected = 0
    for state in reversed(heard):
        if state is not State.missed:
            break
        expected += 1
    assert len(misses_in_a_row(contacts)) == expected


@pytest.mark.parametrize(
    ("wishes", "may"),
    [
        (Preferences(), True),
        (Preferences(call_back=CallBack.never, asked_for_call=True), False),
        (Preferences(call_back=CallBack.only_when_asked), False),
        (Preferences(call_back=CallBack.only_when_asked, asked_for_call=True), True),
        (Preferences(shared_phone=Answer.yes), False),
        (Preferences(shared_phone=Answer.yes, asked_for_call=True), True),
        (Preferences(shared_phone=Answer.unknown), True),
    ],
)
def test_a_shared_telephone_is_called_only_when_the_person_asked(wishes: Preferences, may: bool) -> None:
    assert wishes.may_be_phoned is may


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("most = 3", "most = 2", "attempts.most"),
        ("most = 3", "most = 6", "attempts.most"),
        ("interval_minutes = 180", "interval_minutes = 721", "do not fit in the window"),
        ("latest = 21:00:00", "latest = 08:00:00", "earliest has to lie before latest"),
        ('grounds = ["in_treatment",', 'grounds = ["tired_of_it",', "ending.grounds.0"),
        ("misses = { imminent = 1, high = 2,", "misses = { imminent = 1,", "nothing is said about high"),
    ],
)
def test_a_policy_that_tries_too_little_or_too_fast_is_refused(tmp_path: Path, old: str, new: str, place: str) -> None:
    text = (SHIPPED / "2026-11.toml").read_text()
    assert old in text
    (tmp_path / "district.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=place):
        load_policies(tmp_path)


# Times of day


@pytest.mark.parametrize("hour", [3, 10, 22])
async def test_nobody_is_called_at_night_but_an_act_in_progress_knows_no_night(world: World, hour: int) -> None:
    now = world.now.astimezone(LOCAL)
    world.database.ahead += datetime.combine(now.date() + DAY, time(hour), LOCAL) - now
    calm = (await world.flag(caller=person(1), **HIGH))["_id"]
    for item in await world.follow_ups(calm):
        assert time(9) <= item["due_at"].astimezone(LOCAL).time() < time(21)
    raised = await world.flag(caller=person(2), **{**NO, "act_in_progress": "yes"})
    first = (await world.follow_ups(raised["_id"]))[0]
    assert first["due_at"] - raised["opened_at"] == DAY


async def test_the_persons_own_hours_come_before_the_districts(world: World) -> None:
    key = await a_case(world)
    wishes = Preferences(earliest="21:30", latest="22:30")
    await world.do(lambda tx: commands.set_preferences(key, wishes, OFFICER, tx, world.office))
    for item in await world.follow_ups(key):
        assert time(21, 30) <= item["due_at"].astimezone(LOCAL).time() < time(22, 30)
    assert (await world.case(key))["contact_preferences"]["earliest"] == "21:30"


@pytest.mark.parametrize(
    "wishes",
    [Preferences(earliest="09:00"), Preferences(latest="09:00"), Preferences(earliest="22:00", latest="06:00")],
)
def test_hours_that_say_nothing_are_refused(wishes: Preferences) -> None:
    with pytest.raises(Refused) as refusal:
        check_hours(wishes)
    assert refusal.value.field == "latest"


async def test_who_calls_against_the_persons_wish_says_why(world: World) -> None:
    key = await a_case(world)
    wishes = Preferences(shared_phone=Answer.yes)
    await world.do(lambda tx: commands.set_preferences(key, wishes, OFFICER, tx, world.office))
    item = await world.until_due(key)
    with pytest.raises(NotAllowed) as refusal:
        await world.attempt(key, item["id"], "no_answer")
    assert (refusal.value.reason, refusal.value.field) == ("not_to_be_called", "override_reason")
    assert (await world.follow_ups(key))[0]["attempts"] == []
    await world.attempt(key, item["id"], "not_at_home", channel=AttemptChannel.visit)
    await world.attempt(key, item["id"], "no_answer", override_reason="同学说刚收到告别短信")
    (entry,) = [one for one in await world.audit_log() if one["action"] == "called_against_wish"]
    assert (entry["actor"], entry["reason"]) == ("officer-a", "同学说刚收到告别短信")


# Attempts


async def test_three_calls_in_two_minutes_are_one_attempt(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    for _ in range(3):
        await world.attempt(key, item["id"], "no_answer")
        await world.pass_time(40 * timedelta(seconds=1))
    tried = (await world.follow_ups(key))[0]
    assert [attempt["counted"] for attempt in tried["attempts"]] == [True, False, False]
    assert tried["state"] == "due"
    await world.try_each(key, item["id"], "no_answer")
    assert (await world.follow_ups(key))[0]["state"] == "due"
    await world.try_each(key, item["id"], "phone_off")
    assert (await world.follow_ups(key))[0]["state"] == "missed"
    assert [(missed.attempts, missed.because) for missed in world.emitted(FollowUpMissed)] == [(3, "unreached")]


async def test_who_asks_to_be_called_later_is_not_missed_meanwhile(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    with pytest.raises(Refused) as refusal:
        await world.attempt(key, item["id"], "asked_to_call_later")
    assert refusal.value.field == "again_at"
    with pytest.raises(Refused):
        await world.attempt(key, item["id"], "no_answer", again_at=world.now + HOUR)
    later = world.now + 20 * HOUR
    await world.attempt(key, item["id"], "asked_to_call_later", again_at=later)
    await world.pass_time(30 * HOUR)
    waiting = (await world.follow_ups(key))[0]
    assert (waiting["state"], counted(waiting), waiting["window_until"] - later) == ("due", 0, DAY)


async def test_a_number_that_is_not_in_use_is_a_question_for_now_and_not_for_tomorrow(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    await world.try_each(key, item["id"], "number_not_in_use")
    assert (await world.case(key))["decisions_needed"] == ["contact_unusable"]
    assert (await world.follow_ups(key))[0]["state"] == "due", "there may be another way to the person"


async def test_to_refuse_is_an_answer_that_ends_the_contact_and_asks_a_supervisor(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    await world.attempt(key, item["id"], "refused_to_talk")
    assert (await world.follow_ups(key))[0]["state"] == "refused"
    assert (await world.case(key))["decisions_needed"] == ["follow_up_refused"]
    assert world.emitted(FollowUpKept) == []
    assert [missed.because for missed in world.emitted(FollowUpMissed)] == ["refused_to_talk"]
    with pytest.raises(NotAllowed, match="refused"):
        await world.attempt(key, item["id"], "reached")


@pytest.mark.parametrize(("outcome", "asks"), [("reported_dead", "reported_dead"), ("moved_away", "person_moved")])
async def test_what_makes_the_call_pointless_is_put_before_a_supervisor(world: World, outcome: str, asks: str) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    await world.attempt(key, item["id"], outcome)
    assert (await world.follow_ups(key))[0]["state"] == "void"
    assert (await world.case(key))["decisions_needed"] == [asks]
    assert world.emitted(FollowUpMissed) == []


async def test_who_calls_before_the_time_makes_the_contact_due(world: World) -> None:
    key = await a_case(world)
    first = (await world.follow_ups(key))[0]
    await world.attempt(key, first["id"], "no_answer")
    begun = (await world.follow_ups(key))[0]
    assert (begun["state"], begun["window_until"]) == ("due", first["due_at"] + DAY)
    assert len(world.emitted(FollowUpDue)) == 1
    await world.pass_time(first["due_at"] - world.now + MINUTE)
    assert len(world.emitted(FollowUpDue)) == 1


# What was answered


CALM = {**dict.fromkeys(("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks"), Answer.no)}


async def test_a_kept_contact_keeps_what_was_asked_and_what_was_not(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    assessment = new_id()
    report = Report.model_validate(
        {
            **CALM,
            "mood": 40,
            "plan_within_72_hours": "refused",
            "means_reviewed": "yes",
            "in_treatment": "unknown",
            "consent_to_further": "yes",
            "assessment_id": assessment,
        }
    )
    await world.attempt(key, item["id"], "reached", report=report)
    told = (await world.follow_ups(key))[0]["report"]
    assert (told["mood"], told["plan_within_72_hours"], told["in_treatment"]) == (40, "refused", "unknown")
    assert told["safety_plan_reviewed"] == "not_asked"
    assert (told["assessment_id"], told["policy"], told["tier"]) == (assessment, "2026-11", "moderate")
    assert told["evidence"] == ["unanswered:plan_within_72_hours"]
    assert (await world.case(key))["consent"] == "yes"


async def test_an_answer_raises_the_case_at_once_and_brings_what_the_higher_tier_asks_for(world: World) -> None:
    key = await a_case(world, MODERATE)
    item = await world.until_due(key)
    report = Report.model_validate({**CALM, "plan_within_72_hours": "yes"})
    plan = await world.attempt(key, item["id"], "reached", report=report)
    case = await world.case(key)
    assert (case["tier"], case["acknowledgement"]["state"]) == ("high", "waiting")
    assert [(up.previous, up.tier, up.by_person) for up in world.emitted(RiskRaised)] == [("moderate", "high", False)]
    assert [one["state"] for one in plan["follow_ups"]] == ["kept", "void", "void", *["planned"] * 7]
    assert case["referral_id"] is not None


async def test_an_act_in_progress_that_a_follow_up_finds_calls_for_help(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    report = Report.model_validate({**CALM, "act_in_progress": "yes"})
    await world.attempt(key, item["id"], "reached", report=report)
    assert ((await world.case(key))["tier"], (await world.case(key))["emergency"]["state"]) == ("imminent", "required")


async def test_the_same_danger_in_a_follow_up_is_seen_by_a_person_again(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    report = Report.model_validate({**CALM, "plan_within_72_hours": "yes"})
    await world.attempt(key, item["id"], "reached", report=report)
    case = await world.case(key)
    assert (case["tier"], case["acknowledgement"]["state"]) == ("high", "waiting")
    assert world.emitted(RiskRaised) == []


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks"), st.sampled_from(Answer)),
        "suicidal_intensity": st.integers(0, 100) | st.sampled_from(["unknown", "refused", "not_asked"]),
        "hopelessness": st.integers(0, 100),
        "danger_to_others": st.sampled_from(Answer),
        "mood": st.integers(0, 100),
    },
)


@given(ANSWERS, st.sampled_from(["plan_within_72_hours", "act_in_progress", "attempt_within_2_weeks"]))
def test_no_answer_of_a_follow_up_tiers_lower_than_the_same_without_it(said: dict[str, Any], question: str) -> None:
    """The rules are a flag's own: a yes raises, and nothing that is known lowers below what is not known is worth."""
    policy = load_policies().at(NOON)

    def tiered(answers: dict[str, Any]) -> Finding:
        return finding_of(Report.model_validate(answers), policy)

    finding = tiered(said)
    assert tiered({**said, question: "yes"}).tier.rank >= finding.tier.rank
    asked = tiered({**said, **CALM})
    assert asked.assessment_needed is False


async def test_nothing_that_is_answered_lowers_a_case(world: World) -> None:
    report = Report.model_validate({**CALM, "mood": 100, "hopelessness": 0, "suicidal_intensity": 0})
    for number, said in enumerate(({**NO, "act_in_progress": "yes"}, HIGH, MODERATE), 1):
        case = await world.flag(caller=person(number), **said)
        item = await world.until_due(case["_id"])
        await world.attempt(case["_id"], item["id"], "reached", report=report)
        assert (await world.case(case["_id"]))["tier"] == case["tier"]


async def test_a_contact_that_did_not_ask_about_danger_is_no_all_clear(world: World) -> None:
    """What nobody asked is not a no: a low case whose caller was not asked is looked at as a moderate one."""
    key = await a_case(world, LOW, consent_to_follow_up="yes")
    item = await world.until_due(key)
    await world.attempt(key, item["id"], "reached")
    case = await world.case(key)
    assert case["tier"] == "moderate"
    assert (await world.follow_ups(key))[0]["report"]["evidence"] != []


async def test_only_who_was_reached_can_have_answered(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    with pytest.raises(Refused) as refusal:
        await world.attempt(key, item["id"], "no_answer", report=Report())
    assert refusal.value.field == "report"


# Lost contact


async def test_a_high_risk_caller_who_never_answers_again(world: World) -> None:
    """Attempts are counted, the second miss in a row asks for a visit, and a supervisor decides the drop-out."""
    key = await a_case(world)
    missed = []
    for _ in range(2):
        item = await world.until_due(key)
        await world.try_each(key, item["id"], "no_answer", "phone_off", "no_answer")
        missed.append(item["id"])
        assert next(one for one in await world.follow_ups(key) if one["id"] == item["id"])["state"] == "missed"
    assert [event.attempts for event in world.emitted(FollowUpMissed)] == [3, 3]
    case = await world.case(key)
    assert case["decisions_needed"] == ["follow_up_missed", "welfare_check"]
    with pytest.raises(NotAllowed, match="not left as it is"):
        await world.decide(key, "as_it_is", about="welfare_check")
    with pytest.raises(NotAllowed, match="call first"):
        await world.decide(key, "call_emergency", about="welfare_check")
    with pytest.raises(NotAllowed, match="nobody went there"):
        await world.decide(key, "end_follow_up", about="follow_up_missed", ground="lost_contact")
    await world.decide(key, "continue", next_at=world.now + DAY, about="follow_up_missed")
    await world.decide(key, "visit", next_at=world.now + HOUR, about="welfare_check")
    assert (await world.case(key))["decisions_needed"] == []
    await world.pass_time(HOUR + MINUTE)
    visit = next(one for one in await world.follow_ups(key) if one["state"] == "due")
    assert (visit["channel"], visit["added_by"]) == ("visit", "supervisor-a")
    await world.attempt(key, visit["id"], "not_at_home", channel=AttemptChannel.visit)
    await world.pass_time(25 * HOUR)
    assert "welfare_check" in (await world.case(key))["decisions_needed"]
    await world.decide(key, "end_follow_up", about="welfare_check", ground="lost_contact")
    ended = await world.case(key)
    assert (ended["follow_up_end"]["ground"], ended["follow_up_end"]["overridden"]) == ("lost_contact", False)
    assert ended["decisions_needed"] == ["case_to_close"], "a supervisor closes it; nobody is forgotten meanwhile"
    assert f"follow_up:{key}" not in await world.timers()


async def test_the_police_can_be_the_next_step_and_somebody_asks_afterwards(world: World) -> None:
    key = await a_case(world, MODERATE)
    for _ in range(3):
        await world.until_due(key)
        await world.pass_time(25 * HOUR)
    assert (await world.case(key))["decisions_needed"] == ["follow_up_missed", "welfare_check"]
    await world.do(lambda tx: commands.call_emergency(key, EmergencyService.police_110, SUPERVISOR, tx, world.office))
    await world.decide(key, "call_emergency", about="welfare_check")
    (planned,) = [item for item in await world.follow_ups(key) if item["state"] == "planned"]
    assert planned["because"] == "after_emergency"


async def test_while_a_case_is_open_somebody_or_something_always_waits_for_it(world: World) -> None:
    """A year in which nobody ever answers and nobody decides: nothing of it is lost."""
    key = await a_case(world)

    async def look() -> None:
        waiting = bool((await world.case(key))["decisions_needed"]) or f"follow_up:{key}" in await world.timers()
        assert waiting

    await world.pass_time(400 * DAY, look)
    assert {item["state"] for item in await world.follow_ups(key)} == {"missed"}
    assert (await world.case(key))["decisions_needed"] == ["follow_up_missed", "welfare_check"]


async def test_a_year_of_contacts_passes_and_ends_on_its_ground(world: World) -> None:
    key = await a_case(world)
    report = Report.model_validate(CALM)

    async def call_back() -> None:
        for item in await world.follow_ups(key):
            if item["state"] == "due":
                await world.attempt(key, item["id"], "reached", report=report)

    await world.pass_time(200 * DAY, call_back)
    with pytest.raises(NotAllowed, match="longest time is 365"):
        await world.decide(key, "end_follow_up", ground="longest_reached")
    await world.pass_time(166 * DAY, call_back)
    assert [item["state"] for item in await world.follow_ups(key)] == ["kept"] * 7
    assert len(world.emitted(FollowUpKept)) == 7
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]
    with pytest.raises(NotAllowed, match="nothing would come next"):
        await world.decide(key, "as_it_is")
    await world.decide(key, "end_follow_up", ground="longest_reached")
    assert (await world.case(key))["decisions_needed"] == ["case_to_close"]


async def test_a_year_of_contacts_is_not_kept_in_a_minute(world: World) -> None:
    key = await a_case(world)
    first, second, *_ = await world.follow_ups(key)
    await world.attempt(key, first["id"], "reached")
    with pytest.raises(NotAllowed, match="not due yet") as refusal:
        await world.attempt(key, second["id"], "reached")
    assert refusal.value.reason == "not_due"
    await world.pass_time(second["due_at"] - world.now - timedelta(hours=36))
    await world.attempt(key, second["id"], "reached")
    assert [item["state"] for item in await world.follow_ups(key)][:3] == ["kept", "kept", "planned"]


async def test_the_longest_time_is_counted_from_when_the_case_was_last_raised(world: World) -> None:
    key = await a_case(world, MODERATE)
    await world.pass_time(31 * DAY)
    await world.flag(caller=person(), **HIGH)
    await world.do(lambda tx: commands.propose_lowering(key, Tier.moderate, "面谈", OTHER_OFFICER, tx, world.office))
    await world.acknowledge(key)
    await world.do(lambda tx: commands.agree_to_lower(key, "同意", SUPERVISOR, tx, world.office))
    with pytest.raises(NotAllowed, match="longest_reached does not hold: the case is 0 days old"):
        await world.decide(key, "end_follow_up", ground="longest_reached", about=await first_matter(world, key))
    await world.pass_time(30 * DAY)
    await world.decide(key, "end_follow_up", ground="longest_reached", about=await first_matter(world, key))


async def first_matter(world: World, key: UUID) -> Matter | None:
    about = (await world.case(key))["decisions_needed"]
    return Matter(about[0]) if about else None


async def test_no_follow_up_ends_while_nobody_has_the_case_or_help_is_not_there_yet(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    because = {"ground": "declined", "override_reason": "两人会商决定"}
    await world.do(lambda tx: commands.propose_ending(key, Ground.declined, "本人要求", OTHER_SUPERVISOR, tx))
    with pytest.raises(NotAllowed, match="nobody has acknowledged"):
        await world.decide(key, "end_follow_up", **because)
    await world.flag(caller=person(), **IMMINENT)
    await world.acknowledge(key)
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.decide(key, "end_follow_up", **because)


@pytest.mark.parametrize("about", sorted(NOT_LEFT))
async def test_some_matters_are_not_left_as_they_are(world: World, about: Matter) -> None:
    key = await a_case(world)

    async def asked(tx: Tx) -> None:
        case = await tx.get("cases", key)
        assert case is not None
        tx.put("cases", {**case, "decisions_needed": [about.value]})

    await world.do(asked)
    with pytest.raises(NotAllowed, match="not left as it is"):
        await world.decide(key, "as_it_is", about=about)
    await world.decide(key, "done", about=about)


async def test_a_plan_that_is_voided_whole_asks_for_a_decision_and_a_new_one_takes_it_back(world: World) -> None:
    key = await a_case(world, MODERATE, consent_to_follow_up="yes")
    await world.flag(caller=person(), consent_to_follow_up="refused", **MODERATE)
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]
    await world.flag(caller=person(), consent_to_follow_up="yes", **MODERATE)
    assert (await world.case(key))["decisions_needed"] == []


# The end


async def lower(world: World, key: UUID, tier: Tier) -> None:
    await world.do(lambda tx: commands.propose_lowering(key, tier, "已面谈", OFFICER, tx, world.office))
    await world.do(lambda tx: commands.agree_to_lower(key, "同意", OTHER_SUPERVISOR, tx, world.office))


async def test_no_ground_holds_by_itself(world: World) -> None:
    key = await a_case(world)
    for ground in Ground:
        with pytest.raises(NotAllowed) as refusal:
            await world.decide(key, "end_follow_up", ground=ground)
        assert (refusal.value.reason, refusal.value.field) == ("ground_does_not_hold", "ground")
        assert str(ground) in refusal.value.detail
    assert {item["state"] for item in await world.follow_ups(key)} == {"planned"}
    assert await world.audit_log() == []


async def test_treatment_is_a_ground_once_a_referral_was_attended(world: World) -> None:
    key = await a_case(world, consent_to_follow_up="yes")
    referral = await world.referral(key)
    referral.update(state=ReferralState.accepted.value)

    async def as_if(state: str) -> None:
        async def put(tx: Any) -> None:
            tx.put("referrals", {**referral, "state": state})

        await world.do(put)

    await as_if("accepted")
    with pytest.raises(NotAllowed, match="attended or completed"):
        await world.decide(key, "end_follow_up", ground="in_treatment")
    await as_if("attended")
    await world.decide(key, "end_follow_up", ground="in_treatment")
    (entry,) = [one for one in await world.audit_log() if one["action"] == "decision"]
    assert entry["details"]["ground"] == "in_treatment"


async def test_reduced_risk_is_a_ground_once_two_persons_lowered_it_and_not_after_it_rose_again(world: World) -> None:
    key = await a_case(world)
    await lower(world, key, Tier.moderate)
    await world.flag(caller=person(), **HIGH)
    await world.acknowledge(key)
    with pytest.raises(NotAllowed, match="the tier is high"):
        await world.decide(key, "end_follow_up", ground="risk_reduced")
    await lower(world, key, Tier.moderate)
    await world.decide(key, "end_follow_up", ground="risk_reduced")


async def test_a_case_that_was_never_high_is_not_reduced(world: World) -> None:
    key = await a_case(world, MODERATE)
    with pytest.raises(NotAllowed, match="have not lowered"):
        await world.decide(key, "end_follow_up", ground="risk_reduced")


async def test_who_wants_no_more_calls_has_said_so_in_a_contact(world: World) -> None:
    """What a high-risk caller said to the line stops nothing; what the person says to a follow-up is a ground."""
    key = await a_case(world, consent_to_follow_up="refused")
    with pytest.raises(NotAllowed, match="has not said"):
        await world.decide(key, "end_follow_up", ground="declined")
    item = await world.until_due(key)
    report = Report.model_validate({**CALM, "consent_to_further": "no"})
    await world.attempt(key, item["id"], "reached", report=report)
    await world.decide(key, "end_follow_up", ground="declined")


async def test_death_and_moving_away_are_grounds_once_they_were_told(world: World) -> None:
    key = await a_case(world)
    await world.attempt(key, (await world.until_due(key))["id"], "reported_dead")
    await world.decide(key, "end_follow_up", ground="died")
    other = (await world.flag(caller=person(2), **HIGH))["_id"]
    await world.attempt(other, (await world.until_due(other))["id"], "moved_away")
    await world.acknowledge(other)
    with pytest.raises(NotAllowed, match="accepted at the new place"):
        await world.decide(other, "end_follow_up", ground="moved_away")


async def test_a_ground_that_does_not_hold_takes_two_persons_who_answer_for_it(world: World) -> None:
    key = await a_case(world)
    because = {"ground": "in_treatment", "override_reason": "家属出示了外地医院的病历"}
    with pytest.raises(NotAllowed, match="takes a proposal"):
        await world.decide(key, "end_follow_up", **because)
    await world.do(lambda tx: commands.propose_ending(key, Ground.in_treatment, "外地就诊", SUPERVISOR, tx))
    with pytest.raises(NotAllowed, match="second person") as refusal:
        await world.decide(key, "end_follow_up", **because)
    assert refusal.value.status == 403
    await world.do(lambda tx: commands.propose_ending(key, Ground.died, "外地就诊", OTHER_OFFICER, tx))
    with pytest.raises(NotAllowed, match="takes a proposal"):
        await world.decide(key, "end_follow_up", **because)
    await world.do(lambda tx: commands.propose_ending(key, Ground.in_treatment, "外地就诊", OTHER_OFFICER, tx))
    await world.decide(key, "end_follow_up", **because)
    entry = next(one for one in await world.audit_log() if one["action"] == "ending_overridden")
    assert (entry["actor"], entry["details"]["proposed_by"]) == ("supervisor-a", "officer-b")
    assert entry["reason"] == because["override_reason"]
    assert (await world.case(key))["follow_up_end"]["overridden"] is True


async def test_an_end_without_a_ground_is_no_end(world: World) -> None:
    key = await a_case(world)
    item = await world.until_due(key)
    await world.attempt(key, item["id"], "refused_to_talk")
    with pytest.raises(Refused) as refusal:
        await world.decide(key, "end_follow_up")
    assert refusal.value.field == "ground"


# Over HTTP


async def test_the_list_shows_the_most_overdue_first_and_pages_without_a_double(
    world: World, client: httpx.AsyncClient
) -> None:
    keys = [(await world.flag(caller=person(number), **HIGH))["_id"] for number in range(1, 6)]
    for key in keys:
        item = (await world.follow_ups(key))[0]
        await world.attempt(key, item["id"], "phone_off")
    await world.try_each(keys[0], (await world.follow_ups(keys[0]))[0]["id"], "no_answer")
    officer = world.keys.token("duty_officer")
    seen: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await client.get(f"/v1/follow-ups?limit=2{after}", headers=officer)).json()
        seen += page["plans"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(plan["id"] for plan in seen) == sorted(str(key) for key in keys)
    windows = [plan["window_until"] for plan in seen]
    assert windows == sorted(windows)
    tried = next(plan["follow_ups"][0] for plan in seen if plan["id"] == str(keys[0]))
    assert (tried["attempts_left"], "next_attempt_from" in tried) in ((1, True), (2, True))
    assert "report" not in tried
    for word in ("x", "eHh4", "2026"):
        wrong = await client.get(f"/v1/follow-ups?after={word}", headers=officer)
        assert (wrong.status_code, wrong.json()["field"]) == (422, "query.after")


async def test_preferences_and_proposals_over_http(world: World, client: httpx.AsyncClient) -> None:
    key = await a_case(world)
    token = world.keys.token
    for address, body, field in (
        ("contact-preferences", {"earliest": "18:00", "latest": "20:00", "call_back": "only_when_asked"}, "earliest"),
        ("follow-ups/ending", {"ground": "in_treatment", "reason": "外地就诊"}, "ground"),
    ):
        path = f"/v1/cases/{key}/{address}"
        assert (await client.post(path, json=body)).status_code == 401
        assert (await client.post(path, json=body, headers=token("receiver", "auditor"))).status_code == 403
        elsewhere = token("duty_officer", "supervisor", division=NEIGHBOUR)
        assert (await client.post(path, json=body, headers=elsewhere)).status_code == 404
        wrong = await client.post(path, json={**body, field: "9 o'clock"}, headers=token("duty_officer"))
        assert (wrong.status_code, wrong.json()["field"]) == (422, f"body.{field}")
        extra = await client.post(path, json={**body, "phone": "1"}, headers=token("duty_officer"))
        assert (extra.status_code, extra.json()["field"]) == (422, "body.phone")
        assert (await client.post(path, json=body, headers=token("duty_officer"))).status_code == 200
    case = await world.case(key)
    assert case["contact_preferences"]["call_back"] == "only_when_asked"
    assert case["ending"]["ground"] == "in_treatment"
    decision = {"decision": "end_follow_up", "ground": "in_treatment", "reason": "同意", "override_reason": "见病历"}
    ended = await client.post(f"/v1/cases/{key}/decision", json=decision, headers=token("supervisor", sub="third"))
    assert ended.json()["follow_up_end"]["overridden"] is True

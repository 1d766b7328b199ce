"""What becomes of a flag over minutes, days and a year, when people answer and when they do not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from chassis.auth import Caller
from chassis.clock import new_id, now
from chassis.errors import NotAllowed, NotFound, Refused, Unavailable
from chassis.tx import entry_hash
from contracts.base import Tier
from contracts.crisis import (
    AcknowledgementOverdue,
    CaseAcknowledged,
    CaseClosed,
    CaseOpened,
    EmergencyContactConfirmed,
    EmergencyService,
    EmergencyServiceCalled,
    FlagJoined,
    FollowUpDue,
    FollowUpKept,
    FollowUpMissed,
    FollowUpsPlanned,
    ReferralMoved,
    ReferralState,
    ResponderReleased,
    ResponderRequested,
    RiskLowered,
    RiskRaised,
)
from contracts.matching import CoordinatorCalled, NobodyLeft, OfferAccepted, ResponderOffered
from services.crisis import commands
from tests.services.crisis.world import (
    BACKUP,
    BY_TIER,
    COUNTY,
    HIGH,
    HOSPITAL,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    OTHER_SUPERVISOR,
    STRANGER,
    SUPERVISOR,
    TOWN,
    World,
    a_flag,
    organisation,
    person,
    stamp,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# Opening and joining


@pytest.mark.parametrize(
    ("tier", "follow_ups", "referred", "responder"),
    [("imminent", 7, True, True), ("high", 7, True, True), ("moderate", 3, False, True), ("low", 0, False, False)],
)
async def test_a_flag_opens_a_case_with_what_its_tier_asks_for(
    world: World, tier: str, follow_ups: int, referred: bool, responder: bool
) -> None:
    case = await world.flag(caller=person(), **BY_TIER[Tier(tier)])
    assert (case["tier"], case["state"], case["division"]) == (tier, "open", COUNTY)
    assert case["policy"] == "2026-11"
    assert case["acknowledgement"]["state"] == "waiting"
    assert len(await world.follow_ups(case["_id"])) == follow_ups
    assert (case["referral_id"] is not None) is referred
    assert case["responder"]["state"] == ("requested" if responder else "none")
    assert case["emergency"]["state"] == ("required" if tier == "imminent" else "none")
    (opened,) = world.emitted(CaseOpened)
    assert (opened.case_id, opened.tier, opened.act_in_progress) == (case["_id"], tier, tier == "imminent")
    assert opened.acknowledge_by == case["acknowledgement"]["due_at"]
    assert len(world.emitted(ResponderRequested)) == responder
    assert [len(plan.due) for plan in world.emitted(FollowUpsPlanned)] == ([follow_ups] if follow_ups else [])


async def test_the_referral_is_drafted_to_the_nearest_institution_and_not_sent_by_itself(world: World) -> None:
    case = await world.flag(division=TOWN, **HIGH)
    referral = await world.referral(case["_id"])
    assert (referral["organisation_id"], referral["backup_id"]) == (HOSPITAL, BACKUP)
    assert [moved.state for moved in world.emitted(ReferralMoved)] == ["drafted"]
    assert f"referral:{referral['_id']}" not in await world.timers()


async def test_a_second_flag_joins_and_raises_and_a_lesser_one_never_lowers(world: World) -> None:
    case = await world.flag(caller=person(), **MODERATE)
    raised = await world.flag(caller=person(), **HIGH)
    assert raised["_id"] == case["_id"]
    assert (raised["tier"], raised["opened_under"]["tier"]) == ("high", "moderate")
    after = await world.flag(caller=person(), **LOW)
    assert (after["tier"], len(after["flags"])) == ("high", 3)
    assert [(up.previous, up.tier, up.by_person) for up in world.emitted(RiskRaised)] == [("moderate", "high", False)]
    assert [joined.tier for joined in world.emitted(FlagJoined)] == ["high", "high"]
    assert len(await world.cases()) == 1


async def test_a_raise_starts_the_clock_anew_and_brings_the_higher_tiers_plan_and_referral(world: World) -> None:
    case = await world.flag(caller=person(), **MODERATE)
    await world.acknowledge(case["_id"])
    raised = await world.flag(caller=person(), **HIGH)
    assert raised["acknowledgement"]["state"] == "waiting"
    assert raised["acknowledgement"]["by"] is None
    states = [item["state"] for item in await world.follow_ups(case["_id"])]
    assert states == ["void"] * 3 + ["planned"] * 7
    assert (await world.referral(case["_id"]))["state"] == "drafted"


async def test_the_same_danger_months_later_is_seen_by_a_person_again(world: World) -> None:
    case = await world.flag(caller=person(), **HIGH)
    await world.acknowledge(case["_id"])
    await world.do(lambda tx: commands.release(case["_id"], SUPERVISOR, tx))
    await world.do(lambda tx: commands.cancel_referral(case["_id"], "本人已就诊", OFFICER, tx))
    again = await world.flag(caller=person(), **HIGH)
    assert again["acknowledgement"]["state"] == "waiting"
    assert f"acknowledgement:{case['_id']}" in await world.timers()
    assert again["responder"]["state"] == "requested"
    assert again["referral_id"] != case["referral_id"]
    assert len(await world.follow_ups(case["_id"])) == 7


async def test_more_about_the_same_contact_does_not_start_the_clock_again(world: World) -> None:
    case = await world.flag(caller=person(), contact="c-1", **HIGH)
    await world.acknowledge(case["_id"])
    again = await world.flag(caller=person(), contact="c-1", **HIGH)
    assert again["acknowledgement"]["state"] == "acknowledged"


async def test_another_act_in_progress_calls_for_help_again(world: World) -> None:
    case = await world.flag(caller=person(), **IMMINENT)
    await world.acknowledge(case["_id"])
    key = case["_id"]
    await world.do(lambda tx: commands.call_emergency(key, EmergencyService.ambulance_120, OFFICER, tx, world.office))
    await world.do(lambda tx: commands.confirm_emergency(key, OFFICER, tx))
    again = await world.flag(caller=person(), **IMMINENT)
    assert again["emergency"]["state"] == "required"
    assert f"emergency:{key}" in await world.timers()


async def test_callers_whom_nobody_knows_have_a_case_each(world: World) -> None:
    await world.take(a_flag(**HIGH), a_flag(**HIGH))
    assert len(await world.cases()) == 2


async def test_after_closing_a_new_flag_opens_a_new_case(world: World) -> None:
    case = await world.flag(caller=person(), **MODERATE)
    await world.acknowledge(case["_id"])
    await world.close(case["_id"])
    assert {timer.split(":")[0] for timer in await world.timers()} == {"retention"}, "nothing else outlives the case"
    assert [closed.case_id for closed in world.emitted(CaseClosed)] == [case["_id"]]
    again = await world.flag(caller=person(), **LOW)
    assert again["_id"] != case["_id"]
    assert again["tier"] == "low"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (("yes", "unknown"), "yes"),
        (("refused", "unknown"), "refused"),
        (("refused", "not_asked"), "refused"),
        (("not_asked", "unknown"), "unknown"),
        (("yes", "no"), "no"),
        (("refused", "yes"), "yes"),
    ],
)
async def test_consent_stands_until_the_person_says_otherwise(world: World, said: tuple[str, str], kept: str) -> None:
    for consent in said:
        case = await world.flag(caller=person(), consent_to_follow_up=consent, **LOW)
    assert case["consent"] == kept


async def test_consent_that_is_withdrawn_ends_the_plan_that_hangs_on_it(world: World) -> None:
    case = await world.flag(caller=person(), consent_to_follow_up="yes", **MODERATE)
    await world.flag(caller=person(), consent_to_follow_up="refused", **MODERATE)
    assert {item["state"] for item in await world.follow_ups(case["_id"])} == {"void"}
    assert f"follow_up:{case['_id']}" not in await world.timers()
    await world.flag(caller=person(), consent_to_follow_up="yes", **MODERATE)
    assert [item["state"] for item in await world.follow_ups(case["_id"])] == ["void"] * 3 + ["planned"] * 3


async def test_a_high_risk_is_followed_up_though_the_person_refused(world: World) -> None:
    case = await world.flag(caller=person(), consent_to_follow_up="refused", **HIGH)
    assert len(await world.follow_ups(case["_id"])) == 7


async def test_a_flag_before_the_registrys_list_waits_and_is_not_refused(world: World) -> None:
    await world.database.clear("divisions")
    with pytest.raises(Unavailable):
        await world.take(a_flag(**HIGH))
    await world.settle_in()
    with pytest.raises(Refused) as refusal:
        await world.take(a_flag("999999", **HIGH))
    assert (refusal.value.reason, refusal.value.field) == ("unknown_division", "county")
    with pytest.raises(Refused) as refusal:
        await world.take(a_flag(division="370812999", **HIGH))
    assert (refusal.value.reason, refusal.value.field) == ("unknown_division", "division")
    assert await world.cases() == []


async def test_a_flag_from_the_future_is_refused_beyond_the_tolerance_of_clocks(world: World) -> None:
    await world.take(a_flag(moment=now() + 4 * MINUTE, **HIGH))
    with pytest.raises(Refused) as refusal:
        await world.take(a_flag(moment=now() + 6 * MINUTE, **HIGH))
    assert (refusal.value.reason, refusal.value.field) == ("time_in_future", "flagged_at")


# The clock


async def test_at_night_nobody_acknowledges_an_act_in_progress_and_the_chain_goes_up_to_110_and_120(
    world: World,
) -> None:
    case = await world.flag(caller=person(), **IMMINENT)
    key = case["_id"]
    await world.pass_time(16 * MINUTE)
    called = [over.called for over in world.emitted(AcknowledgementOverdue)]
    assert called[:2] == ["supervisor", "district-centre"]
    assert sorted(called[2:]) == ["district-centre", "emergency-110-120", "emergency-110-120"]
    late = await world.case(key)
    assert late["acknowledgement"]["role"] == "emergency-110-120"
    assert late["emergency"]["role"] == "district-centre"
    await world.pass_time(HOUR)
    still = await world.case(key)
    assert still["emergency"]["role"] in ("emergency-110-120", "comprehensive-governance")
    assert still["acknowledgement"]["step"] > late["acknowledgement"]["step"], "the last step repeats"

    await world.acknowledge(key, SUPERVISOR)
    (taken,) = world.emitted(CaseAcknowledged)
    assert (taken.on_time, taken.role) == (False, "supervisor")
    assert 76 * 60 - 5 <= taken.seconds <= 76 * 60 + 5
    assert await world.timers() >= {f"emergency:{key}"}, "a person has the case, but nobody is with the caller yet"
    await world.do(
        lambda tx: commands.call_emergency(key, EmergencyService.ambulance_120, SUPERVISOR, tx, world.office)
    )
    (call,) = world.emitted(EmergencyServiceCalled)
    assert call.confirm_by - world.now <= 10 * MINUTE
    await world.pass_time(11 * MINUTE)
    assert (await world.case(key))["emergency"]["state"] == "unconfirmed"
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.close(key, OTHER_SUPERVISOR)
    await world.do(lambda tx: commands.confirm_emergency(key, SUPERVISOR, tx))
    assert len(world.emitted(EmergencyContactConfirmed)) == 1
    assert await world.timers() == {f"follow_up:{key}"}


async def test_an_emergency_cannot_be_confirmed_before_somebody_called(world: World) -> None:
    case = await world.flag(**IMMINENT)
    with pytest.raises(NotAllowed):
        await world.do(lambda tx: commands.confirm_emergency(case["_id"], OFFICER, tx))


async def test_standing_down_takes_someone_who_took_the_case_and_a_second_person(world: World) -> None:
    key = (await world.flag(**IMMINENT))["_id"]
    with pytest.raises(NotAllowed, match="nobody has acknowledged"):
        await world.do(lambda tx: commands.stand_down(key, "误报", SUPERVISOR, tx))
    await world.acknowledge(key, SUPERVISOR)
    with pytest.raises(NotAllowed, match="second person"):
        await world.do(lambda tx: commands.stand_down(key, "误报", SUPERVISOR, tx))
    down = await world.do(lambda tx: commands.stand_down(key, "误报", OTHER_SUPERVISOR, tx))
    assert down["emergency"]["state"] == "stood_down"
    assert f"emergency:{key}" not in await world.timers()
    assert [entry["action"] for entry in await world.audit_log()] == ["emergency_stood_down"]


async def test_who_acknowledges_in_time_stops_the_clock(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    await world.pass_time(14 * MINUTE)
    await world.acknowledge(key)
    await world.acknowledge(key)
    with pytest.raises(NotAllowed, match="another person"):
        await world.acknowledge(key, OTHER_OFFICER)
    (taken,) = world.emitted(CaseAcknowledged)
    assert (taken.on_time, taken.role, taken.tier) == (True, "duty-officer", "high")
    await world.pass_time(10 * HOUR)
    assert world.emitted(AcknowledgementOverdue) == []


async def test_a_timer_that_comes_too_early_waits(world: World) -> None:
    key = (await world.flag(**IMMINENT))["_id"]
    await world.fire(f"acknowledgement:{key}")
    case = await world.case(key)
    assert case["acknowledgement"]["step"] == 1
    early = world.blueprint.timers["acknowledgement"]
    await world.do(lambda tx: early(key, tx))
    assert (await world.case(key))["acknowledgement"] == case["acknowledgement"]
    assert f"acknowledgement:{key}" in await world.timers()


# Raising and lowering


async def test_lowering_takes_a_proposal_with_a_reason_and_a_second_person(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    with pytest.raises(NotAllowed, match="nobody has proposed"):
        await world.do(lambda tx: commands.agree_to_lower(key, "同意", SUPERVISOR, tx, world.office))
    await world.do(lambda tx: commands.propose_lowering(key, Tier.moderate, "已面谈", SUPERVISOR, tx, world.office))
    assert (await world.case(key))["tier"] == "high"
    with pytest.raises(NotAllowed, match="second person") as refusal:
        await world.do(lambda tx: commands.agree_to_lower(key, "同意", SUPERVISOR, tx, world.office))
    assert refusal.value.status == 403
    lowered = await world.do(lambda tx: commands.agree_to_lower(key, "同意", OTHER_SUPERVISOR, tx, world.office))
    assert lowered["tier"] == "moderate"
    (event,) = world.emitted(RiskLowered)
    assert (event.previous, event.tier) == ("high", "moderate")
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["reason"]) == ("risk_lowered", "supervisor-b", "同意")
    assert (entry["details"]["proposed_by"], entry["details"]["proposed_because"]) == ("supervisor-a", "已面谈")
    assert [item["state"] for item in await world.follow_ups(key)] == ["void"] * 7 + ["planned"] * 3


async def test_a_proposal_does_not_outlive_a_new_flag(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.do(lambda tx: commands.propose_lowering(key, Tier.low, "已面谈", OFFICER, tx, world.office))
    await world.flag(caller=person(), **MODERATE)
    with pytest.raises(NotAllowed, match="nobody has proposed"):
        await world.do(lambda tx: commands.agree_to_lower(key, "同意", SUPERVISOR, tx, world.office))


async def test_no_risk_is_lowered_while_nobody_is_with_the_person(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.do(lambda tx: commands.propose_lowering(key, Tier.low, "已面谈", OFFICER, tx, world.office))
    await world.do(lambda tx: commands.call_emergency(key, EmergencyService.police_110, OFFICER, tx, world.office))
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.do(lambda tx: commands.agree_to_lower(key, "同意", SUPERVISOR, tx, world.office))
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.do(lambda tx: commands.propose_lowering(key, Tier.low, "已面谈", OFFICER, tx, world.office))


async def test_any_officer_raises_at_any_time_and_nobody_raises_downward(world: World) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    raised = await world.do(lambda tx: commands.raise_risk(key, Tier.imminent, "正在自伤", OFFICER, tx, world.office))
    assert (raised["tier"], raised["emergency"]["state"]) == ("imminent", "required")
    assert [(up.previous, up.tier, up.by_person) for up in world.emitted(RiskRaised)] == [("low", "imminent", True)]
    for tier in (Tier.high, Tier.imminent):
        with pytest.raises(NotAllowed):
            await world.do(lambda tx, to=tier: commands.raise_risk(key, to, "某", OFFICER, tx, world.office))  # type: ignore[misc]


async def test_closing_at_a_high_risk_takes_a_second_person(world: World) -> None:
    """Who could close alone what may not be lowered alone would end a year of follow-ups with one hand."""
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    with pytest.raises(NotAllowed, match="nobody has acknowledged"):
        await world.close(key)
    await world.acknowledge(key, SUPERVISOR)
    with pytest.raises(NotAllowed, match="second person"):
        await world.close(key, SUPERVISOR)
    assert (await world.close(key, OTHER_SUPERVISOR))["state"] == "closed"


# Referrals


async def test_a_hospital_that_never_answers_loses_the_referral_to_the_backup_and_then_a_person_decides(
    world: World,
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    await world.refer(key)
    await world.pass_time(121 * MINUTE)
    referral = await world.referral(key)
    assert (referral["state"], referral["organisation_id"], referral["attempt"]) == ("sent", BACKUP, 2)
    await world.pass_time(121 * MINUTE)
    assert (await world.referral(key))["state"] == "expired"
    case = await world.case(key)
    assert case["decisions_needed"] == ["referral_without_receiver"]
    moved = [(event.state, event.organisation_id) for event in world.emitted(ReferralMoved)]
    assert moved == [
        ("drafted", HOSPITAL),
        ("sent", HOSPITAL),
        ("expired", HOSPITAL),
        ("bounced", BACKUP),
        ("sent", BACKUP),
        ("expired", BACKUP),
    ]
    with pytest.raises(NotAllowed, match="no referral is under way"):
        await world.decide(key, "refer")
    await world.refer(key, HOSPITAL)
    assert (await world.case(key))["decisions_needed"] == []
    assert f"referral:{referral['_id']}" in await world.timers()


async def test_a_hospital_that_received_but_does_not_decide_is_no_receiver_either(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    await world.acknowledge(key)
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.pass_time(3 * HOUR)
    assert (await world.referral(key))["organisation_id"] == BACKUP


async def test_a_refusal_needs_a_reason_and_bounces_to_the_backup(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    with pytest.raises(Refused) as refusal:
        await world.answer(referral, ReferralState.declined, reason=None)
    assert refusal.value.field == "reason"
    await world.answer(referral, ReferralState.declined)
    bounced = await world.referral(key)
    assert (bounced["state"], bounced["organisation_id"]) == ("sent", BACKUP)
    with pytest.raises(NotFound):
        await world.answer(referral, ReferralState.received)
    await world.answer(bounced, ReferralState.received)
    accepted = await world.answer(bounced, ReferralState.accepted)
    assert accepted["receiver"] == "receiver-a"
    await world.pass_time(3 * HOUR)
    assert (await world.referral(key))["state"] == "accepted"


async def test_a_referral_runs_to_its_end_and_tells_who_did_not_come(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.answer(referral, ReferralState.accepted)
    with pytest.raises(Refused, match="needs the time"):
        await world.answer(referral, ReferralState.scheduled)
    for moment in (world.now - DAY, world.now + 3000 * DAY):
        with pytest.raises(Refused, match="within the next"):
            await world.answer(referral, ReferralState.scheduled, at=moment)
    await world.answer(referral, ReferralState.scheduled, at=world.now + DAY)
    await world.answer(referral, ReferralState.unattended)
    assert (await world.case(key))["decisions_needed"] == ["referral_unattended"]
    await world.decide(key, "refer")
    await world.answer(referral, ReferralState.scheduled, at=world.now + 2 * DAY)
    await world.answer(referral, ReferralState.attended)
    await world.answer(referral, ReferralState.completed)
    with pytest.raises(NotAllowed):
        await world.answer(referral, ReferralState.accepted)
    assert (await world.case(key))["decisions_needed"] == []


async def test_a_draft_does_not_exist_for_the_institution(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.referral(key)
    with pytest.raises(NotFound):
        await world.answer(referral, ReferralState.received)


async def test_the_same_answer_again_changes_nothing(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.answer(referral, ReferralState.received)
    assert [moved.state for moved in world.emitted(ReferralMoved)] == ["drafted", "sent", "received"]


async def test_a_raise_shortens_the_wait_for_the_institution(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.refer(key)
    await world.flag(caller=person(), **IMMINENT)
    referral = await world.referral(key)
    assert referral["tier"] == "imminent"
    assert referral["due_at"] - world.now <= 30 * MINUTE
    await world.pass_time(31 * MINUTE)
    assert (await world.referral(key))["organisation_id"] == BACKUP


async def test_without_consent_a_referral_needs_a_reason_that_is_recorded(world: World) -> None:
    key = (await world.flag(consent_to_follow_up="refused", **HIGH))["_id"]
    with pytest.raises(NotAllowed, match="override needs a reason"):
        await world.do(lambda tx: commands.refer(key, None, None, OFFICER, tx, world.office))
    await world.refer(key)
    (entry,) = await world.audit_log()
    told = (entry["action"], entry["actor"], entry["reason"])
    assert told == ("consent_overridden", "supervisor-a", "没有联系上本人")
    agreed = (await world.flag(consent_to_follow_up="yes", **HIGH))["_id"]
    await world.do(lambda tx: commands.refer(agreed, None, None, OFFICER, tx, world.office))
    assert len(await world.audit_log()) == 1


async def test_where_no_institution_receives_a_person_names_one(world: World) -> None:
    key = (await world.flag("320706", **HIGH))["_id"]
    caller = Caller("supervisor-c", frozenset({"supervisor"}), "320706")
    assert (await world.referral(key))["organisation_id"] is None
    with pytest.raises(Refused, match="name one") as refusal:
        await world.refer(key, caller=caller)
    assert refusal.value.field == "organisation_id"
    with pytest.raises(Refused, match="does not receive"):
        await world.refer(key, new_id(), caller)
    assert (await world.refer(key, HOSPITAL, caller))["state"] == "sent"


async def test_an_institution_that_stops_receiving_gets_no_more(world: World) -> None:
    await world.take(organisation(HOSPITAL, COUNTY, revision=2, active=False))
    await world.take(organisation(HOSPITAL, COUNTY, revision=1))
    case = await world.flag(**HIGH)
    assert (await world.referral(case["_id"]))["organisation_id"] == BACKUP


# Follow-ups


async def test_a_year_of_follow_ups_is_kept_to_the_end(world: World) -> None:
    case = await world.flag(caller=person(), **HIGH)
    key = case["_id"]
    await world.acknowledge(key)

    async def call_back() -> None:
        for item in await world.follow_ups(key):
            if item["state"] == "due":
                await world.attempt(key, item["id"], "no_answer")
                await world.attempt(key, item["id"], "reached")

    await world.pass_time(366 * DAY, call_back)
    items = await world.follow_ups(key)
    assert [item["state"] for item in items] == ["kept"] * 7
    assert timedelta(0) <= items[-1]["due_at"] - case["opened_at"] - 365 * DAY < 12 * HOUR, "no call at night"
    assert len(world.emitted(FollowUpDue)) == 7
    assert [kept.attempts for kept in world.emitted(FollowUpKept)] == [2] * 7
    assert world.emitted(FollowUpMissed) == []
    assert await world.timers() == set()
    await world.close(key)


async def test_who_is_not_reached_in_three_attempts_is_left_to_a_supervisors_decision(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    first = await world.until_due(key)
    for outcome in ("no_answer", "phone_off", "answered_by_another"):
        assert (await world.case(key))["decisions_needed"] == []
        await world.try_each(key, first["id"], outcome)
    assert [missed.attempts for missed in world.emitted(FollowUpMissed)] == [3]
    assert (await world.case(key))["decisions_needed"] == ["follow_up_missed"]
    with pytest.raises(NotAllowed, match="missed"):
        await world.attempt(key, first["id"], "reached")
    for moment in (None, world.now - MINUTE, world.now + 4000 * DAY):
        with pytest.raises(Refused) as refusal:
            await world.decide(key, "visit", next_at=moment)
        assert refusal.value.field == "next_at"
    await world.decide(key, "visit", next_at=world.now + HOUR)
    assert (await world.case(key))["decisions_needed"] == []
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["details"]["decision"]) == ("decision", "supervisor-a", "visit")
    await world.pass_time(2 * HOUR)
    added = (await world.follow_ups(key))[-1]
    assert (added["state"], added["added_by"]) == ("due", "supervisor-a")


async def test_a_follow_up_whose_window_passes_is_missed(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.until_due(key)
    await world.pass_time(25 * HOUR)
    assert [item["state"] for item in await world.follow_ups(key)][:2] == ["missed", "planned"]
    assert [missed.attempts for missed in world.emitted(FollowUpMissed)] == [0]


async def test_a_follow_up_that_falls_due_late_still_has_its_whole_window(world: World) -> None:
    """After an outage nobody could see it in time."""
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    world.database.ahead += 60 * HOUR
    await world.fire(f"follow_up:{key}")
    assert (await world.follow_ups(key))[0]["state"] == "due"
    await world.pass_time(25 * HOUR)
    assert (await world.follow_ups(key))[0]["state"] == "missed"


async def test_a_later_follow_up_cannot_be_ticked_off_before_its_turn(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    items = await world.follow_ups(key)
    with pytest.raises(NotAllowed, match="before this one"):
        await world.attempt(key, items[-1]["id"], "reached")
    await world.attempt(key, items[0]["id"], "reached")
    assert (await world.follow_ups(key))[0]["state"] == "kept"


async def test_each_matter_waits_for_a_decision_of_its_own(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    await world.refer(key)
    await world.until_due(key)
    await world.pass_time(25 * HOUR)
    assert (await world.case(key))["decisions_needed"] == ["referral_without_receiver", "follow_up_missed"]
    with pytest.raises(Refused) as refusal:
        await world.decide(key, "end_follow_up")
    assert refusal.value.field == "about"
    await world.decide(key, "continue", next_at=world.now + HOUR, about="follow_up_missed")
    assert (await world.case(key))["decisions_needed"] == ["referral_without_receiver"]
    with pytest.raises(NotAllowed, match="no decision about"):
        await world.decide(key, "continue", next_at=world.now + HOUR, about="follow_up_missed")


async def test_ending_the_follow_up_ends_the_timers_and_keeps_the_case(world: World) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    await world.try_each(key, (await world.until_due(key))["id"], "refused_to_talk")
    await world.decide(key, "end_follow_up", ground="declined")
    assert {item["state"] for item in await world.follow_ups(key)} == {"refused", "void"}
    assert await world.timers() == set()
    assert (await world.case(key))["decisions_needed"] == ["case_to_close"]
    with pytest.raises(NotAllowed, match="no decision about"):
        await world.decide(key, "end_follow_up", about="follow_up_refused", ground="declined")


# The responder


def an_offer(case_id: UUID, request_id: UUID, responder_id: UUID) -> dict[str, object]:
    return {
        **stamp(),
        "offer_id": new_id(),
        "request_id": request_id,
        "case_id": case_id,
        "responder_id": responder_id,
        "division": COUNTY,
        "tier": "high",
    }


async def test_the_case_follows_what_matching_says_and_ignores_what_comes_late(world: World) -> None:
    case = await world.flag(caller=person(), **HIGH)
    key, request = case["_id"], case["responder"]["request_id"]
    one, other = new_id(), new_id()
    first = ResponderOffered.model_validate({**an_offer(key, request, one), "expires_at": now() + MINUTE})
    await world.take(first)
    assert (await world.case(key))["responder"]["state"] == "offered"
    called = CoordinatorCalled(
        **{**stamp(), "occurred_at": first.occurred_at},
        request_id=request,
        case_id=key,
        division=COUNTY,
        tier=Tier.high,
        reason=NobodyLeft.all_declined_or_silent,
    )
    accepted = {**an_offer(key, request, other), "occurred_at": first.occurred_at + MINUTE, "seconds": 40}
    await world.take(OfferAccepted.model_validate(accepted))
    await world.take(first)
    await world.take(called)
    responder = (await world.case(key))["responder"]
    assert (responder["state"], responder["responder_id"]) == ("accepted", other)
    await world.take(OfferAccepted.model_validate({**an_offer(key, new_id(), one), "seconds": 1}))
    assert (await world.case(key))["responder"]["responder_id"] == other


async def test_a_call_that_goes_on_under_another_entry_is_held_by_that_one_and_was_taken_once(world: World) -> None:
    case = await world.flag(caller=person(), **HIGH)
    key, request = case["_id"], case["responder"]["request_id"]
    goes, stays = new_id(), new_id()
    first = an_offer(key, request, goes)
    await world.take(OfferAccepted.model_validate({**first, "seconds": 9}))
    moved = {**an_offer(key, request, stays), "seconds": 0, "takes_over": first["offer_id"]}
    await world.take(OfferAccepted.model_validate(moved))
    found = await world.case(key)
    assert (found["responder"]["state"], found["responder"]["responder_id"]) == ("accepted", stays)
    noted = [row["kind"] for row in found["timeline"]]
    assert (noted.count("responder_accepted"), noted[-1]) == (1, "responder_entry_changed")


async def test_only_the_one_who_took_the_case_may_give_it_back(world: World) -> None:
    case = await world.flag(division=TOWN, caller=person(), **HIGH)
    key, request = case["_id"], case["responder"]["request_id"]
    asked, took = new_id(), new_id()
    offered = {**an_offer(key, request, asked), "expires_at": now() + MINUTE}
    await world.take(ResponderOffered.model_validate(offered))
    volunteer = Caller(str(asked), frozenset({"volunteer"}), COUNTY)
    with pytest.raises(NotFound):
        await world.do(lambda tx: commands.release(key, volunteer, tx))
    await world.take(OfferAccepted.model_validate({**an_offer(key, request, took), "seconds": 5}))
    from_afar = Caller(str(took), frozenset({"volunteer"}), NEIGHBOUR)
    with pytest.raises(NotFound):
        await world.do(lambda tx: commands.release(key, STRANGER, tx))
    await world.do(lambda tx: commands.release(key, from_afar, tx))
    assert [released.request_id for released in world.emitted(ResponderReleased)] == [request]
    await world.do(lambda tx: commands.release(key, OFFICER, tx))
    assert len(world.emitted(ResponderReleased)) == 1


# The audit log


async def test_the_audit_log_is_chained_and_shows_where_it_was_touched(world: World) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    for tier in (HIGH, IMMINENT):
        await world.flag(caller=person(), **tier)
    await world.acknowledge(key)
    await world.do(lambda tx: commands.reveal_contacts(key, "回访", OFFICER, tx, world.office))
    entries = await world.audit_log()
    assert [entry["action"] for entry in entries] == ["risk_raised", "risk_raised", "contact_read"]
    previous = "0" * 64
    for number, entry in enumerate(entries, 1):
        assert (entry["_id"], entry["previous"], entry["hash"]) == (number, previous, entry_hash(entry))
        previous = entry["hash"]
    assert entry_hash({**entries[0], "reason": "换过的理由"}) != entries[0]["hash"]

"""An open case always has a next step, or a person is asked for one."""

from __future__ import annotations

from datetime import timedelta

from contracts.base import Tier
from contracts.crisis import ReferralState, ResponderReleased, ResponderRequested
from tests.services.crisis.world import HIGH, MODERATE, World, person

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


async def test_a_raise_asks_again_for_a_responder_whom_the_higher_tier_needs(world: World) -> None:
    """Who was asked for a moderate case may not be qualified for a high one."""
    case = await world.flag(caller=person(), **MODERATE)
    first = case["responder"]["request_id"]
    raised = await world.flag(caller=person(), **HIGH)
    assert raised["responder"]["state"] == "requested"
    assert raised["responder"]["request_id"] != first
    assert [event.request_id for event in world.emitted(ResponderReleased)] == [first]
    assert [event.tier for event in world.emitted(ResponderRequested)] == [Tier.moderate, Tier.high]


async def test_the_end_of_the_plan_is_put_before_a_supervisor(world: World) -> None:
    case = await world.flag(caller=person(), **MODERATE)
    key = case["_id"]

    async def call_back() -> None:
        for item in await world.follow_ups(key):
            if item["state"] == "due":
                await world.attempt(key, item["id"], "reached")

    await world.pass_time(8 * DAY, call_back)
    assert (await world.case(key))["decisions_needed"] == []
    await world.pass_time(30 * DAY, call_back)
    assert {item["state"] for item in await world.follow_ups(key)} == {"kept"}
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]


async def test_an_accepted_referral_that_nothing_follows_is_put_before_a_supervisor(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.answer(referral, ReferralState.accepted)
    await world.pass_time(23 * HOUR)
    assert (await world.case(key))["decisions_needed"] == []
    await world.pass_time(2 * HOUR)
    assert (await world.case(key))["decisions_needed"] == ["referral_without_outcome"]
    assert (await world.referral(key))["state"] == "accepted"


async def test_a_visit_of_which_nobody_tells_the_outcome_is_asked_after(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.answer(referral, ReferralState.accepted)
    await world.answer(referral, ReferralState.scheduled, at=world.now + 2 * DAY)
    await world.pass_time(2 * DAY + 23 * HOUR)
    assert "referral_without_outcome" not in (await world.case(key))["decisions_needed"]
    await world.pass_time(2 * HOUR)
    assert "referral_without_outcome" in (await world.case(key))["decisions_needed"]


async def test_an_outcome_in_time_asks_nobody(world: World) -> None:
    key = (await world.flag(**HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    await world.answer(referral, ReferralState.accepted)
    await world.answer(referral, ReferralState.attended)
    await world.answer(referral, ReferralState.completed)
    await world.pass_time(3 * DAY)
    assert "referral_without_outcome" not in (await world.case(key))["decisions_needed"]

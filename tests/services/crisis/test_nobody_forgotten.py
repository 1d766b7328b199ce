"""An open case always has a next step, or a person is asked for one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ReferralState, ResponderReleased, ResponderRequested
from contracts.matching import OfferAccepted
from services.crisis import commands
from tests.services.crisis.world import HIGH, LOW, MODERATE, OFFICER, SUPERVISOR, World, person, stamp

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


async def test_who_took_a_case_that_was_raised_since_is_checked_by_a_supervisor(world: World) -> None:
    """The responder of a moderate case may not be qualified for a high one; whoever is there stays until decided."""
    case = await _taken(world, person())
    await world.flag(caller=person(), **HIGH)
    key = case["_id"]
    assert (await world.case(key))["decisions_needed"] == ["responder_to_check"]
    assert (await world.case(key))["responder"]["state"] == "accepted"
    await world.decide(key, "another_responder")
    after = await world.case(key)
    assert after["decisions_needed"] == []
    assert after["responder"]["state"] == "requested"
    assert world.emitted(ResponderRequested)[-1].tier is Tier.high


async def test_a_caller_who_turns_out_to_be_a_minor_is_asked_for_anew(world: World) -> None:
    caller = person()
    await world.flag(caller=caller, **MODERATE)
    await world.flag(caller=caller, **MODERATE, age_band="under_14")
    requested = world.emitted(ResponderRequested)
    assert [event.minor for event in requested] == [False, True]
    assert [event.request_id for event in world.emitted(ResponderReleased)] == [requested[0].request_id]


async def test_a_minor_known_only_after_acceptance_is_put_before_a_supervisor(world: World) -> None:
    caller = person()
    case = await _taken(world, caller)
    await world.flag(caller=caller, **MODERATE, age_band="from_14_to_17")
    assert (await world.case(case["_id"]))["decisions_needed"] == ["responder_to_check"]
    await world.decide(case["_id"], "as_it_is")
    assert (await world.case(case["_id"]))["responder"]["state"] == "accepted"


async def _taken(world: World, caller: str) -> Document:
    case = await world.flag(caller=caller, **MODERATE)
    accepted = OfferAccepted(
        **stamp(),
        offer_id=new_id(),
        request_id=case["responder"]["request_id"],
        case_id=case["_id"],
        responder_id=new_id(),
        division=case["division"],
        tier=Tier.moderate,
        seconds=3,
    )
    await world.take(accepted)
    return case


async def test_an_erased_contact_is_gone_and_the_case_stays(world: World) -> None:
    sealed = world.keys.seal({"name": "示例来电者", "phone": "000-0000-0001"})
    key = (await world.flag(caller=person(), sealed_contact=sealed, **HIGH))["_id"]

    async def erase(tx: Tx) -> Document:
        return await commands.erase_contacts(key, "asked to be forgotten", SUPERVISOR, tx, world.office)

    async def read(tx: Tx) -> list[dict[str, object]]:
        return await commands.reveal_contacts(key, "calling back", OFFICER, tx, world.office)

    assert len(await world.do(read)) == 1
    await world.acknowledge(key)
    await world.close(key)
    await world.do(erase)
    assert await world.do(read) == []
    assert await world.database.count("person_keys", {}) == 0
    assert await world.database.count("contacts", {}) == 0
    assert (await world.case(key))["flags"][0]["contact_state"] == "erased"
    actions = [entry["action"] for entry in await world.audit_log()]
    assert [one for one in actions if one.startswith("contact")] == ["contact_read", "contact_erased", "contact_read"]


@pytest.mark.parametrize(
    ("said", "consent"), [(LOW, "not_asked"), (LOW, "no"), (MODERATE, "no"), (MODERATE, "refused"), (LOW, "yes")]
)
async def test_a_case_that_was_acknowledged_and_has_no_contact_to_come_is_put_before_a_supervisor(
    world: World, said: dict[str, str], consent: str
) -> None:
    key = (await world.flag(caller=person(), **{**said, "consent_to_follow_up": consent}))["_id"]
    await world.acknowledge(key)
    planned = await world.follow_ups(key)
    assert (await world.case(key))["decisions_needed"] == ([] if planned else ["follow_up_plan_ended"])
    assert bool(planned) is (consent == "yes")


async def test_a_referral_that_ends_leaves_nobody_without_a_next_step(world: World) -> None:
    """While it was under way the institution was the next step; then a person says what comes."""
    key = (await world.flag(caller=person(), **{**LOW, "consent_to_follow_up": "unknown"}))["_id"]
    referral = await world.refer(key)
    await world.acknowledge(key)
    assert (await world.case(key))["decisions_needed"] == []
    for state in (ReferralState.received, ReferralState.accepted, ReferralState.attended, ReferralState.completed):
        await world.answer(referral, state)
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]
    other = (await world.flag(caller=person(2), **{**LOW, "consent_to_follow_up": "unknown"}))["_id"]
    await world.refer(other)
    await world.acknowledge(other)
    await world.do(lambda tx: commands.cancel_referral(other, "不再需要", SUPERVISOR, tx))
    assert (await world.case(other))["decisions_needed"] == ["follow_up_plan_ended"]


async def test_what_waited_for_another_decision_is_not_forgotten_after_it(world: World) -> None:
    key = (await world.flag(caller=person(), **{**LOW, "consent_to_follow_up": "no"}))["_id"]

    async def asked(tx: Tx) -> None:
        tx.put("cases", {**await world.case(key), "decisions_needed": ["responder_to_check"]})

    await world.do(asked)
    await world.acknowledge(key)
    await world.decide(key, "as_it_is")
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]

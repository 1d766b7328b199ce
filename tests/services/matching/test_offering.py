"""The way of a request: offered, declined or silent, the next, the coordinator; as crisis and registry tell it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial

import pytest

from chassis.clock import new_id
from chassis.tx import Tx
from contracts.base import Tier
from contracts.matching import CoordinatorCalled, OfferAccepted, OfferDeclined, OfferExpired, ResponderOffered
from services.matching import offering
from services.matching.domain.choice import DeclineReason
from tests.services.matching.support import (
    COUNTY,
    POLICIES,
    SOCIAL_WORKER,
    START,
    Memory,
    a_duty,
    a_release,
    a_request,
    a_volunteer,
    each_request_is_somewhere,
    on_duty,
)


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def accept(memory: Memory, request_id: uuid.UUID) -> None:
    offer = memory.open_offer(request_id)
    await memory.transact(partial(offering.accept, offer))


async def decline(memory: Memory, request_id: uuid.UUID) -> None:
    offer = memory.open_offer(request_id)

    async def answer(tx: Tx) -> None:
        await offering.decline(offer, DeclineReason.not_said, tx, POLICIES)

    await memory.transact(answer)


def holds(memory: Memory) -> None:
    each_request_is_somewhere(memory["requests"].values(), memory["offers"].values(), memory["responders"].values())


async def test_a_request_is_offered_to_the_nearest_with_the_deadline_of_its_tier(memory: Memory) -> None:
    village, *_ = await on_duty(memory, "370812001201", "370812001202", "370812", "370811")
    request = a_request("370812001201", Tier.high)
    await memory.receive(request)
    (offered,) = memory.told(ResponderOffered)
    assert (offered.request_id, offered.case_id) == (request.request_id, request.case_id)
    assert offered.responder_id == village
    assert offered.expires_at == START + timedelta(seconds=120)
    assert offered.region == COUNTY
    assert memory["offers"][offered.offer_id]["policy"] == "2026-11"


async def test_the_area_widens_from_the_village_to_the_province(memory: Memory) -> None:
    places = ["370812001201", "370812001", "370812", "3708", "37"]
    people = await on_duty(memory, *places, "320706")
    requests = [a_request("370812001201") for _ in range(6)]
    for request in requests:
        await memory.receive(request)
    assert [event.responder_id for event in memory.told(ResponderOffered)] == people[:5]
    (called,) = memory.told(CoordinatorCalled)
    assert called.request_id == requests[5].request_id
    assert called.reason == "everybody_busy"


async def test_the_least_recently_called_comes_first(memory: Memory) -> None:
    people = await on_duty(memory, COUNTY, COUNTY, COUNTY)
    order = []
    for _ in range(6):
        request = a_request()
        await memory.receive(request)
        order.append(memory.open_offer(request.request_id)["responder_id"])
        await accept(memory, request.request_id)
        await memory.pass_time(10)
        await memory.receive(a_release(request))
    assert sorted(order[:3]) == sorted(people)
    assert order[3:] == order[:3]


async def test_each_of_a_group_of_requests_gets_another_responder(memory: Memory) -> None:
    people = await on_duty(memory, *[COUNTY] * 5)
    requests = [a_request() for _ in range(7)]
    await memory.receive(*requests)
    assert sorted(event.responder_id for event in memory.told(ResponderOffered)) == sorted(people)
    assert [event.request_id for event in memory.told(CoordinatorCalled)] == [r.request_id for r in requests[5:]]
    holds(memory)


async def test_a_group_of_256_requests_costs_a_handful_of_queries(memory: Memory) -> None:
    """The reading does not grow with the group, even where the area has to widen for many."""
    await on_duty(memory, *["370812001201"] * 50, *["370812002"] * 150, *["370811"] * 20)
    before = memory.queries
    await memory.receive(*(a_request("370812001201") for _ in range(256)))
    assert memory.queries - before <= 16
    assert len(memory.told(ResponderOffered)) == 220
    assert len(memory.told(CoordinatorCalled)) == 36


async def test_a_decline_goes_to_the_next_at_once_and_never_back(memory: Memory) -> None:
    first, second = await on_duty(memory, "370812001", COUNTY)
    request = a_request("370812001")
    await memory.receive(request)
    assert memory.open_offer(request.request_id)["responder_id"] == first
    await decline(memory, request.request_id)
    assert memory.open_offer(request.request_id)["responder_id"] == second
    await decline(memory, request.request_id)
    assert len(memory.told(OfferDeclined)) == 2
    (called,) = memory.told(CoordinatorCalled)
    assert called.reason == "all_declined_or_silent"
    await memory.pass_time(3600)
    assert len(memory.told(ResponderOffered)) == 2
    assert len(memory.told(CoordinatorCalled)) == 1


async def test_silence_goes_to_the_next_when_the_deadline_comes(memory: Memory) -> None:
    first, second = await on_duty(memory, "370812001", COUNTY)
    request = a_request("370812001", Tier.imminent)
    await memory.receive(request)
    await memory.pass_time(59)
    assert memory.open_offer(request.request_id)["responder_id"] == first
    await memory.pass_time(1)
    assert memory.open_offer(request.request_id)["responder_id"] == second
    (expired,) = memory.told(OfferExpired)
    assert expired.responder_id == first
    await memory.pass_time(60)
    (called,) = memory.told(CoordinatorCalled)
    assert called.reason == "all_declined_or_silent"
    holds(memory)


async def test_an_accepted_offer_does_not_expire(memory: Memory) -> None:
    await on_duty(memory, COUNTY)
    request = a_request()
    await memory.receive(request)
    await memory.pass_time(30)
    await accept(memory, request.request_id)
    await memory.pass_time(3600)
    (accepted,) = memory.told(OfferAccepted)
    assert accepted.seconds == 30
    assert memory["requests"][request.request_id]["state"] == "held"
    assert not memory.told(OfferExpired)


async def test_with_nobody_on_duty_the_coordinator_is_called(memory: Memory) -> None:
    await memory.receive(a_volunteer())
    request = a_request()
    await memory.receive(request)
    (called,) = memory.told(CoordinatorCalled)
    assert (called.reason, called.tier, called.division) == ("nobody_on_duty", Tier.high, COUNTY)


async def test_those_on_duty_without_the_qualification_are_not_asked(memory: Memory) -> None:
    await on_duty(memory, COUNTY, skill=SOCIAL_WORKER)
    await on_duty(memory, COUNTY, trained=False)
    await memory.receive(a_request())
    assert not memory.told(ResponderOffered)
    assert memory.told(CoordinatorCalled)[0].reason == "nobody_on_duty"


async def test_a_release_gives_the_responder_to_the_most_urgent_that_waits(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    held, early, urgent = a_request(), a_request(), a_request(COUNTY, Tier.imminent)
    await memory.receive(held, early, urgent)
    await accept(memory, held.request_id)
    await memory.receive(a_release(held))
    assert memory.open_offer(urgent.request_id)["responder_id"] == person
    assert memory["requests"][early.request_id]["state"] == "waiting"
    holds(memory)


async def test_whoever_comes_on_duty_is_offered_what_waits(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    request = a_request()
    await memory.receive(request)
    await memory.receive(a_duty(volunteer.volunteer_id))
    assert memory.open_offer(request.request_id)["responder_id"] == volunteer.volunteer_id


async def test_a_turn_that_begins_later_is_noticed_when_it_begins(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    await memory.receive(a_duty(volunteer.volunteer_id, start=START + timedelta(minutes=10)))
    request = a_request()
    await memory.receive(request)
    await memory.pass_time(9 * 60 + 59)
    assert not memory.told(ResponderOffered)
    await memory.pass_time(31)
    (offered,) = memory.told(ResponderOffered)
    assert offered.responder_id == volunteer.volunteer_id
    assert len(memory.told(CoordinatorCalled)) == 1


async def test_a_new_request_does_not_overtake_a_more_urgent_one_that_waits(memory: Memory) -> None:
    """Somebody's turn began between two looks at what waits, and a request of a lower tier arrives first."""
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    await memory.receive(a_duty(volunteer.volunteer_id, start=START + timedelta(seconds=5)))
    waiting = a_request(COUNTY, Tier.imminent)
    await memory.receive(waiting)
    await memory.pass_time(10)
    late = a_request(COUNTY, Tier.low, moment=memory.now)
    await memory.receive(late)
    assert memory.open_offer(waiting.request_id)["responder_id"] == volunteer.volunteer_id
    assert memory["requests"][late.request_id]["state"] == "waiting"


async def test_one_who_is_new_is_asked_even_after_all_declined(memory: Memory) -> None:
    (first,) = await on_duty(memory, COUNTY)
    request = a_request()
    await memory.receive(request)
    await decline(memory, request.request_id)
    (second,) = await on_duty(memory, COUNTY)
    offer = memory.open_offer(request.request_id)
    assert offer["responder_id"] == second != first


async def test_a_reopened_request_asks_those_again_who_declined(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    request = a_request()
    await memory.receive(request)
    await decline(memory, request.request_id)

    async def reopen(tx: Tx) -> None:
        found = await tx.get("requests", request.request_id)
        assert found is not None
        await offering.reopen(found, tx, POLICIES)

    await memory.transact(reopen)
    assert memory.open_offer(request.request_id)["responder_id"] == person


async def test_a_release_withdraws_an_open_offer(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    request = a_request()
    await memory.receive(request)
    offer_id = memory.open_offer(request.request_id)["_id"]
    await memory.receive(a_release(request))
    assert memory["offers"][offer_id]["state"] == "withdrawn"
    assert memory["responders"][person]["request_id"] is None
    await memory.pass_time(3600)
    assert not memory.told(OfferExpired)
    holds(memory)


async def test_a_release_removes_a_request_that_waits(memory: Memory) -> None:
    request = a_request()
    await memory.receive(request)
    await memory.receive(a_release(request))
    await on_duty(memory, COUNTY)
    await memory.pass_time(3600)
    assert memory["requests"][request.request_id]["state"] == "released"
    assert not memory.told(ResponderOffered)
    assert not memory["timers"]


async def test_a_release_before_its_request_withdraws_it(memory: Memory) -> None:
    await on_duty(memory, COUNTY)
    request = a_request()
    await memory.receive(a_release(request))
    await memory.receive(request)
    assert memory["requests"][request.request_id]["state"] == "released"
    assert memory.events == []


async def test_a_request_told_twice_is_one_request(memory: Memory) -> None:
    await on_duty(memory, COUNTY, COUNTY)
    request = a_request()
    await memory.receive(request)
    await memory.receive(request.model_copy(update={"id": new_id()}))
    assert len(memory.told(ResponderOffered)) == 1


async def test_a_turn_that_ends_while_a_case_is_held_leaves_it_held(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    duty = a_duty(volunteer.volunteer_id, hours=1.5)
    await memory.receive(duty)
    held = a_request()
    await memory.receive(held)
    await accept(memory, held.request_id)
    await memory.pass_time(3600)
    late = a_request()
    await memory.receive(late)
    assert memory["requests"][held.request_id]["state"] == "held"
    assert memory["requests"][late.request_id]["reason"] == "nobody_on_duty"


async def test_an_older_revision_changes_nothing(memory: Memory) -> None:
    volunteer = a_volunteer(revision=3)
    older = a_volunteer(revision=2, volunteer_id=volunteer.volunteer_id, active=False)
    duty = a_duty(volunteer.volunteer_id, revision=2)
    withdrawn = a_duty(volunteer.volunteer_id, duty_id=duty.duty_id, revision=3, active=False)
    await memory.receive(volunteer, older)
    await memory.receive(duty, a_duty(volunteer.volunteer_id, duty_id=duty.duty_id, revision=1, active=False))
    first = a_request()
    await memory.receive(first)
    assert memory.open_offer(first.request_id)["responder_id"] == volunteer.volunteer_id
    await memory.receive(a_release(first))
    await memory.receive(withdrawn, duty)
    second = a_request()
    await memory.receive(second)
    assert memory["requests"][second.request_id]["reason"] == "nobody_on_duty"


async def test_a_duty_known_before_its_volunteer_counts_once_both_are_known(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(a_duty(volunteer.volunteer_id))
    request = a_request()
    await memory.receive(request)
    await memory.receive(volunteer)
    await memory.pass_time(30)
    assert memory.open_offer(request.request_id)["responder_id"] == volunteer.volunteer_id


async def test_a_turn_of_a_whole_year_counts_on_each_day(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    await memory.receive(a_duty(volunteer.volunteer_id, start=START - timedelta(days=200), hours=365 * 24))
    await memory.receive(a_request())
    assert len(memory.told(ResponderOffered)) == 1


async def test_a_decliner_is_offered_another_request_that_waits(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    first, second = a_request(), a_request()
    await memory.receive(first, second)
    await decline(memory, first.request_id)
    assert memory.open_offer(second.request_id)["responder_id"] == person
    assert memory["requests"][first.request_id]["reason"] == "all_declined_or_silent"
    holds(memory)

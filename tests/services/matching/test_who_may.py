"""Whoever may not answer any more is not asked, and what was only offered to such a person goes on to another."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from chassis.clock import local_day
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.matching import CoordinatorCalled, OfferAccepted, OfferDeclined, ResponderOffered
from contracts.registry import Fact, Spell
from services.matching import answering, offering, store
from services.matching.domain.choice import DeclineReason
from services.matching.domain.ledger import held_against
from tests.services.matching.support import (
    COUNTY,
    POLICIES,
    PSYCHIATRIST,
    START,
    Memory,
    a_duty,
    a_merge,
    a_release,
    a_request,
    a_split,
    a_volunteer,
    each_request_is_somewhere,
    on_duty,
)

TODAY = local_day(START)


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def accept(memory: Memory, request_id: uuid.UUID) -> bool:
    offer = memory.open_offer(request_id)
    return bool(await memory.transact(partial(answering.accept_by_rule, offer, policies=POLICIES)))


async def offered_to(memory: Memory, person: uuid.UUID, **ask: Any) -> uuid.UUID:
    """A request that is offered to this one."""
    request = a_request(**ask)
    await memory.receive(request)
    assert memory.open_offer(request.request_id)["responder_id"] == person
    return request.request_id


def holder(memory: Memory, request_id: uuid.UUID) -> Any:
    request = memory["requests"][request_id]
    return request["state"], request["responder_id"]


def holds(memory: Memory) -> None:
    each_request_is_somewhere(memory["requests"].values(), memory["offers"].values(), memory["responders"].values())


# Roles of rosters


@pytest.mark.parametrize("role", ["dormitory-head", "expert", "attendant", "publicist"])
async def test_a_turn_that_is_not_for_crisis_calls_is_not_called(memory: Memory, role: str) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    waiting = a_request()
    await memory.receive(waiting)
    await memory.receive(a_duty(volunteer.volunteer_id, role=role))
    await memory.pass_time(60)
    await memory.receive(a_request(moment=memory.now))
    assert not memory.told(ResponderOffered)
    assert memory.told(CoordinatorCalled)[0].reason == "nobody_on_duty"
    await memory.receive(a_duty(volunteer.volunteer_id, role="crisis-team"))
    assert memory.open_offer(waiting.request_id)["responder_id"] == volunteer.volunteer_id


# Who a person is, on a day


@pytest.mark.parametrize("tier", Tier)
async def test_a_minor_is_asked_for_nothing(memory: Memory, tier: Tier) -> None:
    await on_duty(memory, COUNTY, minor=True)
    await memory.receive(a_request(tier=tier))
    assert not memory.told(ResponderOffered)


async def test_a_certificate_stops_counting_after_its_last_day_with_nobody_telling(memory: Memory) -> None:
    last = Spell(fact=Fact.qualification, code=1, until=TODAY)
    (person,) = await on_duty(memory, COUNTY, skill=((), (1,)), spells=[last])
    await memory.receive(a_duty(person, start=START, hours=72))
    first = await offered_to(memory, person)
    assert await accept(memory, first)
    await memory.pass_time(86_400)
    await memory.receive(a_release(_request(memory, first)))
    await memory.receive(a_request(moment=memory.now))
    assert len(memory.told(ResponderOffered)) == 1
    assert memory.told(CoordinatorCalled)[0].reason == "nobody_on_duty"


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [(TODAY, TODAY, 1), (None, TODAY - timedelta(days=1), 0), (TODAY + timedelta(days=1), None, 0)],
)
async def test_a_training_counts_on_its_days(
    memory: Memory, since: date | None, until: date | None, asked: int
) -> None:
    await on_duty(memory, COUNTY, spells=[Spell(fact=Fact.trained, since=since, until=until)])
    await memory.receive(a_request())
    assert len(memory.told(ResponderOffered)) == asked


async def test_of_two_certificates_for_the_same_the_renewed_one_counts(memory: Memory) -> None:
    days = ((None, TODAY - timedelta(days=1)), (TODAY, TODAY + timedelta(days=365)))
    spells = [Spell(fact=Fact.qualification, code=1, since=since, until=until) for since, until in days]
    await on_duty(memory, COUNTY, skill=((), (1,)), spells=spells)
    await memory.receive(a_request())
    assert len(memory.told(ResponderOffered)) == 1


async def test_who_lost_the_certificate_at_midnight_cannot_accept_after_it(memory: Memory) -> None:
    memory.now = START + timedelta(hours=14, minutes=55)  # 23:55 in Shanghai
    spell = Spell(fact=Fact.person_type, code=5, until=TODAY)
    (person,) = await on_duty(memory, "370812001", skill=((5,), ()), spells=[spell])
    await memory.receive(a_duty(person, "370812001", start=START, hours=48))
    (other,) = await on_duty(memory, COUNTY)
    await memory.receive(a_duty(other, start=START, hours=48))
    request = await offered_to(memory, person, division="370812001", tier=Tier.low)
    await memory.pass_time(600)
    assert not await accept(memory, request)
    assert holder(memory, request) == ("offered", other)
    assert not memory.told(OfferAccepted)
    holds(memory)


# What is told while an offer is open


async def test_who_is_made_inactive_loses_the_offer_at_once_and_the_next_is_asked(memory: Memory) -> None:
    near, far = await on_duty(memory, "370812001", COUNTY)
    request = await offered_to(memory, near, division="370812001", tier=Tier.low)
    gone = a_volunteer("370812001", volunteer_id=near, revision=2, active=False)
    await memory.receive(gone)
    assert holder(memory, request) == ("offered", far)
    assert not memory.told(OfferDeclined)
    assert memory["responders"][near]["request_id"] is None
    await memory.receive(a_request(moment=memory.now))
    assert memory.told(CoordinatorCalled)[0].reason == "everybody_busy"
    holds(memory)


@pytest.mark.parametrize("now_", [{"skill": ((7,), ())}, {"trained": False}, {"minor": True}])
async def test_who_may_not_answer_any_more_loses_the_offer(memory: Memory, now_: dict[str, Any]) -> None:
    (person,) = await on_duty(memory, COUNTY)
    request = await offered_to(memory, person)
    await memory.receive(a_volunteer(volunteer_id=person, revision=2, **now_))
    assert holder(memory, request) == ("waiting", None)
    assert memory.told(CoordinatorCalled)[0].reason == "nobody_on_duty"


async def test_a_change_that_takes_nothing_away_leaves_the_offer(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    request = await offered_to(memory, person)
    await memory.receive(a_volunteer(volunteer_id=person, revision=2, skill=((2, 3), (1, 2))))
    assert holder(memory, request) == ("offered", person)
    assert await accept(memory, request)


async def test_an_accepted_case_stays_with_who_accepted_it(memory: Memory) -> None:
    (person,) = await on_duty(memory, COUNTY)
    request = await offered_to(memory, person)
    assert await accept(memory, request)
    await memory.receive(a_volunteer(volunteer_id=person, revision=2, active=False))
    assert holder(memory, request) == ("held", person)


@pytest.mark.parametrize("told", [{"active": False}, {"start": START + timedelta(days=1)}, {"role": "attendant"}])
async def test_whose_turn_is_withdrawn_or_moved_loses_the_offer(memory: Memory, told: dict[str, Any]) -> None:
    volunteer = a_volunteer("370812001")
    await memory.receive(volunteer)
    duty = a_duty(volunteer.volunteer_id)
    await memory.receive(duty)
    (other,) = await on_duty(memory, COUNTY)
    request = await offered_to(memory, volunteer.volunteer_id, division="370812001")
    await memory.receive(a_duty(volunteer.volunteer_id, duty_id=duty.duty_id, revision=2, **told))
    assert holder(memory, request) == ("offered", other)
    holds(memory)


async def test_who_has_another_turn_keeps_the_offer(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    one, two = a_duty(volunteer.volunteer_id), a_duty(volunteer.volunteer_id)
    await memory.receive(one, two)
    request = await offered_to(memory, volunteer.volunteer_id)
    await memory.receive(a_duty(volunteer.volunteer_id, duty_id=one.duty_id, revision=2, active=False))
    assert await accept(memory, request)


async def test_a_turn_given_to_another_by_a_swap_takes_the_offer_along(memory: Memory) -> None:
    one, two = a_volunteer(), a_volunteer()
    await memory.receive(one, two)
    duty = a_duty(one.volunteer_id)
    await memory.receive(duty)
    request = await offered_to(memory, one.volunteer_id)
    await memory.receive(a_duty(two.volunteer_id, duty_id=duty.duty_id, revision=2))
    assert holder(memory, request) == ("offered", two.volunteer_id)


async def test_a_turn_that_just_ended_is_no_reason_to_refuse_the_answer(memory: Memory) -> None:
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    await memory.receive(a_duty(volunteer.volunteer_id, start=START - timedelta(hours=1), hours=1.01))
    request = await offered_to(memory, volunteer.volunteer_id)
    await memory.pass_time(60)
    assert await accept(memory, request)


async def test_a_group_that_puts_on_duty_and_takes_off_again_offers_nothing(memory: Memory) -> None:
    """One transaction: what it read of the turns does not outlive what it was told of them."""
    volunteer = a_volunteer()
    await memory.receive(volunteer)
    waiting = a_request()
    await memory.receive(waiting)
    duty = a_duty(volunteer.volunteer_id)
    off = a_duty(volunteer.volunteer_id, duty_id=duty.duty_id, revision=2, active=False)
    await memory.receive(duty, off)
    assert holder(memory, waiting.request_id) == ("waiting", None)


# People who were told of before all of this was kept


LATER = ("spells", "minor", "merged_into", "joined_at", "entries")


def as_written_before(memory: Memory) -> None:
    for document in memory["responders"].values():
        for name in LATER:
            document.pop(name, None)


async def test_who_was_told_of_long_ago_is_offered_calls(memory: Memory) -> None:
    (volunteer,) = await on_duty(memory, COUNTY)
    as_written_before(memory)
    request = await offered_to(memory, volunteer)
    as_written_before(memory)
    assert await accept(memory, request)
    as_written_before(memory)
    await memory.receive(a_request())
    assert memory.told(CoordinatorCalled)[0].reason == "everybody_busy"
    as_written_before(memory)
    await memory.receive(a_release(_request(memory, request)))
    assert len(memory.told(ResponderOffered)) == 2, "who is free takes what waits"
    as_written_before(memory)
    await memory.receive(a_volunteer(volunteer_id=volunteer, revision=2, active=False))
    assert len(memory.told(CoordinatorCalled)) == 2, "who left is asked no more"


async def test_who_was_told_of_long_ago_is_merged_and_split(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    request = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, request)
    as_written_before(memory)
    merge = a_merge(stays, goes, memory.now)
    await memory.receive(merge)
    assert holder(memory, request) == ("held", stays)
    as_written_before(memory)
    found = await memory.transact(partial(store.offers_to, responder_id=stays))
    assert [offer["request_id"] for offer in found] == [request]
    assert await memory.transact(partial(store.standing_for, responder_id=stays)) == stays
    await memory.receive(a_split(merge, memory.now + timedelta(seconds=1)))
    assert holder(memory, request) == ("held", stays)


# Two ids that are one person


async def test_nothing_is_offered_to_an_id_that_is_gone(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    request = await offered_to(memory, goes, division="370812001")
    await memory.receive(a_merge(stays, goes, memory.now))
    assert holder(memory, request) == ("offered", stays)
    await memory.receive(a_request("370812001", moment=memory.now))
    assert memory.told(CoordinatorCalled)[0].reason == "everybody_busy"
    holds(memory)


async def test_a_case_goes_with_the_person_who_is_busy_from_then_on(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    request = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, request)
    await memory.receive(a_merge(stays, goes, memory.now))
    assert holder(memory, request) == ("held", stays)
    first, moved = memory.told(OfferAccepted)
    assert moved.responder_id == stays, "the case is told who holds it"
    assert (first.takes_over, moved.takes_over, moved.seconds) == (None, first.offer_id, 0)
    assert len(memory.told(ResponderOffered)) == 1, "nobody was asked again"
    await memory.receive(a_request(moment=memory.now))
    assert memory.told(CoordinatorCalled)[0].reason == "everybody_busy"
    holds(memory)


async def test_a_case_that_goes_through_two_merges_names_the_offer_by_which_it_was_taken(memory: Memory) -> None:
    goes, between, stays = await on_duty(memory, "370812001", COUNTY, COUNTY)
    request = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, request)
    await memory.receive(a_merge(between, goes, memory.now))
    await memory.receive(a_merge(stays, between, memory.now))
    taken, *moved = memory.told(OfferAccepted)
    assert [event.responder_id for event in moved] == [between, stays]
    assert {event.takes_over for event in moved} == {taken.offer_id}
    offers, people = memory["offers"].values(), memory["responders"].values()
    asked = _request(memory, request)
    told = [asked, *memory.events]
    facts = held_against(told, list(memory["requests"].values()), list(offers), list(people), set(memory["timers"]))
    assert facts.differences == []


async def test_who_holds_a_case_under_both_ids_keeps_both(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    second = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, second)
    first = await offered_to(memory, stays)
    assert await accept(memory, first)
    await memory.receive(a_merge(stays, goes, memory.now))
    assert (holder(memory, first), holder(memory, second)) == (("held", stays), ("held", goes))
    await memory.receive(a_release(_request(memory, first)))
    assert holder(memory, second) == ("held", stays)
    holds(memory)
    await memory.receive(a_release(_request(memory, second)))
    third = await offered_to(memory, stays, moment=memory.now)
    assert holder(memory, third) == ("offered", stays)


async def test_what_the_one_that_stays_was_only_offered_makes_room_for_the_case_of_the_other(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    held = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, held)
    only_offered = await offered_to(memory, stays)
    await memory.receive(a_merge(stays, goes, memory.now))
    assert holder(memory, held) == ("held", stays)
    assert holder(memory, only_offered) == ("waiting", None)
    holds(memory)


async def test_who_declined_under_one_id_is_not_asked_again_under_the_other(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    await memory.receive(a_volunteer(volunteer_id=stays, revision=2, active=False))
    request = await offered_to(memory, goes, division="370812001")
    offer = memory.open_offer(request)

    async def answer(tx: Tx) -> None:
        await offering.decline(offer, DeclineReason.busy, tx, POLICIES)

    await memory.transact(answer)
    await memory.receive(a_merge(stays, goes, memory.now))
    await memory.receive(a_volunteer(volunteer_id=stays, revision=3))
    await memory.pass_time(60)
    assert holder(memory, request) == ("waiting", None)


async def test_a_split_gives_the_other_its_own_turns_and_leaves_the_case_where_it_is(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    request = await offered_to(memory, goes, division="370812001")
    assert await accept(memory, request)
    merge = a_merge(stays, goes, memory.now)
    await memory.receive(merge)
    await memory.pass_time(10)
    await memory.receive(a_split(merge, memory.now))
    assert holder(memory, request) == ("held", stays)
    again = await offered_to(memory, goes, moment=memory.now)
    assert await accept(memory, again)
    holds(memory)


async def test_a_merge_that_comes_after_its_split_changes_nothing(memory: Memory) -> None:
    goes, stays = await on_duty(memory, "370812001", COUNTY)
    merge = a_merge(stays, goes, memory.now)
    await memory.receive(a_split(merge, memory.now + timedelta(seconds=1)))
    await memory.receive(merge)
    await offered_to(memory, goes, division="370812001")


async def test_a_merge_of_people_that_were_never_told_of_is_kept_for_later(memory: Memory) -> None:
    goes, stays = a_volunteer(), a_volunteer("370812001", skill=PSYCHIATRIST)
    await memory.receive(a_merge(stays.volunteer_id, goes.volunteer_id))
    await memory.receive(goes, stays)
    await memory.receive(a_duty(goes.volunteer_id), a_duty(stays.volunteer_id))
    await offered_to(memory, stays.volunteer_id)
    await memory.receive(a_request())
    assert len(memory.told(ResponderOffered)) == 1


def _request(memory: Memory, request_id: uuid.UUID) -> Any:
    document: Document = memory["requests"][request_id]
    return a_request(document["division"]).model_copy(update={"request_id": request_id, "case_id": document["case_id"]})

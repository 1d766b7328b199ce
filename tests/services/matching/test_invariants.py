"""Whatever happens in whatever order: no request is lost, nobody has two, and everyone gets a turn."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.matching import ResponderOffered
from services.matching import offering
from services.matching.domain.choice import DeclineReason
from services.matching.domain.ledger import held_against
from tests.services.matching.support import (
    COUNTY,
    POLICIES,
    PSYCHIATRIST,
    SOCIAL_WORKER,
    Memory,
    a_duty,
    a_release,
    a_request,
    a_volunteer,
    each_request_is_somewhere,
    on_duty,
)

CASES = ("370812", "370812001", "370812001201", "370811002", "320706001")
HOMES = (*CASES, "3708", "37")


class Dispatch(RuleBasedStateMachine):
    """A county's days at random: volunteers, turns, requests, answers, releases and the passing of time."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.requests: list[ResponderRequested] = []
        self.released: list[ResponderReleased] = []
        self.offered_to: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        self.reopened: set[uuid.UUID] = set()

        self.runner = asyncio.Runner()

    def teardown(self) -> None:
        self.runner.close()

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(steps)

    @rule(home=st.sampled_from(HOMES), roster=st.sampled_from(HOMES), hours=st.integers(1, 3), late=st.integers(0, 2))
    def somebody_goes_on_duty(self, home: str, roster: str, hours: int, late: int) -> None:
        volunteer = a_volunteer(home, skill=PSYCHIATRIST if hours > 1 else SOCIAL_WORKER)
        self.run(self.memory.receive(volunteer))
        start = self.memory.now + timedelta(hours=late)
        self.run(self.memory.receive(a_duty(volunteer.volunteer_id, roster, start=start, hours=hours)))

    @rule(
        places=st.lists(st.tuples(st.sampled_from(CASES), st.sampled_from(Tier), st.booleans()), min_size=1, max_size=5)
    )
    def a_group_of_requests(self, places: list[tuple[str, Tier, bool]]) -> None:
        requests = [a_request(place, tier, minor=minor, moment=self.memory.now) for place, tier, minor in places]
        self.requests += requests
        self.run(self.memory.receive(*requests))

    @rule(tier=st.sampled_from(Tier))
    def a_release_overtakes_its_request(self, tier: Tier) -> None:
        request = a_request(tier=tier)
        self.released.append(a_release(request))
        self.run(self.memory.receive(self.released[-1]))
        self.run(self.memory.receive(request))
        self.requests.append(request)

    @precondition(lambda self: self.open_offers())
    @rule(data=st.data(), accepts=st.booleans())
    def somebody_answers(self, data: st.DataObject, accepts: bool) -> None:
        offer = data.draw(st.sampled_from(self.open_offers()))

        async def answer(tx: Tx) -> None:
            if accepts:
                await offering.accept(offer, tx)
            else:
                await offering.decline(offer, DeclineReason.busy, tx, POLICIES)

        self.run(self.memory.transact(answer))

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def some_are_released(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.requests), min_size=1, max_size=4))
        releases = [a_release(request) for request in chosen]
        self.released += releases
        self.run(self.memory.receive(*releases))

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.run(self.memory.pass_time(minutes * 60))

    @precondition(lambda self: self.in_state("waiting"))
    @rule(data=st.data())
    def the_coordinator_reopens_one(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.in_state("waiting")))
        self.reopened.add(request["_id"])
        self.run(self.memory.transact(partial(offering.reopen, _copy(request), policies=POLICIES)))

    @precondition(lambda self: self.in_state("waiting", "offered") and self.memory["responders"])
    @rule(data=st.data())
    def the_coordinator_assigns_one(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.in_state("waiting", "offered")))
        free = [p["_id"] for p in self.memory["responders"].values() if p["request_id"] in (None, request["_id"])]
        if free:
            self.reopened.add(request["_id"])
            person = data.draw(st.sampled_from(free))
            self.run(self.memory.transact(partial(offering.assign, _copy(request), person, policies=POLICIES)))

    @invariant()
    def each_is_exactly_one_of_offered_held_waiting_released(self) -> None:
        documents = self.memory["requests"]
        assert {request.request_id for request in self.requests} == set(documents)
        each_request_is_somewhere(
            documents.values(), self.memory["offers"].values(), self.memory["responders"].values()
        )

    @invariant()
    def the_log_tells_all_of_it(self) -> None:
        facts = held_against(
            [*self.requests, *self.released, *self.memory.events],
            list(self.memory["requests"].values()),
            list(self.memory["offers"].values()),
            list(self.memory["responders"].values()),
            set(self.memory["timers"]),
        )
        assert facts.differences == []

    @invariant()
    def nobody_is_asked_twice_for_the_same_request(self) -> None:
        pairs = Counter((event.request_id, event.responder_id) for event in self.memory.told(ResponderOffered))
        assert all(number == 1 or request_id in self.reopened for (request_id, _), number in pairs.items())

    def open_offers(self) -> list[Document]:
        return [_copy(offer) for offer in self.memory["offers"].values() if offer["state"] == "open"]

    def in_state(self, *states: str) -> list[Document]:
        return [request for request in self.memory["requests"].values() if request["state"] in states]


def _copy(document: Document) -> Document:
    return {name: list(value) if isinstance(value, list) else value for name, value in document.items()}


TestDispatch = Dispatch.TestCase
TestDispatch.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(1, 4))
def test_calls_are_shared_out_evenly(people: int, rounds: int) -> None:
    """Equals on the same duty differ by one call at most, however many calls come."""

    async def day() -> Counter[uuid.UUID]:
        memory = Memory()
        await on_duty(memory, *[COUNTY] * people)
        for _ in range(people * rounds + 1):
            request = a_request(moment=memory.now)
            await memory.receive(request)
            await memory.transact(partial(offering.accept, memory.open_offer(request.request_id)))
            await memory.pass_time(1)
            await memory.receive(a_release(request))
        return Counter(event.responder_id for event in memory.told(ResponderOffered))

    calls = asyncio.run(day())
    assert len(calls) == people
    assert max(calls.values()) - min(calls.values()) <= 1

"""Whatever happens in whatever order: no request is lost, nobody has two, and everyone gets a turn."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chassis.clock import local_day, new_id
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.matching import OfferAccepted, ResponderOffered
from contracts.registry import DutyRostered, Fact, Spell, VolunteerRegistered, VolunteersMerged
from services.matching import answering, offering
from services.matching.domain.choice import DeclineReason, nearness
from services.matching.domain.ledger import held_against
from tests.services.matching.support import (
    COUNTY,
    POLICIES,
    PSYCHIATRIST,
    SOCIAL_WORKER,
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

CASES = ("370812", "370812001", "370812001201", "370811002", "320706001")
HOMES = (*CASES, "3708", "37")


SKILLS = (PSYCHIATRIST, SOCIAL_WORKER, ((2,), ()), ((), (3,)), ((7,), ()))


class Told:
    """What was told of people and turns, apart from what matching keeps of it; says who may be asked."""

    def __init__(self) -> None:
        self.people: dict[uuid.UUID, VolunteerRegistered] = {}
        self.duties: dict[uuid.UUID, DutyRostered] = {}
        self.gone: set[uuid.UUID] = set()

    def may(self, offer: Document, moment: datetime, since: datetime, day: date | None) -> bool:
        """Whether an offer may be made, or answered: by what counts on a day (None: on any), after the turns that were
        not over at `since`."""
        person = self.people[offer["responder_id"]]
        policy = POLICIES.at(moment)

        def counts(fact: Fact, code: int) -> bool:
            own = [one for one in person.spells if (one.fact, one.code) == (fact, code)]
            valid = [one for one in own if day is None or (one.since or day) <= day <= (one.until or day)]
            return bool(valid) or not own

        types = frozenset(code for code in person.person_types if counts(Fact.person_type, code))
        held = frozenset(code for code in person.qualifications if counts(Fact.qualification, code))
        asked = [policy.tiers[Tier(offer["tier"])], *([policy.minors] if offer["minor"] else [])]
        return (
            person.active
            and not person.minor
            and person.volunteer_id not in self.gone
            and person.trained
            and counts(Fact.trained, 0)
            and all(who.includes(types, held) for who in asked)
            and any(self._on(duty, person, offer["division"], moment, since) for duty in self.duties.values())
        )

    def _on(
        self, duty: DutyRostered, person: VolunteerRegistered, case: str, moment: datetime, since: datetime
    ) -> bool:
        return (
            duty.volunteer_id == person.volunteer_id
            and duty.active
            and duty.role in POLICIES.at(moment).duty.on_duty_roles
            and duty.starts_at <= moment
            and duty.ends_at > since
            and nearness(case, person.division, [duty.division]) > 0
        )


class Watched(Memory):
    """Looks at each transaction: nobody is offered, and nobody accepts, what is not for such a person."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.was_told = told
        self.by_coordinator = False

    async def transact(self, body: Callable[[Tx], Awaitable[Any]]) -> Any:
        known = len(self.events)
        result = await super().transact(body)
        events = self.events[known:]
        accepted = {event.offer_id for event in events if isinstance(event, OfferAccepted)}
        day = local_day(self.now)
        for event in events:
            if not isinstance(event, ResponderOffered | OfferAccepted):
                continue
            offer = self["offers"][event.offer_id]
            if isinstance(event, ResponderOffered) and event.offer_id not in accepted:
                assert self.was_told.may(offer, self.now, self.now, day), "offered to one who may not"
            elif isinstance(event, OfferAccepted) and offer["offered_at"] < self.now and not self.by_coordinator:
                assert self.was_told.may(offer, self.now, offer["offered_at"], day), "accepted by one who may not"
        return result


class Dispatch(RuleBasedStateMachine):
    """A county's days at random: volunteers, turns, requests, answers, releases and the passing of time.

    What is told of people changes as they are at work: left, back, trained no more, a minor, a certificate that ends, a
    turn withdrawn, moved or of another role, two entries that are one person, and two again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()
        self.memory = Watched(self.told)
        self.merges: list[VolunteersMerged] = []
        self.requests: list[ResponderRequested] = []
        self.released: list[ResponderReleased] = []
        self.offered_to: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        self.reopened: set[uuid.UUID] = set()

        self.runner = asyncio.Runner()

    def teardown(self) -> None:
        self.runner.close()

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(steps)

    @initialize(skills=st.lists(st.sampled_from(SKILLS[:3]), min_size=1, max_size=3))
    def a_line_is_staffed(self, skills: list[Any]) -> None:
        for skill in skills:
            volunteer = a_volunteer(skill=skill)
            self.tell(volunteer)
            self.roster(a_duty(volunteer.volunteer_id, start=self.memory.now, hours=72))

    @rule(home=st.sampled_from(HOMES), roster=st.sampled_from(HOMES), hours=st.integers(1, 3), late=st.integers(0, 2))
    def somebody_goes_on_duty(self, home: str, roster: str, hours: int, late: int) -> None:
        volunteer = a_volunteer(home, skill=PSYCHIATRIST if hours > 1 else SOCIAL_WORKER)
        self.tell(volunteer)
        start = self.memory.now + timedelta(hours=late)
        self.roster(a_duty(volunteer.volunteer_id, roster, start=start, hours=hours))

    @precondition(lambda self: self.told.people)
    @rule(
        data=st.data(),
        skill=st.sampled_from(SKILLS),
        what=st.sampled_from(["left", "minor", "untrained", "ends", "ends", "well"]),
        ends=st.integers(-1, 1),
    )
    def something_else_is_told_of_one(self, data: st.DataObject, skill: Any, what: str, ends: int) -> None:
        before = data.draw(st.sampled_from([self.told.people[ident] for ident in self.at_it(self.told.people)]))
        until = local_day(self.memory.now) + timedelta(days=ends)
        facts = [(Fact.person_type, code) for code in skill[0]] + [(Fact.qualification, code) for code in skill[1]]
        ending = data.draw(st.sampled_from([facts, [(Fact.trained, 0)]])) if what == "ends" else []
        spells = [Spell(fact=fact, code=code, until=until) for fact, code in ending]
        after = a_volunteer(
            before.division,
            skill=skill,
            volunteer_id=before.volunteer_id,
            revision=before.revision + 1,
            active=what != "left",
            minor=what == "minor",
            trained=what != "untrained",
            spells=spells,
        )
        self.tell(after)

    @precondition(lambda self: self.told.duties)
    @rule(
        data=st.data(),
        active=st.booleans(),
        role=st.sampled_from(["responder", "responder", "crisis-team", "dormitory-head"]),
        late=st.integers(-1, 1),
    )
    def a_turn_is_changed(self, data: st.DataObject, active: bool, role: str, late: int) -> None:
        whose = set(self.at_it(duty.volunteer_id for duty in self.told.duties.values()))
        before = data.draw(st.sampled_from([duty for duty in self.told.duties.values() if duty.volunteer_id in whose]))
        changes = {"active": active, "role": role, "starts_at": self.memory.now + timedelta(hours=late)}
        end = self.memory.now + timedelta(hours=late + 2)
        changed = {**changes, "ends_at": end, "revision": before.revision + 1, "id": new_id()}
        self.roster(before.model_copy(update=changed))

    @precondition(lambda self: len(self.own()) > 1)
    @rule(data=st.data())
    def two_are_one_person(self, data: st.DataObject) -> None:
        goes = data.draw(st.sampled_from(self.at_it(self.own())))
        stays = data.draw(st.sampled_from([ident for ident in self.own() if ident != goes]))
        self.pass_a_second()
        self.merges.append(a_merge(stays, goes, self.memory.now))
        self.told.gone.add(goes)
        self.run(self.memory.receive(self.merges[-1]))

    @precondition(lambda self: self.merges)
    @rule()
    def the_last_merge_was_wrong(self) -> None:
        merge = self.merges.pop()
        self.pass_a_second()
        self.told.gone.remove(merge.gone_id)
        self.run(self.memory.receive(a_split(merge, self.memory.now)))

    def at_it(self, people: Iterable[uuid.UUID]) -> list[uuid.UUID]:
        """Those of these who have an offer open, or who were once asked; all where there are none."""
        known = list(dict.fromkeys(people))
        for states in (("open",), ("open", "accepted", "declined", "expired", "withdrawn")):
            asked = {offer["responder_id"] for offer in self.memory["offers"].values() if offer["state"] in states}
            if found := [ident for ident in known if ident in asked]:
                return found
        return known

    def own(self) -> list[uuid.UUID]:
        return [ident for ident in self.told.people if ident not in self.told.gone]

    def pass_a_second(self) -> None:
        self.run(self.memory.pass_time(1))

    def tell(self, volunteer: VolunteerRegistered) -> None:
        self.told.people[volunteer.volunteer_id] = volunteer
        self.run(self.memory.receive(volunteer))
        for offer in self.open_offers():
            if offer["responder_id"] == volunteer.volunteer_id:
                assert self.told.may(offer, self.memory.now, offer["offered_at"], local_day(self.memory.now))

    def roster(self, duty: DutyRostered) -> None:
        self.told.duties[duty.duty_id] = duty
        self.run(self.memory.receive(duty))

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
                await answering.accept_by_rule(offer, tx, POLICIES)
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

    @rule(minutes=st.integers(1, 90) | st.just(24 * 60))
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
            self.memory.by_coordinator = True
            self.run(self.memory.transact(partial(offering.assign, _copy(request), person, policies=POLICIES)))
            self.memory.by_coordinator = False

    @invariant()
    def what_is_open_is_open_for_one_who_may(self) -> None:
        """But for a certificate whose last day passed meanwhile: that shows when the offer is answered or runs out."""
        for offer in self.open_offers():
            assert self.told.may(offer, self.memory.now, offer["offered_at"], None)

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
    def nobody_is_asked_again_who_declined_or_was_silent(self) -> None:
        over = set()
        for offer in self.memory["offers"].values():
            pair = (offer["request_id"], offer["responder_id"])
            assert pair not in over or offer["request_id"] in self.reopened
            if offer["state"] in ("declined", "expired"):
                over.add(pair)

    def open_offers(self) -> list[Document]:
        return [_copy(offer) for offer in self.memory["offers"].values() if offer["state"] == "open"]

    def in_state(self, *states: str) -> list[Document]:
        return [request for request in self.memory["requests"].values() if request["state"] in states]


def _copy(document: Document) -> Document:
    return {name: list(value) if isinstance(value, list) else value for name, value in document.items()}


TestDispatch = Dispatch.TestCase
TestDispatch.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


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

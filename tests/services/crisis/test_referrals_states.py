"""Any order of sending, answering, silence, withdrawal and closing: no illegal move, one owner, no timer left over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document
from contracts.crisis import CaseOutcome, ReferralKind, ReferralMoved, ReferralState
from services.crisis import commands
from services.crisis.commands import consultations, referrals, referrals_accompanied
from services.crisis.domain.consultations import WAITING as CONSULTED
from services.crisis.domain.consultations import Kind, Opinion, Sign, State
from services.crisis.domain.referral import ACCEPTED, ANSWERS, ENDED, NEXT, WAITING, allows, withdrawal
from services.crisis.domain.referrals_accompanied import WAITING as VISITS
from tests.services.crisis.world import (
    BACKUP,
    COUNTY,
    FEEDBACK,
    HIGH,
    HOSPITAL,
    OFFICER,
    SUPERVISOR,
    MovedClock,
    World,
    person,
    receiver,
    shared_keys,
)
from tests.support.emptied import make_empty

FORWARD = [ReferralState.received, ReferralState.accepted, ReferralState.scheduled, ReferralState.unattended]
FORWARD += [ReferralState.attended, ReferralState.completed, ReferralState.declined]
VOLUNTEERS = [Caller(f"volunteer-{name}", frozenset({"volunteer"}), COUNTY) for name in "ab"]


class ReferralsAtWork(RuleBasedStateMachine):
    """One case with everything that may run around it."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world, self.key = self.wait(self.open())
        self.known: dict[Any, ReferralState] = {}
        self.told = 0

    async def open(self) -> tuple[World, Any]:
        database = MovedClock(self.uri, "crisis", "test_referrals")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        key = (await world.flag(caller=person(), consent_to_follow_up="yes", **HIGH))["_id"]
        await world.acknowledge(key)
        return world, key

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    def teardown(self) -> None:
        self.wait(self.drop())
        self.runner.close()

    async def drop(self) -> None:
        self.world.database.close()

    def ask(self, what: Any) -> Any:
        try:
            return self.wait(self.world.do(what))
        except (NotAllowed, NotFound, Refused):
            return None

    def of(self, collection: str) -> list[Document]:
        return list(self.wait(self.world.database.find(collection, {}, sort=[("_id", 1)])))

    @rule(to=st.sampled_from([None, HOSPITAL, BACKUP]))
    def refer(self, to: Any) -> None:
        self.ask(lambda tx: commands.refer(self.key, to, None, OFFICER, tx, self.world.office))

    @rule()
    def refer_to_the_programme(self) -> None:
        kind, level = ReferralKind.severe_disorder_programme, referrals.Programme(3, True)
        office = self.world.office
        self.ask(lambda tx: referrals.refer_beside(self.key, kind, None, None, OFFICER, tx, office, programme=level))

    @rule(data=st.data(), state=st.sampled_from(FORWARD), wrong=st.booleans())
    def answer(self, data: st.DataObject, state: ReferralState, wrong: bool) -> None:
        referral = data.draw(st.sampled_from(self.of("referrals")))
        institution = BACKUP if wrong else referral["organisation_id"]
        at = self.world.now + timedelta(days=2)
        done = self.ask(
            lambda tx: commands.answer_referral(
                referral["_id"], state, "没有床位", at, receiver(institution), tx, self.world.office, FEEDBACK
            )
        )
        before = ReferralState(referral["state"])
        assert not done or institution == referral["organisation_id"]
        assert not done or before is state or allows(before, state)

    @rule(data=st.data())
    def step_on(self, data: st.DataObject) -> None:
        """The institution goes on, in an order that can be: so that the later states are reached."""
        for referral in self.of("referrals"):
            following = sorted(NEXT[ReferralState(referral["state"])] & ANSWERS)
            if following and referral["due_at"] is not None:
                state = data.draw(st.sampled_from(following))
                at = self.world.now + timedelta(days=2)
                caller = receiver(referral["organisation_id"])
                assert self.ask(
                    lambda tx, referral=referral, state=state, at=at, caller=caller: commands.answer_referral(
                        referral["_id"], state, "没有床位", at, caller, tx, self.world.office, FEEDBACK
                    )
                )

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        referral = data.draw(st.sampled_from(self.of("referrals")))
        done = self.ask(lambda tx: referrals.withdraw_referral(referral["_id"], "不再需要", OFFICER, tx))
        assert bool(done) is (self.is_open() and withdrawal(ReferralState(referral["state"])) is not None)

    @rule(sign=st.sampled_from(list(Sign)))
    def consult(self, sign: Sign) -> None:
        ident, office, key = new_id(), self.world.office, self.key
        self.ask(
            lambda tx: consultations.request_consultation(
                key, ident, Kind.psychiatrist, sign, None, None, OFFICER, tx, office
            )
        )

    @rule(data=st.data(), state=st.sampled_from([State.accepted, State.declined, State.done]))
    def give_opinion(self, data: st.DataObject, state: State) -> None:
        for one in self.of("consultations")[-1:]:
            given = consultations.Given((data.draw(st.sampled_from(list(Opinion))),))
            caller, office = receiver(one["organisation_id"]), self.world.office
            self.ask(
                lambda tx, one=one, given=given, caller=caller, office=office: consultations.answer_consultation(
                    one["_id"], state, "没有医师", given, caller, tx, office
                )
            )

    @rule(data=st.data())
    def ask_for_company(self, data: st.DataObject) -> None:
        referral = data.draw(st.sampled_from(self.of("referrals")))
        at, ident, office = self.world.now + timedelta(days=1), new_id(), self.world.office
        self.ask(lambda tx: referrals_accompanied.ask_for_company(referral["_id"], ident, at, OFFICER, tx, office))

    @rule(caller=st.sampled_from(VOLUNTEERS), verb=st.sampled_from(["accept", "give back", "done", "not done"]))
    def go_along(self, caller: Caller, verb: str) -> None:
        office = self.world.office
        for visit in self.of("accompanied_visits")[-1:]:
            key = visit["_id"]
            match verb:
                case "accept":
                    self.ask(lambda tx, key=key: referrals_accompanied.accept_company(key, caller, tx, office))
                case "give back":
                    self.ask(lambda tx, key=key: referrals_accompanied.give_back_company(key, caller, tx, office))
                case _:
                    done = verb == "done"
                    said = self.ask(
                        lambda tx, key=key, done=done: referrals_accompanied.finish_company(key, done, caller, tx)
                    )
                    assert not said or visit["accepted_by"] == caller.subject

    @rule(hours=st.sampled_from([1, 3, 30, 75]))
    def time_passes(self, hours: int) -> None:
        self.wait(self.world.pass_time(timedelta(hours=hours)))

    @rule(sure=st.integers(0, 4))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.ask(lambda tx: self._close(tx))

    async def _close(self, tx: Any) -> Document:
        office = self.world.office
        return await commands.close(self.key, CaseOutcome.risk_reduced, "会商决定", SUPERVISOR, tx, office)

    def is_open(self) -> bool:
        return bool(self.wait(self.world.case(self.key))["state"] == "open")

    @invariant()
    def nothing_moves_illegally_and_nothing_waits_for_nobody(self) -> None:
        moved = self.world.emitted(ReferralMoved)
        for event in moved[self.told :]:
            assert event.previous == self.known.get(event.referral_id)
            assert event.previous is None or allows(event.previous, event.state)
            self.known[event.referral_id] = event.state
        self.told = len(moved)
        found = self.of("referrals")
        assert {one["_id"]: ReferralState(one["state"]) for one in found} == self.known
        is_open = self.is_open()
        kinds = [one["kind"] for one in found if ReferralState(one["state"]) not in ENDED]
        assert len(kinds) == len(set(kinds)), "one referral of a kind at a time"
        waits = {
            f"referral:{one['_id']}" for one in found if is_open and ReferralState(one["state"]) in WAITING | ACCEPTED
        }
        waits |= {f"consultation:{one['_id']}" for one in self.of("consultations") if State(one["state"]) in CONSULTED}
        waits |= {f"accompanied_visit:{one['_id']}" for one in self.of("accompanied_visits") if one["state"] in VISITS}
        timers = self.wait(self.world.timers())
        ours = {timer for timer in timers if timer.split(":")[0] in ("referral", "consultation", "accompanied_visit")}
        assert ours == waits
        if not is_open:
            assert not waits
            assert not {timer for timer in timers if timer.split(":")[0] not in ("retention",)}


def test_around_a_case_nothing_moves_illegally_and_no_timer_outlives_it(mongod: str) -> None:
    ReferralsAtWork.uri = mongod
    run_state_machine_as_test(
        ReferralsAtWork,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

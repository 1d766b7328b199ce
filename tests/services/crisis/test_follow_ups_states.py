"""Whatever is tried, told and decided, and however late, a follow-up keeps its promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document
from contracts.base import Answer, Tier
from contracts.crisis import FollowUpDue, FollowUpKept, FollowUpMissed
from services.crisis import commands
from services.crisis.case import wishes_of
from services.crisis.domain.follow_up import (
    BY_PHONE,
    MEANING,
    NEXT,
    OPEN,
    AttemptChannel,
    CallBack,
    Ground,
    Outcome,
    Preferences,
    Report,
    State,
    counted,
    is_open,
)
from tests.services.crisis.world import (
    BY_TIER,
    OFFICER,
    OTHER_OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    MovedClock,
    World,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

people = st.integers(1, 2)
CALM = {"act_in_progress": "no", "plan_within_72_hours": "no", "attempt_within_2_weeks": "no"}


class FollowUpsAtWork(RuleBasedStateMachine):
    """Attempts with every outcome, wishes, decisions and time, in any order."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world: World = self.wait(self.open())
        self.known: list[UUID] = []
        self.states: dict[UUID, State] = {}
        self.tiers: dict[UUID, int] = {}

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    async def open(self) -> World:
        world = World(MovedClock(self.uri, "crisis", "test_follow_ups"), shared_keys())
        await make_empty(world.database, self.uri, world.blueprint.collections)
        await world.settle_in()
        return world

    def teardown(self) -> None:
        async def drop() -> None:
            self.world.database.close()

        self.wait(drop())
        self.runner.close()

    def ask(self, what: Callable[[], Awaitable[Any]]) -> bool:
        try:
            self.wait(what())
        except (NotAllowed, NotFound, Refused):
            return False
        return True

    def pick(self, data: st.DataObject) -> Document:
        key = self.known[data.draw(st.integers(0, len(self.known) - 1))]
        return dict(self.wait(self.world.case(key)))

    @rule(number=people, tier=st.sampled_from(Tier), consent=st.sampled_from(Answer))
    def flag(self, number: int, tier: Tier, consent: Answer) -> None:
        case = self.wait(self.world.flag(caller=person(number), consent_to_follow_up=consent, **BY_TIER[tier]))
        self.ask(lambda: self.world.acknowledge(case["_id"]))
        if case["_id"] not in self.known:
            self.known.append(case["_id"])

    @rule(hours=st.sampled_from([1, 4, 26, 24 * 2]))
    def time_passes(self, hours: int) -> None:
        self.wait(self.world.pass_time(timedelta(hours=hours)))

    @rule(hours=st.sampled_from([30, 24 * 20]))
    def nothing_runs_for_a_while(self, hours: int) -> None:
        self.wait(self.world.be_away(timedelta(hours=hours)))

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(Outcome),
        channel=st.sampled_from(AttemptChannel),
        plan=st.sampled_from(Answer),
        consent=st.sampled_from(Answer),
        again=st.integers(1, 30),
    )
    def attempt(
        self,
        data: st.DataObject,
        outcome: Outcome,
        channel: AttemptChannel,
        plan: Answer,
        consent: Answer,
        again: int,
    ) -> None:
        case = self.pick(data)
        opened = [item for item in self.wait(self.world.follow_ups(case["_id"])) if is_open(item)]
        if not opened:
            return
        item = opened[data.draw(st.integers(0, min(1, len(opened) - 1)))]
        said = {**CALM, "plan_within_72_hours": plan, "consent_to_further": consent}
        more: dict[str, Any] = {"channel": channel}
        if outcome is Outcome.reached:
            more["report"] = Report.model_validate(said)
        if outcome is Outcome.asked_to_call_later:
            more["again_at"] = self.world.now + timedelta(hours=again)
        done = self.ask(lambda: self.world.attempt(case["_id"], item["id"], outcome, **more))
        against = channel in BY_PHONE and not wishes_of(case).may_be_phoned
        assert not (done and against), "nobody was called against the wish without a reason"
        if done and outcome is Outcome.reached and plan is Answer.yes:
            assert self.wait(self.world.case(case["_id"]))["rank"] >= Tier.high.rank

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def everybody_answers_to_the_end(self, data: st.DataObject) -> None:
        """A plan that is kept to its last contact: what comes then?"""
        key = self.pick(data)["_id"]
        calm = Report.model_validate(CALM)
        for item in self.wait(self.world.follow_ups(key)):
            ident = item["id"]
            self.ask(partial(self.world.attempt, key, ident, "reached", report=calm, channel=AttemptChannel.visit))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), call_back=st.sampled_from(CallBack), asked=st.booleans(), late=st.booleans())
    def wish(self, data: st.DataObject, call_back: CallBack, asked: bool, late: bool) -> None:
        hours = {"earliest": "19:00", "latest": "21:30"} if late else {}
        wishes = Preferences(call_back=call_back, asked_for_call=asked, **hours)
        key, office = self.pick(data)["_id"], self.world.office
        self.ask(lambda: self.world.do(lambda tx: commands.set_preferences(key, wishes, OFFICER, tx, office)))

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        decision=st.sampled_from(["continue", "visit", "refer", "as_it_is", "another_responder", "end_follow_up"]),
        ground=st.sampled_from(Ground),
        why=st.sampled_from([None, "另有书面说明"]),
    )
    def decide(self, data: st.DataObject, decision: str, ground: Ground, why: str | None) -> None:
        case = self.pick(data)
        about = data.draw(st.sampled_from(case["decisions_needed"])) if case["decisions_needed"] else None
        next_at = self.world.now + timedelta(hours=5)
        proposed = case.get("ending")
        more = {"next_at": next_at, "about": about, "ground": ground, "override_reason": why}
        done = self.ask(lambda: self.world.decide(case["_id"], decision, **more))
        if done and decision == "end_follow_up":
            end = self.wait(self.world.case(case["_id"]))["follow_up_end"]
            assert end["ground"] == ground
            if end["overridden"]:
                assert why
                assert proposed is not None
                assert (proposed["ground"], proposed["by"] != end["by"]) == (ground, True), "two persons answer for it"

    @precondition(lambda self: self.known)
    @rule(data=st.data(), ground=st.sampled_from(Ground), caller=st.sampled_from([OTHER_OFFICER, SUPERVISOR]))
    def propose(self, data: st.DataObject, ground: Ground, caller: Any) -> None:
        key = self.pick(data)["_id"]
        self.ask(lambda: self.world.do(lambda tx: commands.propose_ending(key, ground, "外地就诊", caller, tx)))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), tier=st.sampled_from(Tier))
    def lower(self, data: st.DataObject, tier: Tier) -> None:
        key, office = self.pick(data)["_id"], self.world.office
        self.ask(
            lambda: self.world.do(
                lambda tx: commands.propose_lowering(key, tier, "面谈", OFFICER, tx, self.world.office)
            )
        )
        done = self.ask(
            lambda: self.world.do(lambda tx: commands.agree_to_lower(key, "同意", OTHER_SUPERVISOR, tx, office))
        )
        if done:
            self.tiers[key] = self.wait(self.world.case(key))["rank"]

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        case = self.pick(data)
        self.ask(lambda: self.world.close(case["_id"], OTHER_SUPERVISOR))

    @invariant()
    def the_plans_are_in_order(self) -> None:
        self.wait(self.check())

    async def check(self) -> None:
        world = self.world
        timers = {key for key in await world.timers() if key.startswith("follow_up:")}
        cases = {case["_id"]: case for case in await world.cases()}
        wanted: set[str] = set()
        items: list[Document] = []
        for plan in await world.database.find("plans", {}):
            case, key = cases[plan["_id"]], plan["_id"]
            opened = [item for item in plan["follow_ups"] if is_open(item)]
            items += plan["follow_ups"]
            if opened:
                assert case["state"] == "open", "no contact outlives its case"
                wanted.add(f"follow_up:{key}")
            elif case["state"] == "open":
                assert case["decisions_needed"], "what has no next step waits for a person"
            if case["rank"] < self.tiers.get(key, 0):
                raise AssertionError("no answer of a follow-up lowers a tier")
            self.tiers[key] = case["rank"]
        assert timers == wanted
        for item in items:
            self.fits(item)
        assert len(world.emitted(FollowUpKept)) == sum(item["state"] == State.kept for item in items)
        ended = sum(item["state"] in (State.missed, State.refused) for item in items)
        assert len(world.emitted(FollowUpMissed)) == ended
        begun = {event.follow_up_id for event in world.emitted(FollowUpDue)}
        assert len(begun) == len(world.emitted(FollowUpDue))
        assert {item["id"] for item in items if "window_until" in item} == begun

    def fits(self, item: Document) -> None:
        before, present = self.states.get(item["id"], State.planned), State(item["state"])
        reachable = {before, *NEXT[before]}
        reachable |= {to for step in tuple(reachable) for to in NEXT[step]}
        assert present in reachable, f"{before} -> {present}"
        self.states[item["id"]] = present
        assert counted(item) <= 3
        assert ("ended_at" in item) is (present not in OPEN)
        assert (present is State.kept) is ("report" in item)
        last = item["attempts"][-1]["outcome"] if item["attempts"] else None
        assert (present is State.kept) is (last == Outcome.reached)
        assert (present is State.refused) is (last == Outcome.refused_to_talk)
        for attempt in item["attempts"][:-1]:
            assert MEANING[Outcome(attempt["outcome"])].ends is None, "nothing follows what ends a contact"


def test_a_follow_up_keeps_its_promises_whatever_happens(mongod: str) -> None:
    FollowUpsAtWork.uri = mongod
    run_state_machine_as_test(
        FollowUpsAtWork,
        settings=settings(
            max_examples=5,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

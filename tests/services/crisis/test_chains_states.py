"""Whatever people and time do to a school's or a community's case, in whatever order, some things always hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from contracts.base import Tier
from contracts.crisis import CaseClosed, HopCalled, HopReceived
from contracts.hotline import RiskFlagged
from services.crisis.commands import chains as people
from services.crisis.domain import chains
from services.crisis.domain.chains import HopState
from tests.services.crisis.test_concerns import SCHOOL, a_school
from tests.services.crisis.world import (
    BY_TIER,
    COUNTY,
    HOSPITAL,
    OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    MovedClock,
    World,
    a_flag,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

ROLES = ("community_worker", "class_teacher", "school_counsellor", "receiver", "department")
ORGANISATIONS = {"class_teacher": SCHOOL, "school_counsellor": SCHOOL, "receiver": HOSPITAL}
callers = st.sampled_from(
    [
        Caller(f"{role}-{letter}", frozenset({role}), COUNTY, organisation=str(ORGANISATIONS.get(role, "")) or None)
        for role in ROLES
        for letter in "ab"
    ]
)
SETTINGS = st.sampled_from(
    [
        {"setting": "line"},
        {"setting": "community"},
        {"setting": "school", "organisation_id": SCHOOL},
        {"setting": "school", "organisation_id": SCHOOL, "starts_at": "school-counsellor"},
        {"setting": "school"},
    ]
)


class ChainsAtWork(RuleBasedStateMachine):
    """One person in a school and a community: flags of every setting, hops, officers, and time."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = self.wait(self.open())
        self.events_at_withholding: dict[Any, int] = {}

    async def open(self) -> World:
        database = MovedClock(self.uri, "crisis", "test_chains")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        await a_school(world)
        world.events.clear()
        return world

    def teardown(self) -> None:
        self.wait(self.drop())
        self.runner.close()

    async def drop(self) -> None:
        self.world.database.close()

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    def ask(self, what: Callable[[], Awaitable[Any]]) -> bool:
        """Whether the office let it happen."""
        try:
            self.wait(what())
        except (NotAllowed, NotFound, Refused):
            return False
        return True

    def cases(self) -> list[dict[str, Any]]:
        return list(self.wait(self.world.cases()))

    @rule(tier=st.sampled_from(list(Tier)), setting=SETTINGS, consent=st.sampled_from(["yes", "no", "not_asked"]))
    def a_flag_comes(self, tier: Tier, setting: dict[str, Any], consent: str) -> None:
        said = {"consent_to_follow_up": consent, **BY_TIER[tier], **setting}
        flag: RiskFlagged = a_flag(caller=person(), moment=self.world.now, **said)
        self.wait(self.world.take(flag))
        case = self.wait(self.world.case_of(flag.id))
        if case["chain"] and case["chain"]["withheld"]:
            self.events_at_withholding.setdefault(case["_id"], len(self.world.events))

    @precondition(lambda self: self.cases())
    @rule(caller=callers)
    def somebody_receives(self, caller: Caller) -> None:
        key = self.cases()[-1]["_id"]
        self.ask(lambda: self.world.do(lambda tx: people.receive(key, caller, tx, self.world.office)))

    @precondition(lambda self: self.cases())
    @rule(caller=callers)
    def somebody_passes_on(self, caller: Caller) -> None:
        key = self.cases()[-1]["_id"]
        before = self.wait(self.world.case(key))
        if self.ask(lambda: self.world.do(lambda tx: people.pass_on(key, "需要", caller, tx, self.world.office))):
            assert before["chain"]["holder"] == caller.subject

    @precondition(lambda self: self.cases())
    @rule()
    def an_officer_acknowledges(self) -> None:
        key = self.cases()[-1]["_id"]
        self.ask(lambda: self.world.acknowledge(key, OFFICER))

    @precondition(lambda self: self.cases())
    @rule(caller=st.sampled_from([SUPERVISOR, OTHER_SUPERVISOR]))
    def a_supervisor_closes(self, caller: Caller) -> None:
        key = self.cases()[-1]["_id"]
        self.ask(lambda: self.world.close(key, caller))

    def referred(self, case: dict[str, Any]) -> bool:
        return case["referral_id"] is not None and f"referral:{case['referral_id']}" in self.wait(self.world.timers())

    @rule(minutes=st.sampled_from([3, 40, 300, 3000]))
    def time_passes(self, minutes: int) -> None:
        self.wait(self.world.pass_time(timedelta(minutes=minutes)))

    @rule(hours=st.sampled_from([5, 100]))
    def nothing_runs_for_a_while(self, hours: int) -> None:
        self.wait(self.world.be_away(timedelta(hours=hours)))

    @invariant()
    def somebody_is_called_or_has_it(self) -> None:
        timers = self.wait(self.world.timers())
        for case in self.cases():
            key, chain = case["_id"], case["chain"]
            called = chain is not None and bool(chain["called"])
            if case["state"] != "open":
                assert not any(str(key) in timer and not timer.startswith("retention") for timer in timers)
                assert not called
                assert chain is None or chain["holder"] is None
                continue
            held = chain is not None and any(
                hop["state"] == "received" and hop["hold_until"] is not None for hop in chain["hops"]
            )
            if not held:
                assert (f"hop:{key}" in timers) == called
            assert (f"acknowledgement:{key}" in timers) == (case["acknowledgement"]["state"] == "waiting")
            if case["acknowledgement"]["state"] == "chain":
                assert f"hop:{key}" in timers, "only the chain holds it: its clock runs, whoever is called or has it"
            waits = {f"{kind}:{key}" for kind in ("hop", "acknowledgement", "emergency", "follow_up")} & timers
            assert waits or case["decisions_needed"] or self.referred(case), "nothing is to come, and nobody is asked"
            if case["tier"] in ("high", "imminent"):
                assert case["acknowledgement"]["state"] != "chain", "what cannot wait is with the line"
            if chain is not None:
                holding = [hop for hop in chain["hops"] if HopState(hop["state"]) in chains.HELD]
                assert len(holding) <= 1
                assert all(hop["received_by"] and hop["received_at"] for hop in holding)

    @invariant()
    def each_receipt_has_a_name_and_follows_a_call(self) -> None:
        events = self.world.events
        for place, event in enumerate(events):
            if isinstance(event, HopReceived):
                assert any(
                    isinstance(before, HopCalled) and (before.case_id, before.hop) == (event.case_id, event.hop)
                    for before in events[: place + 1]
                )
            if isinstance(event, CaseClosed):
                after = [one for one in events[place:] if isinstance(one, HopCalled) and one.case_id == event.case_id]
                assert after == [], "nobody is called to a case that is over"

    @invariant()
    def the_class_is_never_called_to_what_is_withheld(self) -> None:
        for key, since in self.events_at_withholding.items():
            for event in self.world.events[since:]:
                if isinstance(event, HopCalled) and event.case_id == key:
                    assert event.role != "class-teacher"


def test_a_case_is_always_in_somebodys_hands(mongod: str) -> None:
    ChainsAtWork.uri = mongod
    run_state_machine_as_test(
        ChainsAtWork,
        settings=settings(
            max_examples=5,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Whatever people and time do to a case, and in whatever order, some things always hold."""

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
from chassis.tx import ZERO, Document, entry_hash
from contracts.base import Answer, Tier
from contracts.crisis import (
    CaseClosed,
    CaseOpened,
    EmergencyService,
    FollowUpsPlanned,
    ReferralMoved,
    ReferralState,
    RiskLowered,
    RiskRaised,
)
from services.crisis import commands
from services.crisis.domain.follow_up import Ground
from services.crisis.domain.referral import ACCEPTED, WAITING, allows
from tests.services.crisis.world import (
    BY_TIER,
    OFFICER,
    OTHER_OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    MovedClock,
    World,
    a_flag,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

people = st.integers(1, 3)
officers = st.sampled_from([OFFICER, OTHER_OFFICER, SUPERVISOR, OTHER_SUPERVISOR])
supervisors = st.sampled_from([SUPERVISOR, OTHER_SUPERVISOR])
tiers = st.sampled_from(list(Tier))
grounds = st.sampled_from(list(Ground))
decisions = st.sampled_from(["continue", "refer", "end_follow_up", "as_it_is", "done"])
UNCONFIRMED = ("required", "called", "unconfirmed")


class OfficeAtWork(RuleBasedStateMachine):
    """Flags, people and time, in any order. What the office refuses must change nothing."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = self.wait(self.open())
        self.taken: dict[str, str] = {}  # flag -> person
        self.referred: dict[Any, ReferralState] = {}
        self.events = 0

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    async def open(self) -> World:
        database = MovedClock(self.uri, "crisis", "test_states")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        world.events.clear()
        return world

    def teardown(self) -> None:
        self.wait(self.drop())
        self.runner.close()

    async def drop(self) -> None:
        self.world.database.close()

    def case_of(self, number: int) -> Document:
        """The newest case of a person."""
        found = self.wait(self.world.database.find("cases", {"person": person(number)}, sort=[("opened_at", -1)]))
        return dict(found[0])

    def ask(self, what: Callable[[], Awaitable[Any]]) -> bool:
        """Whether the office let it happen."""
        try:
            self.wait(what())
        except (NotAllowed, NotFound, Refused):
            return False
        return True

    # What comes in

    @rule(flags=st.lists(st.tuples(people, tiers, st.sampled_from(list(Answer))), min_size=1, max_size=4))
    def flags_come_in(self, flags: list[tuple[int, Tier, Answer]]) -> None:
        group = [
            a_flag(caller=person(number), consent_to_follow_up=consent, **BY_TIER[tier])
            for number, tier, consent in flags
        ]
        self.wait(self.world.take(*group))
        self.taken |= {str(flag.id): str(flag.caller) for flag in group}

    @rule(minutes=st.sampled_from([3, 12, 31]))
    def time_passes(self, minutes: int) -> None:
        self.wait(self.world.pass_time(timedelta(minutes=minutes)))

    @rule(hours=st.sampled_from([3, 25, 49, 800]))
    def nothing_runs_for_a_while(self, hours: int) -> None:
        self.wait(self.world.be_away(timedelta(hours=hours)))

    # What people do

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), caller=officers)
    def acknowledge(self, data: st.DataObject, caller: Caller) -> None:
        case = self.pick(data)
        self.ask(lambda: self.world.acknowledge(case["_id"], caller))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), tier=tiers, caller=officers)
    def raise_risk(self, data: st.DataObject, tier: Tier, caller: Caller) -> None:
        case = self.pick(data)
        office = self.world.office
        done = self.ask(
            lambda: self.world.do(lambda tx: commands.raise_risk(case["_id"], tier, "面谈", caller, tx, office))
        )
        assert done is (case["state"] == "open" and tier.rank > case["rank"])

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), tier=tiers, caller=officers)
    def propose(self, data: st.DataObject, tier: Tier, caller: Caller) -> None:
        case = self.pick(data)
        self.ask(
            lambda: self.world.do(
                lambda tx: commands.propose_lowering(case["_id"], tier, "面谈", caller, tx, self.world.office)
            )
        )

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), proposer=officers, caller=supervisors)
    def propose_and_agree(self, data: st.DataObject, proposer: Caller, caller: Caller) -> None:
        case = self.pick(data)
        key, office = case["_id"], self.world.office
        lower = data.draw(st.sampled_from([tier for tier in Tier if tier.rank < case["rank"]] or list(Tier)))
        self.ask(
            lambda: self.world.do(
                lambda tx: commands.propose_lowering(key, lower, "面谈", proposer, tx, self.world.office)
            )
        )
        case = self.wait(self.world.case(key))
        done = self.ask(lambda: self.world.do(lambda tx: commands.agree_to_lower(key, "同意", caller, tx, office)))
        proposed = case["lowering"]
        assert not done or (proposed and proposed["by"] != caller.subject)
        assert not done or case["emergency"]["state"] not in UNCONFIRMED

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), caller=officers, step=st.sampled_from(["call", "confirm", "stand down"]))
    def emergency(self, data: st.DataObject, caller: Caller, step: str) -> None:
        case = self.pick(data)
        key, office = case["_id"], self.world.office
        service = EmergencyService.ambulance_120
        match step:
            case "call":
                self.ask(lambda: self.world.do(lambda tx: commands.call_emergency(key, service, caller, tx, office)))
            case "confirm":
                self.ask(lambda: self.world.do(lambda tx: commands.confirm_emergency(key, caller, tx)))
            case "stand down":
                done = self.ask(lambda: self.world.do(lambda tx: commands.stand_down(key, "误报", caller, tx)))
                assert not done or case["acknowledgement"]["by"] not in (None, caller.subject)

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), caller=officers)
    def refer(self, data: st.DataObject, caller: Caller) -> None:
        case = self.pick(data)
        self.ask(lambda: self.world.refer(case["_id"], caller=caller))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), state=st.sampled_from(list(ReferralState)))
    def answer(self, data: st.DataObject, state: ReferralState) -> None:
        case = self.pick(data)
        if case["referral_id"] is None:
            return
        referral = self.wait(self.world.referral(case["_id"]))
        at = self.world.now + timedelta(days=1)
        self.ask(lambda: self.world.answer(referral, state, at=at))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), caller=officers)
    def cancel_referral(self, data: st.DataObject, caller: Caller) -> None:
        case = self.pick(data)
        self.ask(lambda: self.world.do(lambda tx: commands.cancel_referral(case["_id"], "不再需要", caller, tx)))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), outcome=st.sampled_from(["reached", "no_answer", "refused_to_talk"]), place=st.integers(0, 9))
    def attempt(self, data: st.DataObject, outcome: str, place: int) -> None:
        case = self.pick(data)
        items = self.wait(self.world.follow_ups(case["_id"]))
        opened = [item for item in items if item["state"] in ("planned", "due")]
        if opened:
            item = opened[place % len(opened)]
            self.ask(lambda: self.world.attempt(case["_id"], item["id"], outcome))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), decision=decisions, ground=grounds)
    def decide(self, data: st.DataObject, decision: str, ground: Ground) -> None:
        case = self.pick(data)
        about = next(iter(case["decisions_needed"]), None)
        next_at = self.world.now + timedelta(hours=5)
        self.ask(lambda: self.world.decide(case["_id"], decision, next_at=next_at, about=about, ground=ground))

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), officer=officers, caller=supervisors, referred=st.booleans())
    def take_and_close(self, data: st.DataObject, officer: Caller, caller: Caller, referred: bool) -> None:
        key = self.pick(data)["_id"]
        self.ask(lambda: self.world.acknowledge(key, officer))
        if referred:
            self.ask(lambda: self.world.refer(key))
        case = self.wait(self.world.case(key))
        done = self.ask(lambda: self.world.close(key, caller))
        taken_by = case["acknowledgement"]["by"]
        assert not done or (taken_by and case["emergency"]["state"] not in UNCONFIRMED)
        assert not done or case["rank"] < Tier.high.rank or taken_by != caller.subject

    def pick(self, data: st.DataObject) -> Document:
        known = sorted({int(pseudonym, 16) for pseudonym in self.taken.values()})
        return self.case_of(data.draw(st.sampled_from(known)))

    # What always holds

    @invariant()
    def the_books_are_in_order(self) -> None:
        self.wait(self.check())

    async def check(self) -> None:
        world = self.world
        cases = {case["_id"]: case for case in await world.cases()}
        plans = {plan["_id"]: plan for plan in await world.database.find("plans", {})}
        referrals = {one["_id"]: one for one in await world.database.find("referrals", {})}
        timers = await world.timers()
        self.every_flag_has_one_case(cases)
        await self.each_person_has_one_open_case(cases)
        for case in cases.values():
            self.timers_fit(case, plans.get(case["_id"]), referrals, timers)
            self.somebody_has_the_next_step(case, plans.get(case["_id"]), referrals)
            self.what_the_tier_asks_for_is_there(case, plans.get(case["_id"]), referrals)
        orphans = timers - {f"{kind}:{key}" for key in cases for kind in ("acknowledgement", "emergency", "follow_up")}
        tellings = await world.database.find("tellings", {})
        orphans -= {f"telling:{one['_id']}" for one in tellings if cases[one["case_id"]]["state"] == "open"}
        orphans -= {f"retention:{key}" for key, case in cases.items() if case["state"] == "closed"}
        assert orphans <= {f"referral:{key}" for key in referrals}
        self.events_fit(cases, await self.audit_log_holds())

    def every_flag_has_one_case(self, cases: dict[Any, Document]) -> None:
        rows = [(str(row["id"]), case["person"]) for case in cases.values() for row in case["flags"]]
        assert sorted(rows) == sorted(self.taken.items())

    async def each_person_has_one_open_case(self, cases: dict[Any, Document]) -> None:
        opened = [(case["person"], case["_id"]) for case in cases.values() if case["state"] == "open"]
        persons = [(row["_id"], row["case_id"]) for row in await self.world.database.find("persons", {})]
        assert sorted(opened) == sorted(row for row in persons if row[1] is not None)
        assert len({one for one, _ in opened}) == len(opened)

    def timers_fit(
        self, case: Document, plan: Document | None, referrals: dict[Any, Document], timers: set[str]
    ) -> None:
        """What waits has a timer, and nothing else has: no silence, and no call for nothing."""
        key, is_open = case["_id"], case["state"] == "open"
        follow_ups = plan["follow_ups"] if plan else []
        waits = {
            f"acknowledgement:{key}": is_open and case["acknowledgement"]["state"] == "waiting",
            f"emergency:{key}": is_open and case["emergency"]["state"] in UNCONFIRMED,
            f"follow_up:{key}": any(item["state"] in ("planned", "due") for item in follow_ups),
        }
        for referral in referrals.values():
            if referral["case_id"] == key:
                waits[f"referral:{referral['_id']}"] = is_open and referral["state"] in WAITING | ACCEPTED
        assert {timer: timer in timers for timer in waits} == waits
        assert is_open or not any(waits.values())

    def somebody_has_the_next_step(self, case: Document, plan: Document | None, referrals: dict[Any, Document]) -> None:
        """Nobody is forgotten: an open case waits for a clock, a contact, an institution, or a person's decision."""
        if case["state"] != "open":
            return
        referral = referrals.get(case["referral_id"])
        assert (
            case["acknowledgement"]["state"] == "waiting"
            or case["emergency"]["state"] in UNCONFIRMED
            or case["decisions_needed"]
            or (plan is not None and any(item["state"] in ("planned", "due") for item in plan["follow_ups"]))
            or (referral is not None and referral["state"] in WAITING | ACCEPTED)
        ), "nothing is to come, and nobody is asked"

    def what_the_tier_asks_for_is_there(
        self, case: Document, plan: Document | None, referrals: dict[Any, Document]
    ) -> None:
        tier, policy = Tier(case["tier"]), self.world.office.policies.of(case["policy"])
        assert case["rank"] == tier.rank
        highest = max((Tier(row["tier"]).rank for row in case["flags"]), default=0)
        lowered = any(line["kind"] == "lowered" for line in case["timeline"])
        assert lowered or case["rank"] >= highest
        if case["state"] != "open":
            return
        if tier in policy.referral.tiers:
            assert referrals[case["referral_id"]]["case_id"] == case["_id"]
            assert case["responder"]["state"] != "none"
        if policy.follow_up[tier].consent == "always":
            assert plan is not None
            assert len(plan["follow_ups"]) >= len(policy.follow_up[tier].hours)
        if tier is Tier.imminent:
            assert case["emergency"]["state"] != "none"

    async def audit_log_holds(self) -> list[Document]:
        entries: list[Document] = await self.world.audit_log()
        previous = ZERO
        for number, entry in enumerate(entries, 1):
            assert (entry["_id"], entry["previous"], entry["hash"]) == (number, previous, entry_hash(entry))
            previous = entry["hash"]
        return entries

    def events_fit(self, cases: dict[Any, Document], entries: list[Document]) -> None:
        """A reader who has nothing but the events knows each case's tier and state, and each referral's."""
        world = self.world
        for moved in world.emitted(ReferralMoved)[self.events :]:
            assert moved.previous == self.referred.get(moved.referral_id)
            assert moved.previous is None or allows(moved.previous, moved.state)
            self.referred[moved.referral_id] = moved.state
        self.events = len(world.emitted(ReferralMoved))
        tiers: dict[Any, Tier] = {event.case_id: event.tier for event in world.emitted(CaseOpened)}
        assert len(tiers) == len(world.emitted(CaseOpened)) == len(cases)
        for event in world.events:
            if isinstance(event, (RiskRaised, RiskLowered)):
                assert tiers[event.case_id] is event.previous
                assert (event.tier.rank > event.previous.rank) is isinstance(event, RiskRaised)
                tiers[event.case_id] = event.tier
        assert tiers == {key: Tier(case["tier"]) for key, case in cases.items()}
        closed = [event.case_id for event in world.emitted(CaseClosed)]
        assert sorted(closed) == sorted(key for key, case in cases.items() if case["state"] == "closed")
        changes = [(entry["subject"], entry["details"]["tier"]) for entry in entries if "risk_" in entry["action"]]
        told = [(str(e.case_id), e.tier.value) for e in world.events if isinstance(e, (RiskRaised, RiskLowered))]
        assert changes == told
        for entry in entries:
            assert entry["reason"]
            if entry["action"] == "risk_lowered":
                assert entry["actor"] != entry["details"]["proposed_by"]
                assert entry["details"]["proposed_because"]
        assert all(len(event.due) <= 64 for event in world.emitted(FollowUpsPlanned))


def test_the_office_keeps_its_promises_whatever_happens(mongod: str) -> None:
    OfficeAtWork.uri = mongod
    run_state_machine_as_test(
        OfficeAtWork,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

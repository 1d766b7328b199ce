"""Who has which case, through taking, handing over, moving, merging and parting in any order: always somebody who may
see it, or nobody, and then it is found by whoever asks for the next, or a clock that has a name runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import (
    CaseAcknowledged,
    CaseClosed,
    CaseOpened,
    CasesMerged,
    CaseSplit,
    CaseTransferred,
    EmergencyService,
    HandOverOverdue,
    HopCalled,
    RiskLowered,
    RiskRaised,
)
from services.crisis import commands
from services.crisis.case import CASE_TIMERS
from services.crisis.commands import minors, queue, shifts, shifts_hand_over, transfers
from services.crisis.commands.chains import hops_of
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import split
from services.crisis.commands.retention import hold, release_hold
from services.crisis.commands.retention_erasing import held
from services.crisis.commands.rights import Access, trusted
from services.crisis.commands.urgent import Handled, UrgentReason, put_urgent, take_off
from services.crisis.domain import chains
from services.crisis.domain.referral import ACCEPTED, WAITING
from services.crisis.domain.transfer import owner_of
from services.crisis.store.queue import QUEUE_ORDER, waiting
from tests.services.crisis.test_concerns import SCHOOL, a_school
from tests.services.crisis.world import (
    BY_TIER,
    COUNTY,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    SUPERVISOR,
    TOWN,
    MovedClock,
    World,
    a_flag,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

VILLAGES = (f"{TOWN}001", f"{TOWN}002")
DUTY, WATCH = frozenset({"duty_officer"}), frozenset({"supervisor"})
THERE, BOSS_THERE = Caller("officer-there", DUTY, NEIGHBOUR), Caller("supervisor-there", WATCH, NEIGHBOUR)
IN_CITY, BOSS_IN_CITY = Caller("officer-city", DUTY, "3708"), Caller("supervisor-city", WATCH, "3708")
IN_VILLAGES = [Caller(f"officer-{place[-1]}", DUTY, place) for place in VILLAGES]
PEOPLE = [OFFICER, OTHER_OFFICER, SUPERVISOR, THERE, BOSS_THERE, IN_CITY, BOSS_IN_CITY, *IN_VILLAGES]
BY_NAME = {one.subject: one for one in PEOPLE}
PRIVACY = [Caller(f"privacy-{name}", frozenset({"privacy_officer"}), "3708") for name in "ab"]
TEACHER = Caller("class_teacher-a", frozenset({"class_teacher"}), COUNTY, organisation=str(SCHOOL))
PLACES = [COUNTY, *VILLAGES, NEIGHBOUR]
UNCONFIRMED = ("required", "called", "unconfirmed")

anybody = st.sampled_from(PEOPLE)


class HoldersAtWork(RuleBasedStateMachine):
    """Three people who are known and some who are not, four offices, and those who work there."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = self.wait(self.open())
        self.withheld: set[UUID] = set()
        self.strict: set[UUID] = set()
        self.under_hold: set[UUID] = set()
        self.told = 0
        self.tiers: dict[UUID, Tier] = {}
        self.offices: dict[UUID, str] = {}
        self.holders: dict[UUID, tuple[Any, Any]] = {}

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    async def open(self) -> World:
        database = MovedClock(self.uri, "crisis", "test_holders")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        await a_school(world)
        world.events.clear()
        return world

    def teardown(self) -> None:
        self.world.database.close()
        self.runner.close()

    def ask(self, what: Callable[[Tx], Awaitable[Any]]) -> Any:
        """What came of it; None where the office did not let it happen."""
        try:
            return self.wait(self.world.do(what))
        except (NotAllowed, NotFound, Refused):
            return None

    def ask_about(self, case: Document, caller: Caller, what: Callable[[Tx], Awaitable[Any]]) -> Any:
        """The same for what only those may do who see the case."""
        done = self.ask(what)
        assert done is None or self.may_see(case, caller), "only who sees a case does anything to it"
        return done

    def may_see(self, case: Document, caller: Caller) -> bool:
        return caller.sees(case["division"]) and trusted(case, caller)

    def of(self, collection: str, **query: Any) -> list[Document]:
        return list(self.wait(self.world.database.find(collection, query, sort=[("_id", 1)])))

    def pick(self, data: st.DataObject) -> Document:
        """Open ones mostly."""
        found = self.of("cases", state="open") or self.of("cases")
        case: Document = data.draw(st.sampled_from(found))
        return case

    # What comes in

    @initialize(
        officers=st.lists(anybody, min_size=2, max_size=2), places=st.lists(st.sampled_from(PLACES), min_size=2)
    )
    def a_day_has_begun(self, officers: list[Caller], places: list[str]) -> None:
        """Some are at work, and some hold a case."""
        for number, place in enumerate(places[:3], 1):
            self.a_flag_comes(number, Tier.imminent if number == 3 else Tier.moderate, place, False)
        for caller in officers:
            self.come_to_work(caller, 8)
            self.next_case(caller)

    @rule(
        number=st.integers(0, 3), tier=st.sampled_from(list(Tier)), place=st.sampled_from(PLACES), child=st.booleans()
    )
    def a_flag_comes(self, number: int, tier: Tier, place: str, child: bool) -> None:
        said: dict[str, Any] = {"caller": person(number) if number else None, **BY_TIER[tier]}
        if child:
            said["age_band"] = "under_14"
        flag = a_flag(place[:6], **said, division=place if len(place) > 6 else None)
        self.wait(self.world.take(flag))
        if child:
            self.strict.add(flag.id)

    @rule(number=st.integers(0, 3), withheld=st.booleans())
    def a_school_warns(self, number: int, withheld: bool) -> None:
        start = "school-counsellor" if withheld else None
        said: dict[str, Any] = {"way": "school_warning", "setting": "school", "organisation_id": SCHOOL}
        flag = a_flag(caller=person(number) if number else None, starts_at=start, **said, **BY_TIER[Tier.low])
        self.wait(self.world.take(flag))
        if withheld:
            self.withheld.add(flag.id)

    @rule(minutes=st.sampled_from([5, 40, 600, 4000]))
    def time_passes(self, minutes: int) -> None:
        self.wait(self.world.pass_time(timedelta(minutes=minutes)))

    # Who takes it

    @precondition(lambda self: self.tiers)
    @rule(caller=anybody)
    def next_case(self, caller: Caller) -> None:
        self.ask(lambda tx: queue.take_next(new_id(), caller, tx, self.world.office))

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=anybody)
    def take_this_one(self, data: st.DataObject, caller: Caller) -> None:
        case = self.pick(data)
        self.ask_about(case, caller, lambda tx: queue.acknowledge(case["_id"], caller, tx, self.world.office))

    @rule(caller=anybody, hours=st.sampled_from([2, 8]))
    def come_to_work(self, caller: Caller, hours: int) -> None:
        ident, now = new_id(), self.world.now
        said: Document = {
            "division": caller.division,
            "person": caller.subject,
            "role": min(caller.roles),
            "starts_at": now,
            "ends_at": now + timedelta(hours=hours),
            "hotline_id": None,
            "qualification": None,
        }
        boss = BOSS_IN_CITY
        if self.ask(lambda tx: shifts.put_shift(ident, said, boss, tx, self.world.office)):
            assert self.ask(lambda tx: shifts.start_shift(ident, caller, tx, self.world.office))

    @precondition(lambda self: self.of("shifts", state="on"))
    @rule(data=st.data())
    def go_home(self, data: st.DataObject) -> None:
        shift = data.draw(st.sampled_from(self.of("shifts", state="on")))
        who = BY_NAME[shift["person"]]
        if not self.ask(lambda tx: shifts.end_shift(shift["_id"], who, tx, self.world.office)):
            return
        offered = {row["case_id"] for one in self.of("hand_overs", state="offered") for row in one["cases"]}
        for case in self.of("cases", state="open", held_by=who.subject):
            left = case["emergency"]["state"] in UNCONFIRMED and case["_id"] not in offered
            assert not left, "nobody goes home with an act in progress that nobody is offered"

    @precondition(lambda self: self.of("shifts"))
    @rule(data=st.data(), to=anybody, by_boss=st.sampled_from([None, None, SUPERVISOR, BOSS_THERE]), some=st.booleans())
    def hand_over(self, data: st.DataObject, to: Caller, by_boss: Caller | None, some: bool) -> None:
        shift = data.draw(st.sampled_from(self.of("shifts")))
        caller, cases, office = by_boss or BY_NAME[shift["person"]], None, self.world.office
        if some:
            found = [one["_id"] for one in self.of("cases", state="open", held_by=shift["person"])]
            cases = [data.draw(st.sampled_from(found))] if found else None
        offered = self.ask(
            lambda tx: shifts_hand_over.hand_over(shift["_id"], new_id(), to.subject, cases, {}, caller, tx, office)
        )
        for row in offered["cases"] if offered else ():
            assert self.may_see(self.wait(self.world.case(row["case_id"])), caller), "nobody gives what they cannot see"

    @precondition(lambda self: self.of("hand_overs", state="offered"))
    @rule(data=st.data(), yes=st.sampled_from([True, True, False]))
    def answer_hand_over(self, data: st.DataObject, yes: bool) -> None:
        offered = data.draw(st.sampled_from(self.of("hand_overs", state="offered")))
        who, key, office = BY_NAME[offered["to"]], offered["_id"], self.world.office
        if not yes:
            self.ask(lambda tx: shifts_hand_over.decline(key, who, tx, office))
            return
        done = self.ask(lambda tx: shifts_hand_over.accept(key, who, tx))
        entries = self.of("audit_log", action="case_handed_over")
        for row in done["cases"] if done else ():
            if row["taken"]:
                case = self.goes_on(row["case_id"], {one["_id"]: one for one in self.of("cases")})
                assert case["held_by"] == who.subject
                assert str(case["_id"]) in {one["subject"] for one in entries}

    # Where it goes

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=anybody, to=st.sampled_from(PLACES))
    def ask_another_office(self, data: st.DataObject, caller: Caller, to: str) -> None:
        case = self.pick(data)
        key, office = case["_id"], self.world.office
        self.ask_about(
            case,
            caller,
            lambda tx: transfers.request_transfer(key, new_id(), to, None, "已迁居", None, caller, tx, office),
        )

    @precondition(lambda self: self.of("transfers", state="requested"))
    @rule(data=st.data(), caller=anybody, verb=st.sampled_from(["accept", "accept", "accept", "decline", "withdraw"]))
    def answer_transfer(self, data: st.DataObject, caller: Caller, verb: str) -> None:
        asked = data.draw(st.sampled_from(self.of("transfers", state="requested")))
        key, case = asked["_id"], self.wait(self.world.case(asked["case_id"]))
        match verb:
            case "accept":
                self.ask(lambda tx: transfers.accept_transfer(key, caller, tx, self.world.office))
            case "decline":
                self.ask(lambda tx: transfers.decline_transfer(key, "人手不足", caller, tx, self.world.office))
            case "withdraw":
                self.ask_about(
                    case, caller, lambda tx: transfers.withdraw_transfer(key, "不再需要", caller, tx, self.world.office)
                )
        ended = self.wait(self.world.database.get("transfers", key))
        if ended["state"] != "requested":
            action = "case_transferred" if ended["state"] == "accepted" else f"transfer_{ended['state']}"
            told = self.of("audit_log", subject=str(asked["case_id"]), action=action, actor=caller.subject)
            assert told, "it is written down who did it"
        if ended["state"] == "accepted":
            clock = self.wait(self.world.case(asked["case_id"]))["acknowledgement"]
            assert clock["state"] == "waiting" or clock["by"] == caller.subject, "the new office has it, or is called"

    @precondition(lambda self: len(self.of("cases", state="open")) > 1)
    @rule(data=st.data(), caller=st.sampled_from([SUPERVISOR, BOSS_IN_CITY, BOSS_IN_CITY, OFFICER]))
    def merged(self, data: st.DataObject, caller: Caller) -> None:
        gone, case = self.pick(data), self.pick(data)
        key, into = gone["_id"], case["_id"]
        self.ask_about(gone, caller, lambda tx: merge(key, into, "同一人", caller, tx, self.world.office))
        after = self.wait(self.world.case(into))
        assert after["rank"] >= case["rank"]

    @precondition(lambda self: any(len(one["flags"]) > 1 for one in self.of("cases", state="open")))
    @rule(data=st.data(), caller=st.sampled_from([SUPERVISOR, BOSS_IN_CITY, OFFICER, THERE]))
    def parted(self, data: st.DataObject, caller: Caller) -> None:
        found = [one for one in self.of("cases", state="open") if len(one["flags"]) > 1]
        case = data.draw(st.sampled_from(found))
        chosen = data.draw(st.sets(st.sampled_from([row["id"] for row in case["flags"]]), min_size=1))
        key, office = case["_id"], self.world.office
        done = self.ask_about(case, caller, lambda tx: split(key, new_id(), chosen, "另一人", caller, tx, office))
        if done:
            assert done["rank"] >= max(Tier(row["tier"]).rank for row in done["flags"])
            assert self.wait(self.world.case(key))["rank"] == case["rank"], "what stays keeps its tier"
            if case.get("access") == Access.strict:
                assert done["access"] == Access.strict

    # What else happens to it

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), first=anybody, second=anybody, tier=st.sampled_from(list(Tier)))
    def another_tier(self, data: st.DataObject, first: Caller, second: Caller, tier: Tier) -> None:
        case = self.pick(data)
        key, office = case["_id"], self.world.office
        if tier.rank > case["rank"]:
            self.ask_about(case, first, lambda tx: commands.raise_risk(key, tier, "面谈", first, tx, office))
            return
        self.ask_about(
            case, first, lambda tx: commands.propose_lowering(key, tier, "面谈", first, tx, self.world.office)
        )
        case = self.wait(self.world.case(key))
        done = self.ask_about(case, second, lambda tx: commands.agree_to_lower(key, "同意", second, tx, office))
        assert done is None or case["lowering"]["by"] != second.subject

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=anybody, kind=st.sampled_from(list(Access)))
    def another_class(self, data: st.DataObject, caller: Caller, kind: Access) -> None:
        case = self.pick(data)
        key, office, strict = case["_id"], self.world.office, kind is Access.strict
        done = self.ask_about(
            case, caller, lambda tx: minors.set_access_class(key, strict, None, "特殊人群", caller, tx, office)
        )
        if done and not strict:
            assert caller.roles & WATCH or case["access"] != Access.strict
            assert not done["under_14"]

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=anybody, on=st.booleans())
    def urgent(self, data: st.DataObject, caller: Caller, on: bool) -> None:
        case = self.pick(data)
        key, office, why = case["_id"], self.world.office, UrgentReason.means_at_hand
        if on:
            self.ask_about(case, caller, lambda tx: put_urgent(key, why, caller, tx, office))
        else:
            self.ask_about(case, caller, lambda tx: take_off(key, Handled.handled, caller, tx))

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=st.sampled_from(PRIVACY), on=st.sampled_from([True, True, False]))
    def legal_hold(self, data: st.DataObject, caller: Caller, on: bool) -> None:
        key = self.pick(data)["_id"]
        if on and self.ask(lambda tx: hold(key, "法院来函", caller, tx)):
            self.under_hold.add(key)
        if not on and self.ask(lambda tx: release_hold(key, "案件了结", caller, tx)):
            self.under_hold.discard(key)

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=anybody)
    def help_arrives(self, data: st.DataObject, caller: Caller) -> None:
        case = self.pick(data)
        key, office, service = case["_id"], self.world.office, EmergencyService.ambulance_120
        self.ask_about(case, caller, lambda tx: commands.call_emergency(key, service, caller, tx, office))
        self.ask_about(case, caller, lambda tx: commands.confirm_emergency(key, caller, tx))

    @precondition(lambda self: self.tiers)
    @rule(data=st.data(), caller=st.sampled_from([SUPERVISOR, BOSS_THERE, BOSS_IN_CITY]))
    def it_ends(self, data: st.DataObject, caller: Caller) -> None:
        key = self.pick(data)["_id"]
        try:
            self.wait(self.world.close(key, caller))
        except (NotAllowed, NotFound, Refused):
            return

    # What always holds

    def goes_on(self, key: UUID, by_id: dict[UUID, Document]) -> Document:
        """The case that everything of this one is in by now."""
        while by_id[key]["state"] == "merged":
            key = by_id[key]["merged_into"]
        return by_id[key]

    @invariant()
    def the_books_are_in_order(self) -> None:
        self.wait(self.check())

    async def check(self) -> None:
        cases = {case["_id"]: case for case in await self.world.cases()}
        timers = await self.world.timers()
        offers = {one["_id"]: one for one in await self.world.database.find("hand_overs", {})}
        if self.events_fit(cases, offers):
            await self.two_persons_lowered()
        for case in cases.values():
            if case["state"] != "open":
                over = {f"{kind}:{case['_id']}" for kind in (*CASE_TIMERS, "urgent")}
                assert not timers & over, "no timer outlives its case"
                continue
            self.somebody_has_it(case)
            await self.nothing_waits_for_nobody(case, timers)
            self.readers_stay_the_same(case)
        await self.the_next_case_is_the_next(cases)
        await self.what_is_asked_is_of_open_cases(cases, timers)
        self.the_class_was_not_told(cases, await self.world.do(lambda tx: hops_of(TEACHER, 200, tx)))
        for key in self.under_hold:
            case = self.goes_on(key, cases)
            assert await self.world.do(lambda tx, case=case: held([case], tx)), "what is held stays so"

    def somebody_has_it(self, case: Document) -> None:
        clock, holder = case["acknowledgement"], case.get("held_by")
        assert owner_of(case)["division"] == case["division"], "one office owns it"
        if clock["state"] == "acknowledged":
            assert holder == clock["by"], "who has acknowledged it holds it"
        else:
            assert clock["by"] is None
        assert holder is None or self.may_see(case, BY_NAME[holder]), "who holds a case may see it"
        if clock["state"] == "acknowledged" and self.holders.get(case["_id"]) != (holder, clock["at"]):
            kinds = {line["kind"] for line in case["timeline"] if line["by"] == holder}
            assert kinds & {"acknowledged", "transferred", "handed_over"}, "the timeline says how the holder got it"
        self.holders[case["_id"]] = (holder, clock["at"])

    async def nothing_waits_for_nobody(self, case: Document, timers: set[str]) -> None:
        key, clock = case["_id"], case["acknowledgement"]
        assert (f"acknowledgement:{key}" in timers) is (clock["state"] == "waiting")
        assert (f"emergency:{key}" in timers) is (case["emergency"]["state"] in UNCONFIRMED)
        due = chains.due_at(case["chain"]) if case.get("chain") else None
        assert (f"hop:{key}" in timers) is (due is not None)
        contacts = [item for item in await self.world.follow_ups(key) if item["state"] in ("planned", "due")]
        assert (f"follow_up:{key}" in timers) is bool(contacts)
        if clock["state"] == "chain":
            assert due is not None, "a hop is called, or holds it for a time"
        if clock["state"] == "acknowledged":
            referral = await self.world.database.get("referrals", case["referral_id"]) if case["referral_id"] else None
            at_work = referral is not None and referral["state"] in WAITING | ACCEPTED
            waits = contacts or case["decisions_needed"] or due or at_work or case["emergency"]["state"] in UNCONFIRMED
            assert waits, "nothing is to come, and nobody is asked"

    def readers_stay_the_same(self, case: Document) -> None:
        flags = {row["id"] for row in case["flags"]}
        if flags & self.strict:
            assert case["access"] == Access.strict, "a child's case stays in the strict class"

    async def the_next_case_is_the_next(self, cases: dict[UUID, Document]) -> None:
        """Whoever asks gets the first of those that they may take, and is refused only where they may take none."""

        class Over(Exception):
            pass

        async def may(caller: Caller, case: Document, tx: Tx) -> bool:
            try:
                await shifts.on_shift(case["division"], caller, tx, self.world.office)
            except NotAllowed:
                return False
            return True

        async def look(caller: Caller, tx: Tx) -> None:
            found = await tx.find("cases", waiting(caller.division), sort=QUEUE_ORDER)
            free = [case["_id"] for case in found if await may(caller, case, tx)]
            try:
                taken = await queue.take_next(None, caller, tx, self.world.office)
            except NotAllowed:
                assert found, "where nothing waits there is nothing to refuse"
                assert not free, "who may take a case gets it"
            else:
                assert (taken["_id"] if taken else None) == (free[0] if free else None)
            raise Over

        for caller in (IN_CITY, OFFICER):
            try:
                await self.world.do(lambda tx, caller=caller: look(caller, tx))
            except Over:
                pass

    async def what_is_asked_is_of_open_cases(self, cases: dict[UUID, Document], timers: set[str]) -> None:
        """A transfer, a hand-over and a place on the urgent list wait for somebody, and only while there is a case."""
        for asked in await self.world.database.find("transfers", {"state": "requested"}):
            case = cases[asked["case_id"]]
            assert case["state"] == "open"
            assert case["transfer_id"] == asked["_id"]
            assert f"transfer:{asked['_id']}" in timers
        for case in cases.values():
            pending = case.get("transfer_id")
            assert pending is None or f"transfer:{pending}" in timers
        for row in await self.world.database.find("urgent", {}):
            assert cases[row["_id"]]["state"] == "open"
            assert row["division"] == cases[row["_id"]]["division"]
            assert f"urgent:{row['_id']}" in timers
        offered = await self.world.database.find("hand_overs", {"state": "offered"})
        assert {f"hand_over:{one['_id']}" for one in offered} == {one for one in timers if one.startswith("hand_over:")}

    def the_class_was_not_told(self, cases: dict[UUID, Document], of_teacher: list[Document]) -> None:
        for case in cases.values():
            if {row["id"] for row in case["flags"]} & self.withheld and case["state"] == "open":
                assert case.get("chain") is None or case["chain"]["withheld"]
                assert case["_id"] not in {row["case_id"] for row in of_teacher}, "the class sees nothing of it"

    def events_fit(self, cases: dict[UUID, Document], offers: dict[UUID, Document]) -> bool:
        """A reader who has nothing but the events knows each case's tier and office; whether one was lowered."""
        told = self.world.events[self.told :]
        self.told = len(self.world.events)
        for event in told:
            match event:
                case CaseOpened() | CaseSplit():
                    self.tiers[event.case_id], self.offices[event.case_id] = event.tier, event.division
                case RiskRaised() | RiskLowered():
                    assert self.tiers[event.case_id] is event.previous
                    assert (event.tier.rank > event.previous.rank) is isinstance(event, RiskRaised)
                    self.tiers[event.case_id] = event.tier
                case CaseTransferred():
                    assert self.offices[event.case_id] == event.previous_division
                    self.offices[event.case_id] = event.division
                case CasesMerged():
                    assert cases[event.merged_case_id]["merged_into"] == event.case_id
                case CaseClosed():
                    assert cases[event.case_id]["state"] != "open"
                case CaseAcknowledged():
                    assert cases[event.case_id]["acknowledgement"]["at"] is not None
                case HandOverOverdue():
                    offered = offers[event.hand_over_id]
                    given = [self.goes_on(row["case_id"], cases) for row in offered["cases"]]
                    there = [case for case in given if case["state"] == "open" and case["held_by"] == offered["from"]]
                    assert there or offered["state"] == "declined", "nobody is called for nothing"
                case HopCalled(role="class-teacher"):
                    flags = {row["id"] for row in cases[event.case_id]["flags"]}
                    assert not flags & self.withheld, "what is withheld from the class never reaches it"
        assert self.tiers == {key: Tier(case["tier"]) for key, case in cases.items()}
        assert self.offices == {key: case["division"] for key, case in cases.items()}
        return any(isinstance(event, RiskLowered) for event in told)

    async def two_persons_lowered(self) -> None:
        entries = await self.world.database.find("audit_log", {"action": "risk_lowered"})
        told = [(str(event.case_id), event.tier.value) for event in self.world.emitted(RiskLowered)]
        assert sorted((one["subject"], one["details"]["tier"]) for one in entries) == sorted(told)
        for one in entries:
            assert one["reason"]
            assert one["details"]["proposed_because"]
            assert one["details"]["proposed_by"] != one["actor"], "lowering takes a second person"


def test_whoever_has_a_case_may_see_it_and_nobody_is_forgotten(mongod: str) -> None:
    HoldersAtWork.uri = mongod
    run_state_machine_as_test(
        HoldersAtWork,
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

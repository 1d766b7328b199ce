"""Cases are merged, split, closed and opened again in any order: no flag is lost, and nobody has two open cases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document
from contracts.base import Tier
from services.crisis.case import CASE_TIMERS
from services.crisis.commands.closing import reopen
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import split
from services.crisis.commands.retention import hold
from services.crisis.commands.retention_erasing import held
from services.crisis.commands.urgent import UrgentReason, put_urgent
from services.crisis.domain import chains
from tests.services.crisis.test_concerns import SCHOOL, a_school
from tests.services.crisis.world import (
    BY_TIER,
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


class DoublesAtWork(RuleBasedStateMachine):
    """Three people who are known, and some who are not."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = self.wait(self.open())
        self.flags: set[Any] = set()
        self.withheld: set[UUID] = set()
        self.held: set[UUID] = set()

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    async def open(self) -> World:
        database = MovedClock(self.uri, "crisis", "test_doubles")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        await a_school(world)
        return world

    def teardown(self) -> None:
        self.world.database.close()
        self.runner.close()

    def ask(self, what: Callable[[], Awaitable[Any]]) -> bool:
        try:
            self.wait(what())
        except (NotAllowed, NotFound, Refused):
            return False
        return True

    def pick(self, data: st.DataObject) -> Document:
        case: Document = data.draw(st.sampled_from(self.wait(self.world.cases())))
        return case

    @rule(number=st.integers(0, 3), tier=st.sampled_from(list(Tier)))
    def a_flag_comes(self, number: int, tier: Tier) -> None:
        flag = a_flag(caller=person(number) if number else None, **BY_TIER[tier])
        self.wait(self.world.take(flag))
        self.flags.add(flag.id)

    @rule(number=st.integers(0, 3), withheld=st.booleans())
    def a_school_warns(self, number: int, withheld: bool) -> None:
        start = "school-counsellor" if withheld else None
        said: dict[str, Any] = {
            "way": "school_warning",
            "setting": "school",
            "organisation_id": SCHOOL,
            **BY_TIER[Tier.low],
        }
        flag = a_flag(caller=person(number) if number else None, starts_at=start, **said)
        self.wait(self.world.take(flag))
        self.flags.add(flag.id)
        if withheld:
            self.withheld.add(self.wait(self.world.case_of(flag.id))["_id"])

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def one_is_urgent(self, data: st.DataObject) -> None:
        key, office = self.pick(data)["_id"], self.world.office
        self.ask(lambda: self.world.do(lambda tx: put_urgent(key, UrgentReason.means_at_hand, SUPERVISOR, tx, office)))

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def one_is_held(self, data: st.DataObject) -> None:
        key = self.pick(data)["_id"]
        if self.ask(lambda: self.world.do(lambda tx: hold(key, "警方调取", SUPERVISOR, tx))):
            self.held.add(key)

    def urgent(self, *keys: UUID) -> list[Document]:
        rows: list[Document] = self.wait(self.world.database.find("urgent", {"_id": {"$in": list(keys)}}))
        return rows

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def two_are_merged(self, data: st.DataObject) -> None:
        gone, into = self.pick(data), self.pick(data)
        listed = self.urgent(gone["_id"], into["_id"])
        done = self.ask(
            lambda: self.world.do(
                lambda tx: merge(gone["_id"], into["_id"], "同一人", SUPERVISOR, tx, self.world.office)
            )
        )
        if done and gone["state"] == "open":
            case = self.wait(self.world.case(into["_id"]))
            assert case["rank"] == max(gone["rank"], into["rank"]), "the higher tier goes on"
            still = self.urgent(gone["_id"], into["_id"])
            assert [row["_id"] for row in still] == [into["_id"]] * bool(listed), "who is urgent stays on the list"
            assert [row["expires_at"] for row in still] == sorted(row["expires_at"] for row in listed)[:1]

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def some_flags_part(self, data: st.DataObject) -> None:
        case = self.pick(data)
        ids = [row["id"] for row in case["flags"]]
        chosen = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
        done = self.ask(
            lambda: self.world.do(
                lambda tx: split(case["_id"], new_id(), chosen, "不是同一人", SUPERVISOR, tx, self.world.office)
            )
        )
        if done:
            assert self.wait(self.world.case(case["_id"]))["rank"] == case["rank"], "what stays keeps its tier"

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def one_is_closed(self, data: st.DataObject) -> None:
        key = self.pick(data)["_id"]
        self.ask(lambda: self.world.acknowledge(key, OFFICER))
        self.ask(lambda: self.world.do(lambda tx: self.confirmed(key, tx)))
        self.ask(lambda: self.world.close(key, OTHER_SUPERVISOR))

    async def confirmed(self, key: Any, tx: Any) -> None:
        from contracts.crisis import EmergencyService
        from services.crisis import commands

        await commands.call_emergency(key, EmergencyService.police_110, OFFICER, tx, self.world.office)
        await commands.confirm_emergency(key, OFFICER, tx)

    @precondition(lambda self: self.flags)
    @rule(data=st.data())
    def one_is_opened_again(self, data: st.DataObject) -> None:
        key = self.pick(data)["_id"]
        self.ask(lambda: self.world.do(lambda tx: reopen(key, "又有来电", SUPERVISOR, tx, self.world.office)))

    @rule(hours=st.sampled_from([1, 30, 500]))
    def time_passes(self, hours: int) -> None:
        self.wait(self.world.be_away(timedelta(hours=hours)))

    @invariant()
    def the_books_are_in_order(self) -> None:
        self.wait(self.check())

    def goes_on(self, key: UUID, by_id: dict[UUID, Document]) -> Document:
        """The case that everything of this one is in by now."""
        while by_id[key]["state"] == "merged":
            key = by_id[key]["merged_into"]
        return by_id[key]

    async def check(self) -> None:
        cases = await self.world.cases()
        rows = [row["id"] for case in cases for row in case["flags"]]
        assert sorted(rows) == sorted(self.flags), "each flag lies in exactly one case"
        timers = await self.world.timers()
        by_id = {case["_id"]: case for case in cases}
        for case in cases:
            own = {f"{kind}:{case['_id']}" for kind in CASE_TIMERS}
            assert (case["state"] == "merged") is (case.get("merged_into") is not None)
            if case["state"] == "merged":
                assert by_id[case["merged_into"]]["state"] in ("open", "closed", "merged")
                assert case["_id"] in by_id[case["merged_into"]]["merged_from"]
            if case["state"] != "open":
                assert not timers & own, "no timer outlives its case"
                continue
            due = chains.due_at(case["chain"]) if case.get("chain") else None
            assert (f"hop:{case['_id']}" in timers) is (due is not None), "the chain's clock runs while it is to"
            clock, tier = case["acknowledgement"], Tier(case["tier"])
            assert case["rank"] == tier.rank
            assert (f"acknowledgement:{case['_id']}" in timers) is (clock["state"] == "waiting")
            highest = max(Tier(row["tier"]).rank for row in case["flags"])
            assert case["rank"] >= highest, "nobody has lowered it"
        for key in self.withheld:
            case = self.goes_on(key, by_id)
            assert case["chain"]["withheld"], "what is withheld from the class stays so"
            assert "class-teacher" not in case["chain"]["called"]
        for key in self.held:
            assert await self.world.do(lambda tx, key=key: held([self.goes_on(key, by_id)], tx)), (
                "what is held stays so"
            )
        for row in await self.world.database.find("urgent", {}):
            assert by_id[row["_id"]]["state"] == "open"
            assert f"urgent:{row['_id']}" in timers, "who is on the list leaves it one day"
        persons = {one["_id"]: one["case_id"] for one in await self.world.database.find("persons", {})}
        for pseudonym, key in persons.items():
            assert key is None or by_id[key]["state"] == "open", pseudonym
        for case in cases:
            if case["state"] == "open" and case["person"] is not None:
                assert persons[case["person"]] == case["_id"], "who calls again joins this case"


def test_merging_splitting_and_opening_again_lose_nobody(mongod: str) -> None:
    DoublesAtWork.uri = mongod
    run_state_machine_as_test(
        DoublesAtWork,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

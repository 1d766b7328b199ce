"""A case moves to another office only when a named person there accepts it, and it has one owner at every moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Tx
from contracts.crisis import CaseTransferred
from services.crisis.commands import transfers
from services.crisis.domain.transfer import NEXT, State, owner_of
from tests.services.crisis.test_referrals import Calls
from tests.services.crisis.world import (
    COUNTY,
    ELSEWHERE,
    HIGH,
    HOSPITAL,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    TOWN,
    MovedClock,
    World,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

ROUTES = {
    "GET /v1/transfers",
    "GET /v1/transfers/{transfer_id}",
    "POST /v1/cases/{case_id}/transfers",
    "POST /v1/transfers/{transfer_id}/accept",
    "POST /v1/transfers/{transfer_id}/decline",
    "POST /v1/transfers/{transfer_id}/withdraw",
}
HOUR = timedelta(hours=1)
THERE = Caller("officer-there", frozenset({"duty_officer"}), NEIGHBOUR)
REASON = {"reason": "本人已迁居"}


@pytest.fixture
def calls(world: World, client: httpx.AsyncClient) -> Calls:
    return Calls(world, client)


def body(**more: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "to_division": NEIGHBOUR, **REASON, **more}


async def test_until_somebody_there_accepts_the_old_office_owns_the_case_and_its_clock_runs(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    before = await world.case(key)
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    case = await world.case(key)
    assert (case["division"], owner_of(case)["division"]) == (COUNTY, COUNTY)
    assert case["acknowledgement"] == before["acknowledgement"]
    assert f"acknowledgement:{key}" in await world.timers()
    await calls.no(404, "GET", f"/cases/{key}", calls.next_door)
    await calls.ok("POST", f"/cases/{key}/acknowledge", calls.officer)
    accepted = await calls.ok("POST", f"/transfers/{asked['id']}/accept", calls.next_door)
    assert accepted["answered_by"] == "someone"
    assert await calls.ok("POST", f"/transfers/{asked['id']}/accept", calls.next_door) == accepted
    case = await world.case(key)
    assert (case["division"], case["owner"]["division"]) == (NEIGHBOUR, NEIGHBOUR)
    assert case["acknowledgement"]["by"] == "someone", "who accepts is the named person who has it now"
    assert (await calls.ok("GET", f"/cases/{key}", calls.next_door))["id"] == str(key)
    for command, said in (("raise", {"tier": "imminent", **REASON}), ("refer", {"override_reason": "联系不上"})):
        await calls.no(404, "POST", f"/cases/{key}/{command}", calls.officer, said)
    await calls.no(404, "GET", f"/cases/{key}", calls.officer)
    assert (await calls.ok("GET", f"/transfers/{asked['id']}", calls.officer))["state"] == "accepted"
    (told,) = world.emitted(CaseTransferred)
    assert (told.previous_division, told.division, told.region) == (COUNTY, NEIGHBOUR, NEIGHBOUR)
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["details"]["from_division"]) == (
        "case_transferred",
        "someone",
        COUNTY,
    )


async def test_what_belongs_to_the_case_goes_with_it(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    await calls.ok("POST", f"/transfers/{asked['id']}/accept", calls.next_door)
    plan = await world.database.get("plans", key)
    assert plan is not None
    referral = await world.referral(key)
    assert {plan["division"], referral["division"]} == {NEIGHBOUR}
    assert referral["organisation_id"] == ELSEWHERE, "a draft is addressed to the nearest of the new place"
    await world.fire(f"follow_up:{key}")
    there = await calls.ok("GET", "/follow-ups", calls.next_door)
    assert [one["id"] for one in there["plans"]] == [str(key)]
    assert (await calls.ok("GET", "/follow-ups", calls.officer))["plans"] == []


async def test_the_old_office_holds_nothing_any_more_and_the_new_one_finds_everything(
    world: World, calls: Calls
) -> None:
    flagged = await world.flag(caller=person(), age_band="under_14", consent_to_follow_up="yes", **HIGH)
    key = flagged["_id"]
    await world.acknowledge(key, SUPERVISOR)
    note = {"id": str(new_id()), "section": {"kind": "note", "text": "愿意明天再谈"}}
    await calls.ok("POST", f"/cases/{key}/sections", calls.supervisor, note)
    await calls.ok("PUT", f"/cases/{key}/urgent", calls.supervisor, {"reason": "means_at_hand"})
    await calls.ok("PUT", f"/cases/{key}/guardian", calls.supervisor, {"relation": "mother", "consent": "yes"})
    rows = {
        "care_records": {"_id": key, "review_due_at": None},
        "encounters": {"_id": new_id(), "case_id": key, "at": world.now},
        "notices": {"_id": new_id(), "case_id": key, "state": "sent"},
        "medication_hand_overs": {"_id": new_id(), "case_id": key},
        "programmes": {"_id": new_id(), "case_id": key, "state": "running"},
    }

    async def enter(tx: Tx) -> None:
        for name, row in rows.items():
            tx.insert(name, {**row, "division": COUNTY})

    await world.do(enter)
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.supervisor, body())
    there = world.keys.token("supervisor", sub="there", division=NEIGHBOUR)
    await calls.ok("POST", f"/transfers/{asked['id']}/accept", there)
    case = await world.case(key)
    assert (case["held_by"], case["acknowledgement"]["by"]) == ("there", "there")
    for name in (*rows, "sections", "urgent", "guardians", "plans"):
        found = await world.database.find(name, {})
        assert [one["division"] for one in found] == [NEIGHBOUR] * len(found), name
        assert found, name
    assert [row["id"] for row in (await calls.ok("GET", "/urgent", there))["urgent"]] == [str(key)]
    assert (await calls.ok("GET", "/urgent", calls.supervisor))["urgent"] == []


async def test_while_its_clock_waits_nobody_of_the_new_office_holds_the_case(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    await world.acknowledge(key)
    await world.flag(caller=person(), **HIGH)  # raised: the clock waits again, for the one who holds the case
    assert (await world.case(key))["held_by"] == OFFICER.subject
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    await calls.ok("POST", f"/transfers/{asked['id']}/accept", calls.next_door)
    case = await world.case(key)
    assert (case["acknowledgement"]["state"], case["held_by"]) == ("waiting", None)


async def test_the_sender_never_answers(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    for verb, said in (("accept", None), ("decline", REASON)):
        await calls.no(403, "POST", f"/transfers/{asked['id']}/{verb}", calls.officer, said)
        await calls.no(403, "POST", f"/transfers/{asked['id']}/{verb}", calls.supervisor, said)
        stranger = world.keys.token("supervisor", division="320706")
        await calls.no(404, "POST", f"/transfers/{asked['id']}/{verb}", stranger, said)
    town = (await world.flag(caller=person(2), **HIGH))["_id"]
    down = await calls.ok("POST", f"/cases/{town}/transfers", calls.officer, body(to_division=TOWN))
    colleague = world.keys.token("supervisor", sub="supervisor-b")
    await calls.no(403, "POST", f"/transfers/{down['id']}/accept", colleague)
    its_own = world.keys.token("duty_officer", sub="town-a", division=TOWN)
    assert (await calls.ok("POST", f"/transfers/{down['id']}/accept", its_own))["state"] == "accepted"


async def test_declined_and_withdrawn_leave_the_case_where_it_is(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    first = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    await calls.no(409, "POST", f"/cases/{key}/transfers", calls.officer, body())
    await calls.no(422, "POST", f"/transfers/{first['id']}/decline", calls.next_door, {}, "body.reason")
    assert (await calls.ok("POST", f"/transfers/{first['id']}/decline", calls.next_door, REASON))["state"] == "declined"
    assert "transfer_unanswered" in (await world.case(key))["decisions_needed"]
    second = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    listed = await calls.ok("GET", "/transfers", calls.next_door)
    assert [one["id"] for one in listed["transfers"]] == [second["id"]]
    ours = await calls.ok("GET", "/transfers?to_us=false", calls.officer)
    assert [one["id"] for one in ours["transfers"]] == [second["id"]]
    await calls.no(404, "POST", f"/transfers/{second['id']}/withdraw", calls.next_door, REASON)
    await calls.ok("POST", f"/transfers/{second['id']}/withdraw", calls.officer, REASON)
    await calls.no(409, "POST", f"/transfers/{second['id']}/accept", calls.next_door)
    assert (await world.case(key))["division"] == COUNTY
    assert not [timer for timer in await world.timers() if timer.startswith("transfer:")]


async def test_silence_leaves_the_case_with_its_owner_whose_supervisor_decides(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body())
    await world.pass_time(25 * HOUR)
    assert (await calls.ok("GET", f"/transfers/{asked['id']}", calls.next_door))["state"] == "expired"
    case = await world.case(key)
    assert (case["division"], "transfer_unanswered" in case["decisions_needed"]) == (COUNTY, True)
    await calls.no(409, "POST", f"/transfers/{asked['id']}/accept", calls.next_door)


async def test_an_organisation_takes_a_case_by_its_own_people(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), consent_to_follow_up="yes", **HIGH))["_id"]
    to = {"to_division": None, "to_organisation": str(HOSPITAL)}
    asked = await calls.ok("POST", f"/cases/{key}/transfers", calls.officer, body(**to))
    colleague = world.keys.token("duty_officer", sub="officer-b")
    await calls.no(403, "POST", f"/transfers/{asked['id']}/accept", colleague)
    own = world.keys.token("duty_officer", sub="clinic-a", organisation=str(HOSPITAL))
    await calls.ok("POST", f"/transfers/{asked['id']}/accept", own)
    owner = (await world.case(key))["owner"]
    assert (owner["division"], owner["organisation_id"]) == (COUNTY, HOSPITAL)


async def test_a_transfer_that_cannot_be_is_refused_with_its_field(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    path = f"/cases/{key}/transfers"
    for more, field in (
        ({"to_division": None}, "to_division"),
        ({"to_division": "370899"}, "to_division"),
        ({"to_division": COUNTY}, "to_division"),
        ({"to_division": "3708"}, "body.to_division"),
        ({"to_organisation": str(new_id())}, "to_organisation"),
        ({"reason": ""}, "body.reason"),
    ):
        await calls.no(422, "POST", path, calls.officer, body(**more), field)
    await calls.no(404, "POST", path, calls.next_door, body())
    await calls.no(409, "POST", path, calls.officer, body(to_organisation=str(HOSPITAL)))
    same = body()
    first = await calls.ok("POST", path, calls.officer, same)
    assert await calls.ok("POST", path, calls.officer, same) == first
    other = (await world.flag(caller=person(2), **HIGH))["_id"]
    await calls.no(409, "POST", f"/cases/{other}/transfers", calls.officer, same, "id")


async def test_a_case_that_closes_takes_its_transfer_back(world: World) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    await world.acknowledge(key)
    ident = new_id()
    await world.do(
        lambda tx: transfers.request_transfer(key, ident, NEIGHBOUR, None, "迁居", None, SUPERVISOR, tx, world.office)
    )
    await world.close(key)
    with pytest.raises(NotAllowed):
        await world.do(lambda tx: transfers.accept_transfer(ident, THERE, tx, world.office))
    assert f"transfer:{ident}" not in await world.timers()


def test_every_transfer_ends_and_stays_ended() -> None:
    assert {state for state in State if not NEXT[state]} == set(State) - {State.requested}
    assert NEXT[State.requested] == set(State) - {State.requested}


OFFICES = {
    COUNTY: (OFFICER, Caller("other-here", frozenset({"duty_officer"}), COUNTY)),
    NEIGHBOUR: (THERE, Caller("other-there", frozenset({"supervisor"}), NEIGHBOUR)),
    TOWN: (Caller("town-a", frozenset({"duty_officer"}), TOWN),),
}
EVERYBODY = [caller for callers in OFFICES.values() for caller in callers]


class CaseOnTheMove(RuleBasedStateMachine):
    """Requests, answers and time in any order: the case has one owner, and only an accept changes it."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.asked: list[UUID] = []
        self.world, self.key = self.runner.run(self.open())
        self.owner: Any = (COUNTY, None)

    async def open(self) -> tuple[World, UUID]:
        database = MovedClock(self.uri, "crisis", "test_moves")
        world = World(database, shared_keys())
        await make_empty(database, self.uri, world.blueprint.collections)
        await world.settle_in()
        return world, (await world.flag(caller=person(), **MODERATE))["_id"]

    def teardown(self) -> None:
        self.runner.run(self.drop())
        self.runner.close()

    async def drop(self) -> None:
        self.world.database.close()

    def ask(self, what: Any) -> Any:
        try:
            return self.runner.run(self.world.do(what))
        except (NotAllowed, NotFound, Refused):
            return None

    @rule(caller=st.sampled_from(EVERYBODY), to=st.sampled_from(list(OFFICES)))
    def request(self, caller: Caller, to: str) -> None:
        ident = new_id()
        office = self.world.office
        done = self.ask(
            lambda tx: transfers.request_transfer(self.key, ident, to, None, "迁居", None, caller, tx, office)
        )
        if done:
            assert caller.sees(self.owner[0])
            self.asked.append(ident)

    @rule(data=st.data(), caller=st.sampled_from(EVERYBODY), verb=st.sampled_from(["accept", "decline", "withdraw"]))
    def answer(self, data: st.DataObject, caller: Caller, verb: str) -> None:
        if not self.asked:
            return
        ident = data.draw(st.sampled_from(self.asked[-2:]))
        before = self.runner.run(self.world.database.get("transfers", ident))
        office = self.world.office
        if verb == "accept":
            done = self.ask(lambda tx: transfers.accept_transfer(ident, caller, tx, office))
        elif verb == "decline":
            done = self.ask(lambda tx: transfers.decline_transfer(ident, "没有名额", caller, tx, self.world.office))
        else:
            done = self.ask(lambda tx: transfers.withdraw_transfer(ident, "不再需要", caller, tx, self.world.office))
        if done and verb != "withdraw":
            assert before is not None
            assert caller.subject != before["requested_by"]
            assert caller.division not in (before["from_division"], before["sender_division"])
        if done and verb == "accept" and before and before["state"] == "requested":
            self.owner = (before["to_division"], None)

    @rule(hours=st.sampled_from([1, 25]))
    def time_passes(self, hours: int) -> None:
        self.runner.run(self.world.pass_time(timedelta(hours=hours)))

    @invariant()
    def there_is_one_owner(self) -> None:
        case = self.runner.run(self.world.case(self.key))
        assert (case["owner"]["division"], case["owner"]["organisation_id"]) == self.owner
        assert case["division"] == self.owner[0]
        pending = self.runner.run(self.world.database.find("transfers", {"state": "requested"}))
        assert [one["_id"] for one in pending] == ([case["transfer_id"]] if case["transfer_id"] else [])
        timers = {timer for timer in self.runner.run(self.world.timers()) if timer.startswith("transfer:")}
        assert timers == {f"transfer:{one['_id']}" for one in pending}


def test_a_case_has_one_owner_whatever_happens(mongod: str) -> None:
    CaseOnTheMove.uri = mongod
    run_state_machine_as_test(
        CaseOnTheMove,
        settings=settings(
            max_examples=6,
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

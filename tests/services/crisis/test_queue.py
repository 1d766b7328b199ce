"""The next case: the most urgent, then the longest waiting, and nobody picks."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed
from contracts.base import Tier
from contracts.crisis import CaseAcknowledged
from services.crisis.commands import queue
from services.crisis.store.queue import QUEUE_ORDER, holding, waiting
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    BY_TIER,
    COUNTY,
    HIGH,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    SUPERVISOR,
    TOWN,
    MovedClock,
    World,
    a_flag,
    person,
)

MINUTE = timedelta(minutes=1)
ROUTES = {"POST /v1/next", "GET /v1/held"}


async def take(world: World, caller: Caller = OFFICER, ask: UUID | None = None) -> dict[str, Any] | None:
    return await world.do(lambda tx: queue.take_next(ask, caller, tx, world.office))


async def next_over_http(client: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> Any:
    answer = await client.post("/v1/next", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["case"]


async def test_the_next_case_is_the_most_urgent_and_then_the_longest_waiting(
    world: World, client: httpx.AsyncClient
) -> None:
    """An act in progress comes first, though the chain has called somebody else for it long ago."""
    cases = {}
    for number, (name, said) in enumerate(
        {"first high": HIGH, "low": LOW, "imminent": IMMINENT, "second high": HIGH, "moderate": MODERATE}.items()
    ):
        cases[name] = str((await world.flag(caller=person(number), **said))["_id"])
        world.database.ahead += MINUTE
    await world.fire(f"acknowledgement:{cases['imminent']}")
    officer = world.keys.token("duty_officer", sub="officer-a")
    given_out = [(await next_over_http(client, officer))["id"] for _ in cases]
    assert given_out == [cases[name] for name in ("imminent", "first high", "second high", "moderate", "low")]
    assert await next_over_http(client, officer) is None, "nothing waits"
    assert {event.role for event in world.emitted(CaseAcknowledged)} == {"duty-officer"}
    taken = await world.case(UUID(cases["low"]))
    assert (taken["acknowledgement"]["by"], taken["acknowledgement"]["state"]) == ("officer-a", "acknowledged")
    assert f"acknowledgement:{cases['low']}" not in await world.timers()
    held = (await client.get("/v1/held", headers=officer)).json()["cases"]
    assert [case["id"] for case in held][:1] == [cases["imminent"]]
    assert len(held) == 5
    other = world.keys.token("duty_officer", sub="officer-b")
    assert (await client.get("/v1/held", headers=other)).json() == {"cases": []}


async def test_a_case_is_given_to_its_own_division_alone(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    near = await world.flag(division=TOWN, caller=person(1), **LOW)
    await world.flag(NEIGHBOUR, caller=person(2), **IMMINENT)
    is_problem(await client.post("/v1/next"), 401)
    is_problem(await client.post("/v1/next", headers=token("volunteer", "operator")), 403)
    is_problem(await client.post("/v1/next", json={"ask": 7}, headers=token("duty_officer")), 422, "body.ask")
    is_problem(await client.post("/v1/next", json={"case": "x"}, headers=token("duty_officer")), 422, "body.case")
    is_problem(await client.get("/v1/held?limit=0", headers=token("duty_officer")), 422, "query.limit")
    assert await next_over_http(client, token("duty_officer", division="370812002")) is None
    answer = await client.post("/v1/next", headers=token("duty_officer", division=TOWN))
    assert answer.json()["case"]["id"] == str(near["_id"]), "no body is needed"
    assert (await next_over_http(client, token("supervisor", division="37")))["tier"] == "imminent"


async def test_a_lost_answer_gives_nobody_a_second_case(world: World, client: httpx.AsyncClient) -> None:
    for number in range(3):
        await world.flag(caller=person(number), **HIGH)
    officer, other = (world.keys.token("duty_officer", sub=sub) for sub in ("officer-a", "officer-b"))
    ask = str(new_id())
    first = await next_over_http(client, officer, ask=ask)
    assert (await next_over_http(client, officer, ask=ask))["id"] == first["id"]
    assert (await next_over_http(client, other, ask=ask))["id"] != first["id"], "another person's question"
    assert (await next_over_http(client, officer, ask=str(new_id())))["id"] != first["id"]
    assert len(world.emitted(CaseAcknowledged)) == 3


async def test_of_many_who_ask_at_once_no_two_get_the_same_case(world: World, mongod: str, database_name: str) -> None:
    """Six replicas of the office, four askers at each, fewer cases than askers."""
    await world.take(*(a_flag(caller=person(number), **BY_TIER[list(Tier)[number % 4]]) for number in range(18)))
    replicas = [MovedClock(mongod, "crisis", database_name) for _ in range(6)]
    for replica in replicas:
        replica.committed = world.database.committed

    async def ask(number: int) -> Any:
        caller = Caller(f"officer-{number}", frozenset({"duty_officer"}), COUNTY)
        return await replicas[number % 6].transact(lambda tx: queue.take_next(None, caller, tx, world.office))

    answers = await asyncio.gather(*(ask(number) for number in range(24)))
    for replica in replicas:
        replica.close()
    taken = [case["_id"] for case in answers if case is not None]
    assert len(taken) == len(set(taken)) == 18, "each case has one person, and none is left"
    holders = {case["_id"]: case["held_by"] for case in await world.cases()}
    assert holders == {case["_id"]: case["held_by"] for case in answers if case is not None}
    assert len(world.emitted(CaseAcknowledged)) == 18


async def test_nobody_picks_a_case_but_who_watches_over_the_shift(world: World, client: httpx.AsyncClient) -> None:
    first = await world.flag(caller=person(1), **HIGH)
    second = await world.flag(caller=person(2), **MODERATE)
    third = await world.flag(caller=person(3), **LOW)
    officer = world.keys.token("duty_officer", sub="officer-a")
    refused = await client.post(f"/v1/cases/{second['_id']}/acknowledge", headers=officer)
    is_problem(refused, 409)
    assert refused.json()["reason"] == "not_next"
    assert (await world.case(second["_id"]))["acknowledgement"]["state"] == "waiting"
    assert (await world.acknowledge(first["_id"]))["held_by"] == OFFICER.subject, "it is the next anyway"
    assert (await world.acknowledge(third["_id"], SUPERVISOR))["held_by"] == SUPERVISOR.subject


async def test_whose_case_starts_its_clock_again_may_take_it_again(world: World) -> None:
    """The person is known there; another has to ask for the next."""
    mine = await world.flag(caller=person(1), **MODERATE)
    await world.acknowledge(mine["_id"])
    await world.flag(caller=person(2), **IMMINENT)
    again = await world.flag(caller=person(1), **HIGH)
    assert again["acknowledgement"]["state"] == "waiting"
    with pytest.raises(NotAllowed, match="ask for the next"):
        await world.acknowledge(mine["_id"], OTHER_OFFICER)
    assert (await world.acknowledge(mine["_id"]))["acknowledgement"]["by"] == OFFICER.subject


async def test_a_district_may_let_its_officers_pick(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = world.office.shifts.at(world.now)
    picking = policy.model_copy(update={"queue": policy.queue.model_copy(update={"picking": True})})
    monkeypatch.setitem(world.office.shifts._by_version, policy.version, picking)
    await world.flag(caller=person(1), **HIGH)
    second = await world.flag(caller=person(2), **LOW)
    assert (await world.acknowledge(second["_id"]))["held_by"] == OFFICER.subject


async def test_the_queue_is_read_from_its_index_in_its_order(world: World) -> None:
    await world.take(*(a_flag(caller=person(number), **HIGH) for number in range(20)))
    await world.take(*(a_flag(NEIGHBOUR, caller=person(100 + number), **LOW) for number in range(20)))
    await world.take(*(a_flag(division=TOWN, caller=person(200 + number), **MODERATE) for number in range(20)))
    cases = world.database._database["cases"]
    for division in (COUNTY, "37", ""):
        plan = await cases.find(waiting(division), sort=QUEUE_ORDER, limit=1).explain()
        winner, stages = plan["queryPlanner"]["winningPlan"], []
        while winner:
            stages.append(winner["stage"])
            scanned, winner = winner.get("indexName"), winner.get("inputStage")
        assert (stages[-1], scanned) == ("IXSCAN", "queue")
        assert "SORT" not in stages, stages
        assert plan["executionStats"]["totalDocsExamined"] == 1
    for division in (TOWN, NEIGHBOUR, "370899"):
        stats = (await cases.find(waiting(division), sort=QUEUE_ORDER, limit=1).explain())["executionStats"]
        # Where others' cases are more urgent, the index of the division's own cases may be the shorter way.
        assert stats["totalDocsExamined"] <= 21, "at most the division's own"


async def test_a_case_that_is_taken_is_in_the_queues_index_no_more(world: World) -> None:
    for number in range(5):
        await world.flag(caller=person(number), **HIGH)
        await take(world)
    plan = await world.database._database["cases"].find(waiting(""), sort=QUEUE_ORDER).hint("queue").explain()
    assert plan["executionStats"]["totalKeysExamined"] == 0


def place_in_queue(case: dict[str, Any]) -> tuple[Any, ...]:
    return (-case["rank"], case["acknowledgement"]["since"], case["_id"])


async def test_a_whole_queue_is_given_out_in_order_while_more_comes_in(world: World) -> None:
    """Whatever is taken was, at that moment, the most urgent and then the longest waiting of all."""
    chance = Random(12356)
    number = 0
    while number < 60:
        flags = [
            a_flag(caller=person(number + at), **BY_TIER[chance.choice(list(Tier))])
            for at in range(chance.randint(1, 9))
        ]
        number += len(flags)
        await world.take(*flags)
        world.database.ahead += chance.randint(1, 90) * MINUTE
        for _ in range(chance.randint(0, 6)):
            there = [case for case in await world.cases() if case["acknowledgement"]["state"] == "waiting"]
            best = min(
                there, key=lambda case: (-case["rank"], case["acknowledgement"]["since"], case["_id"]), default=None
            )
            taken = await take(world)
            assert (taken and taken["_id"]) == (best and best["_id"])


async def test_whom_a_person_holds_is_looked_up_and_not_searched_for(world: World) -> None:
    for number in range(1, 6):
        await world.flag(caller=person(number), **HIGH)
    await world.do(lambda tx: queue.take_next(None, OFFICER, tx, world.office))
    cases = world.database._database["cases"]
    plan = await cases.find(holding(OFFICER.subject)).explain()
    assert "IXSCAN" in json.dumps(plan["queryPlanner"]["winningPlan"], default=str)
    assert plan["executionStats"]["totalDocsExamined"] == 1

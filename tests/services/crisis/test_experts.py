"""Experts taking turns over HTTP: a rotation is built whole, listed, and swapped."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx

from chassis.clock import LOCAL, new_id
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROUTES = {
    "POST /v1/expert-rotations",
    "GET /v1/expert-rotations",
    "GET /v1/expert-rotations/{rotation_id}",
    "POST /v1/expert-rotations/{rotation_id}/swap",
    "GET /v1/experts/on-turn",
}


def a_rotation(world: World, count: int = 3, **said: Any) -> dict[str, Any]:
    start = said.pop("start", world.now + HOUR).replace(microsecond=0)
    return {
        "id": str(new_id()),
        "division": COUNTY,
        "service": "clinic",
        "experts": [{"person": f"expert-{number}"} for number in range(count)],
        "starts_at": start.isoformat(),
        "ends_at": (start + said.pop("length", 10 * DAY)).isoformat(),
        "slot_hours": 24,
        **said,
    }


async def turns(client: httpx.AsyncClient, headers: dict[str, str], rotation: str, query: str = "") -> list[Any]:
    answer = await client.get(f"/v1/expert-rotations/{rotation}{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["turns"])


async def test_a_hundred_experts_take_turns_without_a_gap_and_evenly(world: World, client: httpx.AsyncClient) -> None:
    headers = world.keys.token("supervisor")
    body = a_rotation(world, 100, length=150 * DAY, places=2)
    answer = await client.post("/v1/expert-rotations", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    built = answer.json()
    assert (built["slots"], built["fewest_turns"], built["most_turns"]) == (150, 3, 3)
    found = await turns(client, headers, built["id"], "?limit=4000")
    assert Counter(turn["expert"] for turn in found) == {f"expert-{number}": 3 for number in range(100)}
    by_slot: dict[str, list[str]] = {}
    for turn in found:
        by_slot.setdefault(turn["starts_at"], []).append(turn["ends_at"])
    edges = sorted(by_slot)
    assert all(by_slot[since] == [until] * 2 for since, until in pairwise(edges)), "no gap"
    again = await client.post("/v1/expert-rotations", json=body, headers=headers)
    assert again.json() == built
    is_problem(await client.post("/v1/expert-rotations", json={**body, "places": 1}, headers=headers), 409, "id")
    assert len(await turns(client, headers, built["id"], "?limit=4000")) == 300, "the same again built nothing more"


async def test_who_is_away_or_elsewhere_has_no_turn_and_a_slot_without_anybody_is_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = world.keys.token("supervisor")
    start = (world.now + DAY).replace(microsecond=0)
    away = [(start + number * DAY).astimezone(LOCAL).date().isoformat() for number in range(3)]
    experts = [{"person": "expert-0", "unavailable": away}, {"person": "expert-1"}, {"person": "expert-2"}]
    body = a_rotation(world, start=start, length=9 * DAY, experts=experts)
    built = (await client.post("/v1/expert-rotations", json=body, headers=headers)).json()
    found = await turns(client, headers, built["id"])
    assert [turn["expert"] for turn in found][:3] == ["expert-1", "expert-2", "expert-1"]
    assert len(found) == 9
    clash = a_rotation(world, experts=[{"person": "expert-1"}], start=start, length=9 * DAY, service="experts_online")
    refused = await client.post("/v1/expert-rotations", json=clash, headers=headers)
    is_problem(refused, 422, "experts")
    assert refused.json()["reason"] == "slot_without_expert"
    assert len(await world.database.find("expert_turns", {})) == 9, "nothing of it is planned"
    four = a_rotation(world, 4, start=start, length=9 * DAY, service="crisis_standby")
    assert (await client.post("/v1/expert-rotations", json=four, headers=headers)).status_code == 200
    both = await world.database.find("expert_turns", {}, sort=[("starts_at", 1)])
    for one in both:
        for other in both:
            same = one["_id"] != other["_id"] and one["expert"] == other["expert"]
            assert not (same and one["starts_at"] < other["ends_at"] and other["starts_at"] < one["ends_at"])


async def test_who_may_build_and_see_rotations(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    body = a_rotation(world)
    is_problem(await client.post("/v1/expert-rotations", json=body), 401)
    is_problem(await client.post("/v1/expert-rotations", json=body, headers=token("duty_officer")), 403)
    is_problem(
        await client.post("/v1/expert-rotations", json=body, headers=token("supervisor", division=NEIGHBOUR)), 404
    )
    supervisor = token("supervisor")
    assert (await client.post("/v1/expert-rotations", json=body, headers=supervisor)).status_code == 200
    for division, there in ((COUNTY, 1), (TOWN, 1), ("37", 1), (NEIGHBOUR, 0)):
        headers = token("duty_officer", division=division)
        found = (await client.get("/v1/expert-rotations", headers=headers)).json()["rotations"]
        assert len(found) == there
        one = await client.get(f"/v1/expert-rotations/{body['id']}", headers=headers)
        assert one.status_code == (200 if there else 404)
    is_problem(await client.get("/v1/expert-rotations?limit=0", headers=supervisor), 422, "query.limit")
    is_problem(await client.get(f"/v1/expert-rotations/{new_id()}", headers=supervisor), 404)
    taken = {**body, "division": NEIGHBOUR}
    is_problem(
        await client.post("/v1/expert-rotations", json=taken, headers=token("supervisor", division=NEIGHBOUR)), 409
    )


async def test_a_rotation_that_cannot_be_is_refused_with_its_field(world: World, client: httpx.AsyncClient) -> None:
    headers = world.keys.token("supervisor")
    twice = [{"person": "expert-a"}, {"person": "expert-a"}]
    early = (world.now - DAY).isoformat()
    for said, field in (
        ({"experts": []}, "body.experts"),
        ({"experts": twice}, "experts"),
        ({"experts": [{"person": "expert-a", "unavailable": ["x"]}]}, "body.experts.0.unavailable.0"),
        ({"service": "x"}, "body.service"),
        ({"slot_hours": 0}, "body.slot_hours"),
        ({"slot_hours": 169}, "slot_hours"),
        ({"ends_at": early}, "ends_at"),
        ({"length": 3000 * DAY, "slot_hours": 1}, "ends_at"),
        ({"places": 21}, "body.places"),
        ({"places": 4}, "experts"),
    ):
        body = a_rotation(world, **said)
        is_problem(await client.post("/v1/expert-rotations", json=body, headers=headers), 422, field)
    assert await world.database.find("expert_rotations", {}) == []


async def test_two_experts_swap_a_turn_each(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    supervisor = token("supervisor")
    start = (world.now + HOUR).replace(microsecond=0)
    off = (start + DAY).astimezone(LOCAL).date().isoformat()
    experts = [{"person": "expert-0", "unavailable": [off]}, {"person": "expert-1"}, {"person": "expert-2"}]
    body = a_rotation(world, start=start, length=12 * DAY, experts=experts)
    await client.post("/v1/expert-rotations", json=body, headers=supervisor)
    table = await turns(client, supervisor, body["id"])
    address = f"/v1/expert-rotations/{body['id']}/swap"
    late = [turn for turn in table if turn["slot"] >= 4]
    mine = next(turn for turn in late if turn["expert"] == "expert-1")
    yours = next(turn for turn in late if turn["expert"] == "expert-2")
    swap = {"turn_id": mine["id"], "with_turn_id": yours["id"]}
    is_problem(await client.post(address, json=swap, headers=token("duty_officer")), 403)
    is_problem(await client.post(address, json=swap, headers=token("supervisor", division=NEIGHBOUR)), 404)
    is_problem(await client.post(address, json={**swap, "turn_id": str(new_id())}, headers=supervisor), 422, "turn_id")
    is_problem(await client.post(address, json={"turn_id": "x"}, headers=supervisor), 422, "body.turn_id")
    before = Counter(turn["expert"] for turn in table)
    assert (await client.post(address, json=swap, headers=supervisor)).status_code == 200
    after = await turns(client, supervisor, body["id"])
    assert Counter(turn["expert"] for turn in after) == before, "nobody has more than before"
    by_id = {turn["id"]: turn for turn in after}
    assert (by_id[mine["id"]]["expert"], by_id[yours["id"]]["expert"]) == ("expert-2", "expert-1")
    assert by_id[mine["id"]]["planned_for"] == "expert-1"
    taken_by_other = next(turn for turn in after if turn["slot"] == 1)
    theirs = next(turn for turn in after if turn["expert"] == "expert-0" and turn["slot"] > 3)
    blocked = await client.post(
        address, json={"turn_id": taken_by_other["id"], "with_turn_id": theirs["id"]}, headers=supervisor
    )
    is_problem(blocked, 409)
    assert blocked.json()["reason"] == "not_free", "that day expert-0 is away"


async def test_whose_turn_it_is_now_is_the_list_to_call_from(world: World, client: httpx.AsyncClient) -> None:
    supervisor, officer = world.keys.token("supervisor"), world.keys.token("duty_officer", division=TOWN)
    body = a_rotation(world, 5, start=world.now - HOUR, service="crisis_standby", places=3)
    assert (await client.post("/v1/expert-rotations", json=body, headers=supervisor)).status_code == 200
    now_on = (await client.get("/v1/experts/on-turn", headers=officer)).json()["turns"]
    assert sorted(turn["expert"] for turn in now_on) == ["expert-0", "expert-1", "expert-2"]
    assert {turn["service"] for turn in now_on} == {"crisis_standby"}
    elsewhere = world.keys.token("duty_officer", division=NEIGHBOUR)
    assert (await client.get("/v1/experts/on-turn", headers=elsewhere)).json() == {"turns": []}
    is_problem(await client.get("/v1/experts/on-turn?limit=0", headers=officer), 422, "query.limit")
    now_ = world.now.isoformat()
    answer = await client.get(f"/v1/expert-rotations/{body['id']}", params={"to": now_}, headers=supervisor)
    assert len(answer.json()["turns"]) == 3

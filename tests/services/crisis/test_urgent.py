"""The shared list of urgent cases: put there with a reason, off it when handled, gone when nobody works on it."""

from __future__ import annotations

from datetime import timedelta

import httpx

from chassis.clock import new_id
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import HIGH, NEIGHBOUR, TOWN, World, person

DAY = timedelta(days=1)
ROUTES = {"PUT /v1/cases/{case_id}/urgent", "POST /v1/cases/{case_id}/urgent/handled", "GET /v1/urgent"}
BODY = {"reason": "means_at_hand"}


async def listed(client: httpx.AsyncClient, headers: dict[str, str]) -> list[str]:
    return [row["id"] for row in (await client.get("/v1/urgent", headers=headers)).json()["urgent"]]


async def test_a_case_is_put_on_the_list_of_its_division_and_taken_off_when_handled(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(division=TOWN, caller=person(), **HIGH))["_id"]
    token = world.keys.token
    officer, address = token("duty_officer", sub="officer-a"), f"/v1/cases/{key}/urgent"
    is_problem(await client.put(address, json=BODY), 401)
    is_problem(await client.put(address, json=BODY, headers=token("volunteer")), 403)
    is_problem(await client.put(address, json=BODY, headers=token("duty_officer", division=NEIGHBOUR)), 404)
    is_problem(await client.put(address, json={"reason": "他说"}, headers=officer), 422, "body.reason")
    is_problem(await client.put(f"/v1/cases/{new_id()}/urgent", json=BODY, headers=officer), 404)
    is_problem(await client.post(f"{address}/handled", json={"outcome": "handled"}, headers=officer), 404)
    first = (await client.put(address, json=BODY, headers=officer)).json()
    assert (first["reason"], first["put_by"]) == ("means_at_hand", "officer-a")
    assert (await client.put(address, json=BODY, headers=officer)).json() == first
    changed = (await client.put(address, json={"reason": "awaiting_bed"}, headers=officer)).json()
    assert (changed["reason"], changed["put_at"]) == ("awaiting_bed", first["put_at"])
    assert await listed(client, officer) == [str(key)]
    assert await listed(client, token("supervisor", division="37")) == [str(key)]
    assert await listed(client, token("supervisor", division=NEIGHBOUR)) == []
    is_problem(await client.get("/v1/urgent", headers=token("volunteer")), 403)
    is_problem(await client.get("/v1/urgent?limit=0", headers=officer), 422, "query.limit")
    is_problem(await client.post(f"{address}/handled", json={}, headers=officer), 422, "body.outcome")
    assert (await client.post(f"{address}/handled", json={"outcome": "handled"}, headers=officer)).status_code == 200
    assert await listed(client, officer) == []
    assert f"urgent:{key}" not in await world.timers()
    kinds = [line["kind"] for line in (await world.case(key))["timeline"]]
    assert kinds[-3:] == ["put_on_urgent_list", "put_on_urgent_list", "taken_off_urgent_list"]


async def test_who_is_worked_on_stays_six_days_longer_but_six_weeks_at_most(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    await client.put(f"/v1/cases/{key}/urgent", json=BODY, headers=officer)
    await world.pass_time(5 * DAY)
    await world.acknowledge(key)
    await world.pass_time(5 * DAY + 23 * timedelta(hours=1))
    assert await listed(client, officer) == [str(key)], "somebody worked on it"
    await world.pass_time(2 * timedelta(hours=1))
    assert await listed(client, officer) == []
    (line,) = [line for line in (await world.case(key))["timeline"] if line["kind"] == "urgent_expired"]
    assert (line["put_by"], line["by"]) == ("officer-a", "policy")
    assert f"urgent:{key}" not in await world.timers()

    await client.put(f"/v1/cases/{key}/urgent", json=BODY, headers=officer)
    await world.pass_time(3 * DAY)
    for _ in range(9):
        assert await listed(client, officer) == [str(key)]
        await client.put(f"/v1/cases/{key}/urgent", json={"reason": "awaiting_bed"}, headers=officer)
        await client.put(f"/v1/cases/{key}/urgent", json=BODY, headers=officer)
        await world.pass_time(4 * DAY + 8 * timedelta(hours=1))
    assert await listed(client, officer) == [], "after six weeks it is no list of urgent cases any more"


async def test_a_case_that_is_closed_is_on_the_list_no_more(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    await client.put(f"/v1/cases/{key}/urgent", json=BODY, headers=officer)
    await world.acknowledge(key)
    await world.close(key)
    assert await listed(client, officer) == []
    assert f"urgent:{key}" not in await world.timers()

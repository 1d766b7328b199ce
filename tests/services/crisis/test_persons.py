"""A person across contacts: marks that end, and the cases that there are elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id, now
from services.crisis.domain.codes import MarkKind
from services.crisis.domain.persons import KEPT, live, with_mark
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import HIGH, LOW, MODERATE, NEIGHBOUR, World, person

REASON = {"reason": "会商决定"}
HOUR = timedelta(hours=1)
FOR_SUPERVISORS = {"blocked_abusive", "special_population"}


def a_mark(kind: str = "repeated_caller", **more: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "kind": kind, "reason": "一周内二十余次来电", **more}


async def set_mark(client: httpx.AsyncClient, key: Any, body: Any, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{key}/marks", json=body, headers=headers)


async def marks_of(client: httpx.AsyncClient, key: Any, headers: dict[str, str]) -> list[str]:
    answer = await client.get(f"/v1/cases/{key}/person", headers=headers)
    return [mark["kind"] for mark in answer.json()["marks"]]


async def test_a_mark_shows_to_whoever_meets_the_person_until_its_time_is_over(
    world: World, client: httpx.AsyncClient
) -> None:
    for number, kind in enumerate(MarkKind):
        key = (await world.flag(caller=person(number), **LOW))["_id"]
        officer = world.keys.token("duty_officer", sub="officer-a")
        supervisor = world.keys.token("supervisor", sub="supervisor-a")
        if kind.value in FOR_SUPERVISORS:
            is_problem(await set_mark(client, key, a_mark(kind.value), officer), 403)
        body = a_mark(kind.value)
        made = (await set_mark(client, key, body, supervisor)).json()
        assert (made["by"], made["reason"]) == ("supervisor-a", body["reason"])
        hours = world.office.record.at(now()).marks[kind].hours[0]
        assert made["hours"] == hours
        assert await marks_of(client, key, officer) == [kind.value]
        assert (await set_mark(client, key, body, supervisor)).json() == made, "sent again it is one mark"
        assert (await world.audit_log())[-1]["action"] == "mark_set"
        world.database.ahead += timedelta(hours=hours) - HOUR
        assert await marks_of(client, key, officer) == [kind.value]
        world.database.ahead += 2 * HOUR
        assert await marks_of(client, key, officer) == []


async def test_who_is_blocked_for_abuse_is_so_for_one_of_the_policys_times(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    supervisor = world.keys.token("supervisor")
    is_problem(await set_mark(client, key, a_mark("blocked_abusive", hours=43_800), supervisor), 422, "hours")
    for hours in (24, 72):
        answer = await set_mark(client, key, a_mark("blocked_abusive", hours=hours), supervisor)
        assert answer.status_code == 200
        assert await marks_of(client, key, supervisor) == ["blocked_abusive"], "one of a kind holds"


async def test_a_mark_lowers_no_tier_and_blocks_no_flag(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    supervisor = world.keys.token("supervisor")
    for kind in MarkKind:
        assert (await set_mark(client, key, a_mark(kind.value), supervisor)).status_code == 200
    case = await world.flag(caller=person(), **HIGH)
    assert (case["_id"], case["tier"], len(case["flags"])) == (key, "high", 2)
    assert case["acknowledgement"]["state"] == "waiting"


async def test_a_mark_ends_before_its_time_where_somebody_says_so(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    mark = (await set_mark(client, key, a_mark(), officer)).json()
    address = f"/v1/cases/{key}/marks/{mark['id']}/end"
    is_problem(await client.post(address, json={}, headers=officer), 422, "body.reason")
    is_problem(await client.post(address, json=REASON, headers=world.keys.token("supervisor", division=NEIGHBOUR)), 404)
    ended = (await client.post(address, json=REASON, headers=officer)).json()
    assert ended["ended_by"] == "officer-a"
    assert (await client.post(address, json=REASON, headers=officer)).json() == ended
    assert await marks_of(client, key, officer) == []
    is_problem(await client.post(f"/v1/cases/{key}/marks/{new_id()}/end", json=REASON, headers=officer), 404)


async def test_a_mark_needs_a_person_a_form_and_a_right(world: World, client: httpx.AsyncClient) -> None:
    nobody = (await world.flag(**LOW))["_id"]
    officer = world.keys.token("duty_officer")
    is_problem(await set_mark(client, nobody, a_mark(), officer), 409)
    key = (await world.flag(caller=person(), **LOW))["_id"]
    is_problem(await set_mark(client, key, a_mark("rude"), officer), 422, "body.kind")
    is_problem(await set_mark(client, key, a_mark(hours=0), officer), 422, "body.hours")
    is_problem(await set_mark(client, key, a_mark(), world.keys.token("supervisor", division=NEIGHBOUR)), 404)
    is_problem(await set_mark(client, key, a_mark(), world.keys.token("volunteer")), 403)
    body = a_mark()
    await set_mark(client, key, body, officer)
    is_problem(await set_mark(client, key, {**body, "kind": "known_to_services"}, officer), 409, "id")


async def test_the_office_of_another_county_knows_that_there_is_a_case_and_no_more(
    world: World, client: httpx.AsyncClient
) -> None:
    there = await world.flag(caller=person(), **LOW)
    await world.acknowledge(there["_id"])
    await world.close(there["_id"])
    here = await world.flag(NEIGHBOUR, caller=person(), **HIGH)
    officer = world.keys.token("duty_officer")
    neighbour = world.keys.token("duty_officer", division=NEIGHBOUR)
    seen = (await client.get(f"/v1/cases/{there['_id']}/person", headers=officer)).json()
    assert (seen["cases"], seen["elsewhere"]) == ([], {"open": 1, "closed": 0})
    assert str(here["_id"]) not in str(seen)
    other = (await client.get(f"/v1/cases/{here['_id']}/person", headers=neighbour)).json()
    assert other["elsewhere"] == {"open": 0, "closed": 1}
    both = world.keys.token("supervisor", division="3708")
    (known,) = (await client.get(f"/v1/cases/{there['_id']}/person", headers=both)).json()["cases"]
    assert (known["id"], known["state"], known["tier"]) == (str(here["_id"]), "open", "high")
    is_problem(await client.get(f"/v1/cases/{there['_id']}/person", headers=neighbour), 404)
    is_problem(await client.get(f"/v1/cases/{there['_id']}/person", headers=world.keys.token("receiver")), 403)


async def test_a_flag_that_joined_another_countys_case_tells_its_own_county_that_it_is_open(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    joined = await world.flag(NEIGHBOUR, caller=person(), **MODERATE)
    assert joined["_id"] == key
    flag = joined["flags"][-1]["id"]
    neighbour = world.keys.token("duty_officer", division=NEIGHBOUR)
    told = (await client.get(f"/v1/flags/{flag}", headers=neighbour)).json()
    assert told == {"flag_id": str(flag), "case_id": None, "case_state": "open", "elsewhere": True}
    is_problem(await client.get(f"/v1/flags/{joined['flags'][0]['id']}", headers=neighbour), 404)


moments = st.integers(-100, 100).map(lambda hours: now() + hours * HOUR)


@given(st.lists(st.tuples(st.sampled_from(MarkKind), moments), max_size=80))
def test_of_each_kind_one_mark_holds_and_none_after_its_end(marks: list[tuple[MarkKind, datetime]]) -> None:
    kept: list[dict[str, Any]] = []
    moment = now()
    for kind, until in marks:
        mark = {"id": new_id(), "kind": kind.value, "until": until, "by": "officer-a", "ended_at": None}
        kept = with_mark(kept, mark, moment)
        assert kept[-1] is mark
    assert len(kept) <= KEPT
    holding = live(kept, moment)
    assert len({mark["kind"] for mark in holding}) == len(holding)
    assert all(mark["until"] > moment for mark in holding)
    assert [mark["until"] for mark in holding] == sorted((mark["until"] for mark in holding), reverse=True)


ROUTES = {
    "GET /v1/cases/{case_id}/person",
    "POST /v1/cases/{case_id}/marks",
    "POST /v1/cases/{case_id}/marks/{mark_id}/end",
}

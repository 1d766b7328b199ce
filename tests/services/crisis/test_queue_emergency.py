"""An act in progress: who calls whom out, what becomes of each call, and that nothing falls silent before a named
person has confirmed that somebody is with the person.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed
from contracts.crisis import (
    AcknowledgementOverdue,
    CallOutPartyCalled,
    CallOutPartyConfirmed,
    EmergencyContactConfirmed,
    EmergencyService,
    EmergencyServiceCalled,
)
from services.crisis.commands import emergency
from services.crisis.commands.emergency import UNCONFIRMED
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.test_shifts import plan
from tests.services.crisis.world import (
    COUNTY,
    IMMINENT,
    NEIGHBOUR,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    TOWN,
    World,
    person,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CENTRE = Caller("centre-a", frozenset({"district_centre"}), COUNTY)
ROUTES = {
    "POST /v1/cases/{case_id}/emergency/calls",
    "POST /v1/cases/{case_id}/emergency/calls/{call_id}",
}
LAST = ("emergency-110-120", "comprehensive-governance")


async def call(world: World, key: UUID, service: EmergencyService, caller: Caller = SUPERVISOR) -> dict[str, Any]:
    return await world.do(lambda tx: emergency.call_emergency(key, service, caller, tx, world.office))


async def test_an_act_in_progress_at_night_with_nobody_on_shift_is_called_up_until_a_named_person_confirms(
    world: World,
) -> None:
    """The plan has people by day only. The flag comes at night."""
    for who, role in (("officer-a", "duty_officer"), ("supervisor-a", "supervisor"), ("centre-a", "district_centre")):
        await plan(world, who, role, start=9 * HOUR)
    case = await world.flag(division=TOWN, caller=person(), **IMMINENT)
    key = case["_id"]
    assert case["emergency"]["role"] == "supervisor"
    await world.pass_time(11 * MINUTE)
    called = await world.case(key)
    assert called["emergency"]["role"] == "emergency-110-120", "nobody waits for a district centre that is not there"
    assert called["acknowledgement"]["role"] == "emergency-110-120"
    skipped = {over.called: over.skipped for over in world.emitted(AcknowledgementOverdue)}
    assert skipped["emergency-110-120"] in (("district-centre",), ("supervisor", "district-centre"))
    passed_over = [line["roles"] for line in called["timeline"] if line["kind"] == "nobody_on_shift"]
    assert ["supervisor", "district-centre"] in passed_over
    assert ["district-centre"] in passed_over

    # The whole night nobody answers: the last of the chain is called again and again, each time out loud.
    heard = len(world.emitted(AcknowledgementOverdue))
    for _ in range(6):
        await world.pass_time(HOUR)
        still = await world.case(key)
        assert still["emergency"]["state"] == "required"
        assert still["emergency"]["role"] in LAST
        assert {f"emergency:{key}", f"acknowledgement:{key}"} <= await world.timers()
        now_heard = len(world.emitted(AcknowledgementOverdue))
        assert now_heard >= heard + 6 + 12, "every ten minutes for the emergency, every five for the case"
        heard = now_heard
    assert {over.called for over in world.emitted(AcknowledgementOverdue)[-18:]} == set(LAST)

    # A supervisor at home sees it, takes it and calls; no plan locks anybody out while nobody has come.
    taken = await world.acknowledge(key, SUPERVISOR)
    assert taken["acknowledgement"]["on_shift"] is False
    await call(world, key, EmergencyService.ambulance_120)
    assert f"acknowledgement:{key}" not in await world.timers()
    await world.pass_time(10 * MINUTE)
    assert (await world.case(key))["emergency"]["state"] == "unconfirmed", "called is not confirmed"
    before = len(world.emitted(AcknowledgementOverdue))
    await world.pass_time(21 * MINUTE)
    assert len(world.emitted(AcknowledgementOverdue)) == before + 2
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.close(key, OTHER_SUPERVISOR)

    await world.do(lambda tx: emergency.confirm_emergency(key, SUPERVISOR, tx))
    done = await world.case(key)
    assert (done["emergency"]["state"], done["emergency"]["confirmed_by"]) == ("confirmed", "supervisor-a")
    assert f"emergency:{key}" not in await world.timers()
    before = len(world.emitted(AcknowledgementOverdue))
    await world.pass_time(2 * HOUR)
    assert len(world.emitted(AcknowledgementOverdue)) == before, "and only now it is quiet"


async def test_each_call_names_who_called_whom_when_and_what_became_of_it(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    token = world.keys.token
    supervisor, centre = token("supervisor", sub="supervisor-a"), token("district_centre", sub="centre-a")
    party = str(new_id())
    entry = {"kind": "comprehensive_governance", "division": COUNTY, "name": "示例综治中心", "number": "000-0000-0013"}
    assert (await client.put(f"/v1/call-out-parties/{party}", json=entry, headers=supervisor)).status_code == 200

    address = f"/v1/cases/{key}/emergency/calls"
    is_problem(await client.post(address, json={"service": "police_110"}), 401)
    is_problem(await client.post(address, json={"service": "police_110"}, headers=token("volunteer")), 403)
    elsewhere = token("supervisor", division=NEIGHBOUR)
    is_problem(await client.post(address, json={"service": "police_110"}, headers=elsewhere), 404)
    is_problem(await client.post(address, json={"service": "taxi"}, headers=supervisor), 422, "body.service")
    bad = {"service": "police_110", "reference": "张示例"}
    is_problem(await client.post(address, json=bad, headers=supervisor), 422, "body.reference")
    unknown = {"service": "comprehensive_governance", "party_id": str(new_id())}
    is_problem(await client.post(address, json=unknown, headers=supervisor), 422, "party_id")
    other = {"service": "police_110", "party_id": party}
    is_problem(await client.post(address, json=other, headers=supervisor), 422, "party_id")
    is_problem(await client.post(f"{address}/{new_id()}", json={"outcome": "no_answer"}, headers=supervisor), 409)

    first = (await client.post(address, json={"service": "police_110"}, headers=supervisor)).json()
    second = (
        await client.post(
            address,
            json={"service": "comprehensive_governance", "party_id": party, "reference": "2026-0817"},
            headers=centre,
        )
    ).json()
    police, governance = second["emergency"]["calls"]
    assert first["emergency"]["calls"][0]["id"] == police["id"]
    assert (police["by"], police["role"], police["service"]) == ("supervisor-a", "supervisor", "police_110")
    assert (governance["by"], governance["role"]) == ("centre-a", "district-centre")
    assert (governance["party_id"], governance["reference"], governance["outcome"]) == (party, "2026-0817", "pending")
    assert [event.service for event in world.emitted(EmergencyServiceCalled)] == ["police_110"]
    (told,) = world.emitted(CallOutPartyCalled)
    assert (told.party, str(told.party_id)) == ("comprehensive_governance", party)
    assert "000-0000-0013" not in str(world.events), "no number of anybody in an event"

    where = f"{address}/{governance['id']}"
    is_problem(await client.post(where, json={"outcome": "perhaps"}, headers=centre), 422, "body.outcome")
    is_problem(await client.post(f"{address}/{new_id()}", json={"outcome": "confirmed"}, headers=centre), 404)
    done = (await client.post(where, json={"outcome": "confirmed"}, headers=centre)).json()["emergency"]
    assert (done["state"], done["service"], done["confirmed_by"]) == ("confirmed", governance["service"], "centre-a")
    assert [call["outcome"] for call in done["calls"]] == ["pending", "confirmed"]
    assert [event.party for event in world.emitted(CallOutPartyConfirmed)] == ["comprehensive_governance"]
    assert world.emitted(EmergencyContactConfirmed) == []
    assert f"emergency:{key}" not in await world.timers()
    is_problem(await client.post(where, json={"outcome": "no_answer"}, headers=centre), 409)


async def test_a_call_that_brings_nobody_calls_the_next_at_once(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    address = f"/v1/cases/{key}/emergency/calls"
    made = [
        (await client.post(address, json={"service": service}, headers=supervisor)).json()["emergency"]["calls"][-1]
        for service in ("ambulance_120", "fire_119")
    ]
    before = len(world.emitted(AcknowledgementOverdue))
    for one in made:
        answer = await client.post(f"{address}/{one['id']}", json={"outcome": "nobody_free"}, headers=supervisor)
        assert answer.status_code == 200
    assert (await world.case(key))["emergency"]["state"] == "unconfirmed"
    late = await client.post(f"{address}/{made[0]['id']}", json={"outcome": "refused"}, headers=supervisor)
    is_problem(late, 409)
    same = await client.post(f"{address}/{made[0]['id']}", json={"outcome": "nobody_free"}, headers=supervisor)
    assert same.status_code == 200
    await world.fire(f"emergency:{key}")
    after = await world.case(key)
    assert (after["emergency"]["role"], after["emergency"]["step"]) == ("district-centre", 1)
    assert len(world.emitted(AcknowledgementOverdue)) == before + 1


async def test_a_call_goes_on_where_the_chain_is_and_does_not_begin_it_anew(world: World) -> None:
    """A call that nobody confirms leads to the next step, and not back to the first."""
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    await world.pass_time(11 * MINUTE)
    assert (await call(world, key, EmergencyService.police_110, CENTRE))["emergency"]["role"] == "district-centre"
    await world.pass_time(11 * MINUTE)
    after = await world.case(key)
    assert (after["emergency"]["state"], after["emergency"]["role"]) == ("unconfirmed", "emergency-110-120")


async def test_a_second_act_in_progress_needs_a_confirmation_of_its_own_and_keeps_the_first_calls(
    world: World,
) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    await call(world, key, EmergencyService.ambulance_120)
    await world.do(lambda tx: emergency.confirm_emergency(key, SUPERVISOR, tx))
    again = await world.flag(caller=person(), **IMMINENT)
    assert again["emergency"]["state"] in UNCONFIRMED
    assert [one["outcome"] for one in again["emergency"]["calls"]] == ["confirmed"]
    with pytest.raises(NotAllowed, match="was called"):
        await world.do(lambda tx: emergency.confirm_emergency(key, SUPERVISOR, tx))


async def test_further_calls_give_no_further_time(world: World) -> None:
    """One person who calls again and again does not keep the next of the chain from being called."""
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    due_at = (await call(world, key, EmergencyService.police_110))["emergency"]["due_at"]
    for _ in range(3):
        await world.pass_time(3 * MINUTE)
        again = await call(world, key, EmergencyService.ambulance_120)
        assert (again["emergency"]["due_at"], again["emergency"]["step"]) == (due_at, 0)
    await world.pass_time(2 * MINUTE)
    late = (await world.case(key))["emergency"]
    assert (late["state"], late["step"]) == ("unconfirmed", 1)


async def test_a_call_that_is_sent_again_is_the_same_call(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    headers = world.keys.token("supervisor")
    for path in ("emergency", "emergency/calls"):
        body = {"id": str(new_id()), "service": "police_110"}
        before = len((await world.case(key))["emergency"].get("calls", []))
        for _ in range(2):
            answer = await client.post(f"/v1/cases/{key}/{path}", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
        assert len((await world.case(key))["emergency"]["calls"]) == before + 1
        other = {**body, "service": "ambulance_120"}
        answer = await client.post(f"/v1/cases/{key}/{path}", json=other, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (409, "id_reused")

"""Incidents: declared with everything asked for at once, raised by one person, lowered and overridden by two."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import new_id
from contracts.crisis import (
    EmergencyLevel,
    IncidentClosed,
    IncidentDeclared,
    IncidentLevelChanged,
    IncidentTeamsRequested,
)
from services.crisis.domain.incidents import NEXT, IncidentState, common_division, lowers, reduce_areas
from tests.services.crisis.incidents import CITY, a_group, a_person, an_incident, approved_plan, ok, refused
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {
    "POST /v1/incidents",
    "GET /v1/incidents",
    "GET /v1/incidents/codes",
    "GET /v1/incidents/{incident_id}",
    "GET /v1/incidents/{incident_id}/numbers",
    "POST /v1/incidents/{incident_id}/level",
    "POST /v1/incidents/{incident_id}/level/agree",
    "POST /v1/incidents/{incident_id}/state",
    "POST /v1/incidents/{incident_id}/close",
    "POST /v1/incidents/{incident_id}/close/agree",
    "PUT /v1/incidents/{incident_id}/teams/{request_id}",
    "POST /v1/incidents/{incident_id}/teams/{request_id}/arrivals",
    "POST /v1/incidents/{incident_id}/campaigns",
    "POST /v1/incidents/{incident_id}/line",
}
REASON = {"reason": "会商决定"}


@pytest.fixture
def leader(world: World) -> dict[str, str]:
    return world.keys.token("supervisor", sub="leader-a")


@pytest.fixture
def second(world: World) -> dict[str, str]:
    return world.keys.token("district_centre", sub="leader-b")


async def test_a_declaration_finds_the_plan_calls_the_experts_and_asks_for_teams_at_once(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    plan = await approved_plan(client, world, CITY)
    await a_group(client, world, COUNTY, "expert-1", "expert-2", "expert-3")
    incident = await an_incident(client, world, leader, level="III")
    assert incident["plans"] == [{"area": COUNTY, "plan_id": plan["id"], "version": 1, "division": CITY}]
    (declared,) = world.emitted(IncidentDeclared)
    assert (declared.without_plan, declared.areas, declared.level) == ((), (COUNTY,), EmergencyLevel.three)
    (asked,) = world.emitted(IncidentTeamsRequested)
    assert (asked.division, asked.number, asked.skills) == (COUNTY, 1, ("psychological-first-aid",))
    (made,) = (await ok(client.get("/v1/call-outs", headers=leader)))["call_outs"]
    assert [call["subject"] for call in made["calls"]] == ["expert-1", "expert-2"], "level III wants two"
    shown = await ok(client.get(f"/v1/incidents/{incident['id']}", headers=leader))
    assert shown["gaps"] == {"plan": [], "experts": [], "teams": [COUNTY]}
    assert shown["state"] == "declared"


async def test_what_is_missing_shows_as_a_gap_and_holds_nothing_up(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    await approved_plan(client, world, kind="accident")
    incident = await an_incident(client, world, leader)
    shown = await ok(client.get(f"/v1/incidents/{incident['id']}", headers=leader))
    assert (shown["gaps"]["plan"], shown["gaps"]["experts"]) == ([COUNTY], [COUNTY])
    assert world.emitted(IncidentDeclared)[0].without_plan == (COUNTY,)
    await a_group(client, world, COUNTY, "expert-1")
    silent = await an_incident(client, world, leader)
    address = f"/v1/incidents/{silent['id']}"
    assert (await ok(client.get(address, headers=leader)))["gaps"]["experts"] == []
    await world.pass_time(timedelta(minutes=31))
    assert (await ok(client.get(address, headers=leader)))["gaps"]["experts"] == [COUNTY], "nobody answered"


async def test_the_same_declaration_again_is_one(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    said = {"id": str(new_id()), "started_at": world.now.isoformat()}
    first = await an_incident(client, world, leader, areas=[COUNTY, TOWN], **said)
    assert first["areas"] == [COUNTY], "a town lies in its county"
    assert await an_incident(client, world, leader, **said) == first
    assert len(world.emitted(IncidentDeclared)) == len(world.emitted(IncidentTeamsRequested)) == 1
    body = {"kind": "accident", "level": "III", "areas": [COUNTY], **said, **REASON}
    await refused(client.post("/v1/incidents", json=body, headers=leader), 409, "id")


async def test_one_person_raises_the_level_and_two_lower_it(
    world: World, client: httpx.AsyncClient, leader: dict[str, str], second: dict[str, str]
) -> None:
    await a_group(client, world, COUNTY, *(f"expert-{n}" for n in range(1, 6)))
    address = f"/v1/incidents/{(await an_incident(client, world, leader, level='III'))['id']}"

    async def level(to: str, headers: dict[str, str]) -> dict[str, Any]:
        return await ok(client.post(f"{address}/level", json={"level": to, **REASON}, headers=headers))

    assert (await level("I", leader))["level"] == "I"
    assert sum(asked.number for asked in world.emitted(IncidentTeamsRequested)) == 4
    (made,) = (await ok(client.get("/v1/call-outs", headers=leader)))["call_outs"]
    assert [call["subject"] for call in made["calls"]] == [f"expert-{n}" for n in range(1, 5)]
    await refused(client.post(f"{address}/level/agree", json=REASON, headers=second), 409)
    await refused(client.post(f"{address}/level", json={"level": "I", **REASON}, headers=leader), 409)
    assert (await level("IV", leader))["level"] == "I", "not before a second person agrees"
    await refused(client.post(f"{address}/level/agree", json=REASON, headers=leader), 403)
    assert (await ok(client.post(f"{address}/level/agree", json=REASON, headers=second)))["level"] == "IV"
    changes = [(event.previous.value, event.level.value) for event in world.emitted(IncidentLevelChanged)]
    assert changes == [("III", "I"), ("I", "IV")]
    await level("III", leader)
    lowered = [entry for entry in await world.audit_log() if entry["details"].get("proposed_by")]
    assert [(entry["actor"], entry["details"]["proposed_by"]) for entry in lowered] == [("leader-b", "leader-a")]


async def test_an_incident_goes_its_way_and_back_when_it_breaks_out_again(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    await a_group(client, world, COUNTY, "expert-1")
    incident = await an_incident(client, world, leader)
    address = f"/v1/incidents/{incident['id']}"

    def to(state: str) -> Any:
        return client.post(f"{address}/state", json={"state": state, **REASON}, headers=leader)

    await refused(to("aftercare"), 409)
    await refused(client.post(f"{address}/close", json=REASON, headers=leader), 409)
    for state in ("active", "active", "aftercare", "active", "aftercare"):
        assert (await ok(to(state)))["state"] == state
    assert (await ok(client.get(address, headers=leader)))["led_by"] == "leader-a"
    (made,) = (await ok(client.get("/v1/call-outs", headers=leader)))["call_outs"]
    assert made["state"] == "cancelled", "nobody is called to an emergency that is over"
    closed = await ok(client.post(f"{address}/close", json=REASON, headers=leader))
    assert closed["state"] == "closed"
    assert [event.still_in_aftercare for event in world.emitted(IncidentClosed)] == [0]
    for sent in (
        to("active"),
        client.post(f"{address}/level", json={"level": "I", **REASON}, headers=leader),
        client.post(f"{address}/close", json=REASON, headers=leader),
        client.put(f"{address}/teams/{new_id()}", json={"division": COUNTY, "number": 1}, headers=leader),
        client.put(f"{address}/people/{new_id()}", json=a_person(world, "witness"), headers=leader),
    ):
        await refused(sent, 409)
    assert await world.timers() == set()


async def test_it_takes_two_persons_to_close_while_somebody_is_in_aftercare_and_nobody_is_forgotten(
    world: World, client: httpx.AsyncClient, leader: dict[str, str], second: dict[str, str]
) -> None:
    incident = await an_incident(client, world, leader)
    address = f"/v1/incidents/{incident['id']}"
    person = f"{address}/people/{new_id()}"
    await ok(client.put(person, json=a_person(world, "bereaved", phone="000-0000-0001"), headers=leader))
    for state in ("active", "aftercare"):
        await ok(client.post(f"{address}/state", json={"state": state, **REASON}, headers=leader))
    await refused(client.post(f"{address}/close/agree", json=REASON, headers=second), 409)
    problem = await refused(client.post(f"{address}/close", json=REASON, headers=leader), 409)
    assert problem["reason"] == "still_in_aftercare"
    proposed = await ok(client.post(f"{address}/close", json={"override": True, **REASON}, headers=leader))
    assert proposed["state"] == "aftercare"
    await refused(client.post(f"{address}/close/agree", json=REASON, headers=leader), 403)
    assert (await ok(client.post(f"{address}/close/agree", json=REASON, headers=second)))["state"] == "closed"
    assert [event.still_in_aftercare for event in world.emitted(IncidentClosed)] == [1]
    await world.pass_time(timedelta(seconds=1))
    (left,) = (await ok(client.get("/v1/aftercare", headers=leader)))["people"]
    assert left["aftercare"]["state"] == "followed", "the list outlives the incident"
    done = {"outcome": "recovered", **REASON}
    await ok(client.post(f"{person}/aftercare/close", json=done, headers=leader))
    assert (await ok(client.get("/v1/aftercare", headers=leader)))["people"] == []


async def test_teams_are_asked_for_and_arrive_and_each_arrival_counts_once(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    incident = await an_incident(client, world, leader, level="IV")
    address = f"/v1/incidents/{incident['id']}"
    request = f"{address}/teams/{new_id()}"
    body = {"division": TOWN, "number": 2, "skills": ["child-adolescent"]}
    for _ in range(2):
        await ok(client.put(request, json=body, headers=leader))
    assert [(asked.division, asked.number) for asked in world.emitted(IncidentTeamsRequested)] == [
        (COUNTY, 1),
        (TOWN, 2),
    ]
    await refused(client.put(request, json={**body, "number": 3}, headers=leader), 409, "id")
    outside = {**body, "division": NEIGHBOUR}
    await refused(client.put(f"{address}/teams/{new_id()}", json=outside, headers=leader), 422, "division")
    there = {"team": "team-7", "members": 6, "arrived_at": world.now.isoformat()}
    for _ in range(2):
        await ok(client.post(f"{request}/arrivals", json=there, headers=leader))
    numbers = await ok(client.get(f"{address}/numbers", headers=leader))
    assert (numbers["teams_asked"], numbers["teams_arrived"]) == (3, 1)
    await refused(client.post(f"{address}/teams/{new_id()}/arrivals", json=there, headers=leader), 404)
    for moment in ("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00"):
        wrong = {**there, "team": "team-8", "arrived_at": moment}
        await refused(client.post(f"{request}/arrivals", json=wrong, headers=leader), 422, "arrived_at")


async def test_a_campaign_and_the_line_belong_to_the_incident(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    address = f"/v1/incidents/{(await an_incident(client, world, leader))['id']}"
    campaign = {"campaign_id": str(new_id())}
    for _ in range(2):
        linked = await ok(client.post(f"{address}/campaigns", json=campaign, headers=leader))
    assert linked["campaigns"] == [campaign["campaign_id"]]
    raised = await ok(client.post(f"{address}/line", json={"hotline": "quake-line"}, headers=leader))
    assert raised["line"]["hotline"] == "quake-line"


async def test_an_incident_exists_for_those_whom_it_reaches_and_is_led_by_those_who_see_all_of_it(
    world: World, client: httpx.AsyncClient
) -> None:
    city = world.keys.token("district_centre", division=CITY)
    incident = await an_incident(client, world, city, areas=[COUNTY, NEIGHBOUR])
    address, here = f"/v1/incidents/{incident['id']}", world.keys.token("supervisor")
    town = world.keys.token("duty_officer", division=TOWN)
    for headers in (city, here, town):
        assert (await ok(client.get(address, headers=headers)))["id"] == incident["id"]
        assert len((await ok(client.get("/v1/incidents?state=declared", headers=headers)))["incidents"]) == 1
    leading: list[tuple[str, dict[str, Any]]] = [
        ("level", {"level": "I", **REASON}),
        ("level/agree", REASON),
        ("state", {"state": "active", **REASON}),
        ("close", REASON),
        ("close/agree", REASON),
        ("line", {"hotline": "quake-line"}),
    ]
    far = world.keys.token("district_centre", "duty_officer", division="320706")
    for command, body in leading:
        await refused(client.post(f"{address}/{command}", json=body, headers=here), 403)
        await refused(client.post(f"{address}/{command}", json=body, headers=town), 403)
        await refused(client.post(f"{address}/{command}", json=body, headers=far), 404)
        for name in body:
            wrong = {**body, name: [1]}
            await refused(client.post(f"{address}/{command}", json=wrong, headers=city), 422, f"body.{name}")
    for sent in (
        client.get(address, headers=far),
        client.get(f"{address}/numbers", headers=far),
        client.put(f"{address}/teams/{new_id()}", json={"division": COUNTY, "number": 1}, headers=far),
        client.put(f"{address}/teams/{new_id()}", json={"division": NEIGHBOUR, "number": 1}, headers=here),
        client.post(f"{address}/campaigns", json={"campaign_id": str(new_id())}, headers=far),
    ):
        await refused(sent, 404)
    assert (await ok(client.get("/v1/incidents", headers=far)))["incidents"] == []


async def test_a_declaration_that_is_wrong_says_where(
    world: World, client: httpx.AsyncClient, leader: dict[str, str]
) -> None:
    good = {"id": str(new_id()), "kind": "accident", "level": "II", "areas": [COUNTY]}
    good |= {"started_at": world.now.isoformat(), **REASON}
    later = (world.now + timedelta(hours=1)).isoformat()
    for name, wrong, field in (
        ("kind", "flood", "body.kind"),
        ("level", 1, "body.level"),
        ("areas", [], "body.areas"),
        ("areas", ["37x"], "body.areas.0"),
        ("areas", [f"{COUNTY}999"], "areas.0"),
        ("started_at", "2026-03-02T02:10:00", "body.started_at"),
        ("started_at", later, "started_at"),
        ("reason", " ", "body.reason"),
    ):
        await refused(client.post("/v1/incidents", json={**good, name: wrong}, headers=leader), 422, field)
    await refused(client.post("/v1/incidents", json={**good, "areas": [NEIGHBOUR]}, headers=leader), 404)
    officer = world.keys.token("duty_officer")
    await refused(client.post("/v1/incidents", json=good, headers=officer), 403)
    assert world.emitted(IncidentDeclared) == []


async def test_the_code_lists_come_with_their_chinese_words_and_sources(
    world: World, client: httpx.AsyncClient
) -> None:
    codes = await ok(client.get("/v1/incidents/codes", headers=world.keys.token("surveyor")))
    stress = {row["code"]: (row["system"], row["by_institution"]) for row in codes["acute_stress"]}
    assert stress == {"QE84": ("ICD-11", False), "F43.0": ("ICD-10", True)}
    assert {"fall-from-height", "drowning"} <= {row["code"] for row in codes["critical_incidents"]}
    lists = [*codes["methods"], *codes["acute_stress"], *codes["critical_incidents"], *codes["screen"]]
    assert all(row["source"] for row in lists)


def test_every_incident_can_be_closed_and_a_closed_one_stays_so() -> None:
    assert {state for state in IncidentState if not NEXT[state]} == {IncidentState.closed}
    reached = {IncidentState.declared}
    for _ in IncidentState:
        reached |= {following for state in reached for following in NEXT[state]}
    assert reached == set(IncidentState)


digits = st.text("0123456789", min_size=12, max_size=12)
codes = st.builds(lambda code, size: code[:size], digits, st.sampled_from([2, 4, 6, 9, 12]))
few = st.builds(
    lambda code, size: ("37" + code)[:size], st.text("01", min_size=10, max_size=10), st.sampled_from([2, 4, 6, 9])
)


@given(st.lists(st.one_of(codes, few), min_size=1, max_size=8))
def test_areas_cover_what_was_said_and_none_lies_in_another(said: list[str]) -> None:
    areas = reduce_areas(said)
    assert all(any(code.startswith(area) for area in areas) for code in said)
    assert set(areas) <= set(said)
    assert not any(a != b and a.startswith(b) for a in areas for b in areas)
    common = common_division(areas)
    assert all(area.startswith(common) for area in areas)
    assert len(common) in (0, 2, 4, 6, 9, 12)


@given(st.sampled_from(list(EmergencyLevel)), st.sampled_from(list(EmergencyLevel)))
def test_a_level_is_lowered_raised_or_the_same(one: EmergencyLevel, other: EmergencyLevel) -> None:
    assert [lowers(one, other), lowers(other, one), one is other].count(True) == 1
    assert lowers(EmergencyLevel.one, EmergencyLevel.four)


steps = st.lists(
    st.tuples(
        st.sampled_from(["level", "level/agree", "state", "close", "close/agree"]),
        st.sampled_from(["leader-a", "leader-b"]),
        st.sampled_from(["I", "II", "III", "IV"]),
        st.sampled_from(["active", "aftercare"]),
        st.booleans(),
    ),
    min_size=6,
    max_size=20,
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, mourning=st.booleans())
async def test_whatever_two_leaders_do_no_state_is_skipped_and_nothing_is_lowered_or_left_by_one_of_them(
    world: World, client: httpx.AsyncClient, steps: list[tuple[str, str, str, str, bool]], mourning: bool
) -> None:
    leaders = {sub: world.keys.token("supervisor", sub=sub) for sub in ("leader-a", "leader-b")}
    incident = await an_incident(client, world, leaders["leader-a"], level="III")
    address = f"/v1/incidents/{incident['id']}"
    if mourning:
        person = a_person(world, "bereaved")
        await ok(client.put(f"{address}/people/{new_id()}", json=person, headers=leaders["leader-a"]))
    for command, sub, level, state, override in steps:
        before = await ok(client.get(address, headers=leaders[sub]))
        bodies: dict[str, dict[str, Any]] = {"level": {"level": level}, "state": {"state": state}}
        said = (bodies | {"close": {"override": override}}).get(command, {})
        answer = await client.post(f"{address}/{command}", json={**said, **REASON}, headers=leaders[sub])
        assert answer.status_code in (200, 403, 409), answer.text
        after = await ok(client.get(address, headers=leaders[sub]))
        if answer.status_code != 200:
            assert after == before, "what is refused changes nothing"
            continue
        if after["state"] != before["state"]:
            assert IncidentState(after["state"]) in NEXT[IncidentState(before["state"])]
        if lowers(EmergencyLevel(before["level"]), EmergencyLevel(after["level"])):
            assert (command, before["lowering"]["by"] != sub) == ("level/agree", True)
        if after["state"] == "closed" and mourning:
            assert (command, before["closing"]["by"] != sub) == ("close/agree", True)
        assert before["state"] != "closed", "a closed incident takes no more commands"

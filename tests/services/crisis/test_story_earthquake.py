"""An earthquake at night in two counties: from the declaration to the last person who is still followed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import new_id
from contracts.crisis import CaseOpened, IncidentClosed, IncidentDeclared, IncidentTeamsRequested
from contracts.hotline import RiskFlagged, Way
from tests.services.crisis.incidents import (
    CITY,
    a_group,
    a_person,
    a_screen,
    an_incident,
    approved_plan,
    ok,
    refused,
)
from tests.services.crisis.world import COUNTY, NEIGHBOUR, OTHER_SUPERVISOR, SUPERVISOR, TOWN, World

SHOOK = {"dazed": "yes", "bodily": "yes", "sleepless": "yes", "wish-to-die": "no"}
CALM = {"dazed": "no", "bodily": "no", "sleepless": "yes", "wish-to-die": "no"}


async def test_an_earthquake_at_night_is_met_until_the_last_person_is_closed(
    world: World, client: httpx.AsyncClient
) -> None:
    city = world.keys.token("district_centre", sub="centre-a", division=CITY)
    second = world.keys.token("supervisor", sub="centre-b", division=CITY)
    here = world.keys.token("duty_officer", sub="officer-a", division=COUNTY)
    there = world.keys.token("duty_officer", sub="officer-n", division=NEIGHBOUR)
    tablets = [world.keys.token("surveyor", sub=f"surveyor-{n}", division=COUNTY) for n in (1, 2)]

    # One county has its plan, the other does not; the city's experts stand for both.
    plan = await approved_plan(client, world, COUNTY)
    await a_group(client, world, CITY, "expert-1", "expert-2", "expert-3")
    (gap,) = [
        row
        for row in (await ok(client.get("/v1/emergency-plans/gaps", headers=city)))["gaps"]
        if row["division"] == COUNTY
    ]
    assert "natural_disaster" not in gap["kinds"]

    # Declared at night: everything is asked for at once, and the gap holds nothing up.
    incident = await an_incident(client, world, city, level="IV", areas=[COUNTY, NEIGHBOUR])
    key = incident["id"]
    assert [(row["area"], row["plan_id"]) for row in incident["plans"]] == [(NEIGHBOUR, None), (COUNTY, plan["id"])]
    (declared,) = world.emitted(IncidentDeclared)
    assert declared.without_plan == (NEIGHBOUR,)
    assert {asked.division: asked.number for asked in world.emitted(IncidentTeamsRequested)} == {
        COUNTY: 1,
        NEIGHBOUR: 1,
    }

    # The first expert sleeps; the second is called when the time is over, and answers by name.
    first, other = (world.keys.token("volunteer", sub=f"expert-{n}", division=CITY) for n in (1, 2))
    (call,) = (await ok(client.get("/v1/call-outs/mine", headers=first)))["call_outs"]
    assert (await ok(client.get("/v1/call-outs/mine", headers=other)))["call_outs"] == []
    await world.pass_time(timedelta(minutes=31))
    (second_call,) = (await ok(client.get("/v1/call-outs/mine", headers=other)))["call_outs"]
    assert second_call["id"] == call["id"]
    await ok(client.post(f"/v1/call-outs/{call['id']}/answer", json={"answer": "acknowledged"}, headers=other))
    (made,) = (await ok(client.get("/v1/call-outs", headers=city)))["call_outs"]
    answers = [(one["subject"], one["outcome"]) for one in made["calls"]]
    assert (made["state"], answers) == ("answered", [("expert-1", "silent"), ("expert-2", "acknowledged")])
    shown = await ok(client.get(f"/v1/incidents/{key}", headers=city))
    assert shown["gaps"] == {"plan": [NEIGHBOUR], "experts": [], "teams": [NEIGHBOUR, COUNTY]}
    await ok(client.post(f"/v1/incidents/{key}/state", json={"state": "active", "reason": "到岗指挥"}, headers=city))
    asked = next(row["id"] for row in shown["teams"] if row["area"] == COUNTY)
    there_now = {"team": "team-1", "members": 5, "arrived_at": world.now.isoformat()}
    await ok(client.post(f"/v1/incidents/{key}/teams/{asked}/arrivals", json=there_now, headers=here))

    # Two tablets without a network write down the same people; sent later, in any order and twice, nobody is double.
    mother, child, helper, witness = (new_id() for _ in range(4))
    again = new_id()
    written: list[tuple[Any, dict[str, Any], dict[str, str]]] = [
        (mother, a_person(world, "bereaved", phone="000-0000-0001", name="张示例"), tablets[0]),
        (again, a_person(world, "displaced", phone="000 0000 0001", name="张示例"), tablets[1]),
        (
            child,
            a_person(
                world,
                "directly_affected",
                phone="000-0000-0001",
                name="张小示",
                phone_is_own=False,
                age_band="under_14",
                consent_by="guardian",
                guardian="张示例 000-0000-0001",
            ),
            tablets[0],
        ),
        (helper, a_person(world, "rescuer", phone="000-0000-0003", name="王示例"), tablets[1]),
        (witness, a_person(world, "witness", consent="refused"), tablets[1]),
    ]
    for ident, body, tablet in [*written, *reversed(written)]:
        await ok(client.put(f"/v1/incidents/{key}/people/{ident}", json=body, headers=tablet))
    register = (await ok(client.get(f"/v1/incidents/{key}/people", headers=here)))["people"]
    assert sorted(row["category"] for row in register) == ["bereaved", "directly_affected", "rescuer", "witness"]
    assert "张示例" not in str(register)
    assert "0000-0001" not in str(register)
    found = await ok(
        client.post(f"/v1/incidents/{key}/people/find", json={"phone": "+86 000-0000-0001"}, headers=tablets[0])
    )
    assert found["person"]["categories"] == ["bereaved", "displaced"]
    assert (await ok(client.get(f"/v1/incidents/{key}/people", headers=there)))["people"] == []

    # The mass screening: who is positive becomes a case; the minor among them shows as one.
    for ident, answers_, act in (
        (mother, {**SHOOK, "wish-to-die": "yes"}, "no"),
        (child, SHOOK, "not_asked"),
        (helper, CALM, "no"),
    ):
        screen = new_id()
        for _ in range(2):
            body = a_screen(world, ident, answers_, act_in_progress=act)
            await ok(client.put(f"/v1/incidents/{key}/screens/{screen}", json=body, headers=tablets[0]))
    unwilling = client.put(
        f"/v1/incidents/{key}/screens/{new_id()}", json=a_screen(world, witness, SHOOK), headers=tablets[0]
    )
    assert (await refused(unwilling, 409))["reason"] == "consent_refused"
    flags = world.emitted(RiskFlagged)
    assert [(flag.way, flag.hotline, flag.minor) for flag in flags] == [
        (Way.screening_result, "incident", False),
        (Way.screening_result, "incident", True),
    ]
    await world.take(*flags)
    opened = [(case.tier.value, case.minor, case.hotline) for case in world.emitted(CaseOpened)]
    assert [(minor, hotline) for _, minor, hotline in opened] == [(False, "incident"), (True, "incident")]
    assert opened[0][0] == "high"

    # Who refused is left alone, unless the law allows to turn to the person.
    unasked = {"reason": "邻居听见其反复说不想活", "level": "high"}
    address = f"/v1/incidents/{key}/people/{witness}/outreaches/{new_id()}"
    missing = await refused(client.put(address, json=unasked, headers=here), 422)
    assert missing["field"] == "body.legal_basis"
    unfit = {**unasked, "legal_basis": "pipl_13_1"}
    assert (await refused(client.put(address, json=unfit, headers=here), 422))["field"] == "legal_basis"
    await ok(client.put(address, json={**unasked, "legal_basis": "pipl_13_4"}, headers=here))
    await world.take(world.emitted(RiskFlagged)[-1])
    cases = await world.cases()
    assert len(cases) == 3
    assert cases[-1]["decisions_needed"] == [], "the case knows its legal basis"

    # What is done, and what it adds up to.
    session = {
        "division": TOWN,
        "method": "psychoeducation",
        "held_at": world.now.isoformat(),
        "minutes": 60,
        "participants": 18,
        "led_by": ["expert-2"],
    }
    await ok(client.put(f"/v1/incidents/{key}/sessions/{new_id()}", json=session, headers=here))
    helped = {
        "person_id": str(mother),
        "method": "psychological-first-aid",
        "held_at": world.now.isoformat(),
        "acute_stress": "QE84",
        "case_id": str((await world.case_of(flags[0].id))["_id"]),
    }
    await ok(client.put(f"/v1/incidents/{key}/interventions/{new_id()}", json=helped, headers=here))
    case = await world.case_of(flags[0].id)
    await world.refer(case["_id"])
    numbers = await ok(client.get(f"/v1/incidents/{key}/numbers", headers=here))
    assert numbers["people"] == sum(numbers["by_category"].values()) == 4
    expected = {
        "minors": 1,
        "screened": 3,
        "positive": 2,
        "in_case": 3,
        "referred": 1,
        "group_sessions": 1,
        "participants": 18,
        "interventions": 1,
        "acute_stress": 1,
        "outreaches": 1,
        "teams_asked": 1,
        "teams_arrived": 1,
    }
    assert {name: numbers[name] for name in expected} == expected
    assert (await ok(client.get(f"/v1/incidents/{key}/numbers", headers=there)))["people"] == 0

    # After-care: everyone at high risk is followed, and the incident does not end before each is closed.
    await ok(client.post(f"/v1/incidents/{key}/state", json={"state": "aftercare", "reason": "抢险结束"}, headers=city))
    await world.fire(f"incident_aftercare:{key}")
    followed = (await ok(client.get("/v1/aftercare", headers=here)))["people"]
    assert {row["aftercare"]["state"] for row in followed} == {"followed"}
    assert len(followed) == 2
    early = await refused(client.post(f"/v1/incidents/{key}/close", json={"reason": "结束"}, headers=city), 409)
    assert early["reason"] == "still_in_aftercare"
    done = {"outcome": "recovered", "reason": "多次回访平稳"}
    held = await refused(
        client.post(f"/v1/incidents/{key}/people/{mother}/aftercare/close", json=done, headers=city), 409
    )
    assert held["reason"] == "case_open"
    for flag in flags:
        one = await world.case_of(flag.id)
        await world.acknowledge(one["_id"], SUPERVISOR)  # a child's case is for those who watch over the shift
        await world.close(one["_id"], OTHER_SUPERVISOR)
    for ident in (mother, child):
        await ok(client.post(f"/v1/incidents/{key}/people/{ident}/aftercare/close", json=done, headers=city))
    assert (await ok(client.get("/v1/aftercare", headers=here)))["people"] == []
    closed = await ok(client.post(f"/v1/incidents/{key}/close", json={"reason": "全部结案"}, headers=second))
    assert closed["state"] == "closed"
    assert [event.still_in_aftercare for event in world.emitted(IncidentClosed)] == [0]

"""People affected by an incident: registered without doubles, screened, helped, followed until each is closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from contracts.base import Tier
from contracts.crisis import CaseOpened, FlagJoined, ProgrammeBegun
from contracts.hotline import RiskFlagged, Way
from services.crisis.domain.incidents_aftercare import NEXT, OPEN, AftercareState
from tests.services.crisis.incidents import CITY, a_person, a_screen, an_incident, ok, refused
from tests.services.crisis.world import COUNTY, HOSPITAL, NEIGHBOUR, OTHER_SUPERVISOR, TOWN, World

PEOPLE = "/v1/incidents/{incident_id}/people"
ROUTES = {
    "GET /v1/aftercare",
    f"GET {PEOPLE}",
    f"PUT {PEOPLE}/{{person_id}}",
    f"POST {PEOPLE}/find",
    f"POST {PEOPLE}/{{person_id}}/contact",
    f"POST {PEOPLE}/{{person_id}}/high-risk",
    f"POST {PEOPLE}/{{person_id}}/aftercare/close",
    f"PUT {PEOPLE}/{{person_id}}/outreaches/{{outreach_id}}",
    "PUT /v1/incidents/{incident_id}/screens/{screen_id}",
    "PUT /v1/incidents/{incident_id}/sessions/{session_id}",
    "PUT /v1/incidents/{incident_id}/interventions/{intervention_id}",
    "GET /v1/incidents/{incident_id}/acts",
}
REASON = {"reason": "回访需要"}
SHAKEN = {"dazed": "yes", "bodily": "yes", "agitated": "yes", "wish-to-die": "no"}
PHONE = "000-0000-0001"


@pytest.fixture
def officer(world: World) -> dict[str, str]:
    return world.keys.token("duty_officer", sub="officer-a")


@pytest.fixture
def leader(world: World) -> dict[str, str]:
    return world.keys.token("supervisor", sub="leader-a")


@pytest.fixture
async def address(world: World, client: httpx.AsyncClient, leader: dict[str, str]) -> str:
    return f"/v1/incidents/{(await an_incident(client, world, leader))['id']}"


async def registered(
    client: httpx.AsyncClient,
    world: World,
    incident: str,
    headers: dict[str, str],
    category: str = "witness",
    **said: Any,
) -> dict[str, Any]:
    ident = new_id()
    path = f"{incident}/people/{ident}"
    await ok(client.put(path, json=a_person(world, category, **said), headers=headers))
    return {"id": str(ident), "path": path}


# The register


async def test_a_person_sent_twice_is_one_and_something_else_under_the_same_id_is_refused(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    path, body = f"{address}/people/{new_id()}", a_person(world, "witness", phone=PHONE, name="张示例")
    first = await ok(client.put(path, json=body, headers=officer))
    assert await ok(client.put(path, json=body, headers=officer)) == first
    await refused(client.put(path, json={**body, "name": "李示例"}, headers=officer), 409, "id")
    other = await an_incident(client, world, world.keys.token("supervisor"))
    elsewhere = path.replace(address, f"/v1/incidents/{other['id']}")
    assert (await ok(client.put(elsewhere, json=body, headers=officer)))["id"] != first["id"]


async def test_who_is_registered_again_under_the_same_telephone_is_the_same_person(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    one = await registered(client, world, address, officer, "witness", phone=PHONE, age_band="from_14_to_17")
    two = await registered(client, world, address, officer, "bereaved", phone="+86 00000000001", consent="refused")
    (person,) = (await ok(client.get(f"{address}/people", headers=officer)))["people"]
    assert (person["category"], person["categories"]) == ("bereaved", ["bereaved", "witness"])
    assert (person["minor"], person["consent"]) == (True, "refused")
    assert sorted(row["id"] for row in person["registrations"]) == sorted([one["id"], two["id"]])
    for path in (one["path"], two["path"]):
        assert (await ok(client.post(f"{path}/high-risk", json=REASON, headers=officer)))["id"] == person["id"]
    found = await ok(client.post(f"{address}/people/find", json={"phone": "0000 0000 001"}, headers=officer))
    assert (found["found"], found["person"]["id"]) == (True, person["id"])
    assert (await world.audit_log())[-1]["action"] == "affected_looked_up"
    assert (await ok(client.post(f"{address}/people/find", json={"phone": "000-0000-0009"}, headers=officer))) == {
        "found": False,
        "person": None,
    }


async def test_a_child_with_a_parents_telephone_is_not_the_parent(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    await registered(client, world, address, officer, phone=PHONE, name="张示例")
    child: dict[str, Any] = {"phone": PHONE, "phone_is_own": False, "age_band": "under_14"}
    for _ in range(2):
        await registered(client, world, address, officer, name="张小示", consent_by="guardian", **child)
    for _ in range(2):
        await registered(client, world, address, officer, consent="not_asked", **child)
    people = (await ok(client.get(f"{address}/people", headers=officer)))["people"]
    assert sorted(len(person["registrations"]) for person in people) == [1, 1, 1, 2]
    asked = {"phone": PHONE, "phone_is_own": False, "name": "张 小示"}
    found = await ok(client.post(f"{address}/people/find", json=asked, headers=officer))
    assert found["person"]["minor"] is True
    nameless = {"phone": PHONE, "phone_is_own": False}
    await refused(client.post(f"{address}/people/find", json=nameless, headers=officer), 422, "phone")
    alone = a_person(world, "witness", age_band="under_14", consent="yes")
    await refused(client.put(f"{address}/people/{new_id()}", json=alone, headers=officer), 422, "consent_by")


async def test_what_is_personal_rests_sealed_and_each_reading_is_recorded(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    said = {"phone": PHONE, "name": "张示例", "address": "三号帐篷", "guardian": "李示例", "remark": "怕黑"}
    person = await registered(client, world, address, officer, **said)
    for collection in ("incident_people", "incident_registrations", "incident_contacts", "audit_log"):
        kept = str(await world.database.find(collection, {}))
        assert not any(text in kept for text in [*said.values(), "00000000001"]), collection
    (contact,) = (await ok(client.post(f"{person['path']}/contact", json=REASON, headers=officer)))["contacts"]
    assert (contact["name"], contact["note"]) == ("张示例", "怕黑")
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["reason"]) == ("affected_contact_read", "officer-a", "回访需要")
    surveyor = world.keys.token("surveyor")
    await refused(client.post(f"{person['path']}/contact", json=REASON, headers=surveyor), 403)
    await refused(client.get(f"{address}/people", headers=surveyor), 403)


async def test_the_register_is_read_page_by_page_by_category_and_place_in_aftercare(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    for category in ("bereaved", "witness", "witness", "rescuer", "displaced"):
        await registered(client, world, address, officer, category)

    async def listed(query: str, path: str = f"{address}/people") -> list[dict[str, Any]]:
        people: list[dict[str, Any]] = (await ok(client.get(f"{path}?{query}", headers=officer)))["people"]
        return people

    assert len(await listed("category=witness")) == 2
    assert [row["category"] for row in await listed("aftercare=listed")] == ["bereaved"]
    first = await listed("limit=3")
    rest = await listed(f"limit=3&after={first[-1]['id']}")
    assert len({row["id"] for row in [*first, *rest]}) == 5
    assert [row["category"] for row in await listed("limit=1", "/v1/aftercare")] == ["bereaved"]


async def test_who_is_displaced_may_be_registered_outside_of_the_area_and_a_witness_not(
    world: World, client: httpx.AsyncClient, address: str
) -> None:
    city = world.keys.token("duty_officer", division=CITY)
    away = a_person(world, "displaced", division=NEIGHBOUR)
    await ok(client.put(f"{address}/people/{new_id()}", json=away, headers=city))
    wrong = a_person(world, "witness", division=NEIGHBOUR)
    await refused(client.put(f"{address}/people/{new_id()}", json=wrong, headers=city), 422, "division")


# Screens


async def test_a_positive_screen_becomes_a_case_that_can_be_reached(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer, phone=PHONE, name="张示例", guardian="李示例")
    path = f"{address}/screens/{new_id()}"
    body = a_screen(world, person["id"], SHAKEN)
    for _ in range(2):
        screen = await ok(client.put(path, json=body, headers=officer))
    assert (screen["positive"], screen["level"]) == (True, "moderate")
    assert screen["not_asked"] == ["alone", "amnesia", "sleepless", "withdrawn"], "what was not asked shows"
    (flag,) = world.emitted(RiskFlagged)
    assert (flag.way, flag.contact, flag.caller) == (
        Way.screening_result,
        path.rsplit("/", 1)[1],
        world.office.pseudonym("00000000001"),
    )
    assert world.office.envelope.open(flag.sealed_contact or "") == {
        "name": "张示例",
        "phone": PHONE,
        "note": "监护人：李示例",
    }
    await world.take(flag)
    assert [case.tier for case in world.emitted(CaseOpened)] == [Tier.moderate]
    await refused(client.put(path, json={**body, "act_in_progress": "yes"}, headers=officer), 409, "id")
    again = a_screen(world, person["id"], SHAKEN)
    await ok(client.put(f"{address}/screens/{new_id()}", json=again, headers=officer))
    await world.take(world.emitted(RiskFlagged)[-1])
    assert len(world.emitted(FlagJoined)) == 1, "the person's case is joined, not doubled"
    acts = (await ok(client.get(f"{address}/acts?kind=screen", headers=officer)))["acts"]
    assert len(acts) == 2


async def test_one_word_about_suicide_or_harm_is_enough_and_two_signs_of_stress_are_not(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer)
    rows: list[tuple[dict[str, str], dict[str, str], bool, str | None]] = [
        ({"wish-to-die": "yes"}, {}, True, "high"),
        ({}, {"act_in_progress": "yes"}, True, None),
        ({}, {"attempt_within_2_weeks": "yes"}, True, None),
        ({}, {"suspected_harm_to_minor": "yes"}, True, None),
        ({"dazed": "yes", "bodily": "yes"}, {}, False, None),
        ({"dazed": "unknown", "bodily": "refused", "agitated": "yes"}, {}, False, None),
    ]
    for answers, said, positive, level in rows:
        before = len(world.emitted(RiskFlagged))
        body = a_screen(world, person["id"], answers, **said)
        screen = await ok(client.put(f"{address}/screens/{new_id()}", json=body, headers=officer))
        assert (screen["positive"], screen["level"]) == (positive, level)
        assert len(world.emitted(RiskFlagged)) - before == positive


async def test_who_refused_is_turned_to_only_on_a_legal_basis(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer, consent="refused", phone=PHONE)
    screen = client.put(f"{address}/screens/{new_id()}", json=a_screen(world, person["id"], SHAKEN), headers=officer)
    assert (await refused(screen, 409))["reason"] == "consent_refused"
    path = f"{person['path']}/outreaches/{new_id()}"
    body = {"reason": "同住者反映其想结束生命", "plan_within_72_hours": "yes"}
    await refused(client.put(path, json=body, headers=officer), 422, "body.legal_basis")
    await refused(client.put(path, json={**body, "legal_basis": "because"}, headers=officer), 422, "body.legal_basis")
    await refused(client.put(path, json={**body, "legal_basis": "pipl_13_1"}, headers=officer), 422, "legal_basis")
    assert world.emitted(RiskFlagged) == []
    lawful = {**body, "legal_basis": "pipl_13_4"}
    for _ in range(2):
        made = await ok(client.put(path, json=lawful, headers=officer))
    assert made["against_refusal"] is True
    (flag,) = world.emitted(RiskFlagged)
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert (case["tier"], case["decisions_needed"]) == ("high", [])
    entry = next(row for row in await world.audit_log() if row["action"] == "outreach_opened")
    assert (entry["actor"], entry["details"]["legal_basis"]) == ("officer-a", "pipl_13_4")
    await refused(client.put(path, json={**lawful, "level": "low"}, headers=officer), 409, "id")
    assert "结束生命" not in str(await world.database.find("sections", {}))


# Group sessions and individual intervention


async def test_group_sessions_and_interventions_are_kept_with_method_and_code(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer, phone=PHONE)
    session = {"division": TOWN, "method": "group-support", "held_at": world.now.isoformat(), "minutes": 50}
    session |= {"participants": 12, "led_by": ["expert-1"]}
    path = f"{address}/sessions/{new_id()}"
    for _ in range(2):
        await ok(client.put(path, json=session, headers=officer))
    await refused(client.put(path, json={**session, "participants": 13}, headers=officer), 409, "id")
    for name, wrong, field in (
        ("method", "counselling", "method"),
        ("method", "debriefing", "method"),
        ("participants", 0, "body.participants"),
        ("led_by", [], "body.led_by"),
        ("division", NEIGHBOUR, None),
    ):
        sent = client.put(f"{address}/sessions/{new_id()}", json={**session, name: wrong}, headers=officer)
        await refused(sent, 422 if field else 404, field)
    helped = {"person_id": person["id"], "method": "counselling", "held_at": world.now.isoformat()}
    case = await world.flag(division=TOWN)
    path = f"{address}/interventions/{new_id()}"
    for _ in range(2):
        body = {**helped, "acute_stress": "QE84", "case_id": str(case["_id"])}
        made = await ok(client.put(path, json=body, headers=officer))
    assert made["acute_stress"] == "QE84"
    assert (await world.case(case["_id"]))["timeline"][-1]["kind"] == "incident_intervention"
    (shown,) = (await ok(client.get(f"{address}/people", headers=officer)))["people"]
    assert (shown["acute_stress"], shown["cases"]) == (["QE84"], [str(case["_id"])])
    assert shown["aftercare"]["state"] == "listed"
    (act,) = (await ok(client.get(f"{address}/acts?kind=session", headers=officer)))["acts"]
    assert act["participants"] == 12


async def test_a_diagnosis_needs_the_medical_institution_that_made_it(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer)
    body = {"person_id": person["id"], "method": "counselling", "held_at": world.now.isoformat()}
    for said, field in (
        ({"acute_stress": "F43.0"}, "organisation_id"),
        ({"acute_stress": "F43.0", "organisation_id": str(new_id())}, "organisation_id"),
        ({"acute_stress": "F99"}, "acute_stress"),
        ({"acute_stress": "f43"}, "body.acute_stress"),
        ({"method": "group-support"}, "method"),
    ):
        sent = client.put(f"{address}/interventions/{new_id()}", json={**body, **said}, headers=officer)
        await refused(sent, 422, field)
    diagnosed = {**body, "acute_stress": "F43.0", "organisation_id": str(HOSPITAL)}
    await ok(client.put(f"{address}/interventions/{new_id()}", json=diagnosed, headers=officer))
    unknown = {**body, "case_id": str(new_id())}
    await refused(client.put(f"{address}/interventions/{new_id()}", json=unknown, headers=officer), 404)
    far = await world.flag(NEIGHBOUR)
    outside = {**body, "case_id": str(far["_id"])}
    await refused(client.put(f"{address}/interventions/{new_id()}", json=outside, headers=officer), 404)


# After-care


async def test_people_at_high_risk_are_followed_until_each_is_closed_and_come_back_for_a_new_reason(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], leader: dict[str, str], address: str
) -> None:
    mourning = await registered(client, world, address, officer, "bereaved", phone=PHONE, name="张示例")
    marked = await registered(client, world, address, officer)
    calm = await registered(client, world, address, officer)
    await ok(client.post(f"{marked['path']}/high-risk", json=REASON, headers=officer))
    done = {"outcome": "recovered", **REASON}
    await refused(client.post(f"{calm['path']}/aftercare/close", json=done, headers=leader), 409)
    for state in ("active", "aftercare"):
        await ok(client.post(f"{address}/state", json={"state": state, **REASON}, headers=leader))
    await world.pass_time(timedelta(seconds=1))
    programmes = world.emitted(ProgrammeBegun)
    assert [(begun.kind, str(begun.incident_id)) for begun in programmes] == [
        ("post_incident", address.rsplit("/", 1)[1])
    ] * 2
    shown = (await ok(client.get("/v1/aftercare", headers=officer)))["people"]
    assert {row["aftercare"]["programme_id"] for row in shown} == {str(one.programme_id) for one in programmes}
    closed = await ok(client.post(f"{mourning['path']}/aftercare/close", json=done, headers=leader))
    assert (closed["aftercare"]["state"], closed["aftercare"]["closed_by"]) == ("closed", "leader-a")
    await refused(client.post(f"{mourning['path']}/aftercare/close", json=done, headers=leader), 409)
    await registered(client, world, address, officer, "bereaved", phone=PHONE)
    assert len((await ok(client.get("/v1/aftercare", headers=officer)))["people"]) == 1, "no news"
    screen = a_screen(world, mourning["id"], {"wish-to-die": "yes"})
    await ok(client.put(f"{address}/screens/{new_id()}", json=screen, headers=officer))
    await world.fire(f"incident_aftercare:{address.rsplit('/', 1)[1]}")
    back = (await ok(client.get("/v1/aftercare", headers=officer)))["people"]
    assert [row["aftercare"]["state"] for row in back] == ["followed", "followed"]


async def test_nobody_is_taken_off_the_list_while_the_case_is_open_at_high_risk(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], leader: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer, phone=PHONE)
    screen = a_screen(world, person["id"], {"wish-to-die": "yes"})
    await ok(client.put(f"{address}/screens/{new_id()}", json=screen, headers=officer))
    (flag,) = world.emitted(RiskFlagged)
    await world.take(flag)
    done = {"outcome": "recovered", **REASON}
    held = await refused(client.post(f"{person['path']}/aftercare/close", json=done, headers=leader), 409)
    assert held["reason"] == "case_open"
    case = await world.case_of(flag.id)
    await world.acknowledge(case["_id"])
    await world.close(case["_id"], OTHER_SUPERVISOR)
    await ok(client.post(f"{person['path']}/aftercare/close", json=done, headers=leader))


# Who may


async def test_an_incidents_people_do_not_exist_for_another_division_and_wrong_input_says_where(
    world: World, client: httpx.AsyncClient, officer: dict[str, str], leader: dict[str, str], address: str
) -> None:
    person = await registered(client, world, address, officer, phone=PHONE)
    held = {"held_at": world.now.isoformat()}
    helped = {"person_id": person["id"], "method": "counselling", **held}
    group = {"division": TOWN, "method": "group-support", "minutes": 50, "participants": 2, "led_by": ["a"], **held}
    unasked = {"reason": "同住者反映", "legal_basis": "pipl_13_4"}
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{address}/people/{new_id()}", a_person(world, "witness")),
        ("POST", f"{address}/people/find", {"phone": PHONE}),
        ("POST", f"{person['path']}/contact", REASON),
        ("POST", f"{person['path']}/high-risk", REASON),
        ("POST", f"{person['path']}/aftercare/close", {"outcome": "recovered", **REASON}),
        ("PUT", f"{person['path']}/outreaches/{new_id()}", unasked),
        ("PUT", f"{address}/screens/{new_id()}", a_screen(world, person["id"], SHAKEN)),
        ("PUT", f"{address}/sessions/{new_id()}", group),
        ("PUT", f"{address}/interventions/{new_id()}", helped),
    ]
    beside = world.keys.token("supervisor", division=NEIGHBOUR)
    other_town = world.keys.token("supervisor", division=f"{COUNTY}002")
    for method, path, body in writes:
        await refused(client.request(method, path, json=body, headers=beside), 404)
        nowhere = path.replace(address, f"/v1/incidents/{new_id()}")
        await refused(client.request(method, nowhere, json=body, headers=leader), 404)
        if "/find" not in path:
            await refused(client.request(method, path, json=body, headers=other_town), 404)
        for name in body:
            wrong = {**body, name: {"x": 1}}
            answer = await refused(client.request(method, path, json=wrong, headers=leader), 422)
            assert answer["field"].startswith(f"body.{name}"), answer
        await refused(client.request(method, path, json={**body, "extra": 1}, headers=leader), 422, "body.extra")
    for path in (f"{address}/people", f"{address}/acts?kind=screen"):
        await refused(client.get(path, headers=beside), 404)
        assert list((await ok(client.get(path, headers=other_town))).values()) == [[]]
    assert (await ok(client.get("/v1/aftercare", headers=beside)))["people"] == []
    item = a_screen(world, person["id"], {"shoe-size": "yes"})
    await refused(client.put(f"{address}/screens/{new_id()}", json=item, headers=officer), 422, "answers.shoe-size")
    stranger = a_screen(world, new_id(), SHAKEN)
    await refused(client.put(f"{address}/screens/{new_id()}", json=stranger, headers=officer), 404)


def test_a_person_on_the_list_leaves_it_only_by_being_closed() -> None:
    assert set(NEXT) == set(AftercareState)
    for state in OPEN:
        assert NEXT[state] <= OPEN | {AftercareState.closed}
    assert NEXT[AftercareState.closed] == {AftercareState.listed}

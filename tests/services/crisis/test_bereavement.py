"""Families of the deceased: looked after through the time of grief, screened, and never without a next step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.clock import local_day, new_id
from contracts.hotline import RiskFlagged
from services.crisis.domain.programmes import Ground
from tests.services.crisis.test_programmes import CALM, CONTACT, DAY, end, go_through, programme, tell, until_due
from tests.services.crisis.world import HIGH, HOSPITAL, NEIGHBOUR, TOWN, World, person

ROUTES = {"POST /v1/bereavements", "GET /v1/bereavements", "GET /v1/bereavements/{programme_id}"}


def a_loss(world: World, days_ago: int = 2, **more: Any) -> dict[str, Any]:
    day = local_day(world.now) - timedelta(days=days_ago)
    return {"kind": "illness", "kinship": "spouse", "on": day.isoformat(), **more}


async def enrolled(world: World, client: httpx.AsyncClient, **more: Any) -> UUID:
    body = {"division": TOWN, "person_identifier": "000-0000-0001", "loss": a_loss(world), "contact": CONTACT, **more}
    answer = await client.post("/v1/bereavements", json=body, headers=world.keys.token("duty_officer", sub="officer-a"))
    assert answer.status_code == 200, answer.text
    return UUID(answer.json()["id"])


async def test_a_bereaved_person_is_led_through_the_phases_to_the_end(world: World, client: httpx.AsyncClient) -> None:
    ident = await enrolled(world, client, organisations=[str(HOSPITAL)])
    await go_through(world, ident, 100 * DAY, **CALM, consent_to_further="yes")
    begun = await programme(world, ident)
    phases = [one["phase"] for one in begun["contacts"] if one["state"] == "kept"]
    assert phases[0] == "acute"
    assert phases[-1] == "adjustment"
    await go_through(world, ident, 270 * DAY, **CALM, prolonged_grief="no")
    done = await programme(world, ident)
    assert {one["state"] for one in done["contacts"]} == {"kept"}
    assert done["contacts"][-1]["phase"] == "recovery"
    assert (done["state"], done["concerns"]) == ("review", ["phases_complete"])
    await end(world, ident, Ground.completed)
    assert (await programme(world, ident))["end"]["ground"] == "completed"


async def test_grief_is_prolonged_only_after_six_months_and_then_no_programme_is_complete(
    world: World, client: httpx.AsyncClient
) -> None:
    ident = await enrolled(world, client)
    await go_through(world, ident, 150 * DAY, **CALM, prolonged_grief="yes")
    early = await programme(world, ident)
    assert "prolonged_grief" not in early["concerns"]
    assert not any(one["report"]["positive"] for one in early["contacts"] if one["state"] == "kept")
    await go_through(world, ident, 250 * DAY, **CALM, prolonged_grief="yes")
    assert "prolonged_grief" in (await programme(world, ident))["concerns"]
    from_end = await client.post(
        f"/v1/programmes/{ident}/end",
        json={"ground": "completed", "reason": "阶段已完成"},
        headers=world.keys.token("duty_officer"),
    )
    assert (from_end.status_code, from_end.json()["field"]) == (409, "ground")
    assert "positive" in from_end.json()["detail"]
    assert world.emitted(RiskFlagged) == [], "grief is no crisis by itself: a specialist is asked, not the hotline"


async def test_a_screening_that_shows_danger_becomes_a_case(world: World, client: httpx.AsyncClient) -> None:
    ident = await enrolled(world, client)
    contact = await until_due(world, ident)
    await tell(world, ident, contact["id"], "reached", **{**CALM, "act_in_progress": "yes"})
    (flag,) = world.emitted(RiskFlagged)
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert (case["tier"], case["person"]) == ("imminent", world.office.pseudonym("000-0000-0001"))
    assert (await programme(world, ident))["concerns"] == ["risk_flagged"]


async def test_whose_loss_lies_back_begins_with_the_phase_that_is_now(world: World, client: httpx.AsyncClient) -> None:
    ident = await enrolled(world, client, loss=a_loss(world, 120))
    found = await programme(world, ident)
    assert [one["phase"] for one in found["contacts"]] == ["adjustment", "recovery", "recovery"]
    assert found["contacts"][0]["due_at"] - world.now < 4 * DAY


async def test_the_person_of_a_case_is_enrolled_through_the_case(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal({"phone": "000-0000-0003"}), **HIGH)
    body = {"case_id": str(case["_id"]), "loss": a_loss(world)}
    officer = world.keys.token("duty_officer")
    made = (await client.post("/v1/bereavements", json=body, headers=officer)).json()
    assert (made["person"], made["division"], made["case_id"]) == (person(), case["division"], str(case["_id"]))
    read = await client.post(f"/v1/programmes/{made['id']}/contact", json={"reason": "回访"}, headers=officer)
    assert read.json()["contact"]["phone"] == "000-0000-0003"
    assert (await client.post("/v1/bereavements", json=body, headers=officer)).json()["id"] == made["id"]
    another = {**body, "loss": a_loss(world, kinship="child")}
    assert (await client.post("/v1/bereavements", json=another, headers=officer)).json()["id"] != made["id"]
    unknown = {**body, "case_id": str(new_id())}
    assert (await client.post("/v1/bereavements", json=unknown, headers=officer)).status_code == 404


async def test_who_may_enrol_and_who_sees_what(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    officer, worker = token("duty_officer"), token("community_worker", sub="worker-a")
    elsewhere = token("duty_officer", division=NEIGHBOUR)
    body = {"id": str(uuid4()), "division": TOWN, "loss": a_loss(world), "worker": "worker-a"}
    assert (await client.post("/v1/bereavements", json=body, headers=worker)).status_code == 403
    assert (await client.post("/v1/bereavements", json=body, headers=elsewhere)).status_code == 404
    for wrong, field in (
        ({"loss": a_loss(world, -2)}, "loss.on"),
        ({"loss": a_loss(world, kinship="cat")}, "body.loss.kinship"),
        ({"loss": a_loss(world, kind="age")}, "body.loss.kind"),
        ({"loss": None}, "body.loss"),
        ({"name": "张示例"}, "body.name"),
    ):
        answer = await client.post("/v1/bereavements", json={**body, **wrong}, headers=officer)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert (await client.post("/v1/bereavements", json=body, headers=officer)).status_code == 200
    path = f"/v1/bereavements/{body['id']}"
    assert (await client.get(path, headers=officer)).json()["loss"]["kinship"] == "spouse"
    assert (await client.get(path, headers=elsewhere)).status_code == 404
    assert (await client.get(path, headers=worker)).status_code == 403
    assert (await client.get(f"/v1/bereavements/{new_id()}", headers=officer)).status_code == 404

    (listed,) = (await client.get("/v1/bereavements", headers=officer)).json()["bereavements"]
    assert listed["id"] == body["id"]
    assert (await client.get("/v1/bereavements", headers=elsewhere)).json()["bereavements"] == []
    assert (await client.get("/v1/bereavements", headers=worker)).json()["tasks"] == []
    await until_due(world, UUID(str(body["id"])))
    (task,) = (await client.get("/v1/bereavements", headers=worker)).json()["tasks"]
    assert (task["label"], "loss" in task, "person" in task) == ("哀伤关怀", False, False)
    other = token("community_worker", sub="worker-b")
    assert (await client.get("/v1/bereavements", headers=other)).json()["tasks"] == []
    wrong_page = await client.get("/v1/bereavements?after=x", headers=officer)
    assert (wrong_page.status_code, wrong_page.json()["field"]) == (422, "query.after")


async def test_a_grid_worker_sees_the_own_tasks_of_the_own_village_and_no_others(
    world: World, client: httpx.AsyncClient
) -> None:
    village = f"{TOWN}001"

    def worker(sub: str, division: str = village) -> dict[str, str]:
        return world.keys.token("grid_worker", sub=sub, division=division)

    body = {"id": str(uuid4()), "division": village, "loss": a_loss(world), "worker": "grid-a"}
    made = await client.post("/v1/bereavements", json=body, headers=world.keys.token("duty_officer"))
    assert made.status_code == 200, made.text
    await until_due(world, UUID(str(body["id"])))

    async def tasks(headers: dict[str, str]) -> list[str]:
        return [one["division"] for one in (await client.get("/v1/tasks", headers=headers)).json()["tasks"]]

    assert await tasks(worker("grid-a")) == [village]
    assert await tasks(worker("grid-b")) == []
    assert await tasks(worker("grid-a", f"{TOWN}002")) == []
    assert (await client.get("/v1/programmes", headers=worker("grid-a"))).status_code == 403

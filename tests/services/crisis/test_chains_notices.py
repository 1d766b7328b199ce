"""The class–school and the home–school channel: what is told, to whom, and who has received it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id
from contracts.hotline import Way
from services.crisis.domain.chains_notices import FITS, NEXT, Addressee, Advice, NoticeState
from tests.services.crisis.test_chains import OTHER_SCHOOL, WARNING
from tests.services.crisis.test_chains_withheld import WITHHELD
from tests.services.crisis.test_concerns import a_school, case_of, raised, token
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import MODERATE, NEIGHBOUR, SUPERVISOR, World, person

ROUTES = {"POST /v1/cases/{case_id}/notices", "GET /v1/notices", "POST /v1/notices/{notice_id}/receive"}
PHONE = {"contact": {"phone": "000-0000-0001"}}


async def warned(world: World, client: httpx.AsyncClient, **answers: Any) -> UUID:
    """A class teacher has raised a warning, and its case is there."""
    await a_school(world)
    said = {"way": Way.school_warning, "answers": {**WARNING, **answers}, **PHONE}
    key: UUID = (await case_of(world, await raised(world, client, "class_teacher", **said)))["_id"]
    return key


async def tell(
    client: httpx.AsyncClient, case_id: UUID, headers: dict[str, str], **said: Any
) -> tuple[httpx.Response, dict[str, Any]]:
    body = {"id": str(new_id()), "to": "class", "advice": "keep_an_eye", **said}
    return await client.post(f"/v1/cases/{case_id}/notices", json=body, headers=headers), body


async def listed(client: httpx.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = await client.get("/v1/notices", headers=headers)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["notices"]
    return rows


async def test_the_class_is_asked_and_a_teacher_receives_by_name(world: World, client: httpx.AsyncClient) -> None:
    key = await warned(world, client)
    school, teacher = token(world, "school_counsellor"), token(world, "class_teacher")
    answer, body = await tell(client, key, school)
    assert (answer.status_code, answer.json()["state"]) == (200, "sent")
    again = await client.post(f"/v1/cases/{key}/notices", json=body, headers=school)
    assert again.json() == answer.json()
    other = await client.post(f"/v1/cases/{key}/notices", json={**body, "advice": "ease_load"}, headers=school)
    is_problem(other, 409, "body.id")
    (row,) = await listed(client, teacher)
    assert (row["advice_label"], row["state"]) == ("请留意该生状态", "sent")
    assert "case_id" not in row
    address = f"/v1/notices/{body['id']}/receive"
    is_problem(await client.post(address, json={"relation": "mother"}, headers=teacher), 422, "body.relation")
    is_problem(await client.post(address, json={}, headers=school), 404)
    strange = token(world, "class_teacher", organisation=str(OTHER_SCHOOL))
    is_problem(await client.post(address, json={}, headers=strange), 404)
    received = (await client.post(address, json={}, headers=teacher)).json()
    assert (received["state"], received["received_by"]) == ("received", "class_teacher-a")
    assert (await client.post(address, json={}, headers=teacher)).json() == received
    colleague = token(world, "class_teacher", sub="teacher-b")
    is_problem(await client.post(address, json={}, headers=colleague), 409)
    assert [row["kind"] for row in (await world.case(key))["timeline"]][-2:] == ["notice_sent", "notice_received"]


async def test_the_home_is_told_and_the_school_enters_who_has_confirmed(
    world: World, client: httpx.AsyncClient
) -> None:
    key = await warned(world, client)
    school = token(world, "school_counsellor")
    _, body = await tell(client, key, school, to="home", advice="come_to_talk", means="telephone")
    assert await listed(client, token(world, "class_teacher")) == [], "it is not the class's"
    address = f"/v1/notices/{body['id']}/receive"
    is_problem(await client.post(address, json={}, headers=school), 422, "body.relation")
    is_problem(await client.post(address, json={"relation": "mother"}, headers=token(world, "class_teacher")), 404)
    received = (await client.post(address, json={"relation": "mother"}, headers=school)).json()
    assert (received["state"], received["relation"], received["received_by"]) == (
        "received",
        "mother",
        "school_counsellor-a",
    )


async def test_where_harm_is_suspected_a_supervisor_decides_that_the_home_is_told(
    world: World, client: httpx.AsyncClient
) -> None:
    key = await warned(world, client, suspected_harm_to_minor="yes")
    to_home = {"to": "home", "advice": "come_to_talk"}
    for role in ("school_counsellor", "duty_officer"):
        is_problem((await tell(client, key, token(world, role), **to_home))[0], 403)
    answer, _ = await tell(client, key, token(world, "supervisor"), **to_home)
    assert answer.status_code == 200


async def test_nothing_goes_to_a_class_that_a_case_is_withheld_from(world: World, client: httpx.AsyncClient) -> None:
    key = await warned(world, client)
    school, teacher = token(world, "school_counsellor"), token(world, "class_teacher")
    _, body = await tell(client, key, school)
    await raised(world, client, "school_counsellor", way=Way.school_warning, answers=WITHHELD, **PHONE)
    assert await listed(client, teacher) == [], "what nobody has received yet is withdrawn"
    is_problem(await client.post(f"/v1/notices/{body['id']}/receive", json={}, headers=teacher), 404)
    is_problem((await tell(client, key, school))[0], 409)
    assert (await tell(client, key, school, to="home", advice="see_a_doctor"))[0].status_code == 200


async def test_who_may_send_and_what_is_refused(world: World, client: httpx.AsyncClient) -> None:
    key = await warned(world, client)
    school = token(world, "school_counsellor")
    plain = (await world.flag(caller=person(9), **MODERATE))["_id"]
    for case_id, headers in (
        (key, token(world, "school_counsellor", organisation=str(OTHER_SCHOOL))),
        (key, token(world, "duty_officer", division=NEIGHBOUR)),
        (new_id(), school),
        (plain, school),
    ):
        is_problem((await tell(client, case_id, headers))[0], 404)
    is_problem((await tell(client, key, token(world, "class_teacher")))[0], 403)
    is_problem((await tell(client, key, {}))[0], 401)
    is_problem((await tell(client, key, school, advice="take_home"))[0], 422, "body.advice")
    is_problem((await tell(client, key, school, to="newspaper"))[0], 422, "body.to")
    is_problem((await tell(client, key, school, extra=1))[0], 422, "body.extra")
    is_problem(await client.post(f"/v1/notices/{new_id()}/receive", json={}, headers=school), 404)
    is_problem(await client.get("/v1/notices"), 401)
    is_problem(await client.get("/v1/notices", headers=token(world, "volunteer")), 403)
    is_problem(await client.get("/v1/notices", headers=world.keys.token("class_teacher")), 403)
    is_problem(await client.get("/v1/notices?limit=0", headers=school), 422, "query.limit")
    assert await listed(client, token(world, "school_counsellor", organisation=str(OTHER_SCHOOL))) == []
    assert await listed(client, token(world, "supervisor", division=NEIGHBOUR)) == []
    await tell(client, key, school)
    assert len(await listed(client, token(world, "supervisor"))) == 1
    await world.acknowledge(key, SUPERVISOR)
    await world.close(key)
    is_problem((await tell(client, key, school))[0], 409)


@pytest.mark.parametrize("to", list(Addressee))
def test_each_addressee_is_asked_for_what_it_can_do(to: Addressee) -> None:
    assert Advice.call_the_school in FITS[to]
    assert set().union(*FITS.values()) == set(Advice)
    assert Advice.take_home not in FITS[Addressee.class_]
    assert set(NEXT) == set(NoticeState)

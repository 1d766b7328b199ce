"""Who works at a place, who is responsible for it, whom it is paired with, and the way up of care points."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.places_nomination import AIMS, CLOSED, NEXT, State, allows, digits_needed, fits
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed, villages
from tests.services.registry.support import Registry

VILLAGE = "370812001001"


async def test_staff_is_linked_by_person_and_counted_full_time_and_part_time(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(client)
        one, two = await person(client, 1), await person(client, 2, "李示例")
        await staffed(client, ident, one, certificate=True)
        await staffed(client, ident, two, full_time=False)
        await staffed(client, ident, two, full_time=False)
        event = (await registry.events("place_registered"))[-1]
        assert (event["revision"], event["staff_full_time"], event["staff_part_time"]) == (3, 1, 1)
        left = await client.delete(f"/v1/places/{ident}/staff/{one}")
        assert [link["person_id"] for link in left.json()["staff"]] == [two]
        assert (await client.delete(f"/v1/places/{ident}/staff/{one}")).status_code == 404
        shown = (await client.get(f"/v1/places/{ident}")).text
    assert "示例" in shown
    assert "张示例" not in shown
    assert "李示例" not in shown


async def test_nobody_is_linked_who_is_not_registered_active_and_of_the_callers_division(registry: Registry) -> None:
    body = {"occupation": "counsellor", "full_time": True}
    async with registry.client("") as client:
        outside = await person(client, division="320706016")
    async with registry.client(COUNTY) as client:
        ident, left = await place(client), await person(client, 2)
        await client.patch(f"/v1/volunteers/{left}", json={"active": False})
        for who in (outside, left, str(uuid.uuid4())):
            answer = await client.put(f"/v1/places/{ident}/staff/{who}", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, "person_id")
        answer = await client.put(f"/v1/places/{ident}/staff/{left}", json={**body, "occupation": "wizard"})
        assert (answer.status_code, answer.json()["field"]) == (422, "body.occupation")


async def test_a_place_has_one_responsible_person_and_every_change_is_logged(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, one, two = await place(client), await person(client, 1), await person(client, 2)
        for who in (one, one, two, None):
            body = {"person_id": who, "reason": "岗位调整"}
            answer = await client.put(f"/v1/places/{ident}/responsible", json=body)
            assert answer.json()["responsible"] == who
        assert [entry["person_id"] for entry in answer.json()["log"]] == [one, two, None]
        assert {entry["by"] for entry in answer.json()["log"]} == {"registrar-1"}
        strange = await client.put(
            f"/v1/places/{ident}/responsible", json={"person_id": str(uuid.uuid4()), "reason": "岗位调整"}
        )
        assert (strange.status_code, strange.json()["field"]) == (422, "person_id")
    assert [event["responsible_id"] for event in await registry.events("place_registered")] == [None, one, two, None]


async def test_a_street_has_one_responsible_person_too(registry: Registry) -> None:
    path = f"/v1/streets/{TOWN}/responsible"
    async with registry.client(COUNTY) as client:
        one, two = await person(client, 1), await person(client, 2)
        assert (await client.get(path)).status_code == 404
        for who in (one, two, two):
            answer = await client.put(path, json={"person_id": who, "reason": "首次指定"})
        assert answer.json() == (await client.get(path)).json()
        assert [entry["person_id"] for entry in answer.json()["log"]] == [one, two]
    assert [event["person_id"] for event in await registry.events("street_lead_named")] == [one, two]
    async with registry.client("320706") as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.put(path, json={"person_id": None, "reason": "示例"})).status_code == 404


async def test_an_organisation_is_paired_with_a_place_and_the_pairing_ends(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例文明单位", "government")
        ident = await place(client, type="practice_office", tier=None)
        path = f"/v1/places/{ident}/pairings/{unit}"
        for body in (
            {"kind": "civilised_unit", "since": "2026-03-01"},
            {"kind": "civilised_unit", "since": "2026-03-01"},
            {"kind": "civilised_unit", "since": "2026-03-01", "until": "2026-09-30"},
        ):
            answer = await client.put(path, json=body)
            assert answer.status_code == 200
        (pairing,) = answer.json()["pairings"]
        assert (pairing["organisation_id"], pairing["kind"], pairing["until"]) == (unit, "civilised_unit", "2026-09-30")
        backwards = await client.put(
            path, json={"kind": "civilised_unit", "since": "2026-03-01", "until": "2026-02-01"}
        )
        assert (backwards.status_code, backwards.json()["field"]) == (422, "until")
        strange = await client.put(f"/v1/places/{ident}/pairings/{uuid.uuid4()}", json=body)
        assert (strange.status_code, strange.json()["field"]) == (422, "organisation_id")
    assert len(await registry.events("place_registered")) == 3


async def test_a_demonstration_school_is_found_by_its_level(registry: Registry) -> None:
    body = {"level": "county", "title": "特色示范校", "since": "2026-03-01", "named_by": "示例教育局"}
    async with registry.client(COUNTY) as client:
        ident = await place(client, type="school_room", tier=None)
        await client.put(f"/v1/places/{ident}/demonstration", json=body)
        answer = await client.put(f"/v1/places/{ident}/demonstration", json=body)
        assert answer.json()["demonstration"]["level"] == "county"
        found = (await client.get("/v1/places", params={"demonstration": "county"})).json()["items"]
        assert [one["id"] for one in found] == [ident]
        assert (await client.get("/v1/places", params={"demonstration": "nation"})).json()["items"] == []
        assert (await client.delete(f"/v1/places/{ident}/demonstration")).json()["demonstration"] is None
    levels = [event["demonstration_level"] for event in await registry.events("place_registered")]
    assert levels == [None, "county", None]


async def care_point(registry: Registry) -> str:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        ident = await place(client, type="care_point", tier="village", division=VILLAGE, opened=True)
    await registry.forget_events()
    return ident


async def nominate(client: httpx.AsyncClient, place_id: str, aim: str, ident: str | None = None) -> httpx.Response:
    body = {"place_id": place_id, "aim": aim, "reason": "基础好、积极性高"}
    return await client.put(f"/v1/nominations/{ident or uuid.uuid4()}", json=body)


async def step(registry: Registry, at: str, ident: str, to: str) -> httpx.Response:
    async with registry.client(at) as client:
        return await client.post(f"/v1/nominations/{ident}/steps", json={"to": to, "reason": "同意推荐"})


async def test_a_care_point_goes_up_from_the_village_to_the_nation_each_level_deciding_its_own_step(
    registry: Registry,
) -> None:
    point, ident = await care_point(registry), str(uuid.uuid4())
    async with registry.client(VILLAGE) as client:
        for _ in range(2):
            assert (await nominate(client, point, "nation", ident)).json()["state"] == "proposed"
        assert (await nominate(client, point, "city")).status_code == 409
    for below, at, to in (
        (VILLAGE, TOWN, "street_endorsed"),
        (TOWN, COUNTY, "district_endorsed"),
        (COUNTY, "3708", "city_endorsed"),
        (COUNTY, "3708", "named"),
    ):
        assert (await step(registry, below, ident, to)).status_code == 403
        for _ in range(2):
            assert (await step(registry, at, ident, to)).json()["state"] == to
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/places/{point}")).json()["care_level"] == "nation"
        found = (await client.get("/v1/places", params={"care_level": "nation"})).json()["items"]
        assert [one["id"] for one in found] == [point]
        shown = (await client.get(f"/v1/nominations/{ident}")).json()
        assert next(entry["state"] for entry in shown["log"]) == "proposed"
        assert len(shown["log"]) == 5
    events = await registry.events("place_nominated")
    assert [(event["revision"], event["state"]) for event in events][-1] == (5, "named")
    assert [event["care_level"] for event in await registry.events("place_registered")] == ["nation"]


async def test_a_level_names_its_own_points_alone_and_a_higher_name_outlives_a_lower(registry: Registry) -> None:
    point, ident, city = await care_point(registry), str(uuid.uuid4()), str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        await nominate(client, point, "district", ident)
    assert (await step(registry, COUNTY, ident, "named")).status_code == 409
    await step(registry, COUNTY, ident, "street_endorsed")
    assert (await step(registry, COUNTY, ident, "district_endorsed")).status_code == 409
    assert (await step(registry, COUNTY, ident, "named")).json()["state"] == "named"
    async with registry.client("3708") as client:
        assert (await nominate(client, point, "district")).status_code == 409
        assert (await nominate(client, point, "city", city)).status_code == 200
    for to in ("street_endorsed", "district_endorsed", "named"):
        await step(registry, "3708", city, to)
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/places/{point}")).json()["care_level"] == "city"
    assert (await step(registry, "3708", city, "ended")).status_code == 200
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/places/{point}")).json()["care_level"] == "district"


async def test_what_is_sent_back_is_proposed_again_from_the_bottom(registry: Registry) -> None:
    point, ident = await care_point(registry), str(uuid.uuid4())
    async with registry.client(TOWN) as client:
        await nominate(client, point, "city", ident)
        listed = (await client.get("/v1/nominations", params={"state": "proposed", "place_id": point})).json()["items"]
        assert [one["id"] for one in listed] == [ident]
    for at, to in ((TOWN, "street_endorsed"), (COUNTY, "returned"), (VILLAGE, "proposed"), (VILLAGE, "withdrawn")):
        assert (await step(registry, at, ident, to)).json()["state"] == to
    assert (await step(registry, VILLAGE, ident, "proposed")).status_code == 409
    assert (await step(registry, "320706", ident, "proposed")).status_code == 404


async def test_only_care_points_that_are_there_are_nominated(registry: Registry) -> None:
    point = await care_point(registry)
    async with registry.client(COUNTY) as client:
        station = await place(client)
        assert (await nominate(client, station, "city")).status_code == 409
        strange = await nominate(client, str(uuid.uuid4()), "city")
        assert (strange.status_code, strange.json()["field"]) == (422, "place_id")
        bad = await nominate(client, point, "planet")
        assert (bad.status_code, bad.json()["field"]) == (422, "body.aim")
    async with registry.client("320706") as client:
        assert (await nominate(client, point, "city")).json()["field"] == "place_id"
        assert (await client.get("/v1/nominations")).json()["items"] == []
    async with registry.client(COUNTY, "statistician") as client:
        assert (await nominate(client, point, "city")).status_code == 403


STATES = st.sampled_from(State)


@given(STATES, STATES, st.sampled_from(AIMS))
def test_no_step_fits_that_the_table_does_not_have(present: State, following: State, aim: str) -> None:
    if fits(present, following, aim):
        assert allows(present, following)
        assert 2 <= digits_needed(present, following, aim) <= 12


@pytest.mark.parametrize(("aim", "steps"), [("district", 1), ("city", 2), ("nation", 3)])
def test_there_is_exactly_one_way_up_to_each_aim(aim: str, steps: int) -> None:
    state, walked = State.proposed, 0
    while not fits(state, State.named, aim):
        onward: list[Any] = [one for one in State if one.value.endswith("_endorsed") and fits(state, one, aim)]
        assert len(onward) == 1
        state, walked = onward[0], walked + 1
    assert walked == steps
    assert all(not NEXT[closed] for closed in CLOSED)

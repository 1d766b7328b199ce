"""Places held against a standard over HTTP: what was recorded, by whom, and the checks that are kept."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, organisation, person, place, staffed, told
from tests.services.registry.support import Registry

POLICY = Policies.load().standards.of("2026-11")
STATION_FUNCTIONS = ["reception", "publicity", "platform", "referral"]


async def judged(client: httpx.AsyncClient, ident: str, standard: str) -> dict[str, dict[str, Any]]:
    answer = await client.get(f"/v1/places/{ident}/check", params={"standard": standard})
    assert answer.status_code == 200, answer.text
    return {clause["code"]: clause for clause in answer.json()["clauses"]}


async def test_a_check_shows_what_was_recorded_by_whom_and_with_which_file(registry: Registry) -> None:
    async with registry.client(COUNTY, subject="one") as client:
        rooms = [{"kind": "团体心理咨询室", "area_m2": 30, "equipment": [{"item": "group_toolbox"}]}]
        ident = await place(client, type="centre", division=COUNTY, tier="county", rooms=rooms)
        await client.put(f"/v1/places/{ident}/facts/area_m2", json={"value": 410, "sha256": "ab" * 32})
        clauses = await judged(client, ident, "centre")
        assert clauses["1.2.room_group"]["outcome"] == "pass"
        assert clauses["1.3.7_group"]["outcome"] == "fail"
        (evidence,) = clauses["1.1.area"]["evidence"]
        assert (evidence["value"], evidence["by"], evidence["sha256"]) == (410, "one", "ab" * 32)
        assert clauses["1.2.room_group"]["evidence"][0]["by"] == "one"
        assert clauses["1.1.urban"]["evidence"] == [
            {"field": "facts.urban", "value": None, "by": None, "at": None, "sha256": None}
        ]
        await client.put(f"/v1/places/{ident}/facts/area_m2", json={"value": None})
        assert (await judged(client, ident, "centre"))["1.1.area"]["outcome"] == "missing"


async def test_who_left_is_not_counted_as_staff(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await place(client), await person(client)
        await staffed(client, ident, who)
        assert (await judged(client, ident, "station"))["2.staff"]["outcome"] == "pass"
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        assert (await judged(client, ident, "station"))["2.staff"]["outcome"] == "fail"
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        assert (await judged(client, ident, "station"))["2.staff"]["outcome"] == "fail"


async def test_a_double_that_was_merged_is_still_the_same_person_at_work(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, stays, goes = await place(client), await person(client, 1), await person(client, 2)
        await staffed(client, ident, goes)
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "本人确认"})
        assert merged.status_code == 200, merged.text
        assert (await judged(client, ident, "station"))["2.staff"]["outcome"] == "pass"


async def test_a_recorded_check_keeps_its_version_and_never_changes(registry: Registry) -> None:
    body = {"id": str(uuid.uuid4()), "standard": "station", "files": {"4.2.rules_posted": "cd" * 32}}
    async with registry.client(COUNTY, "supervisor", subject="inspector-1") as client:
        async with registry.client(COUNTY) as registrar:
            ident = await place(registrar, functions=STATION_FUNCTIONS)
        first = (await client.post(f"/v1/places/{ident}/checks", json=body)).json()
        assert (first["version"], first["overall"], first["by"]) == ("2026-11", "missing", "inspector-1")
        async with registry.client(COUNTY) as registrar:
            await registrar.put(f"/v1/places/{ident}", json=told(functions=["reception"]))
        again = await client.post(f"/v1/places/{ident}/checks", json=body)
        assert again.json() == first
        other = {**body, "id": str(uuid.uuid4())}
        assert (await client.post(f"/v1/places/{ident}/checks", json=other)).json()["overall"] == "fail"
        clash = await client.post(
            f"/v1/places/{ident}/checks", json={**body, "standard": "station_capability", "files": {}}
        )
        assert clash.status_code == 409
        listed = (await client.get(f"/v1/places/{ident}/checks")).json()["items"]
        assert {one["id"] for one in listed} == {body["id"], other["id"]}
        strange = await client.post(f"/v1/places/{ident}/checks", json={**other, "files": {"9.9": "cd" * 32}})
        assert (strange.status_code, strange.json()["field"]) == (422, "files")
    one, two = await registry.events("place_checked")
    assert (one["check_id"], one["version"], one["overall"], one["failed"]) == (body["id"], "2026-11", "missing", 0)
    assert (two["overall"], two["failed"]) == ("fail", 3)


async def test_a_check_that_cannot_be_made_says_why(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(client)
        path = f"/v1/places/{ident}/check"
        for params, status, field in (
            ({"standard": "castle"}, 422, "standard"),
            ({"standard": "centre"}, 409, "standard"),
            ({"standard": "station", "version": "1999"}, 422, "version"),
            ({}, 422, "query.standard"),
        ):
            answer = await client.get(path, params=params)
            assert (answer.status_code, answer.json()["field"]) == (status, field)
        for name, value, status in (("castle", True, 404), ("area_m2", True, 422), ("urban", 7, 422)):
            assert (await client.put(f"/v1/places/{ident}/facts/{name}", json={"value": value})).status_code == status
        assert (await client.get("/v1/standards/castle")).status_code == 404
        shown = (await client.get("/v1/standards/centre")).json()
        assert len(shown["clauses"]) == len(POLICY.standards["centre"].clauses)
        assert {one["id"] for one in (await client.get("/v1/standards")).json()["items"]} == set(POLICY.standards)
    async with registry.client(COUNTY, "statistician") as client:
        body = {"id": str(uuid.uuid4()), "standard": "station"}
        assert (await client.post(f"/v1/places/{ident}/checks", json=body)).status_code == 403


async def test_a_room_with_a_counsellor_is_a_practice_room_a_host_of_any_kind(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        host = await organisation(client, "示例文明实践所", "government")
        ident = await place(client, type="practice_room", tier=None, organisation_id=host, venue="practice_site")
        await staffed(client, ident, await person(client), certificate=None)
        assert (await judged(client, ident, "practice_room"))["counsellor"]["outcome"] == "missing"


async def test_the_own_rules_of_a_centre_are_uploaded_by_their_hash_and_the_check_rests_on_them(
    registry: Registry,
) -> None:
    rules = [{"title": "接待工作制度", "text": "首问负责。", "sha256": "ab" * 32}]
    centre: dict[str, Any] = {"type": "centre", "division": COUNTY, "tier": "county"}
    async with registry.client(COUNTY, subject="registrar-8") as client:
        ident = await place(client, **centre)
        assert (await judged(client, ident, "centre"))["4.1.rules"]["outcome"] == "missing"
        for wrong in ("ab" * 31, "示例"):
            body = told(**centre, rules=[{**rules[0], "sha256": wrong}])
            assert (await client.put(f"/v1/places/{ident}", json=body)).status_code == 422
        assert (await client.put(f"/v1/places/{ident}", json=told(**centre, rules=rules))).status_code == 200
        (kept,) = (await client.get(f"/v1/places/{ident}")).json()["rules"]
        assert (kept["title"], kept["sha256"]) == ("接待工作制度", "ab" * 32)
        clause = (await judged(client, ident, "centre"))["4.1.rules"]
        assert clause["outcome"] == "pass"
        assert [(one["field"], one["by"]) for one in clause["evidence"]] == [("rules", "registrar-8")]
        assert "首问负责。" in (await client.get(f"/v1/places/{ident}/wall")).text

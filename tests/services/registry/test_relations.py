"""Who guides whom, who answers for content, what departments have, and party members' check-in."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from services.registry.store import teams as kept
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused, team
from tests.services.registry.trainings_support import a_session, course

VILLAGE = "370812001001"


def a_relation(guide: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "technical_guidance",
        "division": COUNTY,
        "guide_id": guide,
        "since": "2026-01-01",
        **fields,
    }


async def test_a_centre_guides_every_primary_unit_of_the_district_and_one_of_its_own(registry: Registry) -> None:
    async with registry.client("37") as client:
        far = await organisation(client, "示例外区卫生院", "primary_care", "3708")
    async with registry.client(COUNTY) as client:
        centre, clinic, school = (
            await organisation(client, "示例精神卫生中心", "hospital", COUNTY),
            await organisation(client, "示例社区卫生服务中心", "primary_care"),
            await organisation(client, "示例小学", "school"),
        )
        general = await put(client, "relations", a_relation(centre, guided_kind="primary_care", topic="老年心理"))
        own = await put(client, "relations", a_relation(centre, guided_id=clinic, until="2026-06-30"))

        async def guides(ident: str, day: str) -> list[str]:
            answer = await client.get(f"/v1/organisations/{ident}/guides", params={"day": day})
            return [one["id"] for one in answer.json()["items"]]

        assert await guides(clinic, "2026-06-30") == [own, general]
        assert await guides(clinic, "2026-07-01") == [general]
        assert await guides(clinic, "2025-12-31") == []
        assert await guides(school, "2026-06-30") == []
        assert (await client.get(f"/v1/organisations/{far}/guides")).status_code == 404
        listed = (await client.get("/v1/relations", params={"guide_id": centre, "kind": "technical_guidance"})).json()
        assert {one["id"] for one in listed["items"]} == {general, own}
        same = await client.put(f"/v1/relations/{own}", json=a_relation(centre, guided_id=clinic, until="2026-06-30"))
        assert same.json()["revision"] == 1
        other = await client.put(f"/v1/relations/{own}", json=a_relation(school, guided_id=clinic))
        assert other.status_code == 409
        body = await put(client, "relations", a_relation(centre, kind="supervision", guided_id=school))
        assert await guides(school, "2026-02-01") == [body]
    events = await registry.events("organisations_related")
    assert [event["kind"] for event in events] == ["technical_guidance", "technical_guidance", "supervision"]
    assert "老年" not in json.dumps(events, ensure_ascii=False)


async def test_a_college_teacher_answers_for_the_own_unit_and_the_cdc_for_primary_units(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        college, cdc, clinic = (
            await organisation(client, "示例大学", "university"),
            await organisation(client, "示例疾控中心", "government", COUNTY),
            await organisation(client, "示例卫生院", "primary_care"),
        )
        teacher = await person(client)
        content = {"kind": "content_supervision"}
        own = {**content, "supervisor": "college_psychology_teacher"}
        section = {**content, "supervisor": "cdc_mental_health_section"}
        await put(client, "relations", a_relation(college, **own, guided_id=college, person_id=teacher))
        await put(client, "relations", a_relation(cdc, **section, guided_kind="primary_care"))
        for unit, supervisor, who in (
            (college, "college_psychology_teacher", teacher),
            (clinic, "cdc_mental_health_section", None),
        ):
            answer = await client.get(f"/v1/organisations/{unit}/guides", params={"kind": "content_supervision"})
            assert [(one["supervisor"], one["person_id"]) for one in answer.json()["items"]] == [(supervisor, who)]
        for fields, field in (
            ({**own, "guided_id": clinic}, "guided_id"),
            ({**section, "guided_id": college}, "guided_id"),
            ({**section, "guided_kind": "school"}, "guided_id"),
            ({**content, "guided_id": clinic}, "supervisor"),
            ({"supervisor": "cdc_mental_health_section", "guided_id": clinic}, "supervisor"),
            ({}, "guided_id"),
            ({"guided_id": clinic, "guided_kind": "school"}, "guided_id"),
            ({"guided_id": cdc}, "guided_id"),
            ({"guided_id": clinic, "until": "2025-01-01"}, "until"),
            ({"guided_id": str(uuid.uuid4())}, "guided_id"),
            ({"guided_id": clinic, "kind": "magic"}, "body.kind"),
        ):
            await refused(client, "relations", a_relation(cdc, **fields), field)


async def test_what_departments_have_is_listed_and_summed_by_department(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        venue = {"department": "trade_union", "kind": "venue", "division": TOWN, "name": "示例职工之家"}
        ident = await put(client, "resources", venue)
        await put(client, "resources", {**venue, "name": "示例驿站", "quantity": 2})
        expert = {"department": "women_federation", "kind": "expert", "division": COUNTY, "name": "示例专家"}
        await put(client, "resources", {**expert, "quantity": 7})
        sums = (await client.get("/v1/resources/by-department")).json()["items"]
        assert sums == [
            {"department": "trade_union", "kind": "venue", "entries": 2, "quantity": 3},
            {"department": "women_federation", "kind": "expert", "entries": 1, "quantity": 7},
        ]
        await client.put(f"/v1/resources/{ident}", json={**venue, "available": False})
        sums = (await client.get("/v1/resources/by-department", params={"division": TOWN})).json()["items"]
        assert [one["quantity"] for one in sums] == [2]
        listed = (await client.get("/v1/resources", params={"department": "trade_union", "sort": "-name"})).json()
        assert [one["name"] for one in listed["items"]] == ["示例驿站", "示例职工之家"]
        await refused(client, "resources", {**venue, "department": "magic"}, "body.department")
    async with registry.client("320706") as client:
        assert (await client.put(f"/v1/resources/{ident}", json=venue)).status_code == 404
        assert (await client.get("/v1/resources")).json()["items"] == []
    events = await registry.events("resource_listed")
    assert [event["available"] for event in events] == [True, True, True, False]
    assert "示例" not in json.dumps(events, ensure_ascii=False)


async def test_party_organisations_and_members_check_in_with_a_community_and_only_counts_are_told(
    registry: Registry,
) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        office, member = await organisation(client, "示例机关党支部", "government"), await person(client)
        body = {"division": VILLAGE, "organisation_id": office, "form": "theme_day", "day": "2026-03-01", "people": 9}
        ident = await put(client, "community-check-ins", body)
        assert (await client.put(f"/v1/community-check-ins/{ident}", json=body)).json()["revision"] == 1
        one = {**body, "form": "model_post", "people": 1, "person_id": member}
        await put(client, "community-check-ins", one)
        for fields, field in (
            ({"people": 2, "person_id": member}, "people"),
            ({"day": "2099-01-01"}, "day"),
            ({"division": TOWN}, "body.division"),
            ({"form": "magic"}, "body.form"),
            ({"organisation_id": str(uuid.uuid4())}, "organisation_id"),
        ):
            await refused(client, "community-check-ins", {**body, **fields}, field)
        listed = (await client.get("/v1/community-check-ins", params={"form": "model_post"})).json()["items"]
        assert [item["person_id"] for item in listed] == [member]
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get("/v1/community-check-ins")).status_code == 403
        counts = (await client.get("/v1/community-check-ins/counts", params={"since": "2026-03-01"})).json()["items"]
        assert counts == [
            {"division": VILLAGE, "form": "model_post", "check_ins": 1, "organisations": 1},
            {"division": VILLAGE, "form": "theme_day", "check_ins": 1, "organisations": 1},
        ]
    events = await registry.events("community_checked_in")
    assert [event["people"] for event in events] == [9, 1]
    assert member not in json.dumps(events)


async def test_a_professional_team_of_the_county_guides_a_station_and_teaches_there(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例精神卫生中心", "hospital", COUNTY)
        professional = await team(client, type="three_professions", organisation_id=unit, name="示例心理专业服务队")
        station = await place(client, division=VILLAGE, tier="village", opened=True)
        body = a_relation(unit, team_id=professional, place_id=station, topic="站点技术指导")
        await refused(client, "relations", body, "team_id")  # a team that is not formed yet guides nobody
        await client.post(f"/v1/teams/{professional}/status", json={"status": "active", "reason": "示例组建"})
        await refused(client, "relations", {**body, "guided_kind": "primary_care"}, "guided_id")
        await refused(client, "relations", {**body, "place_id": str(uuid.uuid4())}, "place_id")
        ident = await put(client, "relations", body)
        for params in ({"place_id": station}, {"team_id": professional}):
            (found,) = (await client.get("/v1/relations", params=params)).json()["items"]
            assert (found["id"], found["kind"]) == (ident, "technical_guidance")
        lesson = await course(client, audiences=["stations"], topics=["skills"], level="county")
        session = a_session(lesson, division=VILLAGE, place_id=station, organiser_id=unit)
        assert (await client.put(f"/v1/training-sessions/{uuid.uuid4()}", json=session)).status_code == 201
    (event,) = await registry.events("organisations_related")
    assert (event["team_id"], event["place_id"]) == (professional, station)


async def test_a_body_of_the_county_supervises_and_evaluates_its_units(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        office = await organisation(client, "示例专门工作机构", "government", COUNTY)
        body = await team(client, type="working_body", organisation_id=office, name="示例工作专班", highest=True)
        assert (await client.get(f"/v1/teams/{body}")).json()["level"] == "county"
        school = await organisation(client, "示例小学", "school")
        told = a_relation(office, kind="supervision", supervisor="district_task_force", guided_id=school)
        hospital = await organisation(client, "示例医院", "hospital")
        await refused(client, "relations", {**told, "guide_id": hospital}, "guide_id")
        ident = await put(client, "relations", told)
        guides = await client.get(f"/v1/organisations/{school}/guides", params={"kind": "supervision"})
        assert [(one["id"], one["supervisor"]) for one in guides.json()["items"]] == [(ident, "district_task_force")]


async def test_counts_of_check_ins_are_whole_or_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        office = await organisation(client, "示例机关支部", "government")
        for division in (VILLAGE, "370812001002"):
            body = {"division": division, "organisation_id": office, "form": "theme_day", "day": "2026-03-01"}
            await put(client, "community-check-ins", body)
        assert len((await client.get("/v1/community-check-ins/counts")).json()["items"]) == 2
        monkeypatch.setattr(kept, "MANY", 1)
        answer = await client.get("/v1/community-check-ins/counts")
        assert (answer.status_code, answer.json()["reason"]) == (422, "too_wide")

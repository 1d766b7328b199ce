"""The shared code lists: one definition for all services, their words, and where the registry asks for a code."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.auth import ROLES
from chassis.clock import local_day, new_id, now
from contracts.codes import CODE_LISTS, ProblemCategory, ProblemCode, ServiceGroup, ServiceType, categories_of
from services.registry.domain.library_labels import PROBLEM_GROUPS, PROBLEMS
from services.registry.domain.teams_labels import PROBLEMS as RESEARCHED
from tests.services.registry.service_support import a_stretch, a_volunteer, an_organisation
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import a_team, refused

COUNTY = "320706"


async def read(client: httpx.AsyncClient, name: str) -> dict[str, dict[str, Any]]:
    answer = await client.get(f"/v1/codes/{name}")
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["codes"]}


async def test_the_five_services_have_twenty_five_types_in_one_versioned_list(registry: Registry) -> None:
    async with registry.client(COUNTY, "statistician") as client:
        whole = (await client.get("/v1/codes/service-types")).json()
        assert (whole["name"], whole["version"]) == ("service-types", "2022-7")
        types, groups = await read(client, "service-types"), await read(client, "service-groups")
        assert [one["label"] for one in groups.values()][:3] == ["为老", "为小", "为困难群体"]
        sizes = [sum(one["group"] == code for one in types.values()) for code in groups]
        assert sizes == [5, 5, 6, 3, 6]
        assert types["1-5"] == {"code": "1-5", "label": "老有所为志愿服务", "group": "elderly"}
        assert types["4-1"]["label"] == "心理专家“五进”志愿服务"
        assert types["4-2"] == {"code": "4-2", "label": "心理健康培训志愿服务", "group": "psychological"}
        assert {code.value for code in ServiceType} == set(types)
        assert {code.value for code in ServiceGroup} == set(groups)


async def test_problems_stand_under_developmental_adaptive_and_disorder(registry: Registry) -> None:
    async with registry.client(COUNTY, "volunteer") as client:
        categories, problems = await read(client, "problem-categories"), await read(client, "problem-codes")
        assert {code: one["label"] for code, one in categories.items()} == {
            "developmental": "发展性",
            "adaptive": "适应性",
            "disorder": "障碍性",
        }
        assert {one["group"] for one in problems.values()} == set(categories)
        for code, group in (("exam_anxiety", "developmental"), ("new_students", "adaptive"), ("anxiety", "disorder")):
            assert problems[code]["group"] == group
        listed = (await client.get("/v1/codes")).json()["lists"]
        assert [one["name"] for one in listed] == list(CODE_LISTS)
        assert all(one["version"] and one["source"] for one in listed)
        assert (await client.get("/v1/codes/diagnoses")).status_code == 404
    for role in ROLES:
        async with registry.client(COUNTY, role) as client:
            assert (await client.get("/v1/codes")).status_code == 200
    async with registry.client(COUNTY, "nobody") as client:
        assert (await client.get("/v1/codes")).status_code == 403


def test_library_and_teams_use_the_shared_problems_and_no_copy() -> None:
    assert {code: (one.label, one.group) for code, one in PROBLEMS.items()} == {
        code.value: (code.label, code.group.value) for code in ProblemCode
    }
    assert PROBLEM_GROUPS == RESEARCHED == {code.value: code.label for code in ProblemCategory}


def test_categories_are_told_once_and_in_their_order() -> None:
    assert categories_of(["depression", "anxiety", "stress"]) == [ProblemCategory.adaptive, ProblemCategory.disorder]
    assert categories_of([]) == []
    with pytest.raises(KeyError):
        categories_of(["F32.1"])


def test_every_code_has_its_words_and_none_stands_twice() -> None:
    for name, one in CODE_LISTS.items():
        labels = [code.label for code in one.codes]
        assert all(labels), name
        assert len(set(labels)) == len(labels), name


async def test_records_of_service_say_which_of_the_services_it_was(registry: Registry) -> None:
    unit, person = await an_organisation(registry), await a_volunteer(registry)
    async with registry.client(COUNTY) as client:
        ident = str(new_id())
        body = {"volunteer_id": person, **a_stretch(unit, service="4-2")}
        written = await client.put(f"/v1/service-records/{ident}", json=body)
        assert written.json()["service"] == "4-2"
        assert (await client.put(f"/v1/service-records/{ident}", json=body)).json() == written.json()
        other = await client.put(f"/v1/service-records/{ident}", json={**body, "service": "1-5"})
        assert other.status_code == 409, "another service is another record"
        wrong = await client.put(f"/v1/service-records/{new_id()}", json={**body, "service": "4-4"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "body.service")
        listed = (await client.get("/v1/service-records", params={"service": "4-2"})).json()["items"]
        assert [one["id"] for one in listed] == [ident]
        assert (await client.get("/v1/service-records", params={"service": "1-5"})).json()["items"] == []
    assert [event["service"] for event in await registry.events("service_recorded")] == ["4-2"]


async def test_courses_campaigns_and_teams_name_the_services(registry: Registry) -> None:
    today = local_day(now())
    course = {
        "division": COUNTY,
        "title": "示例心理健康培训",
        "level": "county",
        "audiences": ["stations"],
        "type": "pre_service",
        "topics": ["pre_service"],
    }
    call = {
        "division": COUNTY,
        "kind": "recruitment",
        "title": "示例老年志愿者招募",
        "opens_on": today.isoformat(),
        "closes_on": (today + timedelta(days=20)).isoformat(),
        "due_on": (today + timedelta(days=5)).isoformat(),
    }
    async with registry.client(COUNTY) as client:
        for path, body, field, code, kind in (
            ("courses", course, "service", "4-2", "course_offered"),
            ("recruitments", call, "service", "1-5", "recruitment_moved"),
            ("teams", a_team(division=COUNTY), "services", ["1-5", "4-2"], "team_registered"),
        ):
            ident = uuid.uuid4()
            answer = await client.put(f"/v1/{path}/{ident}", json={**body, field: code})
            assert answer.status_code in (200, 201), answer.text
            assert answer.json()[field] == code
            (event,) = await registry.events(kind)
            assert event[field] == code
            wrong: Any = ["9-9"] if field == "services" else "9-9"
            place = "body.services.0" if field == "services" else "body.service"
            await refused(client, path, {**body, field: wrong}, place)


async def test_an_academic_team_says_which_categories_it_works_on(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = a_team(division=COUNTY, type="expert_b", name="示例先生团队", problems=["developmental", "disorder"])
        answer = await client.put(f"/v1/teams/{uuid.uuid4()}", json=body)
        assert answer.json()["problems"] == ["developmental", "disorder"]
        await refused(client, "teams", {**body, "problems": ["exam_anxiety"]}, "body.problems.0")
    (event,) = await registry.events("team_registered")
    assert event["problems"] == ["developmental", "disorder"]

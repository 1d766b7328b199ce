"""What is promised where grids, guidance, tutoring, licences, surveys and houses meet who leaves and what runs out."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from chassis.clock import local_day, new_id, now
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, team

GRID = "370812001001003"
TODAY = local_day(now())
YESTERDAY = (TODAY - timedelta(days=1)).isoformat()
SECTION = {"kind": "content_supervision", "supervisor": "cdc_mental_health_section"}


async def test_a_grid_is_vacant_once_who_answered_for_it_left(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        who = await person(client)
        grid = {"name": "示例第三网格", "person_id": who}
        assert (await client.put(f"/v1/grids/{GRID}", json=grid)).status_code == 200
        assert (await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})).is_success
        shown = (await client.get(f"/v1/grids/{GRID}")).json()
        assert (shown["person_id"], shown["name"], shown["revision"]) == (None, "示例第三网格", 2)
        assert [one["person_id"] for one in shown["log"]] == [who, None]
        vacant = (await client.get("/v1/grids", params={"vacant": True})).json()["items"]
        assert [one["id"] for one in vacant] == [GRID]
    assert [event["person_id"] for event in await registry.events("grid_registered")] == [who, None]


async def test_guidance_by_a_person_ends_when_the_person_leaves_and_signs_nothing_off_any_more(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        cdc = await organisation(client, "示例疾控中心", "government", COUNTY)
        clinic = await organisation(client, "示例社区卫生服务中心", "primary_care", TOWN)
        who = await person(client)
        told = {"division": COUNTY, "guide_id": cdc, "guided_id": clinic, "since": "2024-01-01", "person_id": who}
        over = await put(client, "relations", {**told, **SECTION, "until": "2024-12-31"})
        running = await put(client, "relations", {**told, **SECTION})
        assert (await client.patch(f"/v1/volunteers/{who}", json={"active": False})).status_code == 200
        items = (await client.get("/v1/relations", params={"guided_id": clinic})).json()["items"]
        assert {one["id"]: one["until"] for one in items} == {over: "2024-12-31", running: YESTERDAY}
        # Nobody who left is named again for longer; what ended may be written as it is.
        again = await client.put(f"/v1/relations/{running}", json={**told, **SECTION})
        assert (again.status_code, again.json()["field"]) == (422, "person_id")
        same = await client.put(f"/v1/relations/{running}", json={**told, **SECTION, "until": YESTERDAY})
        assert (same.status_code, same.json()["revision"]) == (200, 2)
    events = await registry.events("organisations_related")
    assert [(event["relation_id"], event["until"]) for event in events] == [
        (over, "2024-12-31"),
        (running, None),
        (running, YESTERDAY),
    ]


async def test_guidance_and_tutoring_that_did_not_begin_never_do_once_the_person_left(registry: Registry) -> None:
    first = TODAY + timedelta(days=30)
    never, week = (first - timedelta(days=1)).isoformat(), (first + timedelta(days=7)).isoformat()
    async with registry.client(COUNTY) as client:
        cdc = await organisation(client, "示例疾控中心", "government", COUNTY)
        clinic = await organisation(client, "示例社区卫生服务中心", "primary_care", TOWN)
        who = await person(client)
        told = {"division": COUNTY, "guide_id": cdc, "guided_id": clinic, "since": first.isoformat(), "person_id": who}
        relations = [await put(client, "relations", {**told, **SECTION, "until": last}) for last in (None, week)]
        angels = await team(client, type="expert_a", name="示例天使团队", active=True)
        term = {"person_id": who, "role": "expert", "since": TODAY.isoformat()}
        await client.put(f"/v1/teams/{angels}/terms/{new_id()}", json=term)
        tutors = {"team_id": angels, "kind": "supervision", "since": first.isoformat(), "person_id": who}
        tutoring = await put(client, "tutorings", {**tutors, "organisation_id": clinic})
        assert (await client.patch(f"/v1/volunteers/{who}", json={"active": False})).status_code == 200

        async def guides(day: str) -> list[str]:
            found = await client.get(f"/v1/organisations/{clinic}/guides", params={"day": day})
            return [one["id"] for one in found.json()["items"]]

        assert [await guides(day) for day in (never, first.isoformat(), week)] == [[], [], []]
        assert (await client.get(f"/v1/tutorings/{tutoring}")).json()["until"] == never
        # It is not made to hold after all by who is not there, neither longer nor earlier.
        for since, until in ((first.isoformat(), None), (TODAY.isoformat(), never)):
            again = await client.put(
                f"/v1/relations/{relations[0]}", json={**told, **SECTION, "since": since, "until": until}
            )
            assert (again.status_code, again.json()["field"]) == (422, "person_id"), again.text
        # Who is erased later leaves a second time, and what never was in force is told once.
        assert (await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})).is_success
    events = await registry.events("organisations_related")
    ended = sorted((event["relation_id"], event["until"]) for event in events[2:])
    assert ended == sorted((one, never) for one in relations)
    assert [event["until"] for event in await registry.events("organisations_tutored")] == [None, never]


async def test_a_supervisor_who_does_not_work_any_more_is_no_ones_supervisor(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        cdc = await organisation(client, "示例疾控中心", "government", COUNTY)
        clinic = await organisation(client, "示例社区卫生服务中心", "primary_care", TOWN)
        leader, who = await person(client, 1), await person(client, 2, "李示例")
        told = {"division": COUNTY, "guide_id": cdc, "guided_id": clinic, "since": "2024-01-01", "person_id": who}
        relation = await put(client, "relations", {**told, **SECTION})
        starts = (now() + timedelta(days=10)).replace(minute=0, second=0, microsecond=0)
        plan = {
            "organisation_id": clinic,
            "title": "示例讲座",
            "form": "lecture",
            "contents": ["stress_emotion"],
            "service": "1-2",
            "problems": ["stress"],
            "audiences": ["elderly"],
            "venue": "示例街道活动室",
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(hours=2)).isoformat(),
            "leader_id": leader,
            "expected": 50,
        }
        ident = await put(client, "activity-plans", plan)

        async def supervisors() -> list[str]:
            shown = (await client.get(f"/v1/activity-plans/{ident}")).json()
            return [one["relation_id"] for one in shown["supervisors"]]

        assert await supervisors() == [relation]
        # A register from before the relation ended with the person.
        row = await registry.database.get("volunteers", uuid.UUID(who))
        assert row is not None
        await registry.database.transact(lambda tx: _put(tx, "volunteers", {**row, "active": False}))
        assert await supervisors() == []
        answer = await client.post(f"/v1/activity-plans/{ident}/submit")
        assert (answer.status_code, answer.json()["reason"]) == (409, "no_supervisor")
    async with registry.client(COUNTY, "content_supervisor", subject=who) as client:
        assert (await client.get("/v1/activity-plans/waiting")).json()["items"] == []


async def _put(tx: Any, collection: str, row: Any) -> None:
    tx.put(collection, row)


async def test_the_same_plan_again_is_the_same_whichever_id_of_its_leader_is_named(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        angels = await team(client, type="expert_a", name="示例天使团队", active=True)
        volunteers = await organisation(client, "示例心理志愿服务组织", "service_provider")
        expert, double = await person(client), await person(client, 2)
        term = {"person_id": expert, "role": "expert", "since": TODAY.isoformat()}
        await client.put(f"/v1/teams/{angels}/terms/{new_id()}", json=term)
        body = {"team_id": angels, "kind": "supervision", "since": TODAY.isoformat(), "organisation_id": volunteers}
        ident = await put(client, "tutorings", {**body, "person_id": expert})
        merged = await client.post(f"/v1/volunteers/{double}/merge", json={"other": expert, "reason": "同一人"})
        assert merged.is_success, merged.text
        for who in (expert, double):
            again = await client.put(f"/v1/tutorings/{ident}", json={**body, "person_id": who})
            assert (again.status_code, again.json()["revision"]) == (200, 1), again.text


async def test_tutoring_ends_with_its_expert_and_is_not_prolonged_by_a_team_that_is_dissolved(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        angels = await team(client, type="expert_a", name="示例天使团队", active=True)
        volunteers = await organisation(client, "示例心理志愿服务组织", "service_provider")
        expert = await person(client)
        term = {"person_id": expert, "role": "expert", "since": TODAY.isoformat()}
        await client.put(f"/v1/teams/{angels}/terms/{new_id()}", json=term)
        body = {"team_id": angels, "kind": "supervision", "since": TODAY.isoformat(), "organisation_id": volunteers}
        by_one = await put(client, "tutorings", {**body, "person_id": expert})
        by_team = await put(client, "tutorings", {**body, "kind": "training", "until": TODAY.isoformat()})
        assert (await client.post(f"/v1/volunteers/{expert}/erase", json={"reason": "本人要求"})).is_success
        assert (await client.get(f"/v1/tutorings/{by_one}")).json()["until"] == TODAY.isoformat()
        gone = {"status": "dissolved", "reason": "示例撤销"}
        assert (await client.post(f"/v1/teams/{angels}/status", json=gone)).status_code == 200
        for until in (None, (TODAY + timedelta(days=30)).isoformat()):
            longer = {**body, "kind": "training", "until": until}
            assert (await client.put(f"/v1/tutorings/{by_team}", json=longer)).status_code == 409
        ended = {**body, "kind": "training", "until": TODAY.isoformat(), "topic": "示例"}
        assert (await client.put(f"/v1/tutorings/{by_team}", json=ended)).status_code == 200


async def test_the_cdcs_section_is_of_a_body_of_the_government(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        company = await organisation(client, "示例心理咨询公司", "service_provider", COUNTY)
        told = {"division": COUNTY, "guide_id": company, "guided_kind": "primary_care", "since": "2024-01-01"}
        answer = await client.put(f"/v1/relations/{new_id()}", json={**told, **SECTION})
        assert (answer.status_code, answer.json()["field"]) == (422, "guide_id")

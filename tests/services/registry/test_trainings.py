"""Trainings: who teaches whom, who passed, the hours, what it changed, and how far everybody is reached."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, now
from chassis.db import Database
from services.registry.api.trainings import measured_by
from services.registry.domain.trainings import (
    AUDIENCE_OF,
    NEXT,
    PROGRAMMES,
    TOPICS,
    TYPES,
    Reached,
    State,
    effect,
    has_passed,
    lasts_until,
    left_of,
)
from services.registry.domain.trainings_policy import Coverage
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import a_session, course, held_session, qualified, trained

scores = st.none() | st.integers(0, 100)


@given(st.booleans(), scores, scores)
def test_nobody_passes_without_being_there_and_with_the_score_that_is_asked(
    attended: bool, score: int | None, needed: int | None
) -> None:
    passed = has_passed(attended, score, needed)
    assert passed is (attended and (needed is None or (score if score is not None else -1) >= needed))


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(1, 240))
def test_a_training_lasts_so_many_months_and_ends_in_the_month_that_is_meant(day: date, months: int) -> None:
    until = lasts_until(day, months)
    assert until is not None
    assert (until.year * 12 + until.month) - (day.year * 12 + day.month) == months
    assert until.day <= day.day
    assert lasts_until(day, None) is None


pairs = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=12)


@given(pairs, st.integers(1, 6))
def test_the_measure_before_and_after_is_of_everybody_or_of_nobody(
    given_pairs: list[tuple[int, int]], few: int
) -> None:
    found = effect(given_pairs, few)
    assert found.people == len(given_pairs)
    if len(given_pairs) < few:
        assert (found.before, found.after, found.change) == (None, None, None)
    else:
        assert found.change is not None
        assert found.change == pytest.approx(sum(b - a for a, b in given_pairs) / len(given_pairs), abs=0.006)


@given(st.integers(1, 100_000), st.data())
def test_a_hundred_percent_is_everybody(people: int, data: st.DataObject) -> None:
    trained_people = data.draw(st.integers(0, people))
    found = Reached(people, trained_people, 100)
    assert found.met is (trained_people == people)
    assert (found.percent == 100) is (trained_people == people)
    assert Reached(0, 0, 100).met is None


def test_the_guides_programme_has_its_four_parts_and_the_three_ways_into_psychiatry_are_there() -> None:
    guide = PROGRAMMES["mental_health_guide"]
    assert [TOPICS[topic] for topic in TOPICS if topic in guide.topics] == [
        "心理学基础知识",
        "基本理论",
        "操作技能",
        "职业伦理",
    ]
    assert left_of(guide, ["skills", "theory"]) == ["foundations", "professional_ethics"]
    assert {"residency", "transfer", "commissioned", "party_school"} <= TYPES.keys()
    assert NEXT[State.held] == frozenset()


@pytest.mark.parametrize(("level", "audience"), sorted(AUDIENCE_OF.items()))
async def test_each_tier_teaches_its_own(registry: Registry, level: str, audience: str) -> None:
    async with registry.client() as client:
        wrong = {"leaders": "stations", "counsellors": "leaders", "stations": "leaders"}[audience]
        body = {"division": COUNTY, "title": "示例培训", "level": level, "type": "routine", "topics": ["skills"]}
        path = f"/v1/courses/{uuid.uuid4()}"
        refused = await client.put(path, json={**body, "audiences": [wrong]})
        assert (refused.status_code, refused.json()["field"]) == (422, "audiences")
        taken = await client.put(path, json={**body, "audiences": [audience], "field": "community"})
        assert (taken.status_code, taken.json()["level"], taken.json()["field"]) == (201, level, "community")
        listed = (await client.get("/v1/courses", params={"level": level, "topic": "skills"})).json()["items"]
        assert [item["audiences"] for item in listed] == [[audience]]
    (event,) = await registry.events("course_offered")
    assert (event["level"], event["audiences"], event["field"]) == (level, [audience], "community")


async def test_a_course_is_offered_once_changed_and_taken_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await course(client, topics=["skills"])
        path = f"/v1/courses/{ident}"
        body = {"division": COUNTY, "title": "示例培训", "level": "county", "type": "routine", "topics": ["skills"]}
        again = await client.put(path, json=body)
        assert (again.status_code, again.json()["revision"]) == (200, 1)
        assert (await client.put(path, json={**body, "active": False})).json()["revision"] == 2
        gone = await client.put(f"/v1/training-sessions/{uuid.uuid4()}", json=a_session(ident))
        assert (gone.status_code, gone.json()["reason"]) == (409, "not_offered")
        assert (await client.get("/v1/courses", params={"active": True})).json()["items"] == []
        for fields, field in (
            ({"level": "galaxy"}, "body.level"),
            ({"topics": []}, "body.topics"),
            ({"topics": ["magic"]}, "body.topics.0"),
            ({"pass_score": 101}, "body.pass_score"),
            ({"type": "party_school"}, "audiences"),
            ({"programme": "mental_health_guide", "topics": ["elderly_care"]}, "topics"),
            ({"division": "370812999"}, "division"),
        ):
            answer = await client.put(f"/v1/courses/{uuid.uuid4()}", json={**body, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await client.put(path, json={**body, "division": "3708"})).status_code == 404
    async with registry.client("320706") as outside:
        assert (await outside.put(path, json={**body, "division": "320706"})).status_code == 404
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.put(path, json=body)).status_code == 403
        assert (await reader.get("/v1/training-codes")).json()["topics"]["skills"] == "操作技能"


async def test_attending_gives_hours_and_passing_takes_the_score(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        there, late, absent = await person(client), await person(client, 2), await person(client, 3)
        ident = await course(client, topics=["foundations", "theory"], pass_score=60, type="lecture")
        session = await held_session(client, ident, minutes=90)
        path = f"/v1/training-sessions/{session}/attendances"
        items = [
            {"person_id": there, "attended": True, "score": 60},
            {"person_id": late, "attended": True, "score": 59},
            {"person_id": absent, "attended": False, "score": 90},
        ]
        for _ in range(2):
            told = (await client.put(path, json={"items": items})).json()["items"]
            assert [(row["passed"], row["minutes"], row["revision"]) for row in told] == [
                (True, 90, 1),
                (False, 90, 1),
                (False, 0, 1),
            ]
        mended = (await client.put(path, json={"items": [{**items[1], "score": 61}]})).json()["items"]
        assert (mended[0]["passed"], mended[0]["revision"]) == (True, 2)
        more = await course(client, topics=["skills"], programme="mental_health_guide")
        await trained(client, more, there)
        shown = (await client.get(f"/v1/people/{there}/trainings")).json()
        assert shown["hours"] == 3.5
        assert shown["passed"] == ["foundations", "skills", "theory"]
        assert shown["programmes"][0]["left"] == ["professional_ethics"]
        assert shown["programmes"][0]["certificate"] == "心理健康指导师"
        assert (await client.get(f"/v1/people/{absent}/trainings")).json()["hours"] == 0
        first = (await client.get(path, params={"limit": 2})).json()
        rest = (await client.get(path, params={"limit": 2, "after": first["next"]})).json()
        assert {row["person_id"] for row in first["items"] + rest["items"]} == {there, late, absent}
    told = await registry.events("training_recorded")
    assert len(told) == 5
    assert all("score" not in event and "before" not in event for event in told)


async def test_a_session_is_planned_held_or_called_off(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await course(client, topics=["skills"])
        start = now() + timedelta(days=3)
        times = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=1)).isoformat()}
        host, room = await organisation(client, "示例高校", "university"), await place(client)
        session, where = str(uuid.uuid4()), {"organiser_id": host, "place_id": room}
        body = a_session(ident, **times, **where)
        path = f"/v1/training-sessions/{session}"
        assert (await client.put(path, json=body)).status_code == 201
        assert (await client.put(path, json=body)).json()["revision"] == 1
        early = await client.post(f"{path}/held")
        assert (early.status_code, early.json()["reason"]) == (409, "too_early")
        for _ in range(2):
            assert (await client.post(f"{path}/cancelled")).json()["revision"] == 2
        assert (await client.post(f"{path}/held")).json()["reason"] == "bad_step"
        assert (await client.put(path, json={**body, "minutes": 5})).json()["reason"] == "not_planned"
        for fields, field in (
            ({"ends_at": times["starts_at"]}, "ends_at"),
            ({"organiser_id": str(uuid.uuid4())}, "organiser_id"),
            ({"place_id": str(uuid.uuid4())}, "place_id"),
            ({"minutes": -1}, "body.minutes"),
            ({"starts_at": "2026-01-01"}, "body.starts_at"),
        ):
            answer = await client.put(f"/v1/training-sessions/{uuid.uuid4()}", json={**body, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        listed = (await client.get("/v1/training-sessions", params={"state": "cancelled"})).json()["items"]
        assert [item["id"] for item in listed] == [session]
    states = [event["state"] for event in await registry.events("training_session_moved")]
    assert states == ["planned", "cancelled"]


async def test_attendance_is_of_known_people_once_each_and_of_the_own_division(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        session = await held_session(client, await course(client, topics=["skills"]))
        path = f"/v1/training-sessions/{session}/attendances"
        row = {"person_id": who, "attended": True}
        for items, field in (
            ([row, row], "items"),
            ([row, {**row, "person_id": str(uuid.uuid4())}], "items.1.person_id"),
            ([{**row, "score": 101}], "body.items.0.score"),
            ([], "body.items"),
        ):
            answer = await client.put(path, json={"items": items})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert await registry.database.find("attendances", {}) == []
    async with registry.client("320706") as outside:
        for answer in (
            await outside.put(path, json={"items": [row]}),
            await outside.get(path),
            await outside.get(f"/v1/training-sessions/{session}/effect"),
            await outside.post(f"/v1/training-sessions/{session}/cancelled"),
            await outside.get(f"/v1/people/{who}/trainings"),
            await outside.get("/v1/trainings/coverage", params={"division": COUNTY}),
            await outside.get("/v1/trainings/capability", params={"division": COUNTY}),
        ):
            assert answer.status_code == 404
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.put(path, json={"items": [row]})).status_code == 403
        assert (await reader.get(path)).status_code == 403
        assert (await reader.get(f"/v1/people/{who}/trainings")).status_code == 403
        assert (await reader.get("/v1/trainings/coverage")).status_code == 200


async def test_the_skill_is_measured_before_and_after_and_not_told_of_a_few(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        people = [await person(client, number) for number in range(1, 6)]
        session = await held_session(client, await course(client, topics=["early_recognition"]))
        path = f"/v1/training-sessions/{session}"

        async def measured(count: int) -> dict[str, Any]:
            items = [
                {"person_id": who, "attended": True, "before": 40, "after": 70 + n} for n, who in enumerate(people)
            ]
            await client.put(f"{path}/attendances", json={"items": items[:count]})
            told: dict[str, Any] = (await client.get(f"{path}/effect")).json()
            return told

        assert (await measured(4))["change"] is None
        found = await measured(5)
        assert (found["people"], found["before"], found["after"], found["change"]) == (5, 40.0, 72.0, 32.0)


async def typed(client: Any, number: int, kind: int) -> str:
    body = {"division": TOWN, "name": "张示例", "phone": f"000-0000-{number:04d}", "person_types": [kind]}
    return str((await client.post("/v1/volunteers", json=body)).json()["id"])


async def test_coverage_counts_every_teacher_counsellor_and_clinician_who_passed_the_right_training(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        teachers = [await typed(client, number, 4) for number in (1, 2)]
        counsellor, clinician = await typed(client, 3, 1), await typed(client, 4, 3)
        school = await course(client, topics=["school_mental_health"])
        county = await course(client, topics=["early_recognition"])
        city = await course(client, by=registry, division="3708", level="city", topics=["skills"])

        async def reached() -> dict[str, tuple[int, int, bool | None]]:
            told = (await client.get("/v1/trainings/coverage")).json()["items"]
            assert all(item["target"] == 100 for item in told)
            return {item["code"]: (item["people"], item["trained"], item["met"]) for item in told}

        await trained(client, school, teachers[0])
        await trained(client, school, teachers[0])
        await trained(client, county, counsellor)
        assert await reached() == {"teachers": (2, 1, False), "counsellors": (1, 0, False), "clinicians": (1, 0, False)}
        await trained(client, school, teachers[1])
        await trained(client, city, counsellor)
        await trained(client, county, clinician)
        assert await reached() == {"teachers": (2, 2, True), "counsellors": (1, 1, True), "clinicians": (1, 1, True)}
        empty = (await client.get("/v1/trainings/coverage", params={"division": "370812001"})).json()["items"]
        assert empty[0]["percent"] == 100
    async with registry.client("320706") as outside:
        told = (await outside.get("/v1/trainings/coverage")).json()["items"]
        assert {(item["people"], item["percent"], item["met"]) for item in told} == {(0, None, None)}


async def test_a_task_of_training_has_owner_measure_evidence_and_due_date(registry: Registry) -> None:
    today = local_day(now())
    async with registry.client(COUNTY) as client:
        teacher = await typed(client, 1, 4)
        ident = str(uuid.uuid4())
        body = {
            "division": COUNTY,
            "task": "开展教师心理健康教育资格全员培训",
            "owner_id": teacher,
            "measure": "teachers",
            "due_on": str(today),
        }
        path = f"/v1/training-plans/{ident}"
        assert [(await client.put(path, json=body)).status_code for _ in range(2)] == [201, 200]

        async def status() -> tuple[str, int]:
            (item,) = (await client.get("/v1/training-plans")).json()["items"]
            return item["status"], item["evidence"]["trained"]

        assert await status() == ("open", 0)
        await client.put(path, json={**body, "due_on": str(today - timedelta(days=1))})
        assert await status() == ("late", 0)
        await trained(client, await course(client, topics=["school_mental_health"]), teacher)
        assert await status() == ("done", 1)
        for fields, field in (({"measure": "magic"}, "measure"), ({"owner_id": str(uuid.uuid4())}, "owner_id")):
            answer = await client.put(path, json={**body, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert [event["revision"] for event in await registry.events("training_planned")] == [1, 2]
    async with registry.client("320706") as outside:
        assert (await outside.put(path, json={**body, "division": "320706"})).status_code == 404
        assert (await outside.get("/v1/training-plans")).json()["items"] == []
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.put(path, json=body)).status_code == 403


async def test_cadres_are_trained_at_the_party_school_and_doctors_by_transfer(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        party: dict[str, Any] = {
            "type": "party_school",
            "audiences": ["cadres"],
            "field": "party",
            "topics": ["cadre_mental_health"],
        }
        await trained(client, await course(client, **party), who)
        for kind in ("residency", "transfer", "commissioned"):
            await course(client, type=kind, audiences=["stations", "clinicians"], topics=["early_recognition"])
        listed = (await client.get("/v1/courses")).json()["items"]
        assert sorted(item["type"] for item in listed) == ["commissioned", "party_school", "residency", "transfer"]
        # The cadre's record says what was heard, when, for how long, and where it was offered.
        record = (await client.get(f"/v1/people/{who}/trainings")).json()
        (one,) = record["items"]
        assert (one["topics"], one["attended"], one["passed"]) == (["cadre_mental_health"], True, True)
        assert (record["hours"], record["passed"]) == (2.0, ["cadre_mental_health"])
        offered = next(item for item in listed if item["id"] == one["course_id"])
        assert (offered["type"], offered["audiences"]) == ("party_school", ["cadres"])


async def test_capability_tells_certificates_that_hold_and_trainings_that_were_passed(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, two = await person(client), await person(client, 2)
        await qualified(client, one, "counsellor", registry)
        await qualified(client, one, "counsellor", registry, number="示例00000002")
        await qualified(client, two, "counsellor")
        await trained(client, await course(client, topics=["skills"]), one, two)
        told = (await client.get("/v1/trainings/capability")).json()
        assert told["qualifications"] == [{"kind": "counsellor", "label": "心理咨询师", "people": 1}]
        assert told["trainings"] == [{"topic": "skills", "label": "操作技能", "people": 2, "hours": 4.0}]


SYLLABUS = {
    "early_recognition": "如何及时发现心理健康问题和进行早期干预",
    "new_students": "处理新生容易出现的心理问题的方法和技巧",
    "psychology_at_work": "如何从心理学角度更好的开展工作",
}


async def test_the_lecture_has_three_topics_and_a_course_that_follows_it_teaches_them_all(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        codes = (await client.get("/v1/training-codes")).json()
        told = codes["syllabi"]["peer_lecture"]
        assert {one["topic"]: one["text"] for one in told["items"]} == SYLLABUS
        ident = str(uuid.uuid4())
        path = f"/v1/courses/{ident}"
        body = {"division": COUNTY, "title": "示例讲座", "level": "unit", "type": "lecture", "syllabus": "peer_lecture"}
        first = await client.put(path, json=body)
        assert first.status_code == 201, first.text
        assert (first.json()["topics"], first.json()["syllabus_version"]) == (list(SYLLABUS), codes["version"])
        assert (await client.put(path, json=body)).json()["revision"] == 1
        more = (await client.put(path, json={**body, "topics": [*SYLLABUS, "skills"]})).json()
        assert (more["revision"], more["topics"]) == (2, [*SYLLABUS, "skills"])
        for fields, field in (
            ({"topics": ["early_recognition", "new_students"]}, "topics"),
            ({"syllabus": "magic"}, "syllabus"),
            ({"syllabus": None}, "topics"),
        ):
            answer = await client.put(path, json={**body, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        await course(client, topics=list(SYLLABUS))
        listed = (await client.get("/v1/courses", params={"syllabus": "peer_lecture"})).json()["items"]
        assert [one["id"] for one in listed] == [ident]
        # Who was there has passed the three.
        who = await person(client)
        await client.put(path, json=body)
        await trained(client, ident, who)
        assert (await client.get(f"/v1/people/{who}/trainings")).json()["passed"] == sorted(SYLLABUS)
    assert [event["syllabus"] for event in await registry.events("course_offered")][:2] == ["peer_lecture"] * 2


async def test_a_page_of_plans_reckons_each_coverage_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    async def counted(database: Database, one: Coverage, inside: str) -> dict[str, Any]:
        asked.append((one.code, inside))
        return await measured_by(database, one, inside)

    monkeypatch.setattr("services.registry.api.trainings.measured_by", counted)
    async with registry.client(COUNTY) as client:
        owner = await person(client)
        first, second = [one.code for one in Policies.load().trainings.at(now()).coverage][:2]
        for measure, division in ((first, COUNTY), (first, COUNTY), (second, COUNTY), (first, TOWN), (first, TOWN)):
            body = {"division": division, "task": "示例任务", "owner_id": owner, "measure": measure}
            path = f"/v1/training-plans/{uuid.uuid4()}"
            answer = await client.put(path, json={**body, "due_on": "2026-12-31"})
            assert answer.status_code == 201, answer.text
        items = (await client.get("/v1/training-plans")).json()["items"]
        assert len(items) == 5
        assert all(item["evidence"]["code"] == item["measure"] for item in items)
        assert sorted(asked) == sorted([(first, COUNTY), (second, COUNTY), (first, TOWN)])
        assert (await client.get("/v1/training-plans", params={"limit": 51})).status_code == 422

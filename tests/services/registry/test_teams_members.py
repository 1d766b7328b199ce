"""Members and terms, unions, rings, loans, the pool of experts for schools, and the campus network."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.teams import clashing, flaw_in_loan, overlap
from tests.services.registry.children_support import fit
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused, team
from tests.services.registry.trainings_support import pledged, qualified

VILLAGE = "370812001001"
FIRST = date(2026, 1, 1)


async def term(client: httpx.AsyncClient, ident: str, **fields: Any) -> httpx.Response:
    body = {"role": "member", "since": "2026-01-01", **fields}
    return await client.put(f"/v1/teams/{ident}/terms/{uuid.uuid4()}", json=body)


async def test_nobody_is_a_member_twice_at_the_same_time(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, other, one = await team(client), await team(client, name="示例二队"), await person(client)
        assert (await term(client, ident, person_id=one, until="2026-06-30")).status_code == 200
        for since, until in (("2026-06-30", None), ("2025-01-01", None), ("2026-02-01", "2026-02-02")):
            answer = await term(client, ident, person_id=one, since=since, until=until)
            assert (answer.status_code, answer.json()["reason"]) == (409, "member_twice")
        assert (await term(client, ident, person_id=one, since="2026-07-01")).status_code == 200
        assert (await term(client, other, person_id=one)).status_code == 200
        terms = (await client.get(f"/v1/teams/{ident}/terms", params={"day": "2026-07-01"})).json()["items"]
        assert [(one_term["since"], one_term["until"]) for one_term in terms] == [("2026-07-01", None)]
        teams = (await client.get("/v1/teams", params={"person_id": one})).json()["items"]
        assert {found["id"] for found in teams} == {ident, other}


async def test_two_terms_sent_at_once_are_not_both_taken(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, one = await team(client), await person(client)
        answers = await asyncio.gather(*[term(client, ident, person_id=one) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


TERMS = st.tuples(st.integers(0, 2), st.integers(0, 30), st.none() | st.integers(0, 30))


def _day(number: int) -> str:
    return (FIRST + timedelta(number)).isoformat()


@settings(deadline=None)
@given(st.lists(TERMS, max_size=20))
def test_of_terms_that_were_taken_no_person_has_two_on_one_day(told: list[tuple[int, int, int | None]]) -> None:
    taken: list[dict[str, Any]] = []
    for who, since, length in told:
        until = None if length is None else _day(since + length)
        one = {"id": uuid.uuid4(), "person_id": who, "organisation_id": None, "since": _day(since), "until": until}
        if clashing(one, taken) is None:
            taken.append(one)
    for who in range(3):
        for number in range(70):
            day = _day(number)
            held = [t for t in taken if t["person_id"] == who and t["since"] <= day <= (t["until"] or "9999")]
            assert len(held) <= 1


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_two_stretches_overlap_exactly_if_they_share_a_day(one: int, long: int, two: int, wide: int) -> None:
    shared = set(range(one, one + long + 1)) & set(range(two, two + wide + 1))
    assert overlap(_day(one), _day(one + long), _day(two), _day(two + wide)) is bool(shared)
    assert overlap(_day(one), None, _day(two), _day(two + wide)) is (two + wide >= one)


async def test_a_term_is_corrected_ended_and_dropped_under_its_id(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, one = await team(client), await person(client)
        path = f"/v1/teams/{ident}/terms/{uuid.uuid4()}"
        body = {"person_id": one, "role": "leader", "since": "2026-01-01"}
        for until, revision in ((None, 2), (None, 2), ("2026-01-31", 3)):
            answer = await client.put(path, json={**body, "until": until})
            assert (answer.status_code, answer.json()["revision"], answer.json()["until"]) == (200, revision, until)
        backwards = await client.put(path, json={**body, "until": "2025-12-31"})
        assert (backwards.status_code, backwards.json()["field"]) == (422, "until")
        assert (await client.delete(path)).json()["revision"] == 4
        assert (await client.delete(path)).status_code == 404
        for fields, field in (
            ({}, "person_id"),
            ({"person_id": str(uuid.uuid4())}, "person_id"),
            ({"organisation_id": str(uuid.uuid4())}, "organisation_id"),
            ({"person_id": one, "role": "wizard"}, "body.role"),
            ({"person_id": one, "role": "children_database"}, "role"),
            ({"person_id": one, "role": "class_teacher"}, "role"),
        ):
            answer = await term(client, ident, **fields)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert [event["members"] for event in await registry.events("team_registered")] == [0, 1, 0, 0]


async def test_federations_and_alliances_have_organisations_as_members(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例志愿者协会", "other")
        for kind in ("federation", "alliance", "task_force"):
            ident = await team(client, type=kind)
            assert (await term(client, ident, organisation_id=unit)).status_code == 200
            assert (await term(client, ident, organisation_id=unit, since="2026-05-01")).status_code == 409
            standing = (await client.get(f"/v1/teams/{ident}/standing", params={"day": "2026-02-01"})).json()
            assert (standing["members"], standing["member_organisations"]) == (0, 1)
    events = await registry.events("team_registered")
    assert [event["member_organisations"] for event in events] == [0, 1] * 3


async def test_a_service_team_of_three_professions_says_which_one_is_missing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await team(client, type="three_professions")
        missing = ["mental_health", "psychology", "social_work"]
        for number, profession in enumerate(list(missing)):
            standing = (await client.get(f"/v1/teams/{ident}/standing")).json()
            assert (standing["professions_missing"], standing["complete"]) == (missing, False)
            who = await person(client, number)
            assert (await term(client, ident, person_id=who, profession=profession)).status_code == 200
            missing.remove(profession)
        standing = (await client.get(f"/v1/teams/{ident}/standing")).json()
        assert (standing["professions_missing"], standing["complete"]) == ([], True)


async def test_a_schools_network_counts_its_three_rings(registry: Registry) -> None:
    roles = ("full_time_psychology_teacher", "class_teacher", "part_time_psychology_teacher", "school_staff", "parent")
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例中学", "school")
        ident = await team(client, type="school", organisation_id=school, ring_network=True)
        for number, role in enumerate(roles):
            who = await person(client, number)
            assert (await term(client, ident, person_id=who, role=role)).status_code == 200
        standing = (await client.get(f"/v1/teams/{ident}/standing")).json()
        assert standing["rings"] == {"core": 1, "backbone": 2, "member": 2}
        shown = (await client.get(f"/v1/teams/{ident}/terms", params={"role": "parent"})).json()["items"]
        assert [one["ring"] for one in shown] == ["member"]


async def test_who_keeps_the_database_of_children_is_told_to_registrars_and_privacy_officers_alone(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        one = await person(client)
        await fit(client, one)
        ident = await team(client, type="children_backbone", active=True)
        for division in ("3708", VILLAGE):
            wrong = await client.put(
                f"/v1/teams/{uuid.uuid4()}",
                json={"name": "示例队", "type": "children_backbone", "division": division},
            )
            assert wrong.status_code in (404, 422)
        assert (await term(client, ident, person_id=one, role="children_database")).status_code == 200
        gone = await person(client, 2)
        await fit(client, gone)
        await term(client, ident, person_id=gone, role="children_database", until="2026-01-31")
        keepers = (await client.get("/v1/children-database/keepers")).json()["items"]
        assert [(keeper["person_id"], keeper["level"]) for keeper in keepers] == [(one, "county")]
    for role, status in (("privacy_officer", 200), ("coordinator", 403), ("statistician", 403)):
        async with registry.client(COUNTY, role) as client:
            assert (await client.get("/v1/children-database/keepers")).status_code == status
    async with registry.client("320706") as client:
        assert (await client.get("/v1/children-database/keepers")).json()["items"] == []


# Loans


def a_loan(subject_id: str, **fields: Any) -> dict[str, Any]:
    base = {"subject": "person", "subject_id": subject_id, "kind": "sunk", "division": VILLAGE}
    return {**base, "since": "2026-03-01", "until": "2026-08-31", **fields}


async def test_help_is_lent_downward_for_a_time_and_never_twice_at_the_same_time(registry: Registry) -> None:
    await villages(registry)
    async with registry.client("3708") as client:
        expert = await person(client, division=COUNTY)
        loan = await put(client, "loans", a_loan(expert))
        shown = (await client.get(f"/v1/loans/{loan}")).json()
        assert (shown["origin"], shown["division"], shown["revision"]) == (COUNTY, VILLAGE, 1)
        same = await client.put(f"/v1/loans/{loan}", json=a_loan(expert))
        assert (same.status_code, same.json()["revision"]) == (200, 1)
        clash = a_loan(expert, division="370812001002", since="2026-08-31", until="2026-09-30")
        twice = await client.put(f"/v1/loans/{uuid.uuid4()}", json=clash)
        assert (twice.status_code, twice.json()["reason"]) == (409, "lent_twice")
        called_off = await client.put(f"/v1/loans/{loan}", json=a_loan(expert, cancelled=True))
        assert called_off.json()["revision"] == 2
        await put(client, "loans", clash)
        items = (await client.get("/v1/loans", params={"day": "2026-08-31", "division": TOWN})).json()["items"]
        assert [one["division"] for one in items] == ["370812001002"]
        await refused(client, "loans", a_loan(expert, division=COUNTY), "division")
        await refused(client, "loans", a_loan(expert, until="2026-02-01"), "until")
        await refused(client, "loans", a_loan(str(uuid.uuid4())), "subject_id")
    events = await registry.events("help_lent")
    assert [(event["revision"], event["cancelled"]) for event in events] == [(1, False), (2, True), (1, False)]
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/loans/{loan}")).status_code == 404
        assert (await client.put(f"/v1/loans/{loan}", json=a_loan(expert))).status_code == 404


async def test_two_loans_sent_at_once_are_not_both_taken(registry: Registry) -> None:
    await villages(registry)
    async with registry.client("3708") as client:
        expert = await person(client, division=COUNTY)
        answers = await asyncio.gather(
            *[client.put(f"/v1/loans/{uuid.uuid4()}", json=a_loan(expert)) for _ in range(4)]
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_team_of_the_city_is_lent_to_a_town_and_its_unit_says_where_a_person_comes_from(
    registry: Registry,
) -> None:
    async with registry.client("3708") as client:
        hospital = await organisation(client, "示例市级医院", "hospital", "3708")
        doctor = await person(client)
        loan = await put(client, "loans", a_loan(doctor, origin_id=hospital, division=TOWN))
        assert (await client.get(f"/v1/loans/{loan}")).json()["origin"] == "3708"
        ident = await team(client, type="medical", division="3708")
        body = a_loan(ident, subject="team", division=TOWN)
        await refused(client, "loans", body, "subject_id")
        await client.post(f"/v1/teams/{ident}/status", json={"status": "active", "reason": "示例组建"})
        await put(client, "loans", body)
        found = (await client.get("/v1/loans", params={"division": TOWN, "origin": "3708"})).json()["items"]
        assert {one["subject"] for one in found} == {"person", "team"}


@settings(deadline=None)
@given(
    st.sampled_from(["37", "3708", "370812", "370812001", VILLAGE]),
    st.sampled_from(["37", "3707", "370811", "370812002", VILLAGE]),
)
def test_what_is_sunk_goes_to_a_lower_level(origin: str, division: str) -> None:
    told = a_loan("", division=division)
    assert (flaw_in_loan(told, origin) is None) is (len(division) > len(origin))


# The pool of experts for schools


async def test_a_pool_of_experts_says_what_is_missing_to_a_hundred_and_counts_its_visits(registry: Registry) -> None:
    today = local_day(now())
    async with registry.client(COUNTY) as client:
        pool, expert = await team(client, active=True, type="school_expert_pool"), await person(client)
        await qualified(client, expert, "counsellor", registry)
        await pledged(client, expert)
        school, office = (
            await organisation(client, "示例小学", "school"),
            await organisation(client, "示例机关", "government"),
        )
        await term(client, pool, person_id=expert, role="expert")
        standing = (await client.get(f"/v1/teams/{pool}/standing")).json()
        assert (standing["target"], standing["missing_to_target"], standing["complete"]) == (100, 99, False)
        path = f"/v1/teams/{pool}/visits/{uuid.uuid4()}"
        body = {"organisation_id": school, "person_id": expert, "day": today.isoformat(), "state": "planned"}
        assert (await client.put(path, json={**body, "state": "done"})).status_code == 409
        assert (await client.put(path, json=body)).json()["revision"] == 1
        assert (await client.put(path, json=body)).json()["revision"] == 1
        later = {**body, "day": (today + timedelta(1)).isoformat()}
        assert (await client.put(path, json={**later, "state": "done"})).json()["field"] == "day"
        assert (await client.put(path, json={**body, "state": "done"})).json()["revision"] == 2
        assert (await client.put(path, json={**body, "state": "cancelled"})).status_code == 409
        await put(client, f"teams/{pool}/visits", later)
        for fields, field in (
            ({"organisation_id": office}, "organisation_id"),
            ({"person_id": str(uuid.uuid4())}, "person_id"),
        ):
            await refused(client, f"teams/{pool}/visits", {**body, **fields}, field)
        standing = (await client.get(f"/v1/teams/{pool}/standing")).json()
        assert standing["visits"] == {"planned": 1, "done": 1, "schools": 1}
        listed = (await client.get(f"/v1/teams/{pool}/visits", params={"state": "planned"})).json()["items"]
        assert [one["day"] for one in listed] == [later["day"]]
    assert [event["state"] for event in await registry.events("school_visited")] == ["planned", "done", "planned"]


# The campus


async def test_a_campus_has_four_levels_and_says_which_classes_have_no_representative(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school, other = (
            await organisation(client, "示例大学", "university"),
            await organisation(client, "示例另一学校", "school"),
        )

        async def unit(level: str, parent: str | None, **fields: Any) -> str:
            body = {"organisation_id": school, "level": level, "parent_id": parent, "name": f"示例{level}", **fields}
            return await put(client, "campus-units", body)

        top = await unit("school", None)
        college = await unit("college", top)
        one, two = await unit("class", college, representatives=1), await unit("class", college)
        dormitory = await unit("dormitory", one)
        campus = (await client.get(f"/v1/organisations/{school}/campus")).json()
        assert campus["units"] == {"school": 1, "college": 1, "class": 2, "dormitory": 1}
        assert (campus["classes_with_representative"], campus["percent"], campus["without"]) == (1, 50.0, [two])
        base = {"organisation_id": school, "name": "示例"}
        assert (
            await client.put(f"/v1/campus-units/{uuid.uuid4()}", json={**base, "level": "school"})
        ).status_code == 409
        await refused(client, "campus-units", {**base, "level": "dormitory", "parent_id": top}, "parent_id")
        await refused(client, "campus-units", {**base, "level": "class"}, "parent_id")
        strange = {"organisation_id": other, "name": "示例", "level": "class", "parent_id": college}
        await refused(client, "campus-units", strange, "parent_id")
        closed = {**base, "level": "class", "parent_id": college, "active": False}
        assert (await client.put(f"/v1/campus-units/{one}", json=closed)).json()["field"] == "active"
        listed = (await client.get("/v1/campus-units", params={"parent_id": one})).json()["items"]
        assert [found["id"] for found in listed] == [dormitory]
    events = await registry.events("campus_unit_registered")
    assert [event["level"] for event in events] == ["school", "college", "class", "class", "dormitory"]
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/organisations/{school}/campus")).status_code == 404

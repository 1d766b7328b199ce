"""One full-time teacher of mental health for a thousand students, rounded up; a small school counts as a thousand."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.staffing import Need, need, required, total
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed, villages
from tests.services.registry.support import Registry


@pytest.mark.parametrize(
    ("students", "teachers"), [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3), (10_000, 10)]
)
def test_the_ratio_is_rounded_up_and_a_small_school_counts_as_a_thousand(students: int, teachers: int) -> None:
    assert required(students, 1000) == teachers


@given(st.integers(0, 100_000), st.integers(1, 5000))
def test_no_teacher_has_more_students_than_the_ratio_allows(students: int, ratio: int) -> None:
    teachers = required(students, ratio)
    assert teachers * ratio >= students
    assert teachers == 1 or (teachers - 1) * ratio < students


NEEDS = st.builds(
    need,
    st.just(TOWN),
    st.none() | st.integers(0, 9000),
    st.none() | st.integers(0, 9),
    st.integers(0, 9),
    st.just(1000),
)


@given(st.lists(NEEDS))
def test_a_surplus_here_fills_no_gap_there_and_the_unknown_is_not_counted(needs: list[Need]) -> None:
    summed = total(needs)
    known = [one for one in needs if one.students is not None and one.there is not None]
    assert (summed.schools, summed.known) == (len(needs), len(known))
    assert summed.gap == sum(max(0, (one.required or 0) - (one.there or 0)) for one in known)
    assert summed.gap >= summed.required - summed.there


async def enrolled(client: httpx.AsyncClient, school: str, students: int, teachers: int, year: int = 2026) -> Any:
    body = {"students": students, "teachers": teachers}
    return await client.put(f"/v1/schools/{school}/enrolments/{year}", json=body)


async def test_required_there_and_lacking_by_division_and_school(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        one = await organisation(client, "甲学校", "school")
        two = await organisation(client, "乙学校", "school", "370812002")
        three = await organisation(client, "丙学校", "school")
        await organisation(client, "示例医院", "hospital")
        await enrolled(client, one, 2301, 1)
        await enrolled(client, two, 400, 2)
        room = await place(client, type="school_room", tier=None, organisation_id=one, opened=True)
        await staffed(client, room, await person(client), occupation="psychology_teacher")
        await staffed(client, room, await person(client, 2), occupation="psychology_teacher", full_time=False)
        shown = (await client.get("/v1/staffing", params={"division": COUNTY, "year": 2026})).json()
        assert shown["total"] == {
            "schools": 3,
            "known": 2,
            "students": 2701,
            "required": 4,
            "there": 3,
            "linked": 1,
            "gap": 2,
        }
        assert [(row["division"], row["gap"]) for row in shown["divisions"]] == [(TOWN, 2), ("370812002", 0)]
        by_school = {row["organisation_id"]: (row["required"], row["there"], row["gap"]) for row in shown["items"]}
        assert by_school == {one: (3, 1, 2), two: (1, 2, 0), three: (None, None, None)}
        lacking = (await client.get("/v1/staffing", params={"year": 2026, "lacking": True})).json()
        assert [row["organisation_id"] for row in lacking["items"]] == [one]
        paged: list[str] = []
        after: str | None = None
        for _ in range(4):
            page = (await client.get("/v1/staffing", params={"limit": 2, **({"after": after} if after else {})})).json()
            paged += [row["organisation_id"] for row in page["items"]]
            if (after := page["next"]) is None:
                break
        assert sorted(paged) == sorted([one, two, three])


async def test_enrolment_is_kept_by_school_and_year(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "甲学校", "school")
        for _ in range(2):
            assert (await enrolled(client, school, 900, 1)).json()["revision"] == 1
        assert (await enrolled(client, school, 1900, 1, 2025)).json()["revision"] == 1
        assert (await enrolled(client, school, 1001, 1)).json()["revision"] == 2
        gaps = [
            (await client.get("/v1/staffing", params={"year": year})).json()["total"]["gap"] for year in (2025, 2026)
        ]
        assert gaps == [1, 1]
    told = [
        (event["year"], event["students"], event["revision"]) for event in await registry.events("enrolment_recorded")
    ]
    assert told == [(2026, 900, 1), (2025, 1900, 1), (2026, 1001, 2)]


async def test_enrolment_that_cannot_be_is_refused(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "甲学校", "school")
        hospital = await organisation(client, "示例医院", "hospital")
        refused = await enrolled(client, hospital, 1, 1)
        assert (refused.status_code, refused.json()["field"]) == (422, "organisation_id")
        assert (await enrolled(client, school, -1, 1)).json()["field"] == "body.students"
        assert (await enrolled(client, school, 1, 1, 1999)).json()["field"] == "path.year"
        assert (await enrolled(client, str(uuid.uuid4()), 1, 1)).status_code == 404
    async with registry.client("320706") as client:
        assert (await enrolled(client, school, 1, 1)).status_code == 404
        assert (await client.get("/v1/staffing", params={"division": COUNTY})).status_code == 404
    async with registry.client(COUNTY, "statistician") as client:
        assert (await enrolled(client, school, 1, 1)).status_code == 403
        assert (await client.get("/v1/staffing")).status_code == 200

"""Duty rosters: nobody holds two turns at once, and a 24-hour line shows where nobody is on duty."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import LOCAL, local_day, now
from chassis.errors import Refused
from services.registry.forms import example_workbook
from services.registry.imports import import_volunteers, put_on_duty
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import all_pledged

TOWN = "320706016"
LINE: dict[str, Any] = {"division": "320706", "role": "responder", "around_the_clock": True, "title": "示例热线"}
DAY = datetime(2030, 1, 1, tzinfo=UTC)


def at(hour: int) -> str:
    return (DAY + timedelta(hours=hour)).isoformat()


async def people(registry: Registry, count: int, division: str = TOWN) -> list[str]:
    """So many who may answer a line: trained by the office's word, and with the pledge signed."""
    await import_volunteers(registry.database, registry.keys, example_workbook(count, 1, trained=True), division)
    rows = await registry.database.find("volunteers", {"division": division}, sort=[("_id", 1)])
    await all_pledged(registry, *(row["_id"] for row in rows))
    await registry.forget_events()
    return [str(row["_id"]) for row in rows]


def turn(volunteer: str, start: int, end: int) -> dict[str, str]:
    return {"volunteer_id": volunteer, "starts_at": at(start), "ends_at": at(end)}


async def rostered(client: httpx.AsyncClient, *turns: dict[str, str], name: str = "line-1") -> httpx.Response:
    assert (await client.put(f"/v1/rosters/{name}", json=LINE)).status_code == 200
    return await client.post(f"/v1/rosters/{name}/duties", json={"duties": turns})


async def test_turns_of_duty_are_kept_and_told(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        made = await rostered(client, turn(one, 0, 8), turn(two, 8, 24), turn(one, 24, 30))
        assert made.status_code == 201
        listed = (await client.get("/v1/rosters/line-1/duties", params={"from": at(0), "to": at(9)})).json()["items"]
    assert [item["volunteer_id"] for item in listed] == [one, two]
    events = await registry.events("duty_rostered")
    assert len(events) == 3
    assert events[0]["volunteer_id"] == one
    assert (events[0]["roster"], events[0]["division"], events[0]["role"]) == ("line-1", "320706", "responder")
    assert (events[0]["active"], events[0]["revision"]) == (True, 1)


async def test_a_volunteer_never_holds_two_turns_at_once_on_whatever_roster(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        assert (await rostered(client, turn(one, 0, 8))).status_code == 201
        clash = await rostered(client, turn(two, 0, 8), turn(one, 7, 9), name="line-2")
        assert clash.status_code == 409
        assert "duties.1" in clash.json()["detail"]
        among = await rostered(client, turn(two, 0, 8), turn(two, 4, 12))
        assert among.status_code == 409
        after = await rostered(client, turn(one, 8, 9), name="line-2")
        assert after.status_code == 201
    assert await registry.database.count("duties", {}) == 2
    assert len(await registry.events("duty_rostered")) == 2


async def test_two_registrars_at_once_cannot_put_the_same_person_on_duty_twice(registry: Registry) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        await client.put("/v1/rosters/line-1", json=LINE)
        asked = {"duties": [turn(one, 0, 8)]}
        answers = await asyncio.gather(*[client.post("/v1/rosters/line-1/duties", json=asked) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert await registry.database.count("duties", {}) == 1


async def test_a_withdrawn_turn_is_told_and_frees_the_time(registry: Registry) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        ident = (await rostered(client, turn(one, 0, 8))).json()["items"][0]["id"]
        for _ in range(2):
            answer = await client.delete(f"/v1/rosters/line-1/duties/{ident}")
            assert (answer.json()["active"], answer.json()["revision"]) == (False, 2)
        assert (await rostered(client, turn(one, 4, 12))).status_code == 201
        assert (await client.delete(f"/v1/rosters/line-1/duties/{uuid.uuid4()}")).status_code == 404
    events = await registry.events("duty_rostered")
    assert [(event["duty_id"] == ident, event["active"]) for event in events] == [
        (True, True),
        (True, False),
        (False, True),
    ]


async def test_a_24_hour_line_lists_where_nobody_is_on_duty(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        await rostered(client, turn(one, 0, 8), turn(two, 6, 12), turn(one, 14, 20))
        answer = await client.get("/v1/rosters/line-1/gaps", params={"from": at(0), "to": at(24)})
        uncovered = [
            (datetime.fromisoformat(gap["starts_at"]), datetime.fromisoformat(gap["ends_at"]))
            for gap in answer.json()["gaps"]
        ]
        assert uncovered == [
            (DAY + timedelta(hours=12), DAY + timedelta(hours=14)),
            (DAY + timedelta(hours=20), DAY + timedelta(hours=24)),
        ]
        await rostered(client, turn(two, 12, 14), turn(two, 20, 24))
        covered = await client.get("/v1/rosters/line-1/gaps", params={"from": at(0), "to": at(24)})
        assert covered.json()["gaps"] == []
        backwards = await client.get("/v1/rosters/line-1/gaps", params={"from": at(24), "to": at(0)})
        assert (backwards.status_code, backwards.json()["field"]) == (422, "to")
        naive = await client.get("/v1/rosters/line-1/gaps", params={"from": "2030-01-01T00:00:00"})
        assert naive.status_code == 422
        await client.put("/v1/rosters/office", json={**LINE, "around_the_clock": False})
        assert (await client.get("/v1/rosters/office/gaps")).status_code == 409


@pytest.mark.parametrize("way", ["deactivated", "erased"])
async def test_who_leaves_is_taken_off_duty_so_that_the_gap_shows(registry: Registry, way: str) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        await rostered(client, turn(one, 0, 24))
        if way == "erased":
            await client.post(f"/v1/volunteers/{one}/erase", json={"reason": "本人要求"})
        else:
            await client.patch(f"/v1/volunteers/{one}", json={"active": False})
        answer = await client.get("/v1/rosters/line-1/gaps", params={"from": at(0), "to": at(24)})
        assert len(answer.json()["gaps"]) == 1
        refused = await rostered(client, turn(one, 30, 31))
        assert (refused.status_code, refused.json()["field"]) == (422, "duties.0.volunteer_id")
    assert (await registry.events("duty_rostered"))[-1]["active"] is False


@pytest.mark.parametrize(("start", "end"), [(8, 8), (8, 7), (0, 24 * 40)])
async def test_a_turn_that_ends_before_it_starts_or_lasts_for_months_is_refused(
    registry: Registry, start: int, end: int
) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        answer = await rostered(client, turn(one, start, end))
    assert (answer.status_code, answer.json()["field"]) == (422, "duties.0.ends_at")


async def test_rosters_and_people_outside_the_callers_division_do_not_exist(registry: Registry) -> None:
    (outside,) = await people(registry, 1, "370812")
    async with registry.client("") as client:
        await client.put("/v1/rosters/other", json={**LINE, "division": "370812"})
    async with registry.client("320706") as client:
        for path in ("/v1/rosters/other", "/v1/rosters/other/gaps", "/v1/rosters/other/duties", "/v1/rosters/nowhere"):
            assert (await client.get(path)).status_code == 404
        posted = await client.post("/v1/rosters/other/duties", json={"duties": [turn(outside, 0, 8)]})
        assert posted.status_code == 404
        assert (await rostered(client, turn(outside, 0, 8))).json()["field"] == "duties.0.volunteer_id"
        assert (await client.put("/v1/rosters/other", json=LINE)).status_code == 409
        assert [item["name"] for item in (await client.get("/v1/rosters")).json()["items"]] == ["line-1"]
    async with registry.client("320706", "coordinator") as client:
        assert (await client.get("/v1/rosters/line-1")).status_code == 200
        assert (await client.put("/v1/rosters/line-3", json=LINE)).status_code == 403


OUT_OF_REACH = [
    "9999-12-31T23:59:59Z",
    "9999-12-31T20:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "253402300799",
    "1e400",
    "9" * 30,
    "2030-01-01T00:00:00Z\x00",
]


@pytest.mark.parametrize("moment", OUT_OF_REACH)
async def test_a_time_that_no_calendar_reaches_is_refused_with_its_field(registry: Registry, moment: str) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        await client.put("/v1/rosters/line-1", json=LINE)
        asked = [
            (await client.get(f"/v1/rosters/line-1/{what}", params={bound: moment}), f"query.{bound}")
            for what in ("gaps", "duties")
            for bound in ("from", "to")
        ]
        for bound in ("starts_at", "ends_at"):
            duty = {**turn(one, 0, 8), bound: moment}
            answer = await client.post("/v1/rosters/line-1/duties", json={"duties": [duty]})
            asked.append((answer, f"body.duties.0.{bound}"))
    for answer, field in asked:
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["field"] == field


async def test_the_last_days_of_the_reach_are_listed_with_whatever_offset(registry: Registry) -> None:
    async with registry.client("320706") as client:
        await client.put("/v1/rosters/line-1", json=LINE)
        for first in ("2099-12-31T23:59:59-14:00", "2000-01-01T00:00:00+14:00"):
            for what in ("gaps", "duties"):
                answer = await client.get(f"/v1/rosters/line-1/{what}", params={"from": first})
                assert answer.status_code == 200, answer.text


async def test_a_line_is_staffed_for_three_local_days_and_doing_it_again_changes_nothing(registry: Registry) -> None:
    await people(registry, 5)
    volunteers = await put_on_duty(registry.database, "line-24", "320706", 4)
    assert len(volunteers) == 4
    duties = await registry.database.find("duties", {})
    assert len(duties) == 12
    starts = {duty["starts_at"].astimezone(LOCAL) for duty in duties}
    today = local_day(now())
    assert {(start.date() - today).days for start in starts} == {0, 1, 2}
    assert {start.hour for start in starts} == {0}
    async with registry.client("320706") as client:
        end = (now() + timedelta(hours=40)).isoformat()
        assert (await client.get("/v1/rosters/line-24/gaps", params={"to": end})).json()["gaps"] == []
    await registry.forget_events()
    assert await put_on_duty(registry.database, "line-24", "320706", 4) == volunteers
    assert await registry.events("duty_rostered") == []
    with pytest.raises(Refused):
        await put_on_duty(registry.database, "line-24", "320706", 6)

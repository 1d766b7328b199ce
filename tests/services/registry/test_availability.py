"""What people tell for rosters, and rosters that keep to it: languages, skills, seats, quiet hours, weekly hours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import LINE, at, people, turn

TOLD: dict[str, Any] = {
    "languages": ["mandarin", "jianghuai"],
    "skills": ["grief"],
    "hours_a_week": 12,
    "quiet": {"from": "22:00", "to": "07:00"},
    "windows": [{"day": 7, "from": "22:00", "to": "02:00"}, {"day": 7, "from": "20:00", "to": "22:00"}],
}


async def test_what_is_told_is_kept_merged_and_told_on_without_times(registry: Registry) -> None:
    (one,) = await people(registry, 1)
    path = f"/v1/volunteers/{one}/availability"
    async with registry.client("320706", "volunteer", subject=one) as client:
        assert (await client.get(path)).json()["revision"] == 0
        for _ in range(2):
            kept = (await client.put(path, json=TOLD)).json()
            assert kept["revision"] == 1
        assert kept["windows"] == [
            {"day": 1, "from": "00:00", "to": "02:00"},
            {"day": 7, "from": "20:00", "to": "24:00"},
        ]
        assert (kept["quiet"], kept["languages"]) == (TOLD["quiet"], ["jianghuai", "mandarin"])
        assert (await client.get(path)).json() == kept
    (event,) = await registry.events("availability_told")
    assert (event["free_hours"], event["hours_a_week"], event["skills"]) == (6, 12, ["grief"])
    assert not {"windows", "quiet"} & set(event)
    async with registry.client("320706") as client:
        await client.patch(f"/v1/volunteers/{one}", json={"post": "主任"})
        assert (await client.get(path)).json() == kept


async def test_only_the_person_and_those_who_keep_the_register_there_tell_and_read_it(registry: Registry) -> None:
    one, two = await people(registry, 2)
    path = f"/v1/volunteers/{one}/availability"
    for division, role, subject, read, written in (
        ("320706", "volunteer", two, 404, 404),
        ("320706", "registrar", "r", 200, 200),
        ("320706", "coordinator", "c", 200, 403),
        ("320706", "statistician", "s", 403, 403),
        ("370812", "registrar", "r", 404, 404),
    ):
        async with registry.client(division, role, subject=subject) as client:
            assert ((await client.get(path)).status_code, role) == (read, role)
            assert ((await client.put(path, json=TOLD)).status_code, role) == (written, role)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"languages": ["klingon"]}, "body.languages.0"),
        ({"skills": ["magic"]}, "body.skills.0"),
        ({"hours_a_week": 0}, "body.hours_a_week"),
        ({"quiet": {"from": "25:00", "to": "07:00"}}, "body.quiet.from"),
        ({"quiet": {"from": "07:00", "to": "07:00"}}, "body.quiet.to"),
        ({"windows": [{"day": 8, "from": "07:00", "to": "08:00"}]}, "body.windows.0.day"),
        ({"windows": [{"day": 1, "from": "24:00", "to": "08:00"}]}, "body.windows.0.to"),
        ({"unknown": 1}, "body.unknown"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(registry: Registry, body: dict[str, Any], field: str) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        answer = await client.put(f"/v1/volunteers/{one}/availability", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_roster_takes_nobody_beyond_its_seats_the_persons_limits_or_without_what_it_asks(
    registry: Registry,
) -> None:
    one, two, three = await people(registry, 3)
    asked = {**LINE, "seats": 2, "languages": ["jianghuai"], "skills": ["grief"], "sex": "male"}
    async with registry.client("320706") as client:
        for person in (one, two, three):
            told = {**TOLD, "hours_a_week": 60} if person == three else {**TOLD, "quiet": None}
            await client.put(f"/v1/volunteers/{person}/availability", json=told)
        await client.put("/v1/rosters/line-1", json=asked)

        async def reason(*turns: dict[str, str], name: str = "line-1") -> str:
            answer = await client.post(f"/v1/rosters/{name}/duties", json={"duties": turns})
            return str(answer.json().get("reason", answer.status_code))

        assert await reason(turn(one, 0, 6), turn(two, 0, 6)) == "201"
        assert await reason(turn(three, 5, 8)) == "seats_taken"
        assert await reason(turn(one, 6, 13)) == "weekly_cap"
        assert await reason(turn(one, 6, 12)) == "201"
        assert await reason(turn(three, 12, 16)) == "quiet_hours"
        # Quiet until 07:00 in Asia/Shanghai, 23:00 UTC: the policy's forty hours bind whoever allows more.
        for day in range(23, 23 + 24 * 4, 24):
            assert await reason(turn(three, day, day + 10)) == "201"
        assert await reason(turn(three, 23 + 24 * 4, 25 + 24 * 4)) == "weekly_cap"
        await client.put(f"/v1/volunteers/{two}/availability", json={"languages": ["wu"], "skills": ["grief"]})
        assert await reason(turn(two, 20, 21)) == "languages_missing"
        await client.put(f"/v1/volunteers/{two}/availability", json={"languages": ["jianghuai"]})
        assert await reason(turn(two, 20, 21)) == "skills_missing"
        moved = await client.get("/v1/rosters/line-1/duties", params={"from": at(0), "to": at(1)})
        assert {"sex", "outside_free_time"} >= set(moved.json()["items"][0]["remarks"]) >= {"outside_free_time"}


async def test_a_12356_line_has_two_seats_and_lists_ahead_where_one_is_empty(registry: Registry) -> None:
    one, two = await people(registry, 2)
    line = {**LINE, "kind": "line-12356"}
    async with registry.client("320706") as client:
        refused = await client.put("/v1/rosters/hot", json=line)
        assert (refused.status_code, refused.json()["field"]) == (422, "min_seats")
        written = await client.put("/v1/rosters/hot", json={**line, "min_seats": 2, "seats": 1})
        assert (written.status_code, written.json()["field"]) == (422, "seats")
        assert (await client.put("/v1/rosters/hot", json={**line, "min_seats": 2})).status_code == 200
        await client.post("/v1/rosters/hot/duties", json={"duties": [turn(one, 16, 32), turn(two, 20, 32)]})
        found = (await client.get("/v1/rosters/hot/gaps", params={"from": at(16), "to": at(40)})).json()
        assert [gap["missing"] for gap in found["gaps"]] == [1, 2]
        assert (found["hours_a_day"], found["seats"]) == (24, 2)
        assert found["short_days"] == [{"day": "2030-01-02", "hours": 12.0}]
        ahead = (await client.get("/v1/rosters/hot/gaps")).json()
        assert len(ahead["short_days"]) == 13
    (event,) = await registry.events("roster_written")
    assert (event["kind"], event["min_seats"], event["revision"]) == ("line-12356", 2, 1)

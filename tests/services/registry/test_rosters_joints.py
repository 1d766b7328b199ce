"""Rosters as they are read over HTTP: a 12356 line that closes at night, long lists, one turn moved, a quiet day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import LOCAL
from services.registry import store
from services.registry.domain.duty import LONGEST, Turn
from services.registry.domain.rosters import quiet_broken
from services.registry.domain.rosters_policy import LinePolicy
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import DAY, LINE, at, people, rostered, turn

MIDNIGHT = datetime(2030, 1, 2, tzinfo=LOCAL)


async def gaps(client: httpx.AsyncClient, days: int = 1) -> dict[str, Any]:
    asked = {"from": MIDNIGHT.isoformat(), "to": (MIDNIGHT + timedelta(days=days)).isoformat()}
    answer = await client.get("/v1/rosters/line-1/gaps", params=asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_12356_line_that_closes_at_night_is_held_to_the_18_hours(registry: Registry) -> None:
    who = await people(registry, 4)
    line = {**LINE, "around_the_clock": False, "kind": "line-12356", "min_seats": 2}
    async with registry.client("320706") as client:
        assert (await client.put("/v1/rosters/line-1", json=line)).status_code == 200
        nobody = await gaps(client)
        assert (nobody["hours_a_day"], [day["hours"] for day in nobody["short_days"]]) == (18, [0])

        async def seats(start: float, end: float, *of: str) -> None:
            times = {
                "starts_at": (MIDNIGHT + timedelta(hours=start)).isoformat(),
                "ends_at": (MIDNIGHT + timedelta(hours=end)).isoformat(),
            }
            made = await client.post(
                "/v1/rosters/line-1/duties", json={"duties": [{"volunteer_id": one, **times} for one in of]}
            )
            assert made.status_code == 201, made.text

        await seats(6, 17, who[0], who[1])
        await seats(17, 23.5, who[2], who[3])
        (short,) = (await gaps(client))["short_days"]
        assert short["hours"] == 17.5
        await seats(23.5, 24, who[0], who[1])
        held = await gaps(client)
        assert held["short_days"] == []
        assert [gap["missing"] for gap in held["gaps"]] == [2], "the night, which it may close in"


@pytest.mark.parametrize("hours", [17, 25])
def test_no_district_asks_less_of_a_12356_line_than_the_notice(registry: Registry, hours: int) -> None:
    line = registry.keys.policies.rosters.at(datetime.now(UTC)).line
    assert line.hours_12356 == 18
    with pytest.raises(ValueError, match="hours_12356"):
        LinePolicy(**{**line.model_dump(), "hours_12356": hours})


async def test_turns_are_listed_a_page_at_a_time_and_none_twice(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        turns = [turn(who, hour, hour + 1) for hour in range(4) for who in (one, two)]
        ids = {item["id"] for item in (await rostered(client, *turns)).json()["items"]}
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"from": at(0), "to": at(9), "limit": 3}
        while True:
            page = (await client.get("/v1/rosters/line-1/duties", params=asked)).json()
            assert len(page["items"]) <= 3
            found += page["items"]
            if page["next"] is None:
                break
            asked["after"] = page["next"]
        assert (len(found), {item["id"] for item in found}) == (8, ids)
        assert [item["starts_at"] for item in found] == sorted(item["starts_at"] for item in found)
        refused = await client.get("/v1/rosters/line-1/duties", params={"limit": 201})
        assert (refused.status_code, refused.json()["field"]) == (422, "query.limit")


async def test_the_longest_turn_there_is_is_found_at_its_very_end_and_an_old_history_is_not_read(
    registry: Registry,
) -> None:
    (one,) = await people(registry, 1)
    async with registry.client() as client:
        await client.put("/v1/rosters/line-1", json=LINE)

    async def put(tx: Any) -> None:
        base = {"roster": "line-1", "active": True}
        tx.put("duties", {"_id": one, **base, "starts_at": DAY, "ends_at": DAY + LONGEST})
        # Longer than a turn can be: only a reading of the whole history would find it.
        tx.put("duties", {"_id": "old", **base, "starts_at": DAY - timedelta(days=40), "ends_at": DAY + LONGEST})

    await registry.database.transact(put)
    last = DAY + LONGEST - timedelta(milliseconds=1)
    for found in (
        await store.turns_on(registry.database, "line-1", last, last + timedelta(hours=1)),
        await store.turns_page(registry.database, "line-1", last, last + timedelta(hours=1), None, 9),
    ):
        assert [row["_id"] for row in found] == [one]


async def test_a_turn_that_cannot_be_moved_says_so_in_the_words_of_what_was_sent(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        made = (await rostered(client, turn(one, 0, 8), turn(one, 10, 12))).json()["items"]
        path = f"/v1/rosters/line-1/duties/{made[0]['id']}"
        backwards = (await client.patch(path, json={"starts_at": at(9), "ends_at": at(8)})).json()
        assert (backwards["status"], backwards["field"]) == (422, "ends_at")
        clash = (await client.patch(path, json={"starts_at": at(9), "ends_at": at(11)})).json()
        assert (clash["status"], clash["reason"]) == (409, "overlap")
        assert "duties.0" not in clash["detail"]
        await client.patch(f"/v1/volunteers/{one}", json={"active": False})
        gone = (await client.patch(path, json={"starts_at": at(1), "ends_at": at(2)})).json()
        assert "field" not in gone or gone["field"] in (None, "starts_at", "ends_at")
        assert (await rostered(client, turn(two, 5, 4))).json()["field"] == "duties.0.ends_at"


async def test_who_is_quiet_all_day_takes_no_turn(registry: Registry) -> None:
    (one,) = await people(registry, 1)
    async with registry.client("320706") as client:
        quiet = {"from": "00:00", "to": "24:00"}
        told = await client.put(f"/v1/volunteers/{one}/availability", json={"quiet": quiet})
        assert (told.status_code, told.json()["quiet"]) == (200, quiet)
        refused = await rostered(client, turn(one, 9, 10))
        assert (refused.status_code, refused.json()["reason"]) == (409, "quiet_hours")
        evening = {"from": "22:00", "to": "24:00"}
        told = await client.put(f"/v1/volunteers/{one}/availability", json={"quiet": evening})
        assert told.json()["quiet"] == {"from": "22:00", "to": "00:00"}
        assert (await rostered(client, turn(one, 2, 4))).status_code == 201


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_the_whole_day_is_quiet_at_every_hour(hour: int) -> None:
    start = DAY + timedelta(hours=hour)
    assert quiet_broken(Turn(start, start + timedelta(hours=1)), 0, 24 * 60, LOCAL)
    assert not quiet_broken(Turn(start, start + timedelta(hours=1)), 0, 0, LOCAL)

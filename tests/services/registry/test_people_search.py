"""Who can help where and when: everything asked holds, pages are stable, and nothing is scanned or sorted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from services.registry.domain.availability import Window
from services.registry.store.people_search import Asked, order_of, query_of
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import at, people, rostered, turn

FREE: dict[str, Any] = {"free_day": 2, "free_from": "18:30", "free_to": "20:00"}


async def found(registry: Registry, **asked: Any) -> list[str]:
    async with registry.client("320706") as client:
        answer = await client.get("/v1/people/search", params=asked)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]


async def test_who_is_found_has_what_is_asked_and_is_free_then(registry: Registry) -> None:
    one, two, three = await people(registry, 3)
    (outside,) = await people(registry, 1, "370812")
    windows = {one: ("18:00", "21:00"), two: ("19:00", "21:00"), three: ("18:00", "20:00"), outside: ("18:00", "21:00")}
    async with registry.client("") as client:
        for person, (start, end) in windows.items():
            body = {"languages": ["wu"], "skills": ["grief"], "windows": [{"day": 2, "from": start, "to": end}]}
            await client.put(f"/v1/volunteers/{person}/availability", json=body)
            await client.patch(f"/v1/volunteers/{person}", json={"qualifications": [3], "sex": "female"})
        await client.put(
            f"/v1/volunteers/{three}/availability", json={"windows": body["windows"], "languages": ["yue"]}
        )
    asked = {"qualification": 3, "language": "wu", "skill": "grief", "sex": "female", **FREE}
    assert await found(registry, **asked) == [one]
    assert await found(registry, **FREE, division="320706016") == [one, three]
    assert await found(registry, **{**FREE, "free_day": 3}) == []
    assert await found(registry, qualification=4, division="320706018") == []
    async with registry.client("320706") as client:
        await rostered(client, turn(one, 0, 8))
        for span, expected in (((0, 1), [three]), ((7, 9), [three]), ((8, 9), [one, three])):
            times = {"off_duty_from": at(span[0]), "off_duty_to": at(span[1])}
            assert await found(registry, **FREE, **times) == expected
        await client.patch(f"/v1/volunteers/{one}", json={"active": False})
        assert await found(registry, **FREE) == [three]
        shown = (await client.get("/v1/people/search", params=FREE)).json()["items"][0]
        assert "**" in shown["name"]
        assert shown["phone"].startswith("***")


@pytest.mark.parametrize("sort", ["division", "-division"])
async def test_pages_bring_everyone_once_whoever_is_on_duty(registry: Registry, sort: str) -> None:
    everyone = [*await people(registry, 6), *await people(registry, 5, "370812001")]
    async with registry.client("") as client:
        await rostered(client, *[turn(person, 0, 8) for person in everyone[::2]])
        for busy in ({}, {"off_duty_from": at(1), "off_duty_to": at(2)}):
            told: list[str] = []
            after: dict[str, str] = {}
            for _ in range(20):
                page = (
                    await client.get("/v1/people/search", params={**busy, **after, "limit": 2, "sort": sort})
                ).json()
                told += [item["id"] for item in page["items"]]
                if page["next"] is None:
                    break
                after = {"after": page["next"]}
            expected = everyone[1::2] if busy else everyone
            assert told == (expected if sort == "division" else expected[::-1])


async def test_who_may_search_and_what_cannot_be_asked(registry: Registry) -> None:
    async with registry.client("320706", "statistician") as client:
        assert (await client.get("/v1/people/search")).status_code == 403
    async with registry.client("320706", "coordinator") as client:
        assert (await client.get("/v1/people/search", params={"division": "370812"})).status_code == 404
        for params, field in (
            ({"free_day": 1}, "free_day"),
            ({**FREE, "free_to": "18:00"}, "free_to"),
            ({"off_duty_from": at(0)}, "off_duty_to"),
            ({"off_duty_from": at(2), "off_duty_to": at(1)}, "to"),
            ({"language": "klingon"}, "query.language"),
            ({"sort": "name"}, "query.sort"),
            ({"after": "x"}, "query.after"),
            ({"after": "32:" + "-" * 36}, "after"),
        ):
            answer = await client.get("/v1/people/search", params=params)
            assert (answer.status_code, answer.json()["field"]) == (422, field)


ASKED = [
    Asked(),
    Asked("32"),
    Asked("320706", qualification=3),
    Asked("", person_type=1),
    Asked("37", language="wu"),
    Asked("37", skill="grief"),
    Asked("3207", free=Window(2, 1110, 1200)),
    Asked("", qualification=3, free=Window(2, 900, 1300), sex="female"),
]


async def test_no_search_scans_the_collection_or_sorts(registry: Registry) -> None:
    await people(registry, 1)
    place = ("320706016", (await registry.database.find("volunteers", {}))[0]["_id"])
    database = registry.database._database
    for asked, descending, after in itertools.product(ASKED, (False, True), (None, place)):
        order = dict(order_of(descending))
        command = {"find": "volunteers", "filter": query_of(asked, after, descending), "sort": order, "limit": 50}
        told = await database.command(
            "explain", command, verbosity="queryPlanner", codec_options=database.codec_options
        )
        stages = str(told["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "COLLSCAN" not in stages
        assert "'SORT'" not in stages, (asked, descending, after)

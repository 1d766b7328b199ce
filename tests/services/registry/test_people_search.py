"""Who can help where and when: everything asked holds, pages are stable, and nothing is scanned or sorted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.availability import Window
from services.registry.domain.people_search import pairs
from services.registry.store.people_search import Asked, Place, order_of, query_of
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
    Asked("37", person_type=7, qualification=1, skill="grief", role="volunteer"),
    Asked("", role="talent"),
    Asked("32", role="talent", free=Window(6, 540, 660), language="wu"),
]


CODES = st.fixed_dictionaries(
    {
        "person_types": st.lists(st.integers(1, 3), unique=True, max_size=2),
        "qualifications": st.lists(st.integers(1, 3), unique=True, max_size=2),
        "skills": st.lists(st.sampled_from(["grief", "law"]), unique=True, max_size=2),
        "roles": st.lists(st.sampled_from(["volunteer", "talent"]), unique=True, min_size=1, max_size=2),
        "free_blocks": st.lists(st.integers(0, 3), unique=True, max_size=3),
    }
)


@given(CODES, CODES)
def test_who_has_all_pairs_of_a_search_has_all_that_is_searched_for(person: Any, asked: Any) -> None:
    """And who has all has the pairs; the role of a volunteer, which nearly all have, is in none."""
    asked = {name: codes for name, codes in asked.items() if name != "roles"} | {
        "roles": [role for role in asked["roles"] if role == "talent"]
    }
    kinds = [name for name, codes in asked.items() if codes]
    assert bool(pairs(asked)) == (len(kinds) > 1)
    has_all = all(set(codes) <= set(person[name]) for name, codes in asked.items())
    if len(kinds) > 1:
        assert (set(pairs(asked)) <= set(pairs(person))) == has_all


async def test_two_things_asked_at_once_are_found_however_they_were_told(registry: Registry) -> None:
    """What is told later, by whichever route, is found with what was told before; what is taken back is not."""
    one, other = await people(registry, 2)
    both = {**FREE, "qualification": 3}
    async with registry.client("") as client:

        async def tell(ident: str, **fields: Any) -> None:
            answer = await client.patch(f"/v1/volunteers/{ident}", json=fields)
            assert answer.status_code == 200, answer.text

        async def tell_windows(ident: str, windows: list[dict[str, Any]], *skills: str) -> None:
            body = {"windows": windows, "skills": skills}
            assert (await client.put(f"/v1/volunteers/{ident}/availability", json=body)).status_code == 200

        evening = [{"day": 2, "from": "18:00", "to": "21:00"}]
        await tell(one, qualifications=[3])
        await tell_windows(one, evening)
        await tell_windows(other, evening, "grief")
        assert await found(registry, **both) == [one]
        await tell(other, qualifications=[3], roles=["volunteer", "talent"])
        assert await found(registry, **both) == [one, other]
        assert await found(registry, **both, skill="grief", role="talent") == [other]
        assert await found(registry, **both, skill="grief", role="volunteer") == [other]
        assert await found(registry, role="talent") == [other]
        await tell(other, roles=["talent"])
        assert await found(registry, **both, role="volunteer") == [one]
        await tell(one, qualifications=[2])
        assert await found(registry, **both) == [other]
        await tell_windows(other, [{"day": 3, "from": "18:00", "to": "21:00"}], "grief")
        assert await found(registry, **both) == []
        assert await found(registry, qualification=3, skill="grief") == [other]
        await tell(other, active=False)
        assert await found(registry, qualification=3, skill="grief") == []


async def test_as_many_documents_are_read_as_people_are_found_who_meet_two_conditions(registry: Registry) -> None:
    """Many hold the qualification, many are free then, and few are both."""
    everyone = await people(registry, 40)
    async with registry.client("") as client:
        for number, person in enumerate(everyone):
            day = 2 if number % 2 or number == 0 else 3
            window = {"day": day, "from": "18:00", "to": "21:00"}
            await client.put(f"/v1/volunteers/{person}/availability", json={"windows": [window]})
            held = [3] if number % 2 == 0 else [1]
            await client.patch(f"/v1/volunteers/{person}", json={"qualifications": held})
    free = Window(2, 1110, 1200)
    for asked, expected in (
        (Asked("320706", qualification=3, free=free), 1),
        (Asked("32", qualification=1, free=free), 20),
        (Asked("", qualification=3), 20),
        (Asked("", role="talent"), 0),
        (Asked("", qualification=1, role="talent"), 0),
    ):
        told = await explained(registry, asked, False, None, "executionStats")
        stats = told["executionStats"]
        assert (stats["nReturned"], stats["totalDocsExamined"]) == (expected, expected), asked
        if asked.free:  # and a longer list cannot be chosen, whatever the database remembers of another division
            assert "free_blocks_1" not in str(told["queryPlanner"])
            assert "qualifications_1" not in str(told["queryPlanner"])


async def explained(
    registry: Registry, asked: Asked, descending: bool, after: Place | None, verbosity: str
) -> dict[str, Any]:
    database, order = registry.database._database, dict(order_of(descending))
    command = {"find": "volunteers", "filter": query_of(asked, after, descending), "sort": order, "limit": 50}
    told: dict[str, Any] = await database.command(
        "explain", command, verbosity=verbosity, codec_options=database.codec_options
    )
    return told


async def test_no_search_scans_the_collection_or_sorts(registry: Registry) -> None:
    await people(registry, 1)
    place = ("320706016", (await registry.database.find("volunteers", {}))[0]["_id"])
    for asked, descending, after in itertools.product(ASKED, (False, True), (None, place)):
        told = await explained(registry, asked, descending, after, "queryPlanner")
        stages = str(told["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "COLLSCAN" not in stages
        assert "'SORT'" not in stages, (asked, descending, after)

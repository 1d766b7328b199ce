"""The story: a school's warning that must not reach the class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from contracts.crisis import HopCalled, HopOverdue, HopReceived
from contracts.hotline import Way
from tests.services.crisis.test_chains import WARNING, hop, hops, ok, states
from tests.services.crisis.test_concerns import SCHOOL, a_school, case_of, raised, token
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import HOSPITAL, LOW, World, person

WITHHELD = {**WARNING, "withhold_from_class": True, "signs": ["bullying", "self_harm_marks"]}
PHONE = {"contact": {"phone": "000-0000-0001"}}


def told_to_the_class(events: list[Any]) -> list[Any]:
    return [
        event
        for event in events
        if isinstance(event, HopCalled | HopReceived | HopOverdue) and event.role == "class-teacher"
    ]


async def test_a_warning_that_must_not_reach_the_class_goes_from_the_school_to_the_hospital(
    world: World, client: httpx.AsyncClient
) -> None:
    """A counsellor of another office, here the line, is told by a pupil's mother that the teacher must not know."""
    await a_school(world)
    teacher, counsellor = token(world, "class_teacher"), token(world, "school_counsellor")
    doctor = token(world, "receiver", organisation=str(HOSPITAL))
    body = await raised(
        world,
        client,
        "duty_officer",
        way=Way.school_warning,
        channel="call",
        answers=WITHHELD,
        organisation_id=str(SCHOOL),
        **PHONE,
    )
    case = await case_of(world, body)
    key = case["_id"]
    assert case["chain"]["withheld"]
    assert states(case) == ["left_out", "called", "ahead", "ahead"]

    async def the_class_knows_nothing() -> None:
        assert await hops(client, teacher) == []
        for what in ("receive", "pass-on"):
            is_problem(await hop(client, key, what, teacher), 404)
        assert (await client.get("/v1/concerns", headers=teacher)).json() == {"concerns": []}
        is_problem(await client.get(f"/v1/concerns/{body['id']}", headers=teacher), 404)
        is_problem(await client.get(f"/v1/cases/{key}", headers=teacher), 403)
        is_problem(await client.get("/v1/cases", headers=teacher), 403)
        assert told_to_the_class(world.events) == []

    await the_class_knows_nothing()
    await world.pass_time(timedelta(days=2))
    assert states(await world.case(key))[:3] == ["left_out", "overdue", "called"], "the hospital is called as well"
    await the_class_knows_nothing()
    assert [row["role"] for row in await hops(client, counsellor)] == ["school-counsellor"]
    await ok(client, key, "receive", counsellor)
    await ok(client, key, "pass-on", counsellor)
    await world.refer(key)
    await ok(client, key, "receive", doctor)
    await the_class_knows_nothing()
    case = await world.case(key)
    assert states(case) == ["left_out", "passed_on", "received", "ahead"]
    assert [one["received_by"] for one in case["chain"]["hops"][:3]] == [None, "school_counsellor-a", "receiver-a"]


async def test_a_teacher_who_raised_a_worry_before_learns_no_more_once_it_is_withheld(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    teacher, counsellor = token(world, "class_teacher"), token(world, "school_counsellor")
    worry = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING, **PHONE)
    key = (await case_of(world, worry))["_id"]
    assert [row["asked"] for row in await hops(client, teacher)] == ["wait"]
    before = (await client.get(f"/v1/concerns/{worry['id']}", headers=teacher)).json()
    await raised(world, client, "school_counsellor", way=Way.school_warning, answers=WITHHELD, **PHONE)
    case = await world.case(key)
    assert case["chain"]["withheld"]
    assert states(case)[:2] == ["passing", "called"], "the school's hop was called before, and still is"
    assert await hops(client, teacher) == []
    is_problem(await hop(client, key, "pass-on", teacher), 404)
    await ok(client, key, "receive", counsellor)
    await world.acknowledge(key)
    after = (await client.get(f"/v1/concerns/{worry['id']}", headers=teacher)).json()
    assert before["became"] == "waiting"
    assert after["became"] == "received", "that it is in somebody's hands, and nothing of what followed"
    assert told_to_the_class(world.events) == []


async def test_a_class_that_was_called_is_called_off_once_it_is_withheld(world: World) -> None:
    await a_school(world)
    said: dict[str, Any] = {
        "way": "school_warning",
        "setting": "school",
        "organisation_id": SCHOOL,
        "caller": person(),
        **LOW,
    }
    case = await world.flag(**said)
    assert states(case)[:2] == ["called", "ahead"]
    case = await world.flag(starts_at="school-counsellor", **said)
    assert states(case)[:2] == ["released", "called"]
    count = len(world.events)
    await world.pass_time(timedelta(days=30))
    assert told_to_the_class(world.events[count:]) == []


async def test_a_teacher_may_say_that_the_class_must_not_know_and_holds_nothing_then(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WITHHELD)
    case = await case_of(world, body)
    assert states(case)[:2] == ["left_out", "called"]
    assert await hops(client, token(world, "class_teacher")) == []
    mine = (await client.get("/v1/concerns", headers=token(world, "class_teacher"))).json()["concerns"]
    assert [row["id"] for row in mine] == [body["id"]], "what one raised oneself one knows"

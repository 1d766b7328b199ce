"""A marriage-registry room: training sessions and counselling before and after marriage, planned, held and counted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import local_day, now
from services.registry.domain.marriage import KINDS, NEXT, State, flaw_in_people, told_sums
from tests.services.registry.places_support import COUNTY, organisation, person, place, staffed
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import qualified


async def room(
    client: httpx.AsyncClient, *, opened: bool = True, verified_in: Registry | None = None
) -> tuple[str, str]:
    """A room in the marriage registry, and somebody who works there: a counsellor, where it is verified in one."""
    office = await organisation(client, "示例民政局", "government")
    ident = await place(
        client,
        opened=opened,
        name="示例婚辅小站",
        type="marriage_room",
        venue="marriage_registry",
        organisation_id=office,
        services=["before_marriage", "marriage_and_family"],
    )
    who = await person(client)
    await staffed(client, ident, who)
    if verified_in is not None:
        await qualified(client, who, "counsellor", verified_in)
    return ident, who


def a_session(who: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "before_training", "day": str(local_day(now())), "held_by": who, **fields}


async def held(client: httpx.AsyncClient, ident: str, who: str, kind: str, people: int) -> str:
    path = f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}"
    assert (await client.put(path, json=a_session(who, kind=kind))).status_code == 201
    answer = await client.post(f"{path}/moves", json={"to": "held", "people": people})
    assert answer.status_code == 200, answer.text
    return path


async def test_training_and_counselling_before_and_after_marriage_are_recorded_and_counted(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await room(client, verified_in=registry)
        for kind, people in (
            ("before_training", 24),
            ("before_training", 10),
            ("after_training", 12),
            ("before_counselling", 2),
            ("after_counselling", 2),
            ("after_counselling", 2),
            ("after_counselling", 1),
        ):
            await held(client, ident, who, kind, people)
        planned = f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}"
        for status in (201, 200):
            answer = await client.put(planned, json=a_session(who))
            assert (answer.status_code, answer.json()["revision"]) == (status, 1)
        items = (await client.get(f"/v1/places/{ident}/marriage-sessions")).json()["items"]
        assert {item["label"] for item in items} == {"婚前讲家", "婚后理家", "婚前心理疏导", "婚后心理疏导"}
        asked = {"state": "planned", "kind": "before_training"}
        assert len((await client.get(f"/v1/places/{ident}/marriage-sessions", params=asked)).json()["items"]) == 1
    async with registry.client(COUNTY, "statistician") as reader:
        kinds = (await reader.get("/v1/marriage-sessions/counts")).json()["kinds"]
        assert {code: (one["sessions"], one["people"]) for code, one in kinds.items()} == {
            "before_training": (2, 34),
            "after_training": (1, 12),
            "before_counselling": (None, None),  # it may be one couple
            "after_counselling": (3, 5),
        }
        early = {"first": "2020-01-01", "last": "2020-12-31"}
        none = (await reader.get("/v1/marriage-sessions/counts", params=early)).json()["kinds"]
        assert sum(one["sessions"] for one in none.values()) == 0
    events = await registry.events("marriage_session_moved")
    assert [(event["state"], event["people"]) for event in events[:2]] == [("planned", 0), ("held", 24)]
    assert len(events) == 15


async def test_a_session_is_held_on_its_day_once_or_called_off(registry: Registry) -> None:
    tomorrow = str(local_day(now()) + timedelta(days=1))
    async with registry.client(COUNTY) as client:
        ident, who = await room(client)
        path = await held(client, ident, who, "before_training", 20)
        again = await client.post(f"{path}/moves", json={"to": "held", "people": 20})
        assert (again.status_code, again.json()["revision"]) == (200, 2)
        for body in ({"to": "held", "people": 21}, {"to": "cancelled"}):
            assert (await client.post(f"{path}/moves", json=body)).status_code == 409
        assert (await client.put(path, json=a_session(who, kind="after_training"))).json()["reason"] == "not_planned"
        coming = f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}"
        await client.put(coming, json=a_session(who, day=tomorrow))
        early = await client.post(f"{coming}/moves", json={"to": "held", "people": 3})
        assert (early.status_code, early.json()["reason"]) == (409, "too_early")
        moved = await client.put(coming, json=a_session(who, day=tomorrow, kind="after_training"))
        assert (moved.status_code, moved.json()["kind"]) == (200, "after_training")
        for _ in range(2):
            assert (await client.post(f"{coming}/moves", json={"to": "cancelled"})).json()["state"] == "cancelled"
        one = (await client.get(f"/v1/places/{ident}/marriage-sessions", params={"limit": 1})).json()
        two = await client.get(f"/v1/places/{ident}/marriage-sessions", params={"limit": 1, "after": one["next"]})
        assert [one["items"][0]["state"], two.json()["items"][0]["state"]] == ["held", "cancelled"]


async def test_what_does_not_belong_to_a_marriage_room_is_refused(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await room(client, verified_in=registry)
        closed = await place(client, type="marriage_room", name="筹建示例小站")
        other = await place(client, opened=True)
        path = f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}"
        for body, field in (
            (a_session(who, kind="party"), "body.kind"),
            (a_session(str(uuid.uuid4())), "held_by"),
            ({**a_session(who), "name": "张示例"}, "body.name"),
        ):
            answer = await client.put(path, json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        strange = await client.put(f"/v1/places/{other}/marriage-sessions/{uuid.uuid4()}", json=a_session(who))
        assert (strange.status_code, strange.json()["reason"]) == (422, "no_marriage_room")
        early = await client.put(f"/v1/places/{closed}/marriage-sessions/{uuid.uuid4()}", json=a_session(who))
        assert (early.status_code, early.json()["reason"]) == (409, "not_open")
        await client.put(path, json=a_session(who, kind="before_counselling"))
        for body in (
            {"to": "held"},
            {"to": "held", "people": 3},
            {"to": "held", "people": 0},
            {"to": "cancelled", "people": 2},
        ):
            answer = await client.post(f"{path}/moves", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, "people"), body
        unknown = f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}/moves"
        assert (await client.post(unknown, json={"to": "cancelled"})).status_code == 404
        backwards = {"first": "2026-12-31", "last": "2026-01-01"}
        assert (await client.get("/v1/marriage-sessions/counts", params=backwards)).json()["field"] == "last"
    async with registry.client("320706") as outside:
        for answer in (
            await outside.put(path, json=a_session(who)),
            await outside.post(f"{path}/moves", json={"to": "cancelled"}),
            await outside.get(f"/v1/places/{ident}/marriage-sessions"),
            await outside.get("/v1/marriage-sessions/counts", params={"division": COUNTY}),
        ):
            assert answer.status_code == 404
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.put(path, json=a_session(who))).status_code == 403
        assert (await reader.post(f"{path}/moves", json={"to": "cancelled"})).status_code == 403


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_group_is_trained_and_a_couple_is_counselled(kind: str) -> None:
    assert flaw_in_people(kind, 0, 2) is not None
    assert flaw_in_people(kind, 2, 2) is None
    assert (flaw_in_people(kind, 3, 2) is None) is KINDS[kind].training


async def test_only_who_works_there_and_may_counsel_is_planned_for_a_counselling(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await room(client)

        async def planned(held_by: str, session: uuid.UUID | None = None, **fields: Any) -> httpx.Response:
            path = f"/v1/places/{ident}/marriage-sessions/{session or uuid.uuid4()}"
            return await client.put(path, json=a_session(held_by, **fields))

        for kind in ("before_counselling", "after_counselling"):
            answer = await planned(who, kind=kind)
            assert (answer.status_code, answer.json()["reason"]) == (409, "qualification_missing")
        assert (await planned(who, kind="before_training")).status_code == 201
        await qualified(client, who, "counsellor", registry)
        assert (await planned(who, kind="before_counselling")).status_code == 201
        leaving = await person(client, 2, "王离开")
        await staffed(client, ident, leaving, occupation="nurse")
        await client.post(f"/v1/volunteers/{leaving}/erase", json={"reason": "本人要求"})
        gone = await planned(leaving)
        assert (gone.status_code, gone.json()["field"]) == (422, "held_by")
        # Who was merged holds it under the entry that stands, whichever id is named; the same again is the same.
        double = await person(client, 3, "张示例")
        assert (await client.post(f"/v1/volunteers/{who}/merge", json={"other": double, "reason": "同一人"})).is_success
        session = uuid.uuid4()
        for status in (201, 200):
            answer = await planned(double, session, kind="after_counselling")
            assert (answer.status_code, answer.json()["held_by"], answer.json()["revision"]) == (status, who, 1)


async def test_a_counselling_is_held_only_under_a_certificate_that_held_on_its_day(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await room(client)
        certificate = await qualified(client, who, "counsellor", registry)
        paths = [f"/v1/places/{ident}/marriage-sessions/{uuid.uuid4()}" for _ in range(2)]
        for path in paths:
            assert (await client.put(path, json=a_session(who, kind="before_counselling"))).status_code == 201
        # Who left after the day held the session all the same.
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        assert (await client.post(f"{paths[0]}/moves", json={"to": "held", "people": 2})).status_code == 200
        step = {"state": "withdrawn", "reason": "revoked"}
        async with registry.client(COUNTY, subject="registrar-3") as other:
            moved = await other.post(f"/v1/qualifications/{certificate}/steps", json=step)
            assert moved.status_code == 200, moved.text
        answer = await client.post(f"{paths[1]}/moves", json={"to": "held", "people": 2})
        assert (answer.status_code, answer.json()["field"]) == (409, "held_by")
        assert (await client.post(f"{paths[1]}/moves", json={"to": "cancelled"})).status_code == 200


def test_a_sum_that_may_be_one_couple_is_not_told() -> None:
    assert told_sums(0, 0, 5) == {"sessions": 0, "people": 0}
    assert told_sums(2, 4, 5) == {"sessions": None, "people": None}
    assert told_sums(3, 5, 5) == {"sessions": 3, "people": 5}


def test_what_was_held_stays_held() -> None:
    assert NEXT[State.held] == NEXT[State.cancelled] == frozenset()
    assert set(NEXT) == set(State)

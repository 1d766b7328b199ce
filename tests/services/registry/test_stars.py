"""Stars follow the hours, wait for the public notice, and are granted by the level that may."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.clock import local_day, new_id, now
from services.registry.domain.stars import NEXT, StarsPolicy, State, allows, notice_until, stars_for
from services.registry.policy import Policies
from tests.services.registry.service_support import COUNTY, a_volunteer
from tests.services.registry.support import Registry

POLICY = Policies.load().service_records.of("2026-11").stars


async def with_hours(registry: Registry, hours: int, number: int = 1) -> str:
    """A volunteer who has served so many hours, as the totals say."""
    volunteer = await a_volunteer(registry, number)
    total = {"minutes": hours * 60, "records": 1, "ratings": 0, "rating_sum": 0}

    async def put(tx: Any) -> None:
        tx.put("service_totals", {"_id": uuid.UUID(volunteer), **total})

    await registry.database.transact(put)
    return volunteer


async def step(client: httpx.AsyncClient, volunteer: str, stars: int, to: str) -> httpx.Response:
    return await client.post(f"/v1/people/{volunteer}/stars/{stars}", json={"to": to, "reason": "服务时长"})


async def end_notice(registry: Registry, volunteer: str, stars: int) -> None:
    document = await registry.database.get("stars", f"{volunteer}:{stars}")
    assert document is not None
    ended = {**document, "notice_until": (local_day(now()) - timedelta(days=1)).isoformat()}

    async def put(tx: Any) -> None:
        tx.put("stars", ended)

    await registry.database.transact(put)


def test_the_shipped_policy_has_the_published_hours_and_levels() -> None:
    found = [(level.stars, level.hours, level.granted_by) for level in POLICY.levels]
    assert found == [
        (1, 100, "county"), (2, 300, "county"), (3, 600, "city"), (4, 1000, "city"), (5, 1500, "province"),
    ]  # fmt: skip
    assert POLICY.notice_working_days == 5


async def test_a_star_is_announced_and_granted_after_the_notice(registry: Registry) -> None:
    volunteer = await with_hours(registry, 100)
    async with registry.client(COUNTY) as client:
        assert (await step(client, volunteer, 1, "granted")).status_code == 409
        told = await step(client, volunteer, 1, "announced")
        assert (told.status_code, told.json()["state"]) == (200, "announced")
        assert told.json()["notice_until"] == notice_until(local_day(now()), 5, ()).isoformat()
        assert (await step(client, volunteer, 1, "announced")).json() == told.json()
        early = await step(client, volunteer, 1, "granted")
        assert (early.status_code, early.json()["reason"]) == (409, "on_notice")
        (noticed,) = (await client.get("/v1/stars", params={"state": "announced"})).json()["items"]
        assert noticed["volunteer_id"] == volunteer
        await end_notice(registry, volunteer, 1)
        assert (await step(client, volunteer, 1, "granted")).json()["state"] == "granted"
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["stars_granted"] == 1
        assert (await step(client, volunteer, 1, "announced")).status_code == 409
    states = [(event["stars"], event["state"]) for event in await registry.events("stars_moved")]
    assert states == [(1, "announced"), (1, "granted")]


async def test_too_few_hours_make_no_star(registry: Registry) -> None:
    volunteer = await with_hours(registry, 299)
    async with registry.client(COUNTY) as client:
        answer = await step(client, volunteer, 2, "announced")
        assert (answer.status_code, answer.json()["reason"]) == (409, "too_few_hours")
        assert (await step(client, volunteer, 6, "announced")).json()["field"] == "stars"
        assert (await step(client, volunteer, 1, "announced")).status_code == 200


@pytest.mark.parametrize(
    ("stars", "refused", "grants"), [(2, "320706016", "320706"), (3, "320706", "3207"), (5, "3207", "32")]
)
async def test_only_the_level_of_the_policy_grants(registry: Registry, stars: int, refused: str, grants: str) -> None:
    volunteer = await with_hours(registry, 1500)
    async with registry.client(refused) as below, registry.client(grants) as above:
        assert (await step(below, volunteer, stars, "announced")).status_code == 200
        await end_notice(registry, volunteer, stars)
        assert (await step(below, volunteer, stars, "granted")).status_code == 403
        assert (await step(above, volunteer, stars, "granted")).status_code == 200


async def test_who_may_move_and_read_stars(registry: Registry) -> None:
    volunteer = await with_hours(registry, 100)
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await step(client, volunteer, 1, "announced")).status_code == 403
        assert (await client.get(f"/v1/people/{volunteer}/stars")).json() == {"items": []}
    async with registry.client("370812") as client:
        assert (await step(client, volunteer, 1, "announced")).status_code == 404
        assert (await client.get(f"/v1/people/{volunteer}/stars")).status_code == 404
    async with registry.client(COUNTY) as client:
        assert (await step(client, volunteer, 1, "promoted")).json()["field"] == "body.to"
        assert (await step(client, str(new_id()), 1, "announced")).status_code == 404


@given(st.integers(0, 200_000), st.integers(0, 200_000))
@settings(deadline=None)
def test_more_hours_never_make_fewer_stars(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert 0 <= stars_for(fewer, POLICY) <= stars_for(more, POLICY) <= 5


@pytest.mark.parametrize(
    ("hours", "stars"), [(0, 0), (99, 0), (100, 1), (299, 1), (300, 2), (600, 3), (1000, 4), (1499, 4), (1500, 5)]
)
def test_the_hours_of_a_star_are_whole(hours: int, stars: int) -> None:
    assert stars_for(hours * 60, POLICY) == stars
    assert stars_for(max(hours * 60 - 1, 0), POLICY) in (stars, stars - 1)


def test_a_policy_whose_stars_are_out_of_order_is_refused() -> None:
    levels = [level.model_dump() for level in reversed(POLICY.levels)]
    with pytest.raises(ValidationError, match="more hours"):
        StarsPolicy.model_validate({**POLICY.model_dump(), "levels": levels})


def test_the_notice_counts_working_days_alone() -> None:
    friday = date(2026, 3, 6)
    assert notice_until(friday, 5, ()) == date(2026, 3, 13)
    assert notice_until(friday, 5, (date(2026, 3, 9),)) == date(2026, 3, 16)
    assert notice_until(friday, 0, ()) == friday


def test_a_star_moves_as_the_table_says() -> None:
    for state in State:
        assert {following for following in State if allows(state, following)} == NEXT[state]

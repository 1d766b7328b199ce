"""Honours, and the catalogue of four areas: who may have what, and nobody twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import local_day, new_id, now
from services.registry.domain.honours import AREAS, NEXT, Conditions, Merit, State, allows, misses
from tests.services.registry.service_support import COUNTY, a_volunteer
from tests.services.registry.support import Registry
from tests.services.registry.test_stars import with_hours


def an_item(**fields: Any) -> dict[str, Any]:
    return {
        "division": COUNTY,
        "area": "public_service",
        "label": "示例公园年票免费",
        "conditions": {"hours": 100},
        "source": "示例区志愿服务激励嘉许办法",
        **fields,
    }


async def test_the_catalogue_has_the_four_areas_of_the_plan(registry: Registry) -> None:
    assert tuple(AREAS.values()) == ("就业创业", "就医就学", "评先评优", "公共服务")
    async with registry.client(COUNTY) as client:
        for area in AREAS:
            assert (await client.put(f"/v1/incentives/{new_id()}", json=an_item(area=area))).status_code == 200
        listed = (await client.get("/v1/incentives")).json()["items"]
        assert [row["area_label"] for row in listed] == list(AREAS.values())
        only = (await client.get("/v1/incentives", params={"area": "employment"})).json()["items"]
        assert [row["area"] for row in only] == ["employment"]
        wrong = await client.put(f"/v1/incentives/{new_id()}", json=an_item(area="cash"))
        assert (wrong.status_code, wrong.json()["field"]) == (422, "body.area")
        outside = await client.put(f"/v1/incentives/{new_id()}", json=an_item(division="370812"))
        assert outside.status_code == 404
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await client.put(f"/v1/incentives/{new_id()}", json=an_item())).status_code == 403
    assert len(await registry.events("incentive_listed")) == 4


async def test_who_served_enough_has_an_item_once(registry: Registry) -> None:
    enough, little = await with_hours(registry, 100), await with_hours(registry, 99, 2)
    item, first = new_id(), new_id()
    async with registry.client(COUNTY) as client:
        await client.put(f"/v1/incentives/{item}", json=an_item())
        eligible = (await client.get(f"/v1/incentives/{item}/eligibility/{enough}")).json()
        assert (eligible["eligible"], eligible["misses"]) == (True, [])
        assert (await client.get(f"/v1/incentives/{item}/eligibility/{little}")).json()["misses"] == ["hours"]
        body = {"incentive_id": str(item), "volunteer_id": enough}
        done = await client.put(f"/v1/redemptions/{first}", json=body)
        assert (done.status_code, done.json()["area"]) == (200, "public_service")
        assert (await client.put(f"/v1/redemptions/{first}", json=body)).json() == done.json()
        twice = await client.put(f"/v1/redemptions/{new_id()}", json=body)
        assert (twice.status_code, twice.json()["reason"]) == (409, "redeemed")
        refused = await client.put(f"/v1/redemptions/{new_id()}", json={**body, "volunteer_id": little})
        assert (refused.status_code, refused.json()["reason"]) == (409, "not_eligible")
        (row,) = (await client.get("/v1/redemptions", params={"area": "public_service"})).json()["items"]
        assert row["volunteer_id"] == enough
    async with registry.client("370812") as client:
        assert (await client.put(f"/v1/redemptions/{new_id()}", json=body)).status_code == 404
    async with registry.client(COUNTY, "volunteer", subject=little) as client:
        assert (await client.get(f"/v1/incentives/{item}/eligibility/{little}")).status_code == 200
        assert (await client.get(f"/v1/incentives/{item}/eligibility/{enough}")).status_code == 404
        assert (await client.put(f"/v1/redemptions/{new_id()}", json=body)).status_code == 403
    assert len(await registry.events("incentive_redeemed")) == 1


async def test_places_and_an_item_that_stopped_are_kept(registry: Registry) -> None:
    one, two = await with_hours(registry, 100), await with_hours(registry, 100, 2)
    item = new_id()
    async with registry.client(COUNTY) as client:
        await client.put(f"/v1/incentives/{item}", json=an_item(places=1))
        body = {"incentive_id": str(item), "volunteer_id": one}
        assert (await client.put(f"/v1/redemptions/{new_id()}", json=body)).status_code == 200
        full = await client.put(f"/v1/redemptions/{new_id()}", json={**body, "volunteer_id": two})
        assert (full.status_code, full.json()["reason"]) == (409, "full")
        assert (await client.put(f"/v1/incentives/{item}", json=an_item(places=0))).status_code == 409
        await client.put(f"/v1/incentives/{item}", json=an_item(places=2, active=False))
        stopped = await client.put(f"/v1/redemptions/{new_id()}", json={**body, "volunteer_id": two})
        assert stopped.json()["reason"] == "inactive"


async def test_an_honour_is_kept_sealed_and_may_be_revoked(registry: Registry) -> None:
    volunteer, ident = await a_volunteer(registry), new_id()
    body = {
        "volunteer_id": volunteer,
        "level": "city",
        "title": "优秀志愿者",
        "awarded_by": "示例市文明办",
        "awarded_on": "2025-12-05",
    }
    path = f"/v1/honours/{ident}"
    async with registry.client(COUNTY) as client:
        made = await client.put(path, json=body)
        assert (made.status_code, made.json()["state"]) == (200, "recorded")
        assert "title" not in made.json()
        assert (await client.put(path, json=body)).json() == made.json()
        assert (await client.put(path, json={**body, "level": "nation"})).status_code == 409
        tomorrow = (local_day(now()) + timedelta(days=1)).isoformat()
        later = await client.put(f"/v1/honours/{new_id()}", json={**body, "awarded_on": tomorrow})
        assert (later.status_code, later.json()["field"]) == (422, "awarded_on")
        extract = (await client.get(f"/v1/people/{volunteer}/service-extract")).json()
        assert extract["awards"][0]["what"] == "优秀志愿者"
        assert (await client.post(f"{path}/revoke", json={"reason": "上级撤销"})).json()["state"] == "revoked"
        assert (await client.get(f"/v1/people/{volunteer}/service-extract")).json()["awards"] == []
    async with registry.client("370812") as client:
        assert (await client.post(f"{path}/revoke", json={"reason": "上级撤销"})).status_code == 404
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await client.put(path, json=body)).status_code == 403
    assert [event["state"] for event in await registry.events("honour_moved")] == ["recorded", "revoked"]


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        (Conditions(), []),
        (Conditions(hours=10, stars=1, rating=450), []),
        (Conditions(hours=11), ["hours"]),
        (Conditions(stars=2, rating=451), ["stars", "rating"]),
    ],
)
def test_what_is_lacking_is_named(wanted: Conditions, lacking: list[str]) -> None:
    assert misses(Merit(600, 1, 2, 9), wanted) == lacking


def test_an_honour_moves_as_the_table_says() -> None:
    for state in State:
        assert {following for following in State if allows(state, following)} == NEXT[state]

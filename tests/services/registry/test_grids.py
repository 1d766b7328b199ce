"""Grids: the level below the village, each with the person who answers for it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.services.registry.places_support import COUNTY, person, villages
from tests.services.registry.support import Registry

VILLAGE, NEXT_VILLAGE = "370812001001", "370812001002"
GRID = f"{VILLAGE}003"


def a_grid(**fields: Any) -> dict[str, Any]:
    return {"name": "示例第三网格", "households": 320, **fields}


async def write(client: httpx.AsyncClient, code: str = GRID, **fields: Any) -> httpx.Response:
    return await client.put(f"/v1/grids/{code}", json=a_grid(**fields))


async def test_a_villages_grids_are_listed_with_who_answers_for_each(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        first, second = await person(client, 1), await person(client, 2, "李示例")
        made = (await write(client, person_id=first)).json()
        assert (made["id"], made["division"], made["person_id"], made["revision"]) == (GRID, VILLAGE, first, 1)
        assert (await write(client, person_id=first)).json() == made
        changed = (await write(client, person_id=second)).json()
        assert [one["person_id"] for one in changed["log"]] == [first, second]
        await write(client, f"{VILLAGE}001")
        await write(client, f"{NEXT_VILLAGE}001", person_id=first, active=False)

        async def listed(**asked: Any) -> list[str]:
            return [one["id"] for one in (await client.get("/v1/grids", params=asked)).json()["items"]]

        assert await listed(division=VILLAGE) == [f"{VILLAGE}001", GRID]
        assert await listed(vacant=True) == [f"{VILLAGE}001"]
        assert await listed(person_id=second) == [GRID]
        assert await listed(active=False) == [f"{NEXT_VILLAGE}001"]
        page = (await client.get("/v1/grids", params={"limit": 2})).json()
        assert page["next"] == GRID
        assert await listed(after=page["next"]) == [f"{NEXT_VILLAGE}001"]
        assert "log" not in page["items"][0]
        assert (await client.get(f"/v1/grids/{GRID}")).json() == changed
    events = await registry.events("grid_registered")
    assert [(event["grid"], event["person_id"]) for event in events][:2] == [(GRID, first), (GRID, second)]
    assert "示例" not in json.dumps(events, ensure_ascii=False)


async def test_a_grid_worker_sees_the_own_grids_alone(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        mine, other = await person(client, 1), await person(client, 2, "李示例")
        for code, who in ((GRID, mine), (f"{VILLAGE}004", other), (f"{NEXT_VILLAGE}001", mine)):
            assert (await write(client, code, person_id=who)).status_code == 200
        await write(client, f"{VILLAGE}009", person_id=mine, active=False)
    async with registry.client(VILLAGE, "grid_worker", subject=mine) as client:
        own = (await client.get("/v1/grids/mine")).json()["items"]
        assert [one["id"] for one in own] == [GRID], "of the own village, and active"
        for path in ("/v1/grids", f"/v1/grids/{GRID}", "/v1/volunteers", "/v1/activity-plans", "/v1/service-records"):
            assert (await client.get(path)).status_code == 403, path
        assert (await write(client, person_id=mine)).status_code == 403
    async with registry.client(VILLAGE, "grid_worker", subject="nobody") as client:
        assert (await client.get("/v1/grids/mine")).json()["items"] == []
    async with registry.client(VILLAGE, "registrar") as client:
        assert (await client.get("/v1/grids/mine")).status_code == 403


async def test_a_grid_that_cannot_be_is_refused_and_another_division_sees_none(registry: Registry) -> None:
    await villages(registry)
    async with registry.client("320706") as client:
        far = await person(client, 5, division="320706016")
    async with registry.client(COUNTY) as client:
        for code, body, field in (
            ("370812", a_grid(), "path.code"),
            ("37081200100100x", a_grid(), "path.code"),
            ("370812001999001", a_grid(), "code"),
            (GRID, a_grid(name=" "), "body.name"),
            (GRID, a_grid(households=-1), "body.households"),
            (GRID, a_grid(person_id=far), "person_id"),
            (GRID, a_grid(extra=1), "body.extra"),
        ):
            answer = await client.put(f"/v1/grids/{code}", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        assert (await client.get(f"/v1/grids/{GRID}")).status_code == 404
        assert (await write(client)).status_code == 200
    async with registry.client("320706") as client:
        assert (await write(client)).status_code == 404
        assert (await client.get(f"/v1/grids/{GRID}")).status_code == 404
        assert (await client.get("/v1/grids")).json()["items"] == []
    async with registry.client(NEXT_VILLAGE, "community_worker") as client:
        assert (await client.get(f"/v1/grids/{GRID}")).status_code == 404
    async with registry.client(VILLAGE, "community_worker") as client:
        assert [one["id"] for one in (await client.get("/v1/grids")).json()["items"]] == [GRID]
        assert (await write(client)).status_code == 403

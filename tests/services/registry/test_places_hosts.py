"""Rooms in 综治中心 of county and town: linked to the house, with the checklist that the plan gives."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.services.registry.places_support import COUNTY, OTHER_TOWN, TOWN, place, told, villages
from tests.services.registry.support import Registry


async def house(client: httpx.AsyncClient, **fields: Any) -> str:
    return await place(client, **{"name": "示例综治中心", "type": "governance_centre", "opened": True, **fields})


async def room(client: httpx.AsyncClient, **fields: Any) -> str:
    return await place(client, **{"name": "示例心灵驿站", "type": "governance_room", **fields})


async def put_into(client: httpx.AsyncClient, ident: str, into: str | None) -> httpx.Response:
    return await client.put(f"/v1/places/{ident}/host-place", json={"host_place_id": into})


async def checked(client: httpx.AsyncClient, ident: str) -> dict[str, str]:
    answer = await client.get(f"/v1/places/{ident}/check", params={"standard": "governance_room"})
    assert answer.status_code == 200, answer.text
    return {clause["code"]: clause["outcome"] for clause in answer.json()["clauses"]}


async def test_a_room_of_each_of_the_two_levels_is_in_its_centre_and_passes_the_checklist(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for tier, division in (("county", COUNTY), ("town", TOWN)):
            centre, inside = (
                await house(client, tier=tier, division=division),
                await room(client, tier=tier, division=division),
            )
            bare = await checked(client, inside)
            assert bare == {"house": "missing", "level": "missing", "gbt_33200": "missing"}
            revisions = [(await put_into(client, inside, centre)).json()["revision"] for _ in range(2)]
            assert revisions == [2, 2]
            assert await checked(client, inside) == {"house": "pass", "level": "pass", "gbt_33200": "missing"}
            fact = {"value": True, "sha256": "ab" * 32}
            assert (await client.put(f"/v1/places/{inside}/facts/follows_gbt_33200", json=fact)).status_code == 200
            assert set((await checked(client, inside)).values()) == {"pass"}
            (item,) = (await client.get(f"/v1/places/{centre}/hosted")).json()["items"]
            assert (item["id"], item["host_place_id"]) == (inside, centre)
            # A room that is taken out is in no centre any more.
            assert (await put_into(client, inside, None)).json()["host_place_id"] is None
            assert (await checked(client, inside))["house"] == "missing"
            assert (await client.get(f"/v1/places/{centre}/hosted")).json()["items"] == []


async def test_a_community_service_centre_hosts_rooms_too(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        centre = await house(client, type="community_service_centre", name="示例社区综合服务中心")
        for kind in ("governance_room", "village_room"):
            assert (await put_into(client, await room(client, type=kind), centre)).status_code == 200
        assert len((await client.get(f"/v1/places/{centre}/hosted")).json()["items"]) == 2


async def test_a_room_is_in_no_other_kind_of_place_no_other_level_and_no_other_division(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        inside = await room(client)
        closed = await house(client, name="撤并综治中心")
        await client.post(f"/v1/places/{closed}/status", json={"status": "closed", "reason": "撤并"})
        for into, reason in (
            (await place(client, opened=True), "no_house"),
            (await house(client, tier="county", division=COUNTY), "bad_tier"),
            (await house(client, division=OTHER_TOWN), "elsewhere"),
            (closed, "closed"),
            (str(uuid.uuid4()), "unknown_place"),
            (inside, "unknown_place"),
        ):
            answer = await put_into(client, inside, into)
            assert (answer.status_code, answer.json()["reason"]) == (422, reason), answer.text
        centre = await house(client)
        untiered = await room(client, tier=None)
        assert (await put_into(client, untiered, centre)).json()["field"] == "tier"
        clinic = await place(client, type="psychology_clinic")
        assert (await put_into(client, clinic, centre)).json()["reason"] == "no_room"
        assert (await put_into(client, inside, "not-an-id")).json()["field"] == "body.host_place_id"
    async with registry.client(COUNTY, "coordinator") as reader:
        assert (await put_into(reader, inside, centre)).status_code == 403
        assert (await reader.get(f"/v1/places/{centre}/hosted")).status_code == 200
    async with registry.client("320706") as outside:
        assert (await put_into(outside, inside, centre)).status_code == 404
        assert (await outside.get(f"/v1/places/{centre}/hosted")).status_code == 404


async def test_a_place_that_is_written_again_stays_in_its_house(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        centre, inside = await house(client), await room(client)
        await put_into(client, inside, centre)
        same = {"name": "示例驿站新名", "type": "governance_room", "division": TOWN, "tier": "town"}
        assert (await client.put(f"/v1/places/{inside}", json=same)).json()["host_place_id"] == centre


async def test_a_house_with_rooms_is_not_closed_and_neither_of_the_two_moves_away_from_the_other(
    registry: Registry,
) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        centre, inside = await house(client), await room(client)
        assert (await put_into(client, inside, centre)).status_code == 200
        closing = {"status": "closed", "reason": "撤并"}
        refused = await client.post(f"/v1/places/{centre}/status", json=closing)
        assert (refused.status_code, refused.json()["reason"]) == (409, "has_rooms")
        moved = told(name="示例综治中心", type="governance_centre", division=OTHER_TOWN)
        answer = await client.put(f"/v1/places/{centre}", json=moved)
        assert (answer.status_code, answer.json()["field"]) == (409, "division")
        raised = told(name="示例心灵驿站", type="governance_room", tier="county", division=COUNTY)
        answer = await client.put(f"/v1/places/{inside}", json=raised)
        assert (answer.status_code, answer.json()["reason"]) == (409, "in_a_house")
        renamed = told(name="示例第二驿站", type="governance_room")
        assert (await client.put(f"/v1/places/{inside}", json=renamed)).status_code == 200
        assert (await checked(client, inside))["house"] == "pass"
        await put_into(client, inside, None)
        assert (await client.post(f"/v1/places/{centre}/status", json=closing)).status_code == 200

"""What the tests of places share: villages, people, organisations, and a place that can be told."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from services.registry.imports import load_divisions
from tests.services.registry.support import Registry

COUNTY, TOWN, OTHER_TOWN = "370812", "370812001", "370812002"
VILLAGES = {
    "370812001001": "文庙社区",
    "370812001002": "中御桥社区",
    "370812001003": "九州社区",
    "370812002001": "南关社区",
}


async def villages(registry: Registry) -> None:
    """The town's villages, and a second town."""
    rows = [("370812002", "酒仙桥街道"), *VILLAGES.items()]
    await load_divisions(registry.database, sorted(rows))
    await registry.forget_events()


def told(**fields: Any) -> dict[str, Any]:
    """A station of the town."""
    return {"name": "示例心灵驿站", "type": "station", "division": TOWN, "tier": "town", **fields}


async def place(client: httpx.AsyncClient, *, opened: bool = False, **fields: Any) -> str:
    """A registered place's id."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/places/{ident}", json=told(**fields))
    assert answer.status_code == 201, answer.text
    if opened:
        moved = await client.post(f"/v1/places/{ident}/status", json={"status": "open", "reason": "示例开放"})
        assert moved.status_code == 200, moved.text
    return ident


async def person(client: httpx.AsyncClient, number: int = 1, name: str = "张示例", division: str = TOWN) -> str:
    """A registered person's id."""
    body = {"division": division, "name": name, "phone": f"000-0000-{number:04d}", "person_types": [1], "age": 35}
    answer = await client.post("/v1/volunteers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def organisation(client: httpx.AsyncClient, name: str, kind: str, division: str = TOWN) -> str:
    """An organisation's id."""
    body = {"name": name, "division": division, "kind": kind, "receives_referrals": False}
    answer = await client.post("/v1/organisations", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def staffed(client: httpx.AsyncClient, ident: str, who: str, **link: Any) -> None:
    body = {"occupation": "counsellor", "full_time": True, **link}
    answer = await client.put(f"/v1/places/{ident}/staff/{who}", json=body)
    assert answer.status_code == 200, answer.text

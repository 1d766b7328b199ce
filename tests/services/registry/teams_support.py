"""What the tests of teams share: a team, a term, a loan that can be told."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.services.registry.places_support import COUNTY


def a_team(**fields: Any) -> dict[str, Any]:
    return {"name": "示例志愿服务队", "type": "general", "division": COUNTY, **fields}


async def put(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> str:
    """The id under which it was registered."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/{path}/{ident}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return ident


async def team(client: httpx.AsyncClient, *, active: bool = False, **fields: Any) -> str:
    """A registered team's id."""
    ident = await put(client, "teams", a_team(**fields))
    if active:
        moved = await client.post(f"/v1/teams/{ident}/status", json={"status": "active", "reason": "示例组建"})
        assert moved.status_code == 200, moved.text
    return ident


async def refused(client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str) -> None:
    """The body is refused, and the answer names the field."""
    answer = await client.put(f"/v1/{path}/{uuid.uuid4()}", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text

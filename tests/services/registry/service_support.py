"""A registry with an organisation and volunteers whose service is written down."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx

from chassis.clock import new_id, now
from tests.services.registry.support import Registry

TOWN = "320706016"
COUNTY = "320706"


def morning(days_ago: int = 10) -> datetime:
    """09:00 in Shanghai, some days ago."""
    return (now() - timedelta(days=days_ago)).replace(hour=1, minute=0, second=0, microsecond=0)


async def a_volunteer(registry: Registry, number: int = 1, division: str = TOWN, **fields: Any) -> str:
    body = {
        "division": division,
        "name": "张示例",
        "phone": f"000-0000-{number:04d}",
        "person_types": [1, 3],
        **fields,
    }
    async with registry.client(division[:6]) as client:
        answer = await client.post("/v1/volunteers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def an_organisation(registry: Registry, division: str = COUNTY) -> str:
    body: dict[str, Any] = {
        "name": "示例社区卫生服务中心",
        "kind": "primary_care",
        "division": division,
        "receives_referrals": False,
    }
    async with registry.client() as client:
        answer = await client.post("/v1/organisations", json=body)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def a_stretch(organisation: str, start: datetime | None = None, minutes: int = 120, **fields: Any) -> dict[str, Any]:
    start = start or morning()
    return {
        "organisation_id": organisation,
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(minutes=minutes)).isoformat(),
        "kind": "outreach",
        "content": "示例社区宣传",
        **fields,
    }


async def write(
    client: httpx.AsyncClient, volunteer: str, stretch: dict[str, Any], ident: uuid.UUID | None = None
) -> httpx.Response:
    return await client.put(f"/v1/service-records/{ident or new_id()}", json={"volunteer_id": volunteer, **stretch})

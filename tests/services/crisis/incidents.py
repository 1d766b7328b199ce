"""What tests about incidents say and do over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import httpx

from chassis.clock import new_id
from tests.services.crisis.world import COUNTY, TOWN, World

CITY = "3708"
SECTIONS = [
    {"code": "psychological-part", "text": "两小时内启动心理危机干预专家组"},
    {"code": "risk-plan", "text": "人群聚集与次生灾害的风险及对策"},
]


async def ok(sent: Awaitable[httpx.Response]) -> dict[str, Any]:
    """The answer to what has to work."""
    answer = await sent
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def refused(sent: Awaitable[httpx.Response], status: int, field: str | None = None) -> dict[str, Any]:
    """The problem that comes back; RFC 9457, with the field where the input is wrong."""
    answer = await sent
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    if field is not None:
        assert content["field"] == field, content
    return content


def a_plan(division: str = COUNTY, **said: Any) -> dict[str, Any]:
    return {
        "division": division,
        "kind": "natural_disaster",
        "title": "地震应急预案",
        "sections": SECTIONS,
        "revision": 1,
        **said,
    }


async def approved_plan(client: httpx.AsyncClient, world: World, division: str = COUNTY, **said: Any) -> dict[str, Any]:
    """A plan written by one person and approved by another."""
    writer = world.keys.token("department", sub="writer", division=division)
    approver = world.keys.token("supervisor", sub="approver", division=division)
    plan = await ok(client.put(f"/v1/emergency-plans/{new_id()}", json=a_plan(division, **said), headers=writer))
    body = {"revision": plan["revision"], "reason": "内容齐备"}
    return await ok(client.post(f"/v1/emergency-plans/{plan['id']}/approve", json=body, headers=approver))


def a_member(subject: str, order: int, **said: Any) -> dict[str, Any]:
    certificate = {"issuer": "city-health", "valid_from": "2020-01-01", "valid_until": "2099-12-31"}
    return {"subject": subject, "order": order, "specialities": ["bereavement"], "certificate": certificate, **said}


async def a_group(client: httpx.AsyncClient, world: World, division: str, *subjects: str) -> dict[str, Any]:
    """An expert group, called in the order of its members."""
    keeper = world.keys.token("department", division=division)
    members = [a_member(subject, order) for order, subject in enumerate(subjects, 1)]
    return await ok(
        client.put(f"/v1/expert-groups/{division}", json={"revision": 1, "members": members}, headers=keeper)
    )


async def an_incident(
    client: httpx.AsyncClient, world: World, headers: dict[str, str] | None = None, **said: Any
) -> dict[str, Any]:
    body = {
        "id": str(new_id()),
        "kind": "natural_disaster",
        "level": "III",
        "areas": [COUNTY],
        "started_at": world.now.isoformat(),
        "reason": "发生地震",
        **said,
    }
    headers = headers or world.keys.token("district_centre", sub="centre-a")
    return await ok(client.post("/v1/incidents", json=body, headers=headers))


def a_person(world: World, category: str, **said: Any) -> dict[str, Any]:
    return {
        "recorded_at": world.now.isoformat(),
        "category": category,
        "division": TOWN,
        "consent": "yes",
        **said,
    }


def a_screen(world: World, person_id: Any, answers: dict[str, str], **said: Any) -> dict[str, Any]:
    return {
        "person_id": str(person_id),
        "held_at": "2026-01-02T10:00:00+08:00",
        "answers": answers,
        "act_in_progress": "no",
        "suspected_harm_to_minor": "no",
        **said,
    }

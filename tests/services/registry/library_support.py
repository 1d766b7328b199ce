"""What the tests of the library share: resources, copies and people that can be told."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

COUNTY, TOWN, ELSEWHERE = "370812", "370812001", "320706"


def told(**fields: Any) -> dict[str, Any]:
    """A book of the county."""
    return {
        "title": "示例读本",
        "kind": "book",
        "division": COUNTY,
        "provider": "示例图书馆",
        "licence": "reserved",
        "audiences": ["public"],
        "shelf": "示例书架",
        **fields,
    }


def video(**fields: Any) -> dict[str, Any]:
    """A short film that may be handed on."""
    link = "https://video.example.org/one"
    given: dict[str, Any] = {"kind": "video", "tags": ["stress"], "licence": "free_for_welfare", "link": link}
    return told(**{**given, "shelf": None, **fields})


def audio(**fields: Any) -> dict[str, Any]:
    """A recording for one purpose that may be handed on."""
    given = {"kind": "audio", "purposes": ["sleep"], "settings": ["rest"], "licence": "cc_by"}
    return told(**{**given, "link": "https://audio.example.org/one", **fields})


async def item(client: httpx.AsyncClient, **fields: Any) -> str:
    """A written resource's id."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/library/items/{ident}", json=told(**fields))
    assert answer.status_code == 201, answer.text
    return ident


async def copy(client: httpx.AsyncClient, item_id: str, division: str = TOWN) -> str:
    """A copy's id, on its shelf."""
    ident = str(uuid.uuid4())
    body = {"item_id": item_id, "division": division, "shelf": "示例书架 1号"}
    answer = await client.put(f"/v1/library/copies/{ident}", json=body)
    assert answer.status_code == 201, answer.text
    return ident


async def lent(client: httpx.AsyncClient, copy_id: str, **fields: Any) -> httpx.Response:
    """The answer to a loan under a new id."""
    body = {"copy_id": copy_id, "pseudonym": "R-0012", **fields}
    return await client.put(f"/v1/library/loans/{uuid.uuid4()}", json=body)


async def moved(client: httpx.AsyncClient, copy_id: str, state: str) -> httpx.Response:
    return await client.post(f"/v1/library/copies/{copy_id}/state", json={"state": state})


async def titles(client: httpx.AsyncClient, q: str, **params: Any) -> list[str]:
    """The titles that a search finds, in their order."""
    answer = await client.get("/v1/library/search", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["items"]]

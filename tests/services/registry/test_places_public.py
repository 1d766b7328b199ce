"""The public page of a place: fees, qualifications and rules for anybody, names for nobody."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from tests.services.registry.places_support import COUNTY, person, place, staffed
from tests.services.registry.support import Registry
from tests.services.registry.test_places_wall import FEES, HOURS, RULES, Reading


def anybody(registry: Registry) -> httpx.AsyncClient:
    """A browser without a token."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=registry.app), base_url="http://registry")


async def centre(client: httpx.AsyncClient, **fields: object) -> str:
    told = {"hours": HOURS, "rules": RULES, "fees": FEES, "address": "示例路1号", **fields}
    return await place(client, opened=True, type="centre", division=COUNTY, tier="county", **told)


async def marked(client: httpx.AsyncClient, ident: str, *, public: bool = True) -> httpx.Response:
    return await client.put(f"/v1/places/{ident}/public", json={"public": public})


async def test_anybody_reads_the_fees_the_qualifications_and_the_rules_of_a_place(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident = await centre(client)
        for number in (1, 2):
            who = await person(client, number, "张示例")
            await staffed(client, ident, who, certificate=True, on_wall=True)
        told = (await marked(client, ident)).json()
        assert (told["public"], told["readable"], told["page"]) == (True, True, f"/public/places/{ident}")
        answer = await browser.get(told["page"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = Reading(answer.text).text
    posted = ("收费标准", "200.00 元/50分钟", "从业人员资质", "心理咨询师", "2 人", "相关制度", "首问负责。", "12356")
    for words in posted:
        assert words in text, words
    assert "尚未登记" not in text


async def test_nobody_who_works_there_is_named_whatever_was_agreed_to(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident = await centre(client)
        who, left = await person(client, 1, "张示例"), await person(client, 2, "王离开")
        await staffed(client, ident, who, on_wall=True, certificate=True)
        await staffed(client, ident, left, occupation="nurse", on_wall=True)
        await client.put(f"/v1/places/{ident}/responsible", json={"person_id": who, "reason": "示例岗位"})
        await client.post(f"/v1/volunteers/{left}/erase", json={"reason": "本人要求"})
        await marked(client, ident)
        page = (await browser.get(f"/public/places/{ident}")).text
        assert await registry.database.find("audit_log", {"action": "place.wall_printed"}) == []
    for secret in ("张示例", "张*", "王离开", "护士", "0001", who, left, "registrar-1"):
        assert secret not in page, secret


async def test_a_place_has_a_public_page_only_while_it_is_open_and_marked(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident, planned = await centre(client), await place(client)
        pages = {one: f"/public/places/{one}" for one in (ident, planned)}
        for one in (f"/public/places/{uuid.uuid4()}", pages[ident], pages[planned]):
            assert (await browser.get(one)).status_code == 404
        assert (await marked(client, planned)).json()["readable"] is False
        assert (await browser.get(pages[planned])).status_code == 404
        await marked(client, ident)
        assert (await browser.get(pages[ident])).status_code == 200
        await client.post(f"/v1/places/{ident}/status", json={"status": "suspended", "reason": "装修"})
        assert (await browser.get(pages[ident])).status_code == 404
        await client.post(f"/v1/places/{ident}/status", json={"status": "open", "reason": "装修完毕"})
        assert (await browser.get(pages[ident])).status_code == 200
        assert (await marked(client, ident, public=False)).json()["public"] is False
        assert (await browser.get(pages[ident])).status_code == 404
        assert (await browser.get("/public/places/not-an-id")).status_code == 422
        assert (await browser.post(pages[ident], json={})).status_code == 405
        # Everything else still wants a token.
        for path in (f"/v1/places/{ident}", f"/v1/places/{ident}/wall", "/v1/places"):
            assert (await browser.get(path)).status_code == 401
        assert (await marked(browser, ident)).status_code == 401


async def test_marking_is_for_registrars_of_the_division_and_is_told_once(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await centre(client)
        before = len(await registry.events("place_registered"))
        first, second = await marked(client, ident), await marked(client, ident)
        assert first.json()["revision"] == second.json()["revision"]
        assert len(await registry.events("place_registered")) == before + 1
        shown = (await client.get(f"/v1/places/{ident}")).json()
        assert (shown["public"], shown["recorded"]["public"]["by"]) == (True, "registrar-1")
        assert (await client.put(f"/v1/places/{ident}/public", json={"public": "x"})).json()["field"] == "body.public"
        same = {"name": "示例心灵驿站", "type": "centre", "division": COUNTY, "tier": "county"}
        assert (await client.put(f"/v1/places/{ident}", json=same)).json()["public"] is True
        await client.post(f"/v1/places/{ident}/status", json={"status": "closed", "reason": "撤并"})
        await marked(client, ident, public=False)
        assert (await marked(client, ident)).status_code == 409
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await marked(client, ident)).status_code == 403
    async with registry.client("320706") as client:
        assert (await marked(client, ident)).status_code == 404


async def test_the_page_may_be_cached_and_runs_nothing(registry: Registry) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident = await centre(client, name=f"中心{evil}", rules=[{"title": evil}])
        await marked(client, ident)
        path = f"/public/places/{ident}"
        answer = await browser.get(path)
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
        again = await browser.get(path, headers={"if-none-match": f'W/"other", {answer.headers["etag"]}'})
        assert (again.status_code, again.text) == (304, "")
        page = Reading(answer.text)
        assert not {"script", "img", "link", "iframe"} & set(page.tags)
        await client.put(f"/v1/places/{ident}", json={"name": "示例中心", "type": "centre", "division": COUNTY})
        fresh = await browser.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert fresh.status_code == 200
        assert "示例中心" in fresh.text


async def test_who_reads_without_a_token_takes_nobodys_turn_to_write(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident, other = await centre(client), await centre(client, name="示例第二中心")
        for one in (ident, other):
            await marked(client, one)
        turns: list[None] = []
        transact = registry.database.transact

        async def counted(body: Any) -> Any:
            turns.append(None)
            return await transact(body)

        monkeypatch.setattr(registry.database, "transact", counted)
        asked = [f"/public/places/{one}" for one in (ident, other, uuid.uuid4())] * 10
        answers = await asyncio.gather(*(browser.get(path) for path in asked))
        assert [answer.status_code for answer in answers] == [200, 200, 404] * 10
        # While a write has the turn, the pages are there all the same.
        async with registry.database._turn, asyncio.timeout(5):
            tag = answers[0].headers["etag"]
            again = await browser.get(f"/public/places/{ident}", headers={"if-none-match": tag})
            assert (again.status_code, again.text) == (304, "")
            assert (await browser.get(f"/public/places/{uuid.uuid4()}")).status_code == 404
    assert turns == []


async def test_a_page_is_made_once_in_its_minutes_however_many_ask(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with registry.client(COUNTY) as client, anybody(registry) as browser:
        ident = await centre(client)
        await marked(client, ident)
        looks: list[None] = []
        look = registry.database.look

        async def counted(body: Any) -> Any:
            looks.append(None)
            return await look(body)

        monkeypatch.setattr(registry.database, "look", counted)
        for _ in range(2):
            await asyncio.gather(*(browser.get(f"/public/places/{ident}") for _ in range(20)))
        assert len(looks) == 1
        await client.put(f"/v1/places/{ident}", json={"name": "示例中心", "type": "centre", "division": COUNTY})
        assert "示例中心" in (await browser.get(f"/public/places/{ident}")).text
        assert len(looks) == 2

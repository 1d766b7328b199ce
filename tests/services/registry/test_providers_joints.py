"""Providers with the same proof: in one county at once they are not, one after another and elsewhere they may be."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put
from tests.services.registry.test_providers import a_provider, credit_code, identity

ELSEWHERE = "320706"


async def told(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.put(f"/v1/providers/{uuid.uuid4()}", json=a_provider(**fields))


async def test_a_credit_code_is_free_again_once_its_provider_ended(registry: Registry) -> None:
    async with registry.client() as client:
        ident = await put(client, "providers", a_provider(credit_code=credit_code()))
        twice = await told(client, credit_code=credit_code())
        assert (twice.status_code, twice.json()["field"]) == (409, "credit_code")
        assert twice.json()["detail"] == "本区县已有这一统一社会信用代码的服务主体"
        # A branch in another county has the code of its house.
        assert (await told(client, credit_code=credit_code(), division=ELSEWHERE)).status_code == 201
        ended = await client.post(f"/v1/providers/{ident}/status", json={"status": "ended", "reason": "示例注销"})
        assert (ended.status_code, ended.json()["credit_code"]) == (200, credit_code())
        assert (await told(client, credit_code=credit_code())).status_code == 201


async def test_an_identity_number_says_nothing_about_other_counties(registry: Registry) -> None:
    number = identity()
    async with registry.client() as client:
        here, there = await person(client), await person(client, 2, division=f"{ELSEWHERE}016")
        body = {"type": "natural_person", "identity_number": number}
        ident = await put(client, "providers", a_provider(**body, person_id=here))
        assert (await told(client, **body, person_id=there, division=ELSEWHERE)).status_code == 201
        second = await told(client, **body, person_id=await person(client, 3))
        assert (second.status_code, second.json()["field"]) == (409, "identity_number")
        await client.post(f"/v1/providers/{ident}/status", json={"status": "ended", "reason": "示例注销"})
        again = await told(client, **body, person_id=here)
        assert (again.status_code, again.json()["identity_known"]) == (201, True)


async def test_a_provider_that_moves_to_another_county_tells_its_number_anew(registry: Registry) -> None:
    number = identity()
    async with registry.client() as client:
        who = await person(client)
        body = a_provider(type="natural_person", person_id=who)
        ident = await put(client, "providers", {**body, "identity_number": number})
        moving = {**body, "division": ELSEWHERE}
        answer = await client.put(f"/v1/providers/{ident}", json=moving)
        assert (answer.status_code, answer.json()["field"]) == (422, "identity_number")
        answer = await client.put(f"/v1/providers/{ident}", json={**moving, "identity_number": number})
        assert (answer.status_code, answer.json()["division"]) == (200, ELSEWHERE)
        assert (
            await client.put(f"/v1/providers/{ident}", json={**moving, "division": f"{ELSEWHERE}016"})
        ).status_code == 200


async def test_a_provider_whose_person_was_merged_goes_on_under_either_id(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, stays = await person(client, 1), await person(client, 2)
        body = a_provider(type="natural_person", person_id=one, division=TOWN)
        ident = await put(client, "providers", {**body, "identity_number": identity()})
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": one, "reason": "same person"})
        assert merged.status_code == 200, merged.text
        for who in (one, stays):
            answer = await client.put(
                f"/v1/providers/{ident}", json={**body, "person_id": who, "contract": f"C-{who[-3:]}"}
            )
            assert (answer.status_code, answer.json()["person_id"]) == (200, one), answer.text
        plain = await client.post(f"/v1/providers/{ident}/reveal", json={"reason": "核对证件"})
        assert plain.json()["identity_number"] == identity()
        other = await client.put(f"/v1/providers/{ident}", json={**body, "person_id": await person(client, 3)})
        assert (other.status_code, other.json()["field"]) == (409, "person_id")

"""Signs and numbers that no form, database or code has: refused with the place, never a fault of the registry."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.services.registry.support import Registry

ORGANISATION = {"division": "320706", "kind": "hospital", "receives_referrals": True}
PERSON = {"division": "320706016", "name": "张示例", "phone": "000-0000-0001", "person_types": [1]}
ROSTER = {"division": "320706", "role": "responder", "around_the_clock": True}
JSON = {"content-type": "application/json"}


def with_field(body: dict[str, Any], field: str, text: str) -> bytes:
    """The body with a field written as JSON by hand: httpx would not send what no UTF-8 has."""
    content = httpx.Request("POST", "http://x", json={**body, field: "@"}).content
    return content.replace(b'"@"', text.encode())


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\udfffb"', "9" * 30, "[]", "{}"])
@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/organisations", ORGANISATION, "name"),
        ("POST", "/v1/divisions", {"parent": "320706"}, "name"),
        ("PUT", "/v1/rosters/line-1", ROSTER, "title"),
        ("PUT", "/v1/rosters/line-1", ROSTER, "role"),
        ("POST", "/v1/volunteers", PERSON, "name"),
        ("POST", "/v1/volunteers", PERSON, "employer"),
        ("POST", "/v1/volunteers/export", {"division": "320706"}, "reason"),
        ("POST", "/v1/volunteers/export", {"reason": "示例原因"}, "division"),
    ],
)
async def test_what_is_no_text_is_refused(
    registry: Registry, method: str, path: str, body: dict[str, Any], field: str, text: str
) -> None:
    async with registry.client() as client:
        answer = await client.request(method, path, content=with_field(body, field, text), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == f"body.{field}"


@pytest.mark.parametrize("number", ["9" * 30, "1e400", "NaN", "-1", "0"])
@pytest.mark.parametrize(("field", "form"), [("age", "{}"), ("person_types", "[{}]"), ("qualifications", "[{}]")])
async def test_a_number_out_of_range_is_refused(registry: Registry, field: str, form: str, number: str) -> None:
    body = with_field(PERSON, field, form.format(number))
    async with registry.client() as client:
        answer = await client.post("/v1/volunteers", content=body, headers=JSON)
        assert answer.status_code == 422
        assert answer.json()["field"].startswith(f"body.{field}")
        for asked in ("limit", "person_type", "qualification"):
            listed = await client.get("/v1/volunteers", params={asked: number})
            assert (listed.status_code, listed.json()["field"]) == (422, f"query.{asked}")


async def test_control_signs_are_dropped_from_names_and_match_nothing_in_addresses(registry: Registry) -> None:
    async with registry.client() as client:
        made = await client.post("/v1/organisations", json={**ORGANISATION, "name": "示例\x00医院"})
        assert made.json()["name"] == "示例医院"
        blank = await client.post("/v1/organisations", json={**ORGANISATION, "name": "\x00"})
        assert (blank.status_code, blank.json()["field"]) == (422, "name")
        for path in ("/v1/divisions/%00", "/v1/divisions/%ED%A0%80", "/v1/divisions/%EF%BC%93%EF%BC%92"):
            assert (await client.get(path)).status_code == 404
        for path in ("/v1/rosters", "/v1/divisions/32/children"):
            assert (await client.get(path, params={"after": "\x00"})).status_code == 200


async def test_a_name_that_grows_too_long_once_written_plainly_is_refused(registry: Registry) -> None:
    """U+FDFA is one sign, and eighteen when it is written out."""
    async with registry.client() as client:
        answer = await client.post("/v1/organisations", json={**ORGANISATION, "name": "\ufdfa" * 128})
    assert (answer.status_code, answer.json()["field"]) == (422, "name")


@pytest.mark.parametrize("division", ["３２０７０６", "٣٢", "320706\n", "3\x002"])
async def test_a_division_is_asked_for_in_plain_digits(registry: Registry, division: str) -> None:
    async with registry.client() as client:
        asked = [await client.get(f"/v1/{what}", params={"division": division}) for what in ("rosters", "volunteers")]
        asked.append(await client.post("/v1/volunteers/import", params={"division": division}, content=b"x"))
    for answer in asked:
        assert (answer.status_code, answer.json()["field"]) == (422, "query.division")

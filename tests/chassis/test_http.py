"""HTTP: every error is problem+json, a body has a bound, a metric has no ids."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, UploadFile
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from prometheus_client import REGISTRY
from pydantic import BaseModel

from chassis.auth import Caller, Tokens, caller_with, issue
from chassis.errors import NotAllowed, NotFound, Refused, Unavailable
from chassis.http import MAX_REQUEST, create_app

SECRET = "示例人 000-0000-0001"


class Order(BaseModel):
    number: int


@pytest.fixture
def key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "test"})


@pytest.fixture
def app(key: OKPKey, tmp_path: Path) -> FastAPI:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    app = create_app("test", Tokens(path, "issuer", "xinqiao"), {})

    @app.post("/orders/{order_id}")
    async def order(order_id: uuid.UUID, content: Order) -> dict[str, int]:
        return {"number": content.number}

    @app.post("/import")
    async def take(file: UploadFile) -> dict[str, int]:
        return {"bytes": len(await file.read())}

    @app.get("/supervised")
    async def supervised(caller: Annotated[Caller, Depends(caller_with("supervisor"))]) -> dict[str, str]:
        return {"division": caller.division}

    @app.get("/fails/{how}")
    async def fail(how: str) -> None:
        errors: dict[str, Exception] = {
            "conflict": NotAllowed("the case is closed"),
            "refused": Refused("unknown_division", "there is no such division", "division"),
            "absent": NotFound("there is no such case"),
            "away": Unavailable("the database cannot be reached"),
            "breaks": RuntimeError(SECRET),
        }
        raise errors[how]

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    assert content.get("field") == field


@pytest.mark.parametrize(
    ("how", "status", "field"),
    [
        ("conflict", 409, None),
        ("refused", 422, "division"),
        ("absent", 404, None),
        ("away", 503, None),
        ("breaks", 500, None),
    ],
)
async def test_each_error_has_its_answer(client: httpx.AsyncClient, how: str, status: int, field: str | None) -> None:
    answer = await client.get(f"/fails/{how}")
    assert_problem(answer, status, field)
    assert SECRET not in answer.text
    if how == "away":
        assert int(answer.headers["retry-after"]) > 0


async def test_an_error_of_ours_names_the_trace_of_the_request(client: httpx.AsyncClient) -> None:
    trace = "c" * 32
    answer = await client.get("/fails/breaks", headers={"traceparent": f"00-{trace}-{'d' * 16}-01"})
    assert trace in answer.json()["detail"]


async def test_a_wrong_field_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/orders/{uuid.uuid4()}", json={"number": SECRET})
    assert_problem(answer, 422, "body.number")
    assert SECRET not in answer.text
    assert_problem(await client.post("/orders/nonsense", json={"number": 1}), 422, "path.order_id")
    malformed = await client.post(f"/orders/{uuid.uuid4()}", content=b"{", headers={"content-type": "application/json"})
    assert malformed.status_code == 422


async def test_a_route_that_is_not_there_and_a_method_that_is_not_allowed(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404)
    assert_problem(await client.delete("/livez"), 405)


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 4096 + 1):
        yield b" " * 4096


async def test_a_body_over_the_limit_is_refused_with_and_without_its_length(client: httpx.AsyncClient) -> None:
    path = f"/orders/{uuid.uuid4()}"
    assert_problem(await client.post(path, content=b" " * (MAX_REQUEST + 1)), 413, "body")
    chunked = await client.post(path, content=_chunks(MAX_REQUEST), headers={"content-type": "application/json"})
    assert_problem(chunked, 413)


async def test_a_body_that_lies_about_its_length_is_counted(client: httpx.AsyncClient) -> None:
    headers = {"content-length": "10", "content-type": "application/json"}
    answer = await client.post(f"/orders/{uuid.uuid4()}", content=_chunks(MAX_REQUEST), headers=headers)
    assert answer.status_code == 413


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = json.dumps({"number": 5}).encode().ljust(MAX_REQUEST)
    answer = await client.post(f"/orders/{uuid.uuid4()}", content=body, headers={"content-type": "application/json"})
    assert answer.json() == {"number": 5}


async def test_a_workbook_may_be_larger(client: httpx.AsyncClient) -> None:
    answer = await client.post("/import", files={"file": ("a.xlsx", b"x" * (MAX_REQUEST * 2))})
    assert answer.json() == {"bytes": MAX_REQUEST * 2}


def _tokens(key: OKPKey) -> Iterator[tuple[str, str]]:
    claims: dict[str, Any] = {"sub": "officer-1", "roles": ["supervisor"], "division": "3708"}
    moment = int(time.time())
    full = {"iss": "issuer", "aud": "xinqiao", "exp": moment + 60, **claims}
    other = OKPKey.generate_key("Ed25519", {"kid": "test"})
    public = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    yield "expired", issue(key, "issuer", "xinqiao", -60, **claims)
    yield "another issuer", issue(key, "somebody", "xinqiao", 60, **claims)
    yield "another audience", issue(key, "issuer", "somewhere", 60, **claims)
    yield "another key", issue(other, "issuer", "xinqiao", 60, **claims)
    yield "no division", issue(key, "issuer", "xinqiao", 60, sub="officer-1", roles=["supervisor"])
    yield "no subject", issue(key, "issuer", "xinqiao", 60, roles=["supervisor"], division="37")
    yield "a secret made of the public key", jwt.encode({"alg": "HS256", "kid": "test"}, full, public, ["HS256"])
    yield "no signature", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."
    yield "nonsense", "nonsense"
    yield "nothing", ""


async def test_a_token_that_does_not_hold_is_401_and_a_role_that_is_missing_403(
    client: httpx.AsyncClient, key: OKPKey
) -> None:
    assert_problem(await client.get("/supervised"), 401)
    for name, token in _tokens(key):
        answer = await client.get("/supervised", headers={"authorization": f"Bearer {token}"})
        assert (name, answer.status_code) == (name, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    volunteer = issue(key, "issuer", "xinqiao", 60, sub="v", roles=["volunteer"], division="3708")
    assert_problem(await client.get("/supervised", headers={"authorization": f"Bearer {volunteer}"}), 403)
    supervisor = issue(key, "issuer", "xinqiao", 60, sub="s", roles=["supervisor"], division="3708")
    answer = await client.get("/supervised", headers={"authorization": f"Bearer {supervisor}"})
    assert answer.json() == {"division": "3708"}


def test_a_caller_sees_the_own_division_and_what_lies_in_it() -> None:
    caller = Caller("s", frozenset(), "3708")
    assert [caller.sees(code) for code in ("3708", "370812", "370812001001", "37", "3709", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


async def test_requests_are_counted_by_route_without_ids_and_failures_too(client: httpx.AsyncClient) -> None:
    ident = uuid.uuid4()
    await client.post(f"/orders/{ident}", json={"number": 1})
    await client.get("/fails/breaks")
    await client.get(f"/nowhere/{ident}")
    await client.request("BREW", f"/orders/{ident}")
    text = (await client.get("/metrics")).text
    assert str(ident) not in text
    assert "BREW" not in text
    for labels in (
        {"method": "POST", "route": "/orders/{order_id}", "status": "200"},
        {"method": "GET", "route": "/fails/{how}", "status": "500"},
        {"method": "GET", "route": "unmatched", "status": "404"},
    ):
        assert (REGISTRY.get_sample_value("xinqiao_http_requests_total", labels) or 0) >= 1, labels

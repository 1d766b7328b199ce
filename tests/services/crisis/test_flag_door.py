"""`POST /v1/flags`: taken once it is durable, or refused with the field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.bus import Bus, Refusal
from chassis.clock import new_id, now
from chassis.envelope import from_message
from contracts.hotline import RiskFlagged
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, HIGH, NEIGHBOUR, TOWN, Keys, World, a_flag, make_app, person
from tests.support.structured import to_structured


@pytest.fixture
async def door(world: World, bus: Bus) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(world, bus))
    async with httpx.AsyncClient(transport=transport, base_url="http://crisis") as opened:
        yield opened


@pytest.fixture
def line(keys: Keys) -> dict[str, str]:
    return keys.token("hotline", hotline="line-1")


def envelope(flag: RiskFlagged | None = None, **data: Any) -> dict[str, Any]:
    """The CloudEvent that a hotline posts."""
    document = to_structured(flag or a_flag(caller=person(), **HIGH), "line-1")
    return {**document, "data": {**document["data"], **data}}


async def on_stream(bus: Bus) -> int:
    return int((await bus.jetstream.stream_info("HOTLINE")).state.messages)


async def test_a_flag_is_taken_once_it_is_on_the_stream(
    bus: Bus, door: httpx.AsyncClient, line: dict[str, str]
) -> None:
    flag = a_flag(caller=person(), **HIGH)
    answer = await door.post("/v1/flags", json=envelope(flag), headers=line)
    assert answer.status_code == 202
    assert answer.json() == {"id": str(flag.id), "status": "accepted", "sequence": 1}
    kept = await bus.jetstream.get_msg("HOTLINE", 1)
    assert kept.subject == f"xinqiao.hotline.risk_flagged.v1.{COUNTY}"
    assert from_message(kept.subject, kept.headers, kept.data or b"") == flag


async def test_the_same_again_is_taken_and_kept_once(bus: Bus, door: httpx.AsyncClient, line: dict[str, str]) -> None:
    document = envelope()
    answers = [await door.post("/v1/flags", json=document, headers=line) for _ in range(2)]
    answers += await asyncio.gather(*(door.post("/v1/flags", json=document, headers=line) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [202] * 6
    assert {answer.json()["sequence"] for answer in answers} == {1}
    assert await on_stream(bus) == 1


async def test_the_same_id_with_another_body_is_a_conflict(
    bus: Bus, door: httpx.AsyncClient, line: dict[str, str]
) -> None:
    document = envelope()
    await door.post("/v1/flags", json=document, headers=line)
    document["data"]["act_in_progress"] = "yes"
    is_problem(await door.post("/v1/flags", json=document, headers=line), 409)
    assert await on_stream(bus) == 1


async def test_a_hotline_flags_for_itself_and_in_its_county_alone(
    bus: Bus, door: httpx.AsyncClient, keys: Keys
) -> None:
    cases: list[tuple[dict[str, Any] | None, int]] = [
        ({"roles": ["hotline"], "hotline": "line-2"}, 403),
        ({"roles": ["hotline"]}, 403),
        ({"roles": ["hotline"], "hotline": "line-1", "division": NEIGHBOUR}, 403),
        ({"roles": ["hotline"], "hotline": "line-1", "division": TOWN}, 403),
        ({"roles": ["supervisor"], "hotline": "line-1"}, 403),
        (None, 401),
    ]
    for claims, status in cases:
        headers: dict[str, str] = {}
        if claims is not None:
            claims = dict(claims)
            headers = keys.token(*claims.pop("roles"), **claims)
        is_problem(await door.post("/v1/flags", json=envelope(), headers=headers), status)
        assert await on_stream(bus) == 0


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


LATER = (now() + timedelta(hours=1)).isoformat()
RISK = "urn:xinqiao:schema:hotline.risk_flagged"
OF_CRISIS = {"type": "crisis.case_closed", "dataschema": "urn:xinqiao:schema:crisis.case_closed:v1"}
LONG = {"instrument": "c-ssrs-screener", "version": "1", "answers": [{"item": "q1", "answer": "no"}] * 201}
BAD: list[tuple[str, Any, str, str]] = [
    ("no specversion", lambda d: without(d, "specversion"), "bad_envelope", "specversion"),
    ("no id", lambda d: without(d, "id"), "bad_envelope", "id"),
    ("an id that is no uuid", lambda d: {**d, "id": "1"}, "bad_envelope", "id"),
    ("no time", lambda d: without(d, "time"), "bad_envelope", "time"),
    ("no data", lambda d: without(d, "data"), "not_an_object", "data"),
    ("data that is a list", lambda d: {**d, "data": [d["data"]]}, "not_an_object", "data"),
    ("a list", lambda d: [d], "not_an_object", ""),
    ("an unknown type", lambda d: {**d, "type": "hotline.risk_flaged"}, "unknown_type", ""),
    ("a type that is not taken here", lambda d: {**d, **OF_CRISIS}, "", ""),
    ("an unknown version", lambda d: {**d, "dataschema": RISK + ":v9"}, "unknown_version", ""),
    ("a version that is no number", lambda d: {**d, "dataschema": RISK + ":v²"}, "unknown_version", ""),
    ("a missing field", lambda d: {**d, "data": without(d["data"], "flagged_at")}, "invalid", "data.flagged_at"),
    ("an answer that is none", lambda d: data(d, act_in_progress="maybe"), "invalid", "data.act_in_progress"),
    ("a rating over 100", lambda d: data(d, suicidal_intensity=101), "invalid", "data.suicidal_intensity"),
    ("a pseudonym that is a name", lambda d: data(d, caller="张示例"), "invalid", "data.caller"),
    ("a contact that is not sealed", lambda d: data(d, sealed_contact="000-0000-0001"), "invalid", "data.sealed"),
    ("a town elsewhere", lambda d: data(d, division="370811001"), "invalid", "data"),
    ("an unknown county", lambda d: data(d, county="370899"), "unknown_division", "data.county"),
    ("an unknown town", lambda d: data(d, division="370812999"), "unknown_division", "data.division"),
    ("a time in the future", lambda d: data(d, flagged_at=LATER), "time_in_future", "data.flagged_at"),
    ("an envelope from the future", lambda d: {**d, "time": LATER}, "time_in_future", "time"),
    ("a time without an offset", lambda d: data(d, flagged_at="2026-11-22T08:00:00"), "invalid", "data.flagged_at"),
    ("a time as a number", lambda d: data(d, flagged_at=1763769600), "invalid", "data.flagged_at"),
    ("a time beyond the calendar", lambda d: data(d, flagged_at="9999-12-31T23:59:59-01:00"), "invalid", "data"),
    ("too many answers", lambda d: data(d, assessment=LONG), "invalid", "data.assessment.answers"),
    ("a contact after the flag", lambda d: data(d, contact_started_at=LATER), "invalid", "data"),
    ("an envelope inside the data", lambda d: data(d, region="370811"), "bad_envelope", "data.region"),
]


def data(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**document, "data": {**document["data"], **fields}}


async def test_what_cannot_be_taken_is_refused_with_its_field(bus: Bus, door: httpx.AsyncClient, keys: Keys) -> None:
    for name, spoil, reason, field in BAD:
        headers = keys.token("hotline", hotline="line-1", division="37")
        answer = await door.post("/v1/flags", json=spoil(envelope()), headers=headers)
        is_problem(answer, 422)
        assert reason in answer.json()["reason"], name
        assert answer.json()["field"].startswith(field), name
        assert "张示例" not in answer.text, "what a person wrote is not repeated"
        assert await on_stream(bus) == 0


async def test_what_is_not_json_is_refused(bus: Bus, door: httpx.AsyncClient, line: dict[str, str]) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id": "\\ud800"}', b'{"type": NaN'):
        answer = await door.post("/v1/flags", content=body, headers=line)
        is_problem(answer, 422)
        assert answer.json()["reason"] in ("malformed_json", "bad_envelope")


@pytest.mark.parametrize("told", [True, False], ids=["with its length told", "in chunks"])
async def test_a_body_over_the_limit_is_refused(
    bus: Bus, door: httpx.AsyncClient, line: dict[str, str], told: bool
) -> None:
    body = json.dumps(envelope(padding="x" * 300_000)).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 16_384):
            yield body[start : start + 16_384]

    answer = await door.post("/v1/flags", content=body if told else chunks(), headers=line)
    is_problem(answer, 413)
    assert await on_stream(bus) == 0


async def test_before_the_registrys_list_has_come_the_hotline_is_asked_to_try_again(
    world: World, bus: Bus, door: httpx.AsyncClient, line: dict[str, str]
) -> None:
    await world.database.clear("divisions")
    answer = await door.post("/v1/flags", json=envelope(), headers=line)
    is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


async def test_a_full_stream_is_no_fault_of_the_flag(
    bus: Bus, door: httpx.AsyncClient, line: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise Refusal(10077, "maximum bytes exceeded")

    monkeypatch.setattr(bus, "publish", full)
    is_problem(await door.post("/v1/flags", json=envelope(), headers=line), 503)


async def test_fields_that_are_not_known_yet_are_ignored(
    bus: Bus, door: httpx.AsyncClient, line: dict[str, str]
) -> None:
    answer = await door.post("/v1/flags", json=envelope(name="张示例", weather="rain"), headers=line)
    assert answer.status_code == 202
    kept = await bus.jetstream.get_msg("HOTLINE", 1)
    assert "张示例".encode() not in (kept.data or b""), "what the contract does not know does not reach the bus"


async def test_another_id_is_another_flag(bus: Bus, door: httpx.AsyncClient, line: dict[str, str]) -> None:
    document = envelope()
    for _ in range(2):
        assert (await door.post("/v1/flags", json=document, headers=line)).status_code == 202
        document["id"] = str(new_id())
    assert await on_stream(bus) == 2

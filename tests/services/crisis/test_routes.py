"""Every route of the office: who may, what comes back, and what is said when it cannot be."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jsonschema
import pytest

from chassis.clock import new_id
from chassis.tx import Tx
from tests.services.crisis.world import (
    ELSEWHERE,
    HIGH,
    HOSPITAL,
    IMMINENT,
    MODERATE,
    NEIGHBOUR,
    SUPERVISOR,
    TOWN,
    World,
    person,
)

REASON = {"reason": "会商决定"}
TO_LOW = {"tier": "low", **REASON}
SOME_ID = "00000000-0000-7000-8000-000000000009"

COMMANDS: list[tuple[str, Any, str]] = [
    ("acknowledge", None, "duty_officer"),
    ("raise", {"tier": "imminent", **REASON}, "duty_officer"),
    ("lowering", TO_LOW, "duty_officer"),
    ("lowering/agree", REASON, "supervisor"),
    ("emergency", {"service": "police_110"}, "duty_officer"),
    ("emergency/confirm", None, "duty_officer"),
    ("emergency/stand-down", REASON, "supervisor"),
    ("refer", {"override_reason": "联系不上本人"}, "duty_officer"),
    ("referral/cancel", REASON, "duty_officer"),
    (f"follow-ups/{SOME_ID}/attempts", {"outcome": "reached"}, "duty_officer"),
    ("decision", {"decision": "end_follow_up", **REASON}, "supervisor"),
    ("release", None, "duty_officer"),
    ("close", {"outcome": "risk_reduced", **REASON}, "supervisor"),
    ("contact", REASON, "duty_officer"),
    ("contact/erase", REASON, "supervisor"),
]
NAMES = [command for command, _, _ in COMMANDS]
LISTS = [
    ("/v1/cases", "duty_officer"),
    ("/v1/attention", "duty_officer"),
    ("/v1/follow-ups", "duty_officer"),
    ("/v1/referrals", "receiver"),
    ("/v1/audit-log", "auditor"),
]


async def send(
    client: httpx.AsyncClient, case_id: UUID | str, command: str, body: Any, headers: dict[str, str]
) -> httpx.Response:
    return await client.post(f"/v1/cases/{case_id}/{command}", json=body, headers=headers)


def is_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
    """RFC 9457, with the field where the input is wrong."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    if field is not None:
        assert content["field"] == field


# Who may


async def test_a_command_needs_a_token_a_role_and_the_division(world: World, client: httpx.AsyncClient) -> None:
    for command, body, role in COMMANDS:
        case = await world.flag(caller=person(), **HIGH)
        token = world.keys.token
        is_problem(await send(client, case["_id"], command, body, {}), 401)
        is_problem(await send(client, case["_id"], command, body, {"authorization": "Bearer x.y.z"}), 401)
        everyone_else = {"hotline", "receiver", "coordinator", "registrar", "statistician", "auditor", "operator"}
        if role == "supervisor":
            everyone_else.add("duty_officer")
        is_problem(await send(client, case["_id"], command, body, token(*everyone_else)), 403)
        for division in (NEIGHBOUR, TOWN, "370899"):
            answer = await send(client, case["_id"], command, body, token(role, division=division))
            is_problem(answer, 404)
        is_problem(await send(client, new_id(), command, body, token(role)), 404)
        is_problem(await send(client, "not-an-id", command, body, token(role)), 422, "path.case_id")
        assert (await world.case(case["_id"]))["timeline"] == case["timeline"], "none of them changed anything"


async def test_a_malformed_body_is_refused_with_its_field(world: World, client: httpx.AsyncClient) -> None:
    for command, body, role in [row for row in COMMANDS if row[1]]:
        case = await world.flag(caller=person(), **HIGH)
        token = world.keys.token(role)
        for name in body:
            is_problem(await send(client, case["_id"], command, {**body, name: [1]}, token), 422, f"body.{name}")
        is_problem(await send(client, case["_id"], command, {**body, "extra": 1}, token), 422, "body.extra")
        is_problem(await send(client, case["_id"], command, [], token), 422, "body")
        address = f"/v1/cases/{case['_id']}/{command}"
        headers = {**token, "content-type": "application/json"}
        is_problem(await client.post(address, content=b'{"reason":', headers=headers), 422)
        is_problem(await client.post(address, content=b" " * 300_000, headers=headers), 413)
        if "reason" in body:
            for reason in ("", "  ", "长" * 501):
                answer = await send(client, case["_id"], command, {**body, "reason": reason}, token)
                is_problem(answer, 422, "body.reason")


async def test_a_list_needs_a_token_and_a_role(world: World, client: httpx.AsyncClient) -> None:
    for address, role in LISTS:
        token = world.keys.token
        is_problem(await client.get(address), 401)
        is_problem(await client.get(address, headers=token("operator")), 403)
        is_problem(await client.get(f"{address}?limit=0", headers=token(role)), 422, "query.limit")
        is_problem(await client.get(f"{address}?limit=201", headers=token(role)), 422, "query.limit")


# What comes back


async def test_a_case_goes_its_way_over_http(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), **MODERATE)
    key = case["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    first, second = (world.keys.token("supervisor", sub=sub) for sub in ("supervisor-a", "supervisor-b"))

    async def ok(command: str, body: Any = None, headers: dict[str, str] = officer) -> dict[str, Any]:
        answer = await send(client, key, command, body, headers)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        assert "sealed" not in content
        return content

    assert (await ok("acknowledge"))["acknowledgement"]["by"] == "officer-a"
    is_problem(await send(client, key, "acknowledge", None, first), 409)
    assert (await ok("raise", {"tier": "imminent", **REASON}))["emergency"]["state"] == "required"
    is_problem(await send(client, key, "raise", {"tier": "high", **REASON}, officer), 409)
    is_problem(await send(client, key, "lowering", TO_LOW, officer), 409)
    is_problem(await send(client, key, "emergency/confirm", None, officer), 409)
    assert (await ok("emergency", {"service": "ambulance_120"}))["emergency"]["state"] == "called"
    assert (await ok("emergency/confirm"))["emergency"]["state"] == "confirmed"
    is_problem(await send(client, key, "emergency/stand-down", REASON, first), 409)
    is_problem(await send(client, key, "close", {"outcome": "risk_reduced", **REASON}, first), 409)
    assert (await ok("acknowledge"))["acknowledgement"]["state"] == "acknowledged"

    is_problem(await send(client, key, "refer", {}, officer), 409)
    sent = await ok("refer", {"override_reason": "联系不上本人"})
    assert (sent["state"], sent["organisation_id"]) == ("sent", str(HOSPITAL))
    is_problem(await send(client, key, "refer", {"override_reason": "再一次"}, officer), 409)
    assert (await ok("referral/cancel", REASON))["state"] == "cancelled"
    is_problem(await send(client, key, "referral/cancel", REASON, officer), 409)
    unknown = {"organisation_id": str(new_id()), "override_reason": "联系不上本人"}
    is_problem(await send(client, key, "refer", unknown, officer), 422, "organisation_id")
    named = await ok("refer", {"organisation_id": str(ELSEWHERE), "override_reason": "离家近"})
    assert named["organisation_id"] == str(ELSEWHERE)
    assert named["id"] != sent["id"]

    is_problem(await send(client, key, "lowering/agree", REASON, first), 409)
    assert (await ok("lowering", TO_LOW, first))["tier"] == "imminent"
    is_problem(await send(client, key, "lowering/agree", REASON, first), 403)
    assert (await ok("lowering/agree", REASON, second))["tier"] == "low"
    assert (await ok("release"))["responder"]["state"] == "released"
    closed = await ok("close", {"outcome": "in_treatment", **REASON}, first)
    assert (closed["state"], closed["outcome"]) == ("closed", "in_treatment")
    for command, body, role in COMMANDS:
        if not command.startswith("contact"):
            is_problem(await send(client, key, command, body, world.keys.token(role)), 409)
    seen = (await client.get(f"/v1/cases/{key}", headers=officer)).json()
    assert seen["referral"]["state"] == "cancelled"
    assert {item["state"] for item in seen["plan"]["follow_ups"]} == {"void"}


async def test_follow_ups_are_listed_attempted_and_decided_over_http(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    officer, supervisor = world.keys.token("duty_officer"), world.keys.token("supervisor")
    nothing: dict[str, Any] = {"plans": [], "next": None}
    assert (await client.get("/v1/follow-ups", headers=officer)).json() == nothing
    await world.until_due(key)
    (plan,) = (await client.get("/v1/follow-ups", headers=officer)).json()["plans"]
    assert plan["id"] == str(key)
    elsewhere = world.keys.token("duty_officer", division=NEIGHBOUR)
    assert (await client.get("/v1/follow-ups", headers=elsewhere)).json() == nothing
    due = f"follow-ups/{plan['follow_ups'][0]['id']}/attempts"
    assert (await send(client, key, due, {"outcome": "shouted"}, officer)).json()["field"] == "body.outcome"
    is_problem(await send(client, key, f"follow-ups/{new_id()}/attempts", {"outcome": "reached"}, officer), 404)
    is_problem(await send(client, key, "decision", {"decision": "end_follow_up", **REASON}, supervisor), 409)
    item = UUID(plan["follow_ups"][0]["id"])
    await world.try_each(key, item, "no_answer", "no_answer")
    assert (await send(client, key, due, {"outcome": "no_answer"}, officer)).json()["follow_ups"][0]["state"] == "due"
    await world.try_each(key, item, "no_answer")
    is_problem(await send(client, key, due, {"outcome": "reached"}, officer), 409)
    (waiting,) = (await client.get("/v1/attention", headers=officer)).json()["cases"]
    assert waiting["decisions_needed"] == ["follow_up_missed"]
    is_problem(await send(client, key, "decision", {"decision": "visit", **REASON}, supervisor), 422, "next_at")
    naive = {"decision": "visit", "next_at": "2026-12-01T08:00:00", **REASON}
    is_problem(await send(client, key, "decision", naive, supervisor), 422, "body.next_at")
    for moment in ("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00", "2020-01-01T00:00:00Z"):
        late = {"decision": "visit", "next_at": moment, **REASON}
        is_problem(await send(client, key, "decision", late, supervisor), 422, "next_at")
    tomorrow = {"decision": "visit", "next_at": (world.now + timedelta(days=1)).isoformat(), **REASON}
    decided = await send(client, key, "decision", tomorrow, supervisor)
    assert decided.json()["decisions_needed"] == []
    assert (await client.get("/v1/attention", headers=officer)).json()["cases"] == []


async def test_the_list_of_cases_is_the_callers_own_the_most_urgent_first(
    world: World, client: httpx.AsyncClient
) -> None:
    high = await world.flag(caller=person(1), **HIGH)
    town = await world.flag(division=TOWN, caller=person(2), **IMMINENT)
    later = await world.flag(caller=person(3), **HIGH)
    await world.flag(NEIGHBOUR, caller=person(4), **IMMINENT)
    await world.acknowledge(later["_id"], SUPERVISOR)

    async def listed(query: str = "", **claims: Any) -> list[str]:
        headers = world.keys.token("duty_officer", **claims)
        answer = await client.get(f"/v1/cases{query}", headers=headers)
        return [case["id"] for case in answer.json()["cases"]]

    mine = [str(case["_id"]) for case in (town, high, later)]
    assert await listed() == mine
    assert await listed("?limit=1") == mine[:1]
    assert await listed("?tier=high") == mine[1:]
    assert await listed("?waiting=false") == mine[2:]
    assert await listed("?waiting=true") == mine[:2]
    assert await listed(division=TOWN) == mine[:1]
    assert len(await listed(division="37")) == 4
    assert await listed(division="370812002") == []
    answer = await client.get("/v1/cases?tier=urgent", headers=world.keys.token("duty_officer"))
    is_problem(answer, 422, "query.tier")


@pytest.mark.parametrize("late", ["acknowledgement", "emergency", "follow_up", "referral", "responder"])
async def test_what_should_have_happened_and_did_not_asks_for_attention(
    world: World, client: httpx.AsyncClient, late: str
) -> None:
    said = IMMINENT if late == "emergency" else HIGH
    key = (await world.flag(caller=person(), **said))["_id"]
    await world.acknowledge(key)
    officer = world.keys.token("duty_officer")

    async def waiting() -> list[str]:
        answer = await client.get("/v1/attention", headers=officer)
        return [case["id"] for case in answer.json()["cases"]]

    match late:
        case "acknowledgement":
            assert await waiting() == []
            await world.flag(caller=person(), **HIGH)
            await world.fire(f"acknowledgement:{key}")
        case "responder":
            assert await waiting() == []
            case = await world.case(key)
            case["responder"]["since"] -= timedelta(minutes=3)

            async def long_ago(tx: Tx) -> None:
                tx.put("cases", case)

            await world.do(long_ago)
        case "follow_up":
            assert await waiting() == []
            await world.fire(f"follow_up:{key}")
            assert await waiting() == []
            await world.fire(f"follow_up:{key}")
        case "referral":
            assert await waiting() == []
            referral = await world.refer(key)
            await world.fire(f"referral:{referral['_id']}")
            assert await waiting() == []
            await world.fire(f"referral:{referral['_id']}")
    assert await waiting() == [str(key)]
    elsewhere = world.keys.token("duty_officer", division=NEIGHBOUR)
    assert (await client.get("/v1/attention", headers=elsewhere)).json() == {"cases": [], "unsent_referrals": []}


async def test_a_case_is_shown_with_its_plan_and_referral_to_its_division_alone(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    seen = (await client.get(f"/v1/cases/{key}", headers=world.keys.token("supervisor"))).json()
    assert seen["id"] == str(key)
    assert seen["referral"]["state"] == "drafted"
    assert len(seen["plan"]["follow_ups"]) == 7
    is_problem(await client.get(f"/v1/cases/{key}"), 401)
    for headers, status in (
        (world.keys.token("supervisor", division=NEIGHBOUR), 404),
        (world.keys.token("volunteer", sub="None"), 404),
        (world.keys.token("receiver"), 403),
    ):
        is_problem(await client.get(f"/v1/cases/{key}", headers=headers), status)


async def test_a_receiver_sees_and_answers_what_was_sent_to_the_institution(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    here = world.keys.token("receiver", sub="receiver-a", organisation=str(HOSPITAL))
    there = world.keys.token("receiver", organisation=str(ELSEWHERE))

    async def listed(headers: dict[str, str], query: str = "") -> list[str]:
        answer = await client.get(f"/v1/referrals{query}", headers=headers)
        return [referral["id"] for referral in answer.json()["referrals"]]

    referral = await world.referral(key)
    address = f"/v1/referrals/{referral['_id']}/answer"
    assert await listed(here) == [], "a draft is not sent"
    is_problem(await client.post(address, json={"state": "received"}, headers=here), 404)
    await world.refer(key)
    assert await listed(here) == [str(referral["_id"])]
    assert await listed(here, "?state=sent&state=received") == [str(referral["_id"])]
    assert await listed(here, "?state=completed") == []
    assert await listed(there) == []
    for claims in ({}, {"organisation": "not-a-uuid"}):
        nowhere = world.keys.token("receiver", **claims)
        is_problem(await client.get("/v1/referrals", headers=nowhere), 404)
        is_problem(await client.post(address, json={"state": "received"}, headers=nowhere), 404)
    is_problem(await client.post(address, json={"state": "received"}), 401)
    is_problem(await client.post(address, json={"state": "received"}, headers=world.keys.token("supervisor")), 403)
    is_problem(await client.post(address, json={"state": "received"}, headers=there), 404)
    is_problem(await client.post(address, json={"state": "lost"}, headers=here), 422, "body.state")
    for state in ("accepted", "completed", "cancelled", "expired", "drafted", "sent"):
        answer = await client.post(address, json={"state": state}, headers=here)
        assert answer.status_code == (200 if state == "sent" else 409), f"{state}: {answer.text}"
    answer = await client.post(address, json={"state": "received"}, headers=here)
    assert (answer.json()["state"], answer.json()["receiver"]) == ("received", "receiver-a")
    is_problem(await client.post(address, json={"state": "declined"}, headers=here), 422, "reason")
    assert (await client.post(address, json={"state": "accepted"}, headers=here)).status_code == 200
    is_problem(await client.post(address, json={"state": "scheduled"}, headers=here), 422, "at")


async def test_an_auditor_reads_the_chain_from_where_the_last_reading_ended(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.flag(caller=person(), **MODERATE)
    for said in (HIGH, IMMINENT):
        await world.flag(caller=person(), **said)
    auditor = world.keys.token("auditor")
    first = (await client.get("/v1/audit-log?limit=1", headers=auditor)).json()["entries"]
    rest = (await client.get(f"/v1/audit-log?after={first[0]['_id']}", headers=auditor)).json()["entries"]
    assert [entry["details"]["tier"] for entry in first + rest] == ["high", "imminent"]
    assert rest[0]["previous"] == first[0]["hash"]
    is_problem(await client.get(f"/v1/audit-log?after={10**30}", headers=auditor), 422, "query.after")
    assert person() not in str(first + rest), "ids and codes, no pseudonym"


async def test_the_sealing_key_is_public_and_holds_nothing_private(world: World, client: httpx.AsyncClient) -> None:
    key = (await client.get("/v1/sealing-key", headers=world.keys.token("hotline"))).json()
    assert (key["kty"], key["crv"]) == ("EC", "P-256")
    assert "d" not in key


async def test_what_became_of_a_flag_is_told_to_its_hotline_and_its_division(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    address = f"/v1/flags/{case['flags'][0]['id']}"
    token = world.keys.token
    for headers in (token("hotline", hotline="line-1", division=NEIGHBOUR), token("duty_officer")):
        assert (await client.get(address, headers=headers)).json() == {
            "flag_id": str(case["flags"][0]["id"]),
            "case_id": str(case["_id"]),
            "case_state": "open",
        }
    for headers in (token("hotline", hotline="line-2"), token("supervisor", division=NEIGHBOUR)):
        is_problem(await client.get(address, headers=headers), 404)
    is_problem(await client.get(f"/v1/flags/{new_id()}", headers=token("supervisor")), 404)
    is_problem(await client.get(address), 401)
    is_problem(await client.get(address, headers=token("operator")), 403)


ROUTES = {
    *(f"POST /v1/cases/{{case_id}}/{command.replace(SOME_ID, '{follow_up_id}')}" for command in NAMES),
    *(f"GET {address}" for address, _ in LISTS),
    "POST /v1/flags",
    "GET /v1/flags/{flag_id}",
    "GET /v1/sealing-key",
    "GET /v1/cases/{case_id}",
    "POST /v1/referrals/{referral_id}/answer",
}
"""The routes that this module tests; each module that tests routes names them so."""


async def test_every_route_is_named_by_a_module_that_tests_it(client: httpx.AsyncClient) -> None:
    """A route that is added needs its tests too."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    tested: set[str] = set()
    for module in sorted(Path(__file__).parent.glob("test_*.py")):
        tested |= set(getattr(importlib.import_module(f"{__package__}.{module.stem}"), "ROUTES", ()))
    assert there == tested


async def test_every_route_needs_a_token_and_a_role(client: httpx.AsyncClient, world: World) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path, methods in paths.items():
        address = re.sub(r"\{[a-z_]+\}", SOME_ID, path)
        for method in methods:
            is_problem(await client.request(method, address), 401)
            is_problem(await client.request(method, address, headers=world.keys.token()), 403)


async def test_every_body_has_an_example_that_its_schema_takes(client: httpx.AsyncClient) -> None:
    description = (await client.get("/openapi.json")).json()
    lacking = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                if kind != "application/json" or not name:
                    continue
                schema = description["components"]["schemas"][name]
                examples = schema.get("examples") or []
                lacking += [] if examples else [f"{method} {path}"]
                whole = {**schema, "components": description["components"]}
                for example in examples:
                    jsonschema.validate(example, whole)
    assert lacking == []

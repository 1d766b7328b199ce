"""Risk registers: the risk plan without which no plan is approved, and each risk's way to its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, new_id
from services.crisis.commands.risk_register import has_risk_plan
from services.crisis.domain.ledger_policy import LedgerPolicy
from services.crisis.domain.risk_register import LIVE, NEXT, RiskLevel, RiskState, allows, level, next_review, overdue
from services.crisis.domain.versions import load_versions
from tests.services.crisis.incidents import SECTIONS, a_plan, ok, refused
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {
    "GET /v1/risk-registers",
    "GET /v1/risk-registers/overdue",
    "GET /v1/risk-registers/{register_id}",
    "PUT /v1/risk-registers/{register_id}",
    "POST /v1/risk-registers/{register_id}/approve",
    "POST /v1/risk-registers/{register_id}/risks/{risk_id}/move",
    "POST /v1/risk-registers/{register_id}/risks/{risk_id}/review",
}
BOUNDS = load_versions(LedgerPolicy, "ledger").of("2026-11").risks
REASON = {"reason": "经会商"}


@pytest.fixture
def writer(world: World) -> dict[str, str]:
    return world.keys.token("department", sub="writer")


@pytest.fixture
def approver(world: World) -> dict[str, str]:
    return world.keys.token("supervisor", sub="approver")


def a_risk(world: World, ident: str = "overload", days: int = 30, **said: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "title": "志愿者超负荷服务",
        "likelihood": 3,
        "severity": 4,
        "owner": "owner-a",
        "response": "限定每周服务时长，每月督导",
        "review_on": str(local_day(world.now) + timedelta(days=days)),
        **said,
    }


def a_register(world: World, **said: Any) -> dict[str, Any]:
    return {
        "about": "project",
        "reference_id": str(new_id()),
        "division": COUNTY,
        "title": "示例项目风险防控和处置预案",
        "risks": [a_risk(world)],
        "revision": 1,
        **said,
    }


async def approved(
    client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str], body: dict[str, Any]
) -> str:
    address = f"/v1/risk-registers/{new_id()}"
    await ok(client.put(address, json=body, headers=writer))
    await ok(client.post(f"{address}/approve", json={"revision": 1, **REASON}, headers=approver))
    return address


async def test_a_risk_is_kept_with_its_likelihood_owner_and_response(
    world: World, client: httpx.AsyncClient, writer: dict[str, str]
) -> None:
    address = f"/v1/risk-registers/{new_id()}"
    body = a_register(world, risks=[a_risk(world), a_risk(world, "minor", likelihood=1, severity=2)])
    written = await ok(client.put(address, json=body, headers=writer))
    risk = written["risks"][0]
    assert {name: risk[name] for name in body["risks"][0]} == body["risks"][0]
    assert [(one["state"], one["level"]) for one in written["risks"]] == [("open", "high"), ("open", "low")]
    assert (written["state"], written["overdue"]) == ("draft", [])
    assert await ok(client.put(address, json=body, headers=writer)) == written, "the same again changes nothing"
    assert await ok(client.get(address, headers=writer)) == written
    listed = await ok(client.get("/v1/risk-registers?state=draft", headers=writer))
    assert [one["id"] for one in listed["registers"]] == [written["id"]]
    assert (await ok(client.get("/v1/risk-registers?state=approved", headers=writer)))["registers"] == []
    other = {**body, "title": "另一份"}
    assert (await refused(client.put(address, json=other, headers=writer), 409))["reason"] == "revision"
    elsewhere = f"/v1/risk-registers/{new_id()}"
    await refused(client.put(elsewhere, json=body, headers=writer), 409, "body.reference_id")
    await refused(client.put(elsewhere, json=a_register(world, revision=2), headers=writer), 409, "body.revision")
    moved = {**body, "reference_id": str(new_id()), "revision": 2}
    await refused(client.put(address, json=moved, headers=writer), 409, "body.reference_id")


async def test_a_project_has_a_risk_plan_once_another_person_approved_it(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    body = a_register(world)
    key = new_id()
    address = f"/v1/risk-registers/{key}"

    async def has() -> bool:
        register = await world.database.get("risk_registers", key)
        assert register is not None
        return await world.do(lambda tx: has_risk_plan(tx, register["reference_id"]))

    assert not await world.do(lambda tx: has_risk_plan(tx, new_id()))
    await ok(client.put(address, json={**body, "risks": []}, headers=writer))
    nothing = await refused(client.post(f"{address}/approve", json={"revision": 1, **REASON}, headers=approver), 409)
    assert nothing["reason"] == "no_risk"
    await ok(client.put(address, json={**body, "revision": 2}, headers=writer))
    assert not await has()
    await refused(client.post(f"{address}/approve", json={"revision": 2, **REASON}, headers=writer), 403)
    late = client.post(f"{address}/approve", json={"revision": 1, **REASON}, headers=approver)
    await refused(late, 409, "body.revision")
    told = await ok(client.post(f"{address}/approve", json={"revision": 2, **REASON}, headers=approver))
    assert (told["state"], told["approved_by"]) == ("approved", "approver")
    assert await has()
    await refused(client.post(f"{address}/approve", json={"revision": 2, **REASON}, headers=approver), 409)
    milder = {**body, "risks": [a_risk(world, likelihood=1)], "revision": 3}
    assert (await ok(client.put(address, json=milder, headers=writer)))["state"] == "draft"
    assert not await has(), "a risk that is made smaller wants a second person again"
    await refused(client.put(address, json={**body, "risks": [], "revision": 4}, headers=writer), 409, "body.risks")
    (entry,) = [entry for entry in await world.audit_log() if entry["action"] == "risk_register_approved"]
    assert (entry["actor"], entry["division"], entry["reason"]) == ("approver", COUNTY, REASON["reason"])


async def test_an_emergency_plan_takes_an_approved_register_for_its_risk_plan(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    sections = [section for section in SECTIONS if section["code"] != "risk-plan"]
    plan = f"/v1/emergency-plans/{new_id()}"
    drafted = await ok(client.put(plan, json=a_plan(sections=sections), headers=writer))
    approval = {"revision": 1, **REASON}
    assert (
        "risk-plan" in (await refused(client.post(f"{plan}/approve", json=approval, headers=approver), 409))["detail"]
    )
    address = f"/v1/risk-registers/{new_id()}"
    body = a_register(world, about="emergency_plan", reference_id=drafted["id"])
    await ok(client.put(address, json=body, headers=writer))
    await refused(client.post(f"{plan}/approve", json=approval, headers=approver), 409, "sections")
    await ok(client.post(f"{address}/approve", json=approval, headers=approver))
    assert (await ok(client.post(f"{plan}/approve", json=approval, headers=approver)))["state"] == "approved"
    for said in ({"reference_id": str(new_id())}, {"reference_id": drafted["id"], "division": TOWN}):
        wrong = a_register(world, about="emergency_plan", **said)
        sent = client.put(f"/v1/risk-registers/{new_id()}", json=wrong, headers=writer)
        await refused(sent, 422, "body.reference_id")


async def test_a_risk_is_mitigated_occurs_and_is_closed_by_another_than_its_owner(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    address = await approved(client, writer, approver, a_register(world))
    owner = world.keys.token("department", sub="owner-a")
    risk = f"{address}/risks/overload"
    await refused(client.post(f"{risk}/move", json={"state": "closed", **REASON}, headers=writer), 409, "body.state")
    told = await ok(client.post(f"{risk}/move", json={"state": "mitigated", **REASON}, headers=owner))
    assert (told["risks"][0]["state"], told["state"]) == ("mitigated", "approved")
    assert await ok(client.post(f"{risk}/move", json={"state": "mitigated", **REASON}, headers=owner)) == told
    await ok(client.post(f"{risk}/move", json={"state": "occurred", **REASON}, headers=owner))
    await refused(client.post(f"{risk}/move", json={"state": "closed", **REASON}, headers=owner), 403)
    told = await ok(client.post(f"{risk}/move", json={"state": "closed", **REASON}, headers=writer))
    assert (told["risks"][0]["state"], told["next_review_on"]) == ("closed", None)
    day = str(local_day(world.now) + timedelta(days=5))
    await refused(client.post(f"{risk}/review", json={"review_on": day, **REASON}, headers=writer), 409)
    await refused(client.post(f"{address}/risks/none/move", json={"state": "open", **REASON}, headers=writer), 404)
    moves = [entry["details"] for entry in await world.audit_log() if entry["action"] == "risk_moved"]
    assert [(one["previous"], one["state"]) for one in moves] == [
        ("open", "mitigated"),
        ("mitigated", "occurred"),
        ("occurred", "closed"),
    ]


async def test_a_review_that_is_overdue_shows_until_somebody_has_looked(
    world: World,
    client: httpx.AsyncClient,
    writer: dict[str, str],
    approver: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.crisis.api.risk_register.now", lambda: world.now)
    risks = [a_risk(world, days=3), a_risk(world, "crowding", days=60)]
    address = await approved(client, writer, approver, a_register(world, risks=risks))

    async def late() -> list[list[str]]:
        listed = await ok(client.get("/v1/risk-registers/overdue", headers=writer))
        return [one["overdue"] for one in listed["registers"]]

    assert await late() == []
    await world.pass_time(timedelta(days=3))
    assert await late() == [], "the day itself is not over"
    await world.pass_time(timedelta(days=1))
    assert await late() == [["overload"]]
    beside = world.keys.token("department", division=NEIGHBOUR)
    assert (await ok(client.get("/v1/risk-registers/overdue", headers=beside)))["registers"] == []
    today = local_day(world.now)
    review = f"{address}/risks/overload/review"
    for day in (today - timedelta(days=1), today + timedelta(days=BOUNDS.longest_review_days + 1)):
        sent = client.post(review, json={"review_on": str(day), **REASON}, headers=writer)
        await refused(sent, 422, "body.review_on")
    said = a_register(world, risks=[{**risks[0], "review_on": str(today + timedelta(days=9))}, risks[1]], revision=2)
    said["reference_id"] = (await ok(client.get(address, headers=writer)))["reference_id"]
    await refused(client.put(address, json=said, headers=writer), 409, "body.risks.0.review_on")
    later = str(today + timedelta(days=30))
    told = await ok(client.post(review, json={"review_on": later, **REASON}, headers=writer))
    assert (told["risks"][0]["reviewed_by"], told["risks"][0]["review_on"], told["overdue"]) == ("writer", later, [])
    assert await late() == []


async def test_a_register_is_the_divisions_own_and_the_offices_alone(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    address = await approved(client, writer, approver, a_register(world))
    key = address.rsplit("/", 1)[1]
    calls: list[tuple[str, str, Any]] = [
        ("GET", address, None),
        ("PUT", address, a_register(world, revision=2)),
        ("POST", f"{address}/approve", {"revision": 1, **REASON}),
        ("POST", f"{address}/risks/overload/move", {"state": "mitigated", **REASON}),
        ("POST", f"{address}/risks/overload/review", {"review_on": str(local_day(world.now)), **REASON}),
    ]
    for method, place, body in calls:
        for division in (NEIGHBOUR, TOWN):
            beside = world.keys.token("supervisor", "department", division=division)
            await refused(client.request(method, place, json=body, headers=beside), 404)
        await refused(client.request(method, place, json=body, headers=world.keys.token("duty_officer")), 403)
        unknown = place.replace(key, str(new_id()))
        if method != "PUT":
            await refused(client.request(method, unknown, json=body, headers=writer), 404)
    assert (await ok(client.get("/v1/risk-registers", headers=world.keys.token("department", division=NEIGHBOUR))))[
        "registers"
    ] == []
    new = f"/v1/risk-registers/{new_id()}"
    for field, wrong in (
        ("likelihood", 6),
        ("likelihood", 0),
        ("severity", "3"),
        ("owner", "张 示例"),
        ("response", ""),
    ):
        body = a_register(world, risks=[{**a_risk(world), field: wrong}])
        await refused(client.put(new, json=body, headers=writer), 422, f"body.risks.0.{field}")
    twice = a_register(world, risks=[a_risk(world), a_risk(world)])
    await refused(client.put(new, json=twice, headers=writer), 422, "body.risks")
    past = a_register(world, risks=[a_risk(world, days=-1)])
    await refused(client.put(new, json=past, headers=writer), 422, "body.risks.0.review_on")
    unknown_place = a_register(world, division=f"{TOWN}999")
    await refused(client.put(new, json=unknown_place, headers=writer), 422, "body.division")


def test_every_state_of_a_risk_can_be_reached_and_a_closed_one_is_over() -> None:
    assert set(NEXT) == set(RiskState)
    assert {following for states in NEXT.values() for following in states} == set(RiskState)
    assert {state for state in RiskState if not NEXT[state]} == {RiskState.closed} == set(RiskState) - LIVE
    assert not allows(RiskState.open, RiskState.closed), "nothing is closed of which nothing was done"


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_a_likelier_or_severer_risk_is_never_a_lesser_one(one: int, two: int, more: int, harder: int) -> None:
    order = list(RiskLevel)
    worse = level(min(5, one + more), min(5, two + harder), BOUNDS)
    assert order.index(worse) >= order.index(level(one, two, BOUNDS))


@given(st.lists(st.tuples(st.sampled_from(list(RiskState)), st.integers(1, 28))), st.integers(1, 28))
def test_what_is_overdue_is_exactly_what_lives_past_its_day(said: list[tuple[RiskState, int]], day: int) -> None:
    risks = [
        {"id": str(number), "state": state.value, "review_on": f"2026-03-{when:02d}"}
        for number, (state, when) in enumerate(said)
    ]
    today = f"2026-03-{day:02d}"
    first = next_review(risks)
    assert bool(overdue(risks, today)) == (first is not None and first < today)
    assert overdue(risks, today) == [
        str(number) for number, (state, when) in enumerate(said) if when < day and state is not RiskState.closed
    ]

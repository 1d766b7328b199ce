"""Emergency plans: written by one person, approved by another, never without their psychological part."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id
from services.crisis.domain.emergency_plans import NEXT, PlanState, allows, batch_mistake, missing_sections
from tests.services.crisis.incidents import CITY, SECTIONS, a_plan, approved_plan, ok, refused
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {
    "GET /v1/emergency-plans",
    "GET /v1/emergency-plans/gaps",
    "GET /v1/emergency-plans/{plan_id}",
    "PUT /v1/emergency-plans/{plan_id}",
    "PUT /v1/emergency-plans/{plan_id}/batches",
    "POST /v1/emergency-plans/{plan_id}/approve",
    "POST /v1/emergency-plans/{plan_id}/withdraw",
    "POST /v1/emergency-plans/{plan_id}/attachments/import",
    "GET /v1/emergency-plans/{plan_id}/attachments/{attachment_id}",
}
PDF = b"%PDF-1.7\n" + b"x" * 300_000
REASON = {"reason": "经会商"}


def batch(number: int, hour: int, hours: int = 2, place: str = "东门") -> dict[str, Any]:
    start = datetime(2026, 4, 1, hour, tzinfo=UTC)
    return {
        "batch": number,
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=hours)).isoformat(),
        "place": place,
        "families": 20,
    }


@pytest.fixture
def writer(world: World) -> dict[str, str]:
    return world.keys.token("department", sub="writer")


@pytest.fixture
def approver(world: World) -> dict[str, str]:
    return world.keys.token("supervisor", sub="approver")


async def a_draft(client: httpx.AsyncClient, headers: dict[str, str], **said: Any) -> str:
    plan = await ok(client.put(f"/v1/emergency-plans/{new_id()}", json=a_plan(**said), headers=headers))
    return f"/v1/emergency-plans/{plan['id']}"


async def test_a_plan_is_approved_by_another_person_and_supersedes_the_one_before(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    first = await a_draft(client, writer)
    own = await refused(client.post(f"{first}/approve", json={"revision": 1, **REASON}, headers=writer), 403)
    assert "does not approve" in own["detail"]
    await refused(client.post(f"{first}/approve", json={"revision": 2, **REASON}, headers=approver), 409, "revision")
    approved = await ok(client.post(f"{first}/approve", json={"revision": 1, **REASON}, headers=approver))
    assert (approved["state"], approved["approved_by"], approved["version"]) == ("approved", "approver", 1)
    second = await a_draft(client, writer, title="地震应急预案（修订）")
    newer = await ok(client.post(f"{second}/approve", json={"revision": 1, **REASON}, headers=approver))
    assert newer["version"] == 2
    assert (await ok(client.get(first, headers=writer)))["state"] == "superseded"
    for plan in (first, second):
        await refused(client.post(f"{plan}/approve", json={"revision": 1, **REASON}, headers=approver), 409)
        await refused(client.put(plan, json=a_plan(revision=2), headers=writer), 409)
    actions = [entry["action"] for entry in await world.audit_log()]
    assert actions == ["emergency_plan_approved", "emergency_plan_approved"]
    listed = await ok(client.get("/v1/emergency-plans?state=approved&kind=natural_disaster", headers=writer))
    assert [plan["version"] for plan in listed["plans"]] == [2]


@pytest.mark.parametrize("code", ["psychological-part", "risk-plan"])
async def test_a_plan_without_its_psychological_part_or_risk_plan_cannot_be_approved(
    client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str], code: str
) -> None:
    others = [section for section in SECTIONS if section["code"] != code]
    for sections in (others, [*others, {"code": code, "text": "  "}]):
        plan = await a_draft(client, writer, sections=sections)
        problem = await refused(
            client.post(f"{plan}/approve", json={"revision": 1, **REASON}, headers=approver), 409, "sections"
        )
        assert code in problem["detail"]
        assert problem["reason"] == "section_missing"


async def test_a_draft_is_written_revision_by_revision(
    client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    address = f"/v1/emergency-plans/{new_id()}"
    await refused(client.put(address, json=a_plan(revision=2), headers=writer), 409, "revision")
    await ok(client.put(address, json=a_plan(), headers=writer))
    again = await ok(client.put(address, json=a_plan(), headers=writer))
    assert len(again["history"]) == 1, "the same again changes nothing"
    problem = await refused(client.put(address, json=a_plan(title="另一份"), headers=writer), 409, "revision")
    assert problem["reason"] == "revision"
    await refused(client.put(address, json=a_plan(kind="accident", revision=2), headers=writer), 409, "division")
    twice = a_plan(sections=[SECTIONS[0], SECTIONS[0]], revision=2)
    await refused(client.put(address, json=twice, headers=writer), 422, "sections")
    await ok(client.put(address, json=a_plan(title="另一份", revision=2), headers=approver))
    own = client.post(f"{address}/approve", json={"revision": 2, **REASON}, headers=approver)
    await refused(own, 403)


async def test_ashes_are_handed_over_in_batches_that_do_not_crowd(
    client: httpx.AsyncClient, writer: dict[str, str]
) -> None:
    """A plan carries the schedule as rows of numbers and times; no family is named."""
    plan = await a_draft(client, writer, kind="public_health")
    rows = [batch(1, 1), batch(2, 3), batch(3, 1, place="西门")]
    kept = await ok(client.put(f"{plan}/batches", json={"revision": 2, "batches": rows}, headers=writer))
    assert [(row["batch"], row["families"], row["place"]) for row in kept["batches"]] == [
        (1, 20, "东门"),
        (2, 20, "东门"),
        (3, 20, "西门"),
    ]
    again = await ok(client.put(f"{plan}/batches", json={"revision": 2, "batches": rows}, headers=writer))
    assert again["history"] == kept["history"]
    for wrong, field in (
        ([batch(1, 1), batch(2, 2)], "batches.1.starts_at"),
        ([batch(1, 3, -1)], "batches.0.ends_at"),
        ([batch(2, 1)], "batches"),
        ([{**batch(1, 1), "ends_at": "9999-12-31T23:59:59-01:00"}], "batches.0.ends_at"),
        ([{**batch(1, 1), "family_name": "张示例"}], "body.batches.0.family_name"),
    ):
        body = {"revision": 3, "batches": wrong}
        await refused(client.put(f"{plan}/batches", json=body, headers=writer), 422, field)
    late = {"revision": 2, "batches": rows[:1]}
    await refused(client.put(f"{plan}/batches", json=late, headers=writer), 409, "revision")


async def test_a_file_is_attached_with_its_digest_and_comes_back_as_it_was(
    client: httpx.AsyncClient, writer: dict[str, str]
) -> None:
    plan = await a_draft(client, writer)
    address = f"{plan}/attachments/import?title=流程图"
    pdf = {**writer, "content-type": "application/pdf"}
    kept = await ok(client.post(address, content=PDF, headers=pdf))
    (row,) = kept["attachments"]
    assert (row["sha256"], row["bytes"]) == (hashlib.sha256(PDF).hexdigest(), len(PDF))
    assert len((await ok(client.post(address, content=PDF, headers=pdf)))["attachments"]) == 1
    answer = await client.get(f"{plan}/attachments/{row['id']}", headers=writer)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PDF, "application/pdf")
    assert answer.headers["digest"] == f"sha-256={row['sha256']}"
    await refused(client.get(f"{plan}/attachments/{new_id()}", headers=writer), 404)
    html = {**writer, "content-type": "text/html"}
    await refused(client.post(address, content=b"<html>", headers=html), 422, "header.content-type")
    for content in (b"", b"MZ no pdf"):
        await refused(client.post(address, content=content, headers=pdf), 422, "file")
    large = await refused(client.post(address, content=b"%PDF-" + bytes(5_242_880), headers=pdf), 413)
    assert large["reason"] == "too_large"
    await refused(client.post(f"{plan}/attachments/import", content=PDF, headers=pdf), 422, "query.title")


async def test_a_plan_taken_out_of_force_leaves_a_gap_that_shows(
    world: World, client: httpx.AsyncClient, writer: dict[str, str], approver: dict[str, str]
) -> None:
    async def gap() -> list[str]:
        gaps = (await ok(client.get("/v1/emergency-plans/gaps", headers=writer)))["gaps"]
        return next((row["kinds"] for row in gaps if row["division"] == COUNTY), [])

    assert "natural_disaster" in await gap()
    plan = await approved_plan(client, world)
    address = f"/v1/emergency-plans/{plan['id']}"
    assert "natural_disaster" not in await gap()
    await refused(client.post(f"{address}/withdraw", json=REASON, headers=approver), 403)
    withdrawn = await ok(client.post(f"{address}/withdraw", json=REASON, headers=writer))
    assert withdrawn["state"] == "withdrawn"
    assert "natural_disaster" in await gap()
    await refused(client.post(f"{address}/withdraw", json=REASON, headers=writer), 409)
    await approved_plan(client, world, CITY)
    assert "natural_disaster" not in await gap(), "the city's plan stands for its counties"


async def test_a_plan_is_seen_from_below_once_it_is_approved_and_by_nobody_beside(
    world: World, client: httpx.AsyncClient
) -> None:
    planner = world.keys.token("department", sub="city-writer", division=CITY)
    draft = await a_draft(client, planner, division=CITY)
    below = world.keys.token("duty_officer")
    await refused(client.get(draft, headers=below), 404)
    assert (await ok(client.get("/v1/emergency-plans", headers=below)))["plans"] == []
    second = world.keys.token("department", sub="city-approver", division=CITY)
    await ok(client.post(f"{draft}/approve", json={"revision": 1, **REASON}, headers=second))
    assert (await ok(client.get(draft, headers=below)))["division"] == CITY
    assert len((await ok(client.get("/v1/emergency-plans", headers=below)))["plans"]) == 1
    county = await approved_plan(client, world)
    beside = world.keys.token("supervisor", division=NEIGHBOUR)
    address = f"/v1/emergency-plans/{county['id']}"
    for sent in (
        client.get(address, headers=beside),
        client.put(address, json=a_plan(revision=2), headers=beside),
        client.put(f"/v1/emergency-plans/{new_id()}", json=a_plan(), headers=beside),
        client.put(f"{address}/batches", json={"revision": 2, "batches": []}, headers=beside),
        client.post(f"{address}/approve", json={"revision": 1, **REASON}, headers=beside),
        client.post(f"{address}/withdraw", json=REASON, headers=beside),
        client.post(f"{address}/attachments/import?title=x", content=PDF, headers=beside),
        client.get(f"{address}/attachments/{new_id()}", headers=beside),
    ):
        await refused(sent, 404)
    officer = world.keys.token("duty_officer")
    await refused(client.put(f"/v1/emergency-plans/{new_id()}", json=a_plan(), headers=officer), 403)
    unknown = a_plan(division=f"{TOWN}999")
    await refused(
        client.put(f"/v1/emergency-plans/{new_id()}", json=unknown, headers=world.keys.token("supervisor")),
        422,
        "division",
    )
    for name, wrong in (("kind", "flood"), ("division", "37x"), ("sections", 1), ("title", "x"), ("revision", 0)):
        sent = client.put(address, json={**a_plan(), name: wrong}, headers=planner)
        await refused(sent, 422, f"body.{name}")


def test_a_plan_that_ended_moves_no_more_and_every_state_can_be_reached() -> None:
    assert {state for state in PlanState if not NEXT[state]} == {PlanState.superseded, PlanState.withdrawn}
    assert set(NEXT) == set(PlanState)
    assert {following for states in NEXT.values() for following in states} == set(PlanState) - {PlanState.draft}
    assert not allows(PlanState.approved, PlanState.draft)


@given(
    st.lists(st.sampled_from(["psychological-part", "risk-plan", "other"]), unique=True), st.lists(st.text(min_size=1))
)
def test_no_policy_lets_the_psychological_part_be_left_out(codes: list[str], required: list[str]) -> None:
    missing = missing_sections([{"code": code, "text": "内容"} for code in codes], required)
    assert ("psychological-part" in missing) == ("psychological-part" not in codes)
    assert set(missing) == ({"psychological-part", *required}) - set(codes)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5), st.sampled_from("东西")), max_size=6))
def test_a_schedule_is_right_exactly_if_no_two_batches_share_a_place_and_a_moment(
    said: list[tuple[int, int, str]],
) -> None:
    day = datetime(2026, 4, 1, tzinfo=UTC)
    rows = [
        {
            "batch": number,
            "starts_at": day + timedelta(hours=start),
            "ends_at": day + timedelta(hours=start + hours),
            "place": place,
        }
        for number, (start, hours, place) in enumerate(said, 1)
    ]
    taken = [(place, start + hour) for start, hours, place in said for hour in range(hours)]
    assert (batch_mistake(rows) is None) == (len(taken) == len(set(taken)))

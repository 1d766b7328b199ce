"""The task ledger: the plan's projects and tasks, each with who answers for it, what shows it, and who has looked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, new_id
from contracts.base import Tier
from services.crisis.commands.transfers import request_transfer
from services.crisis.domain.ledger import COLLECTION, NEXT, EvidenceKind, LedgerState, allows, lacks, wrong_evidence
from tests.services.crisis.campaign_world import CAMPAIGN, Field
from tests.services.crisis.incidents import ok, refused
from tests.services.crisis.test_chains_notices import warned
from tests.services.crisis.world import BY_TIER, COUNTY, NEIGHBOUR, SUPERVISOR, TOWN, World, person

ROUTES = {
    "GET /v1/ledgers/overdue",
    "POST /v1/ledgers/{division}/{year}",
    "GET /v1/ledgers/{division}/{year}",
    "PUT /v1/ledgers/{division}/{year}/{code}",
    "GET /v1/ledgers/{division}/{year}/{code}/evidence",
    "PUT /v1/ledgers/{division}/{year}/{code}/evidence/{evidence_id}",
    "POST /v1/ledgers/{division}/{year}/{code}/move",
}
TITLES = {
    "project-1": "心理健康教育服务基地建设",
    "project-2": "心理健康教育特色示范校创建",
    "project-3": "教师队伍心理健康教育能力提升",
    "project-4": "心理健康教育课程体系建设",
    "project-5": "心理危机干预体系建设",
    "project-6": "心理健康教育信息化平台建设",
    "task-14": "建立班校联动早期预防学生心理问题工作机制",
    "task-15": "加强学生心理问题早期预警工作",
    "task-16": "完善区域心理危机干预体系",
    "task-17": "探索医教结合的心理危机干预及转介系统",
    "task-18": "加强教师心理健康测评工作",
}
REASON = {"reason": "经核实"}


@pytest.fixture
def keeper(world: World) -> dict[str, str]:
    return world.keys.token("department", sub="keeper")


@pytest.fixture
def verifier(world: World) -> dict[str, str]:
    return world.keys.token("supervisor", sub="verifier")


def ledger(world: World) -> str:
    return f"/v1/ledgers/{COUNTY}/{local_day(world.now).year}"


def a_plan(world: World, **said: Any) -> dict[str, Any]:
    due = str(local_day(world.now).replace(month=12, day=31))
    return {
        "owner_kind": "unit",
        "owner": "education-bureau",
        "measure": "每学期演练一次",
        "due_on": due,
        "revision": 1,
        **said,
    }


def a_document(**said: Any) -> dict[str, Any]:
    return {"kind": "document", "title": "工作方案", "sha256": "ab" * 32, **said}


async def begun(world: World, client: httpx.AsyncClient, keeper: dict[str, str], code: str = "task-14") -> str:
    """A row with an owner and a measure, in progress."""
    await ok(client.post(ledger(world), headers=keeper))
    row = f"{ledger(world)}/{code}"
    await ok(client.put(row, json=a_plan(world), headers=keeper))
    await ok(client.post(f"{row}/move", json={"state": "in_progress", **REASON}, headers=keeper))
    return row


async def test_a_ledger_begins_with_the_six_projects_and_the_tasks_about_crises(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    first = await ok(client.post(ledger(world), headers=keeper))
    assert set(first["added"]) == set(TITLES)
    assert (await ok(client.post(ledger(world), headers=keeper)))["added"] == [], "again adds nothing"
    items = (await ok(client.get(ledger(world), headers=keeper)))["items"]
    assert {item["code"]: item["title"] for item in items} == TITLES
    assert [item["code"] for item in items] == list(TITLES), "in the plan's order"
    assert {item["state"] for item in items} == {"open"}
    assert all(item["source"] and item["policy"] == "2026-11" for item in items)
    await ok(client.put(f"{ledger(world)}/task-14", json=a_plan(world), headers=keeper))
    await ok(client.post(ledger(world), headers=keeper))
    kept = (await ok(client.get(ledger(world), headers=keeper)))["items"][6]
    assert (kept["code"], kept["measure"]) == ("task-14", "每学期演练一次"), "what was written stays"
    policy = world.office.ledger.at(world.now)
    assert len([task for task in policy.tasks.items if task.code.startswith("task-")]) == 20


async def test_each_row_has_its_owner_measure_evidence_and_due_day_and_is_verified_by_another(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str], verifier: dict[str, str]
) -> None:
    await ok(client.post(ledger(world), headers=keeper))
    plan = a_plan(world)
    for code in TITLES:
        row = f"{ledger(world)}/{code}"
        move = f"{row}/move"
        early = await refused(client.post(move, json={"state": "in_progress", **REASON}, headers=keeper), 409)
        assert early["reason"] == "incomplete"
        planned = await ok(client.put(row, json=plan, headers=keeper))
        assert (planned["owner"], planned["measure"], planned["due_on"]) == (
            {"kind": "unit", "code": "education-bureau"},
            "每学期演练一次",
            plan["due_on"],
        )
        await ok(client.post(move, json={"state": "in_progress", **REASON}, headers=keeper))
        await refused(client.post(move, json={"state": "done", **REASON}, headers=keeper), 409, "body.state")
        evidence = await ok(client.put(f"{row}/evidence/{new_id()}", json=a_document(), headers=keeper))
        assert (await ok(client.get(f"{row}/evidence", headers=keeper)))["evidence"] == [evidence]
        await ok(client.post(move, json={"state": "done", **REASON}, headers=keeper))
        await refused(client.post(move, json={"state": "verified", **REASON}, headers=keeper), 403)
        done = await ok(client.post(move, json={"state": "verified", **REASON}, headers=verifier))
        assert (done["state"], done["evidence"], done["overdue"]) == ("verified", 1, False)
    moves = [entry["details"]["state"] for entry in await world.audit_log() if entry["action"] == "ledger_moved"]
    assert moves == ["in_progress", "done", "verified"] * len(TITLES)


async def test_a_row_that_is_not_done_yet_is_given_back(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str], verifier: dict[str, str]
) -> None:
    row = await begun(world, client, keeper)
    evidence = f"{row}/evidence/{new_id()}"
    await ok(client.put(evidence, json=a_document(), headers=keeper))
    await ok(client.post(f"{row}/move", json={"state": "done", **REASON}, headers=keeper))
    await refused(client.put(f"{row}/evidence/{new_id()}", json=a_document(), headers=keeper), 409)
    await refused(client.put(row, json=a_plan(world, revision=2), headers=keeper), 409)
    unit = world.keys.token("department", sub="education-bureau")
    for part_in_it in (keeper, unit):
        await refused(client.post(f"{row}/move", json={"state": "returned", **REASON}, headers=part_in_it), 403)
    told = await ok(client.post(f"{row}/move", json={"state": "returned", **REASON}, headers=verifier))
    assert told["state"] == "returned"
    await refused(client.post(f"{row}/move", json={"state": "verified", **REASON}, headers=verifier), 409, "body.state")
    again = await ok(client.post(f"{row}/move", json={"state": "in_progress", **REASON}, headers=keeper))
    assert await ok(client.post(f"{row}/move", json={"state": "in_progress", **REASON}, headers=keeper)) == again


async def test_evidence_refers_to_what_is_there_within_the_division(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    row = await begun(world, client, keeper, "task-17")
    await Field(world, client).begin()
    chained = await warned(world, client)
    plain = await world.flag(caller=person(2), **BY_TIER[Tier.high])
    transfer = new_id()
    await world.do(
        lambda tx: request_transfer(
            plain["_id"], transfer, NEIGHBOUR, None, "户籍地", None, SUPERVISOR, tx, world.office
        )
    )
    elsewhere = await world.flag(county=NEIGHBOUR, caller=person(3), **BY_TIER[Tier.high])

    def says(kind: str, reference: UUID) -> dict[str, Any]:
        return {"kind": kind, "title": "工作记录", "reference": str(reference)}

    for body in (
        says("campaign", CAMPAIGN),
        says("chain_case", chained),
        says("referral", plain["referral_id"]),
        says("transfer", transfer),
    ):
        told = await ok(client.put(f"{row}/evidence/{new_id()}", json=body, headers=keeper))
        assert told["reference"] == body["reference"]
    for body in (
        says("campaign", new_id()),
        says("chain_case", plain["_id"]),
        says("referral", elsewhere["referral_id"]),
        says("programme", chained),
    ):
        sent = client.put(f"{row}/evidence/{new_id()}", json=body, headers=keeper)
        await refused(sent, 422, "body.reference")
    for body, field in (
        ({"kind": "document", "title": "工作方案"}, "body.sha256"),
        (a_document(reference=str(new_id())), "body.reference"),
        (a_document(sha256="abc"), "body.sha256"),
        (a_document(participants=3), "body.participants"),
        ({"kind": "publicity", "title": "宣传", "participants": 3}, "body.held_on"),
        ({"kind": "publicity", "title": "宣传", "held_on": "2026-03-02"}, "body.participants"),
        ({"kind": "publicity", "title": "宣传", "held_on": "2999-01-01", "participants": 3}, "body.held_on"),
        (a_document(kind="rumour"), "body.kind"),
    ):
        await refused(client.put(f"{row}/evidence/{new_id()}", json=body, headers=keeper), 422, field)
    address = f"{row}/evidence/{new_id()}"
    first = await ok(client.put(address, json=a_document(), headers=keeper))
    assert await ok(client.put(address, json=a_document(), headers=keeper)) == first
    await refused(client.put(address, json=a_document(title="另一份"), headers=keeper), 409, "id")
    rows = (await ok(client.get(f"{row}/evidence", headers=keeper)))["evidence"]
    assert len(rows) == 5


async def test_what_is_not_verified_by_its_day_is_on_the_list(
    world: World,
    client: httpx.AsyncClient,
    keeper: dict[str, str],
    verifier: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.crisis.api.ledger.now", lambda: world.now)
    row = await begun(world, client, keeper)
    today = local_day(world.now)
    soon = a_plan(world, revision=2, due_on=str(today + timedelta(days=2)))
    await ok(client.put(row, json=soon, headers=keeper))

    async def late(headers: dict[str, str]) -> list[str]:
        return [item["code"] for item in (await ok(client.get("/v1/ledgers/overdue", headers=headers)))["items"]]

    await world.pass_time(timedelta(days=2))
    assert "task-14" not in await late(keeper)
    await world.pass_time(timedelta(days=1))
    assert (await late(keeper))[0] == "task-14", "the longest overdue first"
    assert await late(world.keys.token("department", division=NEIGHBOUR)) == []
    await ok(client.put(f"{row}/evidence/{new_id()}", json=a_document(), headers=keeper))
    await ok(client.post(f"{row}/move", json={"state": "done", **REASON}, headers=keeper))
    assert "task-14" in await late(keeper), "done and not looked at is still open"
    await ok(client.post(f"{row}/move", json={"state": "verified", **REASON}, headers=verifier))
    assert "task-14" not in await late(keeper)


async def test_a_due_day_that_is_put_off_is_in_the_audit_log(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    row = await begun(world, client, keeper)
    year = local_day(world.now).year
    earlier = f"{year}-06-30"
    await ok(client.put(row, json=a_plan(world, revision=2, due_on=earlier), headers=keeper))
    assert [entry for entry in await world.audit_log() if entry["action"] == "ledger_due_moved"] == []
    later = a_plan(world, revision=3, due_on=f"{year + 1}-03-31")
    told = await ok(client.put(row, json=later, headers=keeper))
    assert await ok(client.put(row, json=later, headers=keeper)) == told
    (entry,) = [entry for entry in await world.audit_log() if entry["action"] == "ledger_due_moved"]
    assert (entry["details"]["previous"], entry["details"]["due_on"]) == (earlier, f"{year + 1}-03-31")
    await refused(client.put(row, json=a_plan(world, revision=3), headers=keeper), 409, "body.revision")
    for due in (f"{year - 1}-12-31", f"{year + 2}-01-01"):
        sent = client.put(row, json=a_plan(world, revision=4, due_on=due), headers=keeper)
        await refused(sent, 422, "body.due_on")


async def test_a_ledger_is_the_divisions_own_and_the_offices_alone(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    row = await begun(world, client, keeper)
    calls: list[tuple[str, str, Any]] = [
        ("POST", ledger(world), None),
        ("GET", ledger(world), None),
        ("PUT", row, a_plan(world, revision=2)),
        ("PUT", f"{row}/evidence/{new_id()}", a_document()),
        ("GET", f"{row}/evidence", None),
        ("POST", f"{row}/move", {"state": "done", **REASON}),
    ]
    for method, address, body in calls:
        for division in (NEIGHBOUR, TOWN):
            beside = world.keys.token("supervisor", division=division)
            await refused(client.request(method, address, json=body, headers=beside), 404)
        for role in ("duty_officer", "volunteer", "statistician"):
            await refused(client.request(method, address, json=body, headers=world.keys.token(role)), 403)
    unknown = row.replace("task-14", "task-19")
    await refused(client.put(unknown, json=a_plan(world), headers=keeper), 404)
    await refused(client.post(f"/v1/ledgers/{COUNTY}/1066", headers=keeper), 422, "path.year")
    await refused(client.post(f"/v1/ledgers/{TOWN}999/2026", headers=keeper), 422, "path.division")
    await refused(client.put(row, json=a_plan(world, owner="张 示例", revision=2), headers=keeper), 422, "body.owner")


def test_every_state_of_a_row_can_be_reached_and_only_a_verified_one_is_over() -> None:
    assert set(NEXT) == set(LedgerState)
    assert {state for states in NEXT.values() for state in states} == set(LedgerState) - {LedgerState.open}
    assert {state for state in LedgerState if not NEXT[state]} == {LedgerState.verified}
    into = {state for state in LedgerState if allows(state, LedgerState.verified)}
    assert into == {LedgerState.done}, "nothing is verified that was not said to be done"


@given(st.sampled_from(list(LedgerState)), st.booleans(), st.booleans(), st.integers(0, 3))
def test_nothing_begins_without_an_owner_nor_is_done_without_evidence(
    state: LedgerState, owner: bool, measure: bool, evidence: int
) -> None:
    missing = lacks(state, owner=owner, measure=measure, evidence=evidence)
    wanting = (state is LedgerState.in_progress and not (owner and measure)) or (
        state is LedgerState.done and not evidence
    )
    assert (missing is not None) == wanting


@given(st.sampled_from(list(EvidenceKind)), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_each_kind_of_evidence_has_one_form(
    kind: EvidenceKind, reference: bool, sha256: bool, held_on: bool, participants: bool
) -> None:
    wrong = wrong_evidence(kind, reference=reference, sha256=sha256, held_on=held_on, participants=participants)
    form = {
        EvidenceKind.document: (False, True, False, False),
        EvidenceKind.publicity: (False, False, True, True),
    }.get(kind, (True, False, False, False))
    assert (wrong is None) == ((reference, sha256, held_on, participants) == form)
    assert (kind in COLLECTION) == form[0]

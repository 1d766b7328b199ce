"""A case ends with nothing waiting, is opened again where it was closed too soon, and is listed page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.auth import Caller
from chassis.errors import NotAllowed
from chassis.tx import Tx
from contracts.base import Tier
from contracts.crisis import CaseOutcome, CaseReopened, EmergencyService, FollowUpsPlanned
from services.crisis import commands
from services.crisis.case import CASE_TIMERS
from services.crisis.domain.matters import Matter
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    BY_TIER,
    HIGH,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    World,
    person,
)

REASON = {"reason": "会商决定"}
CLOSE = {"outcome": "risk_reduced", **REASON}


async def reopened(client: httpx.AsyncClient, key: Any, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{key}/reopen", json=REASON, headers=headers)


async def closed(world: World, **said: Any) -> Any:
    key = (await world.flag(**said))["_id"]
    await world.acknowledge(key)
    await world.close(key)
    return key


@pytest.mark.parametrize("tier", [Tier.high, Tier.moderate, Tier.low])
async def test_no_timer_outlives_its_case(world: World, client: httpx.AsyncClient, tier: Tier) -> None:
    key = (await world.flag(caller=person(), consent_to_follow_up="yes", **BY_TIER[tier]))["_id"]
    await world.acknowledge(key)
    officer = world.keys.token("duty_officer")
    plan = {"goals": ["safety"], "measures": [{"service": "4-3", "every_days": 7}]}
    await client.put(f"/v1/cases/{key}/care-plan", json=plan, headers=officer)
    kinds = {timer.split(":")[0] for timer in await world.timers()}
    assert {"follow_up", "review"} <= kinds
    await world.close(key)
    assert {timer.split(":")[0] for timer in await world.timers()} & set(CASE_TIMERS) == set()


async def test_an_act_in_progress_or_a_report_that_is_not_made_keeps_a_case_open(world: World) -> None:
    emergency = (await world.flag(caller=person(1), **IMMINENT))["_id"]
    await world.acknowledge(emergency, SUPERVISOR)
    with pytest.raises(NotAllowed, match="no confirmed contact"):
        await world.close(emergency)
    harmed = {**MODERATE, "age_band": "from_14_to_17", "suspected_harm_to_minor": "yes"}
    report = (await world.flag(caller=person(2), **harmed))["_id"]
    await world.acknowledge(report, SUPERVISOR)
    with pytest.raises(NotAllowed, match="mandatory report"):
        await world.close(report)


@pytest.mark.parametrize("tier", [Tier.high, Tier.moderate])
async def test_a_case_that_was_closed_too_soon_is_opened_again_with_a_new_clock_and_plan(
    world: World, client: httpx.AsyncClient, tier: Tier
) -> None:
    key = await closed(world, caller=person(), consent_to_follow_up="yes", **BY_TIER[tier])
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    before = len(world.emitted(FollowUpsPlanned))
    case = (await reopened(client, key, supervisor)).json()
    assert (case["state"], case["outcome"], case["closed_at"]) == ("open", None, None)
    assert case["acknowledgement"]["state"] == "waiting"
    assert case["responder"]["state"] == "requested"
    kinds = {timer.split(":")[0] for timer in await world.timers()}
    assert {"acknowledgement", "follow_up"} <= kinds
    assert "retention" not in kinds
    planned = [item for item in await world.follow_ups(key) if item["state"] == "planned"]
    assert len(planned) == len(world.office.policies.at(world.now).follow_up[tier].hours)
    assert len(world.emitted(FollowUpsPlanned)) == before + 1
    (told,) = world.emitted(CaseReopened)
    assert (told.case_id, told.tier) == (key, tier)
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"]) == ("case_reopened", "supervisor-a")
    assert (await world.flag(caller=person(), **LOW))["_id"] == key, "the person's flags join it again"
    if tier is Tier.high:
        assert (await world.referral(key))["state"] == "drafted"
    is_problem(await reopened(client, key, supervisor), 409)
    await world.acknowledge(key)
    await world.close(key)
    assert (await reopened(client, key, supervisor)).json()["reopened"] == 2


async def test_a_case_is_not_opened_again_beside_another_one_of_the_person(
    world: World, client: httpx.AsyncClient
) -> None:
    key = await closed(world, caller=person(), **MODERATE)
    await world.flag(caller=person(), **LOW)
    is_problem(await reopened(client, key, world.keys.token("supervisor")), 409)
    assert (await world.case(key))["state"] == "closed"


async def test_opening_again_is_a_supervisors_right(world: World, client: httpx.AsyncClient) -> None:
    key = await closed(world, caller=person(), **MODERATE)
    is_problem(await reopened(client, key, {}), 401)
    is_problem(await reopened(client, key, world.keys.token("duty_officer")), 403)
    is_problem(await reopened(client, key, world.keys.token("supervisor", division=NEIGHBOUR)), 404)
    answer = await client.post(f"/v1/cases/{key}/reopen", json={}, headers=world.keys.token("supervisor"))
    is_problem(answer, 422, "body.reason")


async def test_an_unknown_persons_case_is_opened_again_too(world: World, client: httpx.AsyncClient) -> None:
    key = await closed(world, **MODERATE)
    assert (await reopened(client, key, world.keys.token("supervisor"))).json()["state"] == "open"


async def test_the_list_of_open_cases_is_read_to_its_end_page_by_page(world: World, client: httpx.AsyncClient) -> None:
    """Cases that come in between, and one that is raised, change nothing about what was not read yet."""
    for number, said in enumerate((HIGH, LOW, HIGH, MODERATE, LOW, HIGH, MODERATE), 1):
        await world.flag(caller=person(number), **said)
    officer = world.keys.token("duty_officer")
    whole = [one["id"] for one in (await client.get("/v1/cases", headers=officer)).json()["cases"]]
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = (await client.get(f"/v1/cases{query}", headers=officer)).json()
        seen += [one["id"] for one in page["cases"]]
        if len(seen) == 2:
            await world.flag(caller=person(99), **IMMINENT)
        if "next" not in page:
            break
        query = f"?limit=2&after={page['next']}"
    assert seen == whole
    assert len(whole) == 7
    high = (await client.get("/v1/cases?tier=high&limit=1", headers=officer)).json()
    rest = (await client.get(f"/v1/cases?tier=high&after={high['next']}", headers=officer)).json()
    assert [one["id"] for one in rest["cases"]] == whole[1:3]
    for cursor in ("x", "9.1.00000000000000000000000000000000", "1.x.0"):
        is_problem(await client.get(f"/v1/cases?after={cursor}", headers=officer), 422, "query.after")


async def test_the_last_page_ends_the_list_however_long_the_wait_was(world: World, client: httpx.AsyncClient) -> None:
    await world.flag(caller=person(1), **LOW)
    world.database.ahead += timedelta(days=400)
    await world.flag(caller=person(2), **LOW)
    officer = world.keys.token("duty_officer")
    first = (await client.get("/v1/cases?limit=1", headers=officer)).json()
    second = (await client.get(f"/v1/cases?limit=1&after={first['next']}", headers=officer)).json()
    last = (await client.get(f"/v1/cases?limit=1&after={second['next']}", headers=officer)).json()
    assert last == {"cases": []}


async def closes(world: World, key: Any, outcome: CaseOutcome, caller: Caller = SUPERVISOR) -> None:
    await world.do(lambda tx: commands.close(key, outcome, "会商决定", caller, tx, world.office))


async def test_closing_wipes_nothing_that_waits_for_a_decision(world: World) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    await world.acknowledge(key)

    async def asked(tx: Tx) -> None:
        about = ["follow_up_plan_ended", "safety_assessment_due"]
        tx.put("cases", {**await world.case(key), "decisions_needed": about})

    await world.do(asked)
    with pytest.raises(NotAllowed, match="safety_assessment_due") as refusal:
        await closes(world, key, CaseOutcome.risk_reduced)
    assert refusal.value.reason == "matters_open"
    assert "follow_up_plan_ended" not in str(refusal.value)
    await world.decide(key, "done", about=Matter.safety_assessment_due)
    await closes(world, key, CaseOutcome.risk_reduced)
    assert (await world.case(key))["state"] == "closed"


async def test_an_error_takes_a_second_person_whatever_the_tier(world: World) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    await world.acknowledge(key, SUPERVISOR)
    with pytest.raises(NotAllowed, match="second person") as refusal:
        await closes(world, key, CaseOutcome.opened_in_error)
    assert refusal.value.status == 403
    await closes(world, key, CaseOutcome.opened_in_error, OTHER_SUPERVISOR)


async def test_a_case_with_an_emergency_or_a_person_who_was_reached_is_no_error(world: World) -> None:
    called = (await world.flag(caller=person(1), **IMMINENT))["_id"]
    await world.acknowledge(called)
    police = EmergencyService.police_110
    await world.do(lambda tx: commands.call_emergency(called, police, OFFICER, tx, world.office))
    await world.do(lambda tx: commands.confirm_emergency(called, OFFICER, tx))
    reached = (await world.flag(caller=person(2), **HIGH))["_id"]
    await world.acknowledge(reached)
    await world.attempt(reached, (await world.until_due(reached))["id"], "reached")
    for key in (called, reached):
        with pytest.raises(NotAllowed) as refusal:
            await closes(world, key, CaseOutcome.opened_in_error)
        assert refusal.value.reason == "no_error"


ROUTES = {"POST /v1/cases/{case_id}/reopen"}

"""The chains of a community and a school: each hop is received by a named person, or the next is called as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotFound
from contracts.base import Tier
from contracts.crisis import CaseOpened, HopCalled, HopOverdue, HopReceived
from contracts.hotline import RiskFlagged, Setting, Way
from services.crisis import commands
from services.crisis.commands import chains as people
from services.crisis.domain import chains
from services.crisis.domain.chains import HopState
from services.crisis.domain.chains_policy import ChainsPolicy
from services.crisis.domain.versions import load_versions
from tests.services.crisis.test_concerns import ASKED, MINIMUM, SCHOOL, a_school, case_of, raised, token
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    BACKUP,
    COUNTY,
    HIGH,
    HOSPITAL,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    SUPERVISOR,
    TOWN,
    World,
    organisation,
    person,
)

ROUTES = {"GET /v1/hops", "POST /v1/cases/{case_id}/receive", "POST /v1/cases/{case_id}/pass-on"}
POLICY = load_versions(ChainsPolicy, "chains").of("2026-11")
REASON = {"reason": "需要专业人员"}
OTHER_SCHOOL = UUID("00000000-0000-7000-8000-0000000005c9")
WARNING = {**MINIMUM[Way.school_warning], **ASKED}
KNOWN = {**MINIMUM[Way.concern], **ASKED}


def states(case: dict[str, Any]) -> list[str]:
    return [hop["state"] for hop in case["chain"]["hops"]]


async def hop(client: httpx.AsyncClient, case_id: UUID, what: str, headers: dict[str, str]) -> httpx.Response:
    body = REASON if what == "pass-on" else None
    return await client.post(f"/v1/cases/{case_id}/{what}", json=body, headers=headers)


async def hops(client: httpx.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = await client.get("/v1/hops", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hops"]
    return found


async def ok(client: httpx.AsyncClient, case_id: UUID, what: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = await hop(client, case_id, what, headers)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


# A community's chain


async def test_a_volunteers_concern_goes_by_the_cadre_to_the_professional(
    world: World, client: httpx.AsyncClient
) -> None:
    worker, other = token(world, "community_worker"), token(world, "community_worker", sub="worker-b")
    case = await case_of(world, await raised(world, client, contact={"phone": "000-0000-0001"}))
    key = case["_id"]
    assert states(case) == ["passing", "called", "ahead"]
    assert case["chain"]["holder"] == "volunteer-a", "who passed it on is responsible until it is received"
    assert case["acknowledgement"]["state"] == "chain"
    assert [event.role for event in world.emitted(HopCalled)] == ["community-worker"]

    (row,) = await hops(client, worker)
    assert (row["case_id"], row["asked"], row["tier"]) == (str(key), "receive", "moderate")
    assert (await hops(client, token(world, "volunteer")))[0]["asked"] == "wait"
    assert await hops(client, token(world, "volunteer", sub="volunteer-b")) == []
    assert (await ok(client, key, "receive", worker))["asked"] == "hold"
    assert (await ok(client, key, "receive", worker))["asked"] == "hold", "the same person again is no second receipt"
    is_problem(await hop(client, key, "receive", other), 409)
    is_problem(await hop(client, key, "pass-on", other), 404)
    case = await world.case(key)
    assert states(case) == ["passed_on", "received", "ahead"]
    assert case["chain"]["holder"] == "community_worker-a"
    assert f"hop:{key}" in await world.timers(), "to hold a case is not to have dealt with it"
    assert await hops(client, other) == []

    assert (await ok(client, key, "pass-on", worker))["asked"] == "wait"
    is_problem(await hop(client, key, "pass-on", worker), 409)
    case = await world.case(key)
    assert states(case) == ["passed_on", "passing", "called"]
    assert case["acknowledgement"]["state"] == "waiting", "the professional's hop is the line's own clock"
    assert {f"hop:{key}", f"acknowledgement:{key}"} <= await world.timers()
    is_problem(await hop(client, key, "receive", token(world, "duty_officer")), 409)
    await world.acknowledge(key)
    case = await world.case(key)
    assert states(case) == ["passed_on", "passed_on", "received"]
    assert case["chain"]["holder"] == "officer-a"
    assert {f"hop:{key}", f"acknowledgement:{key}"} & await world.timers() == set()
    assert [(event.role, event.on_time) for event in world.emitted(HopReceived)] == [
        ("community-worker", True),
        ("duty-officer", True),
    ]
    (entry,) = [entry for entry in await world.audit_log() if entry["action"] == "hop_passed_on"]
    assert (entry["actor"], entry["reason"]) == ("community_worker-a", REASON["reason"])


async def test_nothing_of_a_hop_tells_who_the_person_is(world: World, client: httpx.AsyncClient) -> None:
    body = await raised(world, client, contact={"name": "张示例", "phone": "000-0000-0001"})
    key = (await case_of(world, body))["_id"]
    (row,) = await hops(client, token(world, "community_worker"))
    assert row.keys() == {
        "case_id",
        "tier",
        "since",
        "setting",
        "hop",
        "role",
        "state",
        "called_at",
        "due_at",
        "received_at",
        "asked",
        "asked_label",
    }
    assert row["asked_label"] == "请具名签收"
    is_problem(await client.get(f"/v1/cases/{key}", headers=token(world, "community_worker")), 403)


async def test_who_is_no_hop_of_a_case_cannot_tell_that_there_is_one(world: World, client: httpx.AsyncClient) -> None:
    key = (await case_of(world, await raised(world, client)))["_id"]
    for role, claims in (
        ("community_worker", {"division": NEIGHBOUR}),
        ("volunteer", {"sub": "volunteer-b", "division": NEIGHBOUR}),
        ("school_counsellor", {}),
        ("receiver", {"organisation": str(HOSPITAL)}),
        ("duty_officer", {"division": NEIGHBOUR}),
    ):
        headers = token(world, role, **claims)
        is_problem(await hop(client, key, "receive", headers), 404)
        is_problem(await hop(client, key, "pass-on", headers), 404)
        assert await hops(client, headers) == []
    worker = token(world, "community_worker")
    is_problem(await hop(client, new_id(), "receive", worker), 404)
    plain = await world.flag(caller=person(9), **MODERATE)
    is_problem(await hop(client, plain["_id"], "receive", worker), 404)
    for what in ("receive", "pass-on"):
        is_problem(await client.post(f"/v1/cases/{key}/{what}", json=REASON), 401)
        is_problem(await hop(client, key, what, token(world, "auditor")), 403)
    is_problem(await client.post(f"/v1/cases/{key}/pass-on", json={}, headers=worker), 422, "body.reason")
    is_problem(await client.post("/v1/cases/not-an-id/receive", headers=worker), 422, "path.case_id")
    is_problem(await client.get("/v1/hops?limit=0", headers=worker), 422, "query.limit")
    is_problem(await client.get("/v1/hops"), 401)
    is_problem(await client.get("/v1/hops", headers=token(world, "auditor")), 403)


async def test_a_hop_that_does_not_receive_in_time_has_the_next_one_called_as_well(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await case_of(world, await raised(world, client)))["_id"]
    minutes = POLICY.settings[Setting.community].hops[1].minutes[Tier.moderate]
    await world.pass_time(timedelta(minutes=minutes - 1))
    assert world.emitted(HopOverdue) == []
    await world.pass_time(timedelta(minutes=2))
    case = await world.case(key)
    assert states(case) == ["passing", "overdue", "called"]
    assert [event.role for event in world.emitted(HopOverdue)] == ["community-worker"]
    assert case["acknowledgement"]["state"] == "waiting"
    worker = token(world, "community_worker")
    assert (await hops(client, worker))[0]["state"] == "overdue", "it is late, and can still be received"
    assert (await ok(client, key, "receive", worker))["asked"] == "hold"
    case = await world.case(key)
    assert states(case) == ["passed_on", "received", "released"]
    assert [event.on_time for event in world.emitted(HopReceived)] == [False]
    assert f"hop:{key}" not in await world.timers()
    assert case["acknowledgement"]["state"] == "waiting", "the line was called, and is not sent away again"


async def test_a_line_that_stays_silent_is_called_again_and_again(world: World, client: httpx.AsyncClient) -> None:
    key = (await case_of(world, await raised(world, client)))["_id"]
    await world.pass_time(timedelta(days=2))
    case = await world.case(key)
    assert states(case) == ["passing", "overdue", "called"]
    assert len([event for event in world.emitted(HopOverdue) if event.role == "duty-officer"]) > 5
    assert {f"hop:{key}", f"acknowledgement:{key}"} <= await world.timers()


@pytest.mark.parametrize("said", [HIGH, IMMINENT])
async def test_what_cannot_wait_goes_to_the_line_at_once(
    world: World, client: httpx.AsyncClient, said: dict[str, Any]
) -> None:
    await a_school(world)
    answers = {**WARNING, **{name: value for name, value in said.items() if name in WARNING}}
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=answers)
    case = await case_of(world, body)
    assert case["acknowledgement"]["state"] == "waiting"
    assert {f"hop:{case['_id']}", f"acknowledgement:{case['_id']}"} <= await world.timers()
    assert states(case)[:2] == ["passing", "called"], "the school's chain runs beside it"
    if said is IMMINENT:
        assert case["emergency"]["state"] == "required"
    await world.acknowledge(case["_id"])
    case = await world.case(case["_id"])
    assert states(case)[:2] == ["passing", "called"], "the school has still to receive it"


async def test_a_case_that_is_raised_goes_to_the_line_whatever_its_chain(
    world: World, client: httpx.AsyncClient
) -> None:
    contact = {"phone": "000-0000-0001"}
    case = await case_of(world, await raised(world, client, contact=contact))
    assert case["acknowledgement"]["state"] == "chain"
    await world.flag(caller=case["person"], **HIGH)
    case = await world.case(case["_id"])
    assert case["acknowledgement"]["state"] == "waiting"
    assert f"acknowledgement:{case['_id']}" in await world.timers()


async def test_a_hotlines_flag_about_the_same_person_calls_the_line(world: World, client: httpx.AsyncClient) -> None:
    case = await case_of(world, await raised(world, client, contact={"phone": "000-0000-0001"}))
    await world.flag(caller=case["person"], **LOW)
    case = await world.case(case["_id"])
    assert case["acknowledgement"]["state"] == "waiting"
    assert states(case) == ["passing", "called", "ahead"], "and the chain goes its way"


async def test_more_about_a_person_calls_who_holds_the_case_again(world: World, client: httpx.AsyncClient) -> None:
    contact = {"phone": "000-0000-0001"}
    key = (await case_of(world, await raised(world, client, contact=contact)))["_id"]
    await ok(client, key, "receive", token(world, "community_worker"))
    await raised(world, client, contact=contact, division=TOWN)
    case = await world.case(key)
    assert states(case) == ["passed_on", "called", "ahead"]
    assert case["chain"]["holder"] == "community_worker-a", "somebody is responsible all the time"
    assert f"hop:{key}" in await world.timers()
    await ok(client, key, "receive", token(world, "community_worker", sub="worker-b"))
    assert (await world.case(key))["chain"]["holder"] == "worker-b"


async def test_a_concern_about_a_person_whom_the_line_knows_begins_its_chain(
    world: World, client: httpx.AsyncClient
) -> None:
    known = await world.flag(caller=world.office.pseudonym("00000000001"), **MODERATE)
    assert known["chain"] is None
    await world.acknowledge(known["_id"])
    case = await case_of(world, await raised(world, client, contact={"phone": "000-0000-0001"}))
    assert case["_id"] == known["_id"]
    assert states(case) == ["passing", "called", "ahead"]
    assert case["acknowledgement"]["state"] == "waiting", "the same danger again: a named person looks again"


async def test_a_concern_that_an_officer_or_a_surveyor_takes_down(world: World, client: httpx.AsyncClient) -> None:
    by_line = await case_of(world, await raised(world, client, "duty_officer"))
    assert (by_line["setting"], by_line["chain"]) == ("line", None)
    surveyed = await case_of(world, await raised(world, client, "surveyor"))
    assert states(surveyed) == ["left_out", "called", "ahead"], "the volunteers have not brought it"
    by_cadre = await case_of(world, await raised(world, client, "community_worker"))
    assert states(by_cadre) == ["left_out", "passing", "called"]
    assert by_cadre["acknowledgement"]["state"] == "waiting"


# A school's chain


async def test_a_warning_goes_from_class_to_school_to_hospital_to_department(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    teacher, school = token(world, "class_teacher"), token(world, "school_counsellor")
    doctor = token(world, "receiver", organisation=str(HOSPITAL))
    department = token(world, "department")
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    case = await case_of(world, body)
    key = case["_id"]
    assert (case["setting"], case["organisation_id"], case["tier"]) == ("school", SCHOOL, "low")
    assert states(case) == ["passing", "called", "ahead", "ahead"]
    strange = token(world, "school_counsellor", organisation=str(OTHER_SCHOOL))
    is_problem(await hop(client, key, "receive", strange), 404)
    is_problem(await hop(client, key, "receive", world.keys.token("school_counsellor")), 404)
    assert await hops(client, strange) == []
    assert [row["role"] for row in await hops(client, school)] == ["school-counsellor"]
    for number, (holder, following) in enumerate(((school, doctor), (doctor, department)), 1):
        await ok(client, key, "receive", holder)
        assert await hops(client, following) == []
        await ok(client, key, "pass-on", holder)
        if following is doctor:
            assert (await world.referral(key))["state"] == "drafted", "the institution is the referral's"
            is_problem(await hop(client, key, "receive", doctor), 404)
            assert await hops(client, doctor) == [], "without consent no institution learns of the case"
            await world.refer(key)
        assert [row["hop"] for row in await hops(client, following)] == [number + 1]
    await ok(client, key, "receive", department)
    is_problem(await hop(client, key, "pass-on", department), 409)
    case = await world.case(key)
    assert states(case) == ["passed_on", "passed_on", "passed_on", "received"]
    assert [one["received_by"] for one in case["chain"]["hops"]] == [
        "class_teacher-a",
        "school_counsellor-a",
        "receiver-a",
        "department-a",
    ]
    assert all(one["received_at"] is not None for one in case["chain"]["hops"])
    assert (await hops(client, teacher)) == []
    told = [(event.role, event.organisation_id) for event in world.emitted(HopCalled)]
    assert told == [("school-counsellor", SCHOOL), ("receiver", None), ("department", None)]


async def test_the_medical_hop_is_the_institution_that_the_referral_is_addressed_to_now(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    key = (await case_of(world, body))["_id"]
    await ok(client, key, "receive", token(world, "school_counsellor"))
    await ok(client, key, "pass-on", token(world, "school_counsellor"))
    referral = await world.referral(key)

    async def goes_to_the_backup(tx: Any) -> None:
        tx.put("referrals", {**referral, "organisation_id": BACKUP, "state": "sent"})

    await world.do(goes_to_the_backup)
    is_problem(await hop(client, key, "receive", token(world, "receiver", organisation=str(HOSPITAL))), 404)
    assert await hops(client, token(world, "receiver", organisation=str(HOSPITAL))) == []
    backup = token(world, "receiver", organisation=str(BACKUP))
    assert [row["case_id"] for row in await hops(client, backup)] == [str(key)]
    await ok(client, key, "receive", backup)


async def test_a_school_without_a_hospital_asks_a_supervisor(world: World, client: httpx.AsyncClient) -> None:
    await a_school(world)
    for ident, division in ((HOSPITAL, COUNTY), (BACKUP, "3708")):
        await world.take(organisation(ident, division, revision=2, receives_referrals=False))
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    key = (await case_of(world, body))["_id"]
    await ok(client, key, "receive", token(world, "school_counsellor"))
    await ok(client, key, "pass-on", token(world, "school_counsellor"))
    case = await world.case(key)
    assert "referral_without_receiver" in case["decisions_needed"]
    await world.pass_time(timedelta(days=3))
    assert states(await world.case(key)) == ["passed_on", "passing", "overdue", "called"]


async def test_the_end_of_a_schools_chain_that_stays_silent_calls_the_line(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    key = (await case_of(world, body))["_id"]
    await world.pass_time(timedelta(days=20))
    case = await world.case(key)
    assert states(case) == ["passing", "overdue", "overdue", "called"]
    assert case["acknowledgement"]["state"] == "waiting"
    assert {f"hop:{key}", f"acknowledgement:{key}"} <= await world.timers()
    await ok(client, key, "receive", token(world, "department"))
    assert states(await world.case(key)) == ["passed_on", "released", "released", "received"]


async def test_a_counsellors_own_warning_is_held_by_the_counsellor_and_the_line_knows(
    world: World, client: httpx.AsyncClient
) -> None:
    await a_school(world)
    body = await raised(world, client, "school_counsellor", way=Way.school_warning, answers=WARNING)
    case = await case_of(world, body)
    assert states(case) == ["left_out", "received", "ahead", "ahead"]
    assert case["acknowledgement"]["state"] == "waiting", "nobody else of the chain is called, so the line is"
    await ok(client, case["_id"], "pass-on", token(world, "school_counsellor"))
    assert states(await world.case(case["_id"]))[2] == "called"


async def test_a_hotlines_school_warning_begins_with_the_class_or_where_it_says(world: World) -> None:
    await a_school(world)
    said = {"way": "school_warning", "setting": "school", **LOW}
    case = await world.flag(organisation_id=SCHOOL, **said)
    assert states(case)[0] == "called"
    assert case["acknowledgement"]["state"] == "chain"
    for start in ("school-counsellor", "headmaster"):
        case = await world.flag(organisation_id=SCHOOL, starts_at=start, **said)
        assert states(case)[:2] == ["left_out", "called"], "a word that nobody knows must not let the class know"
        assert case["chain"]["withheld"]
    case = await world.flag(**said)
    assert case["chain"] is None, "a school that is not named cannot receive"
    assert case["acknowledgement"]["state"] == "waiting"
    opened = world.emitted(CaseOpened)[-1]
    assert (opened.way, opened.setting) == (Way.school_warning, Setting.school)


# The case's end


async def test_nothing_of_a_chain_outlives_its_case(world: World, client: httpx.AsyncClient) -> None:
    key = (await case_of(world, await raised(world, client, answers=KNOWN)))["_id"]
    await world.acknowledge(key)
    assert f"hop:{key}" in await world.timers()
    await world.close(key)
    assert f"hop:{key}" not in await world.timers()
    assert await hops(client, token(world, "community_worker")) == []
    assert await hops(client, token(world, "volunteer")) == []
    is_problem(await hop(client, key, "receive", token(world, "community_worker")), 404)
    count = len(world.events)
    await world.pass_time(timedelta(days=30))
    assert not any(isinstance(event, HopCalled | HopOverdue) for event in world.events[count:])


async def test_a_timer_that_comes_late_or_twice_calls_nobody_twice(world: World, client: httpx.AsyncClient) -> None:
    key = (await case_of(world, await raised(world, client)))["_id"]

    async def due(tx: Any) -> None:
        await people.hop_due(key, tx, world.office)

    await world.do(due)
    assert len(world.emitted(HopCalled)) == 1, "it is not due yet"
    assert f"hop:{key}" in await world.timers()
    await world.be_away(timedelta(days=10))
    await world.do(due)
    called = [event.role for event in world.emitted(HopCalled)]
    assert called == ["community-worker", "duty-officer"]


# The rules, for every order of things

T0 = datetime(2026, 11, 1, tzinfo=UTC)
settings_of_chains = st.sampled_from([Setting.community, Setting.school])


@given(
    setting=settings_of_chains,
    tier=st.sampled_from(list(Tier)),
    start=st.sampled_from([None, "school-counsellor", "community-worker", "nobody"]),
    raiser=st.sampled_from([None, "volunteer", "class-teacher", "school-counsellor", "community-worker", "surveyor"]),
    steps=st.lists(
        st.tuples(st.sampled_from(["receive", "pass", "late", "tell", "withhold", "end"]), st.integers(0, 3)),
        max_size=25,
    ),
)
def test_a_chain_has_one_holder_and_a_clock_exactly_while_somebody_is_called(
    setting: Setting, tier: Tier, start: str | None, raiser: str | None, steps: list[tuple[str, int]]
) -> None:
    rules = POLICY.settings[setting]
    by = (raiser, "p-raiser") if raiser else None
    chain = chains.begin(rules, POLICY.version, setting, start, by, SCHOOL, T0)
    if HopState.received not in states({"chain": chain}):
        first = chains.to_call(chain)
        assert first is not None
        chains.call(chain, first, rules, tier, T0)
    moment, number, ended = T0, 0, False
    hidden_from = chain["start"] if chain["withheld"] else 0
    for what, where in steps:
        place = min(where, len(rules.hops) - 1)
        before = chain["holder"]
        try:
            match what:
                case "receive":
                    number += 1
                    chains.receive(chain, place, f"p-{number}", moment)
                    assert chain["holder"] == f"p-{number}"
                case "pass":
                    following = chains.pass_on(chain, place, moment)
                    assert chain["holder"] == before, "who passes on stays responsible"
                    chains.call(chain, following, rules, tier, moment)
                case "late" if (due := chains.due_at(chain)) is not None:
                    moment = due
                    for late in chains.overdue(chain, moment):
                        beside = chains.callable_next(chain, late)
                        if beside is not None:
                            chains.call(chain, beside, rules, tier, moment)
                        elif late == len(rules.hops) - 1:
                            chains.call_again(chain, late, rules, tier, moment)
                case "tell" if not ended:
                    again = chains.to_call(chain)
                    if again is not None:
                        chains.call(chain, again, rules, tier, moment)
                case "withhold" if setting is Setting.school and not ended:
                    if not chain["withheld"]:
                        chains.withhold(chain, max(1, chain["start"]))
                        hidden_from = chain["start"]
                    again = chains.to_call(chain)
                    if again is not None:
                        chains.call(chain, again, rules, tier, moment)
                case "end":
                    chains.end(chain)
                    ended = True
        except chains.NotNow:
            assert chain["holder"] == before
        present = [HopState(one["state"]) for one in chain["hops"]]
        called = [one["role"] for one in chain["hops"] if HopState(one["state"]) in chains.WAITING]
        assert chain["called"] == called
        assert (chains.due_at(chain) is not None) == bool(called)
        assert sum(state in chains.HELD for state in present) <= 1
        assert all(one["received_by"] for one in chain["hops"] if HopState(one["state"]) in chains.HELD)
        if ended:
            assert not called
            assert what != "end" or chain["holder"] is None
            break
        assert called or chain["holder"], "somebody is called, or somebody has it"
        assert not set(called) & {one["role"] for one in chain["hops"][:hidden_from]}


def test_every_state_of_a_hop_can_be_reached_and_the_table_names_all() -> None:
    assert set(chains.NEXT) == set(HopState)
    reached = {HopState.ahead, HopState.left_out, HopState.passing, HopState.received}
    for _ in HopState:
        reached |= {following for state in reached for following in chains.NEXT[state]}
    assert reached == set(HopState)


@pytest.mark.parametrize(
    "change",
    [
        {"line_at": ["high"]},
        {"start": "headmaster"},
        {"withheld_start": "headmaster"},
        {"hops": POLICY.settings[Setting.school].model_dump(mode="json")["hops"][:1]},
        {"hops": POLICY.settings[Setting.school].model_dump(mode="json")["hops"] * 2},
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(change: dict[str, Any]) -> None:
    whole = POLICY.model_dump(mode="json")
    ChainsPolicy.model_validate(whole)
    whole["settings"]["school"] |= change
    with pytest.raises(ValueError, match="settings"):
        ChainsPolicy.model_validate(whole)


async def test_an_officer_at_a_hop_needs_the_division(world: World, client: httpx.AsyncClient) -> None:
    key = (await case_of(world, await raised(world, client, "community_worker")))["_id"]
    assert [row["role"] for row in await hops(client, token(world, "supervisor"))] == ["duty-officer"]
    assert await hops(client, token(world, "supervisor", division=NEIGHBOUR)) == []
    stranger = Caller("worker-x", frozenset({"community_worker"}), NEIGHBOUR)
    with pytest.raises(NotFound):
        await world.do(lambda tx: people.receive(key, stranger, tx, world.office))
    assert len(world.emitted(RiskFlagged)) == 1


async def test_who_receives_and_does_nothing_does_not_hold_it_for_ever(world: World, client: httpx.AsyncClient) -> None:
    """Nobody may follow up, and no officer was called: the teacher's receipt is not the end of it."""
    await a_school(world)
    said: dict[str, Any] = {**MODERATE, "consent_to_follow_up": "no", "setting": "school", "organisation_id": SCHOOL}
    key = (await world.flag(caller=person(), **said))["_id"]
    assert (await world.case(key))["acknowledgement"]["state"] == "chain"
    await ok(client, key, "receive", token(world, "class_teacher"))
    hold = POLICY.settings[Setting.school].hold(Tier.moderate)
    await world.pass_time(hold - timedelta(minutes=1))
    assert states(await world.case(key)) == ["received", "ahead", "ahead", "ahead"]
    await world.pass_time(timedelta(minutes=2))
    case = await world.case(key)
    assert states(case) == ["passing", "called", "ahead", "ahead"]
    assert case["chain"]["holder"] == "class_teacher-a", "responsible until somebody else has it"
    assert case["acknowledgement"]["state"] == "waiting"
    assert {f"hop:{key}", f"acknowledgement:{key}"} <= await world.timers()
    await world.acknowledge(key)
    await ok(client, key, "receive", token(world, "school_counsellor"))
    assert (await world.case(key))["decisions_needed"] == ["follow_up_plan_ended"]


async def test_once_an_officer_has_the_case_nobody_holds_it_too_long(world: World, client: httpx.AsyncClient) -> None:
    await a_school(world)
    said: dict[str, Any] = {**MODERATE, "consent_to_follow_up": "no", "setting": "school", "organisation_id": SCHOOL}
    key = (await world.flag(caller=person(), **said))["_id"]
    await ok(client, key, "receive", token(world, "class_teacher"))
    await ok(client, key, "pass-on", token(world, "class_teacher"))
    await ok(client, key, "receive", token(world, "school_counsellor"))
    await world.acknowledge(key)
    await world.pass_time(timedelta(days=5))
    assert states(await world.case(key)) == ["passed_on", "received", "ahead", "ahead"], "an officer has it"


async def test_a_medical_hop_without_a_sent_referral_brings_the_line(world: World, client: httpx.AsyncClient) -> None:
    await a_school(world)
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    key = (await case_of(world, body))["_id"]
    await ok(client, key, "receive", token(world, "school_counsellor"))
    await ok(client, key, "pass-on", token(world, "school_counsellor"))
    case = await world.case(key)
    assert (states(case)[2], case["acknowledgement"]["state"]) == ("called", "chain")
    await world.pass_time(timedelta(minutes=2881))
    case = await world.case(key)
    assert (states(case)[2], case["acknowledgement"]["state"]) == ("overdue", "waiting")


async def test_an_institution_reads_its_hops_however_many_referrals_it_has_dealt_with(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_school(world)
    monkeypatch.setattr("services.crisis.store.concerns.MOST_REFERRALS", 2)
    body = await raised(world, client, "class_teacher", way=Way.school_warning, answers=WARNING)
    key = (await case_of(world, body))["_id"]
    await ok(client, key, "receive", token(world, "school_counsellor"))
    await ok(client, key, "pass-on", token(world, "school_counsellor"))
    await world.refer(key)
    for number in range(2, 5):
        other = (await world.flag(caller=person(number), **HIGH))["_id"]
        await world.refer(other)
        await world.do(partial(commands.cancel_referral, other, "不再需要", SUPERVISOR))
    doctor = token(world, "receiver", organisation=str(HOSPITAL))
    assert [row["case_id"] for row in await hops(client, doctor)] == [str(key)]

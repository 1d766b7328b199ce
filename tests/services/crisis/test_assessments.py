"""Instruments taken for a case: each answer counts as it comes, and raises what it raises for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseOpened, ReferralMoved, ReferralState, RiskLowered, RiskRaised
from contracts.matching import OfferAccepted
from services.crisis.commands.assessments import Taken, put_assessment
from services.crisis.commands.merging import merge
from tests.services.crisis.test_instruments import CSSRS, PHQ
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    HOSPITAL,
    IMMINENT,
    LOW,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    TOWN,
    World,
    person,
    stamp,
)

ROUTES = {"PUT /v1/cases/{case_id}/assessments/{assessment_id}", "GET /v1/cases/{case_id}/assessments"}
WELL: dict[str, int | str] = dict.fromkeys(PHQ.by_id, 0)


async def put(world: World, case_id: UUID, ident: UUID | None = None, **body: Any) -> Document:
    """What an officer sends; PHQ-9 where nothing else is said."""
    taken = Taken(
        body.get("instrument", "phq-9"), body.get("variant"), None, body.get("answers", {}), body.get("manual")
    )
    return await world.do(
        lambda tx: put_assessment(case_id, ident or new_id(), taken, body.get("caller", OFFICER), tx, world.office)
    )


async def a_case(world: World, **said: Any) -> UUID:
    case = await world.flag(caller=person(len(world.events) + 1), **(said or LOW))
    key: UUID = case["_id"]
    return key


# A result raises


async def test_item_9_is_looked_at_before_the_form_is_complete(world: World) -> None:
    key = await a_case(world)
    await put(world, key, answers={"q9": 1})
    case = await world.case(key)
    assert case["tier"] == "moderate"
    assert case["assessment_needed"] is True
    assert "safety_assessment_due" in case["decisions_needed"]
    raised = [row for row in case["timeline"] if row["kind"] == "raised"]
    assert "phq-9.item_9_above_zero" in raised[0]["reason"]
    assert (await world.audit_log())[-1]["action"] == "risk_raised"
    assert [event.by_person for event in world.emitted(RiskRaised)] == [False]


async def test_the_c_ssrs_screener_raises_by_rule_and_has_no_total(world: World) -> None:
    key = await a_case(world)
    document = await put(world, key, instrument="c-ssrs-screener", answers={"q2": "yes", "q4": "yes"})
    assert (document["result"]["total"], document["result"]["band"]) == (None, "high")
    assert (await world.case(key))["tier"] == "high"


async def test_an_act_in_progress_calls_for_the_emergency_service(world: World) -> None:
    key = await a_case(world)
    await put(world, key, instrument="beijing-hotline-scale", answers={"act_in_progress": "yes"})
    case = await world.case(key)
    assert (case["tier"], case["emergency"]["state"]) == ("imminent", "required")


async def test_another_act_in_progress_calls_for_it_again(world: World) -> None:
    key = await a_case(world, **IMMINENT)

    async def confirmed(tx: Tx) -> None:
        tx.put("cases", {**(await tx.get("cases", key) or {}), "emergency": {"state": "confirmed"}})

    await world.do(confirmed)
    await put(world, key, instrument="beijing-hotline-scale", answers={"act_in_progress": "yes"})
    assert (await world.case(key))["emergency"]["state"] == "required"


async def test_a_good_result_lowers_nothing(world: World) -> None:
    key = await a_case(world, **HIGH)
    document = await put(world, key, answers=WELL)
    assert document["result"]["band"] == "minimal"
    assert (await world.case(key))["tier"] == "high"
    assert world.emitted(RiskLowered) == []


async def test_a_corrected_answer_leaves_what_it_raised(world: World) -> None:
    key, ident = await a_case(world), new_id()
    await put(world, key, ident, answers={"q9": 3})
    document = await put(world, key, ident, answers=WELL)
    case = await world.case(key)
    assert document["result"]["safety_assessment_needed"] is False
    assert document["safety_assessment_needed"] is True
    assert document["care"]["tier"] == "general"
    assert document["care"]["highest"] == "high_risk"
    assert document["care"]["offers"] == []
    assert case["tier"] == "moderate"
    assert "safety_assessment_due" in case["decisions_needed"]
    assert [row["answers"].get("q9") for row in document["history"]] == [3, 0]


phq_answers = st.dictionaries(st.sampled_from(sorted(PHQ.by_id)), st.integers(0, 3) | st.just("refused"), min_size=1)
c_ssrs_answers = st.dictionaries(
    st.sampled_from(sorted(CSSRS.by_id)), st.sampled_from(["yes", "no", "unknown", "refused"]), min_size=1
)
sent = st.lists(
    st.tuples(st.just("phq-9"), phq_answers) | st.tuples(st.just("c-ssrs-screener"), c_ssrs_answers),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=sent)
async def test_no_answer_given_later_lowers_a_case(world: World, sent: list[tuple[str, dict[str, int | str]]]) -> None:
    """Whatever is sent, in whatever order, under two ids that grow: the tier, and what waits for people, only grow."""
    key = await a_case(world)
    idents = {"phq-9": new_id(), "c-ssrs-screener": new_id()}
    rank, waiting, care = 0, set[str](), dict[str, int]()
    order = ["unknown", "general", "borderline", "high_risk"]
    complete: set[str] = set()
    for instrument, answers in sent:
        if instrument in complete:
            idents[instrument] = new_id()
            complete.discard(instrument)
            care.pop(instrument, None)
        document = await put(world, key, idents[instrument], instrument=instrument, answers=answers)
        if document["complete"]:
            complete.add(instrument)
        case = await world.case(key)
        assert case["rank"] >= rank
        assert set(case["decisions_needed"]) >= waiting
        assert order.index(document["care"]["highest"]) >= care.get(instrument, 0)
        rank, waiting = case["rank"], set(case["decisions_needed"])
        care[instrument] = order.index(document["care"]["highest"])
    assert world.emitted(RiskLowered) == []


# Routes: encourage, intervene and follow up, refer


def mild() -> dict[str, int | str]:
    return {**WELL, "q1": 3, "q2": 3}


async def test_who_is_well_is_encouraged_and_offered_to_lead_others(world: World, client: httpx.AsyncClient) -> None:
    key = await a_case(world)
    before = await world.follow_ups(key)
    document = await put(world, key, answers=WELL)
    assert document["care"] == {
        "tier": "general",
        "highest": "general",
        "elderly": "normal",
        "route": "encourage",
        "offers": ["peer_leader"],
    }
    page = (await read(client, world, key))[0]
    assert "带动身边的人一起参与社会活动" in page["guidance"]
    assert (page["care_label"], page["elderly_label"]) == ("一般人群", "正常")
    assert await world.follow_ups(key) == before
    assert (await world.case(key))["referral_id"] is None


async def test_a_mild_result_brings_follow_ups_that_recur(world: World, client: httpx.AsyncClient) -> None:
    key = await a_case(world)
    document = await put(world, key, answers=mild())
    assert (document["care"]["elderly"], document["care"]["route"]) == ("mild", "intervene_and_follow_up")
    policy = world.office.care_tiers.at(world.now).plans[document["care"]["tier"]]
    added = [item for item in await world.follow_ups(key) if item.get("assessment_id") == document["_id"]]
    assert len(added) == policy.follow_up_times > 1
    gaps = {later["due_at"] - earlier["due_at"] for earlier, later in pairwise(added)}
    assert gaps == {timedelta(days=policy.follow_up_every_days or 0)}
    assert "心理咨询" in (await read(client, world, key))[0]["measures"][0]
    await world.pass_time(timedelta(days=policy.follow_up_every_days or 0, hours=23))
    assert next(item for item in await world.follow_ups(key) if item["id"] == added[0]["id"])["state"] != "planned"


async def test_a_contact_that_is_planned_already_serves(world: World) -> None:
    key = await a_case(world, **HIGH)
    document = await put(world, key, answers=mild())
    plan = await world.follow_ups(key)
    own = [item for item in plan if item.get("assessment_id") == document["_id"]]
    policy = world.office.care_tiers.at(world.now).plans[document["care"]["tier"]]
    assert 0 < len(own) < policy.follow_up_times
    half = timedelta(days=policy.follow_up_every_days or 0) / 2
    others = [item["due_at"] for item in plan if item not in own]
    assert all(abs(item["due_at"] - other) > half for item in own for other in others)


async def test_who_refused_follow_up_is_not_followed_up_for_a_mild_result(world: World) -> None:
    key = await a_case(world, **LOW, consent_to_follow_up="refused")
    document = await put(world, key, answers=mild())
    assert document["care"]["route"] == "intervene_and_follow_up"
    assert await world.follow_ups(key) == []


async def test_a_moderate_result_or_a_suspected_cognitive_abnormality_is_referred(world: World) -> None:
    for answers, instrument in (
        ({**WELL, "q1": 3, "q2": 3, "q3": 3, "q4": 1}, "phq-9"),
        ({"suspected_abnormality": "yes"}, "cognitive-screen"),
    ):
        key = await a_case(world)
        assert (await world.case(key))["referral_id"] is None
        document = await put(world, key, instrument=instrument, answers=answers)
        assert (document["care"]["elderly"], document["care"]["route"]) == ("moderate_or_suspected_cognitive", "refer")
        referral = await world.referral(key)
        assert (referral["state"], referral["organisation_id"]) == ("drafted", HOSPITAL)
        assert world.emitted(ReferralMoved)[-1].case_id == key
        await world.acknowledge(key)
        await world.refer(key, caller=SUPERVISOR)
        for state in (ReferralState.received, ReferralState.accepted, ReferralState.attended):
            referral = await world.answer(await world.referral(key), state)
        assert (await world.referral(key))["state"] == "attended", "its outcome is tracked to the end"


async def test_a_bad_result_asks_whether_a_psychiatrist_is_consulted(world: World) -> None:
    key = await a_case(world)
    await put(world, key, answers={**WELL, "q1": 3, "q2": 3})
    assert "consultation_to_consider" not in (await world.case(key))["decisions_needed"]
    await put(world, key, answers={**WELL, "q1": 3, "q2": 3, "q3": 3, "q4": 1})
    assert "consultation_to_consider" in (await world.case(key))["decisions_needed"]


async def test_a_referral_that_is_under_way_serves(world: World) -> None:
    key = await a_case(world, **HIGH)
    first = (await world.referral(key))["_id"]
    await put(world, key, answers=dict.fromkeys(PHQ.by_id, 2))
    assert (await world.referral(key))["_id"] == first


async def test_an_assessment_is_due_again_by_its_tier(world: World) -> None:
    key = await a_case(world)
    plans = world.office.care_tiers.at(world.now).plans
    for answers, tier in ((WELL, "general"), (mild(), "borderline"), ({"q1": "refused"}, "unknown")):
        document = await put(world, key, answers=answers)
        again = document["due_again_at"] - document["updated_at"]
        assert again == timedelta(days=plans[document["care"]["tier"]].again_days)
        assert document["care"]["tier"] == tier


# What is kept


async def test_an_assessment_keeps_its_versions_and_its_manual(world: World) -> None:
    key = await a_case(world)
    document = await put(world, key, answers=WELL, manual="elderly-care-action-handbook")
    assert (document["instrument"], document["variant"], document["version"]) == ("phq-9", "standard", "2026-11")
    assert document["manual"] == {"code": "elderly-care-action-handbook", "edition": "以本市下发的版本为准"}
    assert document["policy"] == "2026-11"
    assert document["by"] == "officer-a"


async def test_answers_grow_and_the_total_comes_with_the_last(world: World) -> None:
    key, ident = await a_case(world), new_id()
    for number in range(1, 10):
        document = await put(world, key, ident, answers={f"q{number}": 1} if number < 9 else {"q9": 0})
        assert document["complete"] is (number == 9)
        assert (document["result"]["total"] is None) is (number < 9)
    assert document["result"]["total"] == 8
    assert len(document["history"]) == 9
    kinds = [row["kind"] for row in (await world.case(key))["timeline"]]
    assert kinds.count("assessed") <= 4, "a form that grows does not fill the timeline"


# The routes


def body(**more: Any) -> dict[str, Any]:
    return {"instrument": "phq-9", "answers": WELL, **more}


async def send(client: httpx.AsyncClient, world: World, case_id: Any, ident: Any, said: Any, **token: Any) -> Any:
    headers = world.keys.token(token.pop("role", "duty_officer"), **token)
    return await client.put(f"/v1/cases/{case_id}/assessments/{ident}", json=said, headers=headers)


async def read(client: httpx.AsyncClient, world: World, case_id: UUID, **token: Any) -> list[dict[str, Any]]:
    headers = world.keys.token(token.pop("role", "duty_officer"), **token)
    answer = await client.get(f"/v1/cases/{case_id}/assessments", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["assessments"]
    return found


async def test_an_officer_of_the_division_takes_and_reads_them(world: World, client: httpx.AsyncClient) -> None:
    key, ident = await a_case(world), new_id()
    answer = await send(client, world, key, ident, body())
    assert answer.status_code == 200
    page = answer.json()
    assert (page["id"], page["result"]["total"]) == (str(ident), 0)
    assert page["band_label"] == "没有或极轻的抑郁症状"
    other = new_id()
    await send(client, world, key, other, body(instrument="gad-7", answers={"q1": 1}))
    found = await read(client, world, key)
    assert [row["id"] for row in found] == [str(other), str(ident)]
    assert datetime.fromisoformat(found[0]["at"]) >= datetime.fromisoformat(found[1]["at"])
    readers = [row["by"] for row in await world.database.find("readings", {"case_id": key})]
    assert readers == ["someone"], "each reading is written down"
    for division in (NEIGHBOUR, TOWN):
        is_problem(await send(client, world, key, new_id(), body(), division=division), 404)
        headers = world.keys.token("duty_officer", division=division)
        is_problem(await client.get(f"/v1/cases/{key}/assessments", headers=headers), 404)
    is_problem(await send(client, world, key, new_id(), body(), role="receiver"), 403)
    is_problem(await send(client, world, new_id(), new_id(), body()), 404)


async def test_in_the_strict_class_only_who_holds_the_case_takes_and_reads_them(
    world: World, client: httpx.AsyncClient
) -> None:
    key = await a_case(world)
    await world.acknowledge(key)

    async def make_strict(tx: Tx) -> None:
        tx.put("cases", {**(await tx.get("cases", key) or {}), "access": "strict"})

    await world.do(make_strict)
    is_problem(await send(client, world, key, new_id(), body(), sub="officer-b"), 403)
    headers = world.keys.token("duty_officer", sub="officer-b")
    is_problem(await client.get(f"/v1/cases/{key}/assessments", headers=headers), 403)
    assert (await send(client, world, key, new_id(), body(), sub="officer-a")).status_code == 200


async def test_they_go_along_when_doubles_are_merged(world: World, client: httpx.AsyncClient) -> None:
    one, other = await a_case(world), await a_case(world)
    await put(world, one, answers={"q1": 1})
    await world.do(lambda tx: merge(one, other, "同一个人", SUPERVISOR, tx, world.office))
    assert len(await read(client, world, other)) == 1


async def test_the_accepted_responder_takes_them_too(world: World, client: httpx.AsyncClient) -> None:
    key = await a_case(world, **HIGH)
    volunteer = new_id()
    is_problem(await send(client, world, key, new_id(), body(), role="volunteer", sub=str(volunteer)), 404)
    case = await world.case(key)
    await world.take(
        OfferAccepted.model_validate(
            {
                **stamp(),
                "request_id": case["responder"]["request_id"],
                "case_id": key,
                "division": COUNTY,
                "tier": case["tier"],
                "responder_id": volunteer,
                "offer_id": new_id(),
                "seconds": 3,
            }
        )
    )
    ident = new_id()
    answer = await send(client, world, key, ident, body(), role="volunteer", sub=str(volunteer))
    assert answer.status_code == 200, answer.text
    assert answer.json()["by"] == str(volunteer)
    await put(world, key, instrument="gad-7")
    own = await read(client, world, key, role="volunteer", sub=str(volunteer))
    assert [row["id"] for row in own] == [str(ident)], "what the office took is none of the responder's"
    assert len(await read(client, world, key)) == 2


async def test_the_same_again_is_the_same_and_another_thing_under_the_id_is_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    key, ident = await a_case(world), new_id()
    first = await send(client, world, key, ident, body())
    events = len(world.events)
    assert (await send(client, world, key, ident, body())).json() == first.json()
    assert (await send(client, world, key, ident, body(answers={"q1": 0}))).json() == first.json()
    assert len(world.events) == events
    for said in (
        body(answers={"q1": 3}),
        body(instrument="gad-7", answers={"q1": 0}),
        body(variant="other"),
        body(version="2020-01"),
        body(manual="elderly-care-action-handbook"),
    ):
        is_problem(await send(client, world, key, ident, said), 409)
    is_problem(await send(client, world, await a_case(world), ident, body()), 409)


async def test_a_closed_case_takes_no_more(world: World, client: httpx.AsyncClient) -> None:
    key, ident = await a_case(world), new_id()
    first = await send(client, world, key, ident, body())
    await world.acknowledge(key)
    await world.close(key)
    is_problem(await send(client, world, key, new_id(), body()), 409)
    assert (await send(client, world, key, ident, body())).json() == first.json()


async def test_what_is_wrong_is_named(world: World, client: httpx.AsyncClient) -> None:
    key = await a_case(world)
    wrong: list[tuple[dict[str, Any], str | None]] = [
        (body(instrument="mmpi"), "instrument"),
        (body(variant="short"), "instrument"),
        (body(manual="none"), "manual"),
        (body(answers={"q9": 4}), "answers.q9"),
        (body(answers={"q10": 1}), "answers.q10"),
        (body(answers={"q1": "yes"}), "answers.q1"),
        (body(answers={"q1": True}), None),
        (body(answers={"q1": 1.5}), None),
        (body(answers={"q1": "张示例"}), None),
        (body(extra=1), "body.extra"),
    ]
    for said, field in wrong:
        is_problem(await send(client, world, key, new_id(), said), 422, field)
    is_problem(await send(client, world, key, "not-an-id", body()), 422, "path.assessment_id")
    case = await world.case(key)
    assert case["decisions_needed"] == []
    assert await read(client, world, key) == []


# What a hotline reports


def report(instrument: str, **more: Any) -> dict[str, Any]:
    return {"assessment": {"instrument": instrument, "version": "1", **more}}


async def test_a_hotlines_report_that_its_instrument_does_not_have_is_shown_and_still_counts(world: World) -> None:
    case = await world.flag(**LOW, **report("beijing-hotline-scale", total=40))
    assert case["tier"] == "high"
    assert case["flags"][0]["assessment_doubts"] == ["total_out_of_bounds"]


@pytest.mark.parametrize("instrument", ["beijing-hotline-scale", "some-other-scale"])
async def test_a_report_in_order_or_of_an_unknown_instrument_is_taken_as_it_is(world: World, instrument: str) -> None:
    case = await world.flag(**LOW, **report(instrument, total=3))
    assert "assessment_doubts" not in case["flags"][0]
    assert world.emitted(CaseOpened)[0].tier is Tier.low


@pytest.mark.parametrize(
    ("instrument", "item", "tier"),
    [
        ("phq-9", "q9", "moderate"),
        ("scl-90", "q15", "moderate"),
        ("beijing-hotline-scale", "plan_within_72_hours", "high"),
        ("beijing-hotline-scale", "attempt_within_2_weeks", "high"),
        ("beijing-hotline-scale", "act_in_progress", "imminent"),
    ],
)
async def test_a_yes_that_a_hotline_reports_raises(world: World, instrument: str, item: str, tier: str) -> None:
    case = await world.flag(**LOW, **report(instrument, answers=[{"item": item, "answer": "yes"}]))
    assert case["tier"] == tier

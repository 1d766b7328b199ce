"""The record of a case: typed sections, the safety plan and the individual plan, re-assessment, and visits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chassis.clock import new_id
from contracts.base import Answer
from contracts.codes import CODE_LISTS, Code, ProblemCategory
from contracts.crisis import ResponderRequested, RiskRaised
from contracts.hotline import RiskFlagged, Way
from contracts.registry import OrganisationKind, OrganisationRegistered
from services.crisis.domain.codes import HELPERS, LISTS, CareGroup, MarkKind, RedFlag
from services.crisis.domain.matters import Matter
from services.crisis.domain.pathway import ENDED, MEDICAL, NEXT, Stage, allows
from services.crisis.domain.record import PLAN_FIELDS, CareGroupEntry, Section
from services.crisis.domain.services import LISTS_OF_ALL, ServiceGroup, ServiceType
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    HOSPITAL,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    TOWN,
    World,
    a_flag,
    person,
    stamp,
)

REASON = {"reason": "会商决定"}
STATION = "00000000-0000-7000-8000-0000000000c1"
SECTIONS: dict[str, dict[str, Any]] = {
    "means": {"means": ["medicine", "height"], "access": "at_hand", "restriction": "agreed", "note": "药在床头柜"},
    "who_is_near": {"alone": "no", "who": ["parent"], "can_stay": "yes", "names": "张示例"},
    "location": {"place": "home", "division": TOWN, "address": "示例路1号"},
    "care_group": {"groups": ["elderly_alone"], "note": "独自居住"},
    "problem": {"problems": ["insomnia", "post_traumatic_stress"], "note": "三周睡不好"},
    "elderly": {"status": "mild", "needs": ["company", "sleep"], "lives_alone": "yes", "note": "盼子女来电"},
    "dispute": {"about": "land_housing", "worker": "worker-a", "note": "宅基地纠纷"},
    "intervention": {
        "service": "4-3",
        "actions": [{"action": "safety_plan", "progress": "agreed"}, {"action": "visit", "progress": "failed"}],
        "facts": "来电40分钟",
        "judgements": "情绪趋稳",
        "unknowns": "家中是否还有药物",
    },
    "note": {"text": "张示例愿意明天再谈"},
}

MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("means", {"means": ["poison-pen"]}),
    ("means", {"means": []}),
    ("who_is_near", {"alone": "perhaps"}),
    ("location", {"division": "12"}),
    ("problem", {"problems": ["depression_f32"]}),
    ("dispute", {"worker": "张 示例"}),
    ("intervention", {"service": "9-9"}),
    ("intervention", {"actions": [{"action": "no_suicide_promise", "progress": "done"}]}),
    ("note", {"text": "  "}),
    ("note", {"text": "长" * 2001}),
    ("note", {"phone": "000"}),
    ("diagnosis", {}),
]


def section(kind: str, **more: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "section": {"kind": kind, **SECTIONS.get(kind, {}), **more}}


async def post(client: httpx.AsyncClient, key: Any, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{key}/{path}", json=body, headers=headers)


# Sections


async def test_a_section_keeps_its_codes_in_the_clear_and_seals_what_is_personal(
    world: World, client: httpx.AsyncClient
) -> None:
    for kind in SECTIONS:
        key = (await world.flag(caller=person(), **MODERATE))["_id"]
        officer = world.keys.token("duty_officer", sub="officer-a")
        body = section(kind)
        entered = (await post(client, key, "sections", body, officer)).json()
        assert (entered["kind"], entered["by"], entered["id"]) == (kind, "officer-a", body["id"])
        listed = (await client.get(f"/v1/cases/{key}/sections", headers=officer)).json()["sections"]
        texts = {name: text for name, text in SECTIONS[kind].items() if name in entered["personal"]}
        assert texts, "each of them has something personal"
        assert not any(text in str(listed) for text in texts.values())
        (kept,) = await world.database.find("sections", {"kind": kind})
        assert not any(text in str(kept) or text.encode() in kept["sealed"] for text in texts.values())
        reading = (await post(client, key, "sections/read", {"reason": "接班了解情况"}, officer)).json()["sections"]
        assert reading[0]["texts"] == texts
        entry = (await world.audit_log())[-1]
        assert (entry["action"], entry["actor"], entry["reason"]) == ("sections_read", "officer-a", "接班了解情况")
        assert (await world.case(key))["timeline"][-1]["about"] == kind


async def test_a_section_sent_again_is_entered_once_and_its_id_is_not_reused(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    body = section("means")
    first, second = [await post(client, key, "sections", body, officer) for _ in range(2)]
    assert first.json() == second.json()
    other = {**body, "section": {**body["section"], "note": "药已交给家人"}}
    is_problem(await post(client, key, "sections", other, officer), 409, "id")
    assert len(await world.database.find("sections", {})) == 1


async def test_a_section_that_is_not_of_its_form_is_refused(world: World, client: httpx.AsyncClient) -> None:
    for kind, said in MALFORMED:
        key = (await world.flag(caller=person(), **MODERATE))["_id"]
        answer = await post(client, key, "sections", section(kind, **said), world.keys.token("duty_officer"))
        is_problem(answer, 422)
        assert answer.json()["field"].startswith("body.section")
        assert await world.database.find("sections", {}) == []


async def test_who_does_not_work_on_the_case_neither_writes_nor_reads_its_sections(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    for headers, status in (
        (world.keys.token("duty_officer", division=NEIGHBOUR), 404),
        (world.keys.token("volunteer", sub="nobody"), 404),
        (world.keys.token("receiver"), 403),
        ({}, 401),
    ):
        is_problem(await post(client, key, "sections", section("note"), headers), status)
        is_problem(await post(client, key, "sections/read", REASON, headers), status)
    is_problem(
        await client.get(f"/v1/cases/{key}/sections", headers=world.keys.token("supervisor", division=NEIGHBOUR)), 404
    )
    is_problem(await post(client, key, "sections/read", {}, world.keys.token("supervisor")), 422, "body.reason")
    future = {**section("note"), "at": "2999-01-01T00:00:00Z"}
    is_problem(await post(client, key, "sections", future, world.keys.token("supervisor")), 422, "at")


async def test_the_timeline_is_read_page_by_page_and_by_kind(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    officer = world.keys.token("duty_officer")
    ids = [
        (await post(client, key, "sections", section(kind), officer)).json()["id"]
        for kind in ("note", "means", "note", "location", "note")
    ]

    async def page(query: str) -> list[str]:
        found = await client.get(f"/v1/cases/{key}/sections?{query}", headers=officer)
        return [one["id"] for one in found.json()["sections"]]

    assert await page("limit=2") == ids[:2]
    assert await page(f"limit=2&after={ids[1]}") == ids[2:4]
    assert await page(f"after={ids[3]}") == ids[4:]
    assert await page("kind=note") == [ids[0], ids[2], ids[4]]
    is_problem(await client.get(f"/v1/cases/{key}/sections?after={new_id()}", headers=officer), 404)


async def test_once_the_person_is_erased_the_codes_stay_and_the_texts_are_gone(
    world: World, client: httpx.AsyncClient
) -> None:
    sealed = world.keys.seal({"phone": "000-0000-0001"})
    key = (await world.flag(caller=person(), sealed_contact=sealed, **MODERATE))["_id"]
    supervisor = world.keys.token("supervisor")
    await post(client, key, "sections", section("means"), supervisor)
    await world.acknowledge(key)
    await world.close(key)
    assert (await post(client, key, "contact/erase", REASON, supervisor)).status_code == 200
    (one,) = (await post(client, key, "sections/read", REASON, supervisor)).json()["sections"]
    assert (one["erased"], one["texts"]) == (True, None)
    assert one["codes"]["means"] == ["medicine", "height"]


# What a section raises


async def test_a_red_flag_raises_and_asks_for_a_consultation_or_an_admission(
    world: World, client: httpx.AsyncClient
) -> None:
    for number, flag in enumerate(RedFlag):
        key = (await world.flag(caller=person(number), **MODERATE))["_id"]
        officer, supervisor = world.keys.token("duty_officer"), world.keys.token("supervisor", sub="supervisor-a")
        await post(client, key, "sections", section("red_flag", flags=[flag.value]), officer)
        case = await world.case(key)
        assert case["tier"] == "high"
        assert case["decisions_needed"] == [Matter.consultation_or_admission]
        assert [(event.previous, event.tier) for event in world.emitted(RiskRaised) if event.case_id == key] == [
            ("moderate", "high")
        ]
        decided = {"decision": "consult", "about": "consultation_or_admission", **REASON}
        assert (await post(client, key, "decision", decided, supervisor)).json()["decisions_needed"] == []


async def test_no_section_lowers(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    for body in (section("red_flag", flags=["suicide"]), section("dispute", extreme_event_warning=True)):
        assert (await post(client, key, "sections", body, world.keys.token("duty_officer"))).status_code == 200
    assert (await world.case(key))["tier"] == "imminent"


async def test_a_dispute_has_its_worker_and_a_warning_of_an_extreme_event_raises(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    officer = world.keys.token("duty_officer")
    quiet = (await post(client, key, "sections", section("dispute"), officer)).json()
    assert quiet["codes"]["worker"] == "worker-a"
    assert (await world.case(key))["tier"] == "low"
    without = section("dispute")
    del without["section"]["worker"]
    is_problem(await post(client, key, "sections", without, officer), 422)
    await post(client, key, "sections", section("dispute", extreme_event_warning=True), officer)
    case = await world.case(key)
    assert (case["tier"], case["decisions_needed"]) == ("high", [Matter.extreme_event_warning])


async def test_a_helper_with_a_stress_reaction_is_brought_to_treatment_of_the_individual(
    world: World, client: httpx.AsyncClient
) -> None:
    for number, group in enumerate(sorted(HELPERS)):
        key = (await world.flag(caller=person(number), **MODERATE))["_id"]
        officer, supervisor = world.keys.token("duty_officer"), world.keys.token("supervisor", sub="supervisor-a")
        helper = section("care_group", groups=[group.value], stress_reaction="yes")
        await post(client, key, "sections", helper, officer)
        assert (await world.case(key))["decisions_needed"] == [Matter.helper_needs_treatment]
        decided = {"decision": "individual_treatment", **REASON}
        assert (await post(client, key, "decision", decided, supervisor)).json()["decisions_needed"] == []


@given(st.sets(st.sampled_from(CareGroup), min_size=1, max_size=8), st.sampled_from(Answer))
def test_only_a_helper_who_shows_it_is_asked_about(groups: set[CareGroup], answer: Answer) -> None:
    entry = CareGroupEntry(kind="care_group", groups=tuple(groups), stress_reaction=answer)
    assert bool(entry.matters()) == bool(groups & HELPERS and answer is Answer.yes)


# Code lists


def in_chinese(label: str) -> bool:
    return any("一" <= letter <= "鿿" for letter in label)


async def test_every_code_has_its_chinese_words_and_can_be_read(world: World, client: httpx.AsyncClient) -> None:
    anyone = world.keys.token("statistician")
    lists = (await client.get("/v1/codes", headers=anyone)).json()["lists"]
    for name, codes in LISTS_OF_ALL.items():
        assert [one["code"] for one in lists[name]] == [code.value for code in codes]
        assert all(in_chinese(one["label"]) or one["label"] == "110" for one in lists[name])
        assert (await client.get(f"/v1/codes/{name}", headers=anyone)).json()["codes"] == lists[name]
    assert len(lists["problems"]) >= 4
    assert {"anxiety_or_depression", "insomnia", "post_traumatic_stress", "acute_stress"} <= {
        one["code"] for one in lists["problems"]
    }
    is_problem(await client.get("/v1/codes/diagnoses", headers=anyone), 404)


def test_no_code_stands_twice_in_a_list() -> None:
    for codes in LISTS.values():
        labels = [code.label for code in codes]
        assert len(labels) == len(set(labels)), codes
        assert issubclass(codes, Code)
    assert MarkKind.repeated_caller.label == "反复来电"


def test_the_service_types_are_five_groups_of_twenty_five() -> None:
    sizes = {group: sum(kind.group is group for kind in ServiceType) for group in ServiceGroup}
    assert list(sizes.values()) == [5, 5, 6, 3, 6]
    owned = {
        ServiceType.medical_aid: ("3-4", "医疗救助志愿服务", ServiceGroup.hardship),
        ServiceType.experts_online: ("4-3", "心理专家在线志愿服务", ServiceGroup.psychological),
        ServiceType.emergency_rescue: ("5-2", "应急救援志愿服务", ServiceGroup.public),
    }
    assert {kind: (kind.value, kind.label, kind.group) for kind in owned} == owned


def test_the_service_types_are_the_shared_list_and_no_copy_of_it() -> None:
    for name in ("service-groups", "service-types", "problem-categories", "problem-codes"):
        assert LISTS_OF_ALL[name] is CODE_LISTS[name].codes
    assert ServiceType is CODE_LISTS["service-types"].codes


async def test_a_case_is_classified_and_who_is_asked_to_help_is_told_its_categories_alone(
    world: World, client: httpx.AsyncClient
) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    officer = world.keys.token("duty_officer")
    for codes in (["anxiety", "grief"], ["new_students", "exam_anxiety"]):
        entered = await post(client, key, "sections", section("problem", classified=codes), officer)
        assert entered.json()["codes"]["classified"] == codes
    plain_one = await post(client, key, "sections", section("problem"), officer)
    assert plain_one.json()["codes"]["classified"] == []
    case = (await client.get(f"/v1/cases/{key}", headers=officer)).json()
    assert case["problem_codes"] == ["new_students", "exam_anxiety"], "the latest that was told"
    wrong = await post(client, key, "sections", section("problem", classified=["F32.1"]), officer)
    assert wrong.status_code == 422
    assert world.emitted(ResponderRequested) == []
    assert (await post(client, key, "raise", {"tier": "high", "reason": "情况变化"}, officer)).status_code == 200
    (asked,) = world.emitted(ResponderRequested)
    assert asked.problem_categories == (ProblemCategory.developmental, ProblemCategory.adaptive)
    assert b"exam_anxiety" not in asked.body()


async def test_of_two_cases_that_are_one_the_classification_is_not_lost(
    world: World, client: httpx.AsyncClient
) -> None:
    kept, gone = [(await world.flag(caller=person(number), **LOW))["_id"] for number in (1, 2)]
    officer, supervisor = world.keys.token("duty_officer"), world.keys.token("supervisor", sub="supervisor-a")
    assert (await post(client, gone, "sections", section("problem", classified=["grief"]), officer)).status_code == 200
    merged = await post(client, gone, "merge", {"into": str(kept), "reason": "同一人的两次来电"}, supervisor)
    assert merged.status_code == 200, merged.text
    assert (await world.case(kept))["problem_codes"] == ["grief"]


async def test_an_intervention_says_which_of_the_services_it_was(world: World, client: httpx.AsyncClient) -> None:
    for number, code in enumerate(("3-4", "4-3", "5-2")):
        key = (await world.flag(caller=person(number), **MODERATE))["_id"]
        officer = world.keys.token("duty_officer")
        assert (await post(client, key, "sections", section("intervention", service=code), officer)).status_code == 200
        (one,) = (await client.get(f"/v1/cases/{key}/sections?kind=intervention", headers=officer)).json()["sections"]
        assert one["codes"]["service"] == code
        assert one["codes"]["actions"][1] == {"action": "visit", "progress": "failed"}


def test_every_kind_of_section_can_be_read_from_what_it_says() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Section)
    for kind, said in SECTIONS.items():
        codes, texts = adapter.validate_python({"kind": kind, **said}).split()
        assert set(codes) | set(texts) >= set(said)
        assert not set(codes) & set(texts)


# Plans and reviews


async def test_a_safety_plan_has_six_fields_and_keeps_its_versions(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    address = f"/v1/cases/{key}/safety-plan"
    texts = {name: f"示例{place}" for place, name in enumerate(PLAN_FIELDS)}
    part = {name: texts[name] for name in PLAN_FIELDS[:2]}
    first = (await client.put(address, json=part, headers=officer)).json()
    assert first["safety_plan"]["missing"] == list(PLAN_FIELDS[2:])
    for _ in range(2):
        second = (await client.put(address, json=texts, headers=officer)).json()
    assert (second["safety_plan"]["version"], second["safety_plan"]["missing"]) == (2, [])
    assert not any(text in str(second) for text in texts.values())
    versions = (await post(client, key, "safety-plan/read", REASON, officer)).json()["versions"]
    assert [one["texts"] for one in versions] == [texts, part]
    assert (await world.audit_log())[-1]["action"] == "safety_plan_read"
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.put(address, json=texts, headers=elsewhere), 404)
    is_problem(await post(client, key, "safety-plan/read", REASON, elsewhere), 404)
    is_problem(await client.put(address, json={"promise": "不自杀"}, headers=officer), 422, "body.promise")
    late = {**texts, "review_at": "2999-01-01T00:00:00Z"}
    is_problem(await client.put(address, json=late, headers=officer), 422, "review_at")


async def test_an_individual_plan_is_reviewed_again_and_again(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), consent_to_follow_up="yes", **MODERATE))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    await world.acknowledge(key)
    plan = {"goals": ["sleep"], "measures": [{"service": "4-3", "every_days": 7}], "text": "每周一次咨询"}
    made = (await client.put(f"/v1/cases/{key}/care-plan", json=plan, headers=officer)).json()
    assert made["care_plan"]["goals"] == ["sleep"]
    assert "每周一次咨询" not in str(made)
    await world.pass_time(timedelta(days=29, hours=23))
    assert Matter.review_due not in (await world.case(key))["decisions_needed"]
    await world.pass_time(timedelta(hours=2))
    assert Matter.review_due in (await world.case(key))["decisions_needed"]
    again = section("reassessment", change="better", note="睡眠改善")
    await post(client, key, "sections", again, officer)
    assert Matter.review_due not in (await world.case(key))["decisions_needed"]
    assert f"review:{key}" in await world.timers()
    await world.pass_time(timedelta(days=31))
    assert Matter.review_due in (await world.case(key))["decisions_needed"]
    seen = (await client.get(f"/v1/cases/{key}/record", headers=officer)).json()
    assert seen["about"]["reassessed"]["change"] == "better"
    assert [one["kind"] for one in seen["sections"]] == ["reassessment"]
    texts = (await post(client, key, "care-plan/read", REASON, officer)).json()["versions"][0]["texts"]
    assert texts == {"text": "每周一次咨询"}
    is_problem(await client.put(f"/v1/cases/{key}/care-plan", json={**plan, "goals": []}, headers=officer), 422)
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.get(f"/v1/cases/{key}/record", headers=elsewhere), 404)
    is_problem(await client.put(f"/v1/cases/{key}/care-plan", json=plan, headers=elsewhere), 404)
    is_problem(await post(client, key, "care-plan/read", REASON, elsewhere), 404)


# Visits


async def a_visit(world: World, client: httpx.AsyncClient, organisation: Any = HOSPITAL) -> tuple[Any, str]:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    body = {"id": str(new_id()), "organisation_id": str(organisation)}
    answer = await post(client, key, "encounters", body, world.keys.token("duty_officer"))
    assert answer.status_code == 200, answer.text
    return key, body["id"]


async def a_station(world: World) -> None:
    await world.take(
        OrganisationRegistered(
            **stamp(),
            organisation_id=STATION,
            revision=1,
            name="测试心理服务站",
            kind=OrganisationKind.service_provider,
            division=COUNTY,
            receives_referrals=False,
        )
    )


async def test_a_visit_goes_through_the_five_stages(world: World, client: httpx.AsyncClient) -> None:
    key, visit = await a_visit(world, client)
    officer = world.keys.token("duty_officer", sub="officer-a")
    for stage in ("assessment", "counselling", "psychotherapy", "analysis", "ended"):
        moved = await post(client, key, f"encounters/{visit}/move", {"stage": stage}, officer)
        assert moved.json()["stage"] == stage, moved.text
    (seen,) = (await client.get(f"/v1/cases/{key}/encounters", headers=officer)).json()["encounters"]
    assert [step["stage"] for step in seen["history"]] == [
        "reception",
        "assessment",
        "counselling",
        "psychotherapy",
        "analysis",
        "ended",
    ]
    is_problem(await post(client, key, f"encounters/{visit}/move", {"stage": "counselling"}, officer), 409)
    told = (await client.get("/v1/pathway", headers=officer)).json()["stages"]
    assert [one["label"] for one in told[:5]] == ["接待", "心理测评", "心理咨询", "心理治疗", "心理大数据分析"]


async def test_psychotherapy_is_given_in_a_medical_institution_alone(world: World, client: httpx.AsyncClient) -> None:
    await a_station(world)
    key, visit = await a_visit(world, client, STATION)
    officer = world.keys.token("duty_officer")
    address = f"encounters/{visit}/move"
    await post(client, key, address, {"stage": "assessment"}, officer)
    is_problem(await post(client, key, address, {"stage": "psychotherapy"}, officer), 403, "organisation_id")
    there = {"stage": "psychotherapy", "organisation_id": str(HOSPITAL)}
    assert (await post(client, key, address, there, officer)).json()["organisation_id"] == str(HOSPITAL)


async def test_a_visit_begins_once_and_where_the_registry_knows(world: World, client: httpx.AsyncClient) -> None:
    key, visit = await a_visit(world, client)
    officer = world.keys.token("duty_officer")
    same = {"id": visit, "organisation_id": str(HOSPITAL)}
    assert (await post(client, key, "encounters", same, officer)).json()["id"] == visit
    is_problem(await post(client, key, "encounters", {**same, "organisation_id": str(new_id())}, officer), 409, "id")
    nowhere = {"id": str(new_id()), "organisation_id": str(new_id())}
    is_problem(await post(client, key, "encounters", nowhere, officer), 422, "organisation_id")
    elsewhere = world.keys.token("duty_officer", division=NEIGHBOUR)
    is_problem(await post(client, key, "encounters", same, elsewhere), 404)
    is_problem(await post(client, key, f"encounters/{visit}/move", {"stage": "assessment"}, elsewhere), 404)
    is_problem(await client.get(f"/v1/cases/{key}/encounters", headers=elsewhere), 404)
    is_problem(await post(client, key, f"encounters/{new_id()}/move", {"stage": "left"}, officer), 404)
    is_problem(await post(client, key, f"encounters/{visit}/move", {"stage": "cured"}, officer), 422, "body.stage")


@given(st.lists(st.sampled_from(Stage), max_size=12))
def test_however_a_visit_goes_it_ends_and_skips_nobodys_reception(stages: list[Stage]) -> None:
    present = Stage.reception
    for stage in stages:
        if allows(present, stage):
            present = stage
    assert set(NEXT) == set(Stage)
    assert Stage.reception not in {following for ones in NEXT.values() for following in ones}
    assert present in ENDED or NEXT[present]
    assert {Stage.psychotherapy} == MEDICAL


# Outreach


def an_outreach(**more: Any) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "division": TOWN,
        "legal_basis": "pipl_13_4",
        "reason": "一线值守人员出现严重心理行为问题",
        "phone": "000-0000-0001",
        **more,
    }


async def test_help_that_nobody_asked_for_becomes_a_case_with_its_legal_basis(
    world: World, client: httpx.AsyncClient
) -> None:
    officer = world.keys.token("duty_officer", sub="officer-a")
    body = an_outreach()
    for _ in range(2):
        answer = await client.post("/v1/outreach", json=body, headers=officer)
        assert answer.status_code == 202, answer.text
    (flag,) = world.emitted(RiskFlagged)
    assert (flag.way, str(flag.id), flag.place) == (Way.outreach, body["id"], TOWN)
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert case["decisions_needed"] == []
    (basis,) = (await client.get(f"/v1/cases/{case['_id']}/sections", headers=officer)).json()["sections"]
    assert (basis["kind"], basis["codes"]) == ("outreach", {"legal_basis": "pipl_13_4"})
    (read,) = (await post(client, case["_id"], "sections/read", REASON, officer)).json()["sections"]
    assert read["texts"] == {"reason": body["reason"]}
    is_problem(await client.post("/v1/outreach", json={**body, "reason": "另一理由"}, headers=officer), 409, "id")


async def test_an_outreach_without_its_legal_basis_is_refused(world: World, client: httpx.AsyncClient) -> None:
    officer = world.keys.token("duty_officer")
    body = an_outreach()
    del body["legal_basis"]
    is_problem(await client.post("/v1/outreach", json=body, headers=officer), 422, "body.legal_basis")
    is_problem(await client.post("/v1/outreach", json=an_outreach(legal_basis="x"), headers=officer), 422)
    nowhere = an_outreach(division="370812999")
    is_problem(await client.post("/v1/outreach", json=nowhere, headers=officer), 422, "division")
    is_problem(await client.post("/v1/outreach", json=an_outreach(division=NEIGHBOUR), headers=officer), 404)
    is_problem(await client.post("/v1/outreach", json=an_outreach()), 401)
    is_problem(await client.post("/v1/outreach", json=an_outreach(), headers=world.keys.token("volunteer")), 403)
    assert world.emitted(RiskFlagged) == []


async def test_an_outreach_that_came_in_another_way_waits_for_a_supervisors_word(world: World) -> None:
    flag = a_flag(way="outreach", caller=person(), **MODERATE)
    await world.take(flag)
    assert (await world.case_of(flag.id))["decisions_needed"] == [Matter.legal_basis_missing]


ROUTES = {
    "GET /v1/codes",
    "GET /v1/codes/{name}",
    "GET /v1/pathway",
    "POST /v1/outreach",
    "POST /v1/cases/{case_id}/sections",
    "GET /v1/cases/{case_id}/sections",
    "POST /v1/cases/{case_id}/sections/read",
    "GET /v1/cases/{case_id}/record",
    "PUT /v1/cases/{case_id}/safety-plan",
    "POST /v1/cases/{case_id}/safety-plan/read",
    "PUT /v1/cases/{case_id}/care-plan",
    "POST /v1/cases/{case_id}/care-plan/read",
    "POST /v1/cases/{case_id}/encounters",
    "GET /v1/cases/{case_id}/encounters",
    "POST /v1/cases/{case_id}/encounters/{encounter_id}/move",
}

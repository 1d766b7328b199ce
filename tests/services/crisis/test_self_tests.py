"""The self-test platform: what a person reads, what is kept of it, and when it becomes a flag."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from chassis.clock import new_id
from contracts.crisis import SelfTestTaken
from contracts.hotline import RiskFlagged, Way
from services.crisis.api.self_tests import whole
from services.crisis.domain.instruments import catalogue
from tests.services.crisis.test_instruments import DEFINITIONS, GAD, PHQ, operators, with_total
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {"GET /v1/instruments", "GET /v1/instruments/{instrument}", "POST /v1/self-tests", "GET /v1/self-tests/counts"}
SITE = "self-test-site"
WELL = dict.fromkeys(PHQ.by_id, 0)


def body(**more: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "instrument": "phq-9", "answers": WELL, "division": TOWN, **more}


async def post(client: httpx.AsyncClient, world: World, said: Any, **token: Any) -> httpx.Response:
    headers = world.keys.token(token.pop("role", "hotline"), **{"hotline": SITE, **token})
    return await client.post("/v1/self-tests", json=said, headers=headers)


async def answer(client: httpx.AsyncClient, world: World, **more: Any) -> dict[str, Any]:
    found = await post(client, world, body(**more))
    assert found.status_code == 200, found.text
    content: dict[str, Any] = found.json()
    return content


# What a person reads


async def test_a_person_reads_a_result_that_is_no_diagnosis_and_where_help_is(
    world: World, client: httpx.AsyncClient
) -> None:
    result = await answer(client, world, answers=with_total(PHQ, 7))
    assert (result["total"], result["band"], result["band_label"]) == (7, "mild", "轻度抑郁症状")
    assert (result["tier"], result["tier_label"], result["route"]) == (
        "borderline",
        "临界人群",
        "intervene_and_follow_up",
    )
    assert "不是医学诊断" in result["messages"][-1]
    assert {"12356", "120", "110"} == {one["phone"] for one in result["help"]}
    assert (result["variant"], result["version"], result["policy"]) == ("standard", "2026-11", "2026-11")
    assert result["manual"]["edition"]


async def test_each_tier_has_guidance_of_its_own(world: World, client: httpx.AsyncClient) -> None:
    read = [(await answer(client, world, answers=with_total(PHQ, total)))["messages"][0] for total in (0, 5, 12)]
    assert len(set(read)) == 3
    assert "乐观" in read[0]
    assert "心理咨询" in read[1]
    assert "医疗卫生机构" in read[2]


async def test_who_leaves_questions_out_gets_no_total_and_no_all_clear(world: World, client: httpx.AsyncClient) -> None:
    result = await answer(client, world, answers={"q1": 0, "q2": "refused"})
    assert (result["total"], result["band"], result["tier"]) == (None, None, "unknown")
    assert "q2" in result["missing"]
    assert any("不等于没有困扰" in message for message in result["messages"])
    assert world.emitted(RiskFlagged) == []


async def test_who_thinks_of_dying_reads_where_help_is_first(world: World, client: httpx.AsyncClient) -> None:
    result = await answer(client, world, answers={"q9": 1})
    assert "请现在就联系" in result["messages"][0]
    assert result["flag_id"] is not None


# When it becomes a flag


async def test_a_positive_or_unsafe_result_becomes_a_case(world: World, client: httpx.AsyncClient) -> None:
    for answers in (with_total(GAD, 15), {**WELL, "q9": 1}, with_total(PHQ, 10)):
        instrument = "gad-7" if len(answers) == 7 else "phq-9"
        before = len(world.emitted(RiskFlagged))
        result = await answer(client, world, instrument=instrument, answers=answers, age_band="from_14_to_17")
        (flag,) = world.emitted(RiskFlagged)[before:]
        assert (str(flag.id), flag.way, flag.hotline) == (result["flag_id"], Way.self_test, SITE)
        assert (flag.division, flag.county, flag.minor) == (TOWN, COUNTY, True)
        assert flag.caller is None
        assert flag.hotline_level == ("moderate" if answers.get("q9") == 1 else "unknown")
        assert flag.assessment is not None
        assert (flag.assessment.instrument, flag.assessment.total) == (instrument, result["total"])
        await world.take(flag)
        case = await world.case_of(flag.id)
        assert case["division"] == TOWN
        assert case["tier"] == "moderate", "nobody has asked about the danger yet"
        assert "assessment_doubts" not in case["flags"][0]


async def test_a_person_who_wants_to_be_called_is_called(world: World, client: httpx.AsyncClient) -> None:
    sealed = world.keys.seal({"name": "张示例", "phone": "000-0000-0001"})
    said = {"sealed_contact": sealed, "consent_to_follow_up": "yes", "answers": {**WELL, "q9": 2}}
    result = await answer(client, world, **said)
    await world.take(*world.emitted(RiskFlagged))
    case = await world.case_of(UUID(result["flag_id"]))
    assert case["consent"] == "yes"
    assert case["flags"][0]["contact_state"] == "kept"
    assert await world.follow_ups(case["_id"])
    assert case["referral_id"] is not None
    assert "张示例" not in json.dumps(await world.database.find("self_tests", {}), default=str, ensure_ascii=False)


async def test_a_good_or_mild_result_raises_no_flag(world: World, client: httpx.AsyncClient) -> None:
    for total in (0, 4, 5, 9):
        assert (await answer(client, world, answers=with_total(PHQ, total)))["flag_id"] is None
    assert world.emitted(RiskFlagged) == []


# What is kept


async def test_nothing_about_the_person_is_kept(world: World, client: httpx.AsyncClient) -> None:
    result = await answer(client, world, answers={**WELL, "q9": 3}, age_band="from_60_to_74", sex="female")
    (row,) = await world.database.find("self_tests", {})
    assert set(row) == {
        "_id",
        "digest",
        "hotline",
        "division",
        "instrument",
        "variant",
        "version",
        "policy",
        "band",
        "tier",
        "unsafe",
        "flagged",
        "at",
    }
    assert result["flag_id"] not in json.dumps(row, default=str), "nothing leads from the row to the case"
    (event,) = world.emitted(SelfTestTaken)
    assert (event.division, event.tier, event.unsafe, event.flagged) == (TOWN, "high_risk", True, True)


async def test_the_same_again_is_counted_once_and_answered_the_same(world: World, client: httpx.AsyncClient) -> None:
    said = body(answers={**WELL, "q9": 1})
    first = await post(client, world, said)
    assert (await post(client, world, said)).json() == first.json()
    assert len(world.emitted(RiskFlagged)) == len(world.emitted(SelfTestTaken)) == 1
    for other in ({"answers": WELL}, {"division": COUNTY}, {"age_band": "from_75"}, {"instrument": "gad-7"}):
        is_problem(await post(client, world, {**said, **other}), 409, "id")
    is_problem(await post(client, world, said, hotline="another-site"), 409, "id")


async def test_the_same_twice_at_once_is_one(world: World, client: httpx.AsyncClient) -> None:
    said = body(answers={**WELL, "q9": 1})
    first, second = await asyncio.gather(post(client, world, said), post(client, world, said))
    assert first.json() == second.json()
    assert len(world.emitted(SelfTestTaken)) == 1


async def test_tests_are_counted_by_what_they_came_to(world: World, client: httpx.AsyncClient) -> None:
    for total in (0, 2, 12):
        await answer(client, world, answers=with_total(PHQ, total))
    await answer(client, world, instrument="gad-7", answers=with_total(GAD, 6), division=COUNTY)
    today = world.now.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
    day = {"since": today, "until": today}
    headers = world.keys.token("statistician")
    found = (await client.get("/v1/self-tests/counts", params=day, headers=headers)).json()["counts"]
    counted = {(row["instrument"], row["tier"]): (row["taken"], row["flagged"]) for row in found}
    assert counted == {("gad-7", "borderline"): (1, 0), ("phq-9", "general"): (2, 0), ("phq-9", "high_risk"): (1, 1)}
    headers = world.keys.token("statistician", division=TOWN)
    found = (await client.get("/v1/self-tests/counts", params=day, headers=headers)).json()["counts"]
    assert {row["instrument"] for row in found} == {"phq-9"}
    headers = world.keys.token("statistician", division=NEIGHBOUR)
    assert (await client.get("/v1/self-tests/counts", params=day, headers=headers)).json() == {"counts": []}
    for since, until in (
        ("2026-02-01", "2026-01-01"),
        ("2024-01-01", "2026-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("0001-01-01", "0001-02-01"),
    ):
        params = {"since": since, "until": until}
        is_problem(await client.get("/v1/self-tests/counts", params=params, headers=headers), 422)
    is_problem(await client.get("/v1/self-tests/counts", params=day, headers=world.keys.token("hotline")), 403)


# Who may, and what is wrong


async def test_only_a_hotlines_system_of_the_place_sends_self_tests(world: World, client: httpx.AsyncClient) -> None:
    is_problem(await client.post("/v1/self-tests", json=body()), 401)
    is_problem(await post(client, world, body(), role="duty_officer"), 403)
    is_problem(await post(client, world, body(), hotline=None), 403)
    is_problem(await post(client, world, body(), division=NEIGHBOUR), 404)
    is_problem(await post(client, world, body(division=NEIGHBOUR)), 404)
    assert await world.database.find("self_tests", {}) == []


async def test_what_is_wrong_is_named(world: World, client: httpx.AsyncClient) -> None:
    wrong: list[tuple[dict[str, Any], str | None]] = [
        ({"instrument": "mmpi"}, "instrument"),
        ({"variant": "short"}, "instrument"),
        ({"instrument": "c-ssrs-screener", "answers": {}}, "instrument"),
        ({"instrument": "beijing-hotline-scale", "answers": {}}, "instrument"),
        ({"answers": {"q1": 7}}, "answers.q1"),
        ({"answers": {"q0": 1}}, "answers.q0"),
        ({"division": COUNTY + "999"}, "division"),
        ({"division": "37"}, "body.division"),
        ({"sealed_contact": "000-0000-0001"}, "body.sealed_contact"),
        ({"name": "张示例"}, "body.name"),
        ({"id": 1}, "body.id"),
    ]
    for said, field in wrong:
        is_problem(await post(client, world, body(**said)), 422, field)
    assert await world.database.find("self_tests", {}) == []
    assert world.emitted(SelfTestTaken) == []


# The list


async def test_whoever_has_a_token_sees_every_instrument_with_its_sources(
    world: World, client: httpx.AsyncClient
) -> None:
    for role in ("volunteer", "hotline", "operator"):
        found = (await client.get("/v1/instruments", headers=world.keys.token(role))).json()["instruments"]
        assert len(found) == len(DEFINITIONS)
    assert all(row["source"] and row["bands_source"] and row["manuals"] for row in found)
    psqi = {row["variant"]: row for row in found if row["instrument"] == "psqi"}
    assert [band["from"] for band in psqi["liu-1996"]["bands"]] == [0, 8]
    assert [band["from"] for band in psqi["buysse-1989"]["bands"]] == [0, 6]
    assert psqi["liu-1996"]["default"] is True
    is_problem(await client.get("/v1/instruments"), 401)
    is_problem(await client.get("/v1/instruments", headers=world.keys.token()), 403)


async def test_an_instrument_shows_its_items_and_says_clearly_that_its_wording_is_missing(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = world.keys.token("hotline")
    page = (await client.get("/v1/instruments/phq-9", headers=headers)).json()
    assert [item["id"] for item in page["items"]] == [f"q{number}" for number in range(1, 10)]
    assert [option["value"] for option in page["items"][0]["options"]] == [0, 1, 2, 3]
    assert all(option["label"] for option in page["items"][0]["options"])
    assert page["texts"]["available"] is False
    assert "instrument_texts/phq-9.toml" in page["texts"]["detail"]
    assert page["items"][0]["text"] is None
    screener = (await client.get("/v1/instruments/c-ssrs-screener", headers=headers)).json()
    assert {item["id"]: item["skipped_if"] for item in screener["items"]}["q4"] == {"item": "q2", "is": ["no"]}
    other = (await client.get("/v1/instruments/gds-15", params={"variant": "order-b"}, headers=headers)).json()
    assert other["items"][11]["id"] == "wonderful_to_be_alive"
    for address in ("mmpi", "phq-9?variant=short", "phq-9?version=1999"):
        is_problem(await client.get(f"/v1/instruments/{address}", headers=headers), 404)


def test_licensed_wording_is_served_and_what_is_missing_of_it_is_said(tmp_path: Path) -> None:
    wording = 'licence = "测试用许可"\nlanguage = "zh-CN"\nintroduction = "示例导语"\n[items]\nq1 = "示例题目一"\n'
    own = catalogue(operators(tmp_path, "instrument_texts", "gad-7", wording))
    page = whole(own.get("gad-7"), own)
    assert page["introduction"] == "示例导语"
    assert [item["text"] for item in page["items"]] == ["示例题目一", *[None] * 6]
    assert page["texts"] == {
        "available": True,
        "licence": "测试用许可",
        "language": "zh-CN",
        "missing": [f"q{number}" for number in range(2, 8)],
    }

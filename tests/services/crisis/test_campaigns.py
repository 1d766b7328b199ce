"""Campaigns: planned with one questionnaire for all sites, begun, ended, reported, and watched."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, now
from contracts.crisis import CampaignMoved
from services.crisis.domain.campaign import NEXT, Eligibility, State, allows, in_window
from services.crisis.domain.campaigns_policy import CampaignPolicy
from services.crisis.domain.versions import SHIPPED, load_versions
from tests.services.crisis.campaign_world import CAMPAIGN, MODERATE, Field, known, plan, refusal, screening
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {
    "PUT /v1/campaigns/{campaign_id}",
    "POST /v1/campaigns/{campaign_id}/move",
    "GET /v1/campaigns",
    "GET /v1/campaigns/{campaign_id}",
    "GET /v1/campaigns/{campaign_id}/form",
    "GET /v1/campaigns/{campaign_id}/progress",
    "GET /v1/campaigns/{campaign_id}/ask-again",
}


@pytest.fixture
def field(world: World, client: httpx.AsyncClient) -> Field:
    return Field(world, client)


# Planning


async def test_a_campaign_is_planned_once_and_keeps_the_versions_it_was_planned_under(field: Field) -> None:
    first = (await field.plan()).json()
    assert (first["state"], first["policy"], first["host"]) == ("planned", "2026-11", "physical_exam")
    assert first["instruments"] == [{"instrument": "phq-9", "variant": "standard", "version": "2026-11"}]
    assert first["eligibility"]["min_age"] == 65, "a care point is for the elderly"
    assert (await field.plan()).json() == first
    (told,) = field.world.emitted(CampaignMoved)
    assert (told.campaign_id, told.state, told.previous, told.target) == (CAMPAIGN, "planned", None, 10)
    (entry,) = [one for one in await field.world.audit_log() if one["action"] == "campaign_planned"]
    assert (entry["actor"], entry["division"]) == ("planner-a", COUNTY)


NOT_POSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"questionnaire": "elderly@2019-1"}, "body.questionnaire"),
    ({"questionnaire": "of-site-2@1"}, "body.questionnaire"),
    ({"instruments": []}, "body.instruments"),
    ({"instruments": [{"instrument": "iq"}]}, "body.instruments.0"),
    ({"instruments": [{"instrument": "phq-9", "version": "1900"}]}, "body.instruments.0"),
    ({"instruments": [{"instrument": "phq-9"}, {"instrument": "phq-9"}]}, "body"),
    ({"eligibility": {"min_age": 50}}, "body.eligibility.min_age"),
    ({"eligibility": {"max_age": 60}}, "body.eligibility.max_age"),
    ({"eligibility": {"min_age": 10**30}}, "body.eligibility.min_age"),
    ({"kind": "incident_mass"}, "body.incident_id"),
    ({"kind": "census"}, "body.kind"),
    ({"host": "lottery"}, "body.host"),
    ({"starts": "2030-01-01"}, "body"),
    ({"division": "370899"}, "body.division"),
    ({"sites": []}, "body.sites"),
    ({"sites": [{"code": "a", "name": "甲"}, {"code": "a", "name": "乙"}]}, "body"),
    ({"sites": [{"code": "a", "name": "甲", "division": NEIGHBOUR}]}, "body.sites.0.division"),
    ({"sites": [{"code": "a", "name": "甲", "division": "370812999"}]}, "body.sites.0.division"),
    ({"sites": [{"code": "a", "name": "甲", "target": -1}]}, "body.sites.0.target"),
    ({"surprise": 1}, "body.surprise"),
]


async def test_a_plan_that_cannot_be_is_refused_with_its_place(field: Field) -> None:
    for change, where in NOT_POSSIBLE:
        answer = await field.client.put(
            field.address, json=plan(**change), headers=field.world.keys.token("supervisor", division="3708")
        )
        is_problem(answer, 422, where)
        is_problem(await field.client.get(field.address, headers=field.planner), 404)


async def test_a_plan_of_a_whole_city_says_in_which_county_each_site_is(field: Field) -> None:
    city = field.world.keys.token("district_centre", division="3708")
    sites = [{"code": "a", "name": "示例点"}]
    is_problem(
        await field.client.put(field.address, json=plan(division="3708", sites=sites), headers=city),
        422,
        "body.sites.0.division",
    )
    sites = [{"code": "a", "name": "示例点", "division": COUNTY}]
    answer = await field.client.put(field.address, json=plan(division="3708", sites=sites), headers=city)
    assert answer.status_code == 200
    found = (await field.client.get("/v1/campaigns", headers=field.surveyor)).json()["campaigns"]
    assert [one["id"] for one in found] == [str(CAMPAIGN)], "a county with a site sees the city's campaign"


async def test_every_kind_of_campaign_can_be_planned(field: Field) -> None:
    for kind in ("baseline_survey", "school_classes", "teachers", "staff"):
        answer = await field.client.put(f"/v1/campaigns/{uuid4()}", json=plan(kind=kind), headers=field.planner)
        assert answer.json()["kind"] == kind
    mass = plan(kind="incident_mass", incident_id=str(uuid4()), questionnaire="general@2026-1")
    assert (await field.client.put(f"/v1/campaigns/{uuid4()}", json=mass, headers=field.planner)).status_code == 200
    listed = (await field.client.get("/v1/campaigns?state=planned", headers=field.planner)).json()["campaigns"]
    assert len(listed) == 5
    assert (await field.client.get("/v1/campaigns?state=running", headers=field.planner)).json()["campaigns"] == []


async def test_teachers_are_screened_by_a_campaign_of_their_own(field: Field) -> None:
    await field.begin(kind="teachers", questionnaire="general@2026-1")
    row = screening(questionnaire="general@2026-1", age=17, answers={})
    assert (await field.take(row)).status_code == 422
    assert (await field.take({**row, "age": 35})).json()["outcome"] == "taken"
    assert (await field.progress())["point-1", None]["taken"] == 1


async def test_a_campaign_that_runs_keeps_its_questionnaire_and_may_get_more_sites_and_time(field: Field) -> None:
    await field.begin()
    for change, where in (
        ({"questionnaire": "general@2026-1"}, "body.questionnaire"),
        ({"instruments": [{"instrument": "gds-15"}]}, "body.instruments"),
        ({"eligibility": {"min_age": 80}}, "body.eligibility"),
        ({"starts": str(local_day(now()))}, "body.starts"),
        ({"sites": plan()["sites"][:1]}, "body.sites"),
    ):
        is_problem(await field.plan(**change), 409, where)
    more = [*plan()["sites"], {"code": "point-3", "name": "示例关爱点三", "target": 1}]
    assert len((await field.plan(sites=more, ends=str(local_day(now()) + timedelta(days=60)))).json()["sites"]) == 3
    assert (await field.move("ended")).status_code == 200
    is_problem(await field.plan(title="另一个名称"), 409, "state")


async def test_another_division_has_no_such_campaign_and_others_may_not_plan(field: Field) -> None:
    token = field.world.keys.token
    await field.begin()
    elsewhere = token("supervisor", division=NEIGHBOUR)
    put, get, post = field.client.put, field.client.get, field.client.post
    is_problem(await put(field.address, json=plan(), headers=elsewhere), 404)
    is_problem(await put(field.address, json=plan(division=NEIGHBOUR), headers=elsewhere), 404)
    is_problem(await put(f"/v1/campaigns/{uuid4()}", json=plan(), headers=elsewhere), 404)
    is_problem(await put(field.address, json=plan(), headers=field.surveyor), 403)
    is_problem(
        await post(f"{field.address}/move", json={"state": "ended", "reason": "会商决定"}, headers=elsewhere), 404
    )
    is_problem(
        await post(f"{field.address}/move", json={"state": "ended", "reason": "会商决定"}, headers=field.surveyor), 403
    )
    for page in ("", "/progress", "/ask-again"):
        is_problem(await get(field.address + page, headers=elsewhere), 404)
        is_problem(await get(f"/v1/campaigns/{uuid4()}{page}", headers=field.planner), 404)
        is_problem(await get(field.address + page, headers=token("operator")), 403)
    is_problem(await get(f"{field.address}/form", headers=token("surveyor", division=NEIGHBOUR)), 404)
    is_problem(await get(f"{field.address}/form", headers=field.planner), 403)
    assert (await get("/v1/campaigns", headers=elsewhere)).json()["campaigns"] == []
    is_problem(await get("/v1/campaigns?state=lost", headers=field.planner), 422, "query.state")


# States


async def test_a_campaign_goes_from_planned_to_reported_and_each_step_is_told(field: Field) -> None:
    await field.plan()
    is_problem(await field.move("ended"), 409, "body.state")
    for state in ("running", "running", "ended", "running", "ended", "reported", "reported"):
        assert (await field.move(state)).json()["state"] == state
    for state in ("planned", "running", "ended"):
        is_problem(await field.move(state), 409, "body.state")
    told = [(one.previous, one.state) for one in field.world.emitted(CampaignMoved)]
    assert told == [
        (None, "planned"),
        ("planned", "running"),
        ("running", "ended"),
        ("ended", "running"),
        ("running", "ended"),
        ("ended", "reported"),
    ]
    is_problem(
        await field.client.post(f"{field.address}/move", json={"state": "x"}, headers=field.planner), 422, "body.state"
    )


@given(st.lists(st.sampled_from(list(State)), max_size=12))
def test_nothing_follows_a_report_and_nothing_leads_back_to_the_plan(wishes: list[State]) -> None:
    state = State.planned
    for wish in wishes:
        if allows(state, wish):
            assert state is not State.reported
            assert wish is not State.planned
            state = wish
    assert set(NEXT) == set(State)


# The form, and how far a campaign is


async def test_the_form_holds_all_that_a_tablet_needs_without_a_network(field: Field) -> None:
    await field.begin()
    form = (await field.client.get(f"{field.address}/form", headers=field.surveyor)).json()
    assert [block["block"] for block in form["blocks"]] == ["basic", "assessment", "literacy", "needs"]
    assert all(
        item["label"] and len(item["answers"]) > 1 for block in form["blocks"] for item in block.get("items", [])
    )
    (phq,) = form["blocks"][1]["instruments"]
    assert [item["id"] for item in phq["items"]] == [f"q{number}" for number in range(1, 10)]
    assert [answer["value"] for answer in phq["items"][0]["answers"]] == [0, 1, 2, 3]
    assert phq["unsafe"] == [[{"item": "q9", "is": [], "from": 1}]]
    assert form["consent"]["text"]
    assert {"120", "110"} <= set(form["safety"]["calls"])
    assert form["unanswered"] == {"refused": "拒绝回答", "unknown": "不知道", "not_asked": "未问"}
    assert [site["code"] for site in form["sites"]] == ["point-1", "point-2"]
    town = field.world.keys.token("surveyor", division=TOWN)
    own = (await field.client.get(f"{field.address}/form", headers=town)).json()
    assert [site["code"] for site in own["sites"]] == ["point-1"]


async def test_progress_says_for_each_site_and_batch_what_is_done_and_what_is_outstanding(field: Field) -> None:
    await field.begin()
    await field.take(screening(MODERATE, person=known(1)))
    await field.take(refusal())
    await field.take(screening(age=60))
    await field.take(screening(site="point-2", batch="autumn"))
    progress = await field.progress()
    assert set(progress) == {("point-1", None), ("point-2", None), ("point-2", "autumn")}
    first = progress["point-1", None]
    assert [first[name] for name in ("target", "taken", "outstanding", "refused_consent", "not_eligible")] == [
        3,
        1,
        2,
        1,
        1,
    ]
    assert (first["flagged"], first["tiers"]["high_risk"]) == (1, 1)
    assert [progress["point-2", "autumn"][name] for name in ("target", "taken", "outstanding")] == [5, 1, 4]
    town = field.world.keys.token("surveyor", division=TOWN)
    own = (await field.client.get(f"{field.address}/progress", headers=town)).json()["sites"]
    assert [one["site"] for one in own] == ["point-1"]


# Rules


ages = st.none() | st.integers(0, 130)


@given(age=ages, least=ages, most=ages)
def test_who_is_of_an_age_that_a_campaign_is_for_is_never_turned_away_for_it(
    age: int | None, least: int | None, most: int | None
) -> None:
    rule = Eligibility(least, most)
    if rule.unknown(age, None, None) is not None:
        assert age is None
        return
    reason = rule.reason_against(age, None, None)
    fits = age is None or ((least or 0) <= age and (most is None or age <= most))
    assert (reason is None) is fits


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 60), st.integers(0, 60), st.integers(-99, 99))
def test_a_window_reaches_as_far_as_its_tolerance_and_no_day_further(
    starts: date, days: int, tolerance: int, offset: int
) -> None:
    ends = starts + timedelta(days=days)
    day = starts + timedelta(days=offset)
    assert in_window(day, starts, ends, tolerance) is (-tolerance <= offset <= days + tolerance)


def test_the_policy_that_ships_names_a_source_for_each_rule_and_every_question_has_its_own_id() -> None:
    policy = load_versions(CampaignPolicy, "campaigns").at(now())
    assert policy.populations["elderly_care_point"].min_age == 65  # type: ignore[index]
    for questionnaire in policy.questionnaires.values():
        assert questionnaire.basic
        assert questionnaire.literacy
        assert questionnaire.needs


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('id = "hardship"', 'id = "living"'),
        ('answers = { yes = "有", no = "没有" }', 'answers = { yes = "有", refused = "没有" }'),
        ("[populations.teachers]", "[populations.nobody]"),
        ("refer = [", "refused = ["),
    ],
)
def test_a_slip_in_a_policy_shows_when_it_is_read(before: str, after: str, tmp_path: Any) -> None:
    text = (SHIPPED / "campaigns" / "2026-11.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "own.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.toml"):
        load_versions(CampaignPolicy, "campaigns", tmp_path)

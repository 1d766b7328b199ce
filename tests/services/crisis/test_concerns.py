"""Concerns that people raise by hand: forms, who may raise what, what is kept, and what the raiser gets to know."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import new_id
from contracts.base import Answer, Channel
from contracts.hotline import RiskFlagged, Setting, Way
from services.crisis.domain.codes import CareGroup
from services.crisis.domain.forms import MAY_RAISE, RAISERS, SUICIDE, Form, Wrong, load_forms, read_answers
from services.crisis.domain.identity import telephone
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, HOSPITAL, MODERATE, NEIGHBOUR, TOWN, World, organisation, person

SCHOOL = UUID("00000000-0000-7000-8000-0000000005c0")
VILLAGE, NEXT_VILLAGE = f"{TOWN}001", f"{TOWN}002"
GRID = f"{VILLAGE}003"
FORMS = load_forms()
ASKED = dict.fromkeys(SUICIDE, "no")
UNASKED = dict.fromkeys(SUICIDE, "not_asked")
MINIMUM: dict[Way, dict[str, Any]] = {
    Way.hotline_contact: {**ASKED, "danger_to_others": "no", "consent_to_follow_up": "yes"},
    Way.silent_contact: {"sounds": "crying"},
    Way.repeated_contact: {**ASKED, "times": 4},
    Way.third_party: {**ASKED, "with_person_now": "yes"},
    Way.tree_hole_post: {**UNASKED, "signal": "farewell", "author_reachable": "unknown"},
    Way.screening_result: {**UNASKED, "instrument": "phq-9", "result": "high_risk"},
    Way.self_test: {**UNASKED, "result": "borderline", "asks_for_help": "yes"},
    Way.school_warning: {
        **UNASKED,
        "signs": ["absence"],
        "suspected_harm_to_minor": "no",
        "withhold_from_class": False,
        "age_band": "from_14_to_17",
    },
    Way.concern: {**UNASKED, "signs": ["sleepless"], "severe": "no"},
    Way.walk_in: {**ASKED, "here_now": "yes", "danger_to_others": "no", "consent_to_follow_up": "yes"},
    Way.missed_check_in: {"programme": "morning", "missed": 3, "knocked": "no"},
    Way.outreach: {**UNASKED, "occasion": "earlier_case", "legal_basis": "consent"},
}
ROUTES = {
    "GET /v1/forms",
    "GET /v1/forms/{way}",
    "POST /v1/concerns",
    "GET /v1/concerns",
    "GET /v1/concerns/{concern_id}",
    "POST /v1/concerns/{concern_id}/reporter",
}


def said(way: Way = Way.concern, **more: Any) -> dict[str, Any]:
    """A body that is taken."""
    body: dict[str, Any] = {"id": str(new_id()), "way": way, "channel": "walk_in", "division": TOWN}
    if way is Way.third_party:
        body["about_another"] = {"relation": "neighbour"}
    if way is Way.school_warning:
        body["organisation_id"] = str(SCHOOL)
    return {**body, "answers": MINIMUM[way], **more}


async def a_school(world: World) -> None:
    await world.take(organisation(SCHOOL, COUNTY, kind="school", name="测试学校", receives_referrals=False))


def token(world: World, role: str, **claims: Any) -> dict[str, str]:
    if role in ("class_teacher", "school_counsellor"):
        claims = {"organisation": str(SCHOOL), **claims}
    if role == "grid_worker":
        claims = {"division": VILLAGE, "grid": GRID, **claims}
    return world.keys.token(role, **{"sub": f"{role}-a", **claims})


async def raised(world: World, client: httpx.AsyncClient, role: str = "volunteer", **more: Any) -> dict[str, Any]:
    """A concern is raised, and its flag has come back as a case."""
    body = said(**more)
    before = len(world.emitted(RiskFlagged))
    answer = await client.post("/v1/concerns", json=body, headers=token(world, role))
    assert answer.status_code == 202, answer.text
    await world.take(*world.emitted(RiskFlagged)[before:])
    return body


async def case_of(world: World, body: dict[str, Any]) -> dict[str, Any]:
    concern = await world.database.get("concerns", UUID(body["id"]))
    assert concern is not None
    return await world.case_of(concern["flag_id"])


# Forms


@pytest.mark.parametrize("way", list(Way))
def test_each_form_asks_about_suicide_and_takes_not_asked_for_an_answer(way: Way) -> None:
    form = FORMS.of(way)
    assert form is not None
    for question in SUICIDE:
        asked = form.schema["properties"][question]
        assert asked["enum"] == [answer.value for answer in Answer]
        assert asked["x-labels"]["not_asked"] == "未询问"
        assert question in form.schema["required"] or asked["default"] == "not_asked"
    answers = read_answers(form, MINIMUM[way])
    assert set(SUICIDE) <= answers.keys()


@pytest.mark.parametrize("way", list(Way))
def test_each_form_has_a_minimum_and_every_choice_its_chinese_words(way: Way) -> None:
    form = FORMS.of(way)
    assert form is not None
    for name in form.schema["required"]:
        without = {key: value for key, value in MINIMUM[way].items() if key != name}
        with pytest.raises(Wrong) as error:
            read_answers(form, without)
        assert error.value.place == name
    for question in form.schema["properties"].values():
        assert any("一" <= letter <= "鿿" for letter in question["title"]), question
        for choice in [question, question.get("items", {}), *question.get("anyOf", ())]:
            if "enum" in choice:
                assert list(choice["x-labels"]) == choice["enum"]
                assert all(choice["x-labels"].values())


def test_the_groups_of_the_forms_are_those_of_the_record() -> None:
    labels = {group.value: group.label for group in CareGroup}
    for form in FORMS.newest():
        for code, label in form.schema["properties"]["care_group"]["x-labels"].items():
            assert labels[code] == label


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"signs": []}, "signs"),
        ({"signs": ["sleepless", "bored"]}, "signs.1"),
        ({"signs": "sleepless"}, "signs"),
        ({"severe": "maybe"}, "severe"),
        ({"refer": "yes"}, "refer"),
        ({"name": "张示例"}, "name"),
        ({"act_in_progress": None}, "act_in_progress"),
    ],
)
def test_an_answer_that_the_form_does_not_take_is_named_and_never_repeated(change: dict[str, Any], place: str) -> None:
    form = FORMS.of(Way.concern)
    assert form is not None
    with pytest.raises(Wrong) as error:
        read_answers(form, {**MINIMUM[Way.concern], **change})
    assert error.value.place == place
    assert "张示例" not in str(error.value)
    assert "bored" not in str(error.value)


async def test_forms_are_served_to_whoever_has_a_role(world: World, client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/forms", headers=token(world, "volunteer"))).json()["forms"]
    assert [row["way"] for row in listed] == [way.value for way in Way]
    assert {row["way"] for row in listed if row["may_fill_in"]} == {"concern", "missed_check_in"}
    form = (await client.get("/v1/forms/concern", headers=token(world, "auditor"))).json()
    assert (form["title"], form["x-version"]) == ("关切上报", "2026-11")
    same = await client.get("/v1/forms/concern?version=2026-11", headers=token(world, "auditor"))
    assert same.json() == form
    is_problem(await client.get("/v1/forms/concern?version=1999", headers=token(world, "auditor")), 404)
    is_problem(await client.get("/v1/forms/rumour", headers=token(world, "auditor")), 422, "path.way")
    is_problem(await client.get("/v1/forms"), 401)
    is_problem(await client.get("/v1/forms/concern", headers=world.keys.token()), 403)


# Raising


@pytest.mark.parametrize("role", RAISERS)
async def test_each_role_raises_by_its_own_ways(world: World, client: httpx.AsyncClient, role: str) -> None:
    await a_school(world)
    for way in Way:
        flags = len(world.emitted(RiskFlagged))
        place = {"division": VILLAGE} if role == "grid_worker" else {}
        answer = await client.post("/v1/concerns", json=said(way) | place, headers=token(world, role))
        if role in MAY_RAISE[way]:
            assert answer.status_code == 202, f"{way}: {answer.text}"
            (flag,) = world.emitted(RiskFlagged)[flags:]
            assert (flag.way, flag.place) == (way, place.get("division", TOWN))
            await world.take(flag)
        else:
            is_problem(answer, 403, "body.way")
            assert len(world.emitted(RiskFlagged)) == flags


async def test_a_concern_becomes_a_case_with_its_way_setting_and_what_nobody_asked(
    world: World, client: httpx.AsyncClient
) -> None:
    answers = {**MINIMUM[Way.concern], "act_in_progress": "no"}
    case = await case_of(world, await raised(world, client, answers=answers))
    assert (case["way"], case["setting"], case["channel"]) == ("concern", "community", "walk_in")
    assert case["unasked"] == ["plan_within_72_hours", "attempt_within_2_weeks"]
    assert case["assessment_needed"]
    assert case["person"] is None
    seen = await client.get(f"/v1/cases/{case['_id']}", headers=world.keys.token("supervisor"))
    assert seen.json()["unasked"] == case["unasked"]


async def test_what_was_asked_later_is_not_unasked_any_more(world: World) -> None:
    case = await world.flag(caller=person())
    assert case["unasked"] == list(SUICIDE)
    case = await world.flag(caller=person(), act_in_progress="no", plan_within_72_hours="refused")
    assert case["unasked"] == ["attempt_within_2_weeks"]
    assert case["assessment_needed"], "refused is an answer, and still not a no"


async def test_the_same_again_is_one_concern_and_another_body_a_conflict(
    world: World, client: httpx.AsyncClient
) -> None:
    body = said(contact={"phone": "000-0000-0001"})
    mine = token(world, "volunteer")
    answers = [await client.post("/v1/concerns", json=body, headers=mine) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert {answer.json()["id"] for answer in answers} == {body["id"]}
    assert len(world.emitted(RiskFlagged)) == 1
    for change in (
        {"division": COUNTY},
        {"contact": {"phone": "000-0000-0002"}},
        {"answers": {**MINIMUM[Way.concern], "severe": "yes"}},
    ):
        is_problem(await client.post("/v1/concerns", json={**body, **change}, headers=mine), 409, "body.id")
    other = token(world, "volunteer", sub="volunteer-b")
    is_problem(await client.post("/v1/concerns", json=body, headers=other), 409, "body.id")
    assert len(world.emitted(RiskFlagged)) == 1


async def test_what_is_wrong_is_named_by_its_field(world: World, client: httpx.AsyncClient) -> None:
    await a_school(world)
    officer, mine = token(world, "duty_officer"), token(world, "community_worker")
    without = {key: value for key, value in MINIMUM[Way.concern].items() if key != "severe"}
    about = {"about_another": None}
    cases: list[tuple[dict[str, str], dict[str, Any], int, str]] = [
        (mine, {"id": "00000000-0000-4000-8000-000000000001"}, 422, "body.id"),
        (mine, {"way": "rumour"}, 422, "body.way"),
        (mine, {"channel": "pigeon"}, 422, "body.channel"),
        (mine, {"division": "37"}, 422, "body.division"),
        (mine, {"division": "370812999"}, 422, "body.division"),
        (mine, {"division": NEIGHBOUR}, 422, "body.division"),
        (mine, {"answers": without}, 422, "body.answers.severe"),
        (mine, {"answers": {**MINIMUM[Way.concern], "colour": "red"}}, 422, "body.answers.colour"),
        (mine, {"answers": []}, 422, "body.answers"),
        (mine, {"form_version": "1999"}, 422, "body.form_version"),
        (mine, {"contact": {"phone": "not a number"}}, 422, "body.contact.phone"),
        (mine, {"contact": {"note": "长" * 1201}}, 422, "body.contact.note"),
        (mine, {"about_another": {"relation": "fan"}}, 422, "body.about_another.relation"),
        (mine, {"extra": 1}, 422, "body.extra"),
        (mine, {"organisation_id": str(SCHOOL)}, 403, "body.organisation_id"),
        (mine, said(Way.third_party) | about, 422, "body.about_another"),
        (officer, said(Way.school_warning) | {"organisation_id": None}, 422, "body.organisation_id"),
        (officer, said(Way.school_warning) | {"organisation_id": str(HOSPITAL)}, 422, "body.organisation_id"),
        (officer, said(Way.walk_in) | {"organisation_id": str(new_id())}, 422, "body.organisation_id"),
        (world.keys.token("class_teacher"), {}, 403, "body.organisation_id"),
    ]
    for headers, change, status, place in cases:
        answer = await client.post("/v1/concerns", json=said() | change, headers=headers)
        assert answer.status_code == status, f"{change}: {answer.text}"
        is_problem(answer, status, place)
    assert world.emitted(RiskFlagged) == []
    is_problem(await client.post("/v1/concerns", json=said()), 401)
    is_problem(await client.post("/v1/concerns", json=said(), headers=token(world, "receiver")), 403)


# What is personal


async def test_nothing_personal_is_kept_in_the_clear(world: World, client: httpx.AsyncClient) -> None:
    personal = ["张示例", "00000000001", "000-0000-0001", "示例路一号", "夜里常哭", "李示例", "000-0000-0002"]
    contact = {"name": "张示例", "phone": "000-0000-0001", "address": "示例路一号", "note": "夜里常哭"}
    about = {"relation": "neighbour", "reporter": {"name": "李示例", "phone": "000-0000-0002"}}
    body = await raised(world, client, "community_worker", contact=contact, about_another=about)
    for collection in ("concerns", "cases", "contacts", "persons", "outbox", "timers", "audit_log"):
        kept = str(await world.database.find(collection, {}))
        assert [word for word in personal if word in kept] == [], collection
    flag = world.emitted(RiskFlagged)[0]
    assert [word for word in personal if word in flag.body().decode()] == []
    case = await case_of(world, body)
    revealed = await client.post(
        f"/v1/cases/{case['_id']}/contact", json={"reason": "回电"}, headers=token(world, "duty_officer")
    )
    (shown,) = revealed.json()["contacts"]
    assert {name: shown[name] for name in contact} == contact


async def test_who_told_it_is_shown_to_an_officer_and_the_reading_is_logged(
    world: World, client: httpx.AsyncClient
) -> None:
    about = {"relation": "neighbour", "reporter": {"phone": "000-0000-0002"}}
    body = await raised(world, client, "community_worker", about_another=about)
    address = f"/v1/concerns/{body['id']}/reporter"
    answer = await client.post(address, json={"reason": "再次核实"}, headers=token(world, "duty_officer"))
    assert answer.json() == {"id": body["id"], "reporter": {"phone": "000-0000-0002"}}
    (entry,) = [entry for entry in await world.audit_log() if entry["action"] == "reporter_read"]
    assert (entry["subject"], entry["actor"]) == (body["id"], "duty_officer-a")
    elsewhere = token(world, "duty_officer", division=NEIGHBOUR)
    is_problem(await client.post(address, json={"reason": "再次核实"}, headers=elsewhere), 404)
    is_problem(await client.post(address, json={}, headers=token(world, "duty_officer")), 422, "body.reason")
    is_problem(await client.post(address, json={"reason": "看看"}, headers=token(world, "community_worker")), 403)
    nobody = await raised(world, client)
    answer = await client.post(
        f"/v1/concerns/{nobody['id']}/reporter", json={"reason": "核实"}, headers=token(world, "supervisor")
    )
    assert answer.json()["reporter"] is None


async def test_a_person_with_a_telephone_is_found_again(world: World, client: httpx.AsyncClient) -> None:
    first = await case_of(world, await raised(world, client, contact={"phone": "000-0000-0001"}))
    again = await case_of(world, await raised(world, client, contact={"phone": "+86 000 0000 0001"}))
    other = await case_of(world, await raised(world, client, contact={"phone": "000-0000-0002"}))
    assert again["_id"] == first["_id"]
    assert other["_id"] != first["_id"]
    assert first["person"] == world.office.pseudonym("00000000001")
    anonymous = [await case_of(world, await raised(world, client)) for _ in range(2)]
    assert len({case["_id"] for case in anonymous}) == 2


@given(st.text("0123456789", min_size=3, max_size=20), st.lists(st.sampled_from(" -"), max_size=5))
def test_a_telephone_is_the_same_however_it_is_written(digits: str, between: list[str]) -> None:
    written = digits
    for place, mark in enumerate(between):
        written = written[: place * 2 + 1] + mark + written[place * 2 + 1 :]
    assert telephone(written) == telephone(digits)
    if not digits.startswith("0086"):
        assert telephone(f"+86{written}") == telephone(f"0086{digits}") == digits


# What the raiser gets to know


async def test_who_raised_it_sees_what_became_of_it_and_nothing_else(world: World, client: httpx.AsyncClient) -> None:
    body = said(contact={"name": "张示例", "phone": "000-0000-0001"})
    mine = token(world, "volunteer")
    await client.post("/v1/concerns", json=body, headers=mine)
    address = f"/v1/concerns/{body['id']}"

    async def became() -> str:
        seen = (await client.get(address, headers=mine)).json()
        assert seen.keys() == {"id", "way", "division", "raised_at", "became"}
        return str(seen["became"])

    assert await became() == "on_its_way"
    await world.take(*world.emitted(RiskFlagged))
    assert await became() == "waiting"
    case = await case_of(world, body)
    worker = token(world, "community_worker")
    assert (await client.post(f"/v1/cases/{case['_id']}/receive", headers=worker)).status_code == 200
    assert await became() == "received"
    await world.acknowledge(case["_id"])
    assert await became() == "taken_up"
    await world.close(case["_id"])
    assert await became() == "closed"
    is_problem(await client.get(address, headers=token(world, "volunteer", sub="volunteer-b")), 404)
    is_problem(await client.get(address, headers=token(world, "community_worker", sub="worker-b")), 404)
    is_problem(await client.get(address, headers=token(world, "supervisor", division=NEIGHBOUR)), 404)
    is_problem(await client.get(address), 401)
    is_problem(await client.get(address, headers=token(world, "auditor")), 403)
    is_problem(await client.get(f"/v1/concerns/{new_id()}", headers=mine), 404)
    whole = (await client.get(address, headers=token(world, "duty_officer"))).json()
    assert (whole["case_id"], whole["answers"]) == (str(case["_id"]), MINIMUM[Way.concern])
    assert (whole["raised_by"], whole["role"], whole["form_version"]) == ("volunteer-a", "volunteer", "2026-11")
    assert "sealed" not in whole
    assert "digest" not in whole


async def test_a_list_is_ones_own_or_the_divisions_for_an_officer(world: World, client: httpx.AsyncClient) -> None:
    first = await raised(world, client)
    second = await raised(world, client, "community_worker")

    async def listed(headers: dict[str, str], query: str = "") -> list[str]:
        return [row["id"] for row in (await client.get(f"/v1/concerns{query}", headers=headers)).json()["concerns"]]

    assert await listed(token(world, "volunteer")) == [first["id"]]
    assert await listed(token(world, "community_worker")) == [second["id"]]
    assert await listed(token(world, "class_teacher")) == []
    assert await listed(token(world, "duty_officer")) == [second["id"], first["id"]]
    assert await listed(token(world, "duty_officer"), "?limit=1") == [second["id"]]
    assert await listed(token(world, "duty_officer", division=NEIGHBOUR)) == []
    is_problem(await client.get("/v1/concerns"), 401)
    is_problem(await client.get("/v1/concerns?limit=0", headers=token(world, "volunteer")), 422, "query.limit")


# Referral, helpers, silence, repetition


@pytest.mark.parametrize("asked", [{"refer": True}, {"severe": "yes"}])
async def test_with_a_community_workers_form_the_referral_is_drafted(
    world: World, client: httpx.AsyncClient, asked: dict[str, Any]
) -> None:
    answers = {**MINIMUM[Way.concern], **ASKED, **asked}
    case = await case_of(world, await raised(world, client, "community_worker", answers=answers))
    assert case["tier"] == "low", "no policy would have asked for one"
    referral = await world.referral(case["_id"])
    assert (referral["state"], referral["organisation_id"]) == ("drafted", HOSPITAL)
    plain = {**MINIMUM[Way.concern], **ASKED}
    without = await case_of(world, await raised(world, client, "community_worker", answers=plain))
    assert without["referral_id"] is None


async def test_a_helper_under_stress_is_treated_as_one_who_needs_help(world: World, client: httpx.AsyncClient) -> None:
    answers = {**MINIMUM[Way.concern], **ASKED, "care_group": "medical_staff", "stress_reaction": "yes"}
    case = await case_of(world, await raised(world, client, "community_worker", answers=answers))
    assert case["care_group"] == "medical_staff"
    assert (await world.referral(case["_id"]))["state"] == "drafted"
    assert "helper_needs_treatment" in case["decisions_needed"]
    other = {**answers, "care_group": "student"}
    case = await case_of(world, await raised(world, client, "community_worker", answers=other))
    assert (case["referral_id"], case["decisions_needed"]) == (None, [])


async def test_a_silent_contact_keeps_its_attention(world: World, client: httpx.AsyncClient) -> None:
    body = await raised(world, client, "duty_officer", way=Way.silent_contact, channel="call")
    case = await case_of(world, body)
    assert case["unasked"] == list(SUICIDE)
    assert (case["tier"], case["acknowledgement"]["state"]) == ("moderate", "waiting")
    assert (case["setting"], case["chain"]) == ("line", None)


async def test_contacts_that_repeat_mark_the_person_for_a_time_and_lower_nothing(world: World) -> None:
    policy = world.office.concerns.at(world.now).repeated
    for number in range(1, policy.contacts + 1):
        case = await world.flag(caller=person(), contact=f"c-{number}", **MODERATE)
        await world.flag(caller=person(), contact=f"c-{number}", **MODERATE)
        known = await world.database.get("persons", person())
        assert known is not None
        assert bool(known["marks"]) == (number >= policy.contacts), "more about one contact is no further contact"
    assert known is not None
    (mark,) = [mark for mark in known["marks"] if mark["ended_at"] is None]
    assert (mark["kind"], mark["by"]) == ("repeated_caller", "policy")
    assert mark["until"] - mark["at"] == timedelta(hours=policy.mark_hours)
    assert (case["tier"], case["acknowledgement"]["state"]) == ("moderate", "waiting")


async def test_contacts_across_closed_cases_repeat_too_and_old_ones_do_not(world: World) -> None:
    policy = world.office.concerns.at(world.now).repeated
    assert policy.contacts == 3

    async def marks() -> list[Any]:
        known = await world.database.get("persons", person())
        return list(known["marks"]) if known else []

    for number in range(3):
        world.database.ahead += timedelta(hours=policy.window_hours + 1)
        case = await world.flag(caller=person(), moment=world.now, **MODERATE)
        assert await marks() == [], number
        await world.acknowledge(case["_id"])
        await world.close(case["_id"])
    for _ in range(2):
        case = await world.flag(caller=person(), moment=world.now, **MODERATE)
        await world.acknowledge(case["_id"])
        await world.close(case["_id"])
    assert [mark["kind"] for mark in await marks()] == ["repeated_caller"]


async def test_who_is_told_to_repeat_is_marked_at_once(world: World, client: httpx.AsyncClient) -> None:
    contact = {"phone": "000-0000-0001"}
    case = await case_of(world, await raised(world, client, "duty_officer", way=Way.repeated_contact, contact=contact))
    known = await world.database.get("persons", case["person"])
    assert known is not None
    assert [mark["kind"] for mark in known["marks"]] == ["repeated_caller"]


# Whatever is posted


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


def answer_to(form: Form, name: str) -> st.SearchStrategy[Any]:
    """What the form takes for a question, mostly, or else something."""
    question = form.schema["properties"].get(name, {})
    choices: list[st.SearchStrategy[Any]] = [junk]
    for choice in (question, *question.get("anyOf", ())):
        if "enum" in choice:
            choices += [st.sampled_from(choice["enum"])] * 3
        if choice.get("type") == "integer":
            choices += [st.integers(choice["minimum"], choice["maximum"])] * 2
        if choice.get("type") == "array":
            choices += [st.lists(st.sampled_from(choice["items"]["enum"]), max_size=4)] * 2
        if choice.get("type") == "boolean":
            choices += [st.booleans()] * 2
    return st.one_of(choices)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    way = draw(st.sampled_from(list(Way)))
    form = FORMS.of(way)
    assert form is not None
    body = said(way)
    names = draw(st.lists(st.sampled_from([*form.schema["properties"], "colour"]), max_size=2))
    body["answers"] = {**MINIMUM[way], **{name: draw(answer_to(form, name)) for name in names}}
    for name in draw(st.lists(st.sampled_from([*body, "contact", "form_version", "about_another"]), max_size=1)):
        body[name] = draw(
            st.one_of(
                junk,
                st.sampled_from([*Channel, *Way, TOWN, COUNTY, str(new_id())]),
                st.fixed_dictionaries({}, optional={key: st.text(max_size=30) for key in ("name", "phone", "note")}),
            )
        )
    return body


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies(), role=st.sampled_from(RAISERS))
async def test_whatever_is_posted_is_taken_with_its_flag_or_refused_by_its_field(
    world: World, client: httpx.AsyncClient, body: dict[str, Any], role: str
) -> None:
    await a_school(world)
    before = len(world.emitted(RiskFlagged))
    answer = await client.post("/v1/concerns", json=body, headers=token(world, role))
    flags = world.emitted(RiskFlagged)[before:]
    if answer.status_code == 202:
        assert len(flags) == 1
        assert flags[0].contact == body["id"]
        kept = await world.database.get("concerns", UUID(body["id"]))
        assert kept is not None
        assert kept["flag_id"] == flags[0].id
        (row,) = await world.database.find("outbox", {"_id": flags[0].id})
        assert json.loads(row["body"])["way"] == body["way"]
        await world.take(flags[0])
        assert (await world.case_of(flags[0].id))["setting"] in [setting.value for setting in Setting]
    else:
        assert answer.status_code in (403, 422), answer.text
        assert answer.json()["field"].startswith("body")
        assert flags == []


def test_every_form_that_ships_is_a_json_schema() -> None:
    for form in FORMS.newest():
        assert form.validator.is_valid({}) is False, "a form asks for something"


# Grids


async def test_a_grid_worker_raises_concerns_of_the_own_grid_and_sees_nobody_elses(
    world: World, client: httpx.AsyncClient
) -> None:
    mine, other = token(world, "grid_worker"), token(world, "grid_worker", sub="grid_worker-b")
    body = await raised(world, client, "grid_worker", division=VILLAGE)
    case = await case_of(world, body)
    assert (case["division"], case["setting"]) == (VILLAGE, "community")
    assert case["chain"]["called"], "somebody is called to receive it"
    whole = (await client.get(f"/v1/concerns/{body['id']}", headers=token(world, "duty_officer"))).json()
    assert (whole["grid"], whole["role"], whole["raised_by"]) == (GRID, "grid_worker", "grid_worker-a")
    by_a_neighbour = await raised(world, client, "volunteer", division=VILLAGE, grid=GRID)
    listed = (await client.get("/v1/concerns", headers=mine)).json()["concerns"]
    assert [(one["id"], one["became"]) for one in listed] == [(body["id"], "waiting")]
    assert (await client.get("/v1/concerns", headers=other)).json()["concerns"] == []
    is_problem(await client.get(f"/v1/concerns/{by_a_neighbour['id']}", headers=mine), 404)
    for path in (f"/v1/cases/{case['_id']}", "/v1/cases", "/v1/hops"):
        is_problem(await client.get(path, headers=mine), 403)


async def test_a_grid_worker_has_no_other_village_and_no_other_grid(world: World, client: httpx.AsyncClient) -> None:
    def of(**claims: Any) -> dict[str, str]:
        return token(world, "grid_worker", **claims)

    for headers, change, status, place in (
        (of(), {"division": NEXT_VILLAGE}, 422, "body.division"),
        (of(), {"division": TOWN}, 422, "body.division"),
        (of(division=TOWN), {}, 403, "body.division"),
        (of(division=COUNTY), {}, 403, "body.division"),
        (of(grid=f"{NEXT_VILLAGE}001"), {}, 403, "body.grid"),
        (of(), {"grid": f"{VILLAGE}004"}, 403, "body.grid"),
        (of(), {"grid": "3"}, 422, "body.grid"),
        (of(grid=None), {"grid": GRID}, 403, "body.grid"),
        (token(world, "volunteer"), {"grid": f"{NEXT_VILLAGE}001"}, 422, "body.grid"),
        (of(), said(Way.school_warning) | {"division": VILLAGE}, 403, "body.way"),
    ):
        body = said(division=VILLAGE) | change
        is_problem(await client.post("/v1/concerns", json=body, headers=headers), status, place)
    assert world.emitted(RiskFlagged) == []
    without = await client.post("/v1/concerns", json=said(division=VILLAGE), headers=of(grid=None))
    assert without.status_code == 202, "a village without grids has a worker of the village"

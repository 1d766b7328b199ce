"""Screenings: consent first, each taken once, danger told at once, and each result led to what follows from it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.clock import now
from chassis.db import Database
from contracts.crisis import ProgrammeBegun, ScreeningTaken
from contracts.hotline import RiskFlagged
from tests.services.crisis.campaign_world import (
    CAMPAIGN,
    MILD,
    MODERATE,
    UNSAFE,
    WELL,
    Field,
    known,
    refusal,
    screening,
)
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import NEIGHBOUR, TOWN, World

ROUTES = {
    "PUT /v1/campaigns/{campaign_id}/screenings/{screening_id}",
    "GET /v1/campaigns/{campaign_id}/screenings/{screening_id}",
    "POST /v1/campaigns/{campaign_id}/screenings/import",
    "POST /v1/campaigns/{campaign_id}/screenings/{screening_id}/contact",
    "POST /v1/campaigns/{campaign_id}/screenings/{screening_id}/peer-leader",
}


@pytest.fixture
async def field(world: World, client: httpx.AsyncClient) -> Field:
    made = Field(world, client)
    await made.begin()
    return made


async def kept(field: Field, ident: Any) -> dict[str, Any] | None:
    return await field.world.database.get("screenings", UUID(str(ident)))


# Results and what follows


RESULTS: list[tuple[dict[str, Any], str, str, str, list[str]]] = [
    (WELL, "general", "normal", "encourage", ["assessment", "education"]),
    (MILD, "borderline", "mild", "intervene_and_follow_up", ["assessment", "education", "intervention"]),
    (MODERATE, "high_risk", "moderate_or_suspected_cognitive", "refer", ["assessment", "education", "referral"]),
    ({**WELL, "q3": "refused"}, "unknown", "unknown", "ask_again", ["assessment"]),
]


async def test_a_result_is_tiered_and_led_to_what_follows(field: Field) -> None:
    for answers, tier, elderly, route, services in RESULTS:
        ident = uuid4()
        answer = (await field.take(screening(answers), ident)).json()
        assert (answer["outcome"], answer["tier"], answer["route"]) == ("taken", tier, route)
        assert answer["guidance"]
        page = (await field.client.get(f"{field.address}/screenings/{ident}", headers=field.planner)).json()
        assert (page["elderly_tier"], page["services"], page["host"]) == (elderly, services, "physical_exam")
        assert page["results"]["phq-9"]["edition"], "the manual's edition is kept with each result"
        told = field.world.emitted(ScreeningTaken)[-1]
        assert (told.screening_id, told.tier, told.route, told.double) == (ident, tier, route, False)
        assert (told.flagged, told.division) == (route == "refer", TOWN)


async def test_a_person_who_is_well_is_offered_to_take_others_along(field: Field) -> None:
    ident, other = uuid4(), uuid4()
    assert (await field.take(screening(WELL), ident)).json()["peer_leader"] == "offered"
    assert (await field.take(screening(MILD), other)).json()["peer_leader"] == "none"
    address = f"{field.address}/screenings/{{}}/peer-leader"
    post = field.client.post
    said = await post(address.format(ident), json={"accepts": True}, headers=field.surveyor)
    assert said.json()["peer_leader"]["state"] == "accepted"
    is_problem(await post(address.format(other), json={"accepts": True}, headers=field.surveyor), 409, "accepts")
    is_problem(await post(address.format(ident), json={}, headers=field.surveyor), 422, "body.accepts")
    is_problem(await post(address.format(uuid4()), json={"accepts": True}, headers=field.surveyor), 404)
    is_problem(
        await post(address.format(ident), json={"accepts": True}, headers=field.world.keys.token("auditor")), 403
    )


async def test_a_result_that_refers_becomes_a_case_with_a_referral_to_an_institution(field: Field) -> None:
    ident = uuid4()
    await field.take(screening(MODERATE, person=known(1, name="张示例"), consent={"contact": "yes"}), ident)
    (flag,) = field.world.emitted(RiskFlagged)
    assert (flag.way, flag.setting, flag.contact) == ("screening_result", "community", str(ident))
    assert flag.assessment is not None
    assert (flag.assessment.instrument, flag.assessment.total) == ("phq-9", 12)
    assert flag.caller == field.world.office.pseudonym("00000000001")
    await field.world.take(flag)
    case = await field.world.case_of(flag.id)
    assert case["person"] == flag.caller
    referral = await field.world.referral(case["_id"])
    assert referral["state"] == "drafted"
    assert referral["organisation_id"] is not None


async def test_a_mild_result_leads_once_into_contacts_that_recur(field: Field) -> None:
    ident, later = uuid4(), (now() - timedelta(minutes=1)).isoformat()
    await field.take(screening(MILD, person=known(1)), ident)
    await field.take(screening(MILD, person=known(1), taken_at=later))
    await field.take(screening(MILD))  # nobody knows whom to contact
    await field.take(screening(MILD, person=known(2), consent={"contact": "no"}))
    (begun,) = field.world.emitted(ProgrammeBegun)
    assert (begun.kind, begun.division) == ("elderly_mild", TOWN)
    document = await kept(field, ident)
    assert document is not None
    assert document["programme_id"] == begun.programme_id


async def test_an_unsafe_answer_is_told_at_once_from_an_incomplete_form_too(field: Field) -> None:
    await field.take(screening({"q9": 1}))
    (flag,) = field.world.emitted(RiskFlagged)
    assert flag.assessment is not None
    assert [(one.item, one.answer) for one in flag.assessment.answers] == [("q9", "yes")]
    assert flag.assessment.total is None
    await field.world.take(flag)
    assert (await field.world.case_of(flag.id))["tier"] in ("moderate", "high", "imminent")


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"age": 64}, "too_young"),
    ({"questionnaire": "elderly@2025-1"}, "another_questionnaire"),
    ({"consent": {"answer": "refused"}}, "no_consent"),
    ({"taken_at": "2020-01-01T00:00:00Z"}, "outside_window"),
]


async def test_danger_is_told_even_where_the_row_cannot_be_taken_and_told_once(field: Field) -> None:
    for number, (change, reason) in enumerate(IMPOSSIBLE, 1):
        await _danger_is_told(field, number, change, reason)


async def _danger_is_told(field: Field, number: int, change: dict[str, Any], reason: str) -> None:
    row = {"id": str(uuid4()), **screening(UNSAFE, person=known(number), **change)}
    for _ in range(2):
        (answer,) = (await field.send([row]))["rows"]
        assert (answer["outcome"], answer["reason"], answer["flagged"]) == ("refused", reason, True)
    corrected = {"id": row["id"], **screening(UNSAFE, person=known(number))}
    (answer,) = (await field.send([corrected]))["rows"]
    assert answer["outcome"] == "taken"
    assert len(field.world.emitted(RiskFlagged)) == number
    progress = (await field.progress())["point-1", None]
    assert (progress["taken"], progress["flagged"], progress["not_eligible"]) == (number, number, 0)


async def test_what_is_personal_is_sealed_and_stands_nowhere_in_the_clear(field: Field) -> None:
    ident = uuid4()
    person = known(7, name="张示例", address="示例路1号", guardian="测试员甲")
    await field.take(screening(MODERATE, person=person), ident)
    database = field.world.database
    everything = [
        *(await database.find("screenings", {})),
        *(await database.find("screening_contacts", {})),
        *(await database.find("screening_people", {})),
        *(await database.find("outbox", {})),
        *(await database.find("audit_log", {})),
    ]
    for word in ("0000-0007", "00000000007", "张示例", "示例路", "测试员甲"):
        assert word not in str(everything)
    address = f"{field.address}/screenings/{ident}/contact"
    worker = field.world.keys.token("community_worker", sub="worker-a")
    reason = {"reason": "预约复诊"}
    read = (await field.client.post(address, json=reason, headers=worker)).json()
    assert (read["phone"], read["name"], read["guardian"]) == ("000-0000-0007", "张示例", "测试员甲")
    (entry,) = [one for one in await field.world.audit_log() if one["action"] == "screening_contact_read"]
    assert (entry["actor"], entry["subject"], entry["reason"]) == ("worker-a", str(ident), "预约复诊")
    elsewhere = field.world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await field.client.post(address, json=reason, headers=elsewhere), 404)
    is_problem(await field.client.post(address, json=reason, headers=field.surveyor), 403)
    is_problem(await field.client.post(address, json={}, headers=worker), 422, "body.reason")
    anonymous = uuid4()
    await field.take(screening(), anonymous)
    nobody = f"{field.address}/screenings/{anonymous}/contact"
    is_problem(await field.client.post(nobody, json=reason, headers=worker), 404)
    page = (await field.client.get(f"{field.address}/screenings/{ident}", headers=field.planner)).text
    assert field.world.office.pseudonym("00000000007") not in page


# Consent


async def test_to_refuse_is_an_outcome_that_is_kept_and_counted_without_answers(field: Field) -> None:
    ident = uuid4()
    answer = (await field.take(refusal(), ident)).json()
    assert (answer["outcome"], answer["tier"]) == ("taken", None)
    document = await kept(field, ident)
    assert document is not None
    assert (document["state"], document["answers"], document["results"]) == ("declined", {}, {})
    progress = (await field.progress())["point-1", None]
    assert (progress["refused_consent"], progress["taken"], progress["outstanding"]) == (1, 0, 3)
    (told,) = field.world.emitted(ScreeningTaken)
    assert (told.consent, told.tier, told.route) == ("refused", None, None)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (screening(consent={"answer": "refused"}, instruments={}), "answers", "no_consent"),
    (screening(consent={"answer": "refused"}, answers={}), "instruments", "no_consent"),
    ({**refusal(), "person": known(1)}, "person", "no_consent"),
    (screening(consent={"at": (now() - timedelta(minutes=10)).isoformat()}), "started_at", "consent_too_late"),
    (screening(consent={"at": now().isoformat()}), "consent.at", "consent_too_late"),
    (screening(started_at=None), "started_at", "needed"),
    (screening(taken_at=(now() + timedelta(hours=1)).isoformat()), "taken_at", "time_in_future"),
    (screening(taken_at=(now() - timedelta(days=9)).isoformat()), "taken_at", "outside_window"),
    (screening(site="point-9"), "site", "unknown_site"),
    (screening(batch="spring", site="point-2"), "batch", "unknown_batch"),
    (screening(questionnaire="general@2026-1"), "questionnaire", "another_questionnaire"),
    (screening(age=None), "age", "needed"),
    (screening(answers={"living": "castle"}), "answers.living", "no_such_answer"),
    (screening(answers={"iq": "high"}), "answers.iq", "no_such_answer"),
    (screening({"q1": 4}), "instruments.phq-9.q1", "no_such_answer"),
    (screening({"q10": 0}), "instruments.phq-9.q10", "no_such_item"),
    (screening(instruments={"gad-7": {}}), "instruments.gad-7", "unknown_instrument"),
]


async def test_what_cannot_be_taken_is_refused_with_its_field_and_leaves_nothing(field: Field) -> None:
    for row, where, reason in WRONG:
        ident = uuid4()
        answer = await field.take(row, ident)
        is_problem(answer, 422, f"body.{where}")
        assert answer.json()["reason"] == reason
        (same,) = (await field.send([{"id": str(ident), **row}]))["rows"]
        assert (same["outcome"], same["reason"], same["field"]) == ("refused", reason, where)
        assert await kept(field, ident) is None
        assert all(one["taken"] == one["not_eligible"] == 0 for one in (await field.progress()).values())


async def test_for_a_minor_the_guardian_consents(world: World, client: httpx.AsyncClient) -> None:
    field = Field(world, client)
    await field.begin(kind="school_classes", questionnaire="general@2026-1", eligibility={})
    row = screening(questionnaire="general@2026-1", age=15, answers={"support": "no"})
    answer = await field.take(row)
    is_problem(answer, 422, "body.consent.by")
    assert answer.json()["reason"] == "guardian_consent_needed"
    row["consent"]["by"] = "guardian"
    assert (await field.take(row)).json()["outcome"] == "taken"
    adult = screening(questionnaire="general@2026-1", age=18, answers={})
    assert (await field.take(adult)).json()["outcome"] == "taken"
    year = now().year
    unsure = screening(questionnaire="general@2026-1", age=None, birth_year=year - 18, answers={})
    is_problem(await field.take(unsure), 422, "body.consent.by")
    await field.take({**row, "instruments": {"phq-9": UNSAFE}})
    (flag,) = world.emitted(RiskFlagged)
    assert (flag.setting, flag.age_band) == ("school", "from_14_to_17")


# Once


async def test_sent_twice_counts_once_and_another_content_under_the_id_is_a_conflict(field: Field) -> None:
    ident, row = uuid4(), screening(person=known(1))
    assert (await field.take(row, ident)).json()["outcome"] == "taken"
    events = len(field.world.events)
    again = (await field.take(row, ident)).json()
    assert (again["outcome"], again["tier"]) == ("already_taken", "general")
    assert len(field.world.events) == events
    answer = await field.take({**row, "age": 72}, ident)
    is_problem(answer, 409, "id")
    assert answer.json()["reason"] == "id_reused"
    (refused,) = (await field.send([{"id": str(ident), **row, "age": 72}]))["rows"]
    assert (refused["outcome"], refused["reason"], refused["field"]) == ("refused", "id_reused", "id")
    document = await kept(field, ident)
    assert document is not None
    assert document["age"] == 71
    assert (await field.progress())["point-1", None]["taken"] == 1


async def test_the_same_person_twice_is_a_repetition_that_is_kept_and_not_counted_twice(field: Field) -> None:
    first, second = uuid4(), uuid4()
    later = (now() - timedelta(minutes=1)).isoformat()
    await field.take(screening(MILD, person=known(1)), first)
    answer = (await field.take(screening(MODERATE, person={"phone": "+86 00000000001"}, taken_at=later), second)).json()
    assert (answer["outcome"], answer["double"], answer["flagged"]) == ("taken", True, True)
    page = (await field.client.get(f"{field.address}/screenings/{second}", headers=field.planner)).json()
    assert page["double_of"] == str(first)
    progress = (await field.progress())["point-1", None]
    assert (progress["taken"], progress["doubles"], progress["flagged"]) == (1, 1, 1)
    assert progress["tiers"] == {"general": 0, "borderline": 1, "high_risk": 0, "unknown": 0}
    assert [one.double for one in field.world.emitted(ScreeningTaken)] == [False, True]


async def test_husband_and_wife_with_one_telephone_are_two_persons(field: Field) -> None:
    for sex in ("female", "male"):
        assert (await field.take(screening(person=known(1), sex=sex))).json()["double"] is False
    assert (await field.progress())["point-1", None]["taken"] == 2


async def test_who_gave_no_result_is_asked_again_until_one_is_there(field: Field) -> None:
    first, second = uuid4(), uuid4()
    await field.take(screening({"q1": 0}, person=known(1)), first)
    address = f"{field.address}/ask-again"
    (waiting,) = (await field.client.get(address, headers=field.planner)).json()["screenings"]
    assert (waiting["id"], waiting["missing"], waiting["contact_kept"]) == (str(first), {"phq-9": 8}, True)
    later = (now() - timedelta(minutes=1)).isoformat()
    await field.take(screening(WELL, person=known(1), taken_at=later), second)
    assert (await field.client.get(address, headers=field.planner)).json()["screenings"] == []
    progress = (await field.progress())["point-1", None]
    assert (progress["taken"], progress["doubles"], progress["tiers"]["general"]) == (1, 1, 1)


async def test_who_is_not_eligible_is_refused_and_counted_by_reason(field: Field) -> None:
    ident = uuid4()
    answer = (await field.take(screening(age=64, person=known(3)), ident)).json()
    assert (answer["outcome"], answer["reason"], answer["field"]) == ("refused", "too_young", "age")
    document = await kept(field, ident)
    assert document is not None
    assert (document["state"], document["person"], document["answers"]) == ("ineligible", None, {})
    progress = (await field.progress())["point-1", None]
    assert (progress["not_eligible"], progress["not_eligible_because"]) == (1, {"too_young": 1})


async def test_eligibility_is_data_of_the_campaign(world: World, client: httpx.AsyncClient) -> None:
    field = Field(world, client)
    await field.begin(eligibility={"min_age": 70, "max_age": 90, "residence": ["resident"], "groups": ["empty-nest"]})
    fits: dict[str, Any] = {"age": 75, "residence": "resident", "group": "empty-nest"}
    assert (await field.take(screening(**fits))).json()["outcome"] == "taken"
    for change, reason in (
        ({"age": 69}, "too_young"),
        ({"age": 91}, "too_old"),
        ({"residence": "temporary"}, "not_resident"),
        ({"group": "other"}, "not_in_group"),
    ):
        assert (await field.take(screening(**{**fits, **change}))).json()["reason"] == reason
    for name in ("residence", "group"):
        is_problem(await field.take(screening(**{**fits, name: None})), 422, f"body.{name}")


# Who may


async def test_screenings_are_taken_by_those_in_the_field_and_of_the_place(field: Field) -> None:
    token = field.world.keys.token
    row = screening()
    for role in ("surveyor", "community_worker", "school_counsellor"):
        assert (await field.take(row, headers=token(role))).status_code == 200
    is_problem(await field.take(row, headers=token("auditor")), 403)
    is_problem(await field.take(row, headers=token("surveyor", division=NEIGHBOUR)), 404)
    town = token("surveyor", division=TOWN)
    assert (await field.take(row, headers=town)).status_code == 200
    is_problem(await field.take(screening(site="point-2"), headers=town), 422, "body.site")
    page = f"{field.address}/screenings/"
    elsewhere = uuid4()
    await field.take(screening(site="point-2"), elsewhere)
    is_problem(await field.client.get(f"{page}{elsewhere}", headers=town), 404)
    is_problem(await field.client.get(f"{page}{uuid4()}", headers=field.planner), 404)
    is_problem(await field.client.get(f"{page}{elsewhere}", headers=token("operator")), 403)


async def test_a_counsellor_screens_at_the_own_school_alone(world: World, client: httpx.AsyncClient) -> None:
    field = Field(world, client)
    own, other = str(uuid4()), str(uuid4())
    sites = [
        {"code": "class-1", "name": "示例一班", "organisation_id": own, "target": 40},
        {"code": "class-2", "name": "示例二班", "organisation_id": other, "target": 40},
    ]
    await field.begin(kind="teachers", questionnaire="general@2026-1", sites=sites)
    counsellor = world.keys.token("school_counsellor", organisation=own)
    row = screening(questionnaire="general@2026-1", age=40, answers={})
    assert (await field.take({**row, "site": "class-1"}, headers=counsellor)).status_code == 200
    is_problem(await field.take({**row, "site": "class-2"}, headers=counsellor), 422, "body.site")


async def test_after_the_end_a_tablet_may_still_send_and_after_the_report_no_more(field: Field) -> None:
    await field.move("ended")
    assert (await field.take(screening())).json()["outcome"] == "taken"
    await field.move("reported")
    answer = await field.take(screening())
    is_problem(answer, 422, "body.campaign")
    assert answer.json()["reason"] == "campaign_not_running"
    is_problem(
        await field.client.put(
            f"/v1/campaigns/{uuid4()}/screenings/{uuid4()}", json=screening(), headers=field.surveyor
        ),
        404,
    )
    nothing = {"rows": [{"id": str(uuid4()), **screening()}]}
    is_problem(
        await field.client.post(f"/v1/campaigns/{uuid4()}/screenings/import", json=nothing, headers=field.surveyor), 404
    )


async def test_the_needs_of_the_old_are_counted_by_code(field: Field) -> None:
    for said in ("yes", "yes", "no", "refused"):
        await field.take(screening(answers={"need_talk": said}))
    assert (await field.progress())["point-1", None]["needs"] == {"need_talk": {"no": 1, "refused": 1, "yes": 2}}


# Uploads


HOSTILE: list[Any] = [
    None,
    7,
    "row",
    [],
    {},
    {"id": None},
    {"id": "not-a-uuid"},
    {"id": 10**30},
    {"id": "😀" * 3000},
    {"id": str(uuid4())},
    {"id": str(uuid4()), **screening(), "age": 10**30},
    {"id": str(uuid4()), **screening(), "age": "71"},
    {"id": str(uuid4()), **screening(), "age": True},
    {"id": str(uuid4()), **screening(), "age": -1},
    {"id": str(uuid4()), **screening(), "taken_at": None},
    {"id": str(uuid4()), **screening(), "taken_at": 1e300},
    {"id": str(uuid4()), **screening(), "taken_at": "9999-12-31T23:59:59-23:59"},
    {"id": str(uuid4()), **screening(), "taken_at": "0001-01-01T00:00:00+23:59"},
    {"id": str(uuid4()), **screening(), "site": "$where"},
    {"id": str(uuid4()), **screening(), "answers": {"$set": 1}},
    {"id": str(uuid4()), **screening(), "answers": {"living": {"a": 1}}},
    {"id": str(uuid4()), **screening(), "instruments": {"phq-9": {"q1": 10**30}}},
    {"id": str(uuid4()), **screening(), "instruments": {"phq-9": {"q1": True}}},
    {"id": str(uuid4()), **screening(), "instruments": {"phq-9": {"q1": "\ud83d"}}},
    {"id": str(uuid4()), **screening(), "person": {"phone": "😀"}},
    {"id": str(uuid4()), **screening(), "person": {"phone": "\ud83d0"}},
    {"id": str(uuid4()), **screening(), "person": {"name": "张示例"}},
    {"id": str(uuid4()), **screening(), "person": {"phone": "电话"}},
    {"id": str(uuid4()), **screening(), "\ud83d": 1},
    {"id": str(uuid4()), **screening(), "x" * 10_000: 1},
    {"id": str(uuid4()), **screening(), "_id": 1},
]


async def test_a_hostile_row_is_refused_with_its_place_and_harms_no_other(field: Field) -> None:
    good = {"id": str(uuid4()), **screening()}
    body = json.dumps({"rows": [*HOSTILE, good]}).encode()
    answer = await field.client.post(
        f"{field.address}/screenings/import",
        content=body,
        headers={**field.surveyor, "content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    said = answer.json()
    rows = said["rows"]
    assert [one["row"] for one in rows] == list(range(len(HOSTILE) + 1))
    assert [one["row"] for one in rows if one["outcome"] != "refused"] == [len(HOSTILE)]
    assert all(one["reason"] and one["detail"] and len(one["field"]) <= 200 for one in rows[:-1])
    assert (said["taken"], said["already_taken"], said["refused"]) == (1, 0, len(HOSTILE))
    assert (await field.progress())["point-1", None]["taken"] == 1


async def test_a_hostile_screening_by_itself_is_a_422(field: Field) -> None:
    for row in [row for row in HOSTILE if isinstance(row, dict) and len(row) > 1]:
        body = json.dumps({name: value for name, value in row.items() if name != "id"}).encode()
        answer = await field.client.put(
            f"{field.address}/screenings/{uuid4()}",
            content=body,
            headers={**field.surveyor, "content-type": "application/json"},
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"].startswith("body")


async def test_an_upload_has_rows_and_not_too_many(field: Field) -> None:
    address = f"{field.address}/screenings/import"
    post = field.client.post
    is_problem(await post(address, json={"rows": []}, headers=field.surveyor), 422, "body.rows")
    is_problem(await post(address, json={"rows": [1] * 1001}, headers=field.surveyor), 422, "body.rows")
    is_problem(await post(address, json={"rows": [1], "more": 1}, headers=field.surveyor), 422, "body.more")
    is_problem(await post(address, json={"rows": [1]}, headers=field.planner), 403)


async def test_a_thousand_rows_are_taken_in_a_few_transactions(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work does not grow by a question to the database for each row."""
    rows = [
        {"id": str(uuid4()), **screening(MODERATE if number % 10 == 0 else WELL, person=known(number % 900))}
        for number in range(1000)
    ]
    asked = 0
    session = Database
    transact = session.transact

    async def counted(self: Any, body: Any) -> Any:
        nonlocal asked
        asked += 1
        return await transact(self, body)

    monkeypatch.setattr(session, "transact", counted)
    start = now()
    said = await field.send(rows)
    took = (now() - start).total_seconds()
    assert (said["taken"], said["already_taken"], said["refused"]) == (1000, 0, 0)
    assert asked == 5
    assert took < 15
    progress = (await field.progress())["point-1", None]
    assert (progress["taken"], progress["doubles"], progress["flagged"]) == (900, 100, 100)
    again = await field.send(rows)
    assert (again["taken"], again["already_taken"]) == (0, 1000)
    assert len(field.world.emitted(ScreeningTaken)) == 1000
    assert {one.campaign_id for one in field.world.emitted(ScreeningTaken)} == {CAMPAIGN}

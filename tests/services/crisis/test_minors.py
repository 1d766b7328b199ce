"""Minors: the mandatory report, guardians, data of those under 14, and the strict access class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth import Caller
from chassis.errors import NotAllowed
from contracts.base import Answer
from contracts.crisis import (
    HarmSituationCode,
    MandatoryReportMade,
    MandatoryReportRequired,
    ResponderReleased,
    ResponderRequested,
)
from services.crisis.commands import minors
from services.crisis.domain.codes import HarmSituation, ReportedTo, SpecialPopulation
from services.crisis.domain.matters import Matter
from services.crisis.domain.report import NEXT, STRICTEST_FIRST, State, allows, asked_for, stricter
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, HOSPITAL, LOW, MODERATE, NEIGHBOUR, SUPERVISOR, World, person

REASON = {"reason": "会商决定"}
MINUTE = timedelta(minutes=1)
HARMED = {**MODERATE, "age_band": "from_14_to_17", "suspected_harm_to_minor": "yes"}
CHILD = {**LOW, "age_band": "under_14", "suspected_harm_to_minor": "no"}
MADE = {"situation": "injuries_or_neglect", "to": "police_110", "reference": "BJ-001"}


async def post(client: httpx.AsyncClient, key: Any, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{key}/{path}", json=body, headers=headers)


# The duty to report


async def test_a_minor_reports_abuse_and_the_police_is_told_and_says_so(
    world: World, client: httpx.AsyncClient
) -> None:
    """The story: asked for at once, called for while nobody does it, made by a named person, received by the police."""
    key = (await world.flag(caller=person(), **HARMED))["_id"]
    officer = world.keys.token("duty_officer", sub="officer-a")
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    case = await world.case(key)
    assert (case["tier"], case["report"]["state"], case["report"]["role"]) == ("high", "required", "duty-officer")
    (required,) = world.emitted(MandatoryReportRequired)
    assert required.case_id == key
    assert required.report_by - world.now <= 10 * MINUTE
    (waiting,) = (await client.get("/v1/reports-to-make", headers=officer)).json()["cases"]
    assert waiting["id"] == str(key)

    await world.acknowledge(key)
    await world.pass_time(10 * MINUTE)
    case = await world.case(key)
    assert (case["report"]["role"], case["report"]["step"]) == ("supervisor", 1)
    assert Matter.report_not_made in case["decisions_needed"]
    attention = (await client.get("/v1/attention", headers=officer)).json()["cases"]
    assert [one["id"] for one in attention] == [str(key)]
    await world.pass_time(60 * MINUTE)
    assert (await world.case(key))["report"]["role"] == "district-centre"
    is_problem(await post(client, key, "close", {"outcome": "risk_reduced", **REASON}, supervisor), 409)

    made = (await post(client, key, "report", MADE, officer)).json()
    assert made["report"]["made"]["by"] == "officer-a"
    assert Matter.report_not_made not in made["decisions_needed"]
    assert f"report:{key}" not in await world.timers()
    (told,) = world.emitted(MandatoryReportMade)
    assert (told.situation, told.on_time) == (HarmSituationCode.injuries_or_neglect, False)
    again = (await post(client, key, "report", MADE, officer)).json()
    assert again["report"]["made"]["at"] == made["report"]["made"]["at"]
    assert len(world.emitted(MandatoryReportMade)) == 1
    received = (await post(client, key, "report/received", {"receipt": "JJ-017"}, officer)).json()
    assert (received["report"]["state"], received["report"]["received"]["receipt"]) == ("received", "JJ-017")
    assert (await client.get("/v1/reports-to-make", headers=officer)).json() == {"cases": []}
    await world.end_follow_up(key)
    closed = await post(client, key, "close", {"outcome": "in_treatment", **REASON}, supervisor)
    assert closed.json()["state"] == "closed", closed.text
    assert [one["action"] for one in await world.audit_log()].count("mandatory_report_made") == 1


async def test_a_report_in_time_is_on_time(world: World) -> None:
    key = (await world.flag(**HARMED))["_id"]
    await world.pass_time(9 * MINUTE)
    await report(world, key)
    assert [event.on_time for event in world.emitted(MandatoryReportMade)] == [True]


async def report(world: World, key: Any, caller: Caller = SUPERVISOR) -> Any:
    situation, to = HarmSituation.abandoned, ReportedTo.police_station
    return await world.do(lambda tx: minors.make_report(key, situation, to, None, caller, tx))


async def test_that_no_report_is_required_takes_two_persons(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(**HARMED))["_id"]
    first = world.keys.token("supervisor", sub="supervisor-a")
    second = world.keys.token("supervisor", sub="supervisor-b")
    is_problem(await post(client, key, "report/not-required/agree", REASON, second), 409)
    proposed = (await post(client, key, "report/not-required", {"reason": "误听"}, first)).json()
    assert proposed["report"]["state"] == "required"
    assert f"report:{key}" in await world.timers()
    is_problem(await post(client, key, "report/not-required/agree", REASON, first), 403)
    is_problem(await post(client, key, "report/not-required/agree", REASON, world.keys.token("duty_officer")), 403)
    agreed = (await post(client, key, "report/not-required/agree", REASON, second)).json()
    assert agreed["report"]["state"] == "not_required"
    assert f"report:{key}" not in await world.timers()
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"]) == ("mandatory_report_not_required", "supervisor-b")
    assert entry["details"] == {"proposed_by": "supervisor-a", "proposed_because": "误听"}
    is_problem(await post(client, key, "report", MADE, first), 409)


async def test_what_another_contact_tells_after_the_report_wants_a_report_of_its_own(world: World) -> None:
    key = (await world.flag(caller=person(), contact="c-1", **HARMED))["_id"]
    await report(world, key)
    await world.flag(caller=person(), contact="c-1", **HARMED)
    assert (await world.case(key))["report"]["state"] == "made", "the same contact tells of the same harm"
    await world.flag(caller=person(), contact="c-2", **HARMED)
    case = await world.case(key)
    assert case["report"]["state"] == "required"
    assert [made["situation"] for made in case["report"]["earlier"]] == ["abandoned"]
    assert f"report:{key}" in await world.timers()


async def test_of_a_minor_not_to_know_is_no_no(world: World, client: httpx.AsyncClient) -> None:
    for answer in ("not_asked", "unknown", "refused"):
        said = {**LOW, "age_band": "from_14_to_17", "suspected_harm_to_minor": answer}
        key = (await world.flag(**said))["_id"]
        officer = world.keys.token("duty_officer", sub="officer-a")
        assert (await world.case(key))["report"]["state"] == "unclear"
        listed = (await client.get("/v1/reports-to-make", headers=officer)).json()["cases"]
        assert str(key) in [one["id"] for one in listed]
        is_problem(await post(client, key, "report", MADE, officer), 409)
        said_no = await post(client, key, "harm", {"answer": "no", "reason": "已当面询问"}, officer)
        assert said_no.json()["report"]["state"] == "none"
        told = await post(client, key, "harm", {"answer": "yes", "reason": "再次交谈时说出"}, officer)
        assert (told.json()["report"]["state"], told.json()["tier"]) == ("required", "high")
        is_problem(await post(client, key, "harm", {"answer": "no", **REASON}, officer), 409)
        is_problem(await post(client, key, "harm", {"answer": "not_asked", **REASON}, officer), 422, "answer")
        is_problem(await post(client, key, "harm", {"answer": "maybe", **REASON}, officer), 422, "body.answer")


async def test_a_minors_case_is_not_closed_before_somebody_has_asked(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(**{**LOW, "age_band": "from_14_to_17"}))["_id"]
    await world.acknowledge(key)
    with pytest.raises(NotAllowed, match="nobody has asked"):
        await world.close(key)
    officer = world.keys.token("duty_officer")
    await post(client, key, "harm", {"answer": "unknown", "reason": "联系不上本人"}, officer)
    assert (await world.close(key))["state"] == "closed"


async def test_a_report_that_belongs_to_another_office_is_not_there(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(**HARMED))["_id"]
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    for path, body in (
        ("harm", {"answer": "yes", **REASON}),
        ("report", MADE),
        ("report/received", {"receipt": "1"}),
        ("report/not-required", REASON),
        ("report/not-required/agree", REASON),
    ):
        is_problem(await post(client, key, path, body, elsewhere), 404)
        is_problem(await post(client, key, path, body, {}), 401)
        is_problem(await post(client, key, path, body, world.keys.token("volunteer")), 403)
        for name in body:
            wrong = {**body, name: [1]}
            is_problem(await post(client, key, path, wrong, world.keys.token("supervisor")), 422, f"body.{name}")
    assert (await client.get("/v1/reports-to-make", headers=elsewhere)).json() == {"cases": []}
    is_problem(await post(client, key, "report/received", {"receipt": "1"}, world.keys.token("supervisor")), 409)
    named = {**MADE, "reference": "张示例 报警"}
    is_problem(await post(client, key, "report", named, world.keys.token("supervisor")), 422, "body.reference")


@given(st.lists(st.tuples(st.sampled_from(Answer), st.booleans(), st.booleans()), max_size=10))
def test_whatever_is_said_a_yes_is_reported_or_decided_on_by_persons(said: list[tuple[Answer, bool, bool]]) -> None:
    state, told = State.none, False
    for harm, minor, new in said:
        following = asked_for(state, harm, minor, new=new)
        assert following is state or allows(state, following)
        told = told or harm is Answer.yes
        state = following
        assert not told or state is State.required, "only persons move it on from here"


@given(st.sampled_from(State), st.sampled_from(State))
def test_of_two_reports_the_stricter_one_holds(one: State, other: State) -> None:
    assert stricter(one, other) is stricter(other, one)
    assert stricter(one, other) in (one, other)
    assert State.required not in (one, other) or stricter(one, other) is State.required
    assert set(STRICTEST_FIRST) == set(NEXT) == set(State)


def test_the_nine_situations_are_one_list_in_the_contract_and_in_the_office() -> None:
    assert [code.value for code in HarmSituation] == [code.value for code in HarmSituationCode]
    assert len(HarmSituation) == 9


# Guardians and persons under 14


async def test_a_guardian_is_kept_sealed_and_read_with_a_reason(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **CHILD))["_id"]
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    guardian = {"relation": "grandparent", "consent": "yes", "name": "张示例", "phone": "000-0000-0001"}
    address = f"/v1/cases/{key}/guardian"
    answer = (await client.put(address, json=guardian, headers=supervisor)).json()
    assert answer["guardian"]["consent"] == "yes"
    (kept,) = await world.database.find("guardians", {})
    for text in ("张示例", "000-0000-0001"):
        assert text not in str(answer)
        assert text not in str(kept)
    read = (await post(client, key, "guardian/read", {"reason": "征得同意"}, supervisor)).json()
    assert (read["name"], read["phone"], read["relation"]) == ("张示例", "000-0000-0001", "grandparent")
    assert (await world.audit_log())[-1]["action"] == "guardian_read"
    is_problem(await client.put(address, json={**guardian, "relation": "friend"}, headers=supervisor), 422)
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.put(address, json=guardian, headers=elsewhere), 404)
    is_problem(await post(client, key, "guardian/read", REASON, elsewhere), 404)
    adult = (await world.flag(**LOW))["_id"]
    is_problem(await client.put(f"/v1/cases/{adult}/guardian", json=guardian, headers=supervisor), 409)
    is_problem(await post(client, adult, "guardian/read", REASON, supervisor), 404)


async def test_under_14_nothing_but_an_emergency_goes_on_without_the_guardian(
    world: World, client: httpx.AsyncClient
) -> None:
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    plan = {"goals": ["safety"], "measures": [{"service": "2-3", "every_days": 7}]}
    visit = {"id": "01970d3b-0000-7000-8000-000000000001", "organisation_id": str(HOSPITAL)}

    async def may(key: Any) -> int:
        answer = await client.put(f"/v1/cases/{key}/care-plan", json=plan, headers=supervisor)
        return answer.status_code

    key = (await world.flag(caller=person(1), **CHILD))["_id"]
    assert await may(key) == 403
    is_problem(await post(client, key, "encounters", visit, supervisor), 403)
    for consent, status in (("refused", 403), ("unknown", 403), ("yes", 200)):
        guardian = {"relation": "mother", "consent": consent}
        await client.put(f"/v1/cases/{key}/guardian", json=guardian, headers=supervisor)
        assert await may(key) == status
    urgent = (await world.flag(caller=person(2), **{**CHILD, "plan_within_72_hours": "yes"}))["_id"]
    assert await may(urgent) == 200, "an emergency waits for nobody"
    harmed = (await world.flag(caller=person(3), **CHILD))["_id"]
    accused = {"relation": "father", "consent": "refused", "suspected": "yes"}
    await client.put(f"/v1/cases/{harmed}/guardian", json=accused, headers=supervisor)
    assert await may(harmed) == 200, "who is suspected of the harm is not asked"
    adult = (await world.flag(caller=person(4), **LOW))["_id"]
    assert await may(adult) == 200


async def test_a_case_of_a_child_under_14_is_strict_and_asks_no_ordinary_volunteer(world: World) -> None:
    case = await world.flag(**{**MODERATE, "age_band": "under_14"})
    assert (case["access"], case["under_14"]) == ("strict", True)
    assert [(asked.restricted, asked.minor) for asked in world.emitted(ResponderRequested)] == [(True, True)]


async def test_that_turns_out_to_be_a_child_asks_for_another_responder(world: World) -> None:
    key = (await world.flag(caller=person(), **{**MODERATE, "age_band": "from_14_to_17"}))["_id"]
    await world.flag(caller=person(), **{**MODERATE, "age_band": "under_14"})
    assert (await world.case(key))["access"] == "strict"
    assert [asked.restricted for asked in world.emitted(ResponderRequested)] == [False, True]
    assert len(world.emitted(ResponderReleased)) == 1


# The strict access class


async def test_one_of_the_special_populations_is_in_the_strict_class(world: World, client: httpx.AsyncClient) -> None:
    for number, population in enumerate(SpecialPopulation):
        key = (await world.flag(caller=person(number), **MODERATE))["_id"]
        officer = world.keys.token("duty_officer", sub="officer-a")
        supervisor = world.keys.token("supervisor", sub="supervisor-a")
        address = f"/v1/cases/{key}/access-class"
        body = {"class": "strict", "population": population.value, "reason": "主管部门转来"}
        answer = await client.put(address, json=body, headers=officer)
        assert (answer.json()["access"], answer.json()["population"]) == ("strict", population.value), answer.text
        assert [asked.restricted for asked in world.emitted(ResponderRequested) if asked.case_id == key] == [
            False,
            True,
        ]
        assert (await world.audit_log())[-1]["action"] == "access_class_set"
        is_problem(await client.put(address, json={"class": "ordinary", **REASON}, headers=officer), 403)
        is_problem(await client.get(f"/v1/cases/{key}", headers=world.keys.token("volunteer")), 404)
        out = await client.put(address, json={"class": "ordinary", **REASON}, headers=supervisor)
        assert (out.json()["access"], out.json()["population"]) == ("ordinary", None)
    own = world.keys.token("supervisor", sub="supervisor-b")
    key = (await world.flag(caller=person(99), **MODERATE))["_id"]
    address = f"/v1/cases/{key}/access-class"
    await client.put(address, json={"class": "strict", "population": "prisoner", **REASON}, headers=own)
    for back in ({"class": "ordinary"}, {"class": "strict"}):
        is_problem(await client.put(address, json={**back, **REASON}, headers=own), 403)
    kept = await world.case(key)
    assert (kept["access"], kept["population"]) == ("strict", "prisoner"), "it takes a second person"


async def test_a_class_that_does_not_go_is_refused(world: World, client: httpx.AsyncClient) -> None:
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    child = (await world.flag(caller=person(), **CHILD))["_id"]
    ordinary = {"class": "ordinary", **REASON}
    is_problem(await client.put(f"/v1/cases/{child}/access-class", json=ordinary, headers=supervisor), 409)
    key = (await world.flag(**LOW))["_id"]
    address = f"/v1/cases/{key}/access-class"
    both = {**ordinary, "population": "prisoner"}
    is_problem(await client.put(address, json=both, headers=supervisor), 422, "population")
    is_problem(await client.put(address, json={"class": "secret", **REASON}, headers=supervisor), 422, "body.class")
    is_problem(
        await client.put(address, json={"class": "strict", "population": "x", **REASON}, headers=supervisor), 422
    )
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.put(address, json={"class": "strict", **REASON}, headers=elsewhere), 404)


def test_there_are_ten_special_populations_with_their_words() -> None:
    assert [code.label for code in SpecialPopulation] == [
        "公安监所被监管人员",
        "服刑人员",
        "社区矫正对象",
        "刑满释放人员",
        "强制隔离戒毒人员",
        "强制隔离戒毒解戒人员",
        "社区戒毒社区康复人员",
        "参加戒毒药物维持治疗人员",
        "自愿戒毒人员",
        "易肇事肇祸严重精神障碍患者",
    ]


async def test_the_services_for_special_populations_are_the_same_services_with_fewer_readers(
    world: World, client: httpx.AsyncClient
) -> None:
    """Assessment, counselling and crisis intervention, for who holds the case and who watches over the shift alone."""
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    holder = world.keys.token("duty_officer", sub="officer-a")
    other = world.keys.token("duty_officer", sub="officer-b")
    await world.acknowledge(key)
    body = {"class": "strict", "population": "community_corrections", "reason": "司法所转来"}
    await client.put(f"/v1/cases/{key}/access-class", json=body, headers=holder)
    note = {"id": "01970d3b-0000-7000-8000-000000000002", "section": {"kind": "note", "text": "已评估"}}
    is_problem(await post(client, key, "sections", note, other), 403)
    assert (await post(client, key, "sections", note, holder)).status_code == 200
    visit = {"id": "01970d3b-0000-7000-8000-000000000003", "organisation_id": str(HOSPITAL)}
    assert (await post(client, key, "encounters", visit, holder)).status_code == 200
    is_problem(await post(client, key, "sections/read", REASON, other), 403)
    assert COUNTY in (await world.case(key))["division"]


ROUTES = {
    "GET /v1/reports-to-make",
    "POST /v1/cases/{case_id}/harm",
    "POST /v1/cases/{case_id}/report",
    "POST /v1/cases/{case_id}/report/received",
    "POST /v1/cases/{case_id}/report/not-required",
    "POST /v1/cases/{case_id}/report/not-required/agree",
    "PUT /v1/cases/{case_id}/guardian",
    "POST /v1/cases/{case_id}/guardian/read",
    "PUT /v1/cases/{case_id}/access-class",
}

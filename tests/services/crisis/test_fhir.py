"""FHIR R4: public libraries accept what goes out, and what comes in obeys the same rules as an answer by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle as R4BBundle
from fhirclient.models import bundle as r4  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id
from contracts.crisis import ReferralKind, ReferralState
from contracts.hotline import AgeBand, RiskFlagged
from services.crisis.domain import fhir, fhir_inbound
from services.crisis.domain.fhir import BSER, BUSINESS_STATUS, STATES, bundle_of
from tests.services.crisis.test_referrals import Calls
from tests.services.crisis.world import COUNTY, ELSEWHERE, HIGH, HOSPITAL, World, person

ROUTES = {
    "GET /v1/referrals/{referral_id}/fhir",
    "POST /v1/fhir/referrals",
    "PUT /v1/referrals/{referral_id}/fhir",
}
DAY = timedelta(days=1)


@pytest.fixture
def calls(world: World, client: httpx.AsyncClient) -> Calls:
    return Calls(world, client)


def accepted_by_libraries(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Both public libraries read it: the one for R4 (4.0.1) strictly, the other R4B. The resources by their type."""
    r4.Bundle(json.loads(json.dumps(bundle)), strict=True)
    R4BBundle.model_validate(bundle)
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


def a_referral(state: ReferralState, kind: ReferralKind = ReferralKind.treatment) -> dict[str, Any]:
    moment = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    history = [{"at": moment, "state": "drafted"}, {"at": moment + DAY, "state": state.value}]
    referral: dict[str, Any] = {
        "_id": uuid4(),
        "state": state.value,
        "kind": kind.value,
        "tier": "high",
        "division": COUNTY,
        "organisation_id": HOSPITAL,
        "due_at": moment,
        "history": history,
    }
    if kind is ReferralKind.severe_disorder_programme:
        referral["programme"] = {"risk_level": 3, "stable": False}
    if state in (ReferralState.scheduled, ReferralState.completed):
        referral["scheduled_at"] = moment
    if state is ReferralState.completed:
        referral["feedback"] = {"outcome": "admitted", "next_step": "none", "medication": "yes"}
    return referral


@pytest.mark.parametrize("kind", list(ReferralKind))
@pytest.mark.parametrize("state", list(ReferralState))
def test_every_state_goes_out_as_a_bundle_that_public_libraries_accept(
    state: ReferralState, kind: ReferralKind
) -> None:
    referral = a_referral(state, kind)
    bundle = bundle_of(referral, {"_id": HOSPITAL}, "f" * 64, datetime(2026, 3, 4, tzinfo=UTC))
    found = accepted_by_libraries(bundle)
    assert set(found) == {"ServiceRequest", "Task", "Patient", "Organization"}
    task = found["Task"]
    codings = {one["system"]: one["code"] for one in task["businessStatus"]["coding"]}
    assert codings[STATES] == state.value
    assert codings.get(BSER) == (BUSINESS_STATUS[state][0] if state in BUSINESS_STATUS else None)
    addresses = {entry["fullUrl"] for entry in bundle["entry"]}
    references = {reference for resource in found.values() for reference in referred_to(resource)}
    assert references <= addresses, "nothing is referred to that is not there"


def referred_to(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["reference"]} if isinstance(value.get("reference"), str) else set()
        return own.union(*(referred_to(inner) for inner in value.values()))
    return set().union(*(referred_to(inner) for inner in value)) if isinstance(value, list) else set()


def test_the_libraries_do_refuse_what_is_not_fhir() -> None:
    """The other side of the test above: they look."""
    bundle = bundle_of(a_referral(ReferralState.sent), None, "f" * 64, datetime(2026, 3, 4, tzinfo=UTC))
    bundle["entry"][1]["resource"].pop("intent")
    with pytest.raises(Exception, match="intent"):
        r4.Bundle(bundle, strict=True)


@pytest.mark.parametrize(
    ("state", "status", "code", "request_status"),
    [
        ("drafted", "draft", "2.0", "draft"),
        ("sent", "requested", "2.0", "active"),
        ("received", "received", "2.0", "active"),
        ("accepted", "accepted", "3.0", "active"),
        ("declined", "rejected", "4.0", "on-hold"),
        ("scheduled", "in-progress", "5.1.1", "active"),
        ("unattended", "in-progress", "5.1.2", "active"),
        ("attended", "in-progress", "5.1.4", "active"),
        ("completed", "completed", "7.0", "completed"),
        ("cancelled", "cancelled", "6.0", "revoked"),
        ("revoked", "cancelled", "6.0", "revoked"),
        ("expired", "failed", None, "on-hold"),
        ("bounced", "requested", "2.0", "active"),
    ],
)
def test_states_are_mapped_so(state: str, status: str, code: str | None, request_status: str) -> None:
    one = ReferralState(state)
    assert fhir.TASK_STATUS[one] == status
    assert fhir.BUSINESS_STATUS.get(one, (None,))[0] == code
    assert fhir.REQUEST_STATUS.get(one, "active") == request_status


async def test_what_goes_out_holds_no_case_and_no_pseudonym_that_two_institutions_share(
    world: World, calls: Calls
) -> None:
    sealed = world.keys.seal({"name": "张示例", "phone": "000-0000-0001"})
    key = (await world.flag(caller=person(), sealed_contact=sealed, **HIGH))["_id"]
    draft = await world.referral(key)
    path = f"/referrals/{draft['_id']}/fhir"
    await calls.no(404, "GET", path, calls.hospital)
    await world.refer(key)
    answer = await calls.client.get(f"/v1{path}", headers=calls.hospital)
    assert answer.headers["content-type"] == "application/fhir+json"
    found = accepted_by_libraries(answer.json())
    assert set(found["Patient"]) == {"resourceType", "identifier"}
    for secret in ("张示例", "000-0000-0001", person(), str(key)):
        assert secret not in answer.text
    await world.fire(f"referral:{draft['_id']}")
    await calls.no(404, "GET", path, calls.hospital)
    other = accepted_by_libraries(await calls.ok("GET", path, calls.backup))
    assert other["Patient"]["identifier"] != found["Patient"]["identifier"]
    await calls.ok("GET", path, calls.officer)
    await calls.no(404, "GET", path, calls.next_door)
    await calls.no(404, "GET", f"/referrals/{new_id()}/fhir", calls.officer)


def a_task(status: str, business: str | None = None, **more: Any) -> dict[str, Any]:
    task = {"resourceType": "Task", "status": status, "intent": "order", **more}
    if business:
        task["businessStatus"] = {"coding": [{"system": BSER, "code": business}]}
    return task


OUTPUT = [
    {"type": {"coding": [{"system": fhir.FEEDBACK, "code": name}]}, "valueCode": value}
    for name, value in (("outcome", "admitted"), ("next_step", "follow_up"), ("medication", "yes"))
]


async def test_a_receivers_system_closes_the_loop_with_tasks(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    ident = (await world.refer(key))["_id"]
    path = f"/referrals/{ident}/fhir"

    async def tell(task: dict[str, Any]) -> dict[str, Any]:
        found = accepted_by_libraries(await calls.ok("PUT", path, calls.hospital, task))
        return found["Task"]

    about: dict[str, Any] = {"focus": {"reference": f"ServiceRequest/{ident}"}}
    assert (await tell(a_task("received", **about)))["status"] == "received"
    assert (await tell(a_task("accepted", "3.0")))["status"] == "accepted"
    start = (world.now + DAY).isoformat(timespec="seconds")
    scheduled = await tell(a_task("in-progress", "5.1.1", executionPeriod={"start": start}))
    assert scheduled["businessStatus"]["coding"][0]["code"] == "5.1.1"
    assert (await tell(a_task("in-progress", "5.1.2")))["businessStatus"]["coding"][1]["code"] == "unattended"
    await tell(a_task("in-progress", "5.1.1", executionPeriod={"start": start}))
    await tell(a_task("in-progress", "5.1.4"))
    text = {"type": {"coding": [{"system": fhir.FEEDBACK, "code": "text"}]}, "valueString": "示例反馈"}
    done = await tell(a_task("completed", "7.0", output=[*OUTPUT, text]))
    assert {one["valueCode"] for one in done["output"]} == {"admitted", "follow_up", "yes"}
    referral = await world.referral(key)
    assert (referral["state"], referral["no_shows"], referral["receiver"]) == ("completed", 1, "receiver-a")
    read = await calls.ok("POST", f"/referrals/{ident}/feedback", calls.officer, {"reason": "回访"})
    assert read["text"] == "示例反馈"
    await calls.no(409, "PUT", path, calls.hospital, a_task("received"))


async def test_a_rejected_task_declines_with_its_reason_and_bounces(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    path = f"/referrals/{(await world.refer(key))['_id']}/fhir"
    await calls.ok("PUT", path, calls.hospital, a_task("received"))
    await calls.no(422, "PUT", path, calls.hospital, a_task("rejected", "4.0"), "Task.statusReason")
    await calls.client.put(
        f"/v1{path}", json=a_task("rejected", "4.0", statusReason={"text": "没有床位"}), headers=calls.hospital
    )
    referral = await world.referral(key)
    assert [(step["state"], step["reason"]) for step in referral["history"]][-3:] == [
        ("declined", "没有床位"),
        ("bounced", "bounced_to_backup"),
        ("sent", "bounced_to_backup"),
    ]


UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"resourceType": "Patient"}, "Task.resourceType"),
    ({"resourceType": "Task", "intent": "order"}, "Task.status"),
    ({"resourceType": "Task", "status": "received"}, "Task.intent"),
    (a_task("paused"), "Task.status"),
    (a_task("in-progress"), "Task.businessStatus"),
    (a_task("in-progress", "5.2"), "Task.businessStatus"),
    (a_task("received", "7.0"), "Task.businessStatus"),
    (a_task("received", focus={"reference": f"ServiceRequest/{ELSEWHERE}"}), "Task.focus"),
    (a_task("received", modifierExtension=[]), "Task"),
    (a_task("received", output=[{"valueCode": "x"}]), "Task.output[0].type"),
    (a_task("received", businessStatus={"coding": "3.0"}), "Task.businessStatus.coding"),
]


async def test_a_task_that_cannot_be_read_is_refused_with_the_elements_path(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    path = f"/referrals/{(await world.refer(key))['_id']}/fhir"
    for task, field in UNREADABLE:
        await calls.no(422, "PUT", path, calls.hospital, task, field)
    assert (await world.referral(key))["state"] == "sent"


async def test_a_task_obeys_the_state_machine_and_the_rights_of_an_answer(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    path = f"/referrals/{(await world.refer(key))['_id']}/fhir"
    await calls.no(409, "PUT", path, calls.hospital, a_task("accepted", "3.0"))
    await calls.no(404, "PUT", path, calls.backup, a_task("received"))
    await calls.no(403, "PUT", path, calls.officer, a_task("received"))
    await calls.ok("PUT", path, calls.hospital, a_task("received"))
    await calls.ok("PUT", path, calls.hospital, a_task("received"))
    await calls.ok("PUT", path, calls.hospital, a_task("accepted"))
    no_time = a_task("in-progress", "5.1.1")
    await calls.no(422, "PUT", path, calls.hospital, no_time, "Task.executionPeriod.start")
    past = a_task("in-progress", "5.1.1", executionPeriod={"start": "2020-01-01T08:00:00+08:00"})
    await calls.no(422, "PUT", path, calls.hospital, past, "Task.executionPeriod.start")
    await calls.ok("PUT", path, calls.hospital, a_task("in-progress", "5.1.4"))
    await calls.no(422, "PUT", path, calls.hospital, a_task("completed", "7.0"), "Task.output")
    broken = await calls.client.put(f"/v1{path}", content=b"{", headers=calls.hospital)
    assert (broken.status_code, broken.json()["field"]) == (422, "body")


def a_form(**request: Any) -> dict[str, Any]:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "urn:uuid:00000000-0000-7000-8000-0000000000f2"},
        "performerType": {"coding": [{"code": "internal-medicine"}]},
        "locationCode": [{"coding": [{"system": fhir.DIVISIONS, "code": COUNTY}]}],
        "reasonCode": [{"coding": [{"system": fhir_inbound.QUESTIONS, "code": "plan_within_72_hours.yes"}]}],
        **request,
    }
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:example", "value": "000-0000-0002"}],
        "name": [{"text": "张示例"}],
        "telecom": [{"system": "phone", "value": "000-0000-0002"}],
        "gender": "female",
        "birthDate": "1990-05-01",
    }
    entries = [
        {"fullUrl": "urn:uuid:00000000-0000-7000-8000-0000000000f1", "resource": resource},
        {"fullUrl": "urn:uuid:00000000-0000-7000-8000-0000000000f2", "resource": patient},
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


async def test_a_hospitals_system_refers_to_us_with_a_bundle(world: World, calls: Calls) -> None:
    form = a_form()
    accepted_by_libraries(form)
    seen = len(world.emitted(RiskFlagged))
    taken = await calls.ok("POST", "/fhir/referrals", calls.hospital, form)
    assert await calls.ok("POST", "/fhir/referrals", calls.hospital, form) == taken
    (flag,) = world.emitted(RiskFlagged)[seen:]
    assert (str(flag.id), flag.plan_within_72_hours, flag.attempt_within_2_weeks) == (
        "00000000-0000-7000-8000-0000000000f1",
        "yes",
        "not_asked",
    )
    assert flag.age_band in (AgeBand.from_25_to_44, AgeBand.from_45_to_59)
    await world.take(flag)
    assert (await world.case_of(flag.id))["tier"] == "high"
    await calls.no(409, "POST", "/fhir/referrals", calls.hospital, a_form(performerType={"coding": [{"code": "er"}]}))


UNREADABLE_FORMS: list[tuple[dict[str, Any], str]] = [
    ({"status": "draft"}, "Bundle.entry[0].resource.status"),
    ({"subject": None}, "Bundle.entry[0].resource.subject"),
    (
        {"reasonCode": [{"coding": [{"system": fhir_inbound.QUESTIONS, "code": "mood.bad"}]}]},
        "Bundle.entry[0].resource.reasonCode[0]",
    ),
    ({"locationCode": [{"coding": [{"system": fhir.DIVISIONS, "code": "370899"}]}]}, "ServiceRequest.locationCode"),
    ({"resourceType": "Observation"}, "Bundle.entry"),
]


async def test_a_bundle_that_cannot_be_read_is_refused_with_the_elements_path(world: World, calls: Calls) -> None:
    for request, field in UNREADABLE_FORMS:
        await calls.no(422, "POST", "/fhir/referrals", calls.hospital, a_form(**request), field)
    assert world.emitted(RiskFlagged) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["status", "intent", "businessStatus", "output", "focus", "identifier", "basedOn", "entry", "type"]
)


@given(st.dictionaries(names, json_values, max_size=6), st.sampled_from(["Task", "Bundle"]))
def test_whatever_comes_in_is_read_or_refused_by_path(said: dict[str, Any], kind: str) -> None:
    document = {**said, "resourceType": kind}
    path = kind
    try:
        if kind == "Task":
            fhir_inbound.said_by(fhir_inbound.read(fhir_inbound.Task, document))
        else:
            fhir_inbound.referred_by(fhir_inbound.read(fhir_inbound.Bundle, document), date(2026, 3, 2))
    except fhir_inbound.Misread as refusal:
        path = refusal.path
    assert path.startswith(kind)


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2012-03-03", AgeBand.under_14),
        ("2012-03-02", AgeBand.from_14_to_17),
        ("2008", AgeBand.from_14_to_17),
        ("2008-03", AgeBand.from_14_to_17),
        ("1940-01-01", AgeBand.from_75),
        ("2030-01-01", AgeBand.unknown),
    ],
)
def test_an_age_is_a_band_and_a_date_that_is_not_whole_misses_no_minor(born: str, band: AgeBand) -> None:
    form = a_form()
    form["entry"][1]["resource"]["birthDate"] = born
    referred = fhir_inbound.referred_by(fhir_inbound.read(fhir_inbound.Bundle, form), date(2026, 3, 2))
    assert referred.age_band is band
    assert referred.ident == UUID("00000000-0000-7000-8000-0000000000f1")

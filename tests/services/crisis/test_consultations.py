"""A psychiatrist's opinion, somebody who goes along, and medication records at discharge."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id
from contracts.crisis import ReferralState
from contracts.registry import OrganisationKind, OrganisationRegistered
from services.crisis.domain import consultations as consulting
from services.crisis.domain import referrals_accompanied
from services.crisis.domain.handovers_medical import NEXT as HAND_OVER_NEXT
from services.crisis.domain.handovers_medical import State as HandOver
from services.crisis.domain.handovers_medical import unit_for
from tests.services.crisis.test_referrals import Calls
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    HOSPITAL,
    LOW,
    MODERATE,
    NEIGHBOUR,
    TOWN,
    World,
    person,
    stamp,
)

ROUTES = {
    "GET /v1/accompanied-visits",
    "GET /v1/cases/{case_id}/consultations",
    "GET /v1/consultations",
    "GET /v1/discharges",
    "GET /v1/unconfirmed-discharges",
    "POST /v1/accompanied-visits/{visit_id}/accept",
    "POST /v1/accompanied-visits/{visit_id}/finish",
    "POST /v1/accompanied-visits/{visit_id}/give-back",
    "POST /v1/accompanied-visits/{visit_id}/withdraw",
    "POST /v1/cases/{case_id}/consultations",
    "POST /v1/consultations/{consultation_id}/answer",
    "POST /v1/consultations/{consultation_id}/opinion",
    "POST /v1/consultations/{consultation_id}/withdraw",
    "POST /v1/discharges/{hand_over_id}/open",
    "POST /v1/discharges/{hand_over_id}/receive",
    "POST /v1/discharges/{hand_over_id}/send-again",
    "POST /v1/referrals/{referral_id}/accompanied-visits",
    "POST /v1/referrals/{referral_id}/discharge",
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASON = {"reason": "会商决定"}
AGREED = {"consent_to_follow_up": "yes"}
COUNTY_CLINIC = UUID("00000000-0000-7000-8000-0000000000c1")
TOWN_CLINIC = UUID("00000000-0000-7000-8000-0000000000c2")
PACKET = {
    "discharged_on": "2026-11-20",
    "medications": [{"name": "示例药片", "dose": "每日一次", "days_supplied": 14}],
    "note": "示例说明",
}


@pytest.fixture
async def calls(world: World, client: httpx.AsyncClient) -> Calls:
    """With primary units in the county and in one of its towns."""
    for ident, division in ((COUNTY_CLINIC, COUNTY), (TOWN_CLINIC, TOWN)):
        await world.take(
            OrganisationRegistered(
                **stamp(),
                organisation_id=ident,
                revision=1,
                name="测试卫生院",
                kind=OrganisationKind.primary_care,
                division=division,
                receives_referrals=True,
            )
        )
    return Calls(world, client)


def asked(**more: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "kind": "psychiatrist", "sign": "poor_result", **more}


# A consultation


async def test_a_psychiatrist_is_consulted_accepts_and_gives_an_opinion_under_seal(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **AGREED, **MODERATE))["_id"]
    path, request = f"/cases/{key}/consultations", asked()
    made = await calls.ok("POST", path, calls.officer, request)
    assert await calls.ok("POST", path, calls.officer, request) == made
    await calls.no(409, "POST", path, calls.officer, {**request, "sign": "suicide"}, "id")
    assert made["organisation_id"] == str(HOSPITAL), "the nearest hospital, and no primary unit"
    (shown,) = (await calls.ok("GET", "/consultations", calls.hospital))["consultations"]
    assert "case_id" not in shown
    answer, opinion = f"/consultations/{made['id']}/answer", f"/consultations/{made['id']}/opinion"
    await calls.no(404, "POST", answer, calls.backup, {"state": "accepted"})
    await calls.no(409, "POST", answer, calls.hospital, {"state": "done", "opinions": ["reassess"]})
    assert (await calls.ok("POST", answer, calls.hospital, {"state": "accepted"}))["by"] == "receiver-a"
    await calls.no(422, "POST", answer, calls.hospital, {"state": "done"}, "opinions")
    await calls.no(422, "POST", answer, calls.hospital, {"state": "done", "opinions": ["depression"]})
    await calls.no(404, "POST", opinion, calls.officer, REASON)
    done = {"state": "done", "opinions": ["admission"], "text": "示例意见"}
    assert "示例意见" not in str(await calls.ok("POST", answer, calls.hospital, done))
    assert "示例意见" not in str(await world.database.find("consultations", {}))
    assert "referral_advised" in (await world.case(key))["decisions_needed"], "an admission has to be sought"
    read = await calls.ok("POST", opinion, calls.officer, REASON)
    assert (read["opinions"], read["text"]) == (["admission"], "示例意见")
    assert (await world.audit_log())[-1]["action"] == "opinion_read"
    await calls.no(404, "POST", opinion, calls.next_door, REASON)
    assert len((await calls.ok("GET", path, calls.officer))["consultations"]) == 1
    await calls.no(404, "GET", path, calls.next_door)
    assert not [timer for timer in await world.timers() if timer.startswith("consultation:")]


async def test_at_a_red_flag_the_consultation_has_the_times_of_a_high_risk_whatever_the_tier(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **AGREED, **LOW))["_id"]
    for sign in ("self_harm", "suicide", "aggression", "psychotic_symptoms"):
        made = await calls.ok("POST", f"/cases/{key}/consultations", calls.officer, asked(sign=sign))
        document = await world.database.get("consultations", UUID(made["id"]))
        assert document is not None
        assert document["due_at"] - world.now <= 2 * HOUR
    await world.pass_time(timedelta(minutes=121))
    assert "consultation_unanswered" in (await world.case(key))["decisions_needed"]
    assert f"consultation:{made['id']}" in await world.timers(), "and it is asked again"


async def test_a_consultation_is_declined_with_a_reason_or_withdrawn(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **AGREED, **MODERATE))["_id"]
    first = await calls.ok("POST", f"/cases/{key}/consultations", calls.officer, asked())
    answer = f"/consultations/{first['id']}/answer"
    await calls.no(422, "POST", answer, calls.hospital, {"state": "declined"}, "reason")
    await calls.ok("POST", answer, calls.hospital, {"state": "declined", "reason": "没有值班医师"})
    assert "consultation_unanswered" in (await world.case(key))["decisions_needed"]
    second = await calls.ok("POST", f"/cases/{key}/consultations", calls.officer, asked())
    withdraw = f"/consultations/{second['id']}/withdraw"
    await calls.no(404, "POST", withdraw, calls.next_door, REASON)
    assert (await calls.ok("POST", withdraw, calls.officer, REASON))["state"] == "withdrawn"
    await calls.no(409, "POST", withdraw, calls.officer, REASON)
    third = await calls.ok("POST", f"/cases/{key}/consultations", calls.officer, asked())
    await world.acknowledge(key)
    await world.close(key)
    document = await world.database.get("consultations", UUID(third["id"]))
    assert document is not None
    assert document["state"] == "withdrawn"
    assert not [timer for timer in await world.timers() if timer.startswith("consultation:")]


async def test_a_family_doctor_assesses_under_an_agreement_with_a_psychiatric_institution(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **AGREED, **MODERATE))["_id"]
    request = asked(kind="family_doctor", organisation_id=str(COUNTY_CLINIC))
    path = f"/cases/{key}/consultations"
    refused = await calls.no(422, "POST", path, calls.officer, request, "organisation_id")
    assert refused["reason"] == "no_agreement"
    agreement = {"from": "2026-01-01", "until": "2030-12-31"}
    await calls.ok("PUT", f"/receivers/{COUNTY_CLINIC}/agreements/{HOSPITAL}", calls.supervisor, agreement)
    hospital = {**request, "organisation_id": str(HOSPITAL)}
    assert (await calls.no(422, "POST", path, calls.officer, hospital))["reason"] == "wrong_kind"
    made = await calls.ok("POST", path, calls.officer, request)
    doctor = world.keys.token("receiver", sub="family-doctor-a", organisation=str(COUNTY_CLINIC))
    await calls.ok("POST", f"/consultations/{made['id']}/answer", doctor, {"state": "accepted"})
    done = {"state": "done", "opinions": ["guidance_at_home"]}
    assert (await calls.ok("POST", f"/consultations/{made['id']}/answer", doctor, done))["by"] == "family-doctor-a"
    expired = {"from": "2020-01-01", "until": "2020-12-31"}
    await calls.ok("PUT", f"/receivers/{COUNTY_CLINIC}/agreements/{HOSPITAL}", calls.supervisor, expired)
    again = asked(kind="family_doctor", organisation_id=str(COUNTY_CLINIC))
    assert (await calls.no(422, "POST", path, calls.officer, again))["reason"] == "no_agreement"


async def test_a_consultation_needs_consent_as_a_referral_does(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    path = f"/cases/{key}/consultations"
    await calls.no(409, "POST", path, calls.officer, asked())
    await calls.no(403, "POST", path, calls.officer, asked(override_reason="联系不上"))
    await calls.ok("POST", path, calls.supervisor, asked(override_reason="联系不上"))
    await calls.no(404, "POST", path, calls.next_door, asked())


# Somebody goes along


async def accepted(world: World, key: UUID, *more: ReferralState, at: Any = None) -> dict[str, Any]:
    referral = await world.refer(key, HOSPITAL)
    for state in (ReferralState.received, ReferralState.accepted, *more):
        await world.answer(referral, state, at=at)
    return referral


async def test_a_volunteer_goes_along_by_name_and_sees_no_more_than_where_and_when(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    waiting = await world.refer(key)
    path, request = f"/referrals/{waiting['_id']}/accompanied-visits", {"id": str(new_id())}
    await calls.no(409, "POST", path, calls.officer, request)
    for state in (ReferralState.received, ReferralState.accepted):
        await world.answer(waiting, state)
    await calls.no(409, "POST", path, calls.officer, request)
    await world.answer(waiting, ReferralState.scheduled, at=world.now + 3 * DAY)
    await calls.no(404, "POST", path, calls.next_door, request)
    made = await calls.ok("POST", path, calls.officer, request)
    assert await calls.ok("POST", path, calls.officer, request) == made
    volunteer = world.keys.token("volunteer", sub="volunteer-a")
    other = world.keys.token("community_worker", sub="worker-b")
    far = world.keys.token("volunteer", division=NEIGHBOUR)
    (shown,) = (await calls.ok("GET", "/accompanied-visits", volunteer))["visits"]
    assert set(shown) == {"id", "division", "organisation_id", "at", "state", "accepted_by", "due_at"}
    assert (await calls.ok("GET", "/accompanied-visits", far)) == {"visits": []}
    visit = f"/accompanied-visits/{made['id']}"
    await calls.no(404, "POST", f"{visit}/accept", far)
    assert (await calls.ok("POST", f"{visit}/accept", volunteer))["accepted_by"] == "volunteer-a"
    await calls.ok("POST", f"{visit}/accept", volunteer)
    await calls.no(409, "POST", f"{visit}/accept", other)
    await calls.no(403, "POST", f"{visit}/finish", other, {"done": True})
    await calls.ok("POST", f"{visit}/give-back", volunteer)
    await calls.ok("POST", f"{visit}/accept", other)
    assert (await calls.ok("POST", f"{visit}/finish", other, {"done": True}))["state"] == "done"
    await calls.no(422, "POST", f"{visit}/finish", other, {}, "body.done")
    await calls.no(409, "POST", f"{visit}/withdraw", calls.officer)
    assert "visit_unaccompanied" not in (await world.case(key))["decisions_needed"]
    assert f"accompanied_visit:{made['id']}" not in await world.timers()


async def test_where_nobody_goes_along_a_supervisor_decides(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await accepted(world, key, ReferralState.scheduled, at=world.now + 3 * DAY)
    request = {"id": str(new_id())}
    await calls.ok("POST", f"/referrals/{referral['_id']}/accompanied-visits", calls.officer, request)
    await world.pass_time(25 * HOUR)
    assert "visit_unaccompanied" in (await world.case(key))["decisions_needed"]
    await calls.no(404, "POST", f"/accompanied-visits/{request['id']}/withdraw", calls.next_door)
    await calls.ok("POST", f"/accompanied-visits/{request['id']}/withdraw", calls.officer)
    again = {"id": str(new_id())}
    await calls.ok("POST", f"/referrals/{referral['_id']}/accompanied-visits", calls.officer, again)
    await calls.ok("POST", f"/referrals/{referral['_id']}/withdraw", calls.officer, REASON)
    assert not [timer for timer in await world.timers() if timer.startswith("accompanied_visit:")], "it goes with it"


# At discharge


async def test_medication_records_go_sealed_to_the_home_units_named_receiver(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    waiting = await world.refer(key)
    path = f"/referrals/{waiting['_id']}/discharge"
    packet = {"id": str(new_id()), "home_division": TOWN, **PACKET}
    await calls.no(409, "POST", path, calls.hospital, packet)
    for state in (ReferralState.received, ReferralState.accepted, ReferralState.attended):
        await world.answer(waiting, state)
    for more, field in (
        ({"home_division": "370899"}, "home_division"),
        ({"home_division": NEIGHBOUR}, "home_division"),
        ({"medications": []}, "body.medications"),
    ):
        await calls.no(422, "POST", path, calls.hospital, {**packet, **more}, field)
    await calls.no(404, "POST", path, calls.backup, packet)
    sent = await calls.ok("POST", path, calls.hospital, packet)
    assert await calls.ok("POST", path, calls.hospital, packet) == sent
    await calls.no(409, "POST", path, calls.hospital, {**packet, "note": "另一份"}, "id")
    assert sent["organisation_id"] == str(TOWN_CLINIC), "chosen by the area code of the home"
    assert "示例药片" not in str(await world.database.find("medication_hand_overs", {}))
    nurse = world.keys.token("receiver", sub="nurse-a", organisation=str(TOWN_CLINIC))
    other = world.keys.token("receiver", organisation=str(COUNTY_CLINIC))
    discharge = f"/discharges/{sent['id']}"
    (shown,) = (await calls.ok("GET", "/discharges", nurse))["hand_overs"]
    assert not {"case_id", "person", "sealed", "digest"} & set(shown)
    assert (await calls.ok("GET", "/discharges", other)) == {"hand_overs": []}
    await calls.no(409, "POST", f"{discharge}/open", nurse, REASON)
    await calls.no(404, "POST", f"{discharge}/receive", other)
    assert (await calls.ok("POST", f"{discharge}/receive", nurse))["received_by"] == "nurse-a"
    await calls.ok("POST", f"{discharge}/receive", nurse)
    opened = await calls.ok("POST", f"{discharge}/open", nurse, REASON)
    assert opened["medications"][0]["name"] == "示例药片"
    assert (await world.audit_log())[-1]["action"] == "medication_read"
    await calls.no(404, "POST", f"{discharge}/open", other, REASON)
    assert f"medical_hand_over:{sent['id']}" not in await world.timers()


async def test_a_receipt_that_nobody_confirms_is_put_before_a_supervisor_who_sends_it_elsewhere(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await accepted(world, key, ReferralState.attended)
    packet = {"id": str(new_id()), "home_division": TOWN, **PACKET}
    sent = await calls.ok("POST", f"/referrals/{referral['_id']}/discharge", calls.hospital, packet)
    assert (await calls.ok("GET", "/unconfirmed-discharges", calls.officer)) == {"hand_overs": []}
    await world.pass_time(49 * HOUR)
    assert "hand_over_unconfirmed" in (await world.case(key))["decisions_needed"]
    (late,) = (await calls.ok("GET", "/unconfirmed-discharges", calls.officer))["hand_overs"]
    assert (late["id"], "sealed" in late) == (sent["id"], False)
    assert (await calls.ok("GET", "/unconfirmed-discharges", calls.next_door)) == {"hand_overs": []}
    again = f"/discharges/{sent['id']}/send-again"
    await calls.no(403, "POST", again, calls.officer, REASON)
    await calls.no(404, "POST", again, calls.next_door, REASON)
    moved = await calls.ok("POST", again, calls.supervisor, {"home_division": COUNTY, **REASON})
    assert (moved["state"], moved["organisation_id"]) == ("sent", str(COUNTY_CLINIC))
    assert "hand_over_unconfirmed" not in (await world.case(key))["decisions_needed"]
    await calls.no(409, "POST", again, calls.supervisor, REASON)


@pytest.mark.parametrize(
    ("home", "divisions", "chosen"),
    [
        ("370812001", ["370812", "370812001", "370812002"], 1),
        ("370812003", ["370812001", "370812"], 1),
        ("370812", ["370812001", "370811"], 0),
        ("370812001", ["370812002"], None),
        ("370812001", ["37"], None),
    ],
)
def test_the_home_unit_is_found_by_area_code(home: str, divisions: list[str], chosen: int | None) -> None:
    units = [{"_id": place, "division": division} for place, division in enumerate(divisions)]
    found = unit_for(home, units)
    assert (found["_id"] if found else None) == chosen


def test_what_is_done_is_done_and_every_wait_can_end() -> None:
    for table, waiting in (
        (consulting.NEXT, consulting.WAITING),
        (referrals_accompanied.NEXT, referrals_accompanied.WAITING),
    ):
        assert {state for state, following in table.items() if following} == set(waiting)
        assert all(set(following) - set(waiting) for state, following in table.items() if following)
    assert HAND_OVER_NEXT[HandOver.received] == HAND_OVER_NEXT[HandOver.withdrawn] == frozenset()

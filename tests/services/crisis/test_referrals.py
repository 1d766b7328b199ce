"""Referring: consent, the receiver's eligibility and places, what it answers, and what comes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id
from chassis.errors import NotAllowed, Refused
from contracts.base import Answer
from contracts.crisis import ReferralKind, ReferralMoved, ReferralState
from contracts.hotline import RiskFlagged
from services.crisis import commands
from services.crisis.commands import referrals as referring
from services.crisis.commands.referrals_consent import Scope, consent_to
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    BACKUP,
    COUNTY,
    ELSEWHERE,
    HIGH,
    HOSPITAL,
    IMMINENT,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    World,
    organisation,
    person,
)

ROUTES = {
    "GET /v1/cases/{case_id}/consents",
    "GET /v1/cases/{case_id}/receivers",
    "GET /v1/cases/{case_id}/referrals",
    "GET /v1/receivers/{organisation_id}",
    "GET /v1/referrals/{referral_id}/attendance",
    "GET /v1/to-tell",
    "POST /v1/cases/{case_id}/referrals",
    "POST /v1/referrals/incoming",
    "POST /v1/referrals/{referral_id}/contact",
    "POST /v1/referrals/{referral_id}/feedback",
    "POST /v1/referrals/{referral_id}/reminded",
    "POST /v1/referrals/{referral_id}/withdraw",
    "POST /v1/to-tell/{telling_id}/told",
    "PUT /v1/cases/{case_id}/consents/{organisation_id}",
    "PUT /v1/receivers/{organisation_id}",
    "PUT /v1/receivers/{organisation_id}/agreements/{partner_id}",
    "PUT /v1/receivers/{organisation_id}/capacity",
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASON = {"reason": "会商决定"}
EMPLOYER = UUID("00000000-0000-7000-8000-0000000000e1")
AGREED = {"consent_to_follow_up": "yes"}
FEEDBACK = {"outcome": "outpatient_treatment", "next_step": "follow_up", "medication": "unknown"}


class Calls:
    """Requests of the people in these stories."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.client = client
        self.officer = world.keys.token("duty_officer", sub="officer-a")
        self.supervisor = world.keys.token("supervisor", sub="supervisor-a")
        self.city = world.keys.token("supervisor", sub="city-a", division="3708")
        self.hospital = world.keys.token("receiver", sub="receiver-a", organisation=str(HOSPITAL))
        self.backup = world.keys.token("receiver", sub="receiver-b", organisation=str(BACKUP))
        self.next_door = world.keys.token("supervisor", division=NEIGHBOUR)

    async def ok(self, method: str, path: str, who: dict[str, str], body: Any = None) -> Any:
        answer = await self.client.request(method, f"/v1{path}", json=body, headers=who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def no(
        self, status: int, method: str, path: str, who: dict[str, str], body: Any = None, field: str | None = None
    ) -> Any:
        answer = await self.client.request(method, f"/v1{path}", json=body, headers=who)
        is_problem(answer, status, field)
        return answer.json()


@pytest.fixture
def calls(world: World, client: httpx.AsyncClient) -> Calls:
    return Calls(world, client)


# Consent


async def test_consent_is_overridden_by_a_supervisor_or_at_an_act_in_progress_by_who_is_on_duty(world: World) -> None:
    high = (await world.flag(caller=person(1), **HIGH))["_id"]
    with pytest.raises(NotAllowed) as refusal:
        await world.refer(high, caller=OFFICER)
    assert refusal.value.status == 403
    assert (await world.refer(high, caller=SUPERVISOR))["state"] == "sent"
    imminent = (await world.flag(caller=person(2), **IMMINENT))["_id"]
    assert (await world.refer(imminent, caller=OFFICER))["state"] == "sent"
    entries = [one for one in await world.audit_log() if one["action"] == "consent_overridden"]
    assert [one["actor"] for one in entries] == ["supervisor-a", "officer-a"]
    assert {one["details"]["legal_basis"] for one in entries} == {"pipl-13-4"}
    assert (await world.case(high))["consent"] == "not_asked", "an override changes nothing about what was said"


async def test_below_high_risk_a_refusal_stands_and_silence_may_be_overridden(world: World) -> None:
    refused = (await world.flag(caller=person(1), consent_to_follow_up="refused", **MODERATE))["_id"]
    with pytest.raises(NotAllowed, match="a refusal stands"):
        await world.refer(refused, HOSPITAL)
    unasked = (await world.flag(caller=person(2), **MODERATE))["_id"]
    assert (await world.refer(unasked, HOSPITAL))["state"] == "sent"


async def test_what_a_person_says_about_one_unit_comes_before_what_was_said_at_the_hotline(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **AGREED, **HIGH))["_id"]
    path = f"/cases/{key}/consents/{HOSPITAL}"
    await calls.no(422, "PUT", path, calls.officer, {"answer": "yes"}, "scopes")
    await calls.no(422, "PUT", path, calls.officer, {"answer": "no", "scopes": ["contact"]}, "scopes")
    await calls.no(404, "PUT", path, calls.next_door, {"answer": "no"})
    await calls.no(404, "PUT", f"/cases/{key}/consents/{new_id()}", calls.officer, {"answer": "no"})
    await calls.ok("PUT", path, calls.officer, {"answer": "yes", "scopes": ["referral", "contact"]})
    withdrawn = await calls.ok("PUT", path, calls.officer, {"answer": "refused"})
    assert withdrawn["withdrawn"]
    assert withdrawn["said_before"][0]["scopes"] == ["contact", "referral"]
    assert await calls.ok("PUT", path, calls.officer, {"answer": "refused"}) == withdrawn
    await calls.no(409, "POST", f"/cases/{key}/refer", calls.officer, {"organisation_id": str(HOSPITAL)})
    sent = await calls.ok("POST", f"/cases/{key}/refer", calls.officer, {"organisation_id": str(BACKUP)})
    assert sent["state"] == "sent"
    listed = await calls.ok("GET", f"/cases/{key}/consents", calls.officer)
    assert [one["organisation_id"] for one in listed["consents"]] == [str(HOSPITAL)]
    await calls.no(404, "GET", f"/cases/{key}/consents", calls.next_door)


async def test_after_the_emergency_the_person_is_told_and_until_then_it_is_listed(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.acknowledge(key)
    await world.refer(key)
    assert "tell_after_emergency" not in (await world.case(key))["decisions_needed"]
    await world.pass_time(73 * HOUR)
    assert "tell_after_emergency" in (await world.case(key))["decisions_needed"]
    (listed,) = (await calls.ok("GET", "/to-tell", calls.officer))["to_tell"]
    assert (await calls.ok("GET", "/to-tell", calls.next_door)) == {"to_tell": []}
    await world.close(key)
    assert len((await calls.ok("GET", "/to-tell", calls.officer))["to_tell"]) == 1, "closing does not undo the duty"
    told = f"/to-tell/{listed['id']}/told"
    await calls.no(404, "POST", told, calls.next_door)
    assert (await calls.ok("POST", told, calls.officer))["told_by"] == "officer-a"
    assert (await calls.ok("POST", told, calls.officer))["state"] == "told"
    assert (await calls.ok("GET", "/to-tell", calls.officer)) == {"to_tell": []}
    await calls.no(404, "POST", f"/to-tell/{new_id()}/told", calls.officer)


async def test_while_an_act_is_unconfirmed_nobody_is_asked_to_tell(world: World) -> None:
    key = (await world.flag(caller=person(), **IMMINENT))["_id"]
    await world.refer(key, caller=OFFICER)
    (telling,) = await world.database.find("tellings", {})
    await world.be_away(73 * HOUR)
    assert "tell_after_emergency" not in (await world.case(key))["decisions_needed"]
    assert f"telling:{telling['_id']}" in await world.timers()


# Receivers


async def test_a_receiver_that_cannot_take_the_case_is_refused_with_the_nearest_that_can(
    world: World, calls: Calls
) -> None:
    minor = (await world.flag(caller=person(), age_band="from_14_to_17", **AGREED, **HIGH))["_id"]
    profile = await calls.ok("PUT", f"/receivers/{HOSPITAL}", calls.supervisor, {"takes_minors": False, "level": 2})
    assert (profile["name"], profile["takes_minors"]) == ("测试医院", False)
    refused = await calls.no(
        422, "POST", f"/cases/{minor}/refer", calls.officer, {"organisation_id": str(HOSPITAL)}, "organisation_id"
    )
    assert refused["reason"] == "no_minors"
    assert str(BACKUP) in refused["detail"]
    assert (await world.referral(minor))["state"] == "drafted"
    offered = (await calls.ok("GET", f"/cases/{minor}/receivers", calls.officer))["receivers"]
    assert [(one["organisation_id"], one["unfit"]) for one in offered] == [
        (str(BACKUP), None),
        (str(HOSPITAL), "no_minors"),
    ]
    sent = await calls.ok("POST", f"/cases/{minor}/refer", calls.officer, {})
    assert sent["organisation_id"] == str(BACKUP), "the nearest that can"
    await calls.no(404, "GET", f"/cases/{minor}/receivers", calls.next_door)


async def test_each_kind_of_unfitness_has_its_reason(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **AGREED, **HIGH))["_id"]
    rows: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"psychiatric": False}, {"psychiatric": True}, "not_psychiatric"),
        ({"tiers": ["low", "moderate"]}, {}, "tier_not_taken"),
    ]
    for profile, refer, reason in rows:
        await calls.ok("PUT", f"/receivers/{HOSPITAL}", calls.supervisor, profile)
        body = {"organisation_id": str(HOSPITAL), **refer}
        assert (await calls.no(422, "POST", f"/cases/{key}/refer", calls.officer, body))["reason"] == reason


async def test_the_nearest_facility_with_a_place_is_chosen_and_its_places_run_out(world: World, calls: Calls) -> None:
    """Nearest by area code, then by the places that are left; a place comes back when the referral does."""
    capacity = {"per_day": 1, "per_week": 10}
    assert (await calls.ok("PUT", f"/receivers/{HOSPITAL}/capacity", calls.hospital, capacity))["capacity"]["by"]
    cases = [(await world.flag(caller=person(n), **AGREED, **HIGH))["_id"] for n in (1, 2, 3)]
    first = await calls.ok("POST", f"/cases/{cases[0]}/refer", calls.officer, {})
    assert first["organisation_id"] == str(HOSPITAL)
    second = await calls.ok("POST", f"/cases/{cases[1]}/refer", calls.officer, {})
    assert second["organisation_id"] == str(BACKUP), "the county's hospital is full today"
    body = {"organisation_id": str(HOSPITAL)}
    full = await calls.no(422, "POST", f"/cases/{cases[2]}/refer", calls.officer, body, "organisation_id")
    assert full["reason"] == "full_today"
    await calls.ok("POST", f"/referrals/{first['id']}/withdraw", calls.officer, REASON)
    assert (await calls.ok("POST", f"/cases/{cases[2]}/refer", calls.officer, body))["state"] == "sent"


async def test_two_who_send_at_once_do_not_take_the_same_last_place(world: World, calls: Calls) -> None:
    await calls.ok("PUT", f"/receivers/{HOSPITAL}/capacity", calls.hospital, {"per_day": 1})
    cases = [(await world.flag(caller=person(n), **AGREED, **HIGH))["_id"] for n in (1, 2, 3)]

    async def send(key: UUID) -> bool:
        try:
            await world.do(lambda tx: commands.refer(key, HOSPITAL, None, OFFICER, tx, world.office))
        except Refused:
            return False
        return True

    assert sorted(await asyncio.gather(*(send(key) for key in cases))) == [False, False, True]


async def test_the_directory_is_kept_by_who_may(world: World, calls: Calls) -> None:
    page = f"/receivers/{HOSPITAL}"
    await calls.no(403, "PUT", page, calls.officer, {"level": 3})
    await calls.no(404, "PUT", page, calls.next_door, {"level": 3})
    await calls.no(422, "PUT", page, calls.supervisor, {"level": 9}, "body.level")
    await calls.no(404, "PUT", f"/receivers/{new_id()}", calls.supervisor, {})
    await calls.no(404, "PUT", f"{page}/capacity", calls.backup, {"per_day": 1})
    await calls.no(403, "PUT", f"{page}/capacity", calls.supervisor, {"per_day": 1})
    await calls.no(422, "PUT", f"{page}/capacity", calls.hospital, {"per_day": -1}, "body.per_day")
    agreement = {"from": "2026-01-01", "until": "2030-12-31"}
    path = f"{page}/agreements/{BACKUP}"
    await calls.no(422, "PUT", path, calls.supervisor, {"from": "2026-02-01", "until": "2026-01-01"}, "until")
    await calls.no(422, "PUT", f"{page}/agreements/{HOSPITAL}", calls.supervisor, agreement, "partner_id")
    await calls.no(422, "PUT", f"{page}/agreements/{new_id()}", calls.supervisor, agreement, "partner_id")
    assert (await calls.ok("PUT", path, calls.supervisor, agreement))["agreements_in_force"] == 1
    assert (await calls.ok("GET", f"/receivers/{BACKUP}", calls.backup))["agreements_in_force"] == 1, "it has two sides"
    await calls.no(404, "GET", page, calls.next_door)
    assert (await calls.ok("GET", page, calls.officer))["name"] == "测试医院"


async def test_the_green_channel_is_open_under_an_agreement_at_high_risk_with_its_own_times_and_places(
    world: World, calls: Calls
) -> None:
    await calls.ok("PUT", f"/receivers/{BACKUP}", calls.city, {"green_channel": True, "psychiatric": True})
    full = {"per_day": 0, "priority_per_day": 1}
    await calls.ok("PUT", f"/receivers/{BACKUP}/capacity", calls.backup, full)
    key = (await world.flag(caller=person(1), **AGREED, **HIGH))["_id"]
    named = {"organisation_id": str(BACKUP)}
    shut = await calls.no(422, "POST", f"/cases/{key}/refer", calls.officer, named)
    assert shut["reason"] == "full_today", "without an agreement on file there is no green channel"
    agreement = {"from": "2026-01-01", "until": "2030-12-31"}
    await calls.ok("PUT", f"/receivers/{HOSPITAL}/agreements/{BACKUP}", calls.supervisor, agreement)
    moderate = (await world.flag(caller=person(2), **AGREED, **MODERATE))["_id"]
    await calls.no(422, "POST", f"/cases/{moderate}/refer", calls.officer, named)
    before = world.now
    sent = await calls.ok("POST", f"/cases/{key}/refer", calls.officer, {})
    assert (sent["organisation_id"], sent["green_channel"]) == (str(BACKUP), True), "the green channel comes first"
    referral = await world.referral(key)
    assert referral["due_at"] - before < timedelta(minutes=61), "an hour, where the ordinary way has two"
    assert world.emitted(ReferralMoved)[-1].green_channel
    other = (await world.flag(caller=person(3), **AGREED, **HIGH))["_id"]
    await calls.no(422, "POST", f"/cases/{other}/refer", calls.officer, named)
    await world.answer(referral, ReferralState.received)
    accepted = await world.answer(referral, ReferralState.accepted)
    assert accepted["due_at"] - world.now < 4 * HOUR + timedelta(minutes=1)


async def test_a_backup_that_cannot_take_it_is_not_sent_it(world: World, calls: Calls) -> None:
    await calls.ok("PUT", f"/receivers/{BACKUP}/capacity", calls.backup, {"per_day": 0})
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await world.refer(key)
    await world.fire(f"referral:{referral['_id']}")
    assert (await world.referral(key))["state"] == "expired"
    assert "referral_without_receiver" in (await world.case(key))["decisions_needed"]


# The loop is closed by the receiver


async def test_completed_needs_feedback_in_codes_and_its_text_is_sealed(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await world.refer(key)
    answer, feedback = f"/referrals/{referral['_id']}/answer", f"/referrals/{referral['_id']}/feedback"
    for state in ("received", "accepted", "attended"):
        await calls.ok("POST", answer, calls.hospital, {"state": state})
    await calls.no(404, "POST", feedback, calls.officer, REASON)
    await calls.no(422, "POST", answer, calls.hospital, {"state": "completed"}, "feedback")
    wrong = {"state": "completed", "feedback": {**FEEDBACK, "outcome": "depression"}}
    await calls.no(422, "POST", answer, calls.hospital, wrong, "body.feedback.outcome")
    text = "示例反馈"
    done = await calls.ok(
        "POST", answer, calls.hospital, {"state": "completed", "feedback": {**FEEDBACK, "text": text}}
    )
    assert done["feedback"]["outcome"] == "outpatient_treatment"
    assert "case_id" not in done, "the institution is told nothing of the case"
    assert text not in str(await world.database.find("referrals", {}))
    assert (await calls.ok("POST", feedback, calls.officer, REASON))["text"] == text
    assert [one["action"] for one in await world.audit_log()][-1] == "feedback_read"
    await calls.no(404, "POST", feedback, calls.next_door, REASON)
    await calls.no(422, "POST", feedback, calls.officer, {}, "body.reason")


async def test_cancelled_is_before_anybody_received_it_and_revoked_is_after(world: World, calls: Calls) -> None:
    ways: list[tuple[list[str], str]] = [
        ([], "cancelled"),
        (["received"], "revoked"),
        (["received", "accepted"], "revoked"),
    ]
    for number, (answers, state) in enumerate(ways):
        key = (await world.flag(caller=person(number + 1), **HIGH))["_id"]
        referral = await world.refer(key)
        for answer in answers:
            await world.answer(referral, ReferralState(answer))
        withdraw = f"/referrals/{referral['_id']}/withdraw"
        await calls.no(404, "POST", withdraw, calls.next_door, REASON)
        assert (await calls.ok("POST", withdraw, calls.officer, REASON))["state"] == state
        await calls.no(409, "POST", withdraw, calls.officer, REASON)
        assert f"referral:{referral['_id']}" not in await world.timers()


async def test_missed_visits_are_counted_and_from_a_number_on_a_supervisor_decides(world: World) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    referral = await world.refer(key, HOSPITAL)
    for state in (ReferralState.received, ReferralState.accepted):
        await world.answer(referral, state)
    for missed, asked in ((1, False), (2, True)):
        await world.answer(referral, ReferralState.scheduled, at=world.now + DAY)
        assert (await world.answer(referral, ReferralState.unattended))["no_shows"] == missed
        assert ("referral_unattended" in (await world.case(key))["decisions_needed"]) is asked


async def test_a_missed_visit_that_gets_no_new_time_is_asked_after(world: World) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    referral = await world.refer(key, HOSPITAL)
    for state in (ReferralState.received, ReferralState.accepted):
        await world.answer(referral, state)
    await world.answer(referral, ReferralState.scheduled, at=world.now + DAY)
    await world.answer(referral, ReferralState.unattended)
    await world.pass_time(49 * HOUR)
    assert "referral_unattended" in (await world.case(key))["decisions_needed"]
    assert f"referral:{referral['_id']}" in await world.timers(), "and asked again: a decision is no outcome"


async def test_before_an_appointment_the_person_is_reminded(world: World, calls: Calls) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await world.refer(key)
    for state in (ReferralState.received, ReferralState.accepted):
        await world.answer(referral, state)
    await world.answer(referral, ReferralState.scheduled, at=world.now + 3 * DAY)
    path = f"/referrals/{referral['_id']}/reminded"
    await calls.no(409, "POST", path, calls.officer)
    await world.pass_time(49 * HOUR)
    assert (await world.referral(key))["reminder"]["state"] == "due"
    await calls.no(404, "POST", path, calls.next_door)
    assert (await calls.ok("POST", path, calls.officer))["reminder"]["by"] == "officer-a"
    assert f"referral:{referral['_id']}" in await world.timers(), "the outcome is still waited for"


async def test_the_contact_goes_to_who_accepted_and_only_where_the_person_agreed(world: World, calls: Calls) -> None:
    sealed = world.keys.seal({"name": "张示例", "phone": "000-0000-0001"})
    key = (await world.flag(caller=person(), sealed_contact=sealed, **HIGH))["_id"]
    referral = await world.refer(key)
    path = f"/referrals/{referral['_id']}/contact"
    await calls.no(409, "POST", path, calls.hospital, REASON)
    for state in (ReferralState.received, ReferralState.accepted):
        await world.answer(referral, state)
    await calls.no(403, "POST", path, calls.hospital, REASON)
    scopes = {"answer": "yes", "scopes": ["referral", "contact"]}
    await calls.ok("PUT", f"/cases/{key}/consents/{HOSPITAL}", calls.officer, scopes)
    await calls.no(404, "POST", path, calls.backup, REASON)
    shared = await calls.ok("POST", path, calls.hospital, REASON)
    assert shared["contacts"][0]["phone"] == "000-0000-0001"
    assert (await world.audit_log())[-1]["action"] == "contact_shared"
    await calls.ok("PUT", f"/cases/{key}/consents/{HOSPITAL}", calls.officer, {"answer": "refused"})
    await calls.no(403, "POST", path, calls.hospital, REASON)


# Kinds


async def test_the_programme_for_severe_disorders_is_told_its_risk_level_and_nothing_else(
    world: World, calls: Calls
) -> None:
    key = (await world.flag(caller=person(), **AGREED, **MODERATE))["_id"]
    path = f"/cases/{key}/referrals"
    body = {"kind": "severe_disorder_programme", "programme": {"risk_level": 3, "stable": True}}
    await calls.no(422, "POST", path, calls.officer, {"kind": "severe_disorder_programme"}, "programme")
    wrong = {**body, "programme": {"risk_level": 6, "stable": True}}
    await calls.no(422, "POST", path, calls.officer, wrong, "body.programme.risk_level")
    await calls.no(422, "POST", path, calls.officer, {"kind": "treatment"}, "kind")
    await calls.no(404, "POST", path, calls.next_door, body)
    sent = await calls.ok("POST", path, calls.officer, body)
    await calls.no(409, "POST", path, calls.officer, body)
    (shown,) = (await calls.ok("GET", "/referrals", calls.hospital))["referrals"]
    assert shown["programme"] == {"risk_level": 3}
    assert not {"tier", "case_id", "history", "backup_id"} & set(shown)
    due = [item["due_at"] for item in await world.follow_ups(key) if item.get("added_by")]
    assert len(due) == 1
    assert due[0] - world.now <= 14 * DAY
    assert "tell_police" in (await world.case(key))["decisions_needed"]
    assert world.emitted(ReferralMoved)[-1].kind is ReferralKind.severe_disorder_programme
    listed = (await calls.ok("GET", path, calls.officer))["referrals"]
    assert sent["id"] in [one["id"] for one in listed]
    await calls.no(404, "GET", path, calls.next_door)


async def test_the_programmes_level_sets_the_time_of_the_next_contact_and_whether_the_police_is_told(
    world: World,
) -> None:
    kind = ReferralKind.severe_disorder_programme
    for level, stable, days, police in ((0, True, 90, False), (1, False, 14, False), (5, True, 14, True)):
        key = (await world.flag(caller=person(level + 1), **AGREED, **MODERATE))["_id"]
        programme = referring.Programme(level, stable)
        await world.do(
            lambda tx, key=key, programme=programme: referring.refer_beside(  # type: ignore[misc]
                key, kind, None, None, OFFICER, tx, world.office, programme=programme
            )
        )
        (due,) = [item["due_at"] for item in await world.follow_ups(key) if item.get("added_by")]
        assert round((due - world.now) / DAY) == days
        assert ("tell_police" in (await world.case(key))["decisions_needed"]) is police


async def test_an_employer_learns_whether_the_employee_went_with_consent_and_never_more(
    world: World, calls: Calls
) -> None:
    await world.take(organisation(EMPLOYER, COUNTY, receives_referrals=False, name="示例企业"))
    employer = world.keys.token("receiver", sub="contact-a", organisation=str(EMPLOYER))
    key = (await world.flag(caller=person(), **AGREED, **MODERATE))["_id"]
    await calls.no(422, "POST", f"/cases/{key}/referrals", calls.officer, {"kind": "employee"}, "employer_id")
    body = {"kind": "employee", "employer_id": str(EMPLOYER), "organisation_id": str(HOSPITAL)}
    await calls.no(
        422, "POST", f"/cases/{key}/referrals", calls.officer, {**body, "employer_id": str(HOSPITAL)}, "employer_id"
    )
    sent = await calls.ok("POST", f"/cases/{key}/referrals", calls.officer, body)
    path = f"/referrals/{sent['id']}/attendance"
    await calls.no(404, "GET", path, employer)
    scopes = {"answer": "yes", "scopes": ["attendance"]}
    await calls.ok("PUT", f"/cases/{key}/consents/{EMPLOYER}", calls.officer, scopes)
    assert await calls.ok("GET", path, employer) == {"referral_id": sent["id"], "attended": "unknown"}
    referral = await world.database.get("referrals", UUID(sent["id"]))
    assert referral is not None
    for state in (ReferralState.received, ReferralState.accepted, ReferralState.attended):
        await world.answer(referral, state)
    assert await calls.ok("GET", path, employer) == {"referral_id": sent["id"], "attended": "yes"}
    assert (await calls.ok("GET", "/referrals", employer)) == {"referrals": []}
    await calls.no(404, "GET", f"/referrals/{sent['id']}/fhir", employer)
    await calls.no(404, "GET", path, calls.hospital)
    await calls.ok("PUT", f"/cases/{key}/consents/{EMPLOYER}", calls.officer, {"answer": "no"})
    await calls.no(404, "GET", path, employer)


async def test_what_a_hospitals_staff_noticed_becomes_a_case_once(world: World, calls: Calls) -> None:
    form = {
        "id": str(new_id()),
        "division": COUNTY,
        "department": "internal-medicine",
        "identifier": "000-0000-0001",
        "contact": {"name": "张示例", "phone": "000-0000-0001"},
        "age_band": "from_25_to_44",
        "answers": {"plan_within_72_hours": "yes", "consent_to_follow_up": "yes"},
    }
    seen = len(world.emitted(RiskFlagged))
    taken = await calls.ok("POST", "/referrals/incoming", calls.hospital, form)
    assert await calls.ok("POST", "/referrals/incoming", calls.hospital, form) == taken
    (flag,) = world.emitted(RiskFlagged)[seen:]
    assert "000-0000-0001" not in flag.model_dump_json()
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert (case["tier"], case["consent"], case["person"]) == ("high", "yes", world.office.pseudonym("000-0000-0001"))
    assert case["flags"][0]["contact_state"] == "kept"
    kept = str(await world.database.find("incoming_referrals", {}))
    assert "张示例" not in kept
    assert "000-0000-0001" not in kept
    changed = {**form, "department": "emergency"}
    assert (await calls.no(409, "POST", "/referrals/incoming", calls.hospital, changed))["reason"] == "id_reused"
    await calls.no(
        422,
        "POST",
        "/referrals/incoming",
        calls.hospital,
        {**form, "id": str(new_id()), "division": "370899"},
        "division",
    )
    asked = {**form, "answers": {"shoe_size": "yes"}}
    await calls.no(422, "POST", "/referrals/incoming", calls.hospital, asked)
    await world.take(organisation(EMPLOYER, COUNTY, receives_referrals=False))
    nobody = world.keys.token("receiver")
    await calls.no(404, "POST", "/referrals/incoming", nobody, form)


async def test_what_was_said_about_a_unit_falls_back_to_the_hotlines_word_only_for_the_referral_itself(
    world: World,
) -> None:
    case = await world.flag(caller=person(), **AGREED, **HIGH)
    for scope in Scope:
        said = await world.do(lambda tx, scope=scope: consent_to(case, ELSEWHERE, scope, tx))  # type: ignore[misc]
        assert said is (Answer.yes if scope is Scope.referral else Answer.not_asked)


async def test_a_draft_that_nobody_sends_shows_until_it_is_sent_or_taken_back(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.crisis.api.cases.now", lambda: world.now)

    async def unsent(division: str = COUNTY) -> list[str]:
        answer = await client.get("/v1/attention", headers=world.keys.token("duty_officer", division=division))
        return [one["case_id"] for one in answer.json()["unsent_referrals"]]

    one = person()
    raised = (await world.flag(caller=one, **AGREED, **HIGH))["_id"]
    await world.pass_time(timedelta(minutes=5))
    waits = (await world.flag(caller=person(2), **AGREED, **HIGH))["_id"]
    await world.flag(caller=one, **AGREED, **IMMINENT)
    await world.pass_time(timedelta(minutes=29))
    assert await unsent() == []
    # What was raised has less time; what has waited longest comes first; another county's are none of ours.
    await world.pass_time(timedelta(minutes=2))
    assert await unsent() == [str(raised)]
    await world.pass_time(4 * HOUR)
    assert await unsent() == [str(raised), str(waits)]
    assert await unsent("320706") == []

    await world.refer(raised, HOSPITAL)
    assert await unsent() == [str(waits)]
    await world.do(lambda tx: commands.cancel_referral(waits, "本人已自行就医", OFFICER, tx))
    assert await unsent() == []


async def test_a_draft_of_before_there_was_a_time_for_sending_counts_as_due_and_stops_no_raising(
    world: World, client: httpx.AsyncClient
) -> None:
    one = person()
    key = (await world.flag(caller=one, **AGREED, **HIGH))["_id"]
    referral = await world.referral(key)
    del referral["send_by"]

    async def as_it_was(tx: Any) -> None:
        tx.put("referrals", referral)

    await world.do(as_it_was)
    answer = await client.get("/v1/attention", headers=world.keys.token("duty_officer"))
    assert [row["case_id"] for row in answer.json()["unsent_referrals"]] == [str(key)]
    raised = await world.flag(caller=one, **AGREED, **IMMINENT)
    assert raised["tier"] == "imminent"
    assert (await world.referral(key))["send_by"] is not None

"""Who sees what of a case, what is written down about it, how long it is kept, and one person's record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.crisis import CaseOutcome
from contracts.matching import OfferAccepted, ResponderOffered
from services.crisis import commands
from services.crisis.domain.records import RecordClass, RecordsPolicy
from services.crisis.domain.versions import SHIPPED, load_versions
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    HIGH,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    World,
    person,
    stamp,
)

ROUTES = {
    "POST /v1/cases/{case_id}/emergency-access",
    "GET /v1/emergency-access",
    "POST /v1/emergency-access/{access_id}/review",
    "GET /v1/cases/{case_id}/readings",
    "PUT /v1/cases/{case_id}/record-class",
    "POST /v1/cases/{case_id}/hold",
    "POST /v1/cases/{case_id}/hold/release",
    "POST /v1/cases/{case_id}/export",
}
REASON = {"reason": "会商决定"}
CONTACT = {"name": "张示例", "phone": "000-0000-0001"}
A_YEAR = timedelta(days=365)


async def make_strict(world: World, case_id: UUID) -> None:
    async def body(tx: Tx) -> None:
        tx.put("cases", {**(await tx.get("cases", case_id) or {}), "access": "strict"})

    await world.do(body)


async def page(client: httpx.AsyncClient, case_id: UUID, headers: dict[str, str]) -> httpx.Response:
    return await client.get(f"/v1/cases/{case_id}", headers=headers)


async def closed_case(world: World, **said: Any) -> Document:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **{**HIGH, **said})
    await world.acknowledge(case["_id"])
    await world.close(case["_id"])
    return await world.case(case["_id"])


# Who sees what


async def test_the_responder_sees_the_least_of_a_case_and_an_officer_the_whole(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    responder, request = new_id(), case["responder"]["request_id"]
    offer = {"offer_id": new_id(), "request_id": request, "case_id": case["_id"], "responder_id": responder}
    offer |= {"division": case["division"], "tier": "high"}
    await world.take(ResponderOffered.model_validate({**stamp(), **offer, "expires_at": world.now}))
    await world.take(OfferAccepted.model_validate({**stamp(), **offer, "seconds": 3}))
    seen = (await page(client, case["_id"], world.keys.token("volunteer", sub=str(responder)))).json()
    assert seen["tier"] == "high"
    for hidden in ("person", "flags", "timeline", "plan", "consent", "decisions_needed", "policy"):
        assert hidden not in seen
    whole = (await page(client, case["_id"], world.keys.token("duty_officer"))).json()
    assert whole["person"] == person()
    assert {"flags", "timeline", "plan", "referral"} <= set(whole)


async def test_a_case_of_the_strict_class_is_seen_by_its_holder_and_by_who_watches_over_the_shift(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    await world.acknowledge(case["_id"])
    await make_strict(world, case["_id"])
    token = world.keys.token
    for headers in (token("duty_officer", sub=OFFICER.subject), token("supervisor"), token("district_centre")):
        assert (await page(client, case["_id"], headers)).status_code == 200
    other = token("duty_officer", sub="officer-b")
    refused = await page(client, case["_id"], other)
    is_problem(refused, 403)
    assert refused.json()["reason"] == "strict_access"
    is_problem(await client.post(f"/v1/cases/{case['_id']}/contact", json=REASON, headers=other), 403)
    is_problem(
        await client.post(f"/v1/cases/{case['_id']}/raise", json={"tier": "imminent", **REASON}, headers=other), 403
    )
    (row,) = (await client.get("/v1/cases", headers=other)).json()["cases"]
    assert (row["id"], row["tier"], row["access"]) == (str(case["_id"]), "high", "strict")
    assert not {"person", "flags", "timeline", "evidence"} & set(row), "the list says that it waits, and no more"
    (row,) = (await client.get("/v1/cases", headers=token("supervisor"))).json()["cases"]
    assert "flags" in row


# Emergency access


@pytest.mark.parametrize("where", ["strict", "elsewhere"])
async def test_emergency_access_opens_a_case_for_a_time_and_waits_for_another_persons_review(
    world: World, client: httpx.AsyncClient, where: str
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    if where == "strict":
        await make_strict(world, case["_id"])
    division = case["division"] if where == "strict" else NEIGHBOUR
    officer = world.keys.token("duty_officer", sub="officer-b", division=division)
    is_problem(await page(client, case["_id"], officer), 403 if where == "strict" else 404)
    used = await client.post(f"/v1/cases/{case['_id']}/emergency-access", json=REASON, headers=officer)
    assert used.status_code == 201, used.text
    assert (await page(client, case["_id"], officer)).status_code == 200
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["reason"]) == ("emergency_access", "officer-b", REASON["reason"])

    privacy = world.keys.token("privacy_officer", sub="privacy-a")
    (use,) = (await client.get("/v1/emergency-access", headers=privacy)).json()["uses"]
    assert (use["by"], use["case_id"], use["review"]["state"]) == ("officer-b", str(case["_id"]), "waiting")
    address = f"/v1/emergency-access/{use['id']}/review"
    own = world.keys.token("privacy_officer", sub="officer-b")
    is_problem(await client.post(address, json={"justified": True, **REASON}, headers=own), 403)
    elsewhere = world.keys.token("privacy_officer", division=NEIGHBOUR)
    is_problem(await client.post(address, json={"justified": True, **REASON}, headers=elsewhere), 404)
    assert (await client.get("/v1/emergency-access", headers=elsewhere)).json() == {"uses": []}
    assert (await client.post(address, json={"justified": True, **REASON}, headers=privacy)).status_code == 200
    is_problem(await client.post(address, json={"justified": False, **REASON}, headers=privacy), 409)
    await world.pass_time(timedelta(minutes=61))
    assert (await page(client, case["_id"], officer)).status_code in (403, 404)


async def test_a_use_that_was_not_justified_ends_at_once(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), **HIGH)
    officer = world.keys.token("duty_officer", sub="officer-b", division=NEIGHBOUR)
    used = await client.post(f"/v1/cases/{case['_id']}/emergency-access", json=REASON, headers=officer)
    await client.post(
        f"/v1/emergency-access/{used.json()['id']}/review",
        json={"justified": False, **REASON},
        headers=world.keys.token("privacy_officer", sub="privacy-a"),
    )
    is_problem(await page(client, case["_id"], officer), 404)


async def test_emergency_access_is_for_officers_and_for_what_is_closed_to_them(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    address = f"/v1/cases/{case['_id']}/emergency-access"
    is_problem(await client.post(address, json=REASON, headers=world.keys.token("duty_officer")), 409)
    is_problem(await client.post(address, json=REASON, headers=world.keys.token("volunteer", "receiver")), 403)
    is_problem(await client.post(address, json={"reason": " "}, headers=world.keys.token("supervisor")), 422)
    nowhere = f"/v1/cases/{new_id()}/emergency-access"
    is_problem(await client.post(nowhere, json=REASON, headers=world.keys.token("supervisor")), 404)


# Who has read


async def test_who_has_read_a_case_is_written_down_once_in_a_while(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), **HIGH)
    for sub in ("officer-a", "officer-a", "officer-b"):
        await page(client, case["_id"], world.keys.token("duty_officer", sub=sub))
    await world.pass_time(timedelta(minutes=11))
    await page(client, case["_id"], world.keys.token("duty_officer", sub="officer-a"))
    await page(client, case["_id"], world.keys.token("duty_officer", sub="officer-c", division=NEIGHBOUR))
    address = f"/v1/cases/{case['_id']}/readings"
    rows = (await client.get(address, headers=world.keys.token("privacy_officer"))).json()["readings"]
    assert rows[0]["by"] == "officer-a"
    assert sorted(row["by"] for row in rows) == ["officer-a", "officer-a", "officer-b"]
    is_problem(await client.get(address, headers=world.keys.token("supervisor", division=NEIGHBOUR)), 404)
    is_problem(await client.get(address, headers=world.keys.token("duty_officer")), 403)


# How long


async def test_what_is_personal_goes_at_its_time_and_the_record_at_its_own(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await closed_case(world)
    key = case["_id"]
    await world.pass_time(timedelta(days=1095))
    assert (await world.case(key))["person"] == person()
    assert await world.database.find("contacts", {"case_id": key})
    await world.pass_time(timedelta(days=2))
    stripped = await world.case(key)
    assert stripped["person"] is None
    assert [row["contact_state"] for row in stripped["flags"]] == ["erased"]
    assert not await world.database.find("contacts", {"case_id": key})
    assert not await world.database.find("person_keys", {})
    assert not await world.database.find("persons", {})
    assert stripped["tier"] == "high", "what is no person's stays"
    await world.pass_time(A_YEAR + timedelta(days=1))
    assert await world.database.get("cases", key) is None
    for collection in ("plans", "referrals", "contacts", "readings"):
        assert not await world.database.find(collection, {})
    assert [entry["action"] for entry in await world.audit_log()][-2:] == ["personal_part_erased", "record_deleted"]
    assert await world.timers() == set()


async def test_a_key_that_another_case_of_the_person_needs_stays(world: World) -> None:
    first = await closed_case(world)
    await world.pass_time(timedelta(days=1000))
    again = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **MODERATE)
    await world.pass_time(timedelta(days=100))
    assert (await world.case(first["_id"]))["person"] is None
    read = await world.do(lambda tx: commands.reveal_contacts(again["_id"], "回拨", OFFICER, tx, world.office))
    assert read[0]["phone"] == CONTACT["phone"]
    known = await world.database.get("persons", person())
    assert known is not None
    assert (known["case_id"], known["cases"]) == (again["_id"], [again["_id"]])


async def test_a_legal_hold_stops_the_clock_until_another_person_releases_it(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await closed_case(world)
    address = f"/v1/cases/{case['_id']}/hold"
    first, second = (world.keys.token("privacy_officer", sub=sub) for sub in ("privacy-a", "privacy-b"))
    assert (await client.post(address, json=REASON, headers=first)).status_code == 200
    is_problem(await client.post(address, json=REASON, headers=second), 409)
    await world.pass_time(6 * A_YEAR)
    assert (await world.case(case["_id"]))["person"] == person()
    erase = await client.post(
        f"/v1/cases/{case['_id']}/contact/erase", json=REASON, headers=world.keys.token("supervisor")
    )
    is_problem(erase, 409)
    assert erase.json()["reason"] == "legal_hold"
    is_problem(await client.post(f"{address}/release", json=REASON, headers=first), 403)
    elsewhere = world.keys.token("privacy_officer", division=NEIGHBOUR)
    is_problem(await client.post(f"{address}/release", json=REASON, headers=elsewhere), 404)
    assert (await client.post(f"{address}/release", json=REASON, headers=second)).status_code == 200
    is_problem(await client.post(f"{address}/release", json=REASON, headers=second), 409)
    await world.pass_time(timedelta(minutes=1))
    assert await world.database.get("cases", case["_id"]) is None, "both times had passed"


async def test_the_class_of_a_record_says_how_long_it_is_kept(world: World, client: httpx.AsyncClient) -> None:
    case = await closed_case(world)
    address = f"/v1/cases/{case['_id']}/record-class"
    privacy = world.keys.token("privacy_officer")
    is_problem(await client.put(address, json={"record_class": "forever", **REASON}, headers=privacy), 422)
    answer = await client.put(address, json={"record_class": "counselling", **REASON}, headers=privacy)
    assert answer.json()["record_class"] == "counselling"
    await world.pass_time(timedelta(days=3650))
    assert (await world.case(case["_id"]))["person"] == person()
    await world.pass_time(timedelta(days=4))
    assert (await world.case(case["_id"]))["person"] is None


async def test_of_a_case_that_was_none_nothing_personal_is_kept(world: World) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **MODERATE)
    await world.acknowledge(case["_id"])
    await world.do(
        lambda tx: commands.close(case["_id"], CaseOutcome.opened_in_error, "误报", SUPERVISOR, tx, world.office)
    )
    await world.pass_time(timedelta(days=31))
    assert not await world.database.find("contacts", {})


# One person's record


async def test_one_persons_record_is_given_whole_and_the_giving_is_written_down(
    world: World, client: httpx.AsyncClient
) -> None:
    first = await closed_case(world)
    second = await world.flag(caller=person(), sealed_contact=world.keys.seal({"phone": "000-0000-0002"}), **HIGH)
    await world.flag(caller=person(2), **HIGH)
    address = f"/v1/cases/{second['_id']}/export"
    privacy = world.keys.token("privacy_officer", sub="privacy-a")
    content = (await client.post(address, json=REASON, headers=privacy)).json()
    assert [part["case"]["_id"] for part in content["cases"]] == [str(first["_id"]), str(second["_id"])]
    phones = [contact["sealed"]["phone"] for part in content["cases"] for contact in part["contacts"]]
    assert sorted(phones) == ["000-0000-0001", "000-0000-0002"]
    assert content["cases"][0]["plans"][0]["follow_ups"]
    assert "case_closed" in [entry["action"] for entry in content["cases"][0]["audit_log"]]
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"]) == ("record_exported", "privacy-a")
    is_problem(await client.post(address, json=REASON, headers=world.keys.token("supervisor")), 403)
    elsewhere = world.keys.token("privacy_officer", division=NEIGHBOUR)
    is_problem(await client.post(address, json=REASON, headers=elsewhere), 404)


async def test_what_was_erased_is_said_to_be_erased_in_the_record(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **HIGH)

    async def lose_the_key(tx: Tx) -> None:
        await world.office.keys.erase(tx, person())

    await world.do(lose_the_key)
    privacy = world.keys.token("privacy_officer")
    content = (await client.post(f"/v1/cases/{case['_id']}/export", json=REASON, headers=privacy)).json()
    assert content["cases"][0]["contacts"][0]["sealed"] == "erased"


# The policy


def test_a_district_sets_its_own_times_and_a_class_cannot_be_forgotten(tmp_path: Path) -> None:
    text = (SHIPPED / "records" / "2026-11.toml").read_text()
    (tmp_path / "records").mkdir()
    own = tmp_path / "records" / "own.toml"
    own.write_text(text.replace("personal_days = 1096", "personal_days = 1400"))
    assert (
        load_versions(RecordsPolicy, "records", tmp_path).of("2026-11").classes[RecordClass.hotline].personal_days
        == 1400
    )
    own.write_text(text.replace("personal_days = 1096", "personal_days = 1462"))
    with pytest.raises(ValueError, match="longer than the record"):
        load_versions(RecordsPolicy, "records", tmp_path)
    own.write_text(text.replace("[classes.counselling]", "[classes.hotline2]"))
    with pytest.raises(ValueError, match=r"own\.toml"):
        load_versions(RecordsPolicy, "records", tmp_path)

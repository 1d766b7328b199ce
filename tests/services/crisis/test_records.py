"""Who sees what of a case, what is written down about it, how long it is kept, and one person's record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.crisis import CaseOutcome
from contracts.matching import OfferAccepted, ResponderOffered
from services.crisis import commands
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import split
from services.crisis.commands.retention_erasing import OF_A_CASE
from services.crisis.commands.retention_registers import KEY, registers_due
from services.crisis.domain.forms import SUICIDE
from services.crisis.domain.records import RecordClass, RecordsPolicy
from services.crisis.domain.versions import SHIPPED, load_versions
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    HIGH,
    IMMINENT,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    TOWN,
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
    assert row["flags"]["count"] == 1


async def test_a_list_shows_what_waits_and_not_whose_it_is(world: World, client: httpx.AsyncClient) -> None:
    said = {**HIGH, "age_band": "from_14_to_17", "suspected_harm_to_minor": "yes"}
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **said)
    await world.acknowledge(case["_id"])
    await world.fire(f"report:{case['_id']}")
    read = await world.database.find("readings", {})
    officer = world.keys.token("duty_officer", sub=OFFICER.subject)
    for address in ("/v1/cases", "/v1/attention", "/v1/held", "/v1/reports-to-make"):
        (row,) = (await client.get(address, headers=officer)).json()["cases"]
        assert (row["id"], row["tier"], row["held_by"]) == (str(case["_id"]), "high", OFFICER.subject), address
        assert row["report"] == {"state": "required"}
        assert set(row["flags"]) == {"count", "newest_at"}
        for hidden in (person(), case["flags"][0]["contact"], "evidence", "timeline", "plan_within_72_hours"):
            assert hidden not in str(row), address
    assert await world.database.find("readings", {}) == read, "a list is no reading of a case"


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


# Who is forgotten, and who is not yet


async def erase(client: httpx.AsyncClient, world: World, case_id: UUID) -> httpx.Response:
    headers = world.keys.token("supervisor", sub="supervisor-a")
    return await client.post(f"/v1/cases/{case_id}/contact/erase", json=REASON, headers=headers)


async def phones(world: World, case: Document) -> list[str]:
    caller = Caller("officer-z", frozenset({"duty_officer"}), case["division"])
    found = await world.do(lambda tx: commands.reveal_contacts(case["_id"], "回拨", caller, tx, world.office))
    return [contact["phone"] for contact in found]


async def test_whom_somebody_has_to_call_back_is_not_forgotten_wherever_that_is(
    world: World, client: httpx.AsyncClient
) -> None:
    old = await closed_case(world)
    contact = world.keys.seal({"phone": "000-0000-0002"})
    now_open = await world.flag(NEIGHBOUR, caller=person(), sealed_contact=contact, **IMMINENT)
    refused = await erase(client, world, old["_id"])
    is_problem(refused, 409)
    assert refused.json()["reason"] == "case_open"
    assert await phones(world, now_open) == ["000-0000-0002"]
    assert await phones(world, old) == [CONTACT["phone"]]


async def test_a_hold_on_one_case_keeps_what_others_of_the_person_have(world: World, client: httpx.AsyncClient) -> None:
    first, second = await closed_case(world), await closed_case(world)
    privacy = world.keys.token("privacy_officer", sub="privacy-a")
    assert (await client.post(f"/v1/cases/{first['_id']}/hold", json=REASON, headers=privacy)).status_code == 200
    refused = await erase(client, world, second["_id"])
    is_problem(refused, 409)
    assert refused.json()["reason"] == "legal_hold"
    assert await phones(world, first) == [CONTACT["phone"]]
    world.database.ahead += timedelta(days=1097)
    await world.fire(f"retention:{second['_id']}")
    assert (await world.case(second["_id"]))["retention"]["stripped_at"] is not None
    assert await phones(world, first) == [CONTACT["phone"]], "the key that the held case needs stays"


async def test_to_be_forgotten_is_meant_for_all_cases_of_the_person(world: World, client: httpx.AsyncClient) -> None:
    first, second = await closed_case(world), await closed_case(world)
    stranger = await world.flag(caller=person(2), sealed_contact=world.keys.seal({"phone": "000-0000-0002"}), **HIGH)
    assert (await erase(client, world, second["_id"])).status_code == 200
    for case in (first, second):
        after = await world.case(case["_id"])
        assert [row["contact_state"] for row in after["flags"]] == ["erased"]
        assert await phones(world, case) == []
    assert [key["_id"] for key in await world.database.find("person_keys", {})] == [person(2)]
    assert await phones(world, stranger) == ["000-0000-0002"]
    erased = [entry["subject"] for entry in await world.audit_log() if entry["action"] == "contact_erased"]
    assert erased == [str(first["_id"]), str(second["_id"])]


async def test_of_one_person_under_two_pseudonyms_both_are_looked_at(world: World, client: httpx.AsyncClient) -> None:
    kept = await world.flag(caller=person(1), sealed_contact=world.keys.seal(CONTACT), **HIGH)
    gone = await world.flag(caller=person(2), **HIGH)
    await world.do(lambda tx: merge(gone["_id"], kept["_id"], "核实为同一人", SUPERVISOR, tx, world.office))
    await world.acknowledge(kept["_id"])
    await world.close(kept["_id"])
    again = await world.flag(caller=person(2), sealed_contact=world.keys.seal({"phone": "000-0000-0002"}), **HIGH)
    assert again["_id"] != kept["_id"]
    assert (await erase(client, world, kept["_id"])).json()["reason"] == "case_open"
    await world.acknowledge(again["_id"])
    await world.close(again["_id"])
    assert (await erase(client, world, kept["_id"])).status_code == 200
    assert await phones(world, again) == []
    assert not await world.database.find("person_keys", {})


async def test_who_is_in_a_programme_is_not_forgotten_before_it_ends(world: World, client: httpx.AsyncClient) -> None:
    case = await closed_case(world)

    async def enrol(state: str, tx: Tx) -> None:
        tx.put("programmes", {"_id": person(9), "person": person(), "case_id": None, "contacts": [], "state": state})

    await world.do(lambda tx: enrol("running", tx))
    assert (await erase(client, world, case["_id"])).json()["reason"] == "programme_open"
    await world.do(lambda tx: enrol("ended", tx))
    assert (await erase(client, world, case["_id"])).status_code == 200


@pytest.mark.parametrize("parted", [False, True], ids=["merged", "split again"])
async def test_the_end_of_a_pointer_leaves_the_open_case_its_record(
    world: World, client: httpx.AsyncClient, parted: bool
) -> None:
    gone, kept = [await world.flag(caller=person(number), **HIGH) for number in (1, 2)]
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    note = {"id": str(new_id()), "section": {"kind": "note", "text": "张示例愿意明天再谈"}}
    written = await client.post(f"/v1/cases/{gone['_id']}/sections", json=note, headers=supervisor)
    assert written.status_code in (200, 201), written.text
    await world.do(lambda tx: merge(gone["_id"], kept["_id"], "核实为同一人", SUPERVISOR, tx, world.office))
    if parted:
        flags = [gone["flags"][0]["id"]]
        await world.do(lambda tx: split(kept["_id"], new_id(), flags, "另一人", SUPERVISOR, tx, world.office))
    world.database.ahead += timedelta(days=1097)
    await world.fire(f"retention:{gone['_id']}")
    pointer = await world.case(gone["_id"])
    assert (pointer["person"], pointer["retention"]["stripped_at"] is None) == (None, False)
    (section,) = await world.database.find("sections", {"kind": "note"})
    assert section["case_id"] != gone["_id"]
    address = f"/v1/cases/{section['case_id']}/sections/read"
    (read,) = (await client.post(address, json=REASON, headers=supervisor)).json()["sections"]
    assert read["texts"] == {"text": "张示例愿意明天再谈"}


async def test_a_hold_on_a_case_that_was_merged_stops_the_clock_of_the_other(
    world: World, client: httpx.AsyncClient
) -> None:
    gone = await world.flag(caller=person(1), sealed_contact=world.keys.seal(CONTACT), **HIGH)
    kept = await world.flag(caller=person(2), **HIGH)
    await world.do(lambda tx: merge(gone["_id"], kept["_id"], "核实为同一人", SUPERVISOR, tx, world.office))
    await world.acknowledge(kept["_id"])
    await world.close(kept["_id"])
    address = f"/v1/cases/{gone['_id']}/hold"
    first, second = (world.keys.token("privacy_officer", sub=sub) for sub in ("privacy-a", "privacy-b"))
    assert (await client.post(address, json=REASON, headers=first)).status_code == 200
    await world.pass_time(timedelta(days=1100))
    assert await phones(world, kept) == [CONTACT["phone"]]
    assert (await client.post(f"{address}/release", json=REASON, headers=second)).status_code == 200
    await world.pass_time(timedelta(minutes=1))
    assert await phones(world, kept) == []
    assert not await world.database.find("person_keys", {})
    assert not await world.database.find("persons", {})


async def test_nothing_of_a_stripped_case_says_whose_it_was_or_what_people_wrote(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **MODERATE)
    key = case["_id"]
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    said = {"reason": "张示例的邻居来电说"}
    await client.post(f"/v1/cases/{key}/raise", json={"tier": "high", **said}, headers=supervisor)
    assert said["reason"] not in str((await world.case(key))["timeline"]), "the audit log has it, and it alone"
    note = {"id": str(new_id()), "section": {"kind": "note", "text": "张示例愿意明天再谈"}}
    await client.post(f"/v1/cases/{key}/sections", json=note, headers=supervisor)
    elsewhere = world.keys.token("duty_officer", sub="officer-x", division=NEIGHBOUR)
    await client.post(f"/v1/cases/{key}/emergency-access", json=said, headers=elsewhere)
    await client.put(f"/v1/cases/{key}/urgent", json={"reason": "contact_today"}, headers=supervisor)
    lower = await client.post(f"/v1/cases/{key}/lowering", json={"tier": "moderate", **said}, headers=supervisor)
    assert lower.status_code == 200, lower.text

    async def older(tx: Tx) -> None:
        tx.put("flag_rows", {**case["flags"][0], "_id": new_id(), "case_id": key, "contact_state": "kept"})

    await world.do(older)
    await world.acknowledge(key)
    await world.close(key)
    world.database.ahead += timedelta(days=1097)
    await world.fire(f"retention:{key}")
    for collection in {"cases", "persons", "person_keys", *OF_A_CASE}:
        text = str(await world.database.find(collection, {}))
        assert person() not in text, collection
        assert said["reason"] not in text, collection
    (row,) = await world.database.find("flag_rows", {})
    assert (row["person"], row["contact_state"]) == (None, "erased")
    assert await world.database.find("grants", {"case_id": key})
    world.database.ahead += A_YEAR + timedelta(days=1)
    await world.fire(f"retention:{key}")
    for collection in OF_A_CASE:
        assert not await world.database.find(collection, {}), collection


async def test_the_reason_of_an_emergency_access_is_kept_until_its_review(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    officer = world.keys.token("duty_officer", sub="officer-b", division=NEIGHBOUR)
    use = (await client.post(f"/v1/cases/{case['_id']}/emergency-access", json=REASON, headers=officer)).json()
    privacy = world.keys.token("privacy_officer", sub="privacy-a")
    (waiting,) = (await client.get("/v1/emergency-access", headers=privacy)).json()["uses"]
    assert waiting["reason"] == REASON["reason"]
    address = f"/v1/emergency-access/{use['id']}/review"
    assert (await client.post(address, json={"justified": True, **REASON}, headers=privacy)).json()["reason"] is None


async def test_what_registers_keep_about_a_person_goes_at_its_time(world: World, client: httpx.AsyncClient) -> None:
    told = {
        "id": str(new_id()),
        "way": "third_party",
        "channel": "walk_in",
        "division": TOWN,
        "answers": {**dict.fromkeys(SUICIDE, "no"), "with_person_now": "yes"},
        "about_another": {"relation": "neighbour", "reporter": {"name": "测试员甲", "phone": "000-0000-0003"}},
    }
    answer = await client.post("/v1/concerns", json=told, headers=world.keys.token("duty_officer"))
    assert answer.status_code == 202, answer.text

    async def screened(tx: Tx) -> None:
        sealed = await world.office.keys.seal(tx, person(5), CONTACT)
        tx.put("screening_contacts", {"_id": new_id(), "person": person(5), "sealed": sealed, "at": tx.now})

    await world.do(screened)
    days = world.office.records.at(world.now).registers.personal_days
    for more, left in ((days - 1, 1), (2, 0)):
        world.database.ahead += timedelta(days=more)
        await world.do(lambda tx: registers_due(KEY, tx, world.office))
        for collection in ("concerns", "screening_contacts"):
            found = await world.database.find(collection, {"sealed": {"$type": "binData"}})
            assert len(found) == left, collection
    assert await world.database.get("person_keys", UUID(str(told["id"]))) is None
    assert f"registers:{KEY}" in await world.timers(), "it looks again the next day"
    (entry,) = [one for one in await world.audit_log() if one["action"] == "registers_stripped"]
    assert entry["details"]["documents"] == 2


# One person's record


async def test_the_record_has_what_lies_under_other_pseudonyms_and_in_registers(
    world: World, client: httpx.AsyncClient
) -> None:
    earlier = await closed_case(world)
    kept = await world.flag(caller=person(2), **HIGH)
    again = await world.flag(caller=person(1), **HIGH)
    await world.do(lambda tx: merge(again["_id"], kept["_id"], "核实为同一人", SUPERVISOR, tx, world.office))
    flag = kept["flags"][0]["id"]

    async def registered(tx: Tx) -> None:
        sealed = await world.office.keys.seal(tx, flag, {"phone": "000-0000-0003"})
        tx.put("concerns", {"_id": new_id(), "flag_id": flag, "relation": "neighbour", "sealed": sealed})
        tx.put("incoming_referrals", {"_id": flag, "flag_id": flag, "department": "急诊科"})
        tx.put("programmes", {"_id": new_id(), "person": None, "case_id": kept["_id"], "contacts": []})
        tx.put("screenings", {"_id": new_id(), "person": person(1), "division": TOWN})
        tx.put("screenings", {"_id": new_id(), "person": person(1), "division": NEIGHBOUR})

    await world.do(registered)
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    await client.put(f"/v1/cases/{kept['_id']}/urgent", json={"reason": "contact_today"}, headers=supervisor)
    privacy = world.keys.token("privacy_officer", sub="privacy-a")
    answer = await client.post(f"/v1/cases/{kept['_id']}/export", json=REASON, headers=privacy)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    parts = {part["case"]["_id"]: part for part in content["cases"]}
    assert set(parts) == {str(one["_id"]) for one in (earlier, kept, again)}
    whole = parts[str(kept["_id"])]
    assert whole["concerns"][0]["relation"] == "neighbour"
    assert "sealed" not in whole["concerns"][0], "who told it is another person"
    assert whole["incoming_referrals"][0]["department"] == "急诊科"
    assert len(whole["programmes"]) == 1
    assert [row["_id"] for row in content["registers"]["persons"]] == [person(1), person(2)]
    assert [row["division"] for row in content["registers"]["screenings"]] == [TOWN]


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

"""What people wrote in their own words about a case is sealed under the person's key, and read by who decides by it."""

from __future__ import annotations

from typing import Any

import httpx

from chassis.clock import new_id
from services.crisis.commands import shifts_hand_over
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.test_shifts import plan, sign_on
from tests.services.crisis.world import HIGH, LOW, NEIGHBOUR, OFFICER, OTHER_OFFICER, World, person

WORDS = "张示例说已把药交给家人"
BECAUSE = {"reason": WORDS}


async def kept(world: World, *collections: str) -> str:
    """All that these collections hold, as text."""
    return str([await world.database.find(name, {}) for name in collections])


async def ok(answer: httpx.Response) -> Any:
    assert answer.status_code < 300, answer.text
    return answer.json()


async def test_why_a_risk_is_to_be_lowered_is_sealed_and_the_second_person_reads_it(
    world: World, client: httpx.AsyncClient
) -> None:
    token = world.keys.token
    first, second = token("duty_officer", sub="officer-a"), token("supervisor", sub="supervisor-a")
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    address = f"/v1/cases/{key}/lowering"
    told = await ok(await client.post(address, json={"tier": "low", **BECAUSE}, headers=first))
    assert "sealed" not in told["lowering"]
    assert WORDS not in await kept(world, "cases")
    page = await ok(await client.get(f"/v1/cases/{key}", headers=second))
    assert page["lowering"] == {**page["lowering"], "to": "low", "by": "officer-a", "reason": WORDS}
    assert not {"person", "sealed"} & set(page["lowering"])
    await ok(await client.post(f"{address}/agree", json={"reason": "同意"}, headers=second))
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["details"]["proposed_because"]) == ("risk_lowered", WORDS)


async def test_a_proposal_whose_words_are_erased_still_stands(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    first, second = token("duty_officer", sub="officer-a"), token("supervisor", sub="supervisor-a")
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await ok(await client.post(f"/v1/cases/{key}/lowering", json={"tier": "low", **BECAUSE}, headers=first))
    await world.do(lambda tx: world.office.keys.erase(tx, person()))
    page = await ok(await client.get(f"/v1/cases/{key}", headers=second))
    assert (page["lowering"]["to"], page["lowering"]["reason"]) == ("low", None)
    await ok(await client.post(f"/v1/cases/{key}/lowering/agree", json={"reason": "同意"}, headers=second))
    assert (await world.audit_log())[-1]["details"]["proposed_because"] == "erased"


async def test_what_is_erased_of_a_person_takes_the_words_along(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    officer, there = token("duty_officer", sub="officer-a"), token("duty_officer", sub="officer-x", division=NEIGHBOUR)
    key = (await world.flag(caller=person(), consent_to_follow_up="no", **LOW))["_id"]
    await world.acknowledge(key)
    mark = {"id": str(new_id()), "kind": "repeated_caller", **BECAUSE}
    await ok(await client.post(f"/v1/cases/{key}/marks", json=mark, headers=officer))
    body = {"id": str(new_id()), "to_division": NEIGHBOUR, "reason": "已迁居"}
    await ok(await client.post(f"/v1/cases/{key}/transfers", json=body, headers=officer))
    await ok(await client.post(f"/v1/transfers/{body['id']}/decline", json=BECAUSE, headers=there))
    await world.close(key)
    erase = await client.post(
        f"/v1/cases/{key}/contact/erase", json={"reason": "本人要求"}, headers=token("supervisor")
    )
    await ok(erase)
    (shown,) = (await ok(await client.get(f"/v1/cases/{key}/person", headers=officer)))["marks"]
    assert (shown["kind"], shown["reason"]) == ("repeated_caller", None)
    told = await ok(await client.get(f"/v1/transfers/{body['id']}", headers=officer))
    assert (told["state"], told["reason_ended"]) == ("declined", None)


async def test_a_proposal_that_was_written_before_reasons_were_sealed_is_read_as_it_is(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    case["lowering"] = {"to": "low", "reason": WORDS, "by": "officer-a", "at": world.now}

    async def as_it_was(tx: Any) -> None:
        tx.put("cases", case)

    await world.do(as_it_was)
    second = world.keys.token("supervisor", sub="supervisor-a")
    page = await ok(await client.get(f"/v1/cases/{case['_id']}", headers=second))
    assert page["lowering"]["reason"] == WORDS
    await ok(await client.post(f"/v1/cases/{case['_id']}/lowering/agree", json={"reason": "同意"}, headers=second))
    assert (await world.audit_log())[-1]["details"]["proposed_because"] == WORDS


async def test_why_no_report_is_needed_is_sealed(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    first, second = token("duty_officer", sub="officer-a"), token("supervisor", sub="supervisor-a")
    said = {"age_band": "from_14_to_17", "suspected_harm_to_minor": "yes"}
    key = (await world.flag(caller=person(), **said, **HIGH))["_id"]
    address = f"/v1/cases/{key}/report/not-required"
    await ok(await client.post(address, json=BECAUSE, headers=first))
    assert WORDS not in await kept(world, "cases")
    page = await ok(await client.get(f"/v1/cases/{key}", headers=second))
    assert page["report"]["proposal"]["reason"] == WORDS
    await ok(await client.post(f"{address}/agree", json={"reason": "同意"}, headers=second))
    assert (await world.audit_log())[-1]["details"]["proposed_because"] == WORDS


async def test_why_a_person_is_marked_is_sealed_shown_to_who_meets_them_and_in_their_export(
    world: World, client: httpx.AsyncClient
) -> None:
    token = world.keys.token
    key = (await world.flag(caller=person(), **LOW))["_id"]
    mark = {"id": str(new_id()), "kind": "repeated_caller", **BECAUSE}
    set_ = await ok(await client.post(f"/v1/cases/{key}/marks", json=mark, headers=token("supervisor")))
    assert set_["reason"] == WORDS
    assert WORDS not in await kept(world, "persons")
    page = await ok(await client.get(f"/v1/cases/{key}/person", headers=token("duty_officer")))
    (shown,) = page["marks"]
    assert (shown["kind"], shown["reason"]) == (mark["kind"], WORDS)
    assert not {"person", "sealed"} & set(shown)
    record = await ok(await client.post(f"/v1/cases/{key}/export", json=BECAUSE, headers=token("privacy_officer")))
    (told,) = record["registers"]["persons"]
    assert told["marks"][0]["sealed"] == {"reason": WORDS}


async def test_why_a_case_is_not_taken_over_is_sealed_and_both_offices_read_it(
    world: World, client: httpx.AsyncClient
) -> None:
    token = world.keys.token
    here, there = token("duty_officer", sub="officer-a"), token("duty_officer", sub="officer-x", division=NEIGHBOUR)
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    body = {"id": str(new_id()), "to_division": NEIGHBOUR, "reason": "已迁居"}
    await ok(await client.post(f"/v1/cases/{key}/transfers", json=body, headers=here))
    address = f"/v1/transfers/{body['id']}"
    declined = await ok(await client.post(f"{address}/decline", json=BECAUSE, headers=there))
    assert WORDS not in await kept(world, "transfers")
    (listed,) = (await ok(await client.get("/v1/transfers?to_us=false&state=declined", headers=here)))["transfers"]
    for told in (declined, listed, *[await ok(await client.get(address, headers=one)) for one in (here, there)]):
        assert told["reason_ended"] == WORDS
        assert not {"person", "sealed"} & set(told), "the other office is not told whose case it is"
        assert person() not in str(told)


# What is read, and what is given


async def test_who_takes_a_case_has_read_it_and_that_is_written_down(world: World, client: httpx.AsyncClient) -> None:
    officer = world.keys.token("duty_officer", sub="officer-a")
    first = (await world.flag(caller=person(1), **HIGH))["_id"]
    ask = {"ask": str(new_id())}
    for _ in range(2):
        assert (await ok(await client.post("/v1/next", json=ask, headers=officer)))["case"]["id"] == str(first)
    second = (await world.flag(caller=person(2), **LOW))["_id"]
    for _ in range(2):
        await ok(await client.post(f"/v1/cases/{second}/acknowledge", headers=officer))
    rows = await world.database.find("readings", {}, sort=[("at", 1)])
    assert {(row["case_id"], row["by"]) for row in rows} == {(first, "officer-a"), (second, "officer-a")}


async def test_a_responder_who_is_done_is_answered_with_the_least_of_the_case(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), **HIGH)
    responder = new_id()
    case["responder"] = {**case["responder"], "state": "accepted", "responder_id": responder}

    async def accepted(tx: Any) -> None:
        tx.put("cases", case)

    await world.do(accepted)
    volunteer = world.keys.token("volunteer", sub=str(responder))
    told = await ok(await client.post(f"/v1/cases/{case['_id']}/release", headers=volunteer))
    assert told["responder"]["state"] == "released"
    assert not {"flags", "timeline", "person", "decisions_needed"} & set(told)
    is_problem(await client.post(f"/v1/cases/{case['_id']}/release", headers=volunteer), 404)


async def test_a_persons_export_says_between_whom_the_case_changed_hands(
    world: World, client: httpx.AsyncClient
) -> None:
    shift_id = await plan(world)
    await sign_on(world, shift_id, OFFICER)
    mine, others = await world.flag(caller=person(1), **HIGH), await world.flag(caller=person(2), **LOW)
    for case in (mine, others):
        await world.acknowledge(case["_id"])
    ident, office = new_id(), world.office
    await world.do(lambda tx: shifts_hand_over.hand_over(shift_id, ident, "officer-b", None, {}, OFFICER, tx, office))
    await world.do(lambda tx: shifts_hand_over.accept(ident, OTHER_OFFICER, tx))
    address = f"/v1/cases/{mine['_id']}/export"
    record = await ok(await client.post(address, json=BECAUSE, headers=world.keys.token("privacy_officer")))
    (part,) = record["cases"]
    (handed,) = part["hand_overs"]
    assert (handed["from"], handed["to"], handed["state"]) == ("officer-a", "officer-b", "accepted")
    assert handed["cases"] == [{"case_id": str(mine["_id"]), "taken": True}], "of the other person's case nothing"

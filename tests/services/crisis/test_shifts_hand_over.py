"""The hand-over at the end of a shift: all of it in one act, and somebody is responsible at every moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.crisis import HandOverOverdue
from services.crisis.commands import shifts_hand_over
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.test_shifts import plan, sign_off, sign_on, take
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    IMMINENT,
    LOW,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    SUPERVISOR,
    World,
    person,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
REASON = {"reason": "接班"}
ROUTES = {
    "POST /v1/shifts/{shift_id}/hand-over",
    "GET /v1/hand-overs",
    "POST /v1/hand-overs/{hand_over_id}/accept",
    "POST /v1/hand-overs/{hand_over_id}/decline",
    "POST /v1/hand-overs/{hand_over_id}/notes",
}


async def at_work(world: World, *said: dict[str, Any]) -> tuple[UUID, list[Document]]:
    """An officer on shift who holds a case for each of these flags."""
    shift_id = await plan(world)
    await sign_on(world, shift_id, OFFICER)
    cases = []
    for number, one in enumerate(said):
        await world.flag(caller=person(number), **one)
        taken = await take(world)
        assert taken is not None
        cases.append(taken)
    return shift_id, cases


async def offer(world: World, shift_id: UUID, to: str = "officer-b", **more: Any) -> Document:
    giver = more.pop("caller", OFFICER)
    return await world.do(
        lambda tx: shifts_hand_over.hand_over(
            shift_id,
            more.get("ident") or new_id(),
            to,
            more.get("cases"),
            more.get("notes", {}),
            giver,
            tx,
            world.office,
        )
    )


async def test_all_open_cases_change_hands_in_one_act_once_the_other_accepts(
    world: World, client: httpx.AsyncClient
) -> None:
    shift_id, cases = await at_work(world, HIGH, LOW, IMMINENT)
    token = world.keys.token
    giver, receiver = (token("duty_officer", sub=sub) for sub in ("officer-a", "officer-b"))
    key = str(cases[0]["_id"])
    body = {"id": str(new_id()), "to": "officer-b", "notes": [{"case_id": key, "text": "张示例今晚十点等电话"}]}
    address = f"/v1/shifts/{shift_id}/hand-over"
    offered = (await client.post(address, json=body, headers=giver)).json()
    assert (offered["state"], len(offered["cases"])) == ("offered", 3)
    assert (await client.post(address, json=body, headers=giver)).json() == offered, "the same again is taken once"
    is_problem(await client.post(address, json={**body, "to": "officer-c"}, headers=giver), 409, "id")
    for case in await world.cases():
        assert (case["held_by"], case["acknowledgement"]["by"]) == ("officer-a", "officer-a"), "still responsible"
    assert await sign_off(world, shift_id, OFFICER), "an act in progress is offered: the giver may leave the desk"

    waiting = (await client.get("/v1/hand-overs", headers=receiver)).json()["hand_overs"]
    assert [one["id"] for one in waiting] == [body["id"]]
    where = f"/v1/hand-overs/{body['id']}"
    is_problem(await client.post(f"{where}/accept", headers=giver), 403)
    is_problem(await client.post(f"{where}/accept", headers=token("duty_officer", division=NEIGHBOUR)), 404)
    is_problem(await client.post(f"{where}/accept", headers=token("receiver", sub="officer-b")), 403)
    accepted = (await client.post(f"{where}/accept", headers=receiver)).json()
    assert (accepted["state"], [row["taken"] for row in accepted["cases"]]) == ("accepted", [True] * 3)
    assert (await client.post(f"{where}/accept", headers=receiver)).json()["state"] == "accepted"
    is_problem(await client.post(f"{where}/decline", headers=receiver), 409)
    for case in await world.cases():
        assert (case["held_by"], case["acknowledgement"]["by"]) == ("officer-b", "officer-b")
        assert [line["kind"] for line in case["timeline"]][-2:] == ["hand_over_offered", "handed_over"]
    assert f"hand_over:{body['id']}" not in await world.timers()
    assert (await client.get("/v1/hand-overs", headers=receiver)).json() == {"hand_overs": []}
    assert world.emitted(HandOverOverdue) == []

    notes = (await client.post(f"{where}/notes", json=REASON, headers=receiver)).json()["notes"]
    assert [(note["case_id"], note["text"]) for note in notes] == [(key, "张示例今晚十点等电话")]
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["actor"], entry["reason"]) == ("hand_over_notes_read", "officer-b", "接班")
    stored = str(await world.database.find("hand_over_notes", {})) + str(await world.database.find("hand_overs", {}))
    assert "张示例" not in stored, "what is written about a person is sealed"


async def test_who_may_hand_over_and_what(world: World, client: httpx.AsyncClient) -> None:
    shift_id, cases = await at_work(world, HIGH)
    token = world.keys.token
    giver = token("duty_officer", sub="officer-a")
    address = f"/v1/shifts/{shift_id}/hand-over"

    def body(**said: Any) -> dict[str, Any]:
        return {"id": str(new_id()), "to": "officer-b", **said}

    is_problem(await client.post(address, json=body(), headers=token("duty_officer", sub="officer-b")), 404)
    is_problem(await client.post(address, json=body(), headers=token("supervisor", division=NEIGHBOUR)), 404)
    is_problem(await client.post(f"/v1/shifts/{new_id()}/hand-over", json=body(), headers=giver), 404)
    is_problem(await client.post(address, json=body(to="officer-a"), headers=giver), 422, "to")
    is_problem(await client.post(address, json=body(to="张 三"), headers=giver), 422, "body.to")
    is_problem(await client.post(address, json=body(cases=[str(new_id())]), headers=giver), 422, "cases")
    other = {"case_id": str(new_id()), "text": "x"}
    is_problem(await client.post(address, json=body(notes=[other]), headers=giver), 422, "notes")
    mine = {"case_id": str(cases[0]["_id"]), "text": "x"}
    is_problem(await client.post(address, json=body(cases=[], notes=[mine]), headers=giver), 409)
    is_problem(await client.post(address, json={"to": "officer-b"}, headers=giver), 422, "body.id")
    is_problem(await client.post(address, json=body(notes=[{"text": "x"}]), headers=giver), 422)
    assert await world.database.find("hand_overs", {}) == []
    planned = await plan(world, "officer-c")
    answer = await client.post(
        f"/v1/shifts/{planned}/hand-over", json=body(), headers=token("duty_officer", sub="officer-c")
    )
    is_problem(answer, 409)
    by_supervisor = await client.post(address, json=body(), headers=token("supervisor", sub="supervisor-a"))
    assert (by_supervisor.json()["from"], by_supervisor.json()["offered_by"]) == ("officer-a", "supervisor-a")
    is_problem(await client.get("/v1/hand-overs"), 401)
    is_problem(await client.get("/v1/hand-overs?limit=999", headers=giver), 422, "query.limit")


async def test_an_offer_that_nobody_accepts_calls_a_supervisor_again_and_again(world: World) -> None:
    shift_id, cases = await at_work(world, HIGH)
    offered = await offer(world, shift_id)
    await world.pass_time(29 * MINUTE)
    assert world.emitted(HandOverOverdue) == []
    await world.pass_time(62 * MINUTE)
    calls = world.emitted(HandOverOverdue)
    assert [(call.called, call.cases, call.division) for call in calls] == [("supervisor", 1, COUNTY)] * 3
    assert (await world.case(cases[0]["_id"]))["held_by"] == OFFICER.subject, "the giver is still responsible"
    await world.do(lambda tx: shifts_hand_over.accept(offered["_id"], OTHER_OFFICER, tx))
    await world.pass_time(HOUR)
    assert len(world.emitted(HandOverOverdue)) == 3


async def test_a_refusal_calls_a_supervisor_at_once_who_offers_the_cases_to_another(
    world: World, client: httpx.AsyncClient
) -> None:
    shift_id, cases = await at_work(world, HIGH)
    first = await offer(world, shift_id)
    receiver = world.keys.token("duty_officer", sub="officer-b")
    where = f"/v1/hand-overs/{first['_id']}"
    is_problem(await client.post(f"/v1/hand-overs/{new_id()}/decline", headers=receiver), 404)
    assert (await client.post(f"{where}/decline", headers=receiver)).json()["state"] == "declined"
    assert len(world.emitted(HandOverOverdue)) == 1
    is_problem(await client.post(f"{where}/accept", headers=receiver), 409)
    assert (await world.case(cases[0]["_id"]))["held_by"] == OFFICER.subject
    second = await offer(world, shift_id, "officer-c", caller=SUPERVISOR)
    third = Caller("officer-c", frozenset({"duty_officer"}), COUNTY)
    await world.do(lambda tx: shifts_hand_over.accept(second["_id"], third, tx))
    assert (await world.case(cases[0]["_id"]))["held_by"] == "officer-c"


async def test_a_new_offer_takes_the_place_of_the_one_that_waits(world: World) -> None:
    shift_id, _ = await at_work(world, HIGH)
    first = await offer(world, shift_id)
    second = await offer(world, shift_id, "officer-c")
    kept = await world.database.get("hand_overs", first["_id"])
    assert kept is not None
    assert kept["state"] == "withdrawn"
    timers = {timer for timer in await world.timers() if timer.startswith("hand_over:")}
    assert timers == {f"hand_over:{second['_id']}"}


async def test_what_was_closed_or_taken_meanwhile_is_left_where_it_is(world: World) -> None:
    shift_id, cases = await at_work(world, LOW, LOW, HIGH)
    offered = await offer(world, shift_id)
    await world.close(cases[0]["_id"])
    again = await world.flag(caller=person(2), **IMMINENT)  # raised: the clock starts again
    await world.acknowledge(again["_id"], SUPERVISOR)
    accepted = await world.do(lambda tx: shifts_hand_over.accept(offered["_id"], OTHER_OFFICER, tx))
    taken = {row["case_id"]: row["taken"] for row in accepted["cases"]}
    assert taken == {cases[0]["_id"]: False, cases[1]["_id"]: True, cases[2]["_id"]: False}
    assert (await world.case(cases[2]["_id"]))["held_by"] == SUPERVISOR.subject


async def test_a_case_of_another_division_or_one_that_is_gone_never_blocks_the_others(world: World) -> None:
    shift_id, cases = await at_work(world, HIGH, LOW, LOW)
    outside, own, vanished = (case["_id"] for case in cases)
    offered = await offer(world, shift_id)

    async def move_and_delete(tx: Tx) -> None:
        case = await tx.get("cases", outside)
        assert case is not None
        tx.put("cases", {**case, "division": NEIGHBOUR})
        tx.delete("cases", vanished)

    await world.do(move_and_delete)
    accepted = await world.do(lambda tx: shifts_hand_over.accept(offered["_id"], OTHER_OFFICER, tx))
    taken = {row["case_id"]: row["taken"] for row in accepted["cases"]}
    assert taken == {outside: False, own: True, vanished: False}
    assert (await world.case(own))["held_by"] == OTHER_OFFICER.subject
    assert (await world.case(outside))["held_by"] == OFFICER.subject


async def test_notes_are_for_giver_receiver_and_supervisor_and_go_with_the_persons_key(
    world: World, client: httpx.AsyncClient
) -> None:
    shift_id, cases = await at_work(world, HIGH)
    offered = await offer(world, shift_id, notes={cases[0]["_id"]: "父亲十点到家"})
    where = f"/v1/hand-overs/{offered['_id']}/notes"
    token = world.keys.token
    for headers, status in (
        (token("duty_officer", sub="officer-c"), 404),
        (token("supervisor", sub="officer-d", division=NEIGHBOUR), 404),
        (token("receiver", sub="officer-b"), 403),
    ):
        is_problem(await client.post(where, json=REASON, headers=headers), status)
    is_problem(await client.post(where, json={"reason": ""}, headers=token("supervisor")), 422, "body.reason")
    for headers in (token("duty_officer", sub="officer-b"), token("supervisor", sub="supervisor-a")):
        answer = await client.post(where, json=REASON, headers=headers)
        assert [note["text"] for note in answer.json()["notes"]] == ["父亲十点到家"]

    await world.do(lambda tx: world.office.keys.erase(tx, cases[0]["person"]))
    answer = await client.post(where, json=REASON, headers=token("supervisor", sub="supervisor-a"))
    assert answer.json()["notes"] == [], "the person was erased"

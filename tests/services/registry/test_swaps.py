"""Swaps: offered by who is on duty, done by the other's acceptance after every rule was looked at again."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx

from chassis.tx import Tx
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import people, rostered, turn


async def placed(registry: Registry, *wanted: tuple[int, int, int], count: int = 2) -> tuple[list[str], list[str]]:
    """People, and the turns of them (who, from, to) on the line."""
    who = await people(registry, count)
    async with registry.client("320706") as client:
        made = await rostered(client, *[turn(who[person], start, end) for person, start, end in wanted])
        assert made.status_code == 201, made.text
    return who, [item["id"] for item in made.json()["items"]]


def volunteer(registry: Registry, ident: str) -> httpx.AsyncClient:
    return registry.client("320706", "volunteer", subject=ident)


async def offered(registry: Registry, giver: str, body: dict[str, Any], ident: str | None = None) -> httpx.Response:
    async with volunteer(registry, giver) as client:
        return await client.put(f"/v1/swaps/{ident or uuid.uuid4()}", json=body)


async def moved(registry: Registry, who: str, ident: str, verb: str) -> httpx.Response:
    async with volunteer(registry, who) as client:
        return await client.post(f"/v1/swaps/{ident}/{verb}")


async def holders(registry: Registry) -> set[tuple[str, int]]:
    rows = await registry.database.find("duties", {"active": True})
    return {(str(row["volunteer_id"]), row["starts_at"].hour) for row in rows}


async def test_two_turns_change_hands_with_the_acceptance_and_not_before(registry: Registry) -> None:
    (one, two), (first, second) = await placed(registry, (0, 0, 8), (1, 8, 16))
    ident = str(uuid.uuid4())
    body = {"duty_id": first, "to_id": two, "return_duty_id": second}
    made = await offered(registry, one, body, ident)
    assert (made.status_code, made.json()["state"], made.json()["label"]) == (200, "offered", "待对方确认")
    assert (await offered(registry, one, body, ident)).json() == made.json()
    assert await holders(registry) == {(one, 0), (two, 8)}
    for _ in range(2):
        done = await moved(registry, two, ident, "accept")
        assert (done.status_code, done.json()["state"], len(done.json()["made"])) == (200, "accepted", 2)
    assert await holders(registry) == {(two, 0), (one, 8)}
    assert [event["state"] for event in await registry.events("swap_moved")] == ["offered", "accepted"]
    told = [(event["active"], event["swap_id"]) for event in (await registry.events("duty_rostered"))[2:]]
    assert told == [(False, None), (False, None), (True, ident), (True, ident)]


async def test_only_the_one_on_duty_offers_only_the_other_accepts_and_nobody_else_sees_it(registry: Registry) -> None:
    (one, two, three), (first,) = await placed(registry, (0, 0, 8), count=3)
    body = {"duty_id": first, "to_id": two}
    foreign = await offered(registry, three, body)
    assert (foreign.status_code, foreign.json()["field"]) == (422, "duty_id")
    ident = (await offered(registry, one, body)).json()["id"]
    assert (await moved(registry, one, ident, "accept")).status_code == 403
    assert (await moved(registry, three, ident, "accept")).status_code == 404
    assert (await moved(registry, two, ident, "withdraw")).status_code == 403
    for person, count in ((one, 1), (two, 1), (three, 0)):
        async with volunteer(registry, person) as client:
            assert len((await client.get("/v1/swaps")).json()["items"]) == count
            assert (await client.get(f"/v1/swaps/{ident}")).status_code == (200 if count else 404)
    async with registry.client("370812") as client:
        assert (await client.get(f"/v1/swaps/{ident}")).status_code == 404
        assert (await client.get("/v1/swaps")).json()["items"] == []
    async with registry.client("320706", "statistician") as client:
        assert (await client.get("/v1/swaps")).status_code == 403
    async with registry.client("320706", "coordinator") as client:
        assert len((await client.get("/v1/swaps", params={"state": "offered"})).json()["items"]) == 1
        assert (await client.get("/v1/swaps", params={"state": "lost"})).status_code == 422
    assert (await moved(registry, two, ident, "decline")).json()["state"] == "declined"
    assert (await moved(registry, two, ident, "accept")).status_code == 409
    assert (await offered(registry, one, body)).json()["state"] == "offered"


async def test_what_does_not_hold_any_more_leaves_the_offer_open_and_all_turns_as_they_were(registry: Registry) -> None:
    (one, two), (first, _) = await placed(registry, (0, 0, 8), (1, 6, 9))
    ident = (await offered(registry, one, {"duty_id": first, "to_id": two})).json()["id"]
    before = await holders(registry)

    async def reason() -> str:
        answer = await moved(registry, two, ident, "accept")
        assert answer.status_code == 409
        assert await holders(registry) == before
        return str(answer.json()["reason"])

    assert await reason() == "overlap"
    async with registry.client("320706") as client:
        rows = await registry.database.find("duties", {"volunteer_id": uuid.UUID(two)})
        await client.delete(f"/v1/rosters/line-1/duties/{rows[0]['_id']}")
        before = await holders(registry)
        path = f"/v1/volunteers/{two}/availability"
        await client.put(path, json={"quiet": {"from": "09:00", "to": "10:00"}})
        assert await reason() == "quiet_hours"
        await client.put(path, json={"hours_a_week": 7})
        assert await reason() == "weekly_cap"
        await client.put(path, json={})

    async def as_therapists(tx: Tx) -> None:
        tx.put("rosters", {**(await tx.get("rosters", "line-1") or {}), "role": "therapist"})

    await registry.database.transact(as_therapists)
    gate = await moved(registry, two, ident, "accept")
    assert gate.status_code == 409
    assert "duties.0" in gate.json()["detail"]
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/swaps/{ident}")).json()["state"] == "offered"
        await client.delete(f"/v1/rosters/line-1/duties/{first}")
        before = await holders(registry)
    assert await reason() == "changed"


async def test_a_turn_offered_to_two_goes_to_one_of_them(registry: Registry) -> None:
    (one, two, three), (first,) = await placed(registry, (0, 0, 8), count=3)
    ident = (await offered(registry, one, {"duty_id": first, "to_id": two})).json()["id"]
    again = await offered(registry, one, {"duty_id": first, "to_id": three})
    assert (again.status_code, again.json()["reason"]) == (409, "offered")
    answers = await asyncio.gather(*[moved(registry, two, ident, verb) for verb in ("accept", "decline", "accept")])
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await holders(registry)) == 1
    assert len(await registry.events("swap_moved")) == 2


async def test_an_offer_that_makes_no_sense_is_refused_with_its_field(registry: Registry) -> None:
    (one, two), (first, second) = await placed(registry, (0, 0, 8), (0, 8, 16))
    for body, field in (
        ({"duty_id": str(uuid.uuid4()), "to_id": two}, "duty_id"),
        ({"duty_id": first, "to_id": str(uuid.uuid4())}, "to_id"),
        ({"duty_id": first, "to_id": two, "return_duty_id": str(uuid.uuid4())}, "return_duty_id"),
        ({"duty_id": "x", "to_id": two}, "body.duty_id"),
    ):
        answer = await offered(registry, one, body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    for body, reason in (
        ({"duty_id": first, "to_id": one}, "same_person"),
        ({"duty_id": first, "to_id": two, "return_duty_id": second}, "not_theirs"),
    ):
        answer = await offered(registry, one, body)
        assert (answer.status_code, answer.json()["reason"]) == (409, reason)

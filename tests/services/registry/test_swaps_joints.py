"""Rosters with more than one role in the token, turns that move, and rosters of two divisions."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from chassis.clock import now
from chassis.tx import Tx
from services.registry.api.calendar import STRANGERS, Pace
from tests.services.registry.service_support import COUNTY, TOWN
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import at, people, rostered, turn
from tests.services.registry.test_rosters_hand_over import around
from tests.services.registry.test_swaps import holders, moved, offered, placed

WHY = {"reason": "接班"}


# Whose keeper a caller is


@pytest.mark.parametrize("second", ["community_worker", "statistician", "receiver"])
async def test_another_role_beside_the_volunteers_own_opens_nobody_elses_things(
    registry: Registry, second: str
) -> None:
    one, two, three = await people(registry, 3)
    async with registry.client(COUNTY) as client:
        made = await rostered(client, around(one, -2, 2), turn(one, 0, 8))
        first, later = [item["id"] for item in made.json()["items"]]
    note = f"/v1/rosters/line-1/duties/{first}/hand-over"
    async with registry.client(COUNTY, "volunteer", subject=one) as client:
        assert (await client.put(note, json={"text": "示例来电者约定回拨"})).status_code == 200
    ident = (await offered(registry, one, {"duty_id": later, "to_id": two})).json()["id"]
    async with registry.client(COUNTY, "volunteer", second, subject=three) as client:
        assert (await client.get(f"/v1/volunteers/{one}/availability")).status_code == 404
        assert (await client.put(f"/v1/volunteers/{one}/availability", json={})).status_code == 404
        assert (await client.post(f"/v1/volunteers/{one}/calendar")).status_code == 404
        assert (await client.delete(f"/v1/volunteers/{one}/calendar")).status_code == 404
        assert (await client.get("/v1/swaps")).json()["items"] == []
        assert (await client.post(f"/v1/swaps/{ident}/accept")).status_code == 404
        foreign = await client.put(f"/v1/swaps/{uuid.uuid4()}", json={"duty_id": later, "to_id": two})
        assert (foreign.status_code, foreign.json()["field"]) == (422, "duty_id")
        assert (await client.post(f"{note}/read", json=WHY)).status_code == 404
        assert (await client.put(note, json={"text": "改写"})).status_code == 404
        own = await client.put(f"/v1/volunteers/{three}/availability", json={"hours_a_week": 4})
        assert own.status_code == 200


async def test_who_coordinates_reads_what_others_told_and_changes_the_own_only(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client(COUNTY, "volunteer", "coordinator", subject=two) as client:
        assert (await client.get(f"/v1/volunteers/{one}/availability")).status_code == 200
        assert (await client.put(f"/v1/volunteers/{one}/availability", json={})).status_code == 404
        assert (await client.post(f"/v1/volunteers/{one}/calendar")).status_code == 404
        assert (await client.post(f"/v1/volunteers/{two}/calendar")).status_code == 201


# Swaps


async def patched(registry: Registry, duty: str, start: int, end: int) -> httpx.Response:
    async with registry.client(COUNTY) as client:
        times = {"starts_at": at(start), "ends_at": at(end)}
        return await client.patch(f"/v1/rosters/line-1/duties/{duty}", json=times)


@pytest.mark.parametrize("which", [0, 1])
async def test_who_accepts_gets_the_times_that_the_offer_showed_or_nothing(registry: Registry, which: int) -> None:
    (one, two), turns = await placed(registry, (0, 0, 8), (1, 8, 16))
    body = {"duty_id": turns[0], "to_id": two, "return_duty_id": turns[1]}
    made = await offered(registry, one, body)
    shown: list[dict[str, Any]] = made.json()["turns"]
    assert [(row["duty_id"], row["starts_at"][11:13]) for row in shown] == [(turns[0], "00"), (turns[1], "08")]
    assert (await patched(registry, turns[which], 64, 90)).status_code == 200
    before = await holders(registry)
    answer = await moved(registry, two, made.json()["id"], "accept")
    assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
    assert await holders(registry) == before
    assert (await moved(registry, one, made.json()["id"], "withdraw")).status_code == 200
    again = await offered(registry, one, body)
    assert (await moved(registry, two, again.json()["id"], "accept")).json()["state"] == "accepted"


async def test_a_county_moves_no_turn_of_the_citys_roster(registry: Registry) -> None:
    (one, two), (first,) = await placed(registry, (0, 0, 8))
    async with registry.client("3207") as city:
        line = {"division": "3207", "role": "responder", "around_the_clock": False}
        assert (await city.put("/v1/rosters/city", json=line)).status_code == 200
        made = await city.post("/v1/rosters/city/duties", json={"duties": [turn(two, 8, 16)]})
    body = {"duty_id": first, "to_id": two, "return_duty_id": made.json()["items"][0]["id"]}
    async with registry.client(COUNTY) as client:
        refused = await client.put(f"/v1/swaps/{uuid.uuid4()}", json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, "return_duty_id")
    ident = (await offered(registry, one, body)).json()["id"]
    async with registry.client(COUNTY) as client:
        assert (await client.post(f"/v1/swaps/{ident}/accept")).status_code == 403
    assert {row["roster"] for row in await registry.database.find("duties", {"volunteer_id": uuid.UUID(one)})} == {
        "line-1"
    }
    assert (await moved(registry, two, ident, "accept")).json()["state"] == "accepted"


@pytest.mark.parametrize("verb", ["accept", "decline", "withdraw"])
async def test_a_swap_offered_before_the_turns_were_kept_is_offered_anew(registry: Registry, verb: str) -> None:
    (one, two), (first,) = await placed(registry, (0, 0, 8))
    ident = (await offered(registry, one, {"duty_id": first, "to_id": two})).json()["id"]

    async def older(tx: Tx) -> None:
        swap = await tx.get("swaps", uuid.UUID(ident))
        assert swap is not None
        tx.put("swaps", {name: value for name, value in swap.items() if name != "turns"})

    await registry.database.transact(older)
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/swaps/{ident}")).json()["state"] == "offered"
        if verb == "accept":
            refused = await client.post(f"/v1/swaps/{ident}/accept")
            assert (refused.status_code, refused.json()["reason"]) == (409, "changed")
    answer = await moved(registry, one if verb == "withdraw" else two, ident, verb)
    if verb == "accept":
        assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
        assert {who for who, _ in await holders(registry)} == {one}
    else:
        assert answer.status_code == 200


# Who signs in under an entry that was merged into another


async def merged(registry: Registry, stays: str, goes: str) -> None:
    async with registry.client(COUNTY) as client:
        answer = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "同一人"})
        assert answer.status_code == 200, answer.text


async def test_who_is_asked_under_an_entry_that_is_merged_takes_the_turn(registry: Registry) -> None:
    (one, goes, stays, stranger), (first,) = await placed(registry, (0, 0, 8), count=4)
    ident = (await offered(registry, one, {"duty_id": first, "to_id": goes})).json()["id"]
    for entry in (stays, stranger):
        assert (await moved(registry, entry, ident, "accept")).status_code == 404
    await merged(registry, stays, goes)
    for entry, count in ((goes, 1), (stays, 1), (stranger, 0)):
        async with registry.client(COUNTY, "volunteer", subject=entry) as client:
            assert len((await client.get("/v1/swaps")).json()["items"]) == count
            assert (await client.get(f"/v1/swaps/{ident}")).status_code == (200 if count else 404)
            assert (await client.post(f"/v1/swaps/{ident}/withdraw")).status_code == (403 if count else 404)
    assert (await moved(registry, stranger, ident, "accept")).status_code == 404
    done = await moved(registry, goes, ident, "accept")
    assert (done.status_code, done.json()["state"]) == (200, "accepted")
    assert {who for who, _ in await holders(registry)} == {stays}


async def test_who_signs_in_under_a_merged_entry_gives_the_own_turn_and_tells_when_free(registry: Registry) -> None:
    (stays, two, goes, stranger), (first,) = await placed(registry, (0, 0, 8), count=4)
    free = f"/v1/volunteers/{stays}/availability"
    assert (await offered(registry, goes, {"duty_id": first, "to_id": two})).status_code == 422
    async with registry.client(COUNTY, "volunteer", subject=goes) as client:
        assert (await client.put(free, json={"hours_a_week": 4})).status_code == 404
    await merged(registry, stays, goes)
    async with registry.client(COUNTY, "volunteer", subject=goes) as client:
        assert (await client.put(free, json={"hours_a_week": 20})).status_code == 200
        assert (await client.get(free)).json()["hours_a_week"] == 20
    async with registry.client(COUNTY, "volunteer", subject=stranger) as client:
        assert (await client.get(free)).status_code == 404
    refused = await offered(registry, goes, {"duty_id": first, "to_id": stays})
    assert (refused.status_code, refused.json()["reason"]) == (409, "same_person")
    made = await offered(registry, goes, {"duty_id": first, "to_id": two})
    assert made.status_code == 200, made.text
    assert (await moved(registry, two, made.json()["id"], "accept")).json()["state"] == "accepted"


async def test_a_swap_between_two_who_turn_out_to_be_one_moves_nothing(registry: Registry) -> None:
    (one, other), (first,) = await placed(registry, (0, 0, 8))
    ident = (await offered(registry, one, {"duty_id": first, "to_id": other})).json()["id"]
    await merged(registry, one, other)
    answer = await moved(registry, other, ident, "accept")
    assert (answer.status_code, answer.json()["reason"]) == (409, "same_person")
    assert {who for who, _ in await holders(registry)} == {one}


async def test_who_signs_in_under_a_merged_entry_leaves_and_reads_the_notes_of_the_own_turns(
    registry: Registry,
) -> None:
    stays, goes, next_one, next_goes, stranger = await people(registry, 5)
    async with registry.client(COUNTY) as client:
        made = await rostered(client, around(stays, -2, 2), around(next_one, 2, 6))
    note = f"/v1/rosters/line-1/duties/{made.json()['items'][0]['id']}/hand-over"

    async def statuses(entry: str) -> list[int]:
        async with registry.client(COUNTY, "volunteer", subject=entry) as client:
            wrote = await client.put(note, json={"text": "示例来电者约定回拨"})
            read = await client.post(f"{note}/read", json=WHY)
            return [wrote.status_code, read.status_code]

    assert await statuses(stays) == [200, 200]
    for entry in (goes, next_goes, stranger):
        assert await statuses(entry) == [404, 404]
    await merged(registry, stays, goes)
    await merged(registry, next_one, next_goes)
    assert await statuses(goes) == [200, 200]
    assert await statuses(next_goes) == [404, 200]
    assert await statuses(stranger) == [404, 404]


# Hand-over


async def test_everybody_who_may_take_over_a_seat_reads_the_note(registry: Registry) -> None:
    giver, beside, next_one, far = await people(registry, 4)
    async with registry.client(COUNTY) as client:
        turns = [around(giver, -4, 4), around(beside, -1, 8), around(next_one, 4, 12), around(far, 12, 16)]
        turns[2]["starts_at"], turns[3]["starts_at"] = turns[0]["ends_at"], turns[2]["ends_at"]
        made = await rostered(client, *turns)
        duties = [item["id"] for item in made.json()["items"]]
    note = f"/v1/rosters/line-1/duties/{duties[0]}/hand-over"
    async with registry.client(COUNTY, "volunteer", subject=giver) as client:
        assert (await client.put(note, json={"text": "示例来电者约定回拨"})).status_code == 200
    for subject, status in ((beside, 200), (next_one, 200), (far, 404)):
        async with registry.client(COUNTY, "volunteer", subject=subject) as client:
            assert (await client.post(f"{note}/read", json=WHY)).status_code == status
    (event,) = await registry.events("hand_over_noted")
    assert event["next_duty_id"] == duties[2]


async def test_who_is_on_over_the_end_of_the_last_turn_hears_though_nobody_follows(registry: Registry) -> None:
    giver, beside = await people(registry, 2)
    async with registry.client(COUNTY) as client:
        made = await rostered(client, around(giver, -2, 2), around(beside, -3, 8))
        duty = made.json()["items"][0]["id"]
    note = f"/v1/rosters/line-1/duties/{duty}/hand-over"
    async with registry.client(COUNTY, "volunteer", subject=giver) as client:
        await client.put(note, json={"text": "示例来电者约定回拨"})
    async with registry.client(COUNTY, "volunteer", subject=beside) as client:
        assert (await client.post(f"{note}/read", json=WHY)).status_code == 200
    assert (await registry.events("hand_over_noted"))[0]["next_duty_id"] == made.json()["items"][1]["id"]


# The calendar


async def test_chance_secrets_take_no_place_from_who_has_a_link(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def takes(_: Pace, name: str, limit: int) -> bool:
        asked.append((name, limit))
        return True

    monkeypatch.setattr(Pace, "takes", takes)
    (one,) = await people(registry, 1)
    limit = registry.keys.policies.rosters.at(now()).feed.reads_a_minute
    async with registry.client(TOWN, "volunteer", subject=one) as client:
        path = (await client.post(f"/v1/volunteers/{one}/calendar")).json()["path"]
        for letter in "ABC":
            assert (await client.get(f"/v1/calendar/{letter * 43}.ics")).status_code == 404
        assert (await client.get(path)).status_code == 200
    names = [name for name, _ in asked]
    assert names[:3] == ["strangers"] * 3
    assert names[3] != "strangers"
    assert [most for _, most in asked] == [STRANGERS * limit] * 3 + [limit]

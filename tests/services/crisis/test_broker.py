"""Flags off the stream, through the real consumer: each has a defined end, and none stops the next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from chassis import dead
from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.consume import Consuming
from chassis.envelope import to_headers
from contracts.hotline import RiskFlagged
from contracts.topology import consumers_of
from tests.services.crisis.world import COUNTY, HIGH, IMMINENT, LOW, NEIGHBOUR, TOWN, World, a_flag, person

SUBJECT = f"xinqiao.hotline.risk_flagged.v1.{COUNTY}"


@asynccontextmanager
async def consuming(world: World, bus: Bus) -> AsyncIterator[Consuming]:
    """The crisis service's consumer of the hotlines' stream, at work."""
    (consumer,) = [one for one in consumers_of("crisis") if one.stream == "HOTLINE"]
    working = Consuming(consumer, {one.event: one for one in world.blueprint.handles}, bus, world.database, 256)
    task = asyncio.create_task(working.run())
    try:
        yield working
    finally:
        working.stop()
        await task


async def until(what: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await what():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to be in time"
        await asyncio.sleep(0.05)


async def all_settled(bus: Bus) -> bool:
    info = await bus.jetstream.consumer_info("HOTLINE", "crisis-hotline")
    return not info.num_pending and not info.num_ack_pending


async def publish(bus: Bus, flag: RiskFlagged, **headers: str) -> None:
    await send(bus, flag.body(), flag.subject, {**to_headers(flag, "line-1", None), **headers})


async def send(bus: Bus, body: bytes, subject: str = SUBJECT, headers: dict[str, str] | None = None) -> None:
    made = {"Nats-Msg-Id": new_id().hex, "ce-id": str(new_id()), "ce-time": now().isoformat()}
    await bus.publish(subject, body, headers or made, "HOTLINE")


def body(**said: Any) -> bytes:
    return json.dumps({**json.loads(a_flag(**HIGH).body()), **said}).encode()


LATER = (now() + timedelta(hours=1)).isoformat()
FROM_THE_FUTURE = {"Nats-Msg-Id": "future", "ce-id": str(new_id()), "ce-time": LATER}
BAD: list[tuple[str, bytes, str, dict[str, str] | None, str, str | None]] = [
    ("malformed json", b'{"hotline": ', SUBJECT, None, "malformed_json", "data"),
    ("not utf-8", b"\xff\xfe", SUBJECT, None, "malformed_json", "data"),
    ("an abyss", b"[" * 60_000, SUBJECT, None, "malformed_json", "data"),
    ("not an object", b"[]", SUBJECT, None, "not_an_object", "data"),
    ("nothing", b"", SUBJECT, None, "malformed_json", "data"),
    ("too large", b" " * 70_000, SUBJECT, None, "too_large", "data"),
    ("an unknown version", body(), SUBJECT.replace("v1", "v7"), None, "unknown_version", "ce-type"),
    ("a version that is no number", body(), SUBJECT.replace("v1", "v²"), None, "unknown_version", "ce-type"),
    ("an unknown type", body(), SUBJECT.replace("risk_flagged", "risk_sensed"), None, "unknown_type", "ce-type"),
    ("no envelope", body(), SUBJECT, {"Nats-Msg-Id": "x"}, "bad_envelope", "ce-id"),
    ("an invalid field", body(suicidal_intensity=400), SUBJECT, None, "invalid", "suicidal_intensity"),
    ("a missing field", b"{}", SUBJECT, None, "invalid", "hotline"),
    ("an unknown county", body(county="370899"), SUBJECT[:-6] + "370899", None, "unknown_division", "county"),
    ("an unknown town", body(division="370812999"), SUBJECT, None, "unknown_division", "division"),
    ("another county's subject", body(), SUBJECT[:-6] + NEIGHBOUR, None, "invalid", None),
    ("a time in the future", body(flagged_at=LATER), SUBJECT, None, "time_in_future", "flagged_at"),
    ("an envelope from the future", body(), SUBJECT, FROM_THE_FUTURE, "time_in_future", "ce-time"),
    ("a time beyond the calendar", body(flagged_at="9999-12-31T23:59:59-01:00"), SUBJECT, None, "invalid", None),
]


@pytest.mark.parametrize("alone", [True, False], ids=["one at a time", "all in one group"])
async def test_what_cannot_be_taken_becomes_a_dead_letter_with_its_reason_and_stops_nothing(
    world: World, bus: Bus, alone: bool
) -> None:
    good = [a_flag(caller=person(number), **HIGH) for number in range(len(BAD) + 1)]

    async def put(number: int) -> None:
        _, content, subject, headers, _, _ = BAD[number]
        await send(bus, content, subject, headers)
        await publish(bus, good[number])

    if not alone:
        for number in range(len(BAD)):
            await put(number)
    async with consuming(world, bus) as working:
        if alone:
            for number in range(len(BAD)):
                await put(number)
        await publish(bus, good[-1])
        await until(lambda: all_settled(bus))
        assert working.consumer.name == "crisis-hotline"
    letters = [letter async for letter in dead.letters(bus)]
    by_sequence = {letter.stream_sequence: letter for letter in letters}
    for number, (name, content, subject, _, reason, field) in enumerate(BAD):
        letter = by_sequence[2 * number + 1]
        kept = b"" if reason == "too_large" else content
        assert (letter.reason, letter.subject, letter.body) == (reason, subject, kept), name
        assert field is None or (letter.field or "").startswith(field), name
        assert (letter.consumer, letter.deliveries) == ("crisis-hotline", 1), name
        assert "张示例" not in letter.detail
    assert len(letters) == len(BAD)
    assert {case["flags"][0]["id"] for case in await world.cases()} == {flag.id for flag in good}
    assert await world.database.count("claims", {}) == len(good), "a dead letter leaves no claim"


async def test_a_flag_that_comes_again_takes_effect_once(world: World, bus: Bus) -> None:
    """A hotline repeats itself outside the broker's own window, and so does the broker."""
    flag = a_flag(caller=person(), **HIGH)
    for copy in range(3):
        await publish(bus, flag, **{"Nats-Msg-Id": f"copy-{copy}"})
    async with consuming(world, bus):
        await until(lambda: all_settled(bus))
        await publish(bus, flag, **{"Nats-Msg-Id": "late"})
        await until(lambda: all_settled(bus))
    (case,) = await world.cases()
    assert [row["id"] for row in case["flags"]] == [flag.id]
    assert [event.TYPE for event in world.events].count("crisis.case_opened") == 1
    assert "crisis.flag_joined" not in [event.TYPE for event in world.events]
    assert [letter async for letter in dead.letters(bus)] == []


@pytest.mark.parametrize("together", [True, False], ids=["in one group", "later"])
async def test_an_id_that_was_taken_with_another_body_is_a_dead_letter(world: World, bus: Bus, together: bool) -> None:
    flag = a_flag(caller=person(), **LOW)
    other = flag.model_copy(update={"caller": person(2)})
    await publish(bus, flag, **{"Nats-Msg-Id": "first"})
    if together:
        await publish(bus, other, **{"Nats-Msg-Id": "second"})
    async with consuming(world, bus):
        await until(lambda: all_settled(bus))
        if not together:
            await publish(bus, other, **{"Nats-Msg-Id": "second"})
            await until(lambda: all_settled(bus))
    (letter,) = [letter async for letter in dead.letters(bus)]
    assert (letter.reason, letter.field) == ("id_reused", "ce-id")
    (case,) = await world.cases()
    assert case["person"] == person()


async def test_two_flags_of_one_person_in_one_group_are_one_case_with_a_raise(world: World, bus: Bus) -> None:
    await publish(bus, a_flag(caller=person(), division=TOWN, **LOW))
    await publish(bus, a_flag(caller=person(), **IMMINENT))
    async with consuming(world, bus):
        await until(lambda: all_settled(bus))
    (case,) = await world.cases()
    assert (case["tier"], case["opened_under"]["tier"], len(case["flags"])) == ("imminent", "low", 2)
    kinds = [event.TYPE for event in world.events]
    assert kinds.count("crisis.case_opened") == 1
    assert kinds.count("crisis.risk_raised") == 1
    assert kinds.count("crisis.flag_joined") == 1


async def test_flags_that_come_before_the_divisions_wait_for_them(world: World, bus: Bus) -> None:
    await world.database.clear("divisions")
    flags = [a_flag(caller=person(number), **HIGH) for number in range(5)]
    for flag in flags:
        await publish(bus, flag)
    async with consuming(world, bus):
        await until(lambda: _handed_out(bus, 5))
        await world.settle_in()
        await until(lambda: all_settled(bus))
    assert len(await world.cases()) == 5
    assert [letter async for letter in dead.letters(bus)] == []


async def _handed_out(bus: Bus, number: int) -> bool:
    info = await bus.jetstream.consumer_info("HOTLINE", "crisis-hotline")
    return bool(info.num_ack_pending == number)

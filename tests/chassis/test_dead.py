"""Dead letters: listed, shown, requeued, dropped."""

from __future__ import annotations

import pytest
from nats.js.errors import NotFoundError

from chassis import dead
from chassis.bus import Bus
from chassis.consume import Dead, Done
from chassis.db import Database
from chassis.envelope import to_headers
from chassis.errors import Refused
from chassis.tx import Tx
from contracts.hotline import RiskFlagged
from tests.chassis.helpers import a_flag, case_ids, consuming, fetch, messages_in, open_case, publish, settle


async def letters(bus: Bus) -> list[dead.Letter]:
    return [letter async for letter in dead.letters(bus)]


async def refuse(flag: RiskFlagged, tx: Tx) -> None:
    raise Refused("unknown_division", "there is no such division", "division")


async def bury(bus: Bus, database: Database, *flags: RiskFlagged) -> list[dead.Letter]:
    await publish(bus, *flags)
    return await bury_waiting(bus, database, len(flags))


async def bury_waiting(bus: Bus, database: Database, count: int) -> list[dead.Letter]:
    work = consuming(bus, database, refuse)
    group = await fetch(work, count)
    await settle(work, group, await work.handle(group))
    return await letters(bus)


async def test_a_letter_holds_what_was_received_and_why_it_was_not_taken(bus: Bus, database: Database) -> None:
    flag = a_flag()
    (letter,) = await bury(bus, database, flag)
    assert letter == await dead.get(bus, letter.sequence)
    assert (letter.service, letter.consumer, letter.stream, letter.stream_sequence) == (
        "crisis",
        "crisis-hotline",
        "HOTLINE",
        1,
    )
    assert (letter.reason, letter.detail, letter.field) == (
        "unknown_division",
        "there is no such division",
        "division",
    )
    assert (letter.subject, letter.event_id, letter.body) == (flag.subject, str(flag.id), flag.body())
    assert not letter.dropped


async def test_letters_that_failed_in_the_same_way_have_one_fingerprint(bus: Bus, database: Database) -> None:
    found = await bury(bus, database, a_flag(), a_flag())
    assert len({letter.fingerprint for letter in found}) == 1
    assert dead.fingerprint("crisis-hotline", "invalid", "division") != found[0].fingerprint


async def test_a_requeued_event_takes_effect_once_and_its_letter_goes(bus: Bus, database: Database) -> None:
    flag = a_flag()
    (letter,) = await bury(bus, database, flag)
    await dead.requeue(bus, letter)
    assert await letters(bus) == []
    work = consuming(bus, database, open_case)
    assert await work.handle(await fetch(work, 1)) == [Done()]
    assert await case_ids(database) == {flag.id}
    # Somebody who held an older list requeues it once more, under another sequence.
    headers = {**letter.headers, "Nats-Msg-Id": "again"}
    await bus.publish(letter.subject, letter.body, headers, letter.stream)
    assert await work.handle(await fetch(work, 1)) == [Done("duplicate")]
    assert await database.count("outbox", {}) == 1


async def test_an_event_that_left_in_an_atomic_batch_can_be_requeued(bus: Bus, database: Database) -> None:
    flags = [a_flag() for _ in range(40)]
    await bus.publish_batch([(flag.subject, to_headers(flag, "x", None), flag.body()) for flag in flags], "HOTLINE")
    found = await bury_waiting(bus, database, 40)
    assert "Nats-Batch-Id" in found[0].headers, "the broker keeps no such header: this test shows nothing"
    for letter in found[:3]:
        await dead.requeue(bus, letter)
    work = consuming(bus, database, open_case)
    assert await work.handle(await fetch(work, 3)) == [Done()] * 3
    assert await case_ids(database) == {flag.id for flag in flags[:3]}


async def test_a_requeued_event_that_is_refused_again_is_a_letter_again(bus: Bus, database: Database) -> None:
    (letter,) = await bury(bus, database, a_flag())
    await dead.requeue(bus, letter)
    (second,) = await bury_waiting(bus, database, 1)
    assert (second.event_id, second.stream_sequence) == (letter.event_id, 2)


async def test_a_dropped_letter_leaves_who_and_why_and_no_body(bus: Bus, database: Database) -> None:
    (letter,) = await bury(bus, database, a_flag())
    await dead.drop(bus, letter, "operator-1", "sent by mistake")
    (tombstone,) = await letters(bus)
    assert (tombstone.dropped, tombstone.event_id, tombstone.body) == (True, letter.event_id, b"")
    raw = await bus.jetstream.get_msg("DEAD", tombstone.sequence)
    assert "sent by mistake" in (raw.headers or {})["Xinqiao-Dead"]
    with pytest.raises(NotFoundError):
        await dead.get(bus, letter.sequence)
    with pytest.raises(Refused):
        await dead.requeue(bus, tombstone)


async def test_who_dies_between_the_letter_and_the_termination_writes_one_letter(bus: Bus, database: Database) -> None:
    await publish(bus, a_flag())
    work = consuming(bus, database, refuse)
    (message,) = await fetch(work, 1)
    (outcome,) = await work.handle([message])
    assert isinstance(outcome, Dead)
    await dead.bury(bus, "crisis", "crisis-hotline", message, outcome.reason, outcome.detail, outcome.field)
    await message.nak()  # and is gone; it comes again
    await bury_waiting(bus, database, 1)
    assert await messages_in(bus, "DEAD") == 1


async def test_reading_a_stream_leaves_no_consumer_behind(bus: Bus, database: Database) -> None:
    await bury(bus, database, *(a_flag() for _ in range(3)))
    assert len(await letters(bus)) == 3
    assert (await bus.jetstream.stream_info("DEAD")).state.consumer_count == 0


async def test_what_is_no_letter_does_not_hide_the_letters_and_can_be_dropped(bus: Bus, database: Database) -> None:
    """A publisher may have the broker's answer to it sent anywhere, into this stream too."""
    await bus.client.publish("xinqiao.hotline.risk_flagged.v9.370812", b"{}", reply="xinqiao.dead.crisis.hotline")
    found = await bury_waiting(bus, database, 1)
    stray, letter = found
    assert (stray.reason, letter.reason) == ("not_a_letter", "unknown_version")
    with pytest.raises(Refused):
        await dead.requeue(bus, stray)
    await dead.drop(bus, stray, "operator-1", "not ours")
    assert [found.reason for found in await letters(bus) if not found.dropped] == ["unknown_version"]

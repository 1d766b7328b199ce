"""What becomes of a message: once, again after a while, or a dead letter; and never a silence."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from chassis import dead
from chassis.bus import Bus
from chassis.clock import new_id
from chassis.consume import Again, Consuming, Dead, Done
from chassis.db import Database
from chassis.envelope import MAX_BODY, to_headers
from chassis.errors import Refused
from chassis.tx import Tx
from contracts.hotline import RiskFlagged
from tests.chassis.helpers import (
    COUNTY,
    Mongod,
    a_flag,
    a_release,
    api,
    case_ids,
    consuming,
    ended,
    fetch,
    messages_in,
    open_case,
    publish,
    settle,
    the_consumer,
    unsettled,
    until,
)
from tests.support.servers import open_database

FLAGS = the_consumer("crisis", "HOTLINE")


@asynccontextmanager
async def at_work(work: Consuming) -> AsyncIterator[None]:
    running = asyncio.create_task(work.run())
    try:
        yield
    finally:
        work.stop()
        await ended(running)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.consume.DELAYS", (0.2, 0.05, 0.05))


async def letters(bus: Bus) -> list[dead.Letter]:
    return [letter async for letter in dead.letters(bus)]


async def all_settled(bus: Bus) -> None:
    async def settled() -> bool:
        return await unsettled(bus, FLAGS) == 0

    await until(settled, what="an empty consumer")


async def flags_counted(database: Database) -> int:
    row = await database.get("counts", COUNTY)
    return row["flags"] if row else 0


@pytest.mark.usefixtures("soon")
async def test_a_message_that_failed_is_tried_again_after_its_delay_and_takes_effect_once(
    bus: Bus, database: Database
) -> None:
    tries: list[float] = []

    async def second_time_lucky(flag: RiskFlagged, tx: Tx) -> None:
        await open_case(flag, tx)
        tries.append(asyncio.get_running_loop().time())
        if len(tries) == 1:
            raise ZeroDivisionError

    flag = a_flag()
    async with at_work(consuming(bus, database, second_time_lucky)):
        await publish(bus, flag)
        await until(lambda: len(tries) == 2)
        await all_settled(bus)
    assert tries[1] - tries[0] >= 0.19
    assert await case_ids(database) == {flag.id}
    assert await flags_counted(database) == 1
    assert await letters(bus) == []


@pytest.mark.usefixtures("soon")
async def test_a_message_that_always_fails_becomes_a_dead_letter_after_its_last_delay(
    bus: Bus, database: Database
) -> None:
    tries = 0

    async def fail(flag: RiskFlagged, tx: Tx) -> None:
        nonlocal tries
        tries += 1
        await open_case(flag, tx)
        raise ZeroDivisionError("the text of an error may quote a person")

    flag = a_flag()
    async with at_work(consuming(bus, database, fail)):
        await publish(bus, flag)
        await until(lambda: tries == 4)
        await all_settled(bus)
    (letter,) = await letters(bus)
    assert (letter.reason, letter.deliveries, letter.event_id) == ("failed", 4, str(flag.id))
    assert letter.body == flag.body()
    assert "ZeroDivisionError" in letter.detail
    assert "quote" not in letter.detail
    assert await case_ids(database) == set()


async def test_what_is_refused_becomes_a_dead_letter_at_once_with_its_reason_and_field(
    bus: Bus, database: Database
) -> None:
    async def refuse(flag: RiskFlagged, tx: Tx) -> None:
        raise Refused("unknown_division", "there is no such division", "division")

    async with at_work(consuming(bus, database, refuse)):
        await publish(bus, a_flag())
        await until(lambda: _is(messages_in(bus, "DEAD"), 1))
        await all_settled(bus)
    (letter,) = await letters(bus)
    assert (letter.reason, letter.field, letter.deliveries) == ("unknown_division", "division", 1)


async def _is(answer: Awaitable[int], wanted: int) -> bool:
    return await answer == wanted


async def refuse_plainly(flag: RiskFlagged, tx: Tx) -> None:
    tx.put("cases", {"_id": "half"})
    tx.emit(a_release(tx, flag.id))
    raise Refused("no", "no", "contact")


async def refuse_after_a_query(flag: RiskFlagged, tx: Tx) -> None:
    tx.put("cases", {"_id": "half"})
    await tx.find("cases", {"contact": "nobody"})
    raise Refused("no", "no", "contact")


async def break_down(flag: RiskFlagged, tx: Tx) -> None:
    tx.put("cases", {"_id": "half"})
    raise ZeroDivisionError


async def collide(flag: RiskFlagged, tx: Tx) -> None:
    tx.put("cases", {"_id": "half"})
    tx.insert("cases", {"_id": "taken"})


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [(refuse_plainly, Dead), (refuse_after_a_query, Dead), (break_down, Again), (collide, Again)],
)
async def test_one_bad_member_of_a_group_harms_no_other(
    bus: Bus, database: Database, bad: Callable[[RiskFlagged, Tx], Awaitable[None]], outcome: type
) -> None:
    async def taken(tx: Tx) -> None:
        tx.insert("cases", {"_id": "taken"})

    async def handler(flag: RiskFlagged, tx: Tx) -> None:
        await (bad if flag.contact == "bad" else open_case)(flag, tx)

    await database.transact(taken)
    flags = [a_flag(contact="bad" if number == 7 else "good") for number in range(20)]
    await publish(bus, *flags)
    work = consuming(bus, database, handler)
    outcomes = await work.handle(await fetch(work, 20))
    assert [type(found) for found in outcomes] == [outcome if flag.contact == "bad" else Done for flag in flags]
    good = {flag.id for flag in flags if flag.contact == "good"}
    assert await case_ids(database) == good | {"taken"}
    assert await flags_counted(database) == 19
    assert await database.count("outbox", {}) == 19
    claims = await database.find("claims", {})
    assert {row["_id"] for row in claims} == {f"crisis-hotline:{ident}" for ident in good}


async def test_a_handler_that_hangs_counts_as_one_that_failed_and_holds_up_no_other(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.db.BODY_SECONDS", 0.3)

    async def handler(flag: RiskFlagged, tx: Tx) -> None:
        if flag.contact == "bad":
            await asyncio.Event().wait()
        await open_case(flag, tx)

    flags = [a_flag(contact="bad" if number == 1 else "good") for number in range(3)]
    await publish(bus, *flags)
    work = consuming(bus, database, handler)
    assert [type(found) for found in await work.handle(await fetch(work, 3))] == [Done, Again, Done]
    assert await case_ids(database) == {flags[0].id, flags[2].id}


async def test_two_inserts_of_one_key_in_a_group_end_as_they_would_one_by_one(bus: Bus, database: Database) -> None:
    async def handler(flag: RiskFlagged, tx: Tx) -> None:
        tx.insert("cases", {"_id": flag.contact, "flag": flag.id})

    first, second = a_flag(contact="same"), a_flag(contact="same")
    await publish(bus, first, second)
    work = consuming(bus, database, handler)
    assert [type(found) for found in await work.handle(await fetch(work, 2))] == [Done, Again]
    case = await database.get("cases", "same")
    assert case is not None
    assert case["flag"] == first.id


async def _publish_as(bus: Bus, flag: RiskFlagged, message_id: str) -> None:
    headers = {**to_headers(flag, "hotline", None), "Nats-Msg-Id": message_id}
    await bus.publish(flag.subject, flag.body(), headers, "HOTLINE")


async def test_an_event_that_comes_many_times_takes_effect_once(bus: Bus, database: Database) -> None:
    flag = a_flag()
    for number in range(3):
        await _publish_as(bus, flag, f"copy-{number}")
    work = consuming(bus, database)
    group = await fetch(work, 3)
    assert await work.handle(group) == [Done(), Done("duplicate"), Done("duplicate")]
    await _publish_as(bus, flag, "much later")
    assert await work.handle(await fetch(work, 1)) == [Done("duplicate")]
    assert await flags_counted(database) == 1
    assert await database.count("outbox", {}) == 1


async def test_an_id_taken_again_with_another_body_is_a_dead_letter_and_the_first_stays(
    bus: Bus, database: Database
) -> None:
    flag = a_flag(contact="first")
    work = consuming(bus, database)
    await _publish_as(bus, flag, "one")
    await _publish_as(bus, flag.model_copy(update={"contact": "second"}), "two")
    group = await fetch(work, 2)
    outcomes = await work.handle(group)
    await settle(work, group, outcomes)
    (letter,) = await letters(bus)
    assert letter.reason == "id_reused"
    assert [case["contact"] for case in await database.find("cases", {})] == ["first"]


async def _short_ack_wait(bus: Bus) -> None:
    found = (await api(bus, f"CONSUMER.INFO.HOTLINE.{FLAGS.name}"))["config"]
    wanted = {"stream_name": "HOTLINE", "config": {**found, "ack_wait": 500_000_000}}
    assert "error" not in await api(bus, f"CONSUMER.DURABLE.CREATE.HOTLINE.{FLAGS.name}", wanted)


async def test_who_dies_after_the_commit_and_before_the_ack_has_its_messages_again_without_a_second_effect(
    bus: Bus, database: Database
) -> None:
    await _short_ack_wait(bus)
    flags = [a_flag() for _ in range(5)]
    await publish(bus, *flags)
    dies = consuming(bus, database)
    await dies.handle(await fetch(dies, 5))  # and is gone
    async with at_work(consuming(bus, database)):
        await all_settled(bus)
    assert await case_ids(database) == {flag.id for flag in flags}
    assert await flags_counted(database) == 5


async def test_who_dies_in_the_middle_of_a_transaction_leaves_nothing_and_the_messages_come_again(
    bus: Bus, database: Database
) -> None:
    await _short_ack_wait(bus)
    entered = asyncio.Event()

    async def hang(flag: RiskFlagged, tx: Tx) -> None:
        await open_case(flag, tx)
        await tx.flush()
        entered.set()
        await asyncio.Event().wait()

    flag = a_flag()
    await publish(bus, flag)
    dies = asyncio.create_task(consuming(bus, database, hang).run())
    await asyncio.wait_for(entered.wait(), 10)
    dies.cancel()
    await asyncio.wait({dies})
    assert await case_ids(database) == set()
    async with at_work(consuming(bus, database)):
        await all_settled(bus)
    assert await case_ids(database) == {flag.id}
    assert await flags_counted(database) == 1


async def test_while_the_database_is_away_the_group_waits_and_no_failure_is_counted(
    bus: Bus, own_mongod: Mongod
) -> None:
    database = open_database(own_mongod.uri, "crisis", "test")
    await database.prepare({"cases": [], "counts": []}, 30)
    waits = {"consumer": FLAGS.name, "why": "unavailable"}
    before = REGISTRY.get_sample_value("xinqiao_group_retries_total", waits) or 0
    flags = [a_flag() for _ in range(5)]
    async with at_work(consuming(bus, database)):
        own_mongod.kill()
        await publish(bus, *flags)
        await until(lambda: (REGISTRY.get_sample_value("xinqiao_group_retries_total", waits) or 0) > before, 30)
        await own_mongod.start()
        await all_settled(bus)
    assert await case_ids(database) == {flag.id for flag in flags}
    assert await flags_counted(database) == 5
    assert await letters(bus) == []
    database.close()


async def test_a_message_that_may_be_what_ends_the_process_is_not_tried_for_ever(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.consume.DELAYS", (0.01,) * 20)
    monkeypatch.setattr("chassis.consume.TOO_OFTEN", 3)
    tries = 0

    async def fail(flag: RiskFlagged, tx: Tx) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError

    async with at_work(consuming(bus, database, fail)):
        await publish(bus, a_flag())
        await until(lambda: _is(messages_in(bus, "DEAD"), 1))
        await all_settled(bus)
    (letter,) = await letters(bus)
    assert (letter.reason, tries) == ("redelivered_too_often", 3)


TIME = "2026-11-22T08:00:00+08:00"
SUBJECT = f"xinqiao.hotline.risk_flagged.v1.{COUNTY}"
BAD: list[tuple[str, str, dict[str, str], bytes]] = [
    ("malformed_json", SUBJECT, {}, b'{"hotline": '),
    ("malformed_json", SUBJECT, {}, b"\xff\xfe"),
    ("malformed_json", SUBJECT, {}, b"[" * 5_000),
    ("not_an_object", SUBJECT, {}, b"[]"),
    ("invalid", SUBJECT, {}, b"{}"),
    ("invalid", SUBJECT, {"ce-time": "yesterday"}, a_flag().body()),
    ("invalid", SUBJECT, {"ce-time": "2026-11-22T08:00:00"}, a_flag().body()),
    ("invalid", SUBJECT, {"ce-time": "0001-01-01T00:00:00+08:00"}, a_flag().body()),
    ("invalid", SUBJECT, {}, a_flag(county="370811").body()),
    ("bad_envelope", SUBJECT, {"ce-id": "not-a-uuid"}, a_flag().body()),
    ("bad_envelope", SUBJECT, {}, b'{"id": "x"}'),
    ("type_mismatch", SUBJECT, {"ce-type": "crisis.case_closed"}, a_flag().body()),
    ("unknown_version", f"xinqiao.hotline.risk_flagged.v9.{COUNTY}", {}, a_flag().body()),
    ("unknown_version", f"xinqiao.hotline.risk_flagged.v².{COUNTY}", {}, a_flag().body()),
    ("unknown_version", f"xinqiao.hotline.risk_flagged.v01.{COUNTY}", {}, a_flag().body()),
    ("unknown_type", f"xinqiao.hotline.something_else.v1.{COUNTY}", {}, a_flag().body()),
    ("unknown_subject", "xinqiao.hotline.risk_flagged", {}, a_flag().body()),
    ("too_large", SUBJECT, {}, b'{"x": "' + b"x" * (MAX_BODY + 1) + b'"}'),
]


async def test_every_kind_of_bad_message_has_its_end_and_stops_nothing(bus: Bus, database: Database) -> None:
    async with at_work(consuming(bus, database)):
        for _, subject, headers, body in BAD:
            complete = {"ce-id": str(new_id()), "ce-time": TIME, **headers}
            await bus.publish(subject, body, complete, "HOTLINE")
        flag = a_flag()
        await publish(bus, flag)
        await all_settled(bus)
    found = sorted(await letters(bus), key=lambda letter: letter.stream_sequence)
    assert [letter.reason for letter in found] == [reason for reason, *_ in BAD]
    assert {letter.deliveries for letter in found} == {1}
    assert await case_ids(database) == {flag.id}


async def test_a_message_too_large_to_be_copied_leaves_a_letter_that_says_where_it_is(
    bus: Bus, database: Database
) -> None:
    limit = bus.client.max_payload
    headers = {"ce-id": str(new_id()), "ce-time": TIME, **{f"x-{number}": "x" * 1_000 for number in range(30)}}
    async with at_work(consuming(bus, database)):
        await bus.publish(SUBJECT, b"x" * (limit - 40_000), headers, "HOTLINE")
        await until(lambda: _is(messages_in(bus, "DEAD"), 1))
        await all_settled(bus)
    (letter,) = await letters(bus)
    assert (letter.reason, letter.cut, letter.stream, letter.stream_sequence) == ("too_large", True, "HOTLINE", 1)
    assert letter.event_id == headers["ce-id"]
    with pytest.raises(Refused):
        await dead.requeue(bus, letter)


HOSTILE: list[bytes] = [
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    b"NATS/1.0\r\nno colon at all\r\n\r\n",
    b"NATS/1.0\r\nce-id: \xff\xfe\r\nce-time: \xff\r\n\r\n",
    b"NATS/1.0\r\nNats-Rollup: sub\r\nce-id: x\r\n\r\n",
]


@pytest.fixture
def raw(nats_server: str) -> Iterator[Callable[[str, bytes, bytes], None]]:
    """Publishes bytes that no client library would send."""
    host, port = nats_server.removeprefix("nats://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.settimeout(10)
        wire.recv(65_536)
        wire.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')

        def send(subject: str, headers: bytes, body: bytes) -> None:
            sizes = f"{len(headers)} {len(headers) + len(body)}"
            wire.sendall(f"HPUB {subject} {sizes}\r\n".encode() + headers + body + b"\r\nPING\r\n")
            while b"PONG" not in wire.recv(65_536):
                pass

        yield send


async def test_headers_that_no_client_would_send_stop_nothing(
    bus: Bus, database: Database, raw: Callable[[str, bytes, bytes], None]
) -> None:
    flags = []
    async with at_work(consuming(bus, database)):
        for headers in HOSTILE:
            raw(SUBJECT, headers, a_flag().body())
            flags.append(a_flag())
            await publish(bus, flags[-1])

        async def all_there() -> bool:
            return await case_ids(database) == {flag.id for flag in flags}

        await until(all_there, 20, "the good flags")
        await all_settled(bus)
    # The last one asks for what the stream does not allow, and never gets in.
    assert [letter.reason for letter in await letters(bus)] == ["bad_envelope"] * (len(HOSTILE) - 1)


async def test_a_stranger_cannot_grow_the_metrics(bus: Bus, database: Database) -> None:
    for number in range(5):
        await bus.publish(f"xinqiao.hotline.risk_flagged.v{900 + number}.{COUNTY}", b"{}", {}, "HOTLINE")
    work = consuming(bus, database)
    group: list[Msg] = await fetch(work, 5)
    await settle(work, group, await work.handle(group))
    events = {
        sample.labels["event"]
        for metric in REGISTRY.collect()
        if metric.name == "xinqiao_deliveries"
        for sample in metric.samples
    }
    assert not [event for event in events if "v90" in event]
    assert "unknown" in events


async def test_a_stop_ends_the_wait_for_messages_at_once(bus: Bus, database: Database) -> None:
    work = consuming(bus, database)
    running = asyncio.create_task(work.run())
    flag: Any = a_flag()
    await publish(bus, flag)
    await all_settled(bus)
    work.stop()
    await asyncio.wait_for(running, 2)

"""The counters follow from the log: live, counted again, and while a rebuild runs."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from chassis.bus import Bus
from chassis.consume import Consuming, Handles
from chassis.db import Database
from chassis.envelope import to_headers
from chassis.errors import NotAllowed
from chassis.tx import Tx
from contracts.base import Event
from contracts.topology import consumers_of
from services.reporting import store
from services.reporting.domain import COUNTED, recount
from services.reporting.handlers import count, load_generation
from services.reporting.rebuild import rebuild
from tests.services.reporting.days import opened, some_events


@asynccontextmanager
async def counting(bus: Bus, database: Database, group_size: int = 64) -> AsyncIterator[None]:
    """The service's counting at work."""
    handles = {event: Handles(event, count, load_generation) for event in COUNTED}
    parts = [
        Consuming(consumer, handles, bus, database, group_size)
        for consumer in consumers_of("reporting")
        if consumer.stream != "REGISTRY"
    ]
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for part in parts:
            part.stop()
        with contextlib.suppress(Exception):
            await asyncio.gather(*tasks)


async def publish(bus: Bus, events: Sequence[Event]) -> None:
    for event in events:
        stream = event.context().upper()
        await bus.publish(event.subject, event.body(), to_headers(event, "test", None), stream)


async def counted(database: Database, expected: dict[str, dict[str, int]]) -> None:
    """Wait until the counters are these."""
    wanted = {key: {path: amount for path, amount in row.items() if amount} for key, row in expected.items()}
    wanted = {key: row for key, row in wanted.items() if row}
    deadline = asyncio.get_running_loop().time() + 30
    while (found := await store.counters(database)) != wanted:
        if asyncio.get_running_loop().time() > deadline:
            assert found == wanted
        await asyncio.sleep(0.05)


async def test_live_counters_equal_a_count_of_the_log_and_a_rebuild(bus: Bus, database: Database) -> None:
    """Some events are published twice under another message id, as a requeue does; they count once."""
    events = some_events(11, 400)
    async with counting(bus, database):
        await publish(bus, events)
        for event in events[:30]:
            headers = to_headers(event, "test", None) | {"Nats-Msg-Id": f"requeue:{event.id}"}
            await bus.publish(event.subject, event.body(), headers, event.context().upper())
        await counted(database, recount(events))
    before = await store.counters(database)
    result = await rebuild(bus, database)
    assert await store.counters(database) == before
    assert (result.read, result.counted, result.generation) == (430, 400, "b")
    assert await store.recounted_differences(database, events) == ((await store.totals(database))["flags.total"], [])


async def test_a_rebuild_mends_counters_that_were_damaged(bus: Bus, database: Database) -> None:
    events = some_events(5, 120)
    async with counting(bus, database):
        await publish(bus, events)
        await counted(database, recount(events))

    async def damage(tx: Tx) -> None:
        tx.increment("counters_a", "all|00|0", {"risk.raised": 5})

    await database.transact(damage)
    _, differences = await store.recounted_differences(database, events)
    assert len(differences) == 1
    assert differences[0].startswith("all|00|0: risk.raised is ")
    await rebuild(bus, database)
    assert await store.recounted_differences(database, events) == ((await store.totals(database))["flags.total"], [])


async def test_events_that_arrive_during_a_rebuild_are_counted_once(bus: Bus, database: Database) -> None:
    """The service runs on, and rebuilds follow one another while events come in."""
    events = some_events(7, 600)
    async with counting(bus, database, 16):
        publishing = asyncio.create_task(publish(bus, events))
        generations = []
        while not publishing.done():
            generations.append((await rebuild(bus, database)).generation)
        await publishing
        await counted(database, recount(events))
    assert len(generations) > 1
    assert generations[:2] == ["b", "a"]


async def test_messages_wait_while_a_rebuild_holds_and_then_count(bus: Bus, database: Database) -> None:
    event = opened(datetime(2026, 3, 1, tzinfo=UTC), "370812", random.Random(1))
    generation, mark = await store.hold(database, "mine")
    with pytest.raises(NotAllowed, match="another rebuild"):
        await rebuild(bus, database)
    async with counting(bus, database):
        await publish(bus, [event])
        consumer = next(c for c in consumers_of("reporting") if c.stream == "CRISIS")
        while not (await bus.jetstream.consumer_info(consumer.stream, consumer.name)).num_ack_pending:
            await asyncio.sleep(0.02)
        assert await store.counters(database) == {}
        await store.swap(database, "mine", mark, generation)
        await counted(database, recount([event]))


async def test_a_rebuild_that_lost_its_hold_does_not_swap(database: Database) -> None:
    """What was counted meanwhile would be missing, so the old counters stay."""
    event = opened(datetime(2026, 3, 1, tzinfo=UTC), "370812", random.Random(1))
    generation, mark = await store.hold(database, "mine")
    await store.let_go(database, "mine")
    await database.transact(lambda tx: count(event, tx))
    with pytest.raises(NotAllowed, match="hold"):
        await store.swap(database, "mine", mark, generation)
    assert (await store.totals(database))["cases.total"] == 1


async def test_a_backup_is_caught_up_with_by_reading_the_log_again(bus: Bus, database: Database) -> None:
    """The database lost its last events, claims and all; the broker had them acknowledged."""
    events = some_events(9, 80)
    async with counting(bus, database):
        await publish(bus, events)
        await counted(database, recount(events))
        lost = [row["_id"] for row in await database.find("claims", {}, limit=30)]
        await database.delete_many("claims", lost)
        result = await rebuild(bus, database, reread=True)
        assert result.counted == 50
        await counted(database, recount(events))

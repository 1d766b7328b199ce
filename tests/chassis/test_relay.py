"""The outbox relay: in order, once on the stream, and nothing lost whatever is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis import dead
from chassis.bus import Bus
from chassis.clock import new_id
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.provision import provision
from chassis.relay import LEASE, Relay
from chassis.tx import Tx
from tests.chassis.helpers import NatsServer, a_release, api, ended, messages_in, until
from tests.support.servers import open_database


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.relay.POLL_SECONDS", 0.1)
    monkeypatch.setattr("chassis.relay.RENEW_SECONDS", 0.1)
    monkeypatch.setattr("chassis.bus.PUBLISH_SECONDS", 0.5)


def a_relay(bus: Bus, database: Database, holder: str = "one") -> Relay:
    relay = Relay(bus, database, "crisis", holder)
    database.committed = lambda tx: relay.offer(tx.outbox)
    return relay


@asynccontextmanager
async def at_work(relay: Relay) -> AsyncIterator[None]:
    running = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        await ended(running)


async def emit(database: Database, count: int) -> list[str]:
    """Commit one transaction with so many events; their ids in order."""

    async def body(tx: Tx) -> list[str]:
        for _ in range(count):
            tx.emit(a_release(tx, new_id()))
        return [str(row["_id"]) for row in tx.outbox]

    return await database.transact(body)


async def on_the_stream(bus: Bus) -> list[str]:
    return [(message.headers or {})["ce-id"] async for message in dead.read_stream(bus, "CRISIS", ["xinqiao.crisis.>"])]


async def empty_outbox(database: Database) -> None:
    async def empty() -> bool:
        return await database.count("outbox", {}) == 0

    await until(empty, 30, "an empty outbox")


def fallbacks(why: str) -> float:
    return REGISTRY.get_sample_value("xinqiao_relay_fallbacks_total", {"why": why}) or 0


async def test_events_leave_in_the_order_of_their_commits_through_a_backlog_and_live(
    bus: Bus, database: Database
) -> None:
    wanted = [ident for _ in range(11) for ident in await emit(database, 200)]  # committed while nobody relayed
    async with at_work(a_relay(bus, database)):
        for _ in range(60):
            wanted += await emit(database, 3)
        await empty_outbox(database)
    assert await on_the_stream(bus) == wanted


async def _rows(database: Database) -> list[tuple[str, dict[str, str], bytes]]:
    found = await database.find("outbox", {}, sort=[("_id", 1)])
    return [(row["subject"], row["headers"], row["body"]) for row in found]


async def test_who_died_between_the_publish_and_the_removal_leaves_no_double(bus: Bus, database: Database) -> None:
    wanted = await emit(database, 40)
    await bus.publish_batch(await _rows(database), "CRISIS")  # and is gone
    before = fallbacks("duplicate")
    async with at_work(a_relay(bus, database)):
        await empty_outbox(database)
    assert await on_the_stream(bus) == wanted
    assert fallbacks("duplicate") == before + 1


async def test_a_batch_with_one_event_that_was_published_before_goes_out_one_by_one(
    bus: Bus, database: Database
) -> None:
    wanted = await emit(database, 40)
    seen = (await _rows(database))[3]
    await bus.publish(seen[0], seen[2], seen[1], "CRISIS")
    async with at_work(a_relay(bus, database)):
        await empty_outbox(database)
    found = await on_the_stream(bus)
    assert sorted(found) == sorted(wanted)
    assert found[0] == wanted[3]


async def test_a_removal_that_failed_is_made_up_for(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = database.delete_many
    calls = 0

    async def unsteady(collection: str, keys: list[Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Unavailable("for now")
        await remove(collection, keys)

    monkeypatch.setattr(database, "delete_many", unsteady)
    async with at_work(a_relay(bus, database)):
        wanted = await emit(database, 5)
        await empty_outbox(database)
    assert await on_the_stream(bus) == wanted


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_while_the_broker_is_away_events_wait_and_then_all_arrive_once(
    own_nats: NatsServer, database: Database, fault: str
) -> None:
    bus = Bus(own_nats.url, "crisis", None)
    await bus.connect()
    await provision(bus)
    async with at_work(a_relay(bus, database)):
        wanted = await emit(database, 20)
        await empty_outbox(database)
        if fault == "killed":
            own_nats.kill()
        else:
            own_nats.freeze()
        before = fallbacks("away")
        for _ in range(5):
            wanted += await emit(database, 40)
        await until(lambda: fallbacks("away") > before, 20, "a batch that met nobody")
        assert await database.count("outbox", {}) == 200
        if fault == "killed":
            await own_nats.start()
        else:
            own_nats.thaw()
        await empty_outbox(database)
        assert await on_the_stream(bus) == wanted
    await bus.close()


async def test_a_full_stream_makes_events_wait_and_loses_none(bus: Bus, database: Database) -> None:
    config = (await api(bus, "STREAM.INFO.CRISIS"))["config"]
    assert "error" not in await api(bus, "STREAM.UPDATE.CRISIS", {**config, "max_msgs": 5})
    before = fallbacks("refused")
    async with at_work(a_relay(bus, database)):
        wanted = await emit(database, 40)
        await until(lambda: fallbacks("refused") > before, what="a refusal")
        await until(lambda: _full(bus), what="a full stream")
        assert await database.count("outbox", {}) == 40
        assert "error" not in await api(bus, "STREAM.UPDATE.CRISIS", {**config, "max_msgs": -1})
        await empty_outbox(database)
    assert await on_the_stream(bus) == wanted


async def _full(bus: Bus) -> bool:
    return await messages_in(bus, "CRISIS") == 5


async def test_what_a_replica_without_the_lease_commits_the_holder_publishes(
    bus: Bus, database: Database, mongod: str, database_name: str
) -> None:
    second = open_database(mongod, "crisis", database_name)
    async with at_work(a_relay(bus, database, "one")):
        await empty_outbox(database)
        await until(lambda: _held_by(database, "one"))
        other = a_relay(bus, second, "two")
        async with at_work(other):
            wanted = await emit(second, 10)
            await empty_outbox(database)
            assert not other._leads()
    assert await on_the_stream(bus) == wanted
    second.close()


async def _held_by(database: Database, holder: str) -> bool:
    lease = await database.get("leases", LEASE)
    return lease is not None and lease["holder"] == holder


async def test_the_heir_of_a_dead_holder_publishes_what_it_left(bus: Bus, database: Database) -> None:
    assert await database.take_lease(LEASE, "dead", 0.5)
    wanted = await emit(database, 10)
    async with at_work(a_relay(bus, database, "heir")):
        await empty_outbox(database)
    assert await on_the_stream(bus) == wanted


async def test_a_stop_publishes_what_was_committed_before_it(bus: Bus, database: Database) -> None:
    relay = a_relay(bus, database)
    async with at_work(relay):
        await until(lambda: _held_by(database, "one"))
        await until(lambda: not relay._behind)
        wanted = await emit(database, 50)
    assert await on_the_stream(bus) == wanted
    assert await database.count("outbox", {}) == 0
    assert await database.get("leases", LEASE) is None

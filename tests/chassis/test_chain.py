"""A message becomes writes and events, once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.consume import Consuming, Handles
from chassis.db import Database
from chassis.envelope import to_headers
from chassis.relay import Relay
from chassis.tx import Tx
from contracts.crisis import ResponderReleased
from contracts.hotline import RiskFlagged
from contracts.topology import consumers_of
from tests.support.servers import open_database


@pytest.fixture
async def database(mongod: str, database_name: str) -> AsyncIterator[Database]:
    opened = open_database(mongod, "crisis", database_name)
    await opened.prepare({"cases": []}, 30)
    yield opened
    opened.close()


def a_flag(county: str = "370812") -> RiskFlagged:
    moment = now()
    return RiskFlagged(
        id=new_id(),
        occurred_at=moment,
        region=county,
        hotline="line-1",
        contact="c1",
        channel="call",
        county=county,
        contact_started_at=moment,
        flagged_at=moment,
    )


async def open_case(flag: RiskFlagged, tx: Tx) -> None:
    tx.insert("cases", {"_id": flag.id, "at": tx.now})
    tx.emit(ResponderReleased(**tx.stamp(flag.place), request_id=uuid.uuid4(), case_id=flag.id, division=flag.place))


async def test_three_hundred_flags_take_effect_once(bus: Bus, database: Database) -> None:
    (consumer,) = [c for c in consumers_of("crisis") if c.stream == "HOTLINE"]
    consuming = Consuming(consumer, {RiskFlagged: Handles(RiskFlagged, open_case)}, bus, database, 128)
    relay = Relay(bus, database, "crisis", "test")
    database.committed = lambda tx: relay.offer(tx.outbox)
    tasks = [asyncio.create_task(consuming.run()), asyncio.create_task(relay.run())]
    flags = [a_flag() for _ in range(300)]
    for flag in flags + flags[:20]:
        await bus.publish(flag.subject, flag.body(), to_headers(flag, "hotline", None), "HOTLINE")
    deadline = asyncio.get_running_loop().time() + 20
    while asyncio.get_running_loop().time() < deadline:
        state = (await bus.jetstream.stream_info("CRISIS")).state
        if state.messages == 300 and await database.count("outbox", {}) == 0:
            break
        await asyncio.sleep(0.05)
    assert await database.count("cases", {}) == 300
    assert (await bus.jetstream.stream_info("CRISIS")).state.messages == 300
    assert await database.count("outbox", {}) == 0
    consuming.stop()
    relay.stop()
    await asyncio.gather(*tasks)

"""Timers: each takes effect at its second, once, whatever becomes of the wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.bus import Bus
from chassis.clock import now
from chassis.db import Database
from chassis.timers import Timers
from chassis.tx import Tx
from tests.chassis.helpers import api, ended, the_consumer, until
from tests.support.servers import open_database


@pytest.fixture(autouse=True)
def _no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the sweep at start: what fires later was woken by the broker."""
    monkeypatch.setattr("chassis.timers.SWEEP_SECONDS", 3_600.0)


async def remind(key: Any, tx: Tx) -> None:
    if key == "bad":
        raise ZeroDivisionError
    tx.increment("counts", key, {"fired": 1})
    tx.put("cases", {"_id": key, "fired_at": tx.now})


@asynccontextmanager
async def timers(bus: Bus, database: Database) -> AsyncIterator[Timers]:
    work = Timers(the_consumer("crisis", "TIMERS"), {"remind": remind}, bus, database)
    database.committed = lambda tx: work.wake_at(tx.wakes)
    running = asyncio.create_task(work.run())
    try:
        yield work
    finally:
        work.stop()
        await ended(running)


async def set_timers(database: Database, due: dict[str, datetime]) -> None:
    async def body(tx: Tx) -> None:
        for key, moment in due.items():
            tx.set_timer("remind", key, moment)

    await database.transact(body)


async def fired(database: Database) -> dict[str, int]:
    return {row["_id"]: row["fired"] for row in await database.find("counts", {})}


async def have_fired(database: Database, *keys: str) -> None:
    async def there() -> bool:
        return set(keys) <= set(await fired(database))

    await until(there, 10, f"{keys} fired")


async def test_a_timer_fires_at_its_second_a_moved_one_at_its_new_and_a_cancelled_one_never(
    bus: Bus, database: Database
) -> None:
    start = now()
    due = start + timedelta(seconds=1)
    later = start + timedelta(seconds=2.5)

    async def change(tx: Tx) -> None:
        tx.set_timer("remind", "moved", later)
        tx.cancel_timer("remind", "cancelled")

    async with timers(bus, database):
        await set_timers(database, {"plain": due, "moved": due, "cancelled": due})
        await database.transact(change)
        await have_fired(database, "plain", "moved")
    times = {row["_id"]: row["fired_at"] for row in await database.find("cases", {})}
    assert due <= times["plain"] < due + timedelta(seconds=2)
    assert later <= times["moved"] < later + timedelta(seconds=2)
    assert await fired(database) == {"plain": 1, "moved": 1}
    assert await database.count("timers", {}) == 0


async def test_two_replicas_fire_each_timer_once(bus: Bus, database: Database, mongod: str, database_name: str) -> None:
    second = open_database(mongod, "crisis", database_name)
    keys = [f"timer-{number}" for number in range(40)]
    async with timers(bus, database), timers(bus, second):
        due = now() + timedelta(seconds=1)
        await set_timers(database, dict.fromkeys(keys[:20], due))
        await set_timers(second, dict.fromkeys(keys[20:], due))
        await have_fired(database, *keys)
    assert await fired(database) == dict.fromkeys(keys, 1)
    second.close()


async def test_when_the_broker_forgot_the_wake_ups_the_sweep_fires(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.timers.SWEEP_SECONDS", 0.3)
    async with timers(bus, database) as work:
        await set_timers(database, {"forgotten": now() + timedelta(seconds=2)})
        await until(lambda: bool(work._armed), what="a wake-up")
        assert (await api(bus, "STREAM.PURGE.TIMERS"))["purged"] > 0
        await have_fired(database, "forgotten")
    assert await fired(database) == {"forgotten": 1}


async def test_the_sweep_at_start_fires_what_was_missed_and_arms_what_is_to_come(bus: Bus, database: Database) -> None:
    await set_timers(
        database, {"missed": now() - timedelta(days=1), "to come": now() + timedelta(seconds=2)}
    )  # and nobody is there to be woken
    async with timers(bus, database):
        await have_fired(database, "missed")
        assert "to come" not in await fired(database)
        await have_fired(database, "to come")
    assert await fired(database) == {"missed": 1, "to come": 1}


async def test_a_timer_whose_moment_has_passed_fires_at_once_though_that_second_was_waked_before(
    bus: Bus, database: Database
) -> None:
    async with timers(bus, database):
        first = now()
        await set_timers(database, {"first": first})
        await have_fired(database, "first")
        await set_timers(database, {"second": first})
        await have_fired(database, "second")
        await set_timers(database, {"long ago": first - timedelta(hours=1)})
        await have_fired(database, "long ago")


async def test_a_timer_that_fails_is_put_off_and_holds_up_no_other(bus: Bus, database: Database) -> None:
    moment = now()
    good = [f"good-{number}" for number in range(5)]
    await set_timers(database, dict.fromkeys(["bad", *good], moment))
    async with timers(bus, database):
        await have_fired(database, *good)

        async def put_off() -> bool:
            timer = await database.get("timers", "remind:bad")
            return timer is not None and timer.get("failures", 0) >= 2  # it came again, and was put off again

        await until(put_off, 10)
    bad = await database.get("timers", "remind:bad")
    assert bad is not None
    assert bad["due_at"] > now()
    assert await fired(database) == dict.fromkeys(good, 1)


async def test_an_early_wake_up_waits_for_the_second_to_come(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's clock is ahead: it wakes the service before the timer is due by the service's own."""
    async with timers(bus, database) as work:
        monkeypatch.setattr(work, "wake_at", lambda moments: None)
        second = int(now().timestamp()) + 2
        await set_timers(database, {"early": now().fromtimestamp(second, tz=now().tzinfo)})
        await bus.publish("xinqiao.timers.crisis.due", str(second).encode(), {}, "TIMERS")
        await have_fired(database, "early")


async def test_a_sweep_without_the_database_waits_and_does_not_end_the_process(
    bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    monkeypatch.setattr("chassis.timers.SWEEP_SECONDS", 0.1)
    real = database._majority
    broken = 0

    def sometimes(collection: str) -> Any:
        nonlocal broken
        broken += 1
        if broken % 3:
            raise AutoReconnect("away")
        return real(collection)

    monkeypatch.setattr(database, "_majority", sometimes)
    async with timers(bus, database):
        await until(lambda: broken > 10)
        monkeypatch.setattr(database, "_majority", real)
        await set_timers(database, {"after": now()})
        await have_fired(database, "after")

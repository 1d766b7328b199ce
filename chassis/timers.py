"""Timers: the database holds what is due when, and the broker wakes the service at that second.

A wake-up says nothing but that it is time to look. All timers of one second share one, so their number on the broker
is bounded by the horizon and not by the number of cases. A sweep at start, and each minute, arms what is missing and
fires what was missed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from chassis import observe
from chassis.bus import AWAY, Bus, Refusal
from chassis.clock import now
from chassis.consume import DELAYS, let_go
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.tx import Tx
from contracts.topology import Consumer, schedule_subject, timer_subject

log = logging.getLogger(__name__)

TimerHandler = Callable[[Any, Tx], Awaitable[None]]

HORIZON = timedelta(hours=2)
SWEEP_SECONDS = 60.0
MAX_SKEW_SECONDS = 5.0
TOGETHER = 100
"""Timers that share one transaction, at most."""


class Timers:
    """A service's timers at work."""

    def __init__(self, consumer: Consumer, handlers: Mapping[str, TimerHandler], bus: Bus, database: Database) -> None:
        self._consumer = consumer
        self._handlers = handlers
        self._bus = bus
        self._database = database
        self._armed: set[int] = set()
        self._to_arm: set[int] = set()
        self._arm = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake_at(self, moments: Iterable[datetime]) -> None:
        """Have the broker wake us at these moments, those beyond the horizon later."""
        present = now()
        # A moment that has passed is due in the coming second: the wake-up of its own may have been already.
        seconds = {math.ceil(max(moment, present).timestamp()) for moment in moments if moment <= present + HORIZON}
        if fresh := seconds - self._armed:
            self._to_arm |= fresh
            self._arm.set()

    async def run(self) -> None:
        """Arm, listen and sweep, until stopped."""
        arming = asyncio.create_task(self._keep_arming())
        sweeping = asyncio.create_task(self._keep_sweeping())
        listening = asyncio.create_task(self._listen())
        stopping = asyncio.create_task(self._stopping.wait())
        tasks: set[asyncio.Task[Any]] = {arming, sweeping, listening}
        done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in done & tasks:
            task.result()

    def stop(self) -> None:
        self._stopping.set()

    async def fire_due(self) -> int:
        """Let every timer that is due take effect; how many there were."""
        fired = 0
        while True:
            due = await self._database.find("timers", {"due_at": {"$lte": now()}}, sort=[("due_at", 1)], limit=TOGETHER)
            if not due:
                return fired
            await self._fire([timer["_id"] for timer in due])
            fired += len(due)

    async def _fire(self, keys: list[str]) -> None:
        try:
            kinds = await self._database.transact(lambda tx: self._fire_in(keys, tx))
        except Unavailable:
            raise
        except Exception as error:  # the settle policy for timers: taken apart, then postponed, never dropped
            if len(keys) > 1:
                for key in keys:
                    await self._fire([key])
                return
            log.error("timer %s failed", keys[0].split(":")[0], exc_info=error)
            await self._database.transact(lambda tx: _postpone(keys[0], tx))
            return
        for kind in kinds:
            observe.TIMERS_FIRED.labels(kind).inc()

    async def _fire_in(self, keys: list[str], tx: Tx) -> list[str]:
        fired = []
        await tx.load("timers", keys)
        for key in keys:
            timer = await tx.get("timers", key)
            if timer is None or timer["due_at"] > tx.now:
                continue  # cancelled, moved, or fired by another replica
            tx.delete("timers", key)
            await self._handlers[timer["kind"]](timer["key"], tx)
            fired.append(timer["kind"])
        return fired

    async def sweep(self) -> None:
        """Fire what is overdue, and arm the seconds within the horizon that are not armed."""
        moment = now()
        await self.fire_due()
        overdue = await self._database.count("timers", {"due_at": {"$lte": moment - timedelta(minutes=1)}})
        observe.TIMERS_OVERDUE.set(overdue)
        ahead = self._database.stream("timers", {"due_at": {"$gt": moment, "$lte": moment + HORIZON}})
        self.wake_at([timer["due_at"] async for timer in ahead])

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                await self.sweep()
            except Unavailable:
                log.warning("the timers' sweep waits for the database")
            self._armed = {second for second in self._armed if second > now().timestamp()}
            await asyncio.sleep(SWEEP_SECONDS)

    async def _keep_arming(self) -> None:
        while True:
            await self._arm.wait()
            self._arm.clear()
            seconds, self._to_arm = sorted(self._to_arm), set()
            rows = [self._schedule(second) for second in seconds]
            try:
                await self._bus.publish_batch(rows, self._consumer.stream)
                self._armed.update(seconds)
            except (Unavailable, Refusal) as error:
                log.warning("%d wake-ups wait to be set: %s", len(seconds), error)
                self._to_arm.update(seconds)
                self._arm.set()
                await asyncio.sleep(1.0)

    def _schedule(self, second: int) -> tuple[str, dict[str, str], bytes]:
        at = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {"Nats-Schedule": f"@at {at}", "Nats-Schedule-Target": timer_subject(self._consumer.service)}
        return schedule_subject(self._consumer.service, second), headers, str(second).encode()

    async def _listen(self) -> None:
        subscription = await self._bus.jetstream.pull_subscribe_bind(
            consumer=self._consumer.name,
            stream=self._consumer.stream,
            inbox_prefix=self._bus.inbox_prefix.encode() + b".",
        )
        try:
            await self._hear(subscription)
        finally:
            await let_go(subscription)

    async def _hear(self, subscription: JetStreamContext.PullSubscription) -> None:
        while True:
            try:
                messages = await subscription.fetch(64, timeout=5)
            except (TimeoutError, nats.errors.TimeoutError):
                continue
            except (*AWAY, nats.js.errors.Error, nats.errors.Error) as error:
                log.warning("%s: fetch failed: %s", self._consumer.name, type(error).__name__)
                await asyncio.sleep(1.0)
                continue
            try:
                await _until(max((int(message.data) for message in messages if message.data.isdigit()), default=0))
                await self.fire_due()
                for message in messages:
                    await message.ack()
            except (*AWAY, nats.errors.Error, Unavailable) as error:
                log.warning("the timers wait: %s", type(error).__name__)
                await asyncio.sleep(1.0)


async def _until(second: int) -> None:
    # The broker's clock may be a little before ours, and what is not due by ours would wait for the sweep.
    ahead = second - datetime.now(UTC).timestamp()
    if 0 < ahead < MAX_SKEW_SECONDS:
        await asyncio.sleep(ahead + 0.001)


async def _postpone(key: str, tx: Tx) -> None:
    timer = await tx.get("timers", key)
    if timer is None or timer["due_at"] > tx.now:
        return
    failures = timer.get("failures", 0)
    timer["failures"] = failures + 1
    timer["due_at"] = tx.now + timedelta(seconds=DELAYS[min(failures, len(DELAYS) - 1)])
    tx.put("timers", timer)
    tx.wakes.append(timer["due_at"])

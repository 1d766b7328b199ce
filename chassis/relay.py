"""The outbox relay: what was committed is published, in order, and removed once the broker has it.

One process of a service holds the lease and relays. What it commits itself it publishes from memory at once; what
other replicas commit, or an earlier life left, it finds in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import groupby
from typing import Any

from chassis import observe
from chassis.bus import BATCH_LIMIT, Bus, Refusal
from chassis.clock import now
from chassis.db import Database
from chassis.errors import Unavailable
from contracts.topology import stream_of

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0
POLL_SECONDS = 1.0
LEASE = "relay"
IN_MEMORY_LIMIT = 50_000


class Relay:
    """Publishes a service's outbox."""

    def __init__(self, bus: Bus, database: Database, service: str, holder: str) -> None:
        self._bus = bus
        self._database = database
        self._service = service
        self._holder = holder
        self._fresh: deque[dict[str, Any]] = deque()
        self._in_flight: set[Any] = set()
        self._deleting: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._leading_until = 0.0
        self._behind = True
        self._looked_at = 0.0
        self._stopping = False

    def offer(self, rows: list[dict[str, Any]]) -> None:
        """Rows that were just committed here."""
        if not rows:
            return
        if self._behind or not self._leads() or len(self._fresh) > IN_MEMORY_LIMIT:
            self._behind = True
        else:
            self._fresh.extend(rows)
            self._in_flight.update(row["_id"] for row in rows)
        self._wake.set()

    async def run(self) -> None:
        """Relay while holding the lease, until stopped and empty."""
        renewing = asyncio.create_task(self._keep_lease())
        try:
            while not self._stopping or self._fresh:
                try:
                    await self._step()
                except (Unavailable, Refusal) as error:
                    log.warning("the outbox waits: %s", error)
                    self._forget()
                    if self._stopping:
                        return
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            renewing.cancel()
            if self._deleting:
                await asyncio.wait(self._deleting, timeout=5)
            await self._database.give_up_lease(LEASE, self._holder)

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _step(self) -> None:
        if not self._leads():
            self._forget()
            await self._wait()
        elif self._fresh:
            await self._publish([self._fresh.popleft() for _ in range(min(len(self._fresh), BATCH_LIMIT))])
        elif self._behind or asyncio.get_running_loop().time() - self._looked_at >= POLL_SECONDS:
            await self._relay_stored()
        else:
            await self._wait()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            pass
        self._wake.clear()

    async def _relay_stored(self) -> bool:
        """Publish what the outbox holds besides what is in flight; true when nothing was left."""
        self._behind = False
        self._looked_at = asyncio.get_running_loop().time()
        rows = await self._database.find("outbox", {}, sort=[("_id", 1)], limit=BATCH_LIMIT + len(self._in_flight))
        rows = [row for row in rows if row["_id"] not in self._in_flight][:BATCH_LIMIT]
        observe.OUTBOX_SIZE.set(len(rows) + len(self._in_flight))
        observe.OUTBOX_AGE.set((now() - rows[0]["at"]).total_seconds() if rows else 0)
        if not rows:
            return True
        if len(rows) == BATCH_LIMIT:  # there is more, older than what came in the meantime
            self._in_flight.difference_update(row["_id"] for row in self._fresh)
            self._fresh.clear()
            self._behind = True
        self._in_flight.update(row["_id"] for row in rows)
        await self._publish(rows)
        return False

    async def _publish(self, rows: list[dict[str, Any]]) -> None:
        # Most rows are the service's own; a gateway's outbox holds a hotline's events too, and a batch has one stream.
        for stream, run in groupby(rows, key=lambda row: stream_of(row["subject"])):
            await self._bus.publish_batch([(row["subject"], row["headers"], row["body"]) for row in run], stream)
        for row in rows:
            observe.PUBLISHED.labels(row["headers"]["ce-type"]).inc()
        task = asyncio.create_task(self._remove([row["_id"] for row in rows]))
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)
        if len(self._deleting) > 2:
            await asyncio.wait(self._deleting, return_when=asyncio.FIRST_COMPLETED)

    async def _remove(self, keys: list[Any]) -> None:
        try:
            await self._database.delete_many("outbox", keys)
        except Unavailable:
            # They are published again later, and the broker drops them by their ids.
            self._behind = True
        finally:
            self._in_flight.difference_update(keys)

    def _forget(self) -> None:
        """Give up what is in memory; the outbox has it all."""
        self._fresh.clear()
        self._in_flight.clear()
        self._behind = True

    def _leads(self) -> bool:
        return asyncio.get_running_loop().time() < self._leading_until

    async def _keep_lease(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            try:
                if await self._database.take_lease(LEASE, self._holder, LEASE_SECONDS):
                    led = self._leads()
                    self._leading_until = asked + LEASE_SECONDS - 2.0
                    if not led:
                        self._wake.set()
            except Unavailable:
                pass
            await asyncio.sleep(RENEW_SECONDS)

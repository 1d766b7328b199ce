"""A service put together from its parts, run, and stopped without losing what it holds."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI

from chassis import audit_log, observe
from chassis.auth import Tokens
from chassis.bus import Bus
from chassis.consume import Consuming, Handles
from chassis.db import Database
from chassis.http import create_app
from chassis.relay import Relay
from chassis.settings import Settings
from chassis.timers import TimerHandler, Timers
from chassis.tx import Tx
from contracts.topology import consumers_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blueprint:
    """What a service is made of besides the chassis."""

    title: str
    collections: Mapping[str, list[Any]]
    handles: Sequence[Handles]
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    routes: Callable[[FastAPI, Service], None] = lambda app, service: None
    prepare: Callable[[Service], Awaitable[None]] | None = None


class _Server(uvicorn.Server):
    """Leaves the signals to the service, which has more than HTTP to stop."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class Service:
    """One process of a service."""

    def __init__(self, settings: Settings, blueprint: Blueprint) -> None:
        self.settings = settings
        self.name = settings.service
        self.blueprint = blueprint
        self.database = Database(settings.mongo_uri, self.name)
        self.bus = Bus(settings.nats_url, self.name, settings.nats_nkey_file)
        self.tokens = Tokens(settings.token_keys_file, settings.token_issuer, settings.token_audience)
        holder = f"{socket.gethostname()}:{os.getpid()}:{settings.instance}"
        self.relay = Relay(self.bus, self.database, self.name, holder)
        handles = {handled.event: handled for handled in blueprint.handles}
        self.consuming: list[Consuming] = []
        self.timers: Timers | None = None
        for consumer in consumers_of(self.name):
            if consumer.stream == "TIMERS":
                self.timers = Timers(consumer, blueprint.timers, self.bus, self.database)
            else:
                self.consuming.append(Consuming(consumer, handles, self.bus, self.database, settings.group_size))
        self.database.committed = self._committed
        self.app = create_app(blueprint.title, self.tokens, self._checks())
        audit_log.routes(self.app, self.database)
        blueprint.routes(self.app, self)

    def _committed(self, tx: Tx) -> None:
        self.relay.offer(tx.outbox)
        if self.timers is not None and tx.wakes:
            self.timers.wake_at(tx.wakes)

    def _checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        checks: dict[str, Callable[[], Awaitable[None]]] = {"broker": self._broker_up, "database": self.database.ping}
        for consumer in consumers_of(self.name):
            checks[f"consumer {consumer.name}"] = lambda consumer=consumer: self._consumer_there(  # type: ignore[misc]
                consumer.stream, consumer.name
            )
        checks["outbox"] = self._outbox_young
        return checks

    async def _broker_up(self) -> None:
        if not self.bus.connected:
            raise ConnectionError("not connected")

    async def _consumer_there(self, stream: str, name: str) -> None:
        info = await self.bus.jetstream.consumer_info(stream, name)
        observe.LAG.labels(name).set((info.num_pending or 0) + (info.num_ack_pending or 0))

    async def _outbox_young(self) -> None:
        age = observe.OUTBOX_AGE._value.get()
        if age > 30:
            raise RuntimeError(f"the oldest event has waited {age:.0f} s to be published")

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop: no new work, finish what runs, publish what is committed."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_without_values)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        waiting = asyncio.create_task(stopping.wait())
        starting = asyncio.create_task(self.start())
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()  # told to stop while it waited for a broker or a database that was not there
            return
        starting.result()
        config = uvicorn.Config(
            self.app,
            host=self.settings.http_host,
            port=self.settings.http_port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(self.settings.stop_seconds),
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(), name="http")
        parts = {asyncio.create_task(consuming.run(), name=consuming.consumer.name) for consuming in self.consuming}
        if self.timers is not None:
            parts.add(asyncio.create_task(self.timers.run(), name="timers"))
        relaying = asyncio.create_task(self.relay.run(), name="relay")
        lag = asyncio.create_task(self._watch_lag(), name="lag")
        log.info("%s is up on port %d", self.name, self.settings.http_port)
        done, _ = await asyncio.wait({*parts, serving, relaying, waiting}, return_when=asyncio.FIRST_COMPLETED)
        log.info("%s stops", self.name)
        server.should_exit = True
        for consuming in self.consuming:
            consuming.stop()
        if self.timers is not None:
            self.timers.stop()
        if parts or not serving.done():
            await asyncio.wait({*parts, serving}, timeout=self.settings.stop_seconds)
        self.relay.stop()
        await asyncio.wait({relaying}, timeout=5)
        lag.cancel()
        await self.close()
        for task in done - {waiting}:
            # A part that ended by itself takes the process down, so that whoever watches it starts it anew.
            error = task.exception()
            log.error("%s ended", task.get_name(), exc_info=error)
            # Its name alone: the error's text, which a traceback would print, may quote what a person wrote.
            raise RuntimeError(f"{task.get_name()} ended: {type(error).__name__}") from None

    async def start(self) -> None:
        """Connect and prepare; waits for a broker and a database that are not up yet."""
        await self._database_up()
        await self.database.prepare(self.blueprint.collections, self.settings.claims_days)
        await self.bus.connect()
        if self.blueprint.prepare is not None:
            await self.blueprint.prepare(self)

    async def close(self) -> None:
        await self.bus.close()
        self.database.close()

    async def _database_up(self) -> None:
        while True:
            try:
                await self.database.ping()
                return
            except Exception as error:  # at start anything may be missing yet: the user, the replica set, the host
                log.warning("the database cannot be used yet: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def _watch_lag(self) -> None:
        while True:
            for consuming in self.consuming:
                try:
                    await self._consumer_there(consuming.consumer.stream, consuming.consumer.name)
                except Exception as error:  # a metric's reading must not end the service
                    log.warning("lag of %s is not known: %s", consuming.consumer.name, type(error).__name__)
            await asyncio.sleep(10)


def _log_without_values(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # asyncio's own message shows the exception's text, which may quote what a person wrote.
    log.error("a task failed with nobody waiting for it", exc_info=context.get("exception"))

"""Servers that a test may stop, freeze and start again, and waiting by looking."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pymongo
from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.consume import Consuming, Handles, Outcome
from chassis.db import Database
from chassis.envelope import to_headers
from chassis.tx import Tx
from contracts.base import Event
from contracts.crisis import ResponderReleased
from contracts.hotline import RiskFlagged
from contracts.topology import Consumer, consumers_of
from xinqiao.local import _accepts, free_port, mongod_path, nats_server_path

COUNTY = "370812"


async def until(true: Callable[[], Awaitable[bool] | bool], seconds: float = 15.0, what: str = "it") -> None:
    """Look until it is so; fails at the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        answer = true()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert loop.time() < deadline, f"{what} did not come about in {seconds} s"
        await asyncio.sleep(0.02)


async def ended(task: asyncio.Task[None], seconds: float = 15.0) -> None:
    """The task ends by itself, and raises what it raised."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    assert done, "it did not stop"
    task.result()


class Server:
    """A process on a port of its own that keeps its data when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._child: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    async def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(self.command(), stdout=log, stderr=log)
        await until(lambda: _accepts(self.port), 30, "the server")

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)


class NatsServer(Server):
    """nats-server with JetStream; `extra` is more of its configuration."""

    def __init__(self, folder: Path, configuration: str | None = None) -> None:
        super().__init__(folder)
        self.configuration = configuration

    def command(self) -> list[str]:
        path = self.folder / "nats.conf"
        store = f'{{ store_dir: "{self.folder}/js", max_file_store: 64GB, sync_interval: always }}'
        path.write_text(self.configuration or f'host: "127.0.0.1"\nport: {self.port}\njetstream {store}\n')
        return [nats_server_path(), "-c", str(path)]

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"


class Mongod(Server):
    """mongod as a replica set of one node."""

    def command(self) -> list[str]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        place = ["--dbpath", str(data), "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        return [mongod_path(), *place, "--replSet", "rs0", "--wiredTigerCacheSizeGB", "0.25"]

    async def start(self) -> None:
        await super().start()
        client: pymongo.MongoClient[dict[str, Any]]
        with pymongo.MongoClient(f"mongodb://127.0.0.1:{self.port}/?directConnection=true") as client:
            members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
            try:
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            except pymongo.errors.OperationFailure as error:
                if error.code != 23:  # initiated before
                    raise
            await until(lambda: bool(client.admin.command("hello").get("isWritablePrimary")), 30, "a primary")

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet=rs0"


def a_flag(county: str = COUNTY, **fields: Any) -> RiskFlagged:
    """A flag of a made-up line."""
    moment = now()
    given = {
        "id": new_id(),
        "occurred_at": moment,
        "region": county,
        "hotline": "line-1",
        "contact": "c1",
        "channel": "call",
        "county": county,
        "contact_started_at": moment,
        "flagged_at": moment,
    }
    return RiskFlagged(**{**given, **fields})


def a_release(tx: Tx, case_id: Any, division: str = COUNTY) -> ResponderReleased:
    """The shortest event of the crisis service."""
    return ResponderReleased(**tx.stamp(division), request_id=new_id(), case_id=case_id, division=division)


async def open_case(flag: RiskFlagged, tx: Tx) -> None:
    """A handler: one case and one event for each flag, and a count of how often a flag took effect."""
    tx.insert("cases", {"_id": flag.id, "contact": flag.contact})
    tx.increment("counts", flag.county, {"flags": 1})
    tx.emit(a_release(tx, flag.id))


def the_consumer(service: str, stream: str) -> Consumer:
    (found,) = [consumer for consumer in consumers_of(service) if consumer.stream == stream]
    return found


def consuming(
    bus: Bus, database: Database, handler: Callable[[Any, Tx], Awaitable[None]] = open_case, group_size: int = 128
) -> Consuming:
    """The crisis service's hotline consumer with a handler of the test's."""
    return Consuming(
        the_consumer("crisis", "HOTLINE"), {RiskFlagged: Handles(RiskFlagged, handler)}, bus, database, group_size
    )


async def publish(bus: Bus, *events: Event) -> None:
    for event in events:
        await bus.publish(event.subject, event.body(), to_headers(event, "hotline", None), event.context().upper())


async def fetch(work: Consuming, count: int) -> list[Msg]:
    """The next messages as one group."""
    subscription = await work._subscribe()
    found: list[Msg] = []
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 10
    while len(found) < count and loop.time() < deadline:
        found += await work._fetch(subscription)
    await subscription.unsubscribe()
    assert len(found) == count
    return found


async def settle(work: Consuming, messages: list[Msg], outcomes: Sequence[Outcome]) -> None:
    await work._settle_all(messages, list(outcomes))


async def messages_in(bus: Bus, stream: str) -> int:
    return int((await bus.jetstream.stream_info(stream)).state.messages)


async def unsettled(bus: Bus, consumer: Consumer) -> int:
    """How many messages wait or are out."""
    info = await bus.jetstream.consumer_info(consumer.stream, consumer.name)
    return int((info.num_pending or 0) + (info.num_ack_pending or 0))


async def case_ids(database: Database) -> set[Any]:
    return {case["_id"] for case in await database.find("cases", {})}


async def api(bus: Bus, call: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """One call of the JetStream API."""
    answer = await bus.client.request(f"$JS.API.{call}", json.dumps(content or {}).encode(), timeout=5)
    reply: dict[str, Any] = json.loads(answer.data)
    return reply

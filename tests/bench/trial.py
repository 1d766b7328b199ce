"""One trial: a contestant on a fresh nats-server, mongod and data, given a burst and then a steady stream of flags."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis.bus import Bus
from chassis.provision import provision
from contracts.topology import SERVICES
from tests.bench.decide import CONSUMER
from tests.bench.flags import Flag, reference_data, wall
from xinqiao import secrets as credentials
from xinqiao.local import Ports, Process, Stack, free_port
from xinqiao.secrets import Secrets

TICKS = os.sysconf("SC_CLK_TCK")
PLATFORM, HANDWRITTEN, LIMIT = "platform", "handwritten", "limit"
QUIET_SECONDS = 90.0
COUNTED = ("claims", "cases", "persons", "plans", "referrals", "contacts", "person_keys", "timers", "outbox")


@dataclass(frozen=True)
class Contestant:
    """Who is measured; `argument` is the number of tasks of the handwritten, the batch of the limit."""

    name: str
    argument: int = 0

    def command(self) -> list[str]:
        return [sys.executable, "-m", f"tests.bench.{self.name}", str(self.argument)]


@dataclass
class Result:
    """What a trial measured. CPU is seconds in the burst, memory MB."""

    contestant: Contestant
    flags: int
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    latencies: list[float] = field(default_factory=list)
    steady_cpu: dict[str, float] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.flags / self.seconds


def make_secrets(folder: Path) -> Secrets:
    """Credentials that all trials share, so that the same sealed contacts fit each of them."""
    made = Secrets(folder)
    credentials.create(made, "127.0.0.1:1")
    return made


def free_ports() -> Ports:
    return Ports(free_port(), free_port(), free_port(), {name: free_port() for name in SERVICES})


class Trial:
    """A contestant that runs, and the means to feed and to watch it."""

    def __init__(self, stack: Stack, bus: Bus, process: Process, contestant: Contestant) -> None:
        self.stack = stack
        self.bus = bus
        self.process = process
        self.contestant = contestant
        self.mongo: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            stack.secrets.mongo_uri("root").read_text(), uuidRepresentation="standard"
        )
        self.database = self.mongo["xinqiao_crisis"]

    async def publish(self, flags: Sequence[Flag]) -> None:
        """All at once, in atomic batches."""
        await self.bus.publish_batch([(flag.subject, flag.headers, flag.body) for flag in flags], "HOTLINE")

    def pause(self, paused: bool) -> None:
        """Stop the program where it is, or let it go on. Pausing the consumer at the broker would be the gentler way;
        a pull that waits while its consumer is paused is answered seconds after the pause has ended.
        """
        os.kill(self.process.pid or 0, signal.SIGSTOP if paused else signal.SIGCONT)

    async def until_done(self) -> None:
        """Until all flags are acknowledged, which is after their commit, and all events published: the outbox is
        emptied after the broker's word.
        """
        deadline = wall() + QUIET_SECONDS
        while True:
            info = await self.bus.jetstream.consumer_info(CONSUMER.stream, CONSUMER.name)
            if not info.num_pending and not info.num_ack_pending and not self.database["outbox"].find_one({}):
                return
            if self.process.pid is None or wall() > deadline:
                tail = self.process.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.contestant.name} did not finish; its log ends with\n{tail}")
            await asyncio.sleep(0.02)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, of the contestant and of both servers."""
        watched = {"program": self.process, "nats": self.stack.nats, "mongod": self.stack.mongod}
        return {name: cpu_seconds(process.pid or 0) for name, process in watched.items()}

    async def burst(self, flags: Sequence[Flag], result: Result) -> None:
        """The flags wait on the stream; the clock runs from the moment when consuming may start."""
        self.pause(True)
        await self.publish(flags)
        before = self.cpu()
        began = wall()
        self.pause(False)
        await self.until_done()
        result.seconds = wall() - began
        result.cpu = {name: value - before[name] for name, value in self.cpu().items()}

    async def steady(self, flags: Sequence[Flag], rate: float, result: Result) -> None:
        """One flag after the other at this rate; each latency is from its publish to the last of its events being
        handed out by the stream CRISIS, which it does once they are durable.
        """
        last: dict[str, float] = {}
        case_of: dict[str, str] = {}

        async def on_event(message: Msg) -> None:
            moment = wall()
            body = json.loads(message.data)
            last[body["case_id"]] = moment
            if message.subject.startswith("xinqiao.crisis.case_opened."):
                case_of[body["flag_id"]] = body["case_id"]

        inbox = self.bus.client.new_inbox()
        listening = await self.bus.client.subscribe(inbox, cb=on_event)
        config = ConsumerConfig(
            deliver_subject=inbox, deliver_policy=DeliverPolicy.NEW, ack_policy=AckPolicy.NONE, mem_storage=True
        )
        await self.bus.jetstream.add_consumer("CRISIS", config)
        sent: dict[str, float] = {}
        before, began = self.cpu(), wall()
        for number, flag in enumerate(flags):
            await asyncio.sleep(max(0.0, began + number / rate - wall()))
            sent[flag.ident] = wall()
            # Nobody waits for the answer here: a slow contestant must not slow its load down.
            await self.bus.client.publish(flag.subject, flag.body, headers=flag.headers)
        await self.until_done()
        result.steady_cpu = {name: value - before[name] for name, value in self.cpu().items()}
        deadline = wall() + 5
        while len(case_of) < len(flags) and wall() < deadline:
            await asyncio.sleep(0.02)
        await listening.unsubscribe()
        result.latencies = [last[case_of[ident]] - moment for ident, moment in sent.items()]

    async def effects(self, result: Result) -> None:
        """How many documents and events there are, for all contestants have to leave the same."""
        result.documents = {name: self.database[name].count_documents({}) for name in COUNTED}
        # The platform looks once a day for what is kept too long; no flag's effect.
        result.documents["timers"] -= self.database["timers"].count_documents({"kind": "registers"})
        call = json.dumps({"subjects_filter": "xinqiao.>"}).encode()
        answer = json.loads((await self.bus.client.request("$JS.API.STREAM.INFO.CRISIS", call, timeout=5)).data)
        kinds: Counter[str] = Counter()
        for subject, count in (answer["state"].get("subjects") or {}).items():
            kinds[subject.split(".")[2]] += count
        kinds.pop("acknowledgement_overdue", None)  # a clock that ran out in a long trial; not a flag's own effect
        result.events = dict(kinds)
        result.peak_mb = memory_mb(self.process.pid or 0, "VmHWM")


@asynccontextmanager
async def running(contestant: Contestant, secrets: Secrets) -> AsyncIterator[Trial]:
    """The contestant up and waiting on servers and data of its own, which are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="xinqiao-bench-"))
    shutil.copytree(secrets.root, folder / "secrets")
    stack = Stack(folder, free_ports())
    process = stack.services["crisis"] if contestant.name == PLATFORM else Process(folder, contestant.name)
    bus = None
    try:
        stack.prepare([])
        stack.start_nats()
        await asyncio.to_thread(stack.start_mongod)
        provisioner = await stack.installation.bus("provisioner")
        await provision(provisioner)
        await provisioner.close()
        bus = await stack.installation.bus("operator")
        trial = Trial(stack, bus, process, contestant)
        for name, rows in reference_data().items():
            trial.database[name].insert_many(rows)
        if contestant.name == PLATFORM:
            stack.start_service("crisis")
            await asyncio.to_thread(stack.await_service, "crisis")
        else:
            process.start(contestant.command(), stack.environment("crisis"))
            await _ready(process)
        await asyncio.sleep(1.0)  # the lease, the first sweep: what happens once is not what is measured
        yield trial
        trial.mongo.close()
    finally:
        if bus is not None:
            await bus.close()
        for child in (process, stack.nats, stack.mongod):
            child.kill()  # nothing of it is kept
        shutil.rmtree(folder, ignore_errors=True)


async def _ready(process: Process) -> None:
    deadline = time.monotonic() + 30
    while "ready" not in (process.log.read_text(errors="replace") if process.log.exists() else ""):
        if process.pid is None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.name} did not start:\n{process.log.read_text(errors='replace')[-2000:]}")
        await asyncio.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int, which: str) -> float:
    """`VmRSS` now, or `VmHWM` at its highest, in MB (10⁶ bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0

"""`make chaos`: under load, each service, nats-server and mongod are killed at random; then everything is audited.

An outside client sends flags over NATS and HTTP, each again under the same id until it is acknowledged, and keeps a
ledger of what was; people act over HTTP meanwhile. When the load has ended and everything has settled, the audit and
the ledger say what was lost, what took effect twice, and what is stuck. The last line is one JSON object.

A SIGKILL ends a process and not the machine: what was written and not synced is still in the kernel's page cache and
survives. That a power cut loses nothing either rests on `sync_interval: always` and on journalled majority writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import secrets as noise
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from chassis.clock import local_day, now
from contracts.topology import SERVICES, consumers_of
from services.registry import imports
from services.registry.forms import example_workbook
from services.registry.keys import Keys
from tests.chaos.check import check
from tests.chaos.killer import Killer
from tests.chaos.people import People
from tests.chaos.policies import hurried
from xinqiao.audit import Difference, Report, audit, settle
from xinqiao.demo import doors
from xinqiao.installation import Connections, Installation
from xinqiao.local import Ports, Stack, free_port
from xinqiao.secrets import Hotline
from xinqiao.simulate import HOTLINES, Answer, Line, generate, publish_day, replay, seal_to

VOLUNTEERS = 40
"""In each county."""
IN_FLIGHT = 8
PATIENCE_SECONDS = 120.0
"""How long the client tries with one flag, and how long the platform has to settle in the end."""
PROMISES = ("kept", "duplicate", "accepted")


@dataclass(frozen=True)
class Storm:
    """How much of everything."""

    kills: int
    seconds: float
    rate: float
    seed: int


@dataclass(frozen=True)
class Outcome:
    """The numbers of the last line; `wrong` is what the audit names besides."""

    kills: int
    flags: int
    lost: int
    duplicated: int
    stuck: int
    wrong: int

    @property
    def holds(self) -> bool:
        return not (self.lost or self.duplicated or self.stuck or self.wrong)

    def line(self) -> str:
        names = ("kills", "flags", "lost", "duplicated", "stuck")
        return json.dumps({name: getattr(self, name) for name in names})


class HurriedStack(Stack):
    """The local stack, its services told of policies whose clocks run out within the run."""

    def environment(self, service: str) -> dict[str, str]:
        folder = self.home / "policies"
        told = {"XINQIAO_POLICY_DIR": str(folder)} if folder.exists() else {}
        return super().environment(service) | told


async def rage(storm: Storm, home: Path, say: Callable[[str], None]) -> Outcome:
    """All of it, on servers and data under `home`."""
    rng = random.Random(storm.seed)
    ports = Ports(free_port(), free_port(), free_port(), {service: free_port() for service in SERVICES})
    stack = HurriedStack(home, ports)
    policies = home / "policies"
    hurried(policies)
    try:
        await stack.up([Hotline(name, county) for name, county in HOTLINES.items()])
        place = stack.installation
        await _fill_register(place)
        say("everything is up; the storm begins")
        killer, people = Killer(stack, rng, say), People(place, random.Random(storm.seed + 1))
        with (home / "ledger.jsonl").open("w", encoding="utf-8") as ledger:
            promised = await _storm(storm, place, killer, people, ledger, say)
        say(f"killed: {dict(killer.killed)}; ended by themselves: {dict(killer.ended)}")
        acts = {name: len(idents) for name, idents in people.done.items()}
        say(f"acts of people: {acts}; HTTP answers {dict(people.answers)}")
        report = await _verdict(stack, promised, people, policies, killer, say)
        return Outcome(
            sum(killer.killed.values()), len(promised), *map(report.count, ("lost", "duplicated", "stuck", "wrong"))
        )
    finally:
        stack.stop()


async def _fill_register(place: Installation) -> None:
    database = place.database("registry", "registry")
    try:
        await imports.load_divisions(database, imports.PILOT_DIVISIONS)
        await imports.import_organisations(database, imports.ORGANISATIONS)
        keys = Keys.read(place.secrets.master_key("registry"))
        for number, county in enumerate(sorted(set(HOTLINES.values())), 1):
            workbook = example_workbook(VOLUNTEERS, seed=number, trained=True)
            await imports.import_volunteers(database, keys, workbook, county)
            pledged = local_day(now())
            await imports.put_on_duty(database, f"line-{county}", county, VOLUNTEERS, pledged_on=pledged)
    finally:
        database.close()
    connections = await place.connect()
    try:
        left = await settle(connections, PATIENCE_SECONDS)
        if left:
            raise RuntimeError(f"the register did not arrive: {left} on their way")
    finally:
        await connections.close()


async def _storm(
    storm: Storm, place: Installation, killer: Killer, people: People, ledger: TextIO, say: Callable[[str], None]
) -> set[str]:
    """Load, acts and kills at the same time; the ids of the good flags that were acknowledged."""
    promised: set[str] = set()

    def note(line: Line, answer: Answer) -> None:
        ledger.write(json.dumps({"id": line.ident, "expect": line.expect, "answer": answer.outcome}) + "\n")
        ledger.flush()
        if line.expect in ("case", "joins") and answer.outcome in PROMISES and line.ident is not None:
            promised.add(line.ident)

    supervising = asyncio.create_task(killer.supervise())
    working = asyncio.create_task(people.work())
    try:
        killing = asyncio.create_task(killer.run(storm.kills, storm.seconds))
        lines = _until(time.monotonic() + storm.seconds, _day(storm, place))
        summary = await publish_day(
            lines, doors(place), rate=storm.rate, in_flight=IN_FLIGHT, deadline=PATIENCE_SECONDS, on_published=note
        )
        await killing
    finally:
        for task in (working, supervising):
            task.cancel()
        await asyncio.wait({working, supervising})
    for task in (working, supervising):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    say(
        f"sent {summary.lines} lines in {summary.seconds:.0f} s: {summary.kept} kept, {summary.duplicates} again, "
        f"{summary.denied} denied, HTTP {dict(summary.http)}, {len(summary.silent)} never answered"
    )
    return promised


def _day(storm: Storm, place: Installation) -> Iterator[Line]:
    """A day as long as the load asks for, with everything that goes wrong on a day."""
    day = list(generate(int(storm.rate * storm.seconds) + 1, storm.seed))
    return replay(day, now(), noise.token_hex(4), seal_to(place.secrets.sealing_public))


def _until(end: float, lines: Iterator[Line]) -> Iterator[Line]:
    for line in lines:
        if time.monotonic() > end:
            return
        yield line


async def _verdict(
    stack: Stack, promised: set[str], people: People, policies: Path, killer: Killer, say: Callable[[str], None]
) -> Report:
    """Once everything has settled, or had its time: the audit and the ledger."""
    supervising = asyncio.create_task(killer.supervise())
    connections = await stack.installation.connect()
    try:
        began = time.monotonic()
        left = await settle(connections, PATIENCE_SECONDS)
        say(f"settled after {time.monotonic() - began:.1f} s" if not left else f"{left} still on their way")
        supervising.cancel()
        await asyncio.wait({supervising})
        await _rest(stack, connections)
        report = await audit(connections, policies)
        # The services rest, so their clocks may run out unheard by now; `settle` saw that none was overdue before.
        report.differences = [one for one in report.differences if not _is_of_timers(one)]
        if left:
            report.add("stuck", f"{left} messages, events and timers were on their way after {PATIENCE_SECONDS:.0f} s")
        await check(connections, promised, people.done, report)
    finally:
        supervising.cancel()
        await connections.close()
    say(f"flags {report.flags}, dead letters {report.dead}, cases {report.cases}, referrals {report.referrals}")
    for difference in report.differences[:50]:
        say(f"{difference.kind}: {difference.what}")
    return report


async def _rest(stack: Stack, connections: Connections) -> None:
    """Stop the services whose clocks make new events all the time, those that read them last, so that what the audit
    reads one after the other belongs together. What does not drain stays for the audit to name.
    """
    for name in ("matching", "crisis", "registry", "reporting"):
        await asyncio.to_thread(stack.services[name].stop)
        deadline = time.monotonic() + PATIENCE_SECONDS / 4
        while time.monotonic() < deadline and await _unread(connections):
            await asyncio.sleep(0.2)


def _is_of_timers(difference: Difference) -> bool:
    return difference.kind == "stuck" and ("'s timer " in difference.what or "-timers has " in difference.what)


async def _unread(connections: Connections) -> int:
    """Messages that a service has not settled."""
    left = 0
    for service in SERVICES:
        for consumer in consumers_of(service):
            if consumer.stream != "TIMERS":
                info = await connections.bus.jetstream.consumer_info(consumer.stream, consumer.name)
                left += (info.num_pending or 0) + (info.num_ack_pending or 0)
    return left


def tails(home: Path, lines: int = 15) -> str:
    """The ends of all logs."""
    texts = []
    for path in sorted((home / "log").glob("*.log")):
        end = path.read_text(errors="replace").splitlines()[-lines:]
        texts.append(f"--- {path}\n" + "\n".join(end))
    return "\n".join(texts)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=180.0, help="of load")
    parser.add_argument("--rate", type=float, default=25.0, help="lines a second")
    parser.add_argument("--seed", type=int, default=None, help="a number that was printed, to kill in the same order")
    parser.add_argument("--keep", action="store_true", help="keep data and logs in any case")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else noise.randbelow(1_000_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    logging.getLogger("chassis").setLevel(logging.ERROR)  # that the broker is away is the point here
    home = Path(tempfile.mkdtemp(prefix="xinqiao-chaos-"))
    began = time.monotonic()

    def say(text: Any) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    say(f"seed {seed}, under {home}")
    holds = False
    try:
        outcome = asyncio.run(rage(Storm(options.kills, options.seconds, options.rate, seed), home, say))
        holds = outcome.holds
    finally:
        if holds and not options.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(tails(home) if not holds else f"kept: {home}", flush=True)
    print(outcome.line(), flush=True)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

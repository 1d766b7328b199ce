"""The demonstration: a hotline's day as an outside client sends it, and everything that becomes of it."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from nats.aio.msg import Msg
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from chassis.clock import local_day, now
from services.registry import imports
from services.registry.forms import example_workbook
from services.registry.keys import Keys
from xinqiao import denied
from xinqiao.audit import Report, audit, settle
from xinqiao.installation import Installation
from xinqiao.local import Stack
from xinqiao.secrets import Hotline
from xinqiao.simulate.day import Line, read_day, replay, seal_to
from xinqiao.simulate.make import generate
from xinqiao.simulate.publish import Answer, Doors, Summary, publish_day
from xinqiao.watch import Watch, latencies, percentile

VOLUNTEERS = {"370812": 60, "320706": 60}
DECLINE_SHARE, SILENT_SHARE = 0.1, 0.05
CALL_SECONDS = 0.5
"""How long a made-up responder keeps a call in the demonstration."""

SHOWN = (
    ("hotline.risk_flagged", "风险上报 flags"),
    ("crisis.case_opened", "个案 cases opened"),
    ("crisis.flag_joined", "并入个案 flags joined"),
    ("crisis.risk_raised", "风险上调 raised"),
    ("crisis.referral_moved", "转介 referral steps"),
    ("crisis.follow_ups_planned", "随访计划 follow-up plans"),
    ("crisis.responder_requested", "呼叫响应人 responder requests"),
    ("matching.responder_offered", "派单 offers"),
    ("matching.offer_accepted", "接单 accepted"),
    ("matching.offer_declined", "拒单 declined"),
    ("matching.coordinator_called", "转协调员 coordinator called"),
)


@dataclass(frozen=True)
class Result:
    """The numbers of the last line, and whether the audit holds."""

    numbers: dict[str, Any]
    holds: bool


def doors(place: Installation) -> Doors:
    """Where the hotlines come in, each with its own credential."""
    hotlines = place.secrets.hotlines()
    return Doors(
        nats_url=place.nats_url,
        nkeys={hotline.name: place.secrets.nkey(f"hotline-{hotline.name}") for hotline in hotlines},
        http_url=place.http["crisis"],
        tokens={
            hotline.name: place.token(f"hotline:{hotline.name}", ["hotline"], hotline.county, hotline=hotline.name)
            for hotline in hotlines
        },
    )


async def send(
    place: Installation,
    through: Doors,
    day: list[Line],
    rate: float | None,
    on_published: Callable[[Line, Answer], None],
) -> Summary:
    """Replay a day so that it ends now, with people and ids of its own."""
    lines = list(replay(day, now(), secrets.token_hex(4), seal_to(place.secrets.sealing_public)))
    return await publish_day(lines, through, rate=rate, in_flight=8, on_published=on_published)


async def demonstrate(stack: Stack, hotlines: list[Hotline], console: Console, flags: int, rate: float) -> Result:
    """All of it, from nothing to the audit. What was running stays running."""
    was_running = stack.running
    try:
        console.rule("心桥: servers and services")
        began = time.monotonic()
        await stack.up(hotlines)
        console.print(f"nats-server, mongod and four services are ready after {time.monotonic() - began:.1f} s")
        place = stack.installation
        console.rule("the register")
        await load_pilot(place, console)
        volunteers = await _register_volunteers(place, console)
        await _everybody_knows(place)
        console.rule("a hotline's day")
        day = list(generate(flags, seed=1)) if flags else read_day()
        return await _run_day(place, day, volunteers, rate, console, stack.nats.log)
    finally:
        if not was_running:
            stack.stop()


async def load_pilot(place: Installation, console: Console) -> None:
    """The pilot's divisions and organisations; what is there already stays as it is."""
    database = place.database("registry", "registry")
    try:
        divisions = await imports.load_divisions(database, imports.PILOT_DIVISIONS)
        console.print(f"divisions of 兖州区 and 海州区: {divisions.rows} ({divisions.new} new)")
        organisations = await imports.import_organisations(database, imports.ORGANISATIONS)
        console.print(f"organisations: {organisations.rows} ({organisations.new} new)")
    finally:
        database.close()


async def _register_volunteers(place: Installation, console: Console) -> list[str]:
    """Made-up volunteers from workbooks, on duty for three days; the same ones in a second run."""
    database = place.database("registry", "registry")
    try:
        keys = Keys.read(place.secrets.master_key("registry"))
        on_duty: list[str] = []
        for number, (county, people) in enumerate(VOLUNTEERS.items()):
            workbook = example_workbook(people, seed=number + 1, trained=True)
            taken = await imports.import_volunteers(database, keys, workbook, county)
            console.print(f"volunteers of {county} from an xlsx (附件1): {taken.rows} ({taken.new} new)")
            pledged = local_day(now())
            ids = await imports.put_on_duty(database, f"line-{county}", county, people, pledged_on=pledged)
            on_duty += [str(one) for one in ids]
        console.print(f"on duty for three days: {len(on_duty)}")
        return on_duty
    finally:
        database.close()


async def _everybody_knows(place: Installation) -> None:
    """The flags' divisions have to be known before the flags come."""
    connections = await place.connect()
    try:
        await settle(connections, 60)
    finally:
        await connections.close()


async def _run_day(
    place: Installation, day: list[Line], volunteers: list[str], rate: float, console: Console, broker_log: Path
) -> Result:
    watch = Watch()
    bus = await place.bus()
    connections = await place.connect()
    answers: Counter[str] = Counter()
    responders = Responders(place, volunteers)
    watch.on_event = responders.on_event
    await watch.start(bus)
    logged = broker_log.stat().st_size
    try:
        # What earlier runs left is counted first: the numbers are this day's.
        before = await audit(connections, place.policy_dir)
        with Live(console=console, refresh_per_second=8) as live:

            def show(line: Line, answer: Answer) -> None:
                answers[answer.outcome] += 1
                live.update(_fan_out(watch, answers, len(day)))

            summary = await send(place, doors(place), day, rate, show)
            await responders.finish()
            await settle(connections, 60)
            live.update(_fan_out(watch, answers, len(day)))
        seconds = await latencies(bus, watch, summary.sent_at)
        report = await audit(connections, place.policy_dir)
    finally:
        await responders.close()
        await connections.close()
        await bus.close()
    return _tell(before, report, summary, seconds, day, denied_since(broker_log, logged), console)


def denied_since(log: Path, offset: int) -> int:
    """How often the broker denied something after this place in its log."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").splitlines()
    return sum(entry.times for entry in denied.count(lines, {}))


def _fan_out(watch: Watch, answers: Counter[str], lines: int) -> Table:
    table = Table(title=f"{sum(answers.values())} of {lines} lines sent")
    table.add_column("what")
    table.add_column("so far", justify="right")
    for kind, label in SHOWN:
        table.add_row(label, str(watch.published[kind]))
    table.add_row("effects durable", str(len(watch.settled)))
    for outcome in ("denied", "refused", "duplicate"):
        table.add_row(f"broker or HTTP: {outcome}", str(answers[outcome]))
    return table


COUNTED = {
    "flags": "flags",
    "cases": "cases",
    "referrals": "referrals",
    "followups": "follow_ups",
    "responders": "responders",
    "counted": "counted",
}
"""The numbers of the last line that grow from run to run, and the report's name for each."""


def numbers_of_run(before: Report, after: Report, seconds: list[float]) -> dict[str, Any]:
    """The last line: what this run added, and what is lost or duplicated in all that is kept."""
    return {
        **{name: getattr(after, place) - getattr(before, place) for name, place in COUNTED.items()},
        "lost": after.count("lost"),
        "duplicated": after.count("duplicated"),
        "p50_ms": round(percentile(seconds, 0.50) * 1000, 1),
        "p99_ms": round(percentile(seconds, 0.99) * 1000, 1),
    }


def _tell(
    before: Report,
    report: Report,
    summary: Summary,
    seconds: list[float],
    day: list[Line],
    broker_denied: int,
    console: Console,
) -> Result:
    expected = Counter(line.expect.split(":")[0] for line in day)
    numbers = numbers_of_run(before, report, seconds)
    console.rule("the audit")
    table = Table()
    table.add_column("what")
    table.add_column("this run", justify="right")
    table.add_column("all that is kept", justify="right")
    for name, value in numbers.items():
        kept = getattr(report, COUNTED[name]) if name in COUNTED else value
        table.add_row(name, str(value), str(kept) if kept != value else "")
    table.add_row("dead letters", str(report.dead - before.dead), str(report.dead) if before.dead else "")
    table.add_row("denied by the broker, in its log", str(broker_denied))
    table.add_row("denied by the broker, told to the hotlines", str(summary.denied))
    table.add_row(
        "of this day: cases, joining, dead, denied",
        " ".join(str(expected[kind]) for kind in ("case", "joins", "dead", "denied")),
    )
    console.print(table)
    for difference in report.differences[:50]:
        console.print(f"[red]{difference.kind}[/red]", escape(difference.what), highlight=False, soft_wrap=True)
    holds = report.holds and not summary.silent and bool(numbers["flags"])
    console.print("[green]the audit holds[/green]" if holds else "[red]the audit does not hold[/red]")
    return Result(numbers, holds)


class Responders:
    """Made-up responders who answer their offers over HTTP, most of them; some decline, some stay silent."""

    def __init__(self, place: Installation, volunteers: list[str]) -> None:
        self._place = place
        self._known = set(volunteers)
        self._http = httpx.AsyncClient(timeout=10)
        self._tasks: set[asyncio.Task[None]] = set()
        self._officer = place.token("demo-officer", ["duty_officer"])

    def on_event(self, kind: str, message: Msg) -> None:
        if kind != "matching.responder_offered":
            return
        offer = json.loads(message.data)
        if offer["responder_id"] in self._known:
            task = asyncio.create_task(self._answer(offer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, offer: dict[str, Any]) -> None:
        # The same offer always gets the same answer, so that two runs of a day can be compared.
        luck = int(offer["offer_id"].replace("-", "")[-4:], 16) / 0x10000
        if luck < SILENT_SHARE:
            return
        token = self._place.token(offer["responder_id"], ["volunteer"], offer["division"][:6])
        bearer = {"authorization": f"Bearer {token}"}
        where = f"{self._place.http['matching']}/v1/offers/{offer['offer_id']}"
        if luck < SILENT_SHARE + DECLINE_SHARE:
            await self._http.post(f"{where}/decline", json={"reason": "not_said"}, headers=bearer)
            return
        answer = await self._http.post(f"{where}/accept", headers=bearer)
        if answer.status_code == 200:
            await asyncio.sleep(CALL_SECONDS)
            officer = {"authorization": f"Bearer {self._officer}"}
            await self._http.post(f"{self._place.http['crisis']}/v1/cases/{offer['case_id']}/release", headers=officer)

    async def finish(self, seconds: float = 20) -> None:
        """Let those who have a call end it, and those who get the next one too, for so long."""
        deadline = time.monotonic() + seconds
        while self._tasks and time.monotonic() < deadline:
            await asyncio.wait(set(self._tasks), timeout=1)
            await asyncio.sleep(0.2)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._http.aclose()

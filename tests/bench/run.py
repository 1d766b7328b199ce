"""`make bench`: the platform beside the same effects written by hand, and beside the limit; all in one run.

Each trial has a fresh nats-server that syncs every write, a fresh one-node replica set and the same flags. Rounds are
interleaved and each ratio is taken within its round, so that a machine that drifts harms nobody in particular; what is
reported is the median over the rounds. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from contracts.topology import SERVICES
from tests.bench.flags import Flag, make_flags, percentile, wall
from tests.bench.trial import (
    HANDWRITTEN,
    LIMIT,
    PLATFORM,
    Contestant,
    Result,
    free_ports,
    make_secrets,
    memory_mb,
    running,
)
from xinqiao.local import Stack
from xinqiao.secrets import Secrets

TASKS = (1, 8, 32)
BATCH = 256
BUDGET_SECONDS = 330.0
WANTED: dict[str, tuple[str, float]] = {
    "throughput_vs_handwritten": (">=", 3.0),
    "throughput_vs_limit": (">=", 0.5),
    "p99_vs_limit": ("<=", 3.0),
    "idle_rss_mb": ("<=", 120.0),
}

console = Console(width=118)


async def main(flags: int, rounds: int, seconds: float, budget: float, try_tasks: bool) -> dict[str, float | None]:
    """The four figures; prints the table on the way."""
    folder = Path(tempfile.mkdtemp(prefix="xinqiao-bench-"))
    try:
        began = wall()
        secrets = make_secrets(folder / "secrets")
        burst = make_flags(flags, secrets.sealing_public)
        tasks = await best_tasks(burst[: min(400, flags)], secrets) if try_tasks else TASKS[-1]
        contestants = [Contestant(LIMIT, BATCH), Contestant(PLATFORM), Contestant(HANDWRITTEN, tasks)]
        results: list[list[Result]] = []
        steady: list[Flag] = []
        rate = 0.0
        while len(results) < rounds:
            round_began = wall()
            this: list[Result] = []
            for contestant in _rotated(contestants, len(results)):
                result = Result(contestant, flags)
                async with running(contestant, secrets) as trial:
                    await trial.burst(burst, result)
                    if not rate:  # the very first trial is the limit's
                        rate = result.rate / 10
                        steady = make_flags(max(1, int(rate * seconds)), secrets.sealing_public, start=flags)
                    await trial.steady(steady, rate, result)
                    await trial.effects(result)
                this.append(result)
                console.print(_line(len(results) + 1, result))
            _same_effects(this)
            results.append(this)
            if wall() - began + (wall() - round_began) > budget:
                break
        idle = await idle_memory(folder / "idle")
        figures = _figures(results, idle)
        _print(results, idle, rate, tasks)
        console.print(f"[dim]{len(results)} rounds in {wall() - began:.0f} s[/]")
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def best_tasks(flags: Sequence[Flag], secrets: Secrets) -> int:
    """With how many messages at once the handwritten program is fastest."""
    rates = {}
    for tasks in TASKS:
        result = Result(Contestant(HANDWRITTEN, tasks), len(flags))
        async with running(result.contestant, secrets) as trial:
            await trial.burst(flags, result)
        rates[tasks] = result.rate
    shown = ", ".join(f"{tasks}: {rate:.0f}/s" for tasks, rate in rates.items())
    console.print(f"handwritten, messages handled at once: {shown}")
    return max(rates, key=lambda tasks: rates[tasks])


async def idle_memory(home: Path) -> dict[str, float]:
    """Resident memory in MB of each service, started and left alone."""
    stack = Stack(home, free_ports())
    try:
        await stack.up([])
        await asyncio.sleep(3)
        return {name: memory_mb(stack.services[name].pid or 0, "VmRSS") for name in SERVICES}
    finally:
        stack.stop()


def _rotated(contestants: list[Contestant], by: int) -> list[Contestant]:
    by %= len(contestants)
    return contestants[by:] + contestants[:by]


def _same_effects(results: list[Result]) -> None:
    """All contestants left the same documents and told the same, or the comparison means nothing."""
    for result in results[1:]:
        if (result.documents, result.events) != (results[0].documents, results[0].events):
            raise SystemExit(
                f"{result.contestant.name} and {results[0].contestant.name} differ in their effects:\n"
                f"{result.documents} {result.events}\n{results[0].documents} {results[0].events}"
            )


def _of(results: list[list[Result]], name: str) -> list[Result]:
    return [result for this in results for result in this if result.contestant.name == name]


def _ratio(results: list[list[Result]], value: Callable[[Result], float], other: str) -> float:
    """The median over the rounds of the platform's value through the other's of the same round."""
    pairs = zip(_of(results, PLATFORM), _of(results, other), strict=True)
    return round(median(value(ours) / value(theirs) for ours, theirs in pairs), 2)


def _figures(results: list[list[Result]], idle: dict[str, float]) -> dict[str, float | None]:
    return {
        "throughput_vs_handwritten": _ratio(results, lambda result: result.rate, HANDWRITTEN),
        "throughput_vs_limit": _ratio(results, lambda result: result.rate, LIMIT),
        "p99_vs_limit": _ratio(results, lambda result: percentile(result.latencies, 0.99), LIMIT),
        "idle_rss_mb": round(max(idle.values()), 1),
    }


def _line(number: int, result: Result) -> str:
    p50, p99 = (1000 * percentile(result.latencies, share) for share in (0.5, 0.99))
    return (
        f"[dim]round {number}[/] {result.contestant.name:<12} {result.rate:6.0f} flags/s   "
        f"steady p50 {p50:6.1f} ms, p99 {p99:6.1f} ms"
    )


def _print(results: list[list[Result]], idle: dict[str, float], rate: float, tasks: int) -> None:
    table = Table(title=f"{_of(results, PLATFORM)[0].flags} flags at once, then {rate:.0f} flags a second (medians)")
    table.add_column("")
    for heading in ("flags/s", "p50 ms", "p99 ms", "CPU ms a flag:\nprogram", "nats", "mongod", "peak MB"):
        table.add_column(heading, justify="right")
    for name in (HANDWRITTEN, PLATFORM, LIMIT):
        of = _of(results, name)
        cells = [f"{median(result.rate for result in of):.0f}"]
        cells += [f"{1000 * median(percentile(result.latencies, share) for result in of):.1f}" for share in (0.5, 0.99)]
        for part in ("program", "nats", "mongod"):
            cells.append(f"{1000 * median(result.cpu[part] / result.flags for result in of):.2f}")
        cells.append(f"{max(result.peak_mb for result in of):.0f}")
        table.add_row(f"{name} ({tasks} at once)" if name == HANDWRITTEN else name, *cells)
    console.print(table)
    told = _of(results, PLATFORM)[0]
    console.print(f"each left the same: {told.documents} documents and {told.events} events")
    console.print("idle, MB: " + ", ".join(f"{name} {value:.0f}" for name, value in idle.items()))


def _judge(figures: dict[str, float | None]) -> None:
    for name, (sign, wanted) in WANTED.items():
        value = figures[name] or 0.0
        held = value >= wanted if sign == ">=" else value <= wanted
        console.print(f"{'[green]ok[/]   ' if held else '[red]short[/]'} {name} {value} (wanted {sign} {wanted:g})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--flags", type=int, default=3000, help="flags of the burst")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of steady load in each trial")
    parser.add_argument(
        "--quick", action="store_true", help="a short look that the bench works; its figures say little"
    )
    options = parser.parse_args()
    if options.quick:
        options.flags, options.rounds, options.seconds = 300, 1, 2.0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    logging.getLogger("chassis").setLevel(logging.ERROR)  # servers that are killed after a trial are no news
    told = uvloop.run(main(options.flags, options.rounds, options.seconds, BUDGET_SECONDS, not options.quick))
    _judge(told)
    print(json.dumps(told), flush=True)
    sys.exit(0)

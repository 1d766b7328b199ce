"""SIGKILL at random moments, and the supervisor that any deployment has: what has ended is started again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

from contracts.topology import SERVICES
from xinqiao.local import Process, Stack, StackError

TARGETS = (*SERVICES, "nats-server", "mongod")
LONGEST_PAUSE = 3.0


class Killer:
    """Kills what the plan says, and keeps everything else running."""

    def __init__(self, stack: Stack, rng: random.Random, say: Callable[[str], None]) -> None:
        self.killed: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._stack = stack
        self._rng = rng
        self._say = say
        self._turns = {name: asyncio.Lock() for name in TARGETS}

    async def run(self, kills: int, seconds: float) -> None:
        """So many kills spread over so many seconds."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for moment, target, pause in plan(kills, seconds, self._rng):
                await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
                group.create_task(self._kill(target, pause))

    async def supervise(self) -> None:
        """Start again what ended by itself."""
        while True:
            for name in TARGETS:
                if self._turns[name].locked() or self._process(name).pid is not None:
                    continue
                self.ended[name] += 1
                self._say(f"{name} ended by itself and is started again")
                async with self._turns[name]:
                    await self._start(name)
            await asyncio.sleep(0.2)

    async def _kill(self, target: str, pause: float) -> None:
        async with self._turns[target]:
            process = self._process(target)
            while process.pid is None:
                await self._start(target)
            await asyncio.to_thread(process.kill)
            self.killed[target] += 1
            self._say(f"kill {sum(self.killed.values())}: {target}, away for {pause:.1f} s")
            await asyncio.sleep(pause)
            await self._start(target)

    async def _start(self, target: str) -> None:
        start: Callable[[], None]
        if target == "nats-server":
            start = self._stack.start_nats
        elif target == "mongod":
            start = self._stack.start_mongod
        else:
            start = lambda: self._stack.start_service(target)  # noqa: E731 - one of three, named alike
        try:
            await asyncio.to_thread(start)
        except StackError as error:
            self._say(f"{target}: {error}")

    def _process(self, name: str) -> Process:
        if name == "nats-server":
            return self._stack.nats
        return self._stack.mongod if name == "mongod" else self._stack.services[name]


def plan(kills: int, seconds: float, rng: random.Random) -> list[tuple[float, str, float]]:
    """Moments, targets and pauses: each target as often as the others, what is left over at random."""
    targets = list(TARGETS) * (kills // len(TARGETS)) + rng.sample(TARGETS, kills % len(TARGETS))
    rng.shuffle(targets)
    moments = sorted(rng.uniform(0, seconds) for _ in targets)
    return [(moment, target, rng.uniform(0, LONGEST_PAUSE)) for moment, target in zip(moments, targets, strict=True)]

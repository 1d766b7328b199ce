"""An observer beside the platform: what is published and what is settled, as it happens.

A service acknowledges a message only after its effects are durable, and acknowledgements are messages that an operator
may see. So the moment when the last effect of a flag became durable can be measured from outside, on one clock.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.dead import read_stream
from contracts.topology import SERVICES, STREAMS, consumers_of


@dataclass
class Watch:
    """What was seen so far. Times are seconds of the epoch."""

    published: Counter[str] = field(default_factory=Counter)
    settled: dict[tuple[str, str, int], float] = field(default_factory=dict)
    on_event: Callable[[str, Msg], None] = lambda kind, message: None

    async def start(self, bus: Bus) -> None:
        """Listen with an operator's connection."""
        await bus.client.subscribe("xinqiao.>", cb=self._on_published)
        await bus.client.subscribe("$JS.ACK.>", cb=self._on_acknowledged)
        await bus.client.flush()

    async def _on_published(self, message: Msg) -> None:
        parts = message.subject.split(".")
        if len(parts) == 5 and parts[1] not in ("timers", "dead"):
            kind = f"{parts[1]}.{parts[2]}"
            self.published[kind] += 1
            self.on_event(kind, message)

    async def _on_acknowledged(self, message: Msg) -> None:
        # $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.… or, newer, with a domain and an account before.
        parts = message.subject.split(".")
        offset = 2 if len(parts) < 11 else 4
        if message.data[:4] in (b"+ACK", b""):
            key = (parts[offset], parts[offset + 1], int(parts[offset + 3]))
            self.settled.setdefault(key, time.time())


def trace_of(message: Msg) -> str:
    """The trace id that a message belongs to; a flag that came without one is named after itself."""
    headers = message.headers or {}
    parts = headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 else headers.get("ce-id", "").replace("-", "")


async def latencies(bus: Bus, watch: Watch, sent_at: dict[str, float]) -> list[float]:
    """Seconds from a flag's publish to the moment when the last of its effects was durable, sorted.

    `sent_at` is by event id. The effects are all events that carry the flag's trace, as far as every service that
    consumes them has them.
    """
    sent = {ident.replace("-", ""): moment for ident, moment in sent_at.items()}
    readers: dict[str, list[str]] = defaultdict(list)
    for service in SERVICES:
        for consumer in consumers_of(service):
            readers[consumer.stream].append(consumer.name)
    last: dict[str, float] = {}
    for stream in ("HOTLINE", "CRISIS", "MATCHING"):
        async for message in read_stream(bus, stream, list(STREAMS[stream].subjects)):
            trace = trace_of(message)
            if trace not in sent:
                continue
            for reader in readers[stream]:
                moment = watch.settled.get((stream, reader, message.metadata.sequence.stream))
                if moment is not None:
                    last[trace] = max(last.get(trace, 0.0), moment)
    return sorted(moment - sent[trace] for trace, moment in last.items())


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the sorted values lies; 0 for none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0

"""Provisioning: streams and consumers as the topology has them, and what has drifted from it.

Only this declares anything on the broker. It speaks to the JetStream API in plain JSON, because clients drop fields
that they do not know. A service that finds its stream or consumer missing says so on `/readyz` and waits.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from chassis.bus import AWAY, Bus
from chassis.consume import ACK_WAIT, MAX_DELIVER
from contracts.topology import SERVICES, STREAMS, Consumer, Stream, consumers_of

SECOND = 1_000_000_000
DUPLICATE_WINDOW = 600 * SECOND
WAKE_UPS_KEPT = 10_000


@dataclass(frozen=True)
class Drift:
    """A setting on the broker that is not as the topology has it."""

    what: str
    setting: str
    wanted: Any
    found: Any


class ProvisioningFailed(Exception):
    """The broker refused a stream or a consumer."""


def stream_config(stream: Stream, replicas: int) -> dict[str, Any]:
    """The stream as the JetStream API takes it."""
    return {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "retention": "limits",
        "storage": "file",
        "discard": "old" if stream.schedules else "new",
        "num_replicas": replicas,
        "max_age": stream.days * 86_400 * SECOND,
        "max_bytes": stream.max_bytes,
        "max_msgs_per_subject": WAKE_UPS_KEPT if stream.schedules else -1,
        "duplicate_window": DUPLICATE_WINDOW,
        "deny_delete": not stream.deletable,
        "deny_purge": not stream.deletable and not stream.schedules,
        "allow_atomic": stream.name != "ADVISORIES",
        "allow_direct": True,
        "allow_msg_schedules": stream.schedules,
    }


def consumer_config(consumer: Consumer, replicas: int) -> dict[str, Any]:
    """The durable pull consumer as the JetStream API takes it."""
    return {
        "durable_name": consumer.name,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "filter_subjects": list(consumer.subjects),
        "ack_wait": int(ACK_WAIT) * SECOND,
        "max_deliver": MAX_DELIVER,
        "max_ack_pending": 2_048,
        "max_waiting": 64,
        "num_replicas": replicas,
    }


async def provision(bus: Bus, replicas: int = 1) -> list[str]:
    """Create what is missing and set right what has drifted; what was done, in words."""
    done = []
    for stream in STREAMS.values():
        wanted = stream_config(stream, replicas)
        found = await _ask(bus, f"STREAM.INFO.{stream.name}", {}, missing_ok=True)
        if found is None:
            await _ask(bus, f"STREAM.CREATE.{stream.name}", wanted)
            done.append(f"stream {stream.name} created")
        elif drifted := _differences(f"stream {stream.name}", wanted, found["config"]):
            await _ask(bus, f"STREAM.UPDATE.{stream.name}", {**found["config"], **wanted})
            done += [f"{drift.what}: {drift.setting} set to {drift.wanted}, was {drift.found}" for drift in drifted]
    for service in SERVICES:
        for consumer in consumers_of(service):
            done += await _provision_consumer(bus, consumer, replicas)
    return done


async def _provision_consumer(bus: Bus, consumer: Consumer, replicas: int) -> list[str]:
    wanted = consumer_config(consumer, replicas)
    found = await _ask(bus, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}", {}, missing_ok=True)
    drifted = [] if found is None else _differences(f"consumer {consumer.name}", wanted, found["config"])
    if found is not None and not drifted:
        return []
    request = {"stream_name": consumer.stream, "config": wanted}
    await _ask(bus, f"CONSUMER.DURABLE.CREATE.{consumer.stream}.{consumer.name}", request)
    if found is None:
        return [f"consumer {consumer.name} created"]
    return [f"{drift.what}: {drift.setting} set to {drift.wanted}, was {drift.found}" for drift in drifted]


async def drift(bus: Bus, replicas: int = 1) -> list[Drift]:
    """What on the broker is not as the topology has it; nothing is changed."""
    found: list[Drift] = []
    for stream in STREAMS.values():
        present = await _ask(bus, f"STREAM.INFO.{stream.name}", {}, missing_ok=True)
        what = f"stream {stream.name}"
        if present is None:
            found.append(Drift(what, "exists", True, False))
        else:
            found += _differences(what, stream_config(stream, replicas), present["config"])
    for service in SERVICES:
        for consumer in consumers_of(service):
            what = f"consumer {consumer.name}"
            present = await _ask(bus, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}", {}, missing_ok=True)
            if present is None:
                found.append(Drift(what, "exists", True, False))
            else:
                found += _differences(what, consumer_config(consumer, replicas), present["config"])
    return found


async def recreate_consumer(bus: Bus, consumer: Consumer, replicas: int = 1) -> None:
    """Delete and create a consumer, so that it reads its stream from the beginning."""
    await _ask(bus, f"CONSUMER.DELETE.{consumer.stream}.{consumer.name}", {}, missing_ok=True)
    await _provision_consumer(bus, consumer, replicas)


def _differences(what: str, wanted: dict[str, Any], found: dict[str, Any]) -> list[Drift]:
    differences = []
    for setting, value in wanted.items():
        present = found.get(setting)
        if setting == "filter_subjects" and present is None:
            present = [found["filter_subject"]] if found.get("filter_subject") else []
        same = sorted(present) == sorted(value) if isinstance(value, list) and isinstance(present, list) else None
        if not (same if same is not None else present == value or (not value and not present)):
            differences.append(Drift(what, setting, value, present))
    return differences


async def _ask(bus: Bus, call: str, content: dict[str, Any], missing_ok: bool = False) -> dict[str, Any] | None:
    for attempt in range(10):
        try:
            answer = await bus.client.request(f"$JS.API.{call}", json.dumps(content).encode(), timeout=5)
            break
        except AWAY:
            if attempt == 9:
                raise
            await asyncio.sleep(1)
    reply: dict[str, Any] = json.loads(answer.data)
    if "error" in reply:
        if missing_ok and reply["error"].get("code") == 404:
            return None
        raise ProvisioningFailed(f"{call}: {reply['error'].get('description')}")
    return reply

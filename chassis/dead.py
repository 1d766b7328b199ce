"""Dead letters: what a service could not take, kept with its reason, to be shown, requeued or dropped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy, RawStreamMsg

from chassis import observe
from chassis.bus import Bus
from chassis.clock import now
from contracts.topology import dead_subject

log = logging.getLogger(__name__)

DEAD = "DEAD"


@dataclass(frozen=True)
class Letter:
    """One dead letter. `sequence` is its place in the DEAD stream; `body` is what was received, to the byte."""

    sequence: int
    at: datetime
    service: str
    consumer: str
    stream: str
    stream_sequence: int
    subject: str
    event_id: str | None
    deliveries: int
    reason: str
    detail: str
    field: str | None
    fingerprint: str
    headers: dict[str, str]
    body: bytes
    dropped: bool


async def bury(
    bus: Bus, service: str, consumer: str, message: Msg, reason: str, detail: str, field: str | None
) -> None:
    """Write a dead letter and wait until it is durable; only then may the message be terminated."""
    meta = message.metadata
    about = {
        "service": service,
        "consumer": consumer,
        "stream": meta.stream,
        "stream_sequence": meta.sequence.stream,
        "subject": message.subject,
        "deliveries": meta.num_delivered,
        "reason": reason,
        "detail": detail,
        "field": field,
        "fingerprint": fingerprint(consumer, reason, field),
        "headers": dict(message.headers or {}),
        "at": now().isoformat(),
    }
    headers = {
        "Nats-Msg-Id": f"dead:{consumer}:{meta.stream}:{meta.sequence.stream}:{meta.num_delivered}",
        "Xinqiao-Dead": json.dumps(about),
    }
    await bus.publish(dead_subject(service, meta.stream), message.data, headers, DEAD)
    observe.DEAD.labels(consumer, reason).inc()
    log.warning("dead letter: %s at %s, %s/%s", reason, field, meta.stream, meta.sequence.stream)


def fingerprint(consumer: str, reason: str, field: str | None) -> str:
    """Equal for letters that failed in the same way."""
    return hashlib.sha256(f"{consumer}|{reason}|{field}".encode()).hexdigest()[:12]


async def letters(bus: Bus) -> AsyncIterator[Letter]:
    """All dead letters, oldest first; dropped ones come marked."""
    async for message in read_stream(bus, DEAD, ["xinqiao.dead.>"]):
        yield _letter(message.metadata.sequence.stream, dict(message.headers or {}), message.data)


async def get(bus: Bus, sequence: int) -> Letter:
    """One dead letter by its sequence; raises nats' `NotFoundError`."""
    raw: RawStreamMsg = await bus.jetstream.get_msg(DEAD, sequence)
    return _letter(sequence, dict(raw.headers or {}), raw.data or b"")


async def requeue(bus: Bus, letter: Letter) -> None:
    """Publish the message again as it was. Who has taken it already drops it by its claim; then the letter goes."""
    headers = {**letter.headers, "Nats-Msg-Id": f"requeue:{letter.sequence}:{letter.event_id}"}
    await bus.publish(letter.subject, letter.body, headers, letter.stream)
    await bus.jetstream.delete_msg(DEAD, letter.sequence)


async def drop(bus: Bus, letter: Letter, who: str, why: str) -> None:
    """Give a letter up. Who did it and why stays in the stream, with the event's id and without its body."""
    about = {**_about(letter), "dropped_by": who, "dropped_because": why, "at": now().isoformat()}
    headers = {"Nats-Msg-Id": f"drop:{letter.sequence}", "Xinqiao-Dead": json.dumps(about)}
    await bus.publish(f"xinqiao.dead.{letter.service}.dropped", b"", headers, DEAD)
    await bus.jetstream.delete_msg(DEAD, letter.sequence)


async def read_stream(bus: Bus, stream: str, subjects: list[str], batch: int = 500) -> AsyncIterator[Msg]:
    """Every message of a stream up to its end as of now, oldest first, through a consumer that lasts as long."""
    last = (await bus.jetstream.stream_info(stream)).state.last_seq
    if not last:
        return
    subscription = await bus.jetstream.pull_subscribe(
        subjects[0] if len(subjects) == 1 else "",
        stream=stream,
        config=ConsumerConfig(
            deliver_policy=DeliverPolicy.ALL,
            filter_subjects=subjects if len(subjects) > 1 else None,
            ack_policy="none",
            mem_storage=True,
            inactive_threshold=60,
        ),
        inbox_prefix=bus.inbox_prefix.encode() + b".",
    )
    try:
        while True:
            try:
                messages = await subscription.fetch(batch, timeout=1)
            except (TimeoutError, nats.errors.TimeoutError):
                info = await subscription.consumer_info()
                if not info.num_pending:
                    return
                continue
            for message in messages:
                yield message
            if messages and messages[-1].metadata.num_pending == 0:
                return
    finally:
        info = await subscription.consumer_info()
        await subscription.unsubscribe()
        await bus.jetstream.delete_consumer(stream, info.name)


def _about(letter: Letter) -> dict[str, Any]:
    return {
        "service": letter.service,
        "consumer": letter.consumer,
        "stream": letter.stream,
        "stream_sequence": letter.stream_sequence,
        "subject": letter.subject,
        "deliveries": letter.deliveries,
        "reason": letter.reason,
        "detail": letter.detail,
        "field": letter.field,
        "fingerprint": letter.fingerprint,
        "headers": letter.headers,
    }


def _letter(sequence: int, headers: dict[str, str], body: bytes) -> Letter:
    about: dict[str, Any] = json.loads(headers["Xinqiao-Dead"])
    original: dict[str, str] = about["headers"]
    return Letter(
        sequence=sequence,
        at=datetime.fromisoformat(about["at"]).astimezone(UTC),
        service=about["service"],
        consumer=about["consumer"],
        stream=about["stream"],
        stream_sequence=about["stream_sequence"],
        subject=about["subject"],
        event_id=original.get("ce-id"),
        deliveries=about["deliveries"],
        reason=about["reason"],
        detail=about["detail"],
        field=about["field"],
        fingerprint=about["fingerprint"],
        headers=original,
        body=body,
        dropped="dropped_by" in about,
    )

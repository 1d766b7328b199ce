"""Dead letters: what a service could not take, kept with its reason, to be shown, requeued or dropped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RawStreamMsg

from chassis import observe
from chassis.bus import Bus
from chassis.clock import now
from chassis.envelope import MAX_BODY
from chassis.errors import Refused
from contracts.topology import dead_subject

log = logging.getLogger(__name__)

DEAD = "DEAD"
MAX_HEADERS = 8 * 1024


@dataclass(frozen=True)
class Letter:
    """One dead letter. `sequence` is its place in the DEAD stream; `body` is what was received, to the byte.

    A body over the limit is `cut`: it stays where it is, at `stream_sequence` of `stream`.
    """

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
    cut: bool
    dropped: bool


async def bury(
    bus: Bus, service: str, consumer: str, message: Msg, reason: str, detail: str, field: str | None
) -> None:
    """Write a dead letter and wait until it is durable; only then may the message be terminated."""
    meta = message.metadata
    body = message.data if len(message.data) <= MAX_BODY else b""
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
        "headers": _bounded(message.headers or {}),
        "cut": len(body) < len(message.data),
        "at": now().isoformat(),
    }
    # No deliveries in the id: who died between this and the termination buries the message once more.
    headers = {
        "Nats-Msg-Id": f"dead:{consumer}:{meta.stream}:{meta.sequence.stream}",
        "Xinqiao-Dead": json.dumps(about),
    }
    await bus.publish(dead_subject(service, meta.stream), body, headers, DEAD)
    observe.DEAD.labels(consumer, reason).inc()
    log.warning("dead letter: %s at %s, %s/%s", reason, field, meta.stream, meta.sequence.stream)


def fingerprint(consumer: str, reason: str, field: str | None) -> str:
    """Equal for letters that failed in the same way."""
    return hashlib.sha256(f"{consumer}|{reason}|{field}".encode()).hexdigest()[:12]


async def letters(bus: Bus) -> AsyncIterator[Letter]:
    """All dead letters, oldest first; dropped ones come marked, and requeued ones are none any more."""
    async for message in read_stream(bus, DEAD, ["xinqiao.dead.>"]):
        if message.subject.endswith(".requeued"):
            continue
        yield _letter(message.metadata.sequence.stream, message.subject, dict(message.headers or {}), message.data)


async def get(bus: Bus, sequence: int) -> Letter:
    """One dead letter by its sequence; raises nats' `NotFoundError`."""
    raw: RawStreamMsg = await bus.jetstream.get_msg(DEAD, sequence)
    return _letter(sequence, raw.subject or "", dict(raw.headers or {}), raw.data or b"")


async def requeue(bus: Bus, letter: Letter) -> None:
    """Publish the message again as it was. Who has taken it already drops it by its claim; then the letter goes.

    Raises `Refused` for a letter without its body: what is too large can never be taken.
    """
    if letter.cut or letter.dropped:
        raise Refused("no_body", "the letter does not hold the body of its message; it can only be dropped")
    # What the first publisher told the broker (its place in a batch, what it expected) is not true of this one.
    own = {name: value for name, value in letter.headers.items() if not name.lower().startswith("nats-")}
    headers = {**own, "Nats-Msg-Id": f"requeue:{letter.sequence}:{letter.event_id}"}
    await bus.publish(letter.subject, letter.body, headers, letter.stream)
    await _replace(bus, letter, "requeued", {})


async def drop(bus: Bus, letter: Letter, who: str, why: str) -> None:
    """Give a letter up. Who did it and why stays in the stream, with the event's id and without its body."""
    await _replace(bus, letter, "dropped", {"dropped_by": who, "dropped_because": why})


async def _replace(bus: Bus, letter: Letter, end: str, more: dict[str, str]) -> None:
    # What stays is the word that this message was a letter once: the audit must not miss it.
    about = {**_about(letter), **more, "at": now().isoformat()}
    headers = {"Nats-Msg-Id": f"{end}:{letter.sequence}", "Xinqiao-Dead": json.dumps(about)}
    await bus.publish(f"xinqiao.dead.{letter.service}.{end}", b"", headers, DEAD)
    await bus.jetstream.delete_msg(DEAD, letter.sequence)


async def accounted(bus: Bus) -> set[tuple[str, str, int]]:
    """Every message that is or was a dead letter: its consumer's service, its stream, its sequence there."""
    found = set()
    async for message in read_stream(bus, DEAD, ["xinqiao.dead.>"]):
        letter = _letter(message.metadata.sequence.stream, message.subject, dict(message.headers or {}), message.data)
        found.add((letter.service, letter.stream, letter.stream_sequence))
    return found


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
            ack_policy=AckPolicy.NONE,
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
        "cut": letter.cut,
    }


def _bounded(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, or only ours of them, cut, where they are too many to be kept."""
    if sum(len(name) + len(value) for name, value in headers.items()) <= MAX_HEADERS:
        return dict(headers)
    ours = ("ce-id", "ce-source", "ce-type", "ce-time", "ce-dataschema", "traceparent")
    return {name: headers[name][:200] for name in ours if name in headers}


def _letter(sequence: int, subject: str, headers: dict[str, str], body: bytes) -> Letter:
    about: dict[str, Any] = json.loads(headers["Xinqiao-Dead"]) if "Xinqiao-Dead" in headers else _stray(subject)
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
        cut=bool(about.get("cut")),
        dropped="dropped_by" in about,
    )


def _stray(subject: str) -> dict[str, Any]:
    """What nobody here wrote: the broker sends its answer to whatever place a publisher names, this stream too."""
    return {
        "at": datetime.fromtimestamp(0, UTC).isoformat(),
        "service": "unknown",
        "consumer": "unknown",
        "stream": DEAD,
        "stream_sequence": 0,
        "subject": subject,
        "deliveries": 0,
        "reason": "not_a_letter",
        "detail": "no service wrote this; it can be dropped",
        "field": None,
        "fingerprint": fingerprint("unknown", "not_a_letter", None),
        "headers": {},
        "cut": True,
    }

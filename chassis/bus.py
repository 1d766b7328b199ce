"""NATS JetStream: the connection, publishing with retries, and atomic batches (ADR-50)."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
from faststream import AckPolicy
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from chassis import observe
from chassis.errors import Unavailable

log = logging.getLogger(__name__)

BATCH_LIMIT = 1000
BATCH_FROM = 32
"""An atomic batch costs the server some ten milliseconds whatever its size, a single message half of one (measured)."""
DUPLICATE_IN_BATCH = 10201
PUBLISH_SECONDS = 5.0
DEADLINE_SECONDS = 30.0
AWAY = (
    nats.errors.TimeoutError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServiceUnavailableError,
    asyncio.TimeoutError,
    OSError,
)
"""What says that the broker is away for now. nats-py raises the builtin `TimeoutError` in some places."""


@dataclass(frozen=True)
class Published:
    """The broker's word that a message is kept. A duplicate has the sequence of the first one."""

    stream: str
    sequence: int
    duplicate: bool


class Refusal(Exception):
    """The broker answered, and refused: the stream is full, or a member of a batch was seen before."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


class Bus:
    """The one way to the broker."""

    def __init__(self, url: str, name: str, nkey_file: Path | None) -> None:
        self._broker = NatsBroker(
            url,
            name=f"xinqiao-{name}",
            ack_policy=AckPolicy.MANUAL,
            logger=None,
            security=NatsNKey.from_file(str(nkey_file)) if nkey_file else None,
            inbox_prefix=f"_INBOX_{name}",
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=5,
            ping_interval=10,
            max_outstanding_pings=2,
            pending_size=8 * 1024 * 1024,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
        )
        self.inbox_prefix = f"_INBOX_{name}"
        self._client: Client | None = None
        self._closing = False

    @property
    def client(self) -> Client:
        assert self._client is not None, "connect first"
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        return self.client.jetstream(timeout=PUBLISH_SECONDS)

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def connect(self) -> None:
        """Connect, and wait for a broker that is not up yet."""
        while True:
            try:
                self._client = await self._broker.connect()
                break
            except (TimeoutError, OSError, nats.errors.Error) as error:
                if "authorization" in str(error).lower():
                    raise
                log.warning("the broker cannot be reached yet: %s", type(error).__name__)
                await asyncio.sleep(1)
        observe.BUS_CONNECTED.set(1)

    async def close(self) -> None:
        """Send what is still to be sent, and close; a drain would wait half a minute for a pull subscription."""
        self._closing = True
        if self._client is not None:
            with suppress(*AWAY, nats.errors.Error):
                await self._client.flush(2)
            await self._client.close()
        observe.BUS_CONNECTED.set(0)

    async def publish(self, subject: str, body: bytes, headers: dict[str, str], stream: str) -> Published:
        """Publish and wait until it is durable. Tries again with the same id while the broker is away.

        Raises `Unavailable` at the deadline, and `Refusal` when the broker says no.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        pause = 0.1
        while True:
            try:
                answer = await self.client.request(
                    subject, body, timeout=PUBLISH_SECONDS, headers={**headers, "Nats-Expected-Stream": stream}
                )
                return _published(answer)
            except AWAY as error:
                if loop.time() + pause > deadline:
                    raise Unavailable(f"the broker did not acknowledge {subject}") from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def publish_batch(self, rows: Sequence[tuple[str, dict[str, str], bytes]], stream: str) -> None:
        """Publish rows of (subject, headers, body) in their order: a few one by one, many in atomic batches.

        Falls back to one by one when a member was published before. Raises like `publish`.
        """
        if len(rows) < BATCH_FROM:
            for subject, headers, body in rows:
                await self.publish(subject, body, headers, stream)
            return
        for start in range(0, len(rows), BATCH_LIMIT):
            chunk = rows[start : start + BATCH_LIMIT]
            try:
                await self._atomic(chunk)
            except AWAY:
                await self._one_by_one(chunk, stream, "away")
            except Refusal as error:
                why = "duplicate" if error.code == DUPLICATE_IN_BATCH else "refused"
                await self._one_by_one(chunk, stream, why)

    async def _atomic(self, rows: Sequence[tuple[str, dict[str, str], bytes]]) -> None:
        batch = uuid.uuid4().hex
        last = len(rows)
        for number, (subject, headers, body) in enumerate(rows, 1):
            marked = {**headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            if number < last:
                await self.client.publish(subject, body, headers=marked)
            else:
                marked["Nats-Batch-Commit"] = "1"
                answer = await self.client.request(subject, body, timeout=PUBLISH_SECONDS, headers=marked)
                _published(answer)

    async def _one_by_one(self, rows: Sequence[tuple[str, dict[str, str], bytes]], stream: str, why: str) -> None:
        observe.RELAY_FALLBACKS.labels(why).inc()
        for subject, headers, body in rows:
            await self.publish(subject, body, headers, stream)

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            observe.BUS_DENIED.inc()
            log.error("the broker denied an operation; the credential does not fit the topology")
        else:
            log.warning("broker: %s", type(error).__name__)

    async def _on_disconnect(self) -> None:
        observe.BUS_CONNECTED.set(0)
        if not self._closing:
            log.warning("the broker is away")

    async def _on_reconnect(self) -> None:
        observe.BUS_CONNECTED.set(1)
        log.info("the broker is back")


def _published(answer: Msg) -> Published:
    if answer.headers and answer.headers.get("Status") == "503":
        raise nats.js.errors.NoStreamResponseError
    content: dict[str, Any] = json.loads(answer.data)
    if "error" in content:
        problem = content["error"]
        if problem.get("code") == 503 and problem.get("err_code") != 10077:
            raise nats.js.errors.ServiceUnavailableError
        raise Refusal(int(problem.get("err_code", 0)), str(problem.get("description", "refused")))
    return Published(content["stream"], int(content["seq"]), bool(content.get("duplicate", False)))

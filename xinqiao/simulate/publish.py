"""Publishes lines as hotlines outside would: a connection and a credential for each, an answer for each line."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from xinqiao.simulate.day import Line

ANSWER_SECONDS = 5.0
AWAY = (nats.errors.Error, nats.js.errors.Error, asyncio.TimeoutError, OSError)
BUSY = (429, 502, 503, 504)


@dataclass(frozen=True)
class Doors:
    """Where and with which credentials hotlines come in. `nkeys` are seed files, `tokens` bearer tokens, by hotline."""

    nats_url: str
    nkeys: Mapping[str, Path]
    http_url: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What became of a line on the way in: `kept`, `duplicate`, `denied`, `accepted` or `refused` (HTTP), or `silence`.

    `sent_at` and `answered_at` are seconds of the epoch; `status` is HTTP's, `reason` a problem's own word.
    """

    outcome: str
    sent_at: float
    answered_at: float
    status: int | None = None
    reason: str | None = None


@dataclass
class Summary:
    """What became of a day's lines on the way in. `sent_at` is by event id, for the first time it was sent."""

    kept: int = 0
    duplicates: int = 0
    denied: int = 0
    http: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)
    sent_at: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def lines(self) -> int:
        return self.kept + self.duplicates + self.denied + sum(self.http.values()) + len(self.silent)

    def take(self, line: Line, answer: Answer) -> None:
        ident = line.ident
        if ident is not None:
            self.sent_at.setdefault(ident, answer.sent_at)
        if answer.status is not None:
            self.http[answer.status] += 1
        if answer.outcome == "refused":
            self.refused[answer.reason or "?"] += 1
        self.kept += answer.outcome == "kept"
        self.duplicates += answer.outcome == "duplicate"
        self.denied += answer.outcome == "denied"
        if answer.outcome == "silence":
            self.silent.append(ident or f"without id at {line.at}")


async def publish_day(
    lines: Iterable[Line],
    doors: Doors,
    *,
    rate: float | None = None,
    in_flight: int = 1,
    deadline: float = 60.0,
    on_published: Callable[[Line, Answer], None] | None = None,
) -> Summary:
    """Send the lines, each until it is answered or `deadline` seconds have passed.

    The lines of one hotline go in their order, up to `in_flight` of them at once, except that what names the same event
    never overtakes. `rate` is in lines a second, over all hotlines. A line that nobody answers is in `Summary.silent`.
    """
    summary, began = Summary(), time.monotonic()
    senders: dict[str, Sender] = {}
    before: dict[str, asyncio.Task[None]] = {}

    async def one(sender: Sender, line: Line, earlier: asyncio.Task[None] | None) -> None:
        try:
            if earlier is not None:
                await asyncio.wait({earlier})
            answer = await sender.send(line, deadline)
            summary.take(line, answer)
            if on_published is not None:
                on_published(line, answer)
        finally:
            sender.free.release()

    try:
        async with asyncio.TaskGroup() as group:
            for number, line in enumerate(lines):
                if rate is not None:
                    await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                if line.hotline not in senders:
                    sender = Sender(line.hotline, doors, in_flight)
                    senders[line.hotline] = await asyncio.wait_for(sender.open(), deadline)
                sender, ident = senders[line.hotline], line.ident
                await sender.free.acquire()
                task = group.create_task(one(sender, line, before.get(ident or "")))
                if ident is not None:
                    before[ident] = task
    finally:
        for sender in senders.values():
            await sender.close()
    summary.seconds = time.monotonic() - began
    return summary


class Sender:
    """One hotline system: its connection to the broker, and its token for the HTTP door."""

    def __init__(self, hotline: str, doors: Doors, in_flight: int) -> None:
        self.hotline = hotline
        self.free = asyncio.Semaphore(in_flight)
        self._doors = doors
        self._denied: dict[str, asyncio.Event] = {}
        self._nats: Client | None = None
        self._http: httpx.AsyncClient | None = None

    async def open(self) -> Sender:
        """Connect, waiting for a broker that is not up yet."""
        self._nats = await nats.connect(
            self._doors.nats_url,
            name=f"hotline {self.hotline}",
            nkeys_seed=str(self._doors.nkeys[self.hotline]),
            inbox_prefix=f"_INBOX_hotline-{self.hotline}".encode(),
            error_cb=self._on_error,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            ping_interval=10,
            max_outstanding_pings=2,
        )
        if self._doors.http_url is not None:
            token = self._doors.tokens.get(self.hotline, "")
            headers = {"authorization": f"Bearer {token}"}
            self._http = httpx.AsyncClient(base_url=self._doors.http_url, headers=headers, timeout=2 * ANSWER_SECONDS)
        return self

    async def close(self) -> None:
        if self._nats is not None:
            await self._nats.close()
        if self._http is not None:
            await self._http.aclose()

    async def __aenter__(self) -> Sender:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, line: Line, deadline: float) -> Answer:
        """Send until there is an answer; the same bytes under the same id each time."""
        sent_at, until = time.time(), time.monotonic() + deadline
        pause = 0.1
        while True:
            answer = await (self._post(line, sent_at) if line.via == "http" else self._publish(line, sent_at))
            if answer is not None:
                return answer
            if time.monotonic() + pause > until:
                return Answer("silence", sent_at, time.time())
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _publish(self, line: Line, sent_at: float) -> Answer | None:
        assert self._nats is not None, "open first"
        denied = self._denied.setdefault(line.subject, asyncio.Event())
        headers = {**line.headers, "Nats-Expected-Stream": "HOTLINE"}
        asking = asyncio.ensure_future(
            self._nats.request(line.subject, line.body.encode(), timeout=ANSWER_SECONDS, headers=headers)
        )
        denying = asyncio.ensure_future(denied.wait())
        await asyncio.wait({asking, denying}, return_when=asyncio.FIRST_COMPLETED)
        denying.cancel()
        if not asking.done():
            asking.cancel()
            return Answer("denied", sent_at, time.time())
        try:
            content = json.loads(asking.result().data or b"{}")
        except AWAY:
            return None
        if "seq" not in content:  # the broker refuses for now: no stream, no leader, or a full one
            return None
        return Answer("duplicate" if content.get("duplicate") else "kept", sent_at, time.time())

    async def _post(self, line: Line, sent_at: float) -> Answer | None:
        assert self._http is not None, "lines that are posted need the HTTP door"
        try:
            answer = await self._http.post("/v1/flags", content=line.body.encode(), headers=line.headers)
        except httpx.TransportError:
            return None
        if answer.status_code in BUSY or answer.status_code == 500:
            return None
        if answer.is_success:
            return Answer("accepted", sent_at, time.time(), answer.status_code)
        denied = answer.status_code in (401, 403)
        return Answer(
            "denied" if denied else "refused", sent_at, time.time(), answer.status_code, _reason(answer.content)
        )

    async def _on_error(self, error: Exception) -> None:
        said = str(error).lower()
        if "permissions violation for publish" in said:
            for subject, denied in self._denied.items():
                if f'"{subject}"' in said:
                    denied.set()


def _reason(body: bytes) -> str | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content.get("reason") if isinstance(content, dict) else None

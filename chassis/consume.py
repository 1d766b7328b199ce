"""Consuming: messages that wait are fetched together, handled in one transaction, and settled.

One message is one transaction as far as its handler can tell. A claim, which is an insert that the primary key refuses
the second time, makes it take effect once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from chassis import dead, observe
from chassis.bus import AWAY, Bus, Refusal
from chassis.clock import now
from chassis.db import Database, Duplicate
from chassis.envelope import from_message, traceparent_of
from chassis.errors import Refused, Unavailable
from chassis.tx import Tx
from contracts.base import Event
from contracts.topology import EVENTS, Consumer

log = logging.getLogger(__name__)

Handler = Callable[[Any, Tx], Awaitable[None]]
Loader = Callable[[Sequence[Any], Tx], Awaitable[None]]

DELAYS = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds until a message that failed is tried again; after the last it becomes a dead letter."""
TOO_OFTEN = 50
"""Deliveries after which a message is not tried any more: it may be what ends the process."""
ACK_WAIT = 30.0
MAX_DELIVER = 100
FETCH_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class Handles:
    """What a service does with one event. `load` may read ahead for all events of a group at once."""

    event: type[Event]
    handler: Handler
    load: Loader | None = None


@dataclass
class Delivery:
    """One message on its way through a group."""

    message: Msg
    event: Event
    digest: str

    @property
    def traceparent(self) -> str:
        return traceparent_of((self.message.headers or {}).get("traceparent"), self.event.id)


@dataclass(frozen=True)
class Done:
    outcome: str = "done"


@dataclass(frozen=True)
class Dead:
    reason: str
    detail: str
    field: str | None = None


@dataclass(frozen=True)
class Again:
    error: Exception


Outcome = Done | Dead | Again


def digest_of(event: Event) -> str:
    """Equal for events that say the same, however their JSON was written: 32 hexadecimal digits."""
    return hashlib.sha256(event.body() + event.occurred_at.isoformat().encode()).hexdigest()[:32]


class Consuming:
    """One durable consumer at work."""

    def __init__(
        self, consumer: Consumer, handles: Mapping[type[Event], Handles], bus: Bus, database: Database, group_size: int
    ) -> None:
        self.consumer = consumer
        self._handles = handles
        self._timed = {event: observe.HANDLER_SECONDS.labels(event.TYPE) for event in handles}
        self._bus = bus
        self._database = database
        self._group_size = group_size
        self._stopping = asyncio.Event()
        self._settling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Fetch, handle, settle, until told to stop. What is not settled then comes again."""
        subscription = await self._subscribe()
        try:
            while not self._stopping.is_set():
                messages = await self._fetch(subscription)
                if messages:
                    await self._take(messages)
            if self._settling:
                await asyncio.wait(self._settling)
        finally:
            await let_go(subscription)

    async def _take(self, messages: list[Msg]) -> None:
        held = asyncio.create_task(self._hold(messages))
        try:
            outcomes = await self._until_available(messages)
        finally:
            held.cancel()
        # Settling goes on beside the next group, but not so far that acknowledgements fall behind.
        task = asyncio.create_task(self._settle_all(messages, outcomes))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        if len(self._settling) > 2:
            await asyncio.wait(self._settling, return_when=asyncio.FIRST_COMPLETED)

    def stop(self) -> None:
        self._stopping.set()

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        return await self._bus.jetstream.pull_subscribe_bind(
            consumer=self.consumer.name,
            stream=self.consumer.stream,
            inbox_prefix=self._bus.inbox_prefix.encode() + b".",
        )

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        # A fetch is never broken off, not even to stop: what the broker has sent by then would wait for `ACK_WAIT`.
        try:
            return await subscription.fetch(self._group_size, timeout=FETCH_SECONDS)
        except (TimeoutError, nats.errors.TimeoutError):
            return []
        except (*AWAY, nats.js.errors.Error, nats.errors.Error) as error:
            # A consumer that is gone answers at once, for ever: pause, so that the loop does not spin.
            log.warning("%s: fetch failed: %s", self.consumer.name, type(error).__name__)
            await asyncio.sleep(1.0)
            return []

    async def _hold(self, messages: list[Msg]) -> None:
        """Tell the broker that the work goes on, before it hands the messages to someone else."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for message in messages:
                try:
                    await message.in_progress()
                except (nats.errors.Error, OSError):
                    return

    async def _until_available(self, messages: list[Msg]) -> list[Outcome]:
        pause = 0.2
        while True:
            try:
                with observe.GROUP_SECONDS.labels(self.consumer.name).time():
                    return await self.handle(messages)
            except Unavailable:
                if self._stopping.is_set():
                    raise
                observe.GROUP_RETRIES.labels(self.consumer.name, "unavailable").inc()
                log.warning("%s: the database is away; the group waits", self.consumer.name)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def handle(self, messages: Sequence[Msg]) -> list[Outcome]:
        """What becomes of each message, its effects durable. Raises `Unavailable`."""
        observe.GROUP_SIZE.labels(self.consumer.name).observe(len(messages))
        outcomes: dict[int, Outcome] = {}
        rounds: list[dict[int, Delivery]] = [{}]
        seen: set[str] = set()
        for position, message in enumerate(messages):
            if message.metadata.num_delivered > 1:
                observe.REDELIVERIES.labels(self.consumer.name).inc()
            try:
                delivery = self._read(message)
            except Refused as error:
                outcomes[position] = Dead(error.reason, error.detail, error.field)
                continue
            except Exception as error:  # whatever a stranger sends, reading it must not end the process
                log.error("%s: a message could not be read", self.consumer.name, exc_info=error)
                outcomes[position] = Dead("unreadable", f"reading it failed with {type(error).__name__}")
                continue
            ident = str(delivery.event.id)
            if ident in seen:  # the same event twice in one group: the second has its own turn
                rounds.append({position: delivery})
            else:
                seen.add(ident)
                rounds[0][position] = delivery
        for group in rounds:
            if group:
                outcomes.update(await self._handle_group(group))
        return [outcomes[position] for position in range(len(messages))]

    def _read(self, message: Msg) -> Delivery:
        if message.metadata.num_delivered > TOO_OFTEN:
            raise Refused("redelivered_too_often", f"delivered {message.metadata.num_delivered} times")
        event = from_message(message.subject, message.headers, message.data)
        if type(event) not in self._handles:
            raise Refused("unhandled_type", f"{event.TYPE} is not consumed here", "ce-type")
        return Delivery(message, event, digest_of(event))

    async def _handle_group(self, group: dict[int, Delivery]) -> dict[int, Outcome]:
        try:
            return await self._database.transact(lambda tx: self._in_one(group, tx))
        except Duplicate as error:
            if error.collection == "claims":
                settled, rest = await self._without_claimed(group)
                return settled | (await self._handle_group(rest) if rest else {})
            return await self._apart(group, error)
        except Unavailable:
            raise
        except Refused as error:
            if len(group) > 1:
                return await self._apart(group, error)
            return dict.fromkeys(group, Dead(error.reason, error.detail, error.field))
        except Exception as error:  # the settle policy: whatever a handler or the commit throws is decided here
            return await self._apart(group, error)

    async def _apart(self, group: dict[int, Delivery], error: Exception) -> dict[int, Outcome]:
        """A group that failed is halved until the bad message is alone, so that it harms no other."""
        if len(group) == 1:
            (position,) = group
            log.error("%s: a handler failed", self.consumer.name, exc_info=error)
            return {position: Again(error)}
        observe.GROUP_RETRIES.labels(self.consumer.name, "apart").inc()
        members = list(group.items())
        middle = len(members) // 2
        first = await self._handle_group(dict(members[:middle]))
        return first | await self._handle_group(dict(members[middle:]))

    async def _without_claimed(self, group: dict[int, Delivery]) -> tuple[dict[int, Outcome], dict[int, Delivery]]:
        claimed = await self._database.claims_of([self._claim_key(delivery) for delivery in group.values()])
        settled: dict[int, Outcome] = {}
        rest: dict[int, Delivery] = {}
        for position, delivery in group.items():
            digest = claimed.get(self._claim_key(delivery))
            if digest is None:
                rest[position] = delivery
            elif digest == delivery.digest:
                settled[position] = Done("duplicate")
            else:
                settled[position] = Dead("id_reused", "this id was taken before with another body", "ce-id")
        return settled, rest

    def _claim_key(self, delivery: Delivery) -> str:
        return f"{self.consumer.name}:{delivery.event.id}"

    async def _in_one(self, group: dict[int, Delivery], tx: Tx) -> dict[int, Outcome]:
        moment = now()
        for delivery in group.values():
            tx.insert("claims", {"_id": self._claim_key(delivery), "digest": delivery.digest, "at": moment})
        # The claims go first: a group that holds a claimed message stops here, before its handlers.
        await tx.flush()
        await self._load(group, tx)
        outcomes: dict[int, Outcome] = {}
        for position, delivery in group.items():
            mark, flushes = tx.savepoint(), tx.flushes
            tx.traceparent = delivery.traceparent
            token = observe.trace.set(tx.traceparent)
            try:
                with self._timed[type(delivery.event)].time():
                    await self._handles[type(delivery.event)].handler(delivery.event, tx)
                outcomes[position] = Done()
            except Refused as error:
                if len(group) == 1 or tx.flushes != flushes:
                    raise  # what was sent already is undone with the transaction
                tx.rollback(mark)
                tx.delete("claims", self._claim_key(delivery))
                outcomes[position] = Dead(error.reason, error.detail, error.field)
            finally:
                observe.trace.reset(token)
        return outcomes

    async def _load(self, group: dict[int, Delivery], tx: Tx) -> None:
        by_type: dict[type[Event], list[Event]] = {}
        for delivery in group.values():
            by_type.setdefault(type(delivery.event), []).append(delivery.event)
        for kind, events in by_type.items():
            load = self._handles[kind].load
            if load is not None:
                await load(events, tx)

    async def _settle_all(self, messages: list[Msg], outcomes: list[Outcome]) -> None:
        await asyncio.gather(
            *(self._settle(message, outcome) for message, outcome in zip(messages, outcomes, strict=True))
        )

    async def _settle(self, message: Msg, outcome: Outcome) -> None:
        event = _label(message.subject)
        failures = message.metadata.num_delivered
        if isinstance(outcome, Again) and failures > len(DELAYS):
            outcome = Dead("failed", f"{failures} deliveries failed; the last with {type(outcome.error).__name__}")
        try:
            match outcome:
                case Done(outcome=word):
                    await message.ack_sync(timeout=5)
                    observe.DELIVERIES.labels(self.consumer.name, event, word).inc()
                case Dead(reason=reason, detail=detail, field=field):
                    await dead.bury(
                        self._bus, self.consumer.service, self.consumer.name, message, reason, detail, field
                    )
                    await message.term()
                    observe.DELIVERIES.labels(self.consumer.name, event, "dead").inc()
                case Again():
                    await message.nak(delay=DELAYS[failures - 1])
                    observe.DELIVERIES.labels(self.consumer.name, event, "again").inc()
        except (*AWAY, nats.errors.Error, Unavailable, Refusal) as error:
            # Not settled, so it comes again, and its claim makes that harmless.
            log.warning("%s: not settled: %s", self.consumer.name, type(error).__name__)
            observe.DELIVERIES.labels(self.consumer.name, event, "unsettled").inc()


async def let_go(subscription: JetStreamContext.PullSubscription) -> None:
    """End a pull subscription."""
    with suppress(*AWAY, nats.errors.Error):
        await subscription.unsubscribe()


_KNOWN = frozenset(f"{declared.event.TYPE}.v{declared.event.VERSION}" for declared in EVENTS)


def _label(subject: str) -> str:
    # A stranger chooses the subject, and a metric may not grow a series for each of its ideas.
    event = ".".join(subject.split(".")[1:4])
    return event if event in _KNOWN else "unknown"

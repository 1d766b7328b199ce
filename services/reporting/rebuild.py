"""The counters made again from the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.consume import digest_of
from chassis.db import Database
from chassis.dead import read_stream
from chassis.envelope import from_message
from chassis.errors import NotAllowed, Refused, Unavailable
from chassis.provision import recreate_consumer
from contracts.base import Event
from contracts.topology import Consumer, consumers_of
from services.reporting import store
from services.reporting.domain import COUNTED, recount

log = logging.getLogger(__name__)

BATCH = 1000
RENEW_SECONDS = 10.0


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: events read from the log, events counted, and the generation that is current now."""

    read: int
    counted: int
    generation: str


async def rebuild(
    bus: Bus,
    database: Database,
    *,
    reread: bool = False,
    shortened: bool = False,
    replicas: int = 1,
    progress: Callable[[int], None] = lambda read: None,
) -> Rebuilt:
    """Count the log again into the other generation and make it current in one step.

    The service may run meanwhile: its messages wait, readers see the old counters to the end, and nothing is counted
    twice or lost, because exactly those events are counted that the service has claimed; the others reach it when
    counting goes on. If it is interrupted the old counters stay, and counting goes on after a minute at the latest.

    `reread` has the broker deliver the whole log once more afterwards, for a database restored from a backup: what has
    no claim is counted then, what has one is dropped. `shortened` accepts a log that has forgotten its beginning, and
    with it the counts of that time. `progress` is called with the number of events read so far.

    `bus` needs the operator's rights, `database` is reporting's. Raises `NotAllowed` when another rebuild is under way,
    the hold was lost, or the log is shortened.
    """
    consumers = [consumer for consumer in consumers_of("reporting") if consumer.stream != "REGISTRY"]
    if not shortened:
        await _check_whole(bus, consumers)
    token = secrets.token_hex(8)
    generation, mark = await store.hold(database, token)
    holding = asyncio.create_task(_keep_holding(database, token, mark))
    try:
        filling = _Filling(database, generation, progress)
        await store.empty_generation(database, generation)
        for consumer in consumers:
            await filling.read(bus, consumer)
        await store.swap(database, token, mark, generation)
    except BaseException:
        await store.let_go(database, token)
        raise
    finally:
        holding.cancel()
    if reread:
        for consumer in consumers_of("reporting"):
            await recreate_consumer(bus, consumer, replicas)
    log.info("rebuilt from %d events; %d counted", filling.seen, filling.counted)
    return Rebuilt(filling.seen, filling.counted, generation)


async def _check_whole(bus: Bus, consumers: list[Consumer]) -> None:
    for consumer in consumers:
        state = (await bus.jetstream.stream_info(consumer.stream)).state
        if state.first_seq > 1:
            raise NotAllowed(f"stream {consumer.stream} has forgotten what was before message {state.first_seq}")


async def _keep_holding(database: Database, token: str, mark: int) -> None:
    # Where the hold is lost this ends, and the swap, which looks for itself, refuses.
    with contextlib.suppress(NotAllowed):
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with contextlib.suppress(Unavailable):
                await store.renew(database, token, mark)


class _Filling:
    """A generation on its way to be filled."""

    def __init__(self, database: Database, generation: str, progress: Callable[[int], None]) -> None:
        self._database, self._generation, self._progress = database, generation, progress
        self.seen = 0
        self.counted = 0

    async def read(self, bus: Bus, consumer: Consumer) -> None:
        batch: list[Msg] = []
        async for message in read_stream(bus, consumer.stream, list(consumer.subjects), BATCH):
            batch.append(message)
            if len(batch) == BATCH:
                await self._count(consumer, batch)
                batch = []
        if batch:
            await self._count(consumer, batch)

    async def _count(self, consumer: Consumer, batch: list[Msg]) -> None:
        events: dict[str, tuple[Event, str]] = {}
        for message in batch:
            try:
                event = from_message(message.subject, message.headers, message.data)
            except Refused:
                continue  # a dead letter; never counted
            if isinstance(event, COUNTED):
                # As in chassis.consume: a claim, and the digest of what was claimed.
                claim, digest = f"{consumer.name}:{event.id}", digest_of(event)
                events.setdefault(f"{claim} {digest}", (event, claim))
        claims = await self._database.claims_of([claim for _, claim in events.values()])
        claimed = {claim: event for key, (event, claim) in events.items() if key == f"{claim} {claims.get(claim)}"}
        for done in await store.recounted(self._database, list(claimed)):
            del claimed[done]
        await store.add_recounted(self._database, self._generation, list(claimed), recount(claimed.values()))
        self.seen += len(batch)
        self.counted += len(claimed)
        self._progress(self.seen)

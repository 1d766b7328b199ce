"""What both baselines share with the platform: the decisions. What they do not share is everything around them.

A flag's documents and events are worked out by the crisis service's own handler, in all three contestants, so that
they are the same and cost the same to work out: the policy, opening the sealed contact and sealing it again under the
person's own key, the JSON of the events. The handler runs here on a `Tx` over `Decisions`, which reads with motor
inside the baseline's own transaction and collects what is to be written; the baseline writes, commits, acknowledges and
publishes it by its own means.

What is in the baselines' favour: they keep divisions and institutions in memory, where the platform reads them in each
transaction; they insert where the platform replaces, since they see that nothing was there; they do not check types,
versions or sizes of what they read, and have no dead letters, metrics, health or lease.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
from motor.motor_asyncio import AsyncIOMotorClient
from nats.aio.client import Client
from nats.aio.msg import Msg
from pymongo import DeleteOne, InsertOne, ReadPreference, ReplaceOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.clock import now
from chassis.consume import digest_of
from chassis.db import Database
from chassis.tx import Tx
from contracts.hotline import RiskFlagged
from contracts.topology import consumers_of, schedule_subject, timer_subject
from services.crisis import handlers, store
from services.crisis.office import open_office

SNAPSHOT = ReadConcern("snapshot")
DURABLE = WriteConcern(w="majority", j=True)
REFERENCE = ("divisions", "organisations")
HORIZON = timedelta(hours=2)
CONSUMER = next(consumer for consumer in consumers_of("crisis") if consumer.stream == "HOTLINE")


class Decisions:
    """The handler's session: reads what has to be read, and keeps what is to be written by collection."""

    def __init__(self, database: Any, session: Any, known: Mapping[str, dict[Any, dict[str, Any]]]) -> None:
        self._database = database
        self._session = session
        self._known = known
        self._all_new = True
        self.writes: dict[str, list[Any]] = defaultdict(list)

    async def fetch(self, collection: str, keys: list[Any]) -> list[dict[str, Any]]:
        if collection in self._known:
            return [self._known[collection][key] for key in keys if key in self._known[collection]]
        cursor = self._database[collection].find({"_id": {"$in": keys}}, session=self._session)
        found: list[dict[str, Any]] = await cursor.to_list(None)
        self._all_new = self._all_new and not found
        return found

    async def query(
        self, collection: str, query: Mapping[str, Any], sort: list[tuple[str, int]] | None, limit: int
    ) -> list[dict[str, Any]]:
        if collection != "organisations":
            raise NotImplementedError(collection)
        wanted = query["county"]["$in"]
        return [row for row in self._known[collection].values() if row["county"] in wanted]

    async def write(self, collection: str, operations: list[tuple[str, Any, Any]]) -> None:
        for action, key, value in operations:
            if action == "insert" or (action == "put" and self._all_new):
                self.writes[collection].append(InsertOne(value))
            elif action == "put":
                self.writes[collection].append(ReplaceOne({"_id": key}, value, upsert=True))
            else:
                self.writes[collection].append(DeleteOne({"_id": key}))


class World:
    """A baseline's connections and what it knows from the start."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.office = open_office(
            None, Path(environment["XINQIAO_MASTER_KEY_FILE"]), Path(environment["XINQIAO_SEALING_KEY_FILE"])
        )
        self.uri = Path(environment["XINQIAO_MONGO_URI_FILE"]).read_text().strip()
        self.mongo: Any = AsyncIOMotorClient(self.uri, tz_aware=True, uuidRepresentation="standard")
        self.database = self.mongo.get_database("xinqiao_crisis", write_concern=DURABLE)
        self.known: dict[str, dict[Any, dict[str, Any]]] = {}
        self.armed: set[int] = set()
        self.nats: Client

    async def open(self) -> None:
        """Connect, make the same collections and indexes as the platform, and read the reference data."""
        made = Database(self.uri, "crisis")
        await made.prepare(store.COLLECTIONS, 1187)
        made.close()
        for name in REFERENCE:
            rows = await self.database[name].find().to_list(None)
            self.known[name] = {row["_id"]: row for row in rows}
        self.nats = await nats.connect(
            self.environment["XINQIAO_NATS_URL"],
            nkeys_seed=self.environment["XINQIAO_NATS_NKEY_FILE"],
            inbox_prefix=b"_INBOX_crisis",
            pending_size=8 * 1024 * 1024,
        )

    async def subscribe(self) -> Any:
        return await self.nats.jetstream().pull_subscribe_bind(
            consumer=CONSUMER.name, stream=CONSUMER.stream, inbox_prefix=b"_INBOX_crisis."
        )

    async def decide(self, messages: Sequence[Msg], session: Any) -> tuple[dict[str, list[Any]], Tx]:
        """The writes by collection, the claims first, and the transaction that holds the events in `outbox`."""
        decisions = Decisions(self.database, session, self.known)
        tx = Tx(decisions, "crisis")
        moment = now()
        flags = [read(message) for message in messages]
        claims = [
            InsertOne({"_id": f"{CONSUMER.name}:{flag.id}", "digest": digest_of(flag), "at": moment}) for flag in flags
        ]
        await handlers.read_ahead(flags, tx, self.office)
        for message, flag in zip(messages, flags, strict=True):
            tx.traceparent = (message.headers or {}).get("traceparent")
            await handlers.take_flag(flag, tx, self.office)
        await tx.finish()
        return {"claims": claims, **decisions.writes}, tx

    def session_options(self) -> tuple[Any, Any, Any]:
        return SNAPSHOT, DURABLE, ReadPreference.PRIMARY

    def wake_ups(self, moments: Iterable[datetime]) -> list[tuple[str, dict[str, str], bytes]]:
        """The schedules not yet set: one for each second in which something is due within the horizon."""
        edge = now() + HORIZON
        seconds = {math.ceil(moment.timestamp()) for moment in moments if moment <= edge} - self.armed
        self.armed |= seconds
        return [_schedule(second) for second in sorted(seconds)]


def read(message: Msg) -> RiskFlagged:
    """The flag, without any check but its model's."""
    headers = message.headers or {}
    return RiskFlagged.model_validate(
        {
            **json.loads(message.data),
            "id": headers["ce-id"],
            "occurred_at": headers["ce-time"],
            "region": message.subject.rsplit(".", 1)[1],
        }
    )


def world() -> World:
    return World(os.environ)


def _schedule(second: int) -> tuple[str, dict[str, str], bytes]:
    at = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"Nats-Schedule": f"@at {at}", "Nats-Schedule-Target": timer_subject("crisis")}
    return schedule_subject("crisis", second), headers, str(second).encode()

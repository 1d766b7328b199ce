"""The transaction that a handler is given: it reads, and records its writes and the events it emits.

Writes are held back until the commit and reads by key see them, so a group of messages costs a handful of round
trips whatever its size. `find` sends what is held back first, so that a query sees it too.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from chassis import observe
from chassis.clock import new_id, now
from chassis.envelope import MAX_BODY, to_headers
from chassis.errors import Duplicate
from contracts.base import Event, county_of

Document = dict[str, Any]
Key = Any
ZERO = "0" * 64


class Session(Protocol):
    """The few calls that a transaction makes on the database; `chassis.db` provides them."""

    async def fetch(self, collection: str, keys: list[Key]) -> list[Document]: ...
    async def query(
        self, collection: str, query: Mapping[str, Any], sort: list[tuple[str, int]] | None, limit: int
    ) -> list[Document]: ...
    async def write(self, collection: str, operations: list[tuple[str, Key, Any]]) -> None: ...


class Tx:
    """One transaction. `now` is the one moment of everything in it."""

    def __init__(self, session: Session, service: str) -> None:
        self._session = session
        self._service = service
        self.now: datetime = now()
        self.traceparent: str | None = observe.trace.get()
        self._documents: dict[tuple[str, Key], Document | None] = {}
        self._dirty: dict[tuple[str, Key], str] = {}
        self._increments: dict[tuple[str, Key], dict[str, int]] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._records: list[Document] = []
        self.outbox: list[Document] = []
        self.wakes: list[datetime] = []
        self.flushes = 0
        self.memo: dict[str, Any] = {}  # what handlers of one group work out once

    # Reading

    async def get(self, collection: str, key: Key) -> Document | None:
        """The document with this `_id`, with what this transaction wrote; a copy, which `put` gives back."""
        place = (collection, key)
        if place not in self._documents:
            await self.load(collection, [key])
        document = self._documents[place]
        return None if document is None else _copy(document)

    async def load(self, collection: str, keys: Iterable[Key]) -> None:
        """Read many documents in one round trip, for `get` to find."""
        wanted = [key for key in dict.fromkeys(keys) if (collection, key) not in self._documents]
        if not wanted:
            return
        for key in wanted:
            self._documents[collection, key] = None
        for document in await self._session.fetch(collection, wanted):
            self._documents[collection, document["_id"]] = document

    def remember(self, collection: str, documents: Iterable[Document]) -> None:
        """Let `get` find what a query brought; what this transaction knows already stays."""
        for document in documents:
            self._documents.setdefault((collection, document["_id"]), document)

    async def find(
        self, collection: str, query: Mapping[str, Any], *, sort: list[tuple[str, int]] | None = None, limit: int = 0
    ) -> list[Document]:
        """The documents that a query matches, what this transaction wrote included."""
        await self.flush()
        return await self._session.query(collection, query, sort, limit)

    # Writing

    def insert(self, collection: str, document: Document) -> None:
        """A new document; one with the same `_id` raises `Duplicate`, here or when it is sent."""
        place = (collection, document["_id"])
        if self._documents.get(place) is not None:
            raise Duplicate(collection)
        self._set(collection, document["_id"], document, "put" if self._dirty.get(place) == "delete" else "insert")

    def put(self, collection: str, document: Document) -> None:
        """The document as it shall be, new or not."""
        place = (collection, document["_id"])
        self._set(collection, document["_id"], document, "insert" if self._dirty.get(place) == "insert" else "put")

    def delete(self, collection: str, key: Key) -> None:
        self._set(collection, key, None, "delete")

    def increment(self, collection: str, key: Key, amounts: Mapping[str, int]) -> None:
        """Add to counters of a document that comes into being with its first count; `get` does not see it."""
        place = (collection, key)
        sums = dict(self._increments.get(place, {}))
        for name, amount in amounts.items():
            sums[name] = sums.get(name, 0) + amount
        self._change(self._increments, place, sums)

    def stamp(self, division: str) -> dict[str, Any]:
        """The envelope of an event that happens now in a division."""
        return {"id": new_id(), "occurred_at": self.now, "region": county_of(division)}

    def emit(self, event: Event) -> None:
        """Publish an event with the commit: it is on its way exactly if the writes are durable."""
        body = event.body()
        if len(body) > MAX_BODY:  # the broker would refuse it for ever, and everything behind it would wait
            raise ValueError(f"{event.TYPE} has {len(body)} bytes; at most {MAX_BODY} are allowed")
        self.outbox.append(
            {
                "_id": event.id,
                "subject": event.subject,
                "headers": to_headers(event, self._service, self.traceparent),
                "body": body,
                "at": self.now,
            }
        )

    def set_timer(self, kind: str, key: Key, due_at: datetime) -> None:
        """Call the handler of `kind` with `key` once `due_at` has come; setting it again moves it."""
        self.put("timers", {"_id": f"{kind}:{key}", "kind": kind, "key": key, "due_at": due_at})
        self.wakes.append(due_at)

    def cancel_timer(self, kind: str, key: Key) -> None:
        self.delete("timers", f"{kind}:{key}")

    def record(self, *, actor: str, action: str, subject: str, reason: str, division: str = "", **details: Any) -> None:
        """Write into the audit log, whose entries are chained by hash. Only ids and codes, no personal data.

        An auditor of a division reads the entries of that division; one of the whole installation reads all.
        """
        self._records.append(
            {
                "at": self.now,
                "actor": actor,
                "action": action,
                "subject": subject,
                "division": division,
                "reason": reason,
                "details": details,
            }
        )

    # What the chassis does with it

    @property
    def wrote(self) -> bool:
        """Whether anything was written, emitted or recorded."""
        return bool(self._dirty or self._increments or self._records or self.outbox or self.flushes)

    def savepoint(self) -> tuple[int, int, int, int]:
        return len(self._undo), len(self.outbox), len(self.wakes), len(self._records)

    def rollback(self, mark: tuple[int, int, int, int]) -> None:
        """Forget what was written since; only what was not flushed can be forgotten."""
        while len(self._undo) > mark[0]:
            mapping, place, before = self._undo.pop()
            if before is _ABSENT:
                mapping.pop(place, None)
            else:
                mapping[place] = before
        del self.outbox[mark[1] :], self.wakes[mark[2] :], self._records[mark[3] :]

    async def flush(self) -> None:
        """Send the writes held back."""
        if not self._dirty and not self._increments:
            return
        by_collection: dict[str, list[tuple[str, Key, Any]]] = defaultdict(list)
        for (collection, key), action in self._dirty.items():
            by_collection[collection].append((action, key, self._documents[collection, key]))
        for (collection, key), amounts in self._increments.items():
            by_collection[collection].append(("increment", key, amounts))
        for collection, operations in by_collection.items():
            await self._session.write(collection, operations)
        self._dirty, self._increments = {}, {}
        self._undo.clear()
        self.flushes += 1

    async def finish(self) -> None:
        """Everything that belongs to the commit is sent."""
        if self._records:
            await self._chain_records()
        await self.flush()
        if self.outbox:
            await self._session.write("outbox", [("insert", row["_id"], row) for row in self.outbox])

    async def _chain_records(self) -> None:
        head = await self.get("audit_head", "head") or {"_id": "head", "sequence": 0, "hash": ZERO}
        for entry in self._records:
            entry = {"_id": head["sequence"] + 1, "previous": head["hash"], **entry}
            entry["hash"] = entry_hash(entry)
            self.insert("audit_log", entry)
            head = {"_id": "head", "sequence": entry["_id"], "hash": entry["hash"]}
        self.put("audit_head", head)
        self._records = []

    def _set(self, collection: str, key: Key, document: Document | None, action: str) -> None:
        place = (collection, key)
        self._change(self._documents, place, document)
        self._change(self._dirty, place, action)

    def _change(self, mapping: dict[Any, Any], place: Any, value: Any) -> None:
        self._undo.append((mapping, place, mapping.get(place, _ABSENT)))
        mapping[place] = value


_ABSENT = object()


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 over an audit entry without its own hash; it holds the hash of the entry before."""
    content = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"an audit entry cannot hold {type(value).__name__}")


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value

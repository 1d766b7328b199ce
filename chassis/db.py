"""MongoDB: the one module that imports the driver.

motor is at its end of life; moving to PyMongo's own asynchronous client has to stay a change of this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DeleteOne, IndexModel, InsertOne, ReadPreference, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.errors import Duplicate, Unavailable
from chassis.tx import Document, Key, Tx

T = TypeVar("T")

DURABLE = WriteConcern(w="majority", j=True, wtimeout=20_000)
SNAPSHOT = ReadConcern("snapshot")
DUPLICATE_KEY = 11000
ATTEMPTS = 20
LOOKS = 8  # of the pool's connections at once, so that looks leave some to who writes
BODY_SECONDS = 45.0
ANSWER_MS = 30_000
INDEX_BUILD_MS = 3_600_000

CHASSIS_COLLECTIONS = ("claims", "outbox", "timers", "leases", "audit_log", "audit_head")
CHASSIS_INDEXES = {"timers": [IndexModel([("due_at", ASCENDING)])]}


__all__ = ["Database", "Duplicate", "MongoSession", "as_utc", "index"]


class _Transient(Exception):
    """The transaction met another one; all of it has to be done again."""


class MongoSession:
    """One MongoDB transaction, as `chassis.tx.Session` wants it."""

    def __init__(self, database: Any, session: Any) -> None:
        self._database = database
        self._session = session

    async def fetch(self, collection: str, keys: list[Key]) -> list[Document]:
        return await self.query(collection, {"_id": {"$in": keys}}, None, 0)

    async def query(
        self, collection: str, query: Mapping[str, Any], sort: list[tuple[str, int]] | None, limit: int
    ) -> list[Document]:
        cursor = self._database[collection].find(query, session=self._session, sort=sort, limit=limit)
        found: list[Document] = await cursor.to_list(None)
        return found

    async def write(self, collection: str, operations: list[tuple[str, Key, Any]]) -> None:
        try:
            await self._database[collection].bulk_write(
                [_operation(*operation) for operation in operations], ordered=True, session=self._session
            )
        except BulkWriteError as error:
            if any(problem.get("code") == DUPLICATE_KEY for problem in error.details.get("writeErrors", ())):
                raise Duplicate(collection) from error
            raise
        except DuplicateKeyError as error:
            raise Duplicate(collection) from error


def _operation(action: str, key: Key, value: Any) -> Any:
    match action:
        case "insert":
            return InsertOne(value)
        case "put":
            return ReplaceOne({"_id": key}, value, upsert=True)
        case "delete":
            return DeleteOne({"_id": key})
        case "increment":
            return UpdateOne({"_id": key}, {"$inc": value}, upsert=True)
    raise ValueError(action)


class Database:
    """A service's own database."""

    def __init__(self, uri: str, service: str, name: str | None = None) -> None:
        self.service = service
        self._uri = uri
        self._client: Any = _client(uri, service, ANSWER_MS)
        self._database = self._client.get_database(
            name or f"xinqiao_{service}", write_concern=DURABLE, read_preference=ReadPreference.PRIMARY
        )
        # One process writes one transaction at a time: two that share a document would only make each other fail.
        self._turn = asyncio.Lock()
        self._looks = asyncio.Semaphore(LOOKS)
        self.committed: Callable[[Tx], None] = lambda tx: None

    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `body` in one transaction: snapshot reads, majority and journalled writes.

        It is run again while other transactions interfere, so it must change nothing but its `Tx`. Raises what `body`
        raises, `Duplicate`, `TimeoutError` when it hangs, or `Unavailable` when the database cannot be reached.
        """
        for attempt in range(ATTEMPTS):
            try:
                async with self._turn:
                    tx, result = await self._once(body)
            except _Transient:
                await asyncio.sleep(min(0.002 * 2**attempt, 0.5))
                continue
            self.committed(tx)
            return result
        raise Unavailable("the transaction was disturbed too often")

    async def look(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `body` on one snapshot that it only reads. It waits for nobody's turn and takes none from who writes.

        It may be run again as by `transact`. Raises what that raises, and `RuntimeError` where `body` wrote.
        """
        async with self._looks:
            for attempt in range(ATTEMPTS):
                try:
                    return (await self._once(body, reads=True))[1]
                except _Transient:
                    await asyncio.sleep(min(0.002 * 2**attempt, 0.5))
        raise Unavailable("the transaction was disturbed too often")

    async def _once(self, body: Callable[[Tx], Awaitable[T]], *, reads: bool = False) -> tuple[Tx, T]:
        try:
            async with await self._client.start_session() as session:
                session.start_transaction(SNAPSHOT, DURABLE, ReadPreference.PRIMARY)
                try:
                    tx = Tx(MongoSession(self._database, session), self.service)
                    # Nobody else's turn comes while one hangs, and the database gives up after sixty seconds anyway.
                    async with asyncio.timeout(BODY_SECONDS):
                        result = await body(tx)
                    if reads and tx.wrote:
                        raise RuntimeError("what only looks has written something")
                    await tx.finish()
                except BaseException:
                    if session.in_transaction:
                        await _quietly(session.abort_transaction())
                    raise
                await _commit(session)
                return tx, result
        except (AutoReconnect, ConnectionFailure, NotPrimaryError) as error:
            raise Unavailable("the database cannot be reached") from error
        except PyMongoError as error:
            if error.has_error_label("TransientTransactionError"):
                raise _Transient from error
            raise

    # Outside transactions

    async def find(
        self, collection: str, query: Mapping[str, Any], *, sort: list[tuple[str, int]] | None = None, limit: int = 0
    ) -> list[Document]:
        """What a query matches, as the majority has it."""
        with _reaching():
            cursor = self._majority(collection).find(query, sort=sort, limit=limit)
            found: list[Document] = await cursor.to_list(None)
            return found

    async def get(self, collection: str, key: Key) -> Document | None:
        found = await self.find(collection, {"_id": key}, limit=1)
        return found[0] if found else None

    async def stream(
        self, collection: str, query: Mapping[str, Any], *, sort: list[tuple[str, int]] | None = None
    ) -> AsyncIterator[Document]:
        """The same, one by one, in bounded memory."""
        documents = aiter(self._majority(collection).find(query, sort=sort, batch_size=500))
        while True:
            with _reaching():
                document = await anext(documents, None)
            if document is None:
                return
            yield document

    async def aggregate(self, collection: str, pipeline: list[Document]) -> list[Document]:
        with _reaching():
            found: list[Document] = await self._majority(collection).aggregate(pipeline).to_list(None)
            return found

    async def count(self, collection: str, query: Mapping[str, Any]) -> int:
        with _reaching():
            return int(await self._majority(collection).count_documents(query))

    async def delete_many(self, collection: str, keys: list[Key]) -> None:
        with _reaching():
            await self._database[collection].delete_many({"_id": {"$in": keys}})

    async def clear(self, collection: str) -> None:
        """Empty a collection that can be made again from the log."""
        with _reaching():
            await self._database[collection].delete_many({})

    async def claims_of(self, keys: list[str]) -> dict[str, str]:
        """Which claims exist, with the digest of what was claimed."""
        return {row["_id"]: row["digest"] for row in await self.find("claims", {"_id": {"$in": keys}})}

    async def take_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Hold the lease for so long, by the database's clock; false while another holds it."""
        until = {"$add": ["$$NOW", int(seconds * 1000)]}
        try:
            held = await self._database["leases"].find_one_and_update(
                {"_id": name},
                [
                    {
                        "$set": {
                            "free": {
                                "$or": [
                                    {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]},
                                    {"$eq": ["$holder", holder]},
                                ]
                            }
                        }
                    },
                    {
                        "$set": {
                            "holder": {"$cond": ["$free", holder, "$holder"]},
                            "until": {"$cond": ["$free", until, "$until"]},
                        }
                    },
                    {"$unset": "free"},
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return False
        except PyMongoError as error:
            raise Unavailable("the database cannot be reached") from error
        return bool(held["holder"] == holder)

    async def give_up_lease(self, name: str, holder: str) -> None:
        await _quietly(self._database["leases"].delete_one({"_id": name, "holder": holder}))

    async def ping(self) -> None:
        """Raises `Unavailable` unless the primary answers."""
        try:
            await self._client.admin.command("ping")
        except PyMongoError as error:
            raise Unavailable("the database cannot be reached") from error

    async def prepare(self, collections: Mapping[str, list[IndexModel]], claims_days: int) -> None:
        """Create the collections and indexes that are not there; transactions want them made beforehand."""
        present = set(await self._database.list_collection_names())
        wanted = {**{name: [] for name in CHASSIS_COLLECTIONS}, **CHASSIS_INDEXES, **collections}
        wanted["claims"] = [IndexModel([("at", ASCENDING)], expireAfterSeconds=claims_days * 86_400)]
        # An index over a million documents takes longer than any answer that the service waits for while it runs.
        patient = _client(self._uri, self.service, INDEX_BUILD_MS)
        try:
            database = patient.get_database(self._database.name, write_concern=DURABLE)
            for name, indexes in wanted.items():
                if name not in present:
                    try:
                        await database.create_collection(name)
                    except OperationFailure as error:
                        if error.code != 48:  # another replica created it in the meantime
                            raise
                if indexes:
                    await database[name].create_indexes(indexes)
        finally:
            patient.close()

    def close(self) -> None:
        self._client.close()

    def _majority(self, collection: str) -> Any:
        return self._database[collection].with_options(read_concern=ReadConcern("majority"))


def _client(uri: str, service: str, answer_ms: int) -> Any:
    return AsyncIOMotorClient(
        uri,
        tz_aware=True,
        uuidRepresentation="standard",
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=answer_ms,
        maxPoolSize=16,
        appname=f"xinqiao-{service}",
    )


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (AutoReconnect, ConnectionFailure) as error:
        raise Unavailable("the database cannot be reached") from error


async def _commit(session: Any) -> None:
    # A commit whose answer got lost may have happened: the same commit is asked for again until it is known.
    for attempt in range(ATTEMPTS):
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(min(0.05 * 2**attempt, 1.0))


async def _quietly(action: Awaitable[Any]) -> None:
    try:
        await action
    except PyMongoError:
        return


def index(*fields: str, unique: bool = False, **options: Any) -> IndexModel:
    """An index over fields, ascending; `-name` is descending."""
    keys = [(name.removeprefix("-"), -1 if name.startswith("-") else 1) for name in fields]
    return IndexModel(keys, unique=unique, **options)


def as_utc(moment: datetime) -> datetime:
    """A moment cut to the millisecond that the database keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

"""A transaction: what it reads, what it forgets, what it sends. One suite, in memory and on MongoDB."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.audit_log import broken_links
from chassis.clock import new_id, now
from chassis.db import Database
from chassis.envelope import MAX_BODY
from chassis.errors import Duplicate
from chassis.tx import Document, Tx
from contracts.registry import DivisionsListed
from tests.chassis.helpers import a_release
from tests.support.memory import MemorySession

T = TypeVar("T")


class Store(Protocol):
    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T: ...
    async def all(self, collection: str) -> dict[Any, Document]: ...


class InMemory:
    def __init__(self) -> None:
        self._collections: dict[str, dict[Any, Document]] = {}

    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        session = MemorySession()
        session.collections = copy.deepcopy(self._collections)
        tx = Tx(session, "crisis")
        result = await body(tx)
        await tx.finish()
        self._collections = session.collections
        return result

    async def all(self, collection: str) -> dict[Any, Document]:
        return self._collections.get(collection, {})


class OnMongo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._database.transact(body)

    async def all(self, collection: str) -> dict[Any, Document]:
        return {document["_id"]: document for document in await self._database.find(collection, {})}


@pytest.fixture(params=["memory", "mongodb"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield InMemory()
    else:
        database = await _opened(request.getfixturevalue("mongod"), request.getfixturevalue("database_name"))
        yield OnMongo(database)
        database.close()


async def _opened(uri: str, name: str) -> Database:
    database = Database(uri, "crisis", name)
    await database.prepare({"things": [], "counts": []}, 30)
    return database


KEYS = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["insert", "put"]), KEYS, st.integers(0, 9)),
        st.tuples(st.sampled_from(["delete", "get", "query", "mark", "back"]), KEYS, st.just(0)),
        st.tuples(st.just("count"), KEYS, st.integers(-5, 5)),
    ),
    max_size=25,
)


async def _play(store: Store, steps: list[tuple[str, str, int]]) -> None:
    """Play the steps against a plain dictionary beside the transaction; both must agree all the way."""
    collection, counts = f"things-{new_id()}", f"counts-{new_id()}"

    async def start(tx: Tx) -> None:
        tx.insert(collection, {"_id": "a", "value": 100})
        tx.insert(collection, {"_id": "b", "value": 200})

    async def body(tx: Tx) -> tuple[dict[str, int], dict[str, int]]:
        state, sums = {"a": 100, "b": 200}, dict.fromkeys("", 0)
        marked: tuple[Any, dict[str, int], dict[str, int]] | None = None
        for action, key, value in steps:
            known = await tx.get(collection, key)
            assert (known and known["value"]) == state.get(key)
            match action:
                case "insert" if key in state:
                    with pytest.raises(Duplicate):
                        tx.insert(collection, {"_id": key, "value": value})
                case "insert":
                    tx.insert(collection, {"_id": key, "value": value})
                    state[key] = value
                case "put":
                    tx.put(collection, {"_id": key, "value": value})
                    state[key] = value
                case "delete":
                    tx.delete(collection, key)
                    state.pop(key, None)
                case "count":
                    tx.increment(counts, key, {"n": value})
                    sums[key] = sums.get(key, 0) + value
                case "query":
                    found = await tx.find(collection, {"value": {"$gte": 5}}, sort=[("_id", 1)])
                    assert [(row["_id"], row["value"]) for row in found] == sorted(
                        (name, held) for name, held in state.items() if held >= 5
                    )
                    marked = None  # what was sent cannot be forgotten any more
                case "mark":
                    marked = tx.savepoint(), dict(state), dict(sums)
                case "back" if marked is not None:
                    mark, state, sums = marked
                    tx.rollback(mark)
                    marked = None
        return state, sums

    await store.transact(start)
    state, sums = await store.transact(body)
    assert {key: row["value"] for key, row in (await store.all(collection)).items()} == state
    assert {key: row["n"] for key, row in (await store.all(counts)).items()} == sums


@given(STEPS)
@settings(max_examples=200, deadline=None)
async def test_a_transaction_reads_its_own_writes_and_forgets_exactly_what_it_takes_back(
    steps: list[tuple[str, str, int]],
) -> None:
    await _play(InMemory(), steps)


@given(steps=STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_mongodb_agrees_with_the_plain_dictionary(database: Database, steps: list[tuple[str, str, int]]) -> None:
    await _play(OnMongo(database), steps)


async def test_an_insert_of_what_exists_fails_and_leaves_nothing_behind(store: Store) -> None:
    async def first(tx: Tx) -> None:
        tx.insert("things", {"_id": "a", "value": 1})

    async def second(tx: Tx) -> None:
        tx.insert("things", {"_id": "b", "value": 2})
        tx.insert("things", {"_id": "a", "value": 3})
        tx.increment("counts", "a", {"n": 1})

    await store.transact(first)
    with pytest.raises(Duplicate) as raised:
        await store.transact(second)
    assert raised.value.collection == "things"
    assert await store.all("things") == {"a": {"_id": "a", "value": 1}}
    assert await store.all("counts") == {}


async def test_two_inserts_under_one_key_in_one_transaction_fail_like_in_two(store: Store) -> None:
    async def body(tx: Tx) -> None:
        tx.insert("things", {"_id": "a", "value": 1})
        tx.insert("things", {"_id": "a", "value": 2})

    with pytest.raises(Duplicate):
        await store.transact(body)


async def test_what_was_deleted_may_be_inserted_anew(store: Store) -> None:
    async def first(tx: Tx) -> None:
        tx.insert("things", {"_id": "a", "value": 1})

    async def second(tx: Tx) -> None:
        tx.delete("things", "a")
        tx.insert("things", {"_id": "a", "value": 2})

    await store.transact(first)
    await store.transact(second)
    assert await store.all("things") == {"a": {"_id": "a", "value": 2}}


async def test_increments_add_up_and_bring_their_document_into_being(store: Store) -> None:
    async def body(tx: Tx) -> None:
        tx.increment("counts", "day", {"flags": 1, "by.call": 2})
        tx.increment("counts", "day", {"flags": 4})

    await store.transact(body)
    await store.transact(body)
    assert await store.all("counts") == {"day": {"_id": "day", "flags": 10, "by": {"call": 4}}}


async def test_what_get_gave_is_a_copy(store: Store) -> None:
    async def body(tx: Tx) -> None:
        tx.insert("things", {"_id": "a", "inner": {"list": [1]}})
        taken = await tx.get("things", "a")
        assert taken is not None
        taken["inner"]["list"].append(2)
        assert await tx.get("things", "a") == {"_id": "a", "inner": {"list": [1]}}

    await store.transact(body)
    assert await store.all("things") == {"a": {"_id": "a", "inner": {"list": [1]}}}


async def test_a_rollback_forgets_events_timers_and_records_too(store: Store) -> None:
    async def body(tx: Tx) -> None:
        tx.emit(a_release(tx, new_id()))
        tx.set_timer("remind", "kept", tx.now)
        mark = tx.savepoint()
        tx.emit(a_release(tx, new_id()))
        tx.set_timer("remind", "forgotten", tx.now)
        tx.record(actor="x", action="y", subject="z", reason="-")
        tx.rollback(mark)
        assert len(tx.wakes) == 1

    await store.transact(body)
    assert len(await store.all("outbox")) == 1
    assert set(await store.all("timers")) == {"remind:kept"}
    assert await store.all("audit_log") == {}


async def test_what_fails_leaves_neither_writes_nor_events(store: Store) -> None:
    async def body(tx: Tx) -> None:
        tx.put("things", {"_id": "a"})
        await tx.flush()
        tx.emit(a_release(tx, new_id()))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.transact(body)
    assert await store.all("things") == {}
    assert await store.all("outbox") == {}


async def test_a_moved_timer_is_one_timer_and_a_cancelled_one_is_none(store: Store) -> None:
    moment = now()

    async def body(tx: Tx) -> None:
        tx.set_timer("remind", "moved", moment)
        tx.set_timer("remind", "moved", moment + timedelta(hours=1))
        tx.set_timer("remind", "cancelled", moment)
        tx.cancel_timer("remind", "cancelled")

    await store.transact(body)
    timers = await store.all("timers")
    assert {key: row["due_at"] for key, row in timers.items()} == {"remind:moved": moment + timedelta(hours=1)}


async def test_a_group_that_loads_ahead_costs_one_round_trip_to_read() -> None:
    session = MemorySession(things=[{"_id": number} for number in range(100)])
    tx = Tx(session, "crisis")
    await tx.load("things", range(200))
    for number in range(200):
        assert (await tx.get("things", number) is not None) == (number < 100)
    assert session.round_trips == 1


async def test_an_event_too_large_for_the_bus_fails_its_transaction_and_not_the_relay() -> None:
    tx = Tx(MemorySession(), "registry")
    divisions = [{"code": "37", "name": "示" * 64}] * 400
    with pytest.raises(ValueError, match=str(MAX_BODY)):
        tx.emit(DivisionsListed(**tx.stamp("37"), edition="2026", divisions=divisions))
    assert tx.outbox == []


async def test_the_audit_log_is_a_chain_and_a_changed_entry_is_found(database: Database) -> None:
    async def body(tx: Tx) -> None:
        for reason in ("first", "second"):
            tx.record(actor="officer-1", action="lower_risk", subject=str(new_id()), reason=reason, at_level="high")

    await database.transact(body)
    await database.transact(body)
    assert await broken_links(database) == []

    async def tamper(tx: Tx) -> None:
        entry = await tx.get("audit_log", 2)
        assert entry is not None
        tx.put("audit_log", {**entry, "reason": "another"})

    await database.transact(tamper)
    assert await broken_links(database) == ["entry 2 was changed"]


async def test_a_removed_last_audit_entry_is_found(database: Database) -> None:
    async def body(tx: Tx) -> None:
        tx.record(actor="officer-1", action="read", subject="s", reason="r")

    async def remove(tx: Tx) -> None:
        tx.delete("audit_log", 2)

    await database.transact(body)
    await database.transact(body)
    await database.transact(remove)
    assert await broken_links(database) == ["entries after 1 are missing"]

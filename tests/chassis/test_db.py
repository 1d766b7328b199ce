"""Transactions on MongoDB under interference, outage and competition; leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pymongo
import pytest

from chassis.db import Database, Duplicate, index
from chassis.errors import Unavailable
from chassis.tx import Tx
from tests.chassis.helpers import Mongod, until
from tests.support.servers import open_database


@pytest.fixture
async def other(mongod: str, database_name: str) -> AsyncIterator[Database]:
    """The same database, seen by a second process."""
    opened = open_database(mongod, "crisis", database_name)
    yield opened
    opened.close()


async def test_two_transactions_on_one_document_both_take_effect(database: Database, other: Database) -> None:
    async def add(tx: Tx) -> None:
        document = await tx.get("cases", "hot") or {"_id": "hot", "sum": 0}
        await asyncio.sleep(0.005)  # long enough that the other one is in the middle as well
        document["sum"] += 1
        tx.put("cases", document)

    runs: list[int] = []

    async def counted(tx: Tx) -> None:
        runs.append(1)
        await add(tx)

    await asyncio.gather(*(chosen.transact(counted) for chosen in (database, other) * 10))
    hot = await database.get("cases", "hot")
    assert hot is not None
    assert hot["sum"] == 20
    assert len(runs) > 20, "no transaction met another: this test shows nothing"


async def test_a_second_insert_in_another_transaction_is_a_duplicate_and_names_the_collection(
    database: Database, other: Database
) -> None:
    async def insert(tx: Tx) -> None:
        tx.insert("cases", {"_id": "one"})

    outcomes = await asyncio.gather(database.transact(insert), other.transact(insert), return_exceptions=True)
    (failed,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(failed, Duplicate)
    assert failed.collection == "cases"


async def test_a_unique_index_is_a_duplicate_too(mongod: str, database_name: str) -> None:
    database = open_database(mongod, "crisis", database_name)
    await database.prepare({"cases": [index("number", unique=True)]}, 30)

    async def insert(key: str, tx: Tx) -> None:
        tx.insert("cases", {"_id": key, "number": 1})

    await database.transact(lambda tx: insert("a", tx))
    with pytest.raises(Duplicate):
        await database.transact(lambda tx: insert("b", tx))
    database.close()


async def test_preparing_again_changes_nothing(database: Database) -> None:
    await database.prepare({"cases": [index("division", "-opened_at")]}, 30)
    await database.prepare({"cases": [index("division", "-opened_at")]}, 30)


async def test_an_index_may_take_longer_to_build_than_any_answer(
    mongod: str, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.db.ANSWER_MS", 300)
    database = open_database(mongod, "crisis", database_name)
    await database.prepare({"cases": []}, 30)
    # A build waits for the transactions that hold its collection: this one outlasts the answer's time.
    with pymongo.MongoClient[dict[str, Any]](mongod) as other, other.start_session() as session:
        session.start_transaction()
        other[database_name]["cases"].insert_one({"_id": "held"}, session=session)
        building = asyncio.create_task(database.prepare({"cases": [index("number")]}, 30))
        done, _ = await asyncio.wait([building], timeout=1)
        assert not done
        session.commit_transaction()
    await building
    database.close()


async def test_every_way_to_the_database_says_unavailable_when_it_is_gone_and_works_when_it_is_back(
    own_mongod: Mongod,
) -> None:
    database = open_database(own_mongod.uri, "crisis", "test")
    await database.prepare({"cases": []}, 30)

    async def insert(tx: Tx) -> None:
        tx.put("cases", {"_id": "one"})

    async def read_all() -> None:
        async for _ in database.stream("cases", {}):
            pass

    own_mongod.kill()
    # One after the other each would wait for a server; together they wait once.
    outcomes = await asyncio.gather(
        database.transact(insert),
        database.find("cases", {}),
        database.get("cases", "one"),
        database.count("cases", {}),
        database.aggregate("cases", [{"$match": {}}]),
        database.delete_many("cases", ["one"]),
        database.take_lease("relay", "me", 5),
        database.ping(),
        read_all(),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * len(outcomes)
    await own_mongod.start()
    await database.transact(insert)
    assert await database.count("cases", {}) == 1
    database.close()


async def test_an_acknowledged_transaction_survives_a_kill(own_mongod: Mongod) -> None:
    database = open_database(own_mongod.uri, "crisis", "test")
    await database.prepare({"cases": []}, 30)
    acknowledged: list[int] = []

    async def write() -> None:
        for number in range(10_000):

            async def insert(tx: Tx, number: int = number) -> None:
                tx.insert("cases", {"_id": number})

            await database.transact(insert)
            acknowledged.append(number)

    writing = asyncio.create_task(write())
    await until(lambda: len(acknowledged) > 50)
    own_mongod.kill()
    before = len(acknowledged)
    await own_mongod.start()
    kept = {row["_id"] for row in await database.find("cases", {})}
    writing.cancel()
    await asyncio.wait({writing})
    assert kept >= set(range(before))
    database.close()


async def test_a_lease_has_one_holder_until_it_is_given_up(database: Database, other: Database) -> None:
    assert await database.take_lease("relay", "first", 30)
    assert not await other.take_lease("relay", "second", 30)
    assert await database.take_lease("relay", "first", 30), "the holder renews"
    await other.give_up_lease("relay", "second")
    assert not await other.take_lease("relay", "second", 30), "only the holder gives up"
    await database.give_up_lease("relay", "first")
    assert await other.take_lease("relay", "second", 30)


async def test_of_many_who_ask_at_once_one_gets_the_lease(database: Database, other: Database) -> None:
    asked = [chosen.take_lease("relay", f"holder-{number}", 30) for number in range(8) for chosen in (database, other)]
    # Each holder asks over both connections: whoever won wins with both.
    assert sum(await asyncio.gather(*asked)) == 2


async def test_a_lease_that_ran_out_by_the_databases_clock_is_taken_over(database: Database, other: Database) -> None:
    loop = asyncio.get_running_loop()
    taken = loop.time()
    assert await database.take_lease("relay", "dead", 0.4)

    async def takes() -> bool:
        return await other.take_lease("relay", "heir", 30)

    await until(takes, 5)
    assert loop.time() - taken >= 0.39
    assert not await database.take_lease("relay", "dead", 30)


async def test_a_look_reads_one_snapshot_while_another_has_the_turn_and_writes_nothing(database: Database) -> None:
    async def put(tx: Tx) -> None:
        for ident in ("one", "two"):
            document = await tx.get("cases", ident) or {"_id": ident, "sum": 0}
            tx.put("cases", {**document, "sum": document["sum"] + 1})

    await database.transact(put)

    async def sums(tx: Tx) -> list[int]:
        found = await tx.find("cases", {"_id": "one"})
        await database.transact(put)
        return [row["sum"] for row in (*found, *await tx.find("cases", {"_id": "two"}))]

    assert await database.look(sums) == [1, 1]
    assert await database.look(lambda tx: tx.find("cases", {"sum": 2})) != []
    with pytest.raises(RuntimeError, match="only looks"):
        await database.look(put)
    assert await database.find("cases", {"sum": 3}) == []

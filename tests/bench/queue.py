"""The queue's next case and a case's page, with 100,000 open cases, beside the same queries typed by hand with motor.

`python -m tests.bench.queue [cases]`: cases are made by the crisis service's own handler, for one county after another,
and copied in bulk with keys, divisions, tiers and times of their own; so they are shaped as `take_flag` makes them. All
of them wait. Reading is measured in turns in one run; nothing is written while it is.
"""

from __future__ import annotations

import asyncio
import copy
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from chassis.auth import Caller
from chassis.clock import new_id, now
from chassis.tx import Tx
from contracts.base import Tier
from services.crisis import commands
from services.crisis.store import queue
from services.crisis.store.queue import QUEUE_ORDER, waiting
from tests.services.crisis.world import BY_TIER, Keys, MovedClock, World, person
from tests.support.servers import mongod as mongod_fixture

COUNTIES = [f"37{city:02d}{county:02d}" for city in range(1, 17) for county in range(1, 10)]
SHARES = {Tier.imminent: 0.01, Tier.high: 0.19, Tier.moderate: 0.5, Tier.low: 0.3}
TIMES, WARM = 300, 30
BATCH = 1000

Ask = Callable[[], Awaitable[Any]]


async def fill(world: World, total: int) -> list[UUID]:
    """So many open cases with their plans and referrals; some of their ids."""
    models = {}
    for number, tier in enumerate(Tier):
        case = await world.flag(caller=person(number), **BY_TIER[tier])
        plan = await world.database.get("plans", case["_id"])
        referral = await world.database.get("referrals", case["referral_id"]) if case["referral_id"] else None
        models[tier] = (case, plan, referral)
    database = world.database._database
    for name in ("cases", "plans", "referrals"):
        await database[name].delete_many({})
    chance, started = random.Random(12356), now()
    tiers = chance.choices(list(SHARES), list(SHARES.values()), k=total)
    some: list[UUID] = []
    for start in range(0, total, BATCH):
        rows: dict[str, list[Any]] = {"cases": [], "plans": [], "referrals": []}
        for number, tier in enumerate(tiers[start : start + BATCH], start):
            for name, document in zip(rows, _copy(models[tier], number, chance, started), strict=True):
                if document is not None:
                    rows[name].append(document)
        some.append(rows["cases"][0]["_id"])
        for name, documents in rows.items():
            await database[name].insert_many(documents, ordered=False)
    return some


def _copy(model: tuple[Any, Any, Any], number: int, chance: random.Random, started: Any) -> tuple[Any, Any, Any]:
    case, plan, referral = (copy.deepcopy(part) for part in model)
    key, moment = new_id(), started - timedelta(seconds=chance.randrange(30 * 86_400))
    division = COUNTIES[number % len(COUNTIES)] + chance.choice(("", "001", "002", "003001"))
    case.update(_id=key, division=division, person=f"{number:064x}", opened_at=moment)
    case["acknowledgement"]["since"] = moment
    case["flags"][0].update(id=new_id(), contact=f"contact-{number}")
    if plan is not None:
        plan.update(_id=key, division=division)
    if referral is not None:
        referral.update(_id=new_id(), case_id=key, division=division)
        case["referral_id"] = referral["_id"]
    return case, plan, referral


async def measure(asks: dict[str, Ask]) -> dict[str, list[float]]:
    """Milliseconds of each, asked in turns, so that what happens on the machine meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(WARM + TIMES):
        for name, ask in asks.items():
            began = time.perf_counter()
            await ask()
            if turn >= WARM:
                taken[name].append((time.perf_counter() - began) * 1000)
    return taken


def snapshot(session: Any) -> Any:
    return session.start_transaction(ReadConcern("snapshot"), read_preference=ReadPreference.PRIMARY)


def next_asks(world: World, bare: Any, client: Any, division: str) -> dict[str, Ask]:
    """The selection in a transaction of ours, and the same typed by hand in a transaction of the driver's."""
    query = waiting(division)

    async def ours() -> None:
        async def look(tx: Tx) -> Any:
            return await queue.next_waiting(tx, division)

        await world.database.transact(look)

    async def by_hand() -> None:
        async with await client.start_session() as session, snapshot(session):
            await bare["cases"].find_one(query, sort=QUEUE_ORDER, session=session)

    return {"ours": ours, "by hand": by_hand}


def page_asks(world: World, bare: Any, client: Any, some: list[UUID]) -> dict[str, Ask]:
    """A case's page as the route makes it, and the three documents found by hand; both in a transaction."""
    caller = Caller("supervisor-a", frozenset({"supervisor"}), "37")
    chance = random.Random(110)

    async def ours() -> None:
        key = chance.choice(some)
        await world.database.transact(lambda tx: commands.read_case(key, caller, tx, world.office))

    async def by_hand() -> None:
        key = chance.choice(some)
        async with await client.start_session() as session, snapshot(session):
            case = await bare["cases"].find_one({"_id": key}, session=session)
            await bare["plans"].find_one({"_id": key}, session=session)
            if case["referral_id"] is not None:
                await bare["referrals"].find_one({"_id": case["referral_id"]}, session=session)

    return {"ours": ours, "by hand": by_hand}


async def run(uri: str, total: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = MovedClock(uri, "crisis", "bench_queue")
        world = World(database, Keys(Path(folder)))
        await database.prepare(world.blueprint.collections, 30)
        await world.settle_in()
        began = time.perf_counter()
        some = await fill(world, total)
        client: Any = AsyncIOMotorClient(uri, tz_aware=True, uuidRepresentation="standard")
        bare = client["bench_queue"]
        print(f"{total:,} open cases, all waiting, in {len(COUNTIES)} counties ({time.perf_counter() - began:.0f} s)")
        print(f"{'what':44} {'ours ms':>17} {'by hand ms':>17} {'ratio':>6}   p50 / p99")
        for name, division in {
            "next, a county of many": COUNTIES[0],
            "next, a town": COUNTIES[0] + "001",
            "next, a city": "3701",
            "next, the whole country": "",
            "next, a county where nothing waits": "370899",
        }.items():
            show(name, await measure(next_asks(world, bare, client, division)))
            await explain(bare, division)
        show("a case's page", await measure(page_asks(world, bare, client, some)))
        client.close()
        database.close()


def show(name: str, taken: dict[str, list[float]]) -> None:
    cells = []
    for times in taken.values():
        cuts = statistics.quantiles(times, n=100)
        cells.append(f"{statistics.median(times):7.2f} / {cuts[98]:7.2f}")
    ratio = statistics.median(taken["ours"]) / statistics.median(taken["by hand"])
    print(f"{name:44} {cells[0]} {cells[1]} {ratio:6.2f}")


async def explain(bare: Any, division: str) -> None:
    plan = await bare["cases"].find(waiting(division), sort=QUEUE_ORDER, limit=1).explain()
    stage, names = plan["queryPlanner"]["winningPlan"], []
    while stage:
        names.append(stage.get("indexName") or stage["stage"])
        stage = stage.get("inputStage")
    stats = plan["executionStats"]
    print(f"    {' < '.join(names)}: {stats['totalKeysExamined']} keys, {stats['totalDocsExamined']} documents")


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    servers = mongod_fixture.__wrapped__()  # type: ignore[attr-defined]
    uri = next(servers)
    try:
        asyncio.run(run(uri, total))
    finally:
        servers.close()


if __name__ == "__main__":
    main()

"""The search among 1,000,000 people beside the same queries typed by hand with motor.

`python -m tests.bench.search [people]`: a few people are registered and tell their availability by the registry's own
commands; copies of these documents, with ids, divisions, codes and free windows of their own, are inserted in bulk.
What is sealed is the same in all of them, because a search does not open it. Reading is measured in turns in one run.
"""

from __future__ import annotations

import asyncio
import copy
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from chassis.clock import local_day, new_id
from chassis.db import Database
from chassis.sealing import PersonKeys
from chassis.tx import Document, Tx
from services.registry.commands.availability import Told, tell_availability
from services.registry.commands.volunteers import write_volunteer
from services.registry.domain.availability import LANGUAGES, SKILLS, Window, blocks, merged
from services.registry.domain.people import Registration
from services.registry.keys import Keys
from services.registry.store import COLLECTIONS
from services.registry.store.people_search import Asked, people_found
from tests.support.servers import mongod as mongod_fixture

COUNTIES = [
    f"{province}{city:02d}{county:02d}" for province in (32, 37, 51) for city in range(1, 14) for county in range(1, 9)
]
BATCH, TIMES, LIMIT = 5_000, 100, 50
FILL_SECONDS = 150.0
Ask = Callable[[], Awaitable[Any]]

SEARCHES = {
    "county, qualification, free": Asked("370108", qualification=3, free=Window(2, 1140, 1200)),
    "city, qualification, free": Asked("3701", qualification=3, free=Window(2, 1140, 1200)),
    "province, type, language": Asked("37", person_type=2, language="yue"),
    "country, skill, free": Asked("", skill="grief", free=Window(6, 540, 660)),
    "county, everything": Asked("320101", 3, 1, "mandarin", "grief", "female", "volunteer", Window(6, 540, 660)),
}


async def model_of(database: Database) -> Document:
    """One person as the registry's own commands write one."""
    keys = Keys(PersonKeys(os.urandom(32)), os.urandom(32))
    told = Registration("张示例", "000-0000-0001", person_types=(1,), qualifications=(3,), sex="female")

    async def write(tx: Tx) -> Document:
        document, _ = await write_volunteer(tx, keys, told, "370108001", local_day(tx.now), None)
        availability = Told(("mandarin",), ("grief",), 12, (1320, 420), (Window(2, 1080, 1260),))
        return tell_availability(tx, {"rota": None, "languages": [], "skills": [], **document}, availability)

    return await database.transact(write)


async def fill(database: Database, collection: Any, total: int) -> int:
    """So many people, or as many as a bounded time lets in."""
    model, chance, began = await model_of(database), random.Random(12356), time.monotonic()
    await collection.delete_many({})
    for start in range(0, total, BATCH):
        rows = [_copy(model, chance) for _ in range(min(BATCH, total - start))]
        await collection.insert_many(rows, ordered=False)
        if time.monotonic() - began > FILL_SECONDS:
            return start + len(rows)
    return total


def _copy(model: Document, chance: random.Random) -> Document:
    key = new_id()
    windows = merged(
        Window(chance.randint(1, 7), *chance.choice([(540, 720), (840, 1020), (1080, 1260)]))
        for _ in range(chance.choice((0, 0, 1, 2)))
    )
    return {
        **copy.copy(model),
        "_id": key,
        "identity": key.hex,
        "phone_key": key.hex,
        "name_key": key.hex,
        "division": chance.choice(COUNTIES) + f"{chance.randint(1, 12):03d}",
        "sex": chance.choice(("female", "male")),
        "person_types": [chance.randint(1, 8)],
        "qualifications": [] if chance.random() < 0.6 else [chance.randint(1, 6)],
        "languages": sorted({"mandarin", chance.choice(list(LANGUAGES))}),
        "skills": [chance.choice(list(SKILLS))] if chance.random() < 0.3 else [],
        "rota": {**model["rota"], "windows": [asdict(window) for window in windows]},
        "free_blocks": blocks(windows),
    }


def by_hand(collection: Any, asked: Asked) -> Ask:
    """The same query as one would type it."""
    query: Document = {"active": True}
    if asked.division:
        query["division"] = {"$gte": asked.division, "$lt": asked.division + ":"}
    for field, value in (
        ("qualifications", asked.qualification),
        ("person_types", asked.person_type),
        ("languages", asked.language),
        ("skills", asked.skill),
        ("sex", asked.sex),
        ("roles", asked.role),
    ):
        if value is not None:
            query[field] = value
    if asked.free:
        window = asked.free
        query["free_blocks"] = (window.day - 1) * 6 + window.start // 240
        query["rota.windows"] = {
            "$elemMatch": {"day": window.day, "start": {"$lte": window.start}, "end": {"$gte": window.end}}
        }

    async def ask() -> list[Any]:
        found: list[Any] = await collection.find(query).sort([("division", 1), ("_id", 1)]).limit(LIMIT).to_list(None)
        return found

    return ask


async def measured(asks: dict[str, Ask]) -> dict[str, float]:
    """The median milliseconds of each, asked in turns; the first few are not counted."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(TIMES + 5):
        for name, ask in asks.items():
            began = time.perf_counter()
            await ask()
            if number >= 5:
                taken[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


async def bench(uri: str, total: int) -> None:
    database = Database(uri, "registry", "search_bench")
    client: Any = AsyncIOMotorClient(uri, tz_aware=True, uuidRepresentation="standard")
    collection = client["search_bench"].get_collection(
        "volunteers", read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
    )
    await database.prepare({"volunteers": []}, 30)
    began = time.monotonic()
    filled = await fill(database, collection, total)
    await database.prepare({"volunteers": COLLECTIONS["volunteers"]}, 30)
    print(f"{filled:,} of {total:,} people with their indexes in {time.monotonic() - began:.0f} s")
    for title, asked in SEARCHES.items():

        async def ours(asked: Asked = asked) -> Any:
            return await people_found(database, asked, None, LIMIT)

        hand = by_hand(collection, asked)
        rows, _ = await ours()
        assert [row["_id"] for row in rows] == [row["_id"] for row in await hand()]
        times = await measured({"ours": ours, "by hand": hand})
        ratio = times["ours"] / times["by hand"]
        print(
            f"{title:30} {len(rows):3} found  ours {times['ours']:7.2f} ms  by hand {times['by hand']:7.2f} ms  "
            f"ratio {ratio:.2f}"
        )
    database.close()
    client.close()


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    servers = mongod_fixture.__wrapped__()  # type: ignore[attr-defined]
    try:
        asyncio.run(bench(next(servers), total))
    finally:
        servers.close()


if __name__ == "__main__":
    main()

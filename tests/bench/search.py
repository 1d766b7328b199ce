"""The search among 1,000,000 people beside the same queries typed by hand with motor, in one run.

`python -m tests.bench.search [people]`: people of the whole country, keys and turns are made in bulk as the service
would have written them (`tests.bench.search_people`). Each kind of search is asked with many divisions, codes and
times, in turns by the service's function, by a query typed by hand, and over HTTP with its decryption and masking.
Before that, once each, what the database examined is read from its own profile, plans it remembers included.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from joserfc.jwk import OKPKey
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from chassis.auth import Tokens, issue
from chassis.db import Database
from chassis.http import create_app
from chassis.tx import Document
from services.registry.api import routes
from services.registry.domain.availability import Window, write_minutes
from services.registry.imports import load_divisions
from services.registry.keys import Keys
from services.registry.store import COLLECTIONS
from services.registry.store.people_search import Asked, Place, people_found
from tests.bench.search_people import HEAVY, Filled, fill, minute_of
from tests.services.registry.support import TREE
from tests.support.servers import mongod as mongod_fixture
from xinqiao.local import free_port

LIMIT, TIMES, WARM, LAST_PAGE = 50, 90, 6, 20
KIND_SECONDS, BENCH_SECONDS = 15.0, 840.0
EVENING, MORNING = Window(2, 1140, 1200), Window(6, 540, 660)
ON_DUTY = (minute_of(1, 1140), minute_of(1, 1200))
Ask = Callable[[int], Awaitable[Any]]


@dataclass(frozen=True)
class Search:
    """Searches of one kind, asked in turn; `pages` are walked before the one that is measured."""

    asked: list[Asked]
    pages: int = 0
    descending: bool = False


def searches(filled: Filled) -> dict[str, Search]:
    """Of each kind, in divisions with many people and with few."""
    chance = random.Random(110)
    ranked = [county for county, _ in filled.counties.most_common()]
    counties = [*HEAVY, *chance.sample(ranked[:300], min(12, len(ranked))), *chance.sample(ranked, min(9, len(ranked)))]
    provinces = sorted({county[:2] for county in ranked})
    towns, villages = (
        [next(code for code in filled.places[county] if len(code) == length) for county in ranked[:20]]
        for length in (9, 12)
    )

    def each(places: list[str], **more: Any) -> list[Asked]:
        return [Asked(place, **{name: one(number) if callable(one) else one for name, one in more.items()})
                for number, place in enumerate(places)]  # fmt: skip

    def held(number: int) -> int:
        return (3, 5, 4, 1)[number % 4]

    def when(number: int) -> Window:
        return (EVENING, MORNING, Window(4, 1170, 1230), Window(7, 840, 960))[number // 2 % 4]

    both: dict[str, Any] = {"qualification": held, "free": when}
    return {
        "county, qualification, free": Search(each(counties, **both)),
        "province, qualification, free": Search(each(provinces, **both)),
        "town, qualification, free": Search(each(towns, **both)),
        "village, qualification, free": Search(each(villages, **both)),
        "country, qualification, free": Search(each([""] * 8, **both)),
        "county, free": Search(each(counties, free=when)),
        "province, free": Search(each(provinces, free=when)),
        "province, qualification": Search(each(provinces, qualification=held)),
        "county, qual., free, off duty": Search(
            each(counties, qualification=held, free=EVENING, off_duty=ON_DUTY),
        ),
        "heavy districts, free, off duty": Search(each(list(HEAVY), free=EVENING, off_duty=ON_DUTY)),
        "province, qual., free, page 20": Search(each(provinces, **both), LAST_PAGE - 1),
        "country, descending, page 20": Search(each([""] * 8, **both), LAST_PAGE - 1, True),
        "province, everything": Search(
            each(provinces, **both, language="mandarin", skill="grief", sex="female", role="volunteer")
        ),
        "talent, province": Search(each(provinces, role="talent")),
        "nobody: village and night": Search(each(villages, qualification=1, free=Window(3, 120, 300))),
        "nobody: students, psychiatrists": Search(each(["", *provinces], person_type=7, qualification=1)),
        "students who are talents too": Search(each(provinces, person_type=7, role="talent", sex="male")),
    }


def typed(asked: Asked) -> Document:
    """The query as one would type it, without off duty."""
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
        touched = range((window.day - 1) * 6 + window.start // 240, (window.day - 1) * 6 + (window.end - 1) // 240 + 1)
        query["free_blocks"] = {"$all": list(touched)}
        query["rota.windows"] = {
            "$elemMatch": {"day": window.day, "start": {"$lte": window.start}, "end": {"$gte": window.end}}
        }
    return query


async def by_hand(client: Any, asked: Asked, after: Place | None, descending: bool) -> list[Document]:
    """A page as one would type it: those on duty are taken out of one batch of a cursor after the other."""
    query, sign = typed(asked), -1 if descending else 1
    if after is not None:
        past, beyond = ("$lt", "$lte") if descending else ("$gt", "$gte")
        query["$or"] = [{"division": {past: after[0]}}, {"division": after[0], "_id": {past: after[1]}}]
        query["division"] = {**query.get("division", {}), beyond: after[0]}
    cursor = client["volunteers"].find(query).sort([("division", sign), ("_id", sign)])
    if asked.off_duty is None:
        page: list[Document] = await cursor.limit(LIMIT).to_list(None)
        return page
    start, end = asked.off_duty
    found: list[Document] = []
    cursor = cursor.batch_size(LIMIT)
    while len(found) < LIMIT and (rows := await cursor.to_list(LIMIT)):
        on_duty = {"volunteer_id": {"$in": [row["_id"] for row in rows]}, "active": True}
        on_duty |= {"starts_at": {"$lt": end}, "ends_at": {"$gt": start}}
        busy = {turn["volunteer_id"] async for turn in client["duties"].find(on_duty, {"volunteer_id": 1})}
        found += [row for row in rows if row["_id"] not in busy]
    await cursor.close()
    return found[:LIMIT]


def params(asked: Asked, after: Place | None, descending: bool) -> dict[str, str]:
    """The same as a client asks over HTTP."""
    given: dict[str, Any] = {name: getattr(asked, name) for name in ("qualification", "person_type", "language")}
    given |= {"division": asked.division, "skill": asked.skill, "sex": asked.sex, "role": asked.role, "limit": LIMIT}
    if asked.free:
        times = {"free_from": write_minutes(asked.free.start), "free_to": write_minutes(asked.free.end)}
        given |= {"free_day": asked.free.day, **times}
    if asked.off_duty:
        given |= {"off_duty_from": asked.off_duty[0].isoformat(), "off_duty_to": asked.off_duty[1].isoformat()}
    if after:
        given["after"] = f"{after[0]}:{after[1]}"
    if descending:
        given["sort"] = "-division"
    return {name: str(value) for name, value in given.items() if value not in (None, "")}


@dataclass
class Bench:
    """The parts that are measured."""

    database: Database
    hand: Any
    client: httpx.AsyncClient

    async def starts(self, search: Search) -> list[tuple[Asked, Place | None]]:
        """Each search with the place where its page begins."""
        found = []
        for asked in search.asked:
            after: Place | None = None
            for _ in range(search.pages):
                _, following = await people_found(self.database, asked, after, LIMIT, search.descending)
                if following is None:
                    break
                after = following
            found.append((asked, after))
        return found

    async def asks(self, search: Search, starts: list[tuple[Asked, Place | None]]) -> dict[str, Ask]:
        """The three ways of asking, once it is certain that they find the same."""

        async def ours(number: int) -> list[Any]:
            rows, _ = await people_found(self.database, *starts[number % len(starts)], LIMIT, search.descending)
            return [row["_id"] for row in rows]

        async def hand(number: int) -> list[Any]:
            rows = await by_hand(self.hand, *starts[number % len(starts)], search.descending)
            return [row["_id"] for row in rows]

        async def http(number: int) -> list[Any]:
            asked = params(*starts[number % len(starts)], search.descending)
            answer = await self.client.get("/v1/people/search", params=asked)
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        for number, start in enumerate(starts):
            mine, other, served = await ours(number), await hand(number), await http(number)
            assert mine == other, start
            assert [str(ident) for ident in mine] == served, start
        return {"ours": ours, "by hand": hand, "http": http}

    async def examined(self, search: Search, starts: list[tuple[Asked, Place | None]]) -> tuple[list[int], str, float]:
        """For each search: people returned, and keys and documents examined; the plans, and the worst share."""
        driver = self.database._database
        await driver.command("profile", 2)
        sums, plans, worst = [0, 0, 0], set(), 0.0
        for asked, after in starts:
            await driver.command("profile", 0)
            await driver["system.profile"].drop()
            await driver.command("profile", 2)
            rows, _ = await people_found(self.database, asked, after, LIMIT, search.descending)
            done = [row async for row in driver["system.profile"].find({"ns": f"{driver.name}.volunteers"})]
            one = [len(rows), sum(row["keysExamined"] for row in done), sum(row["docsExamined"] for row in done)]
            sums = [total + more for total, more in zip(sums, one, strict=True)]
            worst = max(worst, one[2] / max(len(rows), 1))
            for row in done:
                plans.add(row["planSummary"])
                assert "COLLSCAN" not in row["planSummary"], (asked, row["planSummary"])
                assert not row.get("hasSortStage"), (asked, row["planSummary"])
        await driver.command("profile", 0)
        return [round(total / len(starts)) for total in sums], "; ".join(sorted(map(_led, plans))), worst


def _led(plan: str) -> str:
    return plan.removeprefix("IXSCAN ").replace(", division: 1, _id: 1", ", …")


async def measured(asks: dict[str, Ask]) -> dict[str, list[float]]:
    """Milliseconds of each, asked in turns; who comes first changes, and the first few are not counted."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    ending = time.monotonic() + KIND_SECONDS
    for number in range(WARM + TIMES):
        names = list(asks)
        for name in names[number % 2 :] + names[: number % 2]:
            began = time.perf_counter()
            await asks[name](number)
            if number >= WARM:
                taken[name].append((time.perf_counter() - began) * 1000)
        if time.monotonic() > ending and number > WARM + 10:
            break
    return taken


def _figures(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), statistics.quantiles(times, n=20)[18]


async def run(bench: Bench, filled: Filled) -> None:
    print(f"{'':33} found keys docs | {'ours ms':>15} {'by hand ms':>15} ratio      | {'http ms':>15}   p50 / p95")
    for title, search in searches(filled).items():
        starts = await bench.starts(search)
        asks = await bench.asks(search, starts)
        (found, keys, docs), plans, worst = await bench.examined(search, starts)
        (ours, ours95), (hand, hand95), (http, http95) = map(_figures, (await measured(asks)).values())
        print(
            f"{title:33} {found:5} {keys:4} {docs:4} | {ours:6.2f} / {ours95:6.2f} {hand:6.2f} / {hand95:6.2f} "
            f"{ours / hand:4.2f} / {ours95 / hand95:4.2f} | {http:6.2f} / {http95:6.2f}"
        )
        print(f"    at most {worst:.1f} documents for each found; {plans}", flush=True)


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def registry(uri: str, folder: Path) -> AsyncIterator[tuple[Bench, Keys]]:
    """The registry's routes on a port of loopback, with a registrar's client of the whole country."""
    database = Database(uri, "registry", "search_bench")
    hand: Any = AsyncIOMotorClient(uri, tz_aware=True, uuidRepresentation="standard")
    bare = hand.get_database(
        "search_bench", read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
    )
    (folder / "master.key").write_text(base64.b64encode(os.urandom(32)).decode())
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "bench"}, auto_kid=False)
    (folder / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    keys = Keys.read(folder / "master.key")
    app = create_app("registry", Tokens(folder / "keys.json", "xinqiao-local", "xinqiao"), {})
    routes(app, database, keys)
    port = free_port()
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    claims: dict[str, Any] = {"sub": "registrar-1", "roles": ["registrar"], "division": ""}
    token = issue(key, "xinqiao-local", "xinqiao", 3600, **claims)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        while not server.started:
            await asyncio.sleep(0.05)
        yield Bench(database, bare, client), keys
    server.should_exit = True
    await serving
    database.close()
    hand.close()


async def main_of(uri: str, total: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with registry(uri, Path(folder)) as (bench, keys):
            await bench.database.prepare(COLLECTIONS, 30)
            await load_divisions(bench.database, TREE)
            began = time.monotonic()
            filled = await fill(bench.client, bench.database, keys, total)
            largest = ", ".join(f"{name} {count:,}" for name, count in filled.counties.most_common(4))
            print(
                f"{filled.total:,} of {total:,} people and {filled.duties:,} turns in {filled.inserted:.0f} s, with "
                f"indexes {filled.seconds:.0f} s ({filled.prepared} attempts); load {os.getloadavg()[0]:.1f}; "
                f"the largest counties {largest}",
                flush=True,
            )
            sizes = await bench.database._database.command("collStats", "volunteers")
            mib = {name: size >> 20 for name, size in sizes["indexSizes"].items()}
            print(f"volunteers: {sizes['avgObjSize']:.0f} B each, {sizes['size'] >> 20} MiB; indexes in MiB {mib}")
            await run(bench, filled)
            print(f"{time.monotonic() - began:.0f} s in all; load {', '.join(f'{one:.1f}' for one in os.getloadavg())}")


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    servers = mongod_fixture.__wrapped__()  # type: ignore[attr-defined]
    uri = next(servers)
    try:
        asyncio.run(asyncio.wait_for(main_of(uri, total), BENCH_SECONDS))
    except TimeoutError:
        sys.exit(f"not finished within {BENCH_SECONDS:.0f} s: the machine has too much else to do")
    finally:
        servers.close()


if __name__ == "__main__":
    main()

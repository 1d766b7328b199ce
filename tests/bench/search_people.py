"""A registry full of people, made in bulk in exactly the shape that the service writes.

A few people of each kind are registered, told about, rostered and erased through the service's own routes. Copies of
their documents, with ids, divisions, codes, keys and free windows of their own, are inserted in bulk, and each batch is
held against the shapes that the routes left: the same keys at every depth, of the same types. Names and numbers are
made up and sealed under a key for each person, as they are by the service.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pymongo import WriteConcern
from pymongo.errors import NetworkTimeout

from chassis.clock import LOCAL, new_id
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.sealing import KEYS
from chassis.tx import Document
from services.registry.api.people import EXAMPLE
from services.registry.domain.availability import LANGUAGES, SKILLS, Window, blocks, merged
from services.registry.domain.divisions import Row
from services.registry.domain.people import PERSONAL
from services.registry.domain.people_search import pairs
from services.registry.imports import NATIONAL_DIVISIONS
from services.registry.keys import Keys
from services.registry.rows import division_rows
from services.registry.store import COLLECTIONS

BATCH, INSERTING, FILL_SECONDS = 5_000, 3, 300.0
FILLED = ("volunteers", KEYS, "duties")
MONDAY = datetime(2030, 1, 7, tzinfo=LOCAL)
"""The week that duties are in and that searches ask about."""
HEAVY = {"370812": 0.05, "320706": 0.03, "110105": 0.02}
"""Districts with a large share of all people; the others follow a long-tailed distribution."""
KINDS = {
    "plain": 0.45,
    "told": 0.33,
    "on duty": 0.06,
    "talent": 0.05,
    "both": 0.03,
    "inactive": 0.06,
    "minor": 0.01,
    "erased": 0.01,
}
TELLS = frozenset({"told", "on duty", "both"})
TYPE_WEIGHTS = (14, 2, 18, 22, 12, 16, 9, 7)
QUALIFICATION_WEIGHTS = (4, 6, 40, 18, 24, 8)
SKILL_CODES = list(SKILLS)
DIALECTS = [name for name in LANGUAGES if name not in ("mandarin", "english", "sign", "other")]
TOLD: Document = {
    "languages": ["mandarin"],
    "skills": ["grief"],
    "hours_a_week": 12,
    "quiet": {"from": "23:00", "to": "06:00"},
    "windows": [{"day": 2, "from": "18:00", "to": "21:00"}],
}
OF_ITS_OWN: dict[str, Document] = {
    "plain": {"person_types": [3], "age": 35},
    "talent": {"roles": ["talent"]},
    "both": {"roles": ["volunteer", "talent"]},
    "inactive": {"active": False},
    "minor": {"birth_date": "2018-03-01"},
}
"""What the kinds tell otherwise than the form's example."""
Shape = dict[str, set[str]]


@dataclass
class Filled:
    """What is there: how many people, how long it took, and how many active ones each county
    has; `places` are a county's divisions, the one with the most people first."""

    total: int = 0
    duties: int = 0
    inserted: float = 0.0
    seconds: float = 0.0
    prepared: int = 0
    counties: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)


# What the routes write


async def models(client: httpx.AsyncClient, database: Database) -> tuple[dict[str, list[Document]], Document, Document]:
    """Two people of each kind as the routes leave them; the key of one, and a turn."""
    found: dict[str, list[Document]] = {}
    number = itertools.count(1)

    async def person(kind: str) -> Document:
        own = OF_ITS_OWN.get(kind, {})
        body = {**EXAMPLE, "roles": ["volunteer"], **own, "phone": f"000-0000-{next(number):04d}"}
        if kind == "plain":
            body = {name: body[name] for name in ("division", "name", "phone", *own)}
        ident = await _sent(client, "POST", "/v1/volunteers", body)
        if kind in TELLS:
            await _sent(client, "PUT", f"/v1/volunteers/{ident}/availability", TOLD)
        if kind == "on duty":
            turn = {
                "volunteer_id": ident,
                "starts_at": minute_of(1, 1080).isoformat(),
                "ends_at": minute_of(1, 1260).isoformat(),
            }
            await _sent(client, "PUT", "/v1/rosters/line-1", {"division": "320706", "role": "publicist"})
            await _sent(client, "POST", "/v1/rosters/line-1/duties", {"duties": [turn]})
        if kind == "erased":
            await _sent(client, "POST", f"/v1/volunteers/{ident}/erase", {"reason": "bench"})
        return (await database.find("volunteers", {}, sort=[("_id", -1)], limit=1))[0]

    for kind in KINDS:
        found[kind] = [await person(kind) for _ in range(2)]
    key = (await database.find(KEYS, {}, limit=1))[0]
    turn = (await database.find("duties", {}, limit=1))[0]
    return found, key, turn


async def _sent(client: httpx.AsyncClient, method: str, path: str, body: Document) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.is_success, answer.text
    return answer.json().get("id")


def shape(document: Document) -> Shape:
    """The type of what is at each path; places in lists are all one."""
    found: Shape = {}

    def walk(path: str, value: Any) -> None:
        found.setdefault(path, set()).add(type(value).__name__)
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{path}.{name}", inner)
        elif isinstance(value, list):
            for inner in value:
                walk(f"{path}[]", inner)

    walk("", document)
    return found


def alike(document: Document, shapes: list[Shape], anywhere: Shape) -> None:
    """Raises unless the document has the keys of one of these shapes, with types that the routes wrote somewhere."""
    own = shape(document)
    keys = [{path for path in one if "[" not in path} for one in shapes]
    assert {path for path in own if "[" not in path} in keys, f"other keys than any of the routes': {sorted(own)}"
    for path, types in own.items():
        assert types <= anywhere.get(path, set()), (
            f"{path} is {types} and {anywhere.get(path)} in what the routes wrote"
        )


def everything(shapes: list[Shape]) -> Shape:
    return {path: set().union(*(one.get(path, set()) for one in shapes)) for one in shapes for path in one}


# Copies


def minute_of(day: int, minute: int) -> datetime:
    """A minute of a day of the week that is asked about, 0 Monday."""
    return MONDAY + timedelta(days=day, minutes=minute)


def divisions(chance: random.Random) -> tuple[list[str], list[float], dict[str, list[str]]]:
    """The country's counties with the share of people in each, and for each its towns and villages."""
    inside: dict[str, list[str]] = {}
    for row in division_rows(NATIONAL_DIVISIONS):
        assert isinstance(row, Row)
        if len(row.code) >= 6:
            inside.setdefault(row.code[:6], []).append(row.code)
    counties = sorted(inside)
    weights = [chance.lognormvariate(0, 1.1) for _ in counties]
    rest = (1 - sum(HEAVY.values())) / sum(weights)
    shares = [HEAVY.get(county, weight * rest) for county, weight in zip(counties, weights, strict=True)]
    for codes in inside.values():
        chance.shuffle(codes)
    return counties, shares, inside


class _Held:
    """What `PersonKeys.seal` wants of a transaction, for persons whose keys are new."""

    def __init__(self, moment: datetime) -> None:
        self.now, self.rows = moment, []  # type: datetime, list[Document]

    async def get(self, _: str, __: Any) -> None:
        return None

    def insert(self, _: str, row: Document) -> None:
        self.rows.append(row)


class Copies:
    """People, keys and turns, a batch at a time."""

    def __init__(self, kinds: dict[str, list[Document]], turn: Document, keys: Keys) -> None:
        self.kinds, self.turn, self.keys = kinds, turn, keys
        self.chance = random.Random(12356)
        self.counties, self.shares, self.inside = divisions(self.chance)
        self.filled = Filled(places=self.inside)

    async def batch(self, size: int) -> dict[str, list[Document]]:
        chance, held = self.chance, _Held(self.turn["changed_at"])
        kinds = chance.choices(list(KINDS), list(KINDS.values()), k=size)
        people: list[Document] = []
        turns: list[Document] = []
        for kind, county in zip(kinds, chance.choices(self.counties, self.shares, k=size), strict=True):
            # In the heavy districts half of those who tell when they are free are on rosters as well.
            if kind == "told" and county in HEAVY and chance.random() < 0.5:
                kind = "on duty"
            person = self._person(kind, county)
            self.filled.total += 1
            if kind == "on duty":
                turns += self._turns(person)
            if kind != "erased":
                number = self.filled.total
                fields = {**dict.fromkeys(PERSONAL, ""), "name": "张示例", "phone": f"000-{number:08d}"}
                fields |= {"education": "本科", "employer": f"示例单位{number % 5000}", "post": "职员"}
                person["sealed"] = await self.keys.persons.seal(held, person["_id"], fields)  # type: ignore[arg-type]
            if person["active"]:
                self.filled.counties[county] += 1
            people.append(person)
        self.filled.duties += len(turns)
        return {"volunteers": people, KEYS: held.rows, "duties": turns}

    def _person(self, kind: str, county: str) -> Document:
        chance, model = self.chance, self.kinds[kind][0]
        places = self.inside[county]
        # The places of a county that come first have more of its people.
        place = places[int(len(places) * chance.random() ** 2)]
        person = {**model, "_id": new_id(), "division": place}
        if kind == "erased":
            return person
        hashes = chance.randbytes(96).hex()
        person |= {
            "identity": hashes[:64],
            "digest": hashes[64:128],
            "phone_key": hashes[128:],
            "name_key": f"{chance.randrange(300_000):064x}",
            "sex": chance.choices(("female", "male", "unknown"), (70, 28, 2))[0],
        }
        if kind != "minor":
            person["birth_year"] = chance.randint(1945, 2007)
        if kind != "talent":
            person["person_types"] = _codes(chance, TYPE_WEIGHTS, 1 if chance.random() < 0.8 else 2)
        if kind in ("talent", "both") or (chance.random() < 0.35 and 7 not in person["person_types"]):
            person["qualifications"] = _codes(chance, QUALIFICATION_WEIGHTS, 1 if chance.random() < 0.85 else 2)
        else:
            person["qualifications"] = []
        if kind in TELLS:
            windows = merged(_windows(chance))
            person |= {
                "rota": {**model["rota"], "windows": [asdict(window) for window in windows]},
                "languages": _languages(chance, county),
                "skills": sorted(chance.sample(SKILL_CODES, chance.choice((0, 1, 1, 2, 3)))),
                "free_blocks": blocks(windows),
            }
        person["pairs"] = pairs(person)
        return person

    def _turns(self, person: Document) -> list[Document]:
        """A turn in the week that is asked about, when the person is free, and some in other weeks."""
        chance = self.chance
        found = []
        for week in (0, *chance.sample(range(-8, 8), chance.randint(0, 5))):
            window = chance.choice(person["rota"]["windows"])
            start = minute_of(window["day"] - 1 + 7 * week, window["start"]).astimezone(UTC)
            turn = {"_id": new_id(), "volunteer_id": person["_id"], "division": person["division"][:6]}
            turn |= {"roster": f"line-{person['division'][:6]}", "starts_at": start}
            turn["ends_at"] = start + timedelta(minutes=min(window["end"] - window["start"], 480))
            found.append({**self.turn, **turn, "active": chance.random() < 0.95})
        person["turns"] = len(found)
        return found


def _codes(chance: random.Random, weights: tuple[int, ...], count: int) -> list[int]:
    return sorted({one + 1 for one in chance.choices(range(len(weights)), weights, k=count)})


def _languages(chance: random.Random, county: str) -> list[str]:
    """Mandarin and what is spoken in the province; a few know sign language or English."""
    spoken = {"mandarin", DIALECTS[int(county[:2]) % len(DIALECTS)]}
    if chance.random() < 0.05:
        spoken.add(chance.choice(("english", "sign", *DIALECTS)))
    return sorted(spoken)


def _windows(chance: random.Random) -> list[Window]:
    """Evenings of working days, mornings and afternoons of weekends; a few are free at all times."""
    if chance.random() < 0.02:
        return [Window(day, 0, 1440) for day in range(1, 8)]
    found = []
    for _ in range(chance.choice((1, 2, 2, 3, 4))):
        match chance.choices(("evening", "weekend", "working hours"), (5, 4, 2))[0]:
            case "evening":
                start = chance.choice((1080, 1110, 1140))
                found.append(Window(chance.randint(1, 5), start, start + chance.choice((120, 150, 180))))
            case "weekend":
                found.append(Window(chance.randint(6, 7), *chance.choice(((540, 720), (840, 1020), (540, 1080)))))
            case _:
                found.append(Window(chance.randint(1, 5), *chance.choice(((540, 720), (840, 1020)))))
    return found


async def fill(client: httpx.AsyncClient, database: Database, keys: Keys, total: int) -> Filled:
    """So many people with their keys and turns, or as many as a bounded time lets in; then the service's indexes."""
    began = time.monotonic()
    kinds, key, turn = await models(client, database)
    by_name = {"volunteers": [one for two in kinds.values() for one in two], KEYS: [key], "duties": [turn]}
    shapes = {name: [shape(document) for document in documents] for name, documents in by_name.items()}
    types = {name: everything(ones) for name, ones in shapes.items()}
    driver = database._database
    for name in FILLED:
        await driver[name].drop()
    copies, inserting = Copies(kinds, turn, keys), set()  # type: Copies, set[asyncio.Future[Any]]
    quick = {name: driver[name].with_options(write_concern=WriteConcern(w=1, j=False)) for name in FILLED}
    while copies.filled.total < total and time.monotonic() - began < FILL_SECONDS:
        rows = await copies.batch(min(BATCH, total - copies.filled.total))
        for name, documents in rows.items():
            for document in documents[:25]:
                alike(document, shapes[name], types[name])
            if documents:
                inserting.add(asyncio.ensure_future(quick[name].insert_many(documents, ordered=False)))
        if len(inserting) > INSERTING * len(FILLED):
            _, inserting = await asyncio.wait(inserting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
    await asyncio.gather(*inserting)
    copies.filled.inserted = time.monotonic() - began
    copies.filled.prepared = await indexed(database)
    copies.filled.seconds = time.monotonic() - began
    return copies.filled


async def indexed(database: Database) -> int:
    """The service's own preparation, as often as it takes; answers how often.

    Its connection waits for half a minute. An index that is built goes on when nobody waits for it any more, as it does
    when a service is started again.
    """
    for attempt in range(1, 20):
        try:
            await database.prepare(COLLECTIONS, 30)
            return attempt
        except (NetworkTimeout, Unavailable):
            continue
    raise TimeoutError("the indexes took more than ten minutes")

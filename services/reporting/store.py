"""Every database query of reporting.

Counters are documents by period and division whose `_id` is `domain.counter_key`. There are two sets of them,
`counters_a` and `counters_b`; the document `counters` in `state` says which one is current. A rebuild fills the other
and then turns the pointer, so readers see one whole set or the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from chassis.db import Database, Duplicate
from chassis.errors import NotAllowed, Unavailable
from chassis.tx import Document, Tx
from contracts.base import Event
from services.reporting.domain import COUNTRY, counter_key, disclose, figures, flatten, recount
from services.reporting.domain.counting import ALL_TIME, LEVELS, Counters
from services.reporting.domain.disclosure import FINEST
from services.reporting.domain.indicators import Value, sums
from services.reporting.domain.policy import SmallCounts

STATE, POINTER = "state", "counters"
GENERATIONS = {"a": "counters_a", "b": "counters_b"}
HOLD = timedelta(seconds=60)
TOP = "0"
"""The document of places that names provinces, cities and counties; each county's has the rest."""

Figures = dict[tuple[str, str], dict[str, Value]]
"""Values of indicators by (division, period)."""

COLLECTIONS: dict[str, list[Any]] = {
    STATE: [],
    **{name: [] for name in GENERATIONS.values()},
    "recounted": [],
    "places": [],
    "releases": [],
    "release_heads": [],
}


# Counting


async def load_generation(tx: Tx) -> None:
    await tx.load(STATE, [POINTER])


async def add(tx: Tx, keys: Sequence[str], amounts: Mapping[str, int]) -> None:
    """Add amounts to counters. Raises `Unavailable` while a rebuild holds the counters, so that the message waits."""
    state = await tx.get(STATE, POINTER) or {}
    hold = state.get("hold")
    if hold is not None and hold["until"] > tx.now:
        raise Unavailable("the counters are being rebuilt")
    collection = GENERATIONS[state.get("current", "a")]
    # Writing to the pointer makes this transaction and one that moves the pointer exclude each other.
    tx.increment(STATE, POINTER, {"counted": 1})
    for key in keys:
        tx.increment(collection, key, amounts)


async def _current(database: Database) -> str:
    state = await database.get(STATE, POINTER) or {}
    return GENERATIONS[state.get("current", "a")]


# Names


def _place_key(code: str) -> str:
    return TOP if len(code) <= FINEST else code[:FINEST]


async def load_places(tx: Tx, codes: Iterable[str]) -> None:
    await tx.load("places", {_place_key(code) for code in codes})


async def name_places(tx: Tx, names: Mapping[str, str], at: datetime) -> None:
    """Keep names by code; of two names the one listed later stays, in whatever order they arrive."""
    grouped: dict[str, dict[str, str]] = {}
    for code, name in names.items():
        grouped.setdefault(_place_key(code), {})[code] = name
    for key, members in grouped.items():
        document = await tx.get("places", key) or {"_id": key, "names": {}}
        for code, name in members.items():
            known = document["names"].get(code)
            if known is None or known["at"] <= at:
                document["names"][code] = {"name": name, "at": at}
        tx.put("places", document)


async def names_of(database: Database, codes: Iterable[str]) -> dict[str, str]:
    """The names of those divisions that are known by name."""
    wanted = set(codes)
    found: dict[str, str] = {COUNTRY: "全国"} if COUNTRY in wanted else {}
    for document in await database.find("places", {"_id": {"$in": sorted({_place_key(code) for code in wanted})}}):
        found |= {code: entry["name"] for code, entry in document["names"].items() if code in wanted}
    return found


async def is_listed(database: Database, division: str) -> bool:
    """Whether the division, or one within it, was ever listed."""
    documents = await database.find("places", {"_id": {"$in": [_place_key(division), division]}})
    return any(code.startswith(division) for document in documents for code in document["names"])


async def listed_children(database: Database, division: str) -> set[str]:
    """The divisions right below this one that were ever listed."""
    within = "" if division == COUNTRY else division
    digits = child_digits(division)
    document = await database.get("places", TOP if digits <= FINEST else division[:FINEST])
    codes = document["names"] if document else {}
    return {code for code in codes if len(code) == digits and code.startswith(within)}


def child_digits(division: str) -> int:
    """How long the codes right below are; 0 for a village, which has none."""
    length = 0 if division == COUNTRY else len(division)
    return next((digits for digits in LEVELS if digits > length), 0)


# Reading


async def counted(database: Database, division: str, periods: Sequence[str], level: str) -> Figures:
    """Every indicator of a division (`own`), or of those right below that have counts (`children`)."""
    documents = await database.find(await _current(database), _keys(division, periods, level))
    return {_place_and_period(document["_id"]): figures(flatten(document)) for document in documents}


async def released(database: Database, division: str, months: Sequence[str], level: str) -> Figures:
    """What is told outside of a division (`own`), or of those right below (`children`); what is withheld is absent."""
    documents = await database.find("releases", _keys(division, months, level))
    return {
        _place_and_period(document["_id"]): {row["indicator"]: row["value"] for row in document["figures"]}
        for document in documents
    }


def _keys(division: str, periods: Sequence[str], level: str) -> Document:
    if level == "own":
        return {"_id": {"$in": [counter_key(period, division) for period in periods]}}
    return {"$or": [_children(period, division) for period in periods]}


def _children(period: str, division: str) -> Document:
    within = "" if division == COUNTRY else division
    start = f"{period}|{child_digits(division):02d}|{within}"
    return {"_id": {"$gte": start, "$lt": start + "~"}}


def _place_and_period(key: str) -> tuple[str, str]:
    period, _, division = key.split("|")
    return division, period


async def totals(database: Database) -> dict[str, int]:
    """Every counted or summed indicator of the whole country, of all time."""
    return sums(flatten(await database.get(await _current(database), counter_key(ALL_TIME, COUNTRY)) or {}))


async def counters(database: Database) -> Counters:
    """All current counters as amounts, without zeros. For audits and tests: it holds them in memory."""
    found: Counters = {}
    async for document in database.stream(await _current(database), {}):
        amounts = {path: amount for path, amount in flatten(document).items() if amount}
        if amounts:
            found[document["_id"]] = amounts
    return found


async def recounted_differences(database: Database, events: Iterable[Event]) -> tuple[int, list[str]]:
    """How many flags are counted, and where the counters are not what a count of these events gives.

    Differences are in words, one for each counter and indicator, such as ``2026-11-22|06|320706: risk.raised is 3, the
    log says 4``. It holds the counters in memory.
    """
    expected, present = recount(events), await counters(database)
    differences = []
    for key in sorted(expected.keys() | present.keys()):
        wanted, found = expected.get(key, {}), present.get(key, {})
        differences += [
            f"{key}: {path} is {found.get(path, 0)}, the log says {wanted.get(path, 0)}"
            for path in sorted(wanted.keys() | found.keys())
            if wanted.get(path, 0) != found.get(path, 0)
        ]
    return sums(present.get(counter_key(ALL_TIME, COUNTRY), {}))["flags.total"], differences


# What is told outside


async def release(database: Database, policy: SmallCounts, month: str) -> None:
    """Settle what is told of a month outside, once and for good; nothing where that was done before.

    It is kept, because a figure that is read again after one more event tells of that event. The caller sees to it that
    the month is over.
    """
    if await database.get("release_heads", month):
        return

    async def settle(tx: Tx) -> None:
        state = await tx.get(STATE, POINTER) or {}
        collection = GENERATIONS[state.get("current", "a")]
        documents: list[Document] = []
        for digits in (0, *(digits for digits in LEVELS if digits <= FINEST)):
            start = f"{month}|{digits:02d}|"
            documents += await tx.find(collection, {"_id": {"$gte": start, "$lt": start + "~"}})
        table = {_place_and_period(document["_id"])[0]: flatten(document) for document in documents}
        for division, told in disclose(table, policy.threshold).items():
            tx.insert("releases", {"_id": counter_key(month, division), "figures": _rows(told)})
        head = {"_id": month, "at": tx.now, "version": 1, "policy": policy.version, "threshold": policy.threshold}
        tx.insert("release_heads", head)

    # Whoever comes second finds it settled by another request in the meantime.
    with suppress(Duplicate):
        await database.transact(settle)


def _rows(told: Mapping[str, Value]) -> list[Document]:
    return [{"indicator": name, "value": value} for name, value in sorted(told.items())]


async def release_heads(database: Database, months: Sequence[str]) -> dict[str, Document]:
    """When, and under which policy and threshold, months were settled; absent where they were not."""
    heads = await database.find("release_heads", {"_id": {"$in": list(months)}})
    return {head["_id"]: head for head in heads}


# Rebuilding


async def hold(database: Database, token: str) -> tuple[str, int]:
    """Make counting wait while a rebuild runs. Returns the generation to fill and a mark that counting would move.

    Raises `NotAllowed` while another rebuild holds.
    """

    async def take(tx: Tx) -> tuple[str, int]:
        state = await tx.get(STATE, POINTER) or {"_id": POINTER, "current": "a", "counted": 0}
        held = state.get("hold")
        if held is not None and held["until"] > tx.now and held["token"] != token:
            raise NotAllowed("another rebuild is under way")
        current = state.setdefault("current", "a")
        tx.put(STATE, {**state, "hold": {"token": token, "until": tx.now + HOLD}})
        return "b" if current == "a" else "a", int(state.get("counted", 0))

    return await database.transact(take)


async def renew(database: Database, token: str, mark: int) -> None:
    """Go on holding. Raises `NotAllowed` if the hold was lost and something was counted since."""

    async def again(tx: Tx) -> None:
        state = await _held(tx, token, mark)
        tx.put(STATE, {**state, "hold": {"token": token, "until": tx.now + HOLD}})

    await database.transact(again)


async def let_go(database: Database, token: str) -> None:
    """Let counting go on, with the counters as they were."""

    async def give_up(tx: Tx) -> None:
        state = await tx.get(STATE, POINTER)
        if state is not None and (state.get("hold") or {}).get("token") == token:
            tx.put(STATE, {**state, "hold": None})

    await database.transact(give_up)


async def swap(database: Database, token: str, mark: int, generation: str) -> None:
    """Make the filled generation current and let counting go on, in one step."""

    async def turn(tx: Tx) -> None:
        state = await _held(tx, token, mark)
        tx.put(STATE, {**state, "current": generation, "hold": None})

    await database.transact(turn)


async def _held(tx: Tx, token: str, mark: int) -> Document:
    state = await tx.get(STATE, POINTER) or {}
    if (state.get("hold") or {}).get("token") != token or int(state.get("counted", 0)) != mark:
        raise NotAllowed("the hold on the counters was lost; the rebuild has to be run again")
    return state


async def empty_generation(database: Database, generation: str) -> None:
    await database.clear(GENERATIONS[generation])
    await database.clear("recounted")


async def recounted(database: Database, claims: list[str]) -> set[str]:
    """Which of these claims this rebuild has counted already."""
    return {row["_id"] for row in await database.find("recounted", {"_id": {"$in": claims}})}


async def add_recounted(database: Database, generation: str, claims: Sequence[str], counters: Counters) -> None:
    """Add counters of these claims to a generation that is being filled."""

    async def write(tx: Tx) -> None:
        for claim in claims:
            tx.insert("recounted", {"_id": claim})
        for key, amounts in counters.items():
            tx.increment(GENERATIONS[generation], key, amounts)

    await database.transact(write)

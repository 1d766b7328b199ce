"""Every query of the matching service.

- `responders`, by volunteer: what the registry told, and what the person holds. `request_id` is the one request that
  the person was offered or holds; each offer, answer and release writes it, so that two transactions that reach for
  the same person meet, and one of them is done again. `spells` are days on which a fact counts (see the event),
  `merged_into` who stands for the entry since `joined_at`, and `entries` those merged into this one that hold a case.
  What a document lacks is as of a new one; `responder` and `complete` read it so.
- `duties`: turns of duty, each with `slots` by which the turns of a day and an area are found.
- `requests` and `offers`: what was asked, and of whom. A request is offered, held, waiting or released. `takes_over` of
  an offer is the one under which the same person took the call, before the entry of it was merged into another.
- `watches`, by province: when the waiting requests are held against who is on duty again.
- `divisions`: names, for what people read.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from chassis.clock import local_day
from chassis.db import Database, index
from chassis.tx import Document, Tx
from contracts.base import Event, Tier
from services.matching.domain.choice import LEVELS, Ask, Board, Person, in_force
from services.matching.domain.ledger import Facts, held_against

DUTIES_KEPT_SECONDS = 90 * 86_400
"""A turn that ended is kept so long, so that a late event about it is known to be old."""
LONG = 60
"""A turn of more days than this is filed under every day."""
DUE_OFFERS = 100
PAGE = 500

Urgency = tuple[int, datetime, uuid.UUID]
_urgency: Callable[[Ask], Urgency] = attrgetter("urgency")

COLLECTIONS = {
    "responders": [index("division")],
    "duties": [
        index("slots"),
        index("volunteer_id", "ends_at"),
        index("ends_at", expireAfterSeconds=DUTIES_KEPT_SECONDS),
    ],
    "requests": [
        index("state", "province", "-rank", "requested_at", "_id"),
        index("division", "_id"),
    ],
    "offers": [index("responder_id", "state"), index("request_id"), index("state", "expires_at")],
    "watches": [],
    "divisions": [],
}


# Documents and the domain's types


def person_of(document: Document, moment: datetime) -> Person:
    """A responder with what counts at a moment: a certificate that ran out yesterday does not, whoever told it."""
    document = complete(document)
    day, spells = local_day(moment).isoformat(), document["spells"]

    def counting(fact: str, codes: list[int]) -> frozenset[int]:
        return frozenset(codes if not spells else [code for code in codes if in_force(spells, fact, code, day)])

    return Person(
        id=document["_id"],
        division=document["division"],
        person_types=counting("person_type", document["person_types"]),
        qualifications=counting("qualification", document["qualifications"]),
        trained=document["trained"] and in_force(spells, "trained", 0, day),
        active=document["active"] and document["merged_into"] is None,
        busy=document["request_id"] is not None,
        called_at=document["called_at"],
        minor=document["minor"],
    )


def new_responder(volunteer_id: uuid.UUID) -> Document:
    """Somebody of whom nothing is known yet, and who is not asked until something is."""
    return {
        "_id": volunteer_id,
        "revision": 0,
        "division": "",
        "person_types": [],
        "qualifications": [],
        "trained": False,
        "spells": [],
        "active": False,
        "minor": False,
        "request_id": None,
        "called_at": None,
        "merged_into": None,
        "joined_at": None,
        "entries": [],
    }


def complete(document: Document) -> Document:
    """A responder as it is written today: what was not kept yet when the document was written is as of a new one."""
    return {**new_responder(document["_id"]), **document}


async def responder(tx: Tx, volunteer_id: uuid.UUID) -> Document | None:
    """The one way to read somebody by id: complete, whenever it was written."""
    found = await tx.get("responders", volunteer_id)
    return None if found is None else complete(found)


def ask_of(request: Document) -> Ask:
    return Ask(
        request_id=request["_id"],
        division=request["division"],
        tier=Tier(request["tier"]),
        minor=request["minor"],
        requested_at=request["requested_at"],
        asked=frozenset(request["asked"]),
        restricted=bool(request.get("restricted")),
    )


def slots_of(roster: str, starts_at: datetime, ends_at: datetime) -> list[str]:
    """The keys by which a turn is found: its days, each with its roster and with the areas that the roster lies in."""
    places = [f"={roster}", *(roster[:level] for level in (6, 4, 2) if len(roster) >= level)]
    first, last = starts_at.astimezone(UTC).date(), ends_at.astimezone(UTC).date()
    count = (last - first).days + 1
    days = ["always"] if count > LONG else [(first + timedelta(days=n)).isoformat() for n in range(count)]
    return [f"{place}|{day}" for place in places for day in days]


def _slots_for(area: str, moment: datetime) -> list[str]:
    above = [f"={area[:level]}" for level in LEVELS if level < len(area)]
    days = ("always", moment.astimezone(UTC).date().isoformat())
    return [f"{place}|{day}" for place in (area, *above) for day in days]


# Who is on duty now


def board_of(tx: Tx) -> Board:
    board: Board = tx.memo.setdefault("board", Board())
    return board


async def read_areas(tx: Tx, areas: Iterable[str], roles: Collection[str]) -> Board:
    """Read the turns of now of whole counties, cities or provinces onto the board: two queries for all of them.

    Here and below, `roles` are those whose turns are on duty for crisis calls.
    """
    board = board_of(tx)
    wanted = {area for area in areas if not any(area.startswith(known) for known in board.areas)}
    if not wanted:
        return board
    slots = sorted({slot for area in wanted for slot in _slots_for(area, tx.now)})
    people = await _read_turns(tx, board, {"slots": {"$in": slots}}, roles)
    # The busy ones stay unread: where all are busy there are many of them, and hardly ever does it matter who.
    free = await tx.find("responders", {"_id": {"$in": list(people)}, "request_id": None})
    tx.remember("responders", free)
    for one in free:
        board.put(person_of(one, tx.now))
    board.areas |= wanted
    return board


async def read_turns_of(tx: Tx, people: Iterable[uuid.UUID], roles: Collection[str]) -> Board:
    """Read certain people and their turns of now onto the board, whichever area these are for."""
    board = board_of(tx)
    read: set[uuid.UUID] = tx.memo.setdefault("turns_read", set())
    wanted = [person for person in dict.fromkeys(people) if person not in read]
    if wanted:
        await _read_turns(tx, board, {"volunteer_id": {"$in": wanted}, "ends_at": {"$gt": tx.now}}, roles)
        await _put_all(tx, board, wanted)
        read.update(wanted)
    return board


async def reread_turns_of(tx: Tx, person: uuid.UUID, roles: Collection[str]) -> None:
    """A turn was moved or withdrawn in this transaction: what the board knows of the person's turns is read anew."""
    board = board_of(tx)
    read: set[uuid.UUID] = tx.memo.setdefault("turns_read", set())
    if person in read or board.rosters(person):
        board.leave(person)
        read.discard(person)
        await read_turns_of(tx, [person], roles)


async def read_unread(tx: Tx, limit: int) -> Board:
    """Read some of those of whom the board knows only that they are busy."""
    board = board_of(tx)
    await _put_all(tx, board, list(board.unread)[:limit])
    return board


async def _put_all(tx: Tx, board: Board, people: list[uuid.UUID]) -> None:
    await tx.load("responders", people)
    for person in people:
        board.unread.pop(person, None)
        document = await responder(tx, person)
        if document is not None:
            board.put(person_of(document, tx.now))


async def _read_turns(tx: Tx, board: Board, query: dict[str, Any], roles: Collection[str]) -> set[uuid.UUID]:
    on_now = {
        "active": True,
        "role": {"$in": sorted(roles)},
        "starts_at": {"$lte": tx.now},
        "ends_at": {"$gt": tx.now},
    }
    turns = await tx.find("duties", {**on_now, **query})
    for turn in turns:
        board.add_roster(turn["volunteer_id"], turn["division"])
    return {turn["volunteer_id"] for turn in turns}


async def rosters_since(tx: Tx, responder_id: uuid.UUID, moment: datetime, roles: Collection[str]) -> list[str]:
    """The rosters on which somebody has a turn that was not over at a moment, and was not withdrawn since."""
    query = {
        "volunteer_id": responder_id,
        "active": True,
        "role": {"$in": sorted(roles)},
        "starts_at": {"$lte": tx.now},
        "ends_at": {"$gt": moment},
    }
    return [turn["division"] for turn in await tx.find("duties", query)]


# Requests that wait


class Waiting:
    """The waiting requests of a province, the most urgent first, read page by page as far as they are needed."""

    def __init__(self, province: str) -> None:
        self._province = province
        self._asks: list[Ask] = []
        self._after: Urgency | None = None
        self._complete = False

    async def first(self, tx: Tx, fits: Callable[[Ask], bool]) -> Ask | None:
        """The most urgent request that fits."""
        position = 0
        while True:
            while position < len(self._asks):
                if fits(self._asks[position]):
                    return self._asks[position]
                position += 1
            if self._complete:
                return None
            await self._read_more(tx)

    async def everything(self, tx: Tx) -> list[Ask]:
        while not self._complete:
            await self._read_more(tx)
        return list(self._asks)

    def add(self, ask: Ask) -> None:
        """A request that waits from now on; one that lies in a page not read yet comes with that page."""
        if self._complete or (self._after is not None and ask.urgency <= self._after):
            insort(self._asks, ask, key=_urgency)

    def remove(self, ask: Ask) -> None:
        position = bisect_left(self._asks, ask.urgency, key=_urgency)
        if position < len(self._asks) and self._asks[position].request_id == ask.request_id:
            del self._asks[position]

    async def _read_more(self, tx: Tx) -> None:
        query: dict[str, Any] = {"state": "waiting", "province": self._province}
        if self._after is not None:
            less_urgent, requested_at, request_id = self._after
            query["$or"] = [
                {"rank": {"$lt": -less_urgent}},
                {"rank": -less_urgent, "requested_at": {"$gt": requested_at}},
                {"rank": -less_urgent, "requested_at": requested_at, "_id": {"$gt": request_id}},
            ]
        order = [("rank", -1), ("requested_at", 1), ("_id", 1)]
        page = await tx.find("requests", query, sort=order, limit=PAGE)
        tx.remember("requests", page)
        asks = [ask_of(request) for request in page]
        self._asks.extend(asks)
        self._complete = len(page) < PAGE
        if asks:
            self._after = asks[-1].urgency


def waiting_in(tx: Tx, province: str) -> Waiting:
    """The waiting requests of a province, as this transaction knows them."""
    known: dict[str, Waiting] = tx.memo.setdefault("waiting", {})
    return known.setdefault(province, Waiting(province))


# Reading ahead


async def read_due_offers(tx: Tx) -> None:
    """Offers that are due expire in groups: what all of them need is read once."""
    if tx.memo.setdefault("due_offers_read", False):
        return
    tx.memo["due_offers_read"] = True
    due = {"state": "open", "expires_at": {"$lte": tx.now}}
    offers = await tx.find("offers", due, sort=[("expires_at", 1)], limit=DUE_OFFERS)
    tx.remember("offers", offers)
    await tx.load("requests", [offer["request_id"] for offer in offers])
    await tx.load("responders", [offer["responder_id"] for offer in offers])


async def read_offers_of(tx: Tx, responder_ids: Iterable[uuid.UUID]) -> None:
    """What these people were offered or hold: their requests and the offers of these."""
    people = [await responder(tx, key) for key in responder_ids]
    held = [person["request_id"] for person in people if person is not None and person["request_id"] is not None]
    if held:
        await tx.load("requests", held)
        requests = [request for key in held if (request := await tx.get("requests", key)) is not None]
        await tx.load("offers", [request["offer_id"] for request in requests if request["offer_id"]])


async def asked_of(tx: Tx, responder_id: uuid.UUID) -> list[Document]:
    """The requests that nobody holds yet and that this person was asked for."""
    query = {"state": {"$in": ["offered", "waiting"]}, "asked": {"$in": [responder_id]}}
    found = await tx.find("requests", query)
    tx.remember("requests", found)
    return found


async def standing_for(tx: Tx, responder_id: uuid.UUID) -> uuid.UUID:
    """Who stands for an entry that was merged into another; the same id for all others."""
    seen = {responder_id}
    while (document := await responder(tx, responder_id)) is not None:
        following = document["merged_into"]
        if following is None or following in seen:
            break
        seen.add(following)
        responder_id = following
    return responder_id


async def read_held(tx: Tx, request_ids: list[uuid.UUID], roles: Collection[str]) -> None:
    """Requests with their current offers and responders, and where something waits, what the freed could take."""
    await tx.load("requests", request_ids)
    requests = [request for key in request_ids if (request := await tx.get("requests", key)) is not None]
    await tx.load("offers", [request["offer_id"] for request in requests if request["offer_id"]])
    freed = [request["responder_id"] for request in requests if request["responder_id"]]
    await tx.load("responders", freed)
    homes = [person["division"] for key in freed if (person := await responder(tx, key)) is not None]
    for province in sorted({home[:2] for home in homes}):
        if await waiting_in(tx, province).first(tx, lambda ask: True) is not None:
            await read_turns_of(tx, freed, roles)


# For the HTTP side


def _within(division: str) -> dict[str, Any]:
    return {"division": {"$gte": division, "$lt": f"{division}:"}} if division else {}


async def requests_in(
    database: Database, division: str, states: Iterable[str], after: uuid.UUID | None, limit: int
) -> list[Document]:
    """A page of requests of a division and what lies in it, by id."""
    query: dict[str, Any] = {**_within(division)}
    if states := list(states):
        query["state"] = {"$in": states}
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("requests", query, sort=[("_id", 1)], limit=limit)


async def waiting_for_coordinator(database: Database, division: str, limit: int) -> tuple[int, list[Document]]:
    """How many requests wait in a division, and the most urgent of them."""
    query = {"state": "waiting", **_within(division)}
    if division:
        query["province"] = division[:2]
    order = [("rank", -1), ("requested_at", 1), ("_id", 1)]
    return await database.count("requests", query), await database.find("requests", query, sort=order, limit=limit)


async def offers_to(tx: Tx, responder_id: uuid.UUID) -> list[Document]:
    """What a responder has open or holds, under the person's entries too that were merged into this one."""
    document = await responder(tx, responder_id)
    ids = [responder_id, *(document["entries"] if document is not None else ())]
    return await tx.find("offers", {"responder_id": {"$in": ids}, "state": {"$in": ["open", "accepted"]}})


async def offers_for(database: Database, request_id: uuid.UUID) -> list[Document]:
    return await database.find("offers", {"request_id": request_id}, sort=[("offered_at", 1), ("_id", 1)])


async def places(database: Database, divisions: Iterable[str]) -> dict[str, str]:
    """Each division in words, from the county down; the code where no name is known."""
    divisions = set(divisions)
    steps = {code: [code[:level] for level in (6, 9, 12) if len(code) >= level] for code in divisions}
    wanted = sorted({step for path in steps.values() for step in path})
    names = {row["_id"]: row["name"] for row in await database.find("divisions", {"_id": {"$in": wanted}})}
    return {code: "".join(names.get(step, "") for step in path) or code for code, path in steps.items()}


# For the audit


async def audit_facts(database: Database, events: Iterable[Event]) -> Facts:
    """What differs between this database and the events of the log."""
    read = {name: [row async for row in database.stream(name, {})] for name in ("requests", "offers", "responders")}
    timers = {row["_id"] async for row in database.stream("timers", {})}
    people = [complete(row) for row in read["responders"]]
    return held_against(events, read["requests"], read["offers"], people, timers)

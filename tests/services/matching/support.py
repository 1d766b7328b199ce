"""A database in memory for matching's rules, and events as crisis and registry tell them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from chassis.clock import new_id
from chassis.envelope import from_message
from chassis.tx import Document, Key, Tx
from contracts.base import Event, Tier, county_of
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.registry import DutyRostered, Spell, VolunteerRegistered, VolunteersMerged, VolunteersSplit
from services.matching import handlers
from services.matching.domain.policy import load_policies

POLICIES = load_policies()
START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
COUNTY = "370812"
PSYCHIATRIST = ((3,), (1,))
SOCIAL_WORKER = ((5,), ())


class Memory:
    """Collections in memory; understands the few operators that matching's queries are made of."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[Key, Document]] = {}
        self.queries = 0
        self.events: list[Event] = []
        self.now = START

    def __getitem__(self, name: str) -> dict[Key, Document]:
        return self.collections.setdefault(name, {})

    async def fetch(self, collection: str, keys: list[Key]) -> list[Document]:
        self.queries += 1
        return [_copy(self[collection][key]) for key in keys if key in self[collection]]

    async def query(
        self, collection: str, query: Mapping[str, Any], sort: list[tuple[str, int]] | None, limit: int
    ) -> list[Document]:
        self.queries += 1
        found = [_copy(document) for document in self[collection].values() if matches(document, query)]
        for name, direction in reversed(sort or []):
            found.sort(key=lambda document: document[name], reverse=direction < 0)
        return found[:limit] if limit else found

    async def write(self, collection: str, operations: list[tuple[str, Key, Any]]) -> None:
        for action, key, value in operations:
            if action == "delete":
                self[collection].pop(key, None)
            else:
                assert action == "put" or key not in self[collection], f"duplicate in {collection}"
                self[collection][key] = _copy(value)

    async def transact(self, body: Callable[[Tx], Awaitable[Any]]) -> Any:
        """Run `body` at the memory's own time. An error leaves what was sent before it; a test ends there."""
        tx = Tx(self, "matching")
        tx.now = self.now
        result = await body(tx)
        await tx.finish()
        self.events += [from_message(row["subject"], row["headers"], row["body"]) for row in tx.outbox]
        self["outbox"].clear()
        return result

    # What the chassis does with messages and timers

    async def receive(self, *events: Event) -> None:
        """One group of messages of one type, with reading ahead, in one transaction."""

        async def group(tx: Tx) -> None:
            load, handle = HANDLES[type(events[0])]
            await load(events, tx)
            for event in events:
                await handle(event, tx)

        await self.transact(group)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, each timer firing at its moment."""
        end = self.now + timedelta(seconds=seconds)
        while due := [timer for timer in self["timers"].values() if timer["due_at"] <= end]:
            timer = min(due, key=lambda timer: (timer["due_at"], timer["_id"]))
            self.now = max(self.now, timer["due_at"])
            await self.transact(partial(self._fire, timer["_id"]))
        self.now = end

    async def _fire(self, key: str, tx: Tx) -> None:
        timer = await tx.get("timers", key)
        assert timer is not None
        tx.delete("timers", key)
        await TIMERS[timer["kind"]](timer["key"], tx)

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def open_offer(self, request_id: uuid.UUID) -> Document:
        (offer,) = [o for o in self["offers"].values() if o["request_id"] == request_id and o["state"] == "open"]
        return offer


HANDLES: dict[type[Event], tuple[Any, Any]] = {
    VolunteerRegistered: (handlers.load_volunteers, partial(handlers.note_volunteer, policies=POLICIES)),
    VolunteersMerged: (handlers.load_merges, partial(handlers.note_merge, policies=POLICIES)),
    VolunteersSplit: (handlers.load_merges, handlers.note_split),
    DutyRostered: (handlers.load_duties, partial(handlers.note_duty, policies=POLICIES)),
    ResponderRequested: (
        partial(handlers.load_requests, policies=POLICIES),
        partial(handlers.offer_to_next_responder, policies=POLICIES),
    ),
    ResponderReleased: (
        partial(handlers.load_held, policies=POLICIES),
        partial(handlers.release_responder, policies=POLICIES),
    ),
}
TIMERS: dict[str, Any] = {
    "offer": partial(handlers.expire_offer, policies=POLICIES),
    "look": partial(handlers.look_again, policies=POLICIES),
}


def _copy(document: Document) -> Document:
    return {name: list(value) if isinstance(value, list) else value for name, value in document.items()}


def matches(document: Document, query: Mapping[str, Any]) -> bool:
    return all(
        any(matches(document, one) for one in wanted) if name == "$or" else _holds(document[name], wanted)
        for name, wanted in query.items()
    )


def _holds(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    values = value if isinstance(value, list) else [value]
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "$in": lambda one, many: one in many,
        "$lt": lambda one, other: one < other,
        "$lte": lambda one, other: one <= other,
        "$gt": lambda one, other: one > other,
        "$gte": lambda one, other: one >= other,
    }
    return all(any(tests[operator](one, operand) for one in values) for operator, operand in wanted.items())


# Events


def _envelope(division: str, moment: datetime) -> dict[str, Any]:
    return {"id": new_id(), "occurred_at": moment, "region": county_of(division)}


def a_volunteer(
    division: str = COUNTY,
    *,
    skill: tuple[tuple[int, ...], tuple[int, ...]] = PSYCHIATRIST,
    volunteer_id: uuid.UUID | None = None,
    revision: int = 1,
    trained: bool = True,
    active: bool = True,
    minor: bool = False,
    spells: Iterable[Spell] = (),
) -> VolunteerRegistered:
    return VolunteerRegistered(
        **_envelope(division, START),
        volunteer_id=volunteer_id or new_id(),
        revision=revision,
        division=division,
        person_types=skill[0],
        qualifications=skill[1],
        trained=trained,
        active=active,
        minor=minor,
        spells=tuple(spells),
    )


def a_duty(
    volunteer_id: uuid.UUID,
    roster_division: str = COUNTY,
    *,
    start: datetime = START - timedelta(hours=1),
    hours: float = 12,
    duty_id: uuid.UUID | None = None,
    revision: int = 1,
    active: bool = True,
    role: str = "responder",
) -> DutyRostered:
    return DutyRostered(
        **_envelope(roster_division, start),
        duty_id=duty_id or new_id(),
        revision=revision,
        roster="hotline-night",
        division=roster_division,
        volunteer_id=volunteer_id,
        role=role,
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        active=active,
    )


def a_request(
    division: str = COUNTY, tier: Tier = Tier.high, *, minor: bool = False, moment: datetime = START
) -> ResponderRequested:
    return ResponderRequested(
        **_envelope(division, moment),
        request_id=new_id(),
        case_id=new_id(),
        division=division,
        tier=tier,
        minor=minor,
    )


def a_release(request: ResponderRequested) -> ResponderReleased:
    return ResponderReleased(
        **_envelope(request.division, request.occurred_at),
        request_id=request.request_id,
        case_id=request.case_id,
        division=request.division,
    )


def a_merge(stays: uuid.UUID, goes: uuid.UUID, moment: datetime = START) -> VolunteersMerged:
    return VolunteersMerged(
        **_envelope(COUNTY, moment), merge_id=new_id(), volunteer_id=stays, gone_id=goes, division=COUNTY
    )


def a_split(merge: VolunteersMerged, moment: datetime) -> VolunteersSplit:
    names = ("merge_id", "volunteer_id", "gone_id", "division")
    return VolunteersSplit(**_envelope(COUNTY, moment), **{name: getattr(merge, name) for name in names})


async def on_duty(memory: Memory, *divisions: str, **how: Any) -> list[uuid.UUID]:
    """Volunteers of these divisions, on duty now on a roster of their own division."""
    volunteers = [a_volunteer(division, **how) for division in divisions]
    await memory.receive(*volunteers)
    await memory.receive(*(a_duty(volunteer.volunteer_id, volunteer.division) for volunteer in volunteers))
    return [volunteer.volunteer_id for volunteer in volunteers]


def each_request_is_somewhere(
    requests: Iterable[Document], offers: Iterable[Document], people: Iterable[Document]
) -> None:
    """What always holds: a request is offered, held, waiting or released, and nobody has two."""
    offers = list(offers)
    alive: dict[uuid.UUID, uuid.UUID] = {}
    for offer in offers:
        if offer["state"] in ("open", "accepted"):
            assert offer["responder_id"] not in alive, "somebody has two"
            alive[offer["responder_id"]] = offer["request_id"]
    by_request = {request_id: responder_id for responder_id, request_id in alive.items()}
    assert len(by_request) == len(alive), "two have one request"
    states = {"offered": "open", "held": "accepted"}
    seen = set()
    for request in requests:
        if wanted := states.get(request["state"]):
            (offer,) = [offer for offer in offers if offer["_id"] == request["offer_id"]]
            assert offer["state"] == wanted
            assert by_request[request["_id"]] == request["responder_id"] == offer["responder_id"]
            seen.add(request["_id"])
        else:
            assert request["state"] in ("waiting", "released")
    assert seen == set(by_request)
    assert {p["_id"]: p["request_id"] for p in people if p["request_id"] is not None} == alive

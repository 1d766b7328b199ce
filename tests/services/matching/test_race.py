"""Several processes of matching at once on a real database: nobody is offered two requests, and none is lost."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.clock import now
from chassis.db import Database
from chassis.envelope import from_message
from chassis.tx import Tx
from contracts.base import Event, Tier
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.matching import CoordinatorCalled, ResponderOffered
from contracts.registry import DutyRostered, VolunteerRegistered
from services.matching import offering, store
from services.matching.domain.choice import DeclineReason
from tests.services.matching.support import COUNTY, HANDLES, POLICIES, a_duty, a_release, a_request, a_volunteer
from tests.support.servers import open_database

PROCESSES = 4


@pytest.fixture
async def processes(mongod: str, database_name: str) -> AsyncIterator[list[Database]]:
    """The same database as several processes have it, each with its own turn."""
    opened = [open_database(mongod, "matching", database_name) for _ in range(PROCESSES)]
    await opened[0].prepare(store.COLLECTIONS, 30)
    yield opened
    for database in opened:
        database.close()


async def receive(database: Database, *events: Event) -> None:
    async def group(tx: Tx) -> None:
        load, handle = HANDLES[type(events[0])]
        await load(events, tx)
        for event in events:
            await handle(event, tx)

    await database.transact(group)


async def staffed(database: Database, *divisions: str) -> None:
    volunteers: list[VolunteerRegistered] = [a_volunteer(division) for division in divisions]
    duties: list[DutyRostered] = [
        a_duty(volunteer.volunteer_id, volunteer.division, start=now() - timedelta(minutes=1))
        for volunteer in volunteers
    ]
    await receive(database, *volunteers)
    await receive(database, *duties)


async def published(database: Database) -> list[Event]:
    rows = await database.find("outbox", {}, sort=[("at", 1)])
    return [from_message(row["subject"], row["headers"], row["body"]) for row in rows]


async def test_two_who_reach_for_the_same_responder_at_once(processes: list[Database]) -> None:
    """Both read before either writes: one of them is done again, and finds the responder taken."""
    await staffed(processes[0], COUNTY)
    requests = [a_request(), a_request()]
    both_have_read = asyncio.Barrier(2)
    attempts: Counter[int] = Counter()

    async def offer(number: int, tx: Tx) -> None:
        attempts[number] += 1
        await HANDLES[ResponderRequested][0]([requests[number]], tx)
        if attempts[number] == 1:
            await both_have_read.wait()
        await HANDLES[ResponderRequested][1](requests[number], tx)

    await asyncio.gather(*(processes[number].transact(partial(offer, number)) for number in (0, 1)))
    assert sum(attempts.values()) >= 3
    events = await published(processes[0])
    assert Counter(type(event) for event in events) == {ResponderOffered: 1, CoordinatorCalled: 1}
    states = sorted(request["state"] for request in await processes[0].find("requests", {}))
    assert states == ["offered", "waiting"]


async def test_processes_that_work_at_once_lose_nothing_and_give_nobody_two(processes: list[Database]) -> None:
    """Each process takes its share of requests, answers, silences and releases, in a random order."""
    chance = random.Random(20_261_122)
    await staffed(processes[0], *[COUNTY] * 4, *["370812001"] * 3, "370811", "3708")
    requests = [
        a_request(chance.choice([COUNTY, "370812001", "370811002"]), chance.choice(list(Tier)), moment=now())
        for _ in range(80)
    ]
    releases: list[ResponderReleased] = []

    async def one_process(database: Database, share: Sequence[ResponderRequested]) -> None:
        own = random.Random(share[0].request_id.int)
        todo = list(share)
        while todo:
            size = own.randint(1, 4)
            group, todo = todo[:size], todo[size:]
            await receive(database, *group)
            for _ in range(3):
                await answer_one(database, own)
            if own.random() < 0.6:
                release = a_release(own.choice(share[: len(share) - len(todo)]))
                releases.append(release)
                await receive(database, release)

    async def answer_one(database: Database, own: random.Random) -> None:
        offers = await database.find("offers", {"state": "open"})
        if not offers:
            return
        chosen, word = own.choice(offers)["_id"], own.choice(["accept", "decline", "expire"])

        async def answer(tx: Tx) -> None:
            offer = await tx.get("offers", chosen)
            if offer is None or offer["state"] != "open":
                return
            if word == "accept":
                await offering.accept(offer, tx)
            elif word == "decline":
                await offering.decline(offer, DeclineReason.not_said, tx, POLICIES)
            else:
                await offering.expire(offer, tx, POLICIES)

        await database.transact(answer)

    shares = [requests[number::PROCESSES] for number in range(PROCESSES)]
    await asyncio.gather(*(one_process(*pair) for pair in zip(processes, shares, strict=True)))
    facts = await store.audit_facts(processes[0], [*requests, *releases, *await published(processes[0])])
    assert facts.differences == []
    assert facts.requests == facts.answered == len(requests)


async def test_what_waits_is_read_page_by_page_in_the_order_of_urgency(
    processes: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    database = processes[0]
    chance = random.Random(7)
    moment = now()
    requests = [
        a_request(tier=chance.choice(list(Tier)), moment=moment - timedelta(minutes=chance.randint(0, 3)))
        for _ in range(20)
    ]
    for request in requests:
        await receive(database, request)

    async def read(tx: Tx) -> list[Any]:
        return [ask.request_id for ask in await store.waiting_in(tx, "37").everything(tx)]

    expected = sorted(requests, key=lambda r: (-r.tier.rank, r.occurred_at, r.request_id))
    assert await database.transact(read) == [request.request_id for request in expected]


async def test_turns_are_found_by_area_and_by_the_rosters_above_it(processes: list[Database]) -> None:
    """The query on the real database finds what the rule wants: rosters within the area, and those that cover it."""
    database = processes[0]
    rosters = {"370812001": True, "370812": True, "3708": True, "37": True, "370811": False, "320706": False}
    volunteers = {roster: a_volunteer(COUNTY) for roster in rosters}
    start = now() - timedelta(minutes=1)
    await receive(database, *volunteers.values())
    await receive(database, *(a_duty(v.volunteer_id, roster, start=start) for roster, v in volunteers.items()))
    ended = a_volunteer(COUNTY)
    await receive(database, ended)
    await receive(database, a_duty(ended.volunteer_id, COUNTY, start=start - timedelta(hours=2), hours=1))

    async def read(tx: Tx) -> list[uuid.UUID]:
        board = await store.read_areas(tx, [COUNTY], {"responder"})
        return [
            volunteer.volunteer_id for volunteer in volunteers.values() if board.rosters(volunteer.volunteer_id)
        ] + [ended.volunteer_id for _ in board.rosters(ended.volunteer_id)]

    assert await database.transact(read) == [volunteers[roster].volunteer_id for roster in rosters if rosters[roster]]

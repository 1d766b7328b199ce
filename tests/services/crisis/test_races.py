"""Two replicas of the office do two things in the same moment: it is as if one had come first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from chassis.errors import NotAllowed, NotFound
from chassis.tx import Tx, entry_hash
from contracts.base import Tier
from contracts.crisis import (
    CaseAcknowledged,
    CaseOpened,
    CaseOutcome,
    ReferralMoved,
    ReferralState,
    RiskLowered,
    RiskRaised,
)
from contracts.hotline import RiskFlagged
from services.crisis import commands
from tests.services.crisis.world import (
    BACKUP,
    HIGH,
    HOSPITAL,
    IMMINENT,
    LOW,
    MODERATE,
    OFFICER,
    OTHER_OFFICER,
    OTHER_SUPERVISOR,
    SUPERVISOR,
    MovedClock,
    World,
    a_flag,
    person,
    receiver,
)

Body = Callable[[Tx], Awaitable[Any]]


@pytest.fixture
async def replica(world: World, mongod: str, database_name: str) -> AsyncIterator[MovedClock]:
    """A second process of the service, on the same database."""
    opened = MovedClock(mongod, "crisis", database_name)
    opened.committed = world.database.committed
    yield opened
    opened.close()


async def at_once(world: World, replica: MovedClock, one: Body, other: Body) -> list[Any]:
    """Both have read and decided before either commits. What each returned, or raised."""
    meeting = asyncio.Barrier(2)

    def meet(body: Body) -> Body:
        first = True

        async def met(tx: Tx) -> Any:
            nonlocal first
            try:
                return await body(tx)
            finally:
                if first:
                    first = False
                    await asyncio.wait_for(meeting.wait(), 10)

        return met

    replica.ahead = world.database.ahead
    both = asyncio.gather(world.database.transact(meet(one)), replica.transact(meet(other)), return_exceptions=True)
    return list(await both)


def taking(world: World, flag: RiskFlagged) -> Body:
    take = next(one for one in world.blueprint.handles if one.event is RiskFlagged)

    async def body(tx: Tx) -> None:
        assert take.load is not None
        await take.load([flag], tx)
        await take.handler(flag, tx)

    return body


async def test_two_officers_acknowledge_and_one_has_the_case(world: World, replica: MovedClock) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    results = await at_once(
        world,
        replica,
        lambda tx: commands.acknowledge(key, OFFICER, tx, world.office),
        lambda tx: commands.acknowledge(key, OTHER_OFFICER, tx, world.office),
    )
    assert sorted(isinstance(result, NotAllowed) for result in results) == [False, True]
    assert len(world.emitted(CaseAcknowledged)) == 1


async def test_two_flags_of_a_new_person_open_one_case(world: World, replica: MovedClock) -> None:
    flags = [a_flag(caller=person(), **said) for said in (LOW, IMMINENT)]
    results = await at_once(world, replica, *(taking(world, flag) for flag in flags))
    assert results == [None, None]
    (case,) = await world.cases()
    assert (case["tier"], len(case["flags"])) == ("imminent", 2)
    assert len(world.emitted(CaseOpened)) == 1


async def test_a_flag_that_comes_while_the_case_is_closed_is_not_lost(world: World, replica: MovedClock) -> None:
    key = (await world.flag(caller=person(), **MODERATE))["_id"]
    await world.acknowledge(key)
    flag = a_flag(caller=person(), **MODERATE)
    taken, closed = await at_once(
        world,
        replica,
        taking(world, flag),
        lambda tx: commands.close(key, CaseOutcome.risk_reduced, "会商决定", SUPERVISOR, tx, world.office),
    )
    assert taken is None
    case = await world.case_of(flag.id)
    assert case["state"] == "open"
    assert case["acknowledgement"]["state"] == "waiting"
    assert isinstance(closed, NotAllowed) is (case["_id"] == key), "closed before it came, or not closed"


async def test_a_hospital_accepts_in_the_moment_in_which_its_time_runs_out(world: World, replica: MovedClock) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    referral = await world.refer(key)
    await world.answer(referral, ReferralState.received)
    world.database.ahead += timedelta(hours=3)
    due = world.blueprint.timers["referral"]
    accepted, _ = await at_once(
        world,
        replica,
        lambda tx: commands.answer_referral(
            referral["_id"], ReferralState.accepted, None, None, receiver(HOSPITAL), tx, world.office
        ),
        lambda tx: due(referral["_id"], tx),
    )
    now = await world.referral(key)
    won = not isinstance(accepted, Exception)
    assert (now["state"], now["organisation_id"]) == (("accepted", HOSPITAL) if won else ("sent", BACKUP))
    assert won or isinstance(accepted, (NotFound, NotAllowed))
    # Either the backup has to answer in time, or the outcome has to come in time.
    assert f"referral:{now['_id']}" in await world.timers()
    states = [moved.state for moved in world.emitted(ReferralMoved)]
    assert states[-1] == now["state"]


async def test_an_acknowledgement_in_the_moment_in_which_the_time_runs_out(world: World, replica: MovedClock) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    world.database.ahead += timedelta(minutes=16)
    due = world.blueprint.timers["acknowledgement"]
    taken, _ = await at_once(
        world, replica, lambda tx: commands.acknowledge(key, OFFICER, tx, world.office), lambda tx: due(key, tx)
    )
    assert not isinstance(taken, Exception)
    assert (await world.case(key))["acknowledgement"]["state"] == "acknowledged"
    assert f"acknowledgement:{key}" not in await world.timers()


async def test_a_raise_and_a_lowering_in_one_moment_leave_the_case_raised(world: World, replica: MovedClock) -> None:
    key = (await world.flag(caller=person(), **HIGH))["_id"]
    await world.do(lambda tx: commands.propose_lowering(key, Tier.low, "已面谈", SUPERVISOR, tx, world.office))
    raised, lowered = await at_once(
        world,
        replica,
        taking(world, a_flag(caller=person(), **IMMINENT)),
        lambda tx: commands.agree_to_lower(key, "同意", OTHER_SUPERVISOR, tx, world.office),
    )
    assert raised is None
    assert (await world.case(key))["tier"] == "imminent"
    assert len(world.emitted(RiskRaised)) == 1
    assert len(world.emitted(RiskLowered)) == (0 if isinstance(lowered, NotAllowed) else 1)
    entries = await world.audit_log()
    assert [entry["_id"] for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry["hash"] == entry_hash(entry) for entry in entries)

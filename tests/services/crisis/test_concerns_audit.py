"""The audit holds what the service flags itself, and what is no flag, against the log as well."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
from nats.aio.msg import Msg

from chassis.envelope import to_headers
from contracts.base import Event
from contracts.hotline import RiskFlagged
from tests.services.crisis.test_check_ins import missed
from tests.services.crisis.test_concerns import raised
from tests.services.crisis.world import World
from xinqiao.audit import Report, _flag_has_case


async def audited(world: World, *events: Event) -> Report:
    """What the audit says of a HOTLINE that holds these events."""
    report = Report()
    holders: dict[UUID, list[UUID]] = defaultdict(list)
    for case in await world.cases():
        for flag in case["flags"]:
            holders[flag["id"]].append(case["_id"])
    absences = {absence["_id"] for absence in await world.database.find("check_ins", {})}
    bodies: dict[str, str] = {}
    for number, event in enumerate(events, 1):
        message: Any = SimpleNamespace(
            subject=event.subject,
            headers=to_headers(event, "crisis", None),
            data=event.body(),
            metadata=SimpleNamespace(sequence=SimpleNamespace(stream=number)),
        )
        _flag_has_case(cast(Msg, message), set(), holders, absences, bodies, report)
    return report


async def test_a_concern_and_a_missed_greeting_are_held_against_the_log(
    world: World, client: httpx.AsyncClient
) -> None:
    await raised(world, client)
    misses = [missed(1), missed(2)]
    await world.take(*misses)
    flags = world.emitted(RiskFlagged)
    assert len(flags) == 2
    report = await audited(world, *misses, *flags)
    assert [one.kind for one in report.differences] == ["lost"], "the greeting's flag has not come back yet"
    await world.take(flags[1])
    assert (await audited(world, *misses, *flags)).differences == []


async def test_a_missed_greeting_that_nobody_counted_is_lost(world: World) -> None:
    report = await audited(world, missed(1))
    assert [one.kind for one in report.differences] == ["lost"]

"""A 24-hour line staffed at once."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta

from chassis.clock import LOCAL, local_day, now
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import commands, store
from services.registry.commands.consents import sign_pledge
from services.registry.commands.gate import Asked, may, shipped
from services.registry.domain.duty import Turn, overlapping
from services.registry.policy import Policies

LOOKED_AT = 10
"""So many times as many people are looked at for those who may."""


async def put_on_duty(
    database: Database,
    roster: str,
    division: str,
    count: int,
    days: int = 3,
    role: str = "responder",
    pledged_on: date | None = None,
    policies: Policies | None = None,
) -> list[uuid.UUID]:
    """Put `count` volunteers of a division on a 24-hour roster, from today's midnight in Asia/Shanghai for `days` days.

    They are the first who may take the role; `pledged_on` is the day on which all of them signed the pledge in force on
    paper, and is written down with it. The roster is made where it is not there. Who is on duty in that time already is
    left as is, so that doing it again changes nothing. Answers the volunteers on duty; raises `Refused` where the
    division has not as many.
    """
    policies = policies or shipped()
    known = await store.active_volunteers(database, division, count * LOOKED_AT)
    volunteers = await database.transact(lambda tx: _who_may(tx, known, count, role, pledged_on, policies))
    if len(volunteers) < count:
        detail = f"{division} has {len(volunteers)} active volunteers who may be {role}, not {count}"
        raise Refused("too_few", detail, "count")
    midnight = datetime.combine(local_day(now()), time(), LOCAL)
    turns = [
        Turn((midnight + timedelta(days=day)).astimezone(UTC), (midnight + timedelta(days=day + 1)).astimezone(UTC))
        for day in range(days)
    ]

    async def put(tx: Tx) -> None:
        document, _ = await commands.write_roster(tx, roster, commands.Roster(division, role, True))
        held = await store.duties_of(tx, volunteers, turns[-1].ends_at, turns[0].starts_at)
        busy: dict[uuid.UUID, list[Turn]] = {}
        for duty in held:
            busy.setdefault(duty["volunteer_id"], []).append(Turn(duty["starts_at"], duty["ends_at"]))
        wanted = [
            (volunteer, turn)
            for volunteer in volunteers
            for turn in turns
            if overlapping([*busy.get(volunteer, []), turn]) is None
        ]
        await commands.add_duties(tx, document, wanted)

    await database.transact(put)
    return volunteers


async def _who_may(
    tx: Tx, known: list[Document], count: int, role: str, pledged_on: date | None, policies: Policies
) -> list[uuid.UUID]:
    version, asked = policies.people.at(tx.now).pledge.version, Asked(local_day(tx.now), role=role)
    volunteers: list[uuid.UUID] = []
    for row in known:
        person = await store.volunteer(tx, row["_id"])
        if person is None or len(volunteers) == count:
            continue
        lacking = {reason.code for reason in (await may(tx, person, asked, policies)).reasons}
        if pledged_on is not None and lacking == {"pledge_missing"}:
            await sign_pledge(tx, person, version, pledged_on, policies)
            lacking = set()
        if not lacking:
            volunteers.append(person["_id"])
    return volunteers

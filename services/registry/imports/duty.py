"""A 24-hour line staffed at once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta

from chassis.clock import LOCAL, local_day, now
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Tx
from services.registry import commands, store
from services.registry.domain.duty import Turn, overlapping


async def put_on_duty(
    database: Database, roster: str, division: str, count: int, days: int = 3, role: str = "responder"
) -> list[uuid.UUID]:
    """Put `count` volunteers of a division on a 24-hour roster, from today's midnight in Asia/Shanghai for `days` days.

    The roster is made where it is not there. Who is on duty in that time already is left as is, so that doing it again
    changes nothing. Answers the volunteers on duty; raises `Refused` where the division has not as many.
    """
    volunteers = [row["_id"] for row in await store.active_volunteers(database, division, count)]
    if len(volunteers) < count:
        raise Refused("too_few", f"{division} has {len(volunteers)} active volunteers, not {count}", "count")
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

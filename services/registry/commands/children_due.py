"""What happens to records of children with nobody's hand in it.

Who is of age leaves, what ended is erased, and tasks are taken back from those who may not help any more. A timer
looks each day, and when the service starts.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta

from chassis.clock import LOCAL, local_day
from chassis.tx import Tx
from services.registry.commands.children import erase_child, move_child, of_age
from services.registry.commands.children_tasks import take_back_unfit
from services.registry.domain.children import KEPT_LONG_ENOUGH, OF_AGE, State, key_of
from services.registry.keys import Keys
from services.registry.store import children_database as kept

TIMER = "children"
AT_ONCE = 100
"""Records in one transaction of the daily look."""
NOBODY = ""
TASKS = "tasks:"
"""Before the last task of the portion before, once the records are done with."""


async def arm(tx: Tx) -> None:
    """Look at the start of the service, and each day from then on."""
    tx.set_timer(TIMER, "", tx.now)


async def children_due(key: str, tx: Tx, keys: Keys) -> None:
    """End the records of those who came of age, erase what ended long enough ago, then look at the tasks.

    A portion at a time: `key` is the last record of the portion before, empty at first. The birthday is sealed, and
    the year alone is not.
    """
    today = local_day(tx.now)
    if key.startswith(TASKS):
        await _tasks_due(tx, keys, uuid.UUID(key.removeprefix(TASKS)))
        return
    portion = await kept.growing_up(tx, today.year, uuid.UUID(key) if key else None, AT_ONCE)
    await keys.persons.load(tx, [key_of(row["_id"]) for row in portion])
    for record in portion:
        if of_age(tx, keys.policies, await keys.persons.open(tx, key_of(record["_id"]), record["sealed"])):
            await move_child(tx, keys, record, State.ended, OF_AGE, NOBODY)
    if portion:
        tx.set_timer(TIMER, str(portion[-1]["_id"]), tx.now)
        return
    days = keys.policies.children.at(tx.now).retention.keep_ended_days
    old = await kept.ended_by(tx, (today - timedelta(days=days)).isoformat(), AT_ONCE)
    for record in old:
        await erase_child(tx, keys, record, KEPT_LONG_ENOUGH, NOBODY)
    if old:
        tx.set_timer(TIMER, "", tx.now)
        return
    await _tasks_due(tx, keys, None)


async def _tasks_due(tx: Tx, keys: Keys, after: uuid.UUID | None) -> None:
    """Take back the tasks of those who may not help any more: a query ran out, a pledge has to be signed anew."""
    today = local_day(tx.now)
    portion = await kept.tasks_under_way(tx, today.isoformat(), after, AT_ONCE)
    for volunteer in dict.fromkeys(task["volunteer_id"] for task in portion):
        await take_back_unfit(tx, volunteer, keys.policies, NOBODY)
    if portion:
        tx.set_timer(TIMER, f"{TASKS}{portion[-1]['_id']}", tx.now)
        return
    following = datetime.combine(today + timedelta(days=1), time(0, 10), LOCAL)
    tx.set_timer(TIMER, "", following.astimezone(UTC))

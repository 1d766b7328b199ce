"""What follows for a person when a paper, a consent or a birth date changed: on the roster, and in what is told.

Two things change with nobody's hand in it: a minor comes of age, and a new version of a policy comes into force (a
pledge that has to be signed anew, a role that asks for more). A timer looks for both each day, and when the service
starts, since a policy comes with a start. A new rule takes nobody off a turn that is running: the line would be empty
with nobody told before.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta

from chassis.clock import LOCAL, local_day
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.duty import withdraw_unfit
from services.registry.commands.volunteers import put_volunteer, stands
from services.registry.policy import Policies
from services.registry.store import people as people_kept
from services.registry.store import rosters as rosters_kept

TIMER = "standing"
AT_ONCE = 100
"""People in one transaction of the daily look."""


async def look_again(
    tx: Tx, person: uuid.UUID, policies: Policies, *, papers: bool = True, running: bool = True
) -> Document | None:
    """Look at a person anew, after what was written in this transaction; answers the entry that stands for the person.

    Works out afresh what the entry waits for and whether it is active, withdraws the turns to come that the gate does
    not let the person take any more, each with its event, and tells the person again where that may be told
    differently: always for `papers` (a certificate or a training changed), else where the entry itself changed.
    Without `running` a turn that began stays.
    Every caller passes the policies in force. None for who is erased or not there. A turn that is made in another
    transaction at the same moment meets this one at the person's document, and one of the two is run again.
    """
    found = await store.volunteer(tx, person)
    if found is None:
        return None
    found = await store.survivor(tx, found)
    if found["erased"]:
        return None
    today = local_day(tx.now)
    until = found["minor_until"]
    grown = until is not None and until <= today.isoformat()
    if papers or grown or not stands(found, today):
        document = {**found, "minor_until": None if grown else until, "revision": found["revision"] + 1}
        found = await put_volunteer(tx, {**document, "changed_at": tx.now}, found)
    await withdraw_unfit(tx, found, policies, running=running)
    return found


async def arm(tx: Tx) -> None:
    """Look at the start of the service, and each day from then on."""
    tx.set_timer(TIMER, "", tx.now)


async def standing_due(key: str, tx: Tx, policies: Policies) -> None:
    """Look again at who came of age, then at everybody with turns to come; a portion at a time, else the next day.

    `key` is the last person of the portion before, empty at first.
    """
    today = local_day(tx.now)
    grown = [] if key else await people_kept.of_age(tx, today.isoformat(), AT_ONCE)
    portion = grown or await rosters_kept.on_duty_from(tx, tx.now, uuid.UUID(key) if key else None, AT_ONCE)
    for ident in portion:
        await look_again(tx, ident, policies, papers=False, running=False)
    if grown:
        tx.set_timer(TIMER, key, tx.now)
    elif portion:
        tx.set_timer(TIMER, str(portion[-1]), tx.now)
    else:
        following = datetime.combine(today + timedelta(days=1), time(0, 5), LOCAL)
        tx.set_timer(TIMER, "", following.astimezone(UTC))

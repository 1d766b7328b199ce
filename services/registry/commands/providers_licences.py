"""A licence of practice runs out: on the day after its last one the provider is suspended, and offers nothing.

A timer looks each day, and when the service starts.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta

from chassis.clock import LOCAL, local_day
from chassis.tx import Tx
from services.registry.commands.providers import move_provider
from services.registry.domain.providers_kinds import flaw_in_licence
from services.registry.domain.providers_status import State
from services.registry.policy import Policies
from services.registry.store import teams as kept

TIMER = "licences"
AT_ONCE = 100
REASON = "licence expired"


async def arm(tx: Tx) -> None:
    """Look at the start of the service, and each day from then on."""
    tx.set_timer(TIMER, "", tx.now)


async def licences_due(key: str, tx: Tx, policies: Policies) -> None:
    """Suspend who was verified and needs a licence that has run out; a portion at a time, else the next day.

    `key` is the last provider of the portion before, empty at first.
    """
    today, policy = local_day(tx.now), policies.providers.at(tx.now)
    found = await kept.licences_over(tx, today.isoformat(), uuid.UUID(key) if key else None, AT_ONCE)
    for provider in found:
        rule = policy.of(provider["kind"])
        if rule is not None and flaw_in_licence(rule, provider.get("licence"), today.isoformat()):
            move_provider(tx, provider, State.suspended, REASON, "")
    if len(found) == AT_ONCE:
        tx.set_timer(TIMER, str(found[-1]["_id"]), tx.now)
    else:
        following = datetime.combine(today + timedelta(days=1), time(0, 5), LOCAL)
        tx.set_timer(TIMER, "", following.astimezone(UTC))

"""What reporting does with each event."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.tx import Tx
from contracts.base import Event
from contracts.registry import DivisionsListed
from services.reporting import store
from services.reporting.domain import amounts
from services.reporting.domain.counting import keys_of


async def load_generation(events: Sequence[Event], tx: Tx) -> None:
    """Read once for the group where its counts go."""
    await store.load_generation(tx)


async def count(event: Event, tx: Tx) -> None:
    """Add the event to its division's counters and to those of every division above."""
    await store.add(tx, keys_of(event), amounts(event))


async def load_places(events: Sequence[DivisionsListed], tx: Tx) -> None:
    """Read once for the group what is known of the divisions it names."""
    await store.load_places(tx, [division.code for event in events for division in event.divisions])


async def note_divisions(listed: DivisionsListed, tx: Tx) -> None:
    """Keep the names. A division that a later edition leaves out keeps its name, since its counts stay."""
    names = {division.code: division.name for division in listed.divisions}
    await store.name_places(tx, names, listed.occurred_at)

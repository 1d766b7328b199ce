"""What the registry does with what others tell."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.tx import Tx
from contracts.matching import OfferAccepted
from services.registry.commands import children_due, providers_licences, standing
from services.registry.commands.service_records_assignments import open_assignment


async def load_assignments(events: Sequence[OfferAccepted], tx: Tx) -> None:
    await tx.load("service_assignments", [event.takes_over or event.offer_id for event in events])


async def await_hours(event: OfferAccepted, tx: Tx) -> None:
    """A volunteer took a call: it waits for its hours in the organiser's list."""
    await open_assignment(event, tx)


async def arm(tx: Tx) -> None:
    """What is looked at each day is looked at when the service starts, too."""
    await standing.arm(tx)
    await children_due.arm(tx)
    await providers_licences.arm(tx)

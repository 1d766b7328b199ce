"""What is personal outside of cases goes at its time as well: a sweep looks every day."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.tx import Tx
from services.crisis import store
from services.crisis.domain.programmes import State
from services.crisis.office import Office

TIMER = "registers"
KEY = "daily"
A_DAY = timedelta(days=1)
AT_ONCE = 500

REGISTERS: dict[str, str] = {
    "concerns": "raised_at",
    "screening_contacts": "at",
    "incident_contacts": "at",
    "programme_contacts": "at",
    "group_meetings": "at",
}
"""Where, and the field that says since when."""
OWN_KEYS = frozenset({"concerns", "group_meetings"})
"""What is sealed under a key of the document's own, which has no other use."""


async def arm(tx: Tx) -> None:
    """Look once a day, beginning when the service starts."""
    if await tx.get("timers", f"{TIMER}:{KEY}") is None:
        tx.set_timer(TIMER, KEY, tx.now + A_DAY)


async def registers_due(key: str, tx: Tx, office: Office) -> None:
    """Erase what has been kept long enough, a portion at a time; the next portion at once, else the next day."""
    before = tx.now - timedelta(days=office.records.at(tx.now).registers.personal_days)
    erased = 0
    for collection, field in REGISTERS.items():
        for document in await store.records.sealed_before(tx, collection, field, before, AT_ONCE - erased):
            if collection == "programme_contacts" and await _runs(document["_id"], tx):
                continue
            if collection in OWN_KEYS:
                await office.keys.erase(tx, document["_id"])
            tx.put(collection, {**document, "sealed": None})
            erased += 1
        if erased >= AT_ONCE:
            break
    if erased:
        tx.record(actor="policy", action="registers_stripped", subject=KEY, reason="registers", documents=erased)
    tx.set_timer(TIMER, key, tx.now + (timedelta(seconds=1) if erased >= AT_ONCE else A_DAY))


async def _runs(programme_id: UUID, tx: Tx) -> bool:
    """Somebody still calls the person."""
    programme = await tx.get("programmes", programme_id)
    return programme is not None and programme["state"] != State.ended

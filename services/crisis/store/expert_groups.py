"""Expert groups and their call-outs.

expert_groups      one a division, under its code: the members, by subject, with order, specialities and certificate
expert_call_outs   one a call-out: why, how many are wanted, the list as it was, every call with its answer
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.domain.incidents import chain_of
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "expert_groups": [],
    "expert_call_outs": [index("division", "-_id"), index("calls.subject", "-_id"), index("incident_id")],
}


async def the_call_out(tx: Tx, call_out_id: UUID) -> Document:
    """The call-out; raises `NotFound`."""
    found = await tx.get("expert_call_outs", call_out_id)
    if found is None:
        raise NotFound("there is no such call-out")
    return found


async def group_for(tx: Tx, area: str) -> Document | None:
    """The expert group of an area: its own, or else that of the nearest division above."""
    codes = chain_of(area)
    await tx.load("expert_groups", codes)
    for code in codes:
        group = await tx.get("expert_groups", code)
        if group is not None:
            return group
    return None


async def expert_groups_of(database: Database, division: str, limit: int) -> list[Document]:
    """The groups of a division and below it."""
    return await database.find("expert_groups", {"_id": under(division)}, sort=[("_id", 1)], limit=limit)


async def call_outs_of(database: Database, division: str, limit: int) -> list[Document]:
    """The call-outs of a division, the latest first."""
    return await database.find("expert_call_outs", {"division": under(division)}, sort=[("_id", -1)], limit=limit)


async def call_outs_to(database: Database, subject: str, limit: int) -> list[Document]:
    """The call-outs in which a person was called, the latest first."""
    return await database.find("expert_call_outs", {"calls.subject": subject}, sort=[("_id", -1)], limit=limit)


async def call_outs_of_incident(tx: Tx, incident_id: UUID) -> list[Document]:
    """At most one an area."""
    return await tx.find("expert_call_outs", {"incident_id": incident_id}, sort=[("_id", 1)], limit=50)

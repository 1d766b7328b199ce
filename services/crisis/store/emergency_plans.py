"""Emergency plans and what is attached to them.

emergency_plans    one a version: division, kind, state, sections, attachments (without content), batches, history
plan_heads         `<division>:<kind>` -> the approved plan, and how many versions there were
plan_attachments   one a file: media type, sha256, content; at most a few MiB, bounded by the policy
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.crisis import EmergencyKind
from services.crisis.domain.emergency_plans import PlanState
from services.crisis.domain.incidents import chain_of
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "emergency_plans": [index("division", "kind", "version"), index("state", "division")],
    "plan_heads": [],
    "plan_attachments": [index("plan_id")],
}


async def the_emergency_plan(tx: Tx, plan_id: UUID) -> Document:
    """The plan; raises `NotFound`."""
    plan = await tx.get("emergency_plans", plan_id)
    if plan is None:
        raise NotFound("there is no such plan")
    return plan


async def head_of(tx: Tx, division: str, kind: str) -> Document:
    """Which plan of a division and kind is in force."""
    key = f"{division}:{kind}"
    return await tx.get("plan_heads", key) or {
        "_id": key,
        "division": division,
        "kind": kind,
        "plan_id": None,
        "versions": 0,
    }


async def plan_in_force(tx: Tx, area: str, kind: str) -> Document | None:
    """The approved plan for an area: its own, or else that of the nearest division above."""
    keys = [f"{division}:{kind}" for division in chain_of(area)]
    await tx.load("plan_heads", keys)
    for key in keys:
        head = await tx.get("plan_heads", key)
        if head is not None and head["plan_id"] is not None:
            return await tx.get("emergency_plans", head["plan_id"])
    return None


async def emergency_plans_of(
    database: Database, division: str, kind: EmergencyKind | None, state: PlanState | None, limit: int
) -> list[Document]:
    """The plans of a division and below it, and the approved ones above it; by division, kind and version."""
    above = [code for code in chain_of(division) if code != division]
    query: Document = {
        "$or": [{"division": under(division)}, {"division": {"$in": above}, "state": PlanState.approved.value}]
    }
    if kind is not None:
        query["kind"] = kind.value
    if state is not None:
        query["state"] = state.value
    order = [("division", 1), ("kind", 1), ("version", -1), ("_id", 1)]
    return await database.find("emergency_plans", query, sort=order, limit=limit)


async def plan_gaps(database: Database, division: str, limit: int) -> list[Document]:
    """The counties of a division that no approved plan covers, their own or one from above, with the kinds."""
    above = [f"{code}:{kind.value}" for code in chain_of(division) for kind in EmergencyKind]
    below: Document = {"$gte": division, "$lt": division + ";"} if division else {"$exists": True}
    query: Document = {"$or": [{"_id": below}, {"_id": {"$in": above}}], "plan_id": {"$ne": None}}
    heads = await database.find("plan_heads", query)
    covered = {(head["division"], head["kind"]) for head in heads}
    gaps: list[Document] = []
    counties = {"$regex": "^[0-9]{6}$"}
    async for county in database.stream("divisions", {"_id": under(division) | counties}, sort=[("_id", 1)]):
        chain = chain_of(county["_id"])
        kinds = [kind.value for kind in EmergencyKind if not any((code, kind.value) in covered for code in chain)]
        if kinds:
            gaps.append({"division": county["_id"], "kinds": kinds})
        if len(gaps) >= limit:
            break
    return gaps

"""The audit log read back: by auditors over HTTP, and whether its chain of hashes holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.tx import ZERO, entry_hash


async def broken_links(database: Database) -> list[str]:
    """What is wrong with the chain, in words; empty where every entry follows from the one before."""
    problems: list[str] = []
    previous, sequence = ZERO, 0
    async for entry in database.stream("audit_log", {}, sort=[("_id", 1)]):
        sequence += 1
        if entry["_id"] != sequence:
            problems.append(f"entry {sequence} is missing")
            sequence = entry["_id"]
        if entry["previous"] != previous:
            problems.append(f"entry {entry['_id']} does not follow from the one before")
        if entry_hash(entry) != entry["hash"]:
            problems.append(f"entry {entry['_id']} was changed")
        previous = entry["hash"]
    head = await database.get("audit_head", "head")
    if head is not None and (head["sequence"], head["hash"]) != (sequence, previous):
        problems.append(f"entries after {sequence} are missing")
    return problems


def routes(app: FastAPI, database: Database) -> None:
    """``GET /v1/audit-log``, in every service."""

    @app.get("/v1/audit-log", tags=["audit"])
    async def audit_log(
        caller: Annotated[Caller, Depends(caller_with("auditor"))],
        after: Annotated[int, Query(ge=0, lt=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> dict[str, Any]:
        """Entries of the caller's division, each with the hash of the one before in the whole log."""
        query: dict[str, Any] = {"_id": {"$gt": after}}
        if caller.division:
            query["division"] = {"$gte": caller.division, "$lt": caller.division + ":"}
        return {"entries": await database.find("audit_log", query, sort=[("_id", 1)], limit=limit)}

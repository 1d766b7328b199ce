"""The audit log read back: whether its chain of hashes holds."""

from __future__ import annotations

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

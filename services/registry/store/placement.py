"""The talent inventory of a district by qualification: the query."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.tx import Document, Tx
from services.registry.store.core import within
from services.registry.store.people import whole
from services.registry.store.qualifications import asked_state

MOST_HOLDERS = 20_000


async def suitable(
    tx: Tx,
    division: str,
    codes: Sequence[int],
    kinds: Sequence[str],
    without: Sequence[uuid.UUID],
    role: str | None,
    day: str,
    after: uuid.UUID | None,
    limit: int,
) -> list[Document]:
    """Active people of a division whom the inventory lists under one of the codes, or who hold one of the kinds.

    `day` is the ISO day on which the certificate is valid; who holds one under an entry that was merged is found
    under the entry that stands. In the order of the ids.
    """
    held = {**within(division), "kind": {"$in": list(kinds)}, **asked_state("verified", day)}
    holders = {row["person_id"] for row in await tx.find("qualifications", held, limit=MOST_HOLDERS)}
    merged = await tx.find("volunteers", {"_id": {"$in": list(holders)}, "merged_into": {"$ne": None}})
    holders |= {row["merged_into"] for row in merged}
    query: Document = {
        **within(division),
        "active": True,
        "merged_into": None,
        "$or": [{"qualifications": {"$in": list(codes)}}, {"_id": {"$in": list(holders)}}],
        "_id": {"$nin": list(without), **({"$gt": after} if after else {})},
        **({"roles": role} if role else {}),
    }
    return [whole(row) for row in await tx.find("volunteers", query, sort=[("_id", 1)], limit=limit)]

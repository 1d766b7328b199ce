"""The people of projects.

`projects`: `_id` (the project's id in every service), `revision`, `division`, `organisation_id` (who carries it),
`role` and `service` (what the gate is asked), `needed`, `supports` (what its people need), `recruitment_ids`,
`course_ids`, `people` (`person_id`, `by`, `since`: named without a call), `left` (`person_id`, `by`, `on`), `reported`
(the counts told last) and `reports`. Accepted applicants of its calls are in it without being written down again.
`support_records` with the project's id are what its people were given.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from chassis.db import index
from chassis.tx import Document, Tx

COLLECTIONS: dict[str, list[Any]] = {
    "projects": [index("division", "_id")],
    "support_records": [index("project_id", sparse=True)],
}
MOST_PEOPLE = 2000


async def project(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("projects", ident)


async def accepted(tx: Tx, calls: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Who was taken in these calls."""
    query = {"recruitment_id": {"$in": list(calls)}, "state": "accepted"}
    return [row["volunteer_id"] for row in await tx.find("applications", query, limit=MOST_PEOPLE)]


async def supports(tx: Tx, ident: uuid.UUID) -> list[Document]:
    return await tx.find("support_records", {"project_id": ident}, sort=[("_id", 1)], limit=10 * MOST_PEOPLE)


async def incentives(tx: Tx, people: Sequence[uuid.UUID]) -> Counter[uuid.UUID]:
    """How often each of these people had something of the catalogue of preferential treatment."""
    rows = await tx.find("redemptions", {"volunteer_id": {"$in": list(people)}}, limit=10 * MOST_PEOPLE)
    return Counter(row["volunteer_id"] for row in rows)

"""The papers of a person that lie where the person is registered: certificates, trainings, distinctions and the like.

Each of these documents keeps the person's `division` beside the person's id, so that lists need no join. Records of
service, complaints and incentives are not among them: theirs is the division in which they came to be.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.tx import Document, Tx

PAPERS = {
    "qualifications": "person_id",
    "insurances": "person_id",
    "support_records": "person_id",
    "attendances": "person_id",
    "record_checks": "person_id",
    "stars": "volunteer_id",
    "honours": "volunteer_id",
}
"""Collections, each with the field that has the person's id."""


async def papers_elsewhere(tx: Tx, entries: Sequence[uuid.UUID], division: str) -> list[tuple[str, Document]]:
    """The papers of a person's entries that lie in another division, each with its collection."""
    found: list[tuple[str, Document]] = []
    for collection, field in PAPERS.items():
        rows = await tx.find(collection, {field: {"$in": list(entries)}, "division": {"$ne": division}})
        found += [(collection, row) for row in rows]
    return found

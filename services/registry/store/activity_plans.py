"""Plans of activities, and what teams of experts do for volunteer organisations: the queries.

`activity_plans`: `_id` (UUID, chosen by the client), `revision`, what `api.activity_plans_forms.PlanIn` tells, `day`
(the local ISO day on which it begins), `division`, `organisation_kind`, `organisation_division` (of the unit, for the
supervisor's list), `state`, `log` (`state`, `by`, `at`, `reason`), `authors` (the pseudonyms of who wrote or submitted
it), `signed` (`by`, `at`, `relation_id`, `supervisor`), `held` (`starts_at`, `ends_at`, `participants`, `by`, `at`)
and `record_ids`, absent while there are none: a record of service belongs to one activity.
`tutorings`: `_id`, `revision`, `division` (the team's), what `api.expert_teams.TutoringIn` tells.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "activity_plans": [
        index("division", "day"),
        index("organisation_id", "day"),
        index("state", "organisation_division", "day"),
        index("state", "organisation_id", "day"),
        index("record_ids", unique=True, sparse=True),
    ],
    "tutorings": [
        index("team_id"),
        index("division", "since"),
        index("organisation_id"),
        index("tutored_team_id"),
        index("person_id"),
    ],
}
MANY = 1000


async def plan(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("activity_plans", ident)


async def tutoring(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("tutorings", ident)


async def done_by(tx: Tx, collection: str, entries: Sequence[uuid.UUID], day: str) -> list[Document]:
    """The relations or the tutorings that name one of these people and do not end before an ISO day."""
    runs: list[Document] = [{"until": None}, {"until": {"$gte": day}}]
    query = {"person_id": {"$in": list(entries)}, "$or": runs}
    return await tx.find(collection, query, sort=[("_id", 1)])


async def relations_over(tx: Tx, organisation: Document, kind: str) -> list[Document]:
    """The relations of a kind by which an organisation is guided: its own, and those of its kind in what it lies in."""
    code = organisation["division"]
    above = [code[:digits] for digits in (2, 4, 6, 9, 12) if digits <= len(code)]
    of_kind = {"guided_id": None, "guided_kind": organisation["kind"], "division": {"$in": above}}
    query = {"kind": kind, "$or": [{"guided_id": organisation["_id"]}, of_kind]}
    return await tx.find("relations", query, sort=[("_id", 1)], limit=MANY)


async def relations_naming(
    tx: Tx, kind: str, guide: uuid.UUID | None, entries: Sequence[uuid.UUID], day: str
) -> list[Document]:
    """The relations of a kind in force on a day that name one of these entries, or the guiding unit and nobody."""
    who: list[Document] = [{"person_id": {"$in": list(entries)}}] if entries else []
    if guide is not None:
        who.append({"guide_id": guide, "person_id": None})
    if not who:
        return []
    in_force = {"since": {"$lte": day}, "$and": [{"$or": [{"until": None}, {"until": {"$gte": day}}]}]}
    return await tx.find("relations", {"kind": kind, **in_force, "$or": who}, sort=[("_id", 1)], limit=MANY)


def waiting_for(relations: Iterable[Document], subject: str, entries: Sequence[uuid.UUID]) -> Document:
    """What asks for the plans that these relations let somebody sign off, without the own ones."""
    units: list[Document] = []
    for one in relations:
        if one["guided_id"] is not None:
            units.append({"organisation_id": one["guided_id"]})
        else:
            units.append({"organisation_kind": one["guided_kind"], **within(one["division"], "organisation_division")})
    own = {"authors": {"$ne": subject}, "leader_id": {"$nin": list(entries)}}
    return {"state": "submitted", "$and": [{"$or": units}], **own}


async def records(tx: Tx, idents: Sequence[uuid.UUID]) -> list[Document]:
    """These records of service, in the order of their ids."""
    if not idents:
        return []
    return await tx.find("service_records", {"_id": {"$in": list(idents)}}, sort=[("_id", 1)])


async def linked_records(database: Database, idents: Sequence[uuid.UUID]) -> list[Document]:
    """The records that stand for these, corrections followed to their end."""
    found: dict[uuid.UUID, Document] = {}
    wanted = set(idents)
    while wanted:
        rows = await database.find("service_records", {"_id": {"$in": list(wanted)}}, limit=len(wanted))
        wanted = {row["corrected_by"] for row in rows if row["corrected_by"] is not None} - found.keys()
        found.update({row["_id"]: row for row in rows})
    return [row for row in found.values() if row["state"] == "counted"]

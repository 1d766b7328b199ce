"""Capacity surveys and what units answered.

`capacity_surveys`: `_id` (UUID, chosen by the client), `revision`, `division`, `title`, `version` (of the forms),
`forms`, `units` (organisations), `opens_on`, `due_on`, `closes_on` (ISO days), `by`, and `answered`, how many forms
were answered, absent while there is none: a first answer and a change of who is asked meet at this document.
`capacity_answers`: `_id` (`survey:organisation:form`), `survey_id`, `organisation_id`, `division` (the unit's), `form`,
`revision`, `answers`, `first_on` and `on` (ISO days), `late` (whether the first came after the due day), `by`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import portions

COLLECTIONS: dict[str, list[Any]] = {
    "capacity_surveys": [index("division", "_id"), index("units", "_id")],
    "capacity_answers": [index("survey_id", "organisation_id")],
}


def key_of(survey: uuid.UUID, organisation: uuid.UUID, form: str) -> str:
    return f"{survey}:{organisation}:{form}"


async def survey(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("capacity_surveys", ident)


async def surveys_asking(
    database: Database, unit: uuid.UUID, closing: str, after: uuid.UUID | None, limit: int
) -> list[Document]:
    """The surveys that ask a unit and are not closed before an ISO day, in the order of their ids."""
    query: Document = {"units": unit, "closes_on": {"$gte": closing}, **({"_id": {"$gt": after}} if after else {})}
    return await database.find("capacity_surveys", query, sort=[("_id", 1)], limit=limit)


async def answers_of(database: Database, surveys: Sequence[uuid.UUID], unit: uuid.UUID) -> list[Document]:
    """What a unit answered to these surveys."""
    query = {"survey_id": {"$in": list(surveys)}, "organisation_id": unit}
    return await database.find("capacity_answers", query, sort=[("_id", 1)])


async def answer(tx: Tx, survey: uuid.UUID, organisation: uuid.UUID, form: str) -> Document | None:
    return await tx.get("capacity_answers", key_of(survey, organisation, form))


async def answered_in(tx: Tx, survey: uuid.UUID, units: Sequence[uuid.UUID]) -> list[Document]:
    """What these units answered."""
    return await tx.find("capacity_answers", {"survey_id": survey, "organisation_id": {"$in": list(units)}})


async def answers(database: Database, survey: uuid.UUID) -> list[Document]:
    """All answers of a survey; at most as many as it has units and forms."""
    return await database.find("capacity_answers", {"survey_id": survey}, sort=[("_id", 1)])


async def organisations(database: Database, idents: Sequence[uuid.UUID]) -> dict[uuid.UUID, Document]:
    found: dict[uuid.UUID, Document] = {}
    for portion in portions(idents):
        rows = await database.find("organisations", {"_id": {"$in": portion}})
        found.update({row["_id"]: row for row in rows})
    return found

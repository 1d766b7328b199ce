"""Instruments as they are taken for a case."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field, Strict, StringConstraints

from chassis.tx import Document
from contracts.base import Name
from contracts.hotline import ItemId
from services.crisis.api.desk import Body, Desk, Reader, view
from services.crisis.commands.assessments import Taken, put_assessment, read_assessments, told

Given = (
    Annotated[int, Strict(), Field(ge=-1000, le=100_000)]
    | Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,16}$|^[0-9]{2}:[0-9]{2}$")]
)
Answers = Annotated[dict[ItemId, Given], Field(max_length=200)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=32)]


class PutAssessment(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "instrument": "phq-9",
                    "variant": "standard",
                    "manual": "elderly-care-action-handbook",
                    "answers": {"q1": 1, "q2": 2, "q3": 0, "q9": 1, "q8": "refused"},
                }
            ]
        },
    )

    instrument: Name
    variant: Name | None = None
    version: Version | None = None
    manual: Name | None = Field(None, description="The manual that it was used by; the first of the instrument's.")
    answers: Answers = Field(
        description="By item id: a number, `yes`, `no`, a time of day, or `unknown`, `refused`, `not_asked`."
    )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/cases/{case_id}/assessments/{assessment_id}", tags=["assessments"])
    async def put(case_id: UUID, assessment_id: UUID, body: PutAssessment, caller: Reader) -> dict[str, Any]:
        """Keep the answers so far under an id that the client chose; more may follow until none is missing.

        A result raises the case and never lowers it. 409: the case is closed, the id was used for another assessment,
        or this one is complete. 422: an item or an answer that the instrument does not have.
        """
        taken = Taken(body.instrument, body.variant, body.version, body.answers, body.manual)
        document = await desk.database.transact(
            lambda tx: put_assessment(case_id, assessment_id, taken, caller, tx, desk.office)
        )
        return page(document)

    @router.get("/cases/{case_id}/assessments", tags=["assessments"])
    async def list_assessments(case_id: UUID, caller: Reader) -> dict[str, Any]:
        """The assessments of a case, the latest first, each with the versions that it was made under; a responder sees
        those that they took. Each reading is written down.
        """
        found = await desk.database.transact(lambda tx: read_assessments(case_id, caller, tx, desk.office))
        return {"assessments": [page(document) for document in found]}

    def page(document: Document) -> dict[str, Any]:
        return view(document) | told(document, desk.office)

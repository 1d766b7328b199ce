"""Referrals as FHIR R4: out as a Bundle, in as a Task or as a hospital's Bundle. Errors are RFC 9457 problems whose
`field` is the element's path.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic_core import from_json

from chassis.auth import Caller, caller_with
from chassis.errors import Refused
from services.crisis import commands
from services.crisis.api.desk import Desk, Receiver, view
from services.crisis.commands import fhir
from services.crisis.commands.referrals_incoming import shown
from services.crisis.domain.fhir import BSER
from services.crisis.domain.fhir_inbound import QUESTIONS

FHIR = "application/fhir+json"
Either = Annotated[Caller, Depends(caller_with("receiver", *commands.OFFICERS))]

TASK = {
    "resourceType": "Task",
    "status": "in-progress",
    "intent": "order",
    "businessStatus": {"coding": [{"system": BSER, "code": "5.1.1"}]},
    "executionPeriod": {"start": "2026-12-01T09:00:00+08:00"},
}
FORM = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:00000000-0000-7000-8000-00000000077c",
            "resource": {
                "resourceType": "ServiceRequest",
                "status": "active",
                "intent": "order",
                "subject": {"reference": "#patient"},
                "locationCode": [{"coding": [{"system": "urn:xinqiao:division", "code": "370812"}]}],
                "reasonCode": [{"coding": [{"system": QUESTIONS, "code": "plan_within_72_hours.yes"}]}],
            },
        }
    ],
}


def _takes(example: dict[str, Any]) -> dict[str, Any]:
    content = {FHIR: {"schema": {"type": "object"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def _document(request: Request) -> Any:
    try:
        return from_json(await request.body())
    except ValueError as error:
        raise Refused("malformed_json", f"the body is not JSON: {error}", "body") from error


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/referrals/{referral_id}/fhir", tags=["fhir"])
    async def show(referral_id: UUID, caller: Either) -> JSONResponse:
        """The referral as a Bundle of ServiceRequest and Task, the person by a pseudonym of this institution alone."""
        bundle = await desk.database.transact(lambda tx: fhir.show(referral_id, caller, tx, desk.office))
        return JSONResponse(bundle, media_type=FHIR)

    @router.put("/referrals/{referral_id}/fhir", tags=["fhir"], openapi_extra=_takes(TASK))
    async def take_task(referral_id: UUID, request: Request, caller: Receiver) -> JSONResponse:
        """A receiver's system tells with a Task how far it is: the same rules as for an answer by hand."""
        document = await _document(request)
        bundle = await desk.database.transact(lambda tx: fhir.take_task(referral_id, document, caller, tx, desk.office))
        return JSONResponse(bundle, media_type=FHIR)

    @router.post("/fhir/referrals", tags=["fhir"], openapi_extra=_takes(FORM))
    async def take_bundle(request: Request, caller: Receiver) -> JSONResponse:
        """A hospital's system refers to us with a Bundle of ServiceRequest and Patient: as `/referrals/incoming`."""
        document = await _document(request)
        taken = await desk.database.transact(lambda tx: fhir.take_bundle(document, caller, tx, desk.office))
        return JSONResponse(jsonable_encoder(view(shown(taken))))

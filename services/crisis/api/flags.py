"""The hotlines' door, and what became of a flag."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic_core import from_json

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound, Refused
from contracts.hotline import CheckInMissed, PostPublished, RiskFlagged
from services.crisis import commands, store
from services.crisis.api.desk import Desk, HotlineSystem
from services.crisis.intake import Told, accept_event


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    async def accept(request: Request, caller: Caller, *kinds: type[Told]) -> dict[str, Any]:
        try:
            document = from_json(await request.body())
        except ValueError as error:
            raise Refused("malformed_json", f"the body is not JSON: {error}", "body") from error
        traceparent = request.headers.get("traceparent")
        return await accept_event(document, kinds, traceparent, caller, desk.bus, desk.database, desk.office.policies)

    @router.post("/flags", status_code=202, tags=["hotline"])
    async def post_flag(request: Request, caller: HotlineSystem) -> dict[str, Any]:
        """Take one `hotline.risk_flagged`, a CloudEvent in structured mode; 202 once it is durable."""
        return await accept(request, caller, RiskFlagged)

    @router.post("/hotline-events", status_code=202, tags=["hotline"])
    async def post_event(request: Request, caller: HotlineSystem) -> dict[str, Any]:
        """Take one event of any kind that a hotline tells, a missed greeting for example, as `POST /v1/flags` does."""
        return await accept(request, caller, RiskFlagged, CheckInMissed, PostPublished)

    @router.get("/flags/{flag_id}", tags=["hotline"])
    async def get_flag(
        flag_id: UUID, caller: Annotated[Caller, Depends(caller_with("hotline", *commands.OFFICERS))]
    ) -> dict[str, Any]:
        """What became of a flag: the case that it opened or joined.

        An office whose flag joined another one's case is told no more than that it is open or closed `elsewhere`.
        """
        case, row = await store.record.case_and_flag(desk.database, flag_id)
        own = row is not None and "hotline" in caller.roles and caller.hotline == row["hotline"]
        if case is not None and (own or commands.in_office(case, caller)):
            return {"flag_id": flag_id, "case_id": case["_id"], "case_state": case["state"]}
        officer = bool(caller.roles.intersection(commands.OFFICERS))
        here = row is not None and bool(row.get("division")) and caller.sees(row["division"])
        if case is not None and officer and here and not caller.sees(case["division"]):
            return {"flag_id": flag_id, "case_id": None, "case_state": case["state"], "elsewhere": True}
        raise NotFound("there is no such flag, or it is not a case yet")

    @router.get("/sealing-key", tags=["hotline"])
    async def sealing_key(
        caller: Annotated[Caller, Depends(caller_with("hotline", "operator"))],
    ) -> dict[str, Any]:
        """The public key that hotlines seal contacts to, as a JWK."""
        return desk.office.envelope.public_jwk()

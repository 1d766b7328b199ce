"""The hotlines' door, and what became of a flag."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic_core import from_json

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound, Refused
from services.crisis import commands, store
from services.crisis.api.desk import Desk, HotlineSystem
from services.crisis.intake import accept_flag


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/flags", status_code=202, tags=["hotline"])
    async def post_flag(request: Request, caller: HotlineSystem) -> dict[str, Any]:
        """Take one `hotline.risk_flagged`, a CloudEvent in structured mode; 202 once it is durable."""
        try:
            document = from_json(await request.body())
        except ValueError as error:
            raise Refused("malformed_json", f"the body is not JSON: {error}", "body") from error
        traceparent = request.headers.get("traceparent")
        return await accept_flag(document, traceparent, caller, desk.bus, desk.database, desk.office.policies)

    @router.get("/flags/{flag_id}", tags=["hotline"])
    async def get_flag(
        flag_id: UUID, caller: Annotated[Caller, Depends(caller_with("hotline", *commands.OFFICERS))]
    ) -> dict[str, Any]:
        """What became of a flag: the case that it opened or joined."""
        case = await store.case_of_flag(desk.database, flag_id)
        row = next((row for row in case["flags"] if row["id"] == flag_id), None) if case else None
        own = row is not None and "hotline" in caller.roles and caller.hotline == row["hotline"]
        if case is None or row is None or not (own or commands.in_office(case, caller)):
            raise NotFound("there is no such flag, or it is not a case yet")
        return {"flag_id": flag_id, "case_id": case["_id"], "case_state": case["state"]}

    @router.get("/sealing-key", tags=["hotline"])
    async def sealing_key(
        caller: Annotated[Caller, Depends(caller_with("hotline", "operator"))],
    ) -> dict[str, Any]:
        """The public key that hotlines seal contacts to, as a JWK."""
        return desk.office.envelope.public_jwk()

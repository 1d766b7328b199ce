"""The directory of institutions that receive."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from chassis.auth import Caller, caller_with
from contracts.base import Tier
from contracts.crisis import ReferralKind
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Officer, Receiver
from services.crisis.commands import receivers

Keeper = Annotated[Caller, Depends(caller_with("supervisor", "registrar"))]
Around = Annotated[Caller, Depends(caller_with("receiver", "registrar", *commands.OFFICERS))]


class Profile(Body):
    """What kind of institution it is, and whom it takes; what is not known is left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"psychiatric": True, "takes_minors": False, "level": 3, "green_channel": True}]
        },
    )

    psychiatric: bool | None = None
    takes_minors: bool | None = None
    level: int | None = Field(None, ge=1, le=3, description="The hospital's grade, 1-3.")
    tiers: tuple[Tier, ...] = Field((), max_length=4)
    green_channel: bool = False


class Capacity(Body):
    """Places that the institution opens; none is closed, and left out is without a limit."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"per_day": 4, "per_week": 20, "priority_per_day": 1}]}
    )

    per_day: int | None = Field(None, ge=0, le=1000)
    per_week: int | None = Field(None, ge=0, le=5000)
    priority_per_day: int = Field(0, ge=0, le=100, description="On top, for the green channel.")


class Agreement(Body):
    """A cooperation agreement on file; the last day included."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"from": "2026-01-01", "until": "2026-12-31"}]}
    )

    from_: date = Field(alias="from")
    until: date


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/receivers/{organisation_id}", tags=["receivers"])
    async def get_receiver(organisation_id: UUID, caller: Around) -> dict[str, Any]:
        """One institution of the directory: whom it takes, its places, its agreements."""
        return await desk.do(lambda tx: receivers.receiver_page(organisation_id, caller, tx))

    @router.put("/receivers/{organisation_id}", tags=["receivers"])
    async def keep_profile(organisation_id: UUID, body: Profile, caller: Keeper) -> dict[str, Any]:
        """What kind of institution it is, and whom it takes."""
        return await desk.do(
            lambda tx: receivers.keep_profile(
                organisation_id,
                body.psychiatric,
                body.takes_minors,
                body.level,
                list(body.tiers),
                body.green_channel,
                caller,
                tx,
            )
        )

    @router.put("/receivers/{organisation_id}/capacity", tags=["receivers"])
    async def keep_capacity(organisation_id: UUID, body: Capacity, caller: Receiver) -> dict[str, Any]:
        """How many places the institution opens, told by itself."""
        return await desk.do(
            lambda tx: receivers.keep_capacity(
                organisation_id, body.per_day, body.per_week, body.priority_per_day, caller, tx
            )
        )

    @router.put("/receivers/{organisation_id}/agreements/{partner_id}", tags=["receivers"])
    async def keep_agreement(
        organisation_id: UUID, partner_id: UUID, body: Agreement, caller: Keeper
    ) -> dict[str, Any]:
        """A cooperation agreement between two institutions; it counts for both."""
        return await desk.do(
            lambda tx: receivers.keep_agreement(organisation_id, partner_id, body.from_, body.until, caller, tx)
        )

    @router.get("/cases/{case_id}/receivers", tags=["receivers"])
    async def receivers_for(
        case_id: UUID,
        caller: Officer,
        kind: ReferralKind = ReferralKind.treatment,
        psychiatric: bool = False,
        limit: Limit = 20,
    ) -> dict[str, Any]:
        """Who could receive this case: fit first, by green channel, the nearest, with most places left."""
        found = await desk.database.transact(
            lambda tx: receivers.receivers_for(case_id, kind, psychiatric, limit, caller, tx, desk.office)
        )
        return {"receivers": found}

"""Referrals, from the sender's and from the receiver's side."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from chassis.errors import NotFound
from contracts.crisis import ReferralState
from services.crisis import commands, store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Receiver, WithReason, view


class Refer(Body):
    organisation_id: UUID | None = None
    override_reason: Reason | None = None


class ReferralAnswer(Body):
    state: ReferralState
    reason: Reason | None = None
    at: AwareDatetime | None = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/cases/{case_id}/refer", tags=["referrals"])
    async def refer(case_id: UUID, body: Refer, caller: Officer) -> dict[str, Any]:
        """Send the referral to its institution, or to the one named."""
        return await desk.do(
            lambda tx: commands.refer(case_id, body.organisation_id, body.override_reason, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/referral/cancel", tags=["referrals"])
    async def cancel_referral(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        return await desk.do(lambda tx: commands.cancel_referral(case_id, body.reason, caller, tx))

    @router.get("/referrals", tags=["referrals"])
    async def list_referrals(
        caller: Receiver, state: Annotated[list[ReferralState] | None, Query()] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """The referrals to the caller's institution."""
        institution = commands.institution_of(caller)
        if institution is None:
            raise NotFound("the token names no institution")
        states = [one.value for one in state] if state else [one.value for one in ReferralState]
        found = await store.referrals_for(desk.database, institution, states, limit)
        return {"referrals": [view(referral) for referral in found]}

    @router.post("/referrals/{referral_id}/answer", tags=["referrals"])
    async def answer_referral(referral_id: UUID, body: ReferralAnswer, caller: Receiver) -> dict[str, Any]:
        """The institution's answer, by the named person whose token this is."""
        at: datetime | None = body.at
        return await desk.do(
            lambda tx: commands.answer_referral(referral_id, body.state, body.reason, at, caller, tx, desk.office)
        )

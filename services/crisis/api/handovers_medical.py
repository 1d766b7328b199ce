"""Medication records at discharge, to the home division's primary unit."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, StringConstraints

from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Receiver, Supervisor, WithReason, view
from services.crisis.api.referrals import Division, SealedText
from services.crisis.commands import handovers_medical
from services.crisis.domain.handovers_medical import State
from services.crisis.store import referrals as shelf

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Medicine(Body):
    """One medicine as it is taken at discharge."""

    name: Word
    dose: Word
    since: date | None = None
    days_supplied: int | None = Field(None, ge=0, le=366)


class HandOver(Body):
    """The packet, sealed on arrival; `id` is chosen by the client."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "00000000-0000-7000-8000-00000000077b",
                    "home_division": "370812001",
                    "discharged_on": "2026-11-20",
                    "medications": [{"name": "示例药片", "dose": "每日一次", "days_supplied": 14}],
                }
            ]
        },
    )

    id: UUID
    home_division: Division
    discharged_on: date
    medications: Annotated[list[Medicine], Field(min_length=1, max_length=30)]
    note: SealedText | None = None


class SendAgain(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "再次联系卫生院"}]})

    home_division: Division | None = None
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/referrals/{referral_id}/discharge", tags=["discharges"])
    async def hand_over(referral_id: UUID, body: HandOver, caller: Receiver) -> dict[str, Any]:
        """The treating institution hands medication records over to the primary unit of the home division."""
        packet = body.model_dump(mode="json", include={"medications", "discharged_on", "note"})

        async def send(tx: Tx) -> Document:
            sent = await handovers_medical.hand_over(
                referral_id, body.id, body.home_division, packet, caller, tx, desk.office
            )
            return {name: value for name, value in handovers_medical.shown(sent).items() if name != "case_id"}

        return await desk.do(send)

    @router.get("/discharges", tags=["discharges"])
    async def list_hand_overs(
        caller: Receiver, state: Annotated[list[State] | None, Query()] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """What was handed over to the caller's unit, the oldest first."""
        institution = commands.institution_of(caller)
        if institution is None:
            raise NotFound("the token names no institution")
        states = [one.value for one in (state or [State.sent, State.overdue])]
        found = await shelf.hand_overs_for(desk.database, institution, states, limit)
        return {"hand_overs": [view(handovers_medical.shown_to_unit(one)) for one in found]}

    @router.get("/unconfirmed-discharges", tags=["discharges"])
    async def list_unconfirmed(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Hand-overs of the caller's division whose receipt nobody confirmed in time, closed cases included."""
        found = await shelf.hand_overs_in(desk.database, caller.division, [State.overdue.value], limit)
        return {"hand_overs": [view(handovers_medical.shown(one)) for one in found]}

    @router.post("/discharges/{hand_over_id}/receive", tags=["discharges"])
    async def receive(hand_over_id: UUID, caller: Receiver) -> dict[str, Any]:
        """A named person of the primary unit confirms the receipt."""

        async def confirm(tx: Tx) -> Document:
            return handovers_medical.shown_to_unit(await handovers_medical.confirm_receipt(hand_over_id, caller, tx))

        return await desk.do(confirm)

    @router.post("/discharges/{hand_over_id}/open", tags=["discharges"])
    async def open_packet(hand_over_id: UUID, body: WithReason, caller: Receiver) -> dict[str, Any]:
        """The medication records, for the unit that confirmed the receipt; the reading is logged."""
        return await desk.database.transact(
            lambda tx: handovers_medical.open_packet(hand_over_id, body.reason, caller, tx, desk.office)
        )

    @router.post("/discharges/{hand_over_id}/send-again", tags=["discharges"])
    async def send_again(hand_over_id: UUID, body: SendAgain, caller: Supervisor) -> dict[str, Any]:
        """A supervisor's decision after silence: to the same unit once more, or to another division's."""

        async def again(tx: Tx) -> Document:
            return handovers_medical.shown(
                await handovers_medical.send_again(
                    hand_over_id, body.home_division, body.reason, caller, tx, desk.office
                )
            )

        return await desk.do(again)

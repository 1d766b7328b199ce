"""Handing a case to another office."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from chassis.tx import Document, Tx
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason, view
from services.crisis.api.referrals import Division
from services.crisis.commands import transfers
from services.crisis.domain.transfer import State
from services.crisis.store import referrals as shelf


class Transfer(Body):
    """To a division's office, or to an organisation; `id` is chosen by the client."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"id": "00000000-0000-7000-8000-000000000778", "to_division": "370811", "reason": "本人已迁居"}
            ]
        },
    )

    id: UUID
    to_division: Division | None = None
    to_organisation: UUID | None = None
    reason: Reason
    override_reason: Reason | None = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    async def answer(command: Callable[[Tx], Awaitable[Document]]) -> dict[str, Any]:
        """A transfer as both sides read it."""

        async def shown(tx: Tx) -> Document:
            return await transfers.shown(await command(tx), tx, desk.office)

        return await desk.do(shown)

    @router.post("/cases/{case_id}/transfers", tags=["transfers"])
    async def request_transfer(case_id: UUID, body: Transfer, caller: Officer) -> dict[str, Any]:
        """Ask another office to take the case; until a named person there accepts, nothing moves."""
        return await answer(
            lambda tx: transfers.request_transfer(
                case_id,
                body.id,
                body.to_division,
                body.to_organisation,
                body.reason,
                body.override_reason,
                caller,
                tx,
                desk.office,
            )
        )

    @router.get("/transfers", tags=["transfers"])
    async def list_transfers(
        caller: Officer,
        to_us: Annotated[bool, Query(description="Those put to this office; false: those it asked for.")] = True,
        state: State = State.requested,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Transfers to the caller's office, or from it, the longest waiting first."""
        listed = shelf.transfers_to if to_us else shelf.transfers_from
        found = await listed(desk.database, caller.division, state.value, limit)

        async def shown(tx: Tx) -> list[Document]:
            return [await transfers.shown(one, tx, desk.office) for one in found]

        return {"transfers": [view(one) for one in await desk.database.transact(shown)]}

    @router.get("/transfers/{transfer_id}", tags=["transfers"])
    async def get_transfer(transfer_id: UUID, caller: Officer) -> dict[str, Any]:
        """One transfer, for either side: all that the old office still sees of a case that went."""
        return await answer(lambda tx: transfers.seen_transfer(transfer_id, caller, tx))

    @router.post("/transfers/{transfer_id}/accept", tags=["transfers"])
    async def accept(transfer_id: UUID, caller: Officer) -> dict[str, Any]:
        """A named person of the receiving office takes the case; 403 for the sender."""
        return await answer(lambda tx: transfers.accept_transfer(transfer_id, caller, tx, desk.office))

    @router.post("/transfers/{transfer_id}/decline", tags=["transfers"])
    async def decline(transfer_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The receiving office says no; the case stays where it is. 403 for the sender."""
        return await answer(lambda tx: transfers.decline_transfer(transfer_id, body.reason, caller, tx, desk.office))

    @router.post("/transfers/{transfer_id}/withdraw", tags=["transfers"])
    async def withdraw(transfer_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The owner takes its request back."""
        return await answer(lambda tx: transfers.withdraw_transfer(transfer_id, body.reason, caller, tx, desk.office))

"""A person across contacts: marks, and other cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from chassis.tx import Document, Tx
from services.crisis.api.desk import Body, Desk, Officer, Reason, WithReason
from services.crisis.commands import persons
from services.crisis.commands.reasons import with_reason
from services.crisis.domain.codes import MarkKind


class NewMark(Body):
    """A mark for a time; `id` is the client's. It lowers no tier and blocks no flag."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000000ca",
                    "kind": "do_not_call_back",
                    "hours": 2160,
                    "reason": "与家人共用一部电话，请勿回拨",
                }
            ]
        },
    )

    id: UUID
    kind: MarkKind
    hours: int | None = Field(None, ge=1, le=20 * 366 * 24, description="One of the policy's; its first where absent.")
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    async def answer(command: Callable[[Tx], Awaitable[Document]]) -> dict[str, Any]:
        """A mark with why it was set, for who may see the person's cases."""

        async def shown(tx: Tx) -> Document:
            return await with_reason(await command(tx), tx, desk.office)

        return await desk.do(shown)

    @router.get("/cases/{case_id}/person", tags=["persons"])
    async def get_person(case_id: UUID, caller: Officer) -> dict[str, Any]:
        """The marks that hold, the person's other cases here, and how many there are elsewhere."""
        return await desk.database.transact(lambda tx: persons.person_of(case_id, caller, tx, desk.office))

    @router.post("/cases/{case_id}/marks", tags=["persons"])
    async def set_mark(case_id: UUID, body: NewMark, caller: Officer) -> dict[str, Any]:
        """Mark the person; 403 where the policy keeps the kind for supervisors, 409 where the person is unknown."""
        return await answer(
            lambda tx: persons.set_mark(case_id, body.id, body.kind, body.hours, body.reason, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/marks/{mark_id}/end", tags=["persons"])
    async def end_mark(case_id: UUID, mark_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """End a mark before its time."""
        return await answer(lambda tx: persons.end_mark(case_id, mark_id, body.reason, caller, tx))

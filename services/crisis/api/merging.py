"""Doubles: found, merged, split; and a closed case opened again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from chassis.clock import now
from services.crisis import store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Supervisor, WithReason, view
from services.crisis.commands.closing import reopen
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import doubles, split
from services.crisis.commands.rights import known_case


class Merge(Body):
    """Which case goes on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"into": "01970d3b-0000-7000-8000-00000000ca5e", "reason": "同一号码，核实为同一人"}]
        },
    )

    into: UUID
    reason: Reason


class Split(Body):
    """The flags that belong to somebody else; `id` is the new case's, chosen by the client."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-00000000ca5f",
                    "flag_ids": ["01970d3b-0000-7000-8000-0000000000f1"],
                    "reason": "共用电话，来电者为另一人",
                }
            ]
        },
    )

    id: UUID
    flag_ids: tuple[UUID, ...] = Field(min_length=1, max_length=200)
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/cases/{case_id}/doubles", tags=["cases"])
    async def list_doubles(case_id: UUID, caller: Officer) -> dict[str, Any]:
        """Open cases that may be the same person's, with what speaks for it; a person decides."""
        case = await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await doubles(case, caller, desk.database, desk.office, now())
        return {"doubles": [view(one) for one in found]}

    @router.post("/cases/{case_id}/merge", tags=["cases"])
    async def merge_cases(case_id: UUID, body: Merge, caller: Officer) -> dict[str, Any]:
        """Everything goes to the other case, and this one stays as a pointer; two counties take a supervisor (403)."""
        return await desk.do(lambda tx: merge(case_id, body.into, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/split", tags=["cases"])
    async def split_case(case_id: UUID, body: Split, caller: Officer) -> dict[str, Any]:
        """These flags go to a new case with its own clock; the case that they leave keeps its tier."""
        return await desk.do(lambda tx: split(case_id, body.id, body.flag_ids, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/reopen", tags=["cases"])
    async def reopen_case(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """A closed case is open again, with a new clock; 409 where the person has another open case."""
        return await desk.do(lambda tx: reopen(case_id, body.reason, caller, tx, desk.office))

    @router.get("/cases/{case_id}/flags", tags=["cases"])
    async def list_flags(case_id: UUID, caller: Officer, limit: Limit = 200) -> dict[str, Any]:
        """The flags of a case: those that it holds, and the latest of those that are older."""
        case = await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        older = await store.record.older_flags(desk.database, case_id, limit)
        return {"flags": case["flags"], "older": [view(row) for row in older]}

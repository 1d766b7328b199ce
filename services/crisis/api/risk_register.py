"""Risk registers: what may happen in a project or plan, who answers, and what is done about it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.errors import NotFound
from chassis.tx import Document
from contracts.base import DivisionCode, Name
from services.crisis.api.desk import Body, Desk, Limit, Reason, view
from services.crisis.commands import risk_register as registers
from services.crisis.commands.ledger import STAFF
from services.crisis.domain.record import Subject
from services.crisis.domain.risk_register import RegisterState, RiskState
from services.crisis.store.risk_register import registers_of, registers_overdue

Staff = Annotated[Caller, Depends(caller_with(*STAFF))]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=120)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=2000)]
Grade = Annotated[int, Field(strict=True, ge=1, le=5)]
Revision = Annotated[int, Field(ge=1, le=100_000)]


class Risk(Body):
    """`likelihood` and `severity` from 1, the least, to 5; no text names a person served."""

    id: Name
    title: Title
    likelihood: Grade
    severity: Grade
    owner: Subject
    response: Text
    review_on: date


class RegisterDraft(Body):
    """The register of one project or plan; a further revision wants an approval of its own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "about": "project",
                    "reference_id": "01970d3b-0000-7000-8000-00000000a001",
                    "division": "370812",
                    "title": "“舒心驿站”项目风险防控和处置预案",
                    "risks": [
                        {
                            "id": "volunteer-overload",
                            "title": "志愿者超负荷服务",
                            "likelihood": 3,
                            "severity": 4,
                            "owner": "worker-a",
                            "response": "限定每周服务时长，每月一次督导",
                            "review_on": "2026-12-01",
                        }
                    ],
                    "revision": 1,
                }
            ]
        },
    )

    about: Literal["project", "plan", "emergency_plan"]
    reference_id: UUID
    division: DivisionCode
    title: Title
    risks: list[Risk] = Field(max_length=200)
    revision: Revision


class ApproveRegister(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"revision": 1, "reason": "经会商，内容齐备"}]}
    )

    revision: Revision
    reason: Reason


class MoveRisk(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "mitigated", "reason": "已增派督导"}]}
    )

    state: RiskState
    reason: Reason


class ReviewRisk(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"review_on": "2027-01-01", "reason": "情况未变"}]}
    )

    review_on: date
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/risk-registers", tags=["risk-registers"])
    async def list_registers(caller: Staff, state: RegisterState | None = None, limit: Limit = 50) -> dict[str, Any]:
        """The registers of the caller's division, the latest first."""
        found = await registers_of(desk.database, caller.division, state, limit)
        return {"registers": [answered(register) for register in found]}

    @router.get("/risk-registers/overdue", tags=["risk-registers"])
    async def list_overdue(caller: Staff, limit: Limit = 50) -> dict[str, Any]:
        """Registers with a risk whose review day has gone by, the longest overdue first; `overdue` names the risks."""
        found = await registers_overdue(desk.database, caller.division, local_day(now()), limit)
        return {"registers": [answered(register) for register in found]}

    @router.get("/risk-registers/{register_id}", tags=["risk-registers"])
    async def get_register(register_id: UUID, caller: Staff) -> dict[str, Any]:
        """One register, whole."""
        register = await desk.database.get("risk_registers", register_id)
        if register is None or not caller.sees(register["division"]):
            raise NotFound("there is no such risk register")
        return answered(register)

    @router.put("/risk-registers/{register_id}", tags=["risk-registers"])
    async def put_register(register_id: UUID, body: RegisterDraft, caller: Staff) -> dict[str, Any]:
        """Write a register or its next revision; 409 for another revision, or where the project has a register."""
        said = body.model_dump()
        return answered(
            await desk.database.transact(
                lambda tx: registers.write_register(register_id, caller, tx, desk.office, **said)
            )
        )

    @router.post("/risk-registers/{register_id}/approve", tags=["risk-registers"])
    async def approve(register_id: UUID, body: ApproveRegister, caller: Staff) -> dict[str, Any]:
        """Another person approves the revision that was read; 409 without a risk, 403 for who wrote it."""
        said = (body.revision, body.reason, caller)
        return answered(await desk.database.transact(lambda tx: registers.approve_register(register_id, *said, tx)))

    @router.post("/risk-registers/{register_id}/risks/{risk_id}/move", tags=["risk-registers"])
    async def move(register_id: UUID, risk_id: Name, body: MoveRisk, caller: Staff) -> dict[str, Any]:
        """A risk was mitigated, occurred, came back or is closed; its owner does not close it (403)."""
        said = (risk_id, body.state, body.reason, caller)
        return answered(await desk.database.transact(lambda tx: registers.move_risk(register_id, *said, tx)))

    @router.post("/risk-registers/{register_id}/risks/{risk_id}/review", tags=["risk-registers"])
    async def review(register_id: UUID, risk_id: Name, body: ReviewRisk, caller: Staff) -> dict[str, Any]:
        """A risk was looked at; when it is looked at again. 409 for a closed one."""
        said = (risk_id, body.review_on, body.reason, caller)
        return answered(
            await desk.database.transact(lambda tx: registers.review_risk(register_id, *said, tx, desk.office))
        )


def answered(register: Document) -> dict[str, Any]:
    return view(registers.shown(register, local_day(now())))

"""The task ledger: rows by division and year, their owners, evidence and states."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.errors import NotFound
from chassis.tx import Document
from contracts.base import DivisionCode
from services.crisis.api.desk import Body, Desk, Limit, Reason, view
from services.crisis.commands import ledger
from services.crisis.domain.ledger import EvidenceKind, LedgerState, OwnerKind
from services.crisis.domain.ledger_policy import ItemCode
from services.crisis.domain.record import Subject
from services.crisis.store.ledger import evidence_of, key_of, ledger_of, ledger_overdue

Staff = Annotated[Caller, Depends(caller_with(*ledger.STAFF))]
Year = Annotated[int, Path(ge=2000, le=2999)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=120)]
Measure = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=2000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ItemPlan(Body):
    """Who answers for a row (a unit's or a person's code), by which measure, until which day."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "owner_kind": "unit",
                    "owner": "education-bureau",
                    "measure": "每学期一次班校联动演练，班级设心理委员",
                    "due_on": "2026-11-30",
                    "revision": 1,
                }
            ]
        },
    )

    owner_kind: OwnerKind
    owner: Subject
    measure: Measure
    due_on: date
    revision: Annotated[int, Field(ge=1, le=100_000)]


class Evidence(Body):
    """`reference` for what is in this service, `sha256` for a document, day and participants for an activity."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "publicity",
                    "title": "心理健康知识进校园",
                    "held_on": "2026-03-20",
                    "participants": 320,
                },
                {
                    "kind": "campaign",
                    "title": "春季学生心理健康筛查",
                    "reference": "01970d3b-0000-7000-8000-0000000ca399",
                },
            ]
        },
    )

    kind: EvidenceKind
    title: Title
    reference: UUID | None = None
    sha256: Sha256 | None = None
    held_on: date | None = None
    participants: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] | None = None


class MoveItem(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "verified", "reason": "已现场核实"}]}
    )

    state: LedgerState
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/ledgers/overdue", tags=["ledgers"])
    async def list_overdue(caller: Staff, limit: Limit = 50) -> dict[str, Any]:
        """Rows of the caller's division and below whose day has gone by unverified, the longest overdue first."""
        found = await ledger_overdue(desk.database, caller.division, local_day(now()), limit)
        return {"items": [answered(item) for item in found]}

    @router.post("/ledgers/{division}/{year}", tags=["ledgers"])
    async def begin(division: DivisionCode, year: Year, caller: Staff) -> dict[str, Any]:
        """Begin a ledger: a row for each project and task that the policy keeps; again adds only what lacks."""
        return await desk.do(lambda tx: ledger.begin_ledger(division, year, caller, tx, desk.office))

    @router.get("/ledgers/{division}/{year}", tags=["ledgers"])
    async def get_ledger(division: DivisionCode, year: Year, caller: Staff, limit: Limit = 200) -> dict[str, Any]:
        """The rows of a division's ledger in the plan's order."""
        _seen(division, caller)
        found = await ledger_of(desk.database, division, year, limit)
        return {"division": division, "year": year, "items": [answered(item) for item in found]}

    @router.put("/ledgers/{division}/{year}/{code}", tags=["ledgers"])
    async def plan(division: DivisionCode, year: Year, code: ItemCode, body: ItemPlan, caller: Staff) -> dict[str, Any]:
        """Owner, measure and due day of a row; 409 for another revision, or once it is done."""
        said = body.model_dump()
        return answered(
            await desk.database.transact(lambda tx: ledger.plan_item(division, year, code, caller, tx, **said))
        )

    @router.put("/ledgers/{division}/{year}/{code}/evidence/{evidence_id}", tags=["ledgers"])
    async def add_evidence(
        division: DivisionCode, year: Year, code: ItemCode, evidence_id: UUID, body: Evidence, caller: Staff
    ) -> dict[str, Any]:
        """Enter evidence for a row; 422 for what is not there, 409 once the row is done."""
        said = body.model_dump()
        place = (division, year, code, evidence_id)
        return _shown(
            await desk.database.transact(lambda tx: ledger.add_evidence(*place, caller, tx, desk.office, **said))
        )

    @router.get("/ledgers/{division}/{year}/{code}/evidence", tags=["ledgers"])
    async def list_evidence(
        division: DivisionCode, year: Year, code: ItemCode, caller: Staff, limit: Limit = 200
    ) -> dict[str, Any]:
        """A row's evidence."""
        _seen(division, caller)
        found = await evidence_of(desk.database, key_of(division, year, code), limit)
        return {"evidence": [_shown(row) for row in found]}

    @router.post("/ledgers/{division}/{year}/{code}/move", tags=["ledgers"])
    async def move(division: DivisionCode, year: Year, code: ItemCode, body: MoveItem, caller: Staff) -> dict[str, Any]:
        """Begin a row, say it is done, verify it or give it back; the last two take another person (403)."""
        said = (body.state, body.reason, caller)
        return answered(await desk.database.transact(lambda tx: ledger.move_item(division, year, code, *said, tx)))

    def _seen(division: str, caller: Caller) -> None:
        if not caller.sees(division):
            raise NotFound("there is no such ledger")


def answered(item: Document) -> dict[str, Any]:
    """A row as it is answered, and whether it is overdue."""
    return {**view(item), "overdue": not item["verified"] and item["due_on"] < local_day(now()).isoformat()}


def _shown(evidence: Document) -> dict[str, Any]:
    return {name: value for name, value in view(evidence).items() if name != "digest"}

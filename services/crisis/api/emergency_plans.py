"""The register of emergency plans."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from contracts.base import DivisionCode, Name
from contracts.crisis import EmergencyKind
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Reason, WithReason
from services.crisis.api.incidents import answered, done
from services.crisis.commands import emergency_plans as plans
from services.crisis.domain.emergency_plans import PlanState
from services.crisis.store.emergency_plans import emergency_plans_of, plan_gaps

Planner = Annotated[Caller, Depends(caller_with(*plans.PLANNERS))]
PlanReader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, *plans.PLANNERS))]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=120)]
Revision = Annotated[int, Field(ge=1, le=100_000)]
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Section(Body):
    code: Name
    text: Annotated[str, StringConstraints(max_length=20_000)]


class PlanDraft(Body):
    """A plan by its sections; `psychological-part` and what else the policy wants have to be there for an approval."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812",
                    "kind": "natural_disaster",
                    "title": "甲区地震应急预案",
                    "sections": [
                        {"code": "psychological-part", "text": "震后两小时内启动心理危机干预专家组……"},
                        {"code": "risk-plan", "text": "余震、次生灾害与人群聚集的风险及对策……"},
                    ],
                    "revision": 1,
                }
            ]
        },
    )

    division: DivisionCode
    kind: EmergencyKind
    title: Title
    sections: list[Section] = Field(max_length=40)
    revision: Revision


class Batch(Body):
    batch: Annotated[int, Field(ge=1, le=1000)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    place: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    families: Annotated[int, Field(ge=1, le=10_000)]
    staff: Annotated[int, Field(ge=0, le=10_000)] = 0


class Batches(Body):
    """Who comes when in numbers alone: no names."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "revision": 2,
                    "batches": [
                        {
                            "batch": 1,
                            "starts_at": "2026-04-01T08:00:00+08:00",
                            "ends_at": "2026-04-01T10:00:00+08:00",
                            "place": "甲区公墓东门",
                            "families": 20,
                            "staff": 6,
                        }
                    ],
                }
            ]
        },
    )

    revision: Revision
    batches: list[Batch] = Field(max_length=500)


class Approve(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"revision": 2, "reason": "经会商，内容齐备"}]}
    )

    revision: Revision
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/emergency-plans/gaps", tags=["emergency-plans"])
    async def list_gaps(caller: PlanReader, limit: Limit = 50) -> dict[str, Any]:
        """Counties of the caller's division that no approved plan covers, with the kinds of emergency."""
        return {"gaps": await plan_gaps(desk.database, caller.division, limit)}

    @router.get("/emergency-plans", tags=["emergency-plans"])
    async def list_plans(
        caller: PlanReader, kind: EmergencyKind | None = None, state: PlanState | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Plans of the caller's division in every version, and the approved ones that cover it from above."""
        found = await emergency_plans_of(desk.database, caller.division, kind, state, limit)
        return {"plans": [answered(plan) for plan in found]}

    @router.get("/emergency-plans/{plan_id}", tags=["emergency-plans"])
    async def get_plan(plan_id: UUID, caller: PlanReader) -> dict[str, Any]:
        """One version of a plan, whole."""
        return answered(plans.readable_plan(await desk.database.get("emergency_plans", plan_id), caller))

    @router.put("/emergency-plans/{plan_id}", tags=["emergency-plans"])
    async def put_plan(plan_id: UUID, body: PlanDraft, caller: Planner) -> dict[str, Any]:
        """Write a draft or its next revision; 409 for another revision than the next."""
        said = body.model_dump()
        return await done(desk, lambda tx: plans.draft_plan(plan_id, caller, tx, desk.office, **said))

    @router.put("/emergency-plans/{plan_id}/batches", tags=["emergency-plans"])
    async def put_batches(plan_id: UUID, body: Batches, caller: Planner) -> dict[str, Any]:
        """The schedule of batches of a draft, as a new revision; 422 with the row that is wrong."""
        rows = [row.model_dump() for row in body.batches]
        return await done(desk, lambda tx: plans.set_batches(plan_id, body.revision, rows, caller, tx, desk.office))

    @router.post("/emergency-plans/{plan_id}/approve", tags=["emergency-plans"])
    async def approve(plan_id: UUID, body: Approve, caller: Planner) -> dict[str, Any]:
        """Another person than its writers puts a revision into force; 409 while a mandatory part is missing."""
        return await done(
            desk, lambda tx: plans.approve_plan(plan_id, body.revision, body.reason, caller, tx, desk.office)
        )

    @router.post("/emergency-plans/{plan_id}/withdraw", tags=["emergency-plans"])
    async def withdraw(plan_id: UUID, body: WithReason, caller: Planner) -> dict[str, Any]:
        """Give up a draft, or take an approved plan out of force, which takes another person than who approved it."""
        return await done(desk, lambda tx: plans.withdraw_plan(plan_id, body.reason, caller, tx))

    @router.post("/emergency-plans/{plan_id}/attachments/import", tags=["emergency-plans"], openapi_extra=FILE)
    async def attach(
        plan_id: UUID, request: Request, caller: Planner, title: Annotated[str, Query(min_length=1, max_length=120)]
    ) -> dict[str, Any]:
        """Attach a file, which is the body, to a draft; its type is in `content-type`. 413 where it is too large."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        content = await request.body()
        return await done(desk, lambda tx: plans.attach(plan_id, title, media_type, content, caller, tx, desk.office))

    @router.get(
        "/emergency-plans/{plan_id}/attachments/{attachment_id}",
        tags=["emergency-plans"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    )
    async def download(plan_id: UUID, attachment_id: UUID, caller: PlanReader) -> Response:
        """The file as it was attached, with its sha256 in `digest`."""
        plan = plans.readable_plan(await desk.database.get("emergency_plans", plan_id), caller)
        row = next((row for row in plan["attachments"] if row["id"] == attachment_id), None)
        kept = await desk.database.get("plan_attachments", attachment_id)
        if row is None or kept is None:
            raise NotFound("there is no such attachment")
        headers = {
            "content-disposition": f'attachment; filename="{attachment_id}"',
            "x-content-type-options": "nosniff",
            "digest": f"sha-256={row['sha256']}",
        }
        return Response(kept["content"], media_type=row["media_type"], headers=headers)

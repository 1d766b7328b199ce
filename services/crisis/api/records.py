"""Records: emergency access and its review, who read what, how long a case is kept, and one person's record."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from services.crisis import store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason, view
from services.crisis.commands import access, exporting, retention
from services.crisis.domain.records import RecordClass

PrivacyOfficer = Annotated[Caller, Depends(caller_with("privacy_officer"))]
Watcher = Annotated[Caller, Depends(caller_with("supervisor", "district_centre", "privacy_officer"))]


class Review(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"justified": True, "reason": "来电人在外区县求助，须立即了解情况"}]},
    )

    justified: bool
    reason: Reason


class Classify(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"record_class": "counselling", "reason": "已转为个案咨询"}]}
    )

    record_class: RecordClass
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/cases/{case_id}/emergency-access", status_code=201, tags=["records"])
    async def use_emergency_access(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """Open a case that is not yours to see, for a short time and with a reason; another person reviews each use."""
        return await desk.do(lambda tx: access.use_emergency_access(case_id, body.reason, caller, tx, desk.office))

    @router.get("/emergency-access", tags=["records"])
    async def list_emergency_access(
        caller: PrivacyOfficer,
        state: Literal["waiting", "justified", "unjustified"] = "waiting",
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Uses of emergency access in the caller's division, the oldest first."""
        found = await store.records.emergency_accesses(desk.database, caller.division, state, limit)
        return {"uses": [view(use) for use in found]}

    @router.post("/emergency-access/{access_id}/review", tags=["records"])
    async def review(access_id: UUID, body: Review, caller: PrivacyOfficer) -> dict[str, Any]:
        """Whether a use was justified; one that was not ends at once."""
        return await desk.do(
            lambda tx: access.review_emergency_access(access_id, body.justified, body.reason, caller, tx)
        )

    @router.get("/cases/{case_id}/readings", tags=["records"])
    async def list_readings(case_id: UUID, caller: Watcher, limit: Limit = 50) -> dict[str, Any]:
        """Who has read the case's page, the latest first."""
        case = await desk.database.get("cases", case_id)
        if case is None or not caller.sees(case["division"]):
            raise NotFound("there is no such case")
        return {"readings": [view(row) for row in await store.records.readings_of(desk.database, case_id, limit)]}

    @router.put("/cases/{case_id}/record-class", tags=["records"])
    async def classify(case_id: UUID, body: Classify, caller: PrivacyOfficer) -> dict[str, Any]:
        """Under which rule the record is kept."""
        return await desk.do(
            lambda tx: retention.classify_record(case_id, body.record_class, body.reason, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/hold", tags=["records"])
    async def hold(case_id: UUID, body: WithReason, caller: PrivacyOfficer) -> dict[str, Any]:
        """A legal hold: nothing of the case is erased or deleted until another person releases it."""
        return await desk.do(lambda tx: retention.hold(case_id, body.reason, caller, tx))

    @router.post("/cases/{case_id}/hold/release", tags=["records"])
    async def release_hold(case_id: UUID, body: WithReason, caller: PrivacyOfficer) -> dict[str, Any]:
        """Release it; what is due in the meantime is done at once."""
        return await desk.do(lambda tx: retention.release_hold(case_id, body.reason, caller, tx))

    @router.post("/cases/{case_id}/export", tags=["records"])
    async def export(case_id: UUID, body: WithReason, caller: PrivacyOfficer) -> dict[str, Any]:
        """All that is kept about the person of this case, in plain; the export stands in the audit log."""
        return await desk.do(lambda tx: exporting.export_record(case_id, body.reason, caller, tx, desk.office))

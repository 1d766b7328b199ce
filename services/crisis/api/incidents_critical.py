"""Critical incidents, whose notice goes up at once."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, ConfigDict, Field

from chassis.auth import Caller, caller_with
from contracts.base import FineDivision, Name
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, WithReason
from services.crisis.api.incidents import answered, done
from services.crisis.commands import incidents_critical as critical
from services.crisis.domain.incidents_critical import CriticalState
from services.crisis.store.incidents import critical_incidents_of

Reporter = Annotated[Caller, Depends(caller_with(*critical.REPORTERS))]
Above = Annotated[Caller, Depends(caller_with(*critical.ABOVE))]
CriticalReader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, "department"))]


class Report(Body):
    """Numbers and codes alone, no names; who needs help afterwards is registered or reached out to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812001",
                    "type": "drowning",
                    "happened_at": "2026-03-02T16:00:00+08:00",
                    "affected": 1,
                    "minors": True,
                }
            ]
        },
    )

    division: FineDivision
    type: Name
    happened_at: AwareDatetime
    affected: Annotated[int, Field(ge=1, le=10_000)]
    minors: bool
    deaths: Annotated[int, Field(ge=0, le=10_000)] | None = Field(None, description="Absent where it is not known.")
    organisation_id: UUID | None = Field(None, description="The school or unit.")
    incident_id: UUID | None = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/critical-incidents/{report_id}", tags=["critical-incidents"])
    async def put_report(report_id: UUID, body: Report, caller: Reporter) -> dict[str, Any]:
        """Report a fall from height, a drowning or the like; notice goes to the level above at once."""
        said = dict(body)
        return await done(desk, lambda tx: critical.report(report_id, caller, tx, desk.office, **said))

    @router.get("/critical-incidents", tags=["critical-incidents"])
    async def list_reports(
        caller: CriticalReader, state: CriticalState | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Reports of the caller's division, the latest first."""
        found = await critical_incidents_of(desk.database, caller.division, state, limit)
        return {"reports": [answered(one) for one in found]}

    @router.post("/critical-incidents/{report_id}/acknowledge", tags=["critical-incidents"])
    async def acknowledge(report_id: UUID, caller: Above) -> dict[str, Any]:
        """A named person of the level above has the report; 403 for who reported it."""
        return await done(desk, lambda tx: critical.acknowledge_report(report_id, caller, tx, desk.office))

    @router.post("/critical-incidents/{report_id}/close", tags=["critical-incidents"])
    async def close(report_id: UUID, body: WithReason, caller: Above) -> dict[str, Any]:
        """What had to be done about it is done."""
        return await done(desk, lambda tx: critical.close_report(report_id, body.reason, caller, tx))

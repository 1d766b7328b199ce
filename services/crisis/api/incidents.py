"""Incidents: declared, led, raised and lowered, ended; their teams, links and numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import DivisionCode, Name
from contracts.crisis import EmergencyKind, EmergencyLevel
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason, view
from services.crisis.commands import incidents, incidents_teams
from services.crisis.commands.incidents_said import LEADERS, touches
from services.crisis.domain.expert_groups import CallOutState
from services.crisis.domain.incidents import IncidentState
from services.crisis.store.incidents import experts_called, incidents_of, numbers_of

Leader = Annotated[Caller, Depends(caller_with(*LEADERS))]
IncidentReader = Annotated[
    Caller, Depends(caller_with(*commands.OFFICERS, "surveyor", "community_worker", "department"))
]
HIDDEN = ("digest", "batches_digest")


class Declare(Body):
    """`id` is chosen by the client, so that sending again declares nothing twice."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000e0001",
                    "kind": "natural_disaster",
                    "level": "II",
                    "areas": ["370811", "370812"],
                    "started_at": "2026-03-02T02:10:00+08:00",
                    "reason": "两县区发生地震",
                }
            ]
        },
    )

    id: UUID
    kind: EmergencyKind
    level: EmergencyLevel
    areas: list[DivisionCode] = Field(min_length=1, max_length=50)
    started_at: AwareDatetime
    reason: Reason


class ToLevel(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"level": "I", "reason": "发生强余震"}]})

    level: EmergencyLevel
    reason: Reason


class ToState(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "active", "reason": "已到岗指挥"}]}
    )

    state: Literal[IncidentState.active, IncidentState.aftercare]
    reason: Reason


class CloseIncident(Body):
    """`override` is the first of two persons' word for closing while some are still in after-care."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "善后工作结束"}]})

    reason: Reason
    override: bool = False


class AskForTeams(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"division": "370812", "number": 2, "skills": ["child-adolescent"]}]},
    )

    division: DivisionCode
    number: Annotated[int, Field(ge=1, le=200)]
    skills: list[Name] = Field(default=[], max_length=20)


class Arrival(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"team": "team-7", "members": 6, "arrived_at": "2026-03-02T09:00:00+08:00"}]},
    )

    team: Name
    members: Annotated[int, Field(ge=1, le=500)]
    arrived_at: AwareDatetime


class LinkCampaign(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"campaign_id": "01970d3b-0000-7000-8000-0000000ca399"}]}
    )

    campaign_id: UUID


class RaiseLine(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hotline": "quake-line"}]})

    hotline: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]


def answered(document: Document) -> dict[str, Any]:
    """A document as it is answered: nothing sealed, and no digest of what is."""
    return {name: value for name, value in view(document).items() if name not in HIDDEN}


async def done(desk: Desk, command: Callable[[Tx], Awaitable[Document]]) -> dict[str, Any]:
    """One command in one transaction, answered."""
    return answered(await desk.database.transact(command))


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/incidents", tags=["incidents"])
    async def declare(body: Declare, caller: Leader) -> dict[str, Any]:
        """Declare a public emergency: plans are found, experts called, teams asked for; what is missing shows."""
        said = body.model_dump(exclude={"id"})
        return await done(desk, lambda tx: incidents.declare(body.id, caller, tx, desk.office, **said))

    @router.get("/incidents", tags=["incidents"])
    async def list_incidents(
        caller: IncidentReader, state: IncidentState | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Incidents that reach into the caller's division, the latest first."""
        found = await incidents_of(desk.database, caller.division, state, limit)
        return {"incidents": [answered(incident) for incident in found]}

    @router.get("/incidents/codes", tags=["incidents"])
    async def list_codes(caller: IncidentReader) -> dict[str, Any]:
        """The code lists of now, with Chinese labels and sources: methods, acute stress, screen, types."""
        policy = desk.office.incidents.at(now())
        return {
            "version": policy.version,
            "methods": policy.methods,
            "acute_stress": policy.acute_stress,
            "screen": policy.screen.questions,
            "critical_incidents": policy.critical.types,
        }

    @router.get("/incidents/{incident_id}", tags=["incidents"])
    async def get_incident(incident_id: UUID, caller: IncidentReader) -> dict[str, Any]:
        """One incident with its gaps: areas without a plan, without experts, or whose experts all stayed silent."""
        incident = await _seen(incident_id, caller)
        called = {made["_id"]: made for made in await experts_called(desk.database, incident_id)}
        experts = []
        for row in incident["experts"]:
            made = called.get(row["call_out_id"])
            experts.append({**row, "state": made["state"] if made else None})
        gaps = {
            "plan": [row["area"] for row in incident["plans"] if row["plan_id"] is None],
            "experts": [row["area"] for row in experts if row["state"] in (None, CallOutState.exhausted)],
            "teams": [row["area"] for row in incident["teams"] if len(row["arrived"]) < row["number"]],
        }
        return answered({**incident, "experts": experts}) | {"gaps": gaps}

    @router.get("/incidents/{incident_id}/numbers", tags=["incidents"])
    async def get_numbers(incident_id: UUID, caller: Officer) -> dict[str, Any]:
        """The incident's numbers within the caller's division, counted now; no names, and for the office alone."""
        incident = await _seen(incident_id, caller)
        counted = await numbers_of(desk.database, incident_id, caller.division)
        return {"incident_id": incident_id, "division": caller.division, **counted} | incidents_teams.counted(
            incident, caller.division
        )

    @router.post("/incidents/{incident_id}/level", tags=["incidents"])
    async def set_level(incident_id: UUID, body: ToLevel, caller: Leader) -> dict[str, Any]:
        """A graver level holds at once; a lighter one is the first person's proposal."""
        said = (body.level, body.reason)
        return await done(desk, lambda tx: incidents.set_level(incident_id, *said, caller, tx, desk.office))

    @router.post("/incidents/{incident_id}/level/agree", tags=["incidents"])
    async def agree_to_level(incident_id: UUID, body: WithReason, caller: Leader) -> dict[str, Any]:
        """The second person agrees, and the level is lowered."""
        return await done(desk, lambda tx: incidents.agree_to_level(incident_id, body.reason, caller, tx))

    @router.post("/incidents/{incident_id}/state", tags=["incidents"])
    async def move(incident_id: UUID, body: ToState, caller: Leader) -> dict[str, Any]:
        """Take the lead, go over to after-care, or back to active."""
        state = IncidentState(body.state)
        return await done(desk, lambda tx: incidents.move(incident_id, state, body.reason, caller, tx))

    @router.post("/incidents/{incident_id}/close", tags=["incidents"])
    async def close(incident_id: UUID, body: CloseIncident, caller: Leader) -> dict[str, Any]:
        """End the incident; 409 while somebody is in after-care, unless overridden by two persons."""
        said = (body.reason, body.override)
        return await done(desk, lambda tx: incidents.close_incident(incident_id, *said, caller, tx))

    @router.post("/incidents/{incident_id}/close/agree", tags=["incidents"])
    async def agree_to_close(incident_id: UUID, body: WithReason, caller: Leader) -> dict[str, Any]:
        """The second person agrees to end the incident while some are in after-care; they stay on the list."""
        return await done(desk, lambda tx: incidents.agree_to_close(incident_id, body.reason, caller, tx))

    @router.put("/incidents/{incident_id}/teams/{request_id}", tags=["incidents"])
    async def request_teams(incident_id: UUID, request_id: UUID, body: AskForTeams, caller: Officer) -> dict[str, Any]:
        """Ask for further teams in one of the incident's areas."""
        said = (body.division, body.number, body.skills)
        return await done(desk, lambda tx: incidents_teams.request_teams(incident_id, request_id, *said, caller, tx))

    @router.post("/incidents/{incident_id}/teams/{request_id}/arrivals", tags=["incidents"])
    async def team_arrived(incident_id: UUID, request_id: UUID, body: Arrival, caller: Officer) -> dict[str, Any]:
        """A team that was asked for is there."""
        said = (body.team, body.members, body.arrived_at)
        return await done(
            desk, lambda tx: incidents_teams.team_arrived(incident_id, request_id, *said, caller, tx, desk.office)
        )

    @router.post("/incidents/{incident_id}/campaigns", tags=["incidents"])
    async def link_campaign(incident_id: UUID, body: LinkCampaign, caller: Officer) -> dict[str, Any]:
        """A screening campaign belongs to the incident."""
        said = (incident_id, body.campaign_id, caller)
        return await done(desk, lambda tx: incidents_teams.link_campaign(*said, tx))

    @router.post("/incidents/{incident_id}/line", tags=["incidents"])
    async def raise_line(incident_id: UUID, body: RaiseLine, caller: Leader) -> dict[str, Any]:
        """Name the line that people affected call."""
        return await done(desk, lambda tx: incidents_teams.raise_line(incident_id, body.hotline, caller, tx))

    async def _seen(incident_id: UUID, caller: Caller) -> Document:
        incident = await desk.database.get("incidents", incident_id)
        if incident is None or not touches(incident, caller):
            raise NotFound("there is no such incident")
        return incident

"""Teams asked for and arrived, and what else belongs to an incident: screening campaigns, the line."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import EmergencyLevel, IncidentTeamsRequested
from services.crisis.case import note
from services.crisis.commands.incidents_said import about, known_division, led_incident, moment_of, seen_incident
from services.crisis.domain.incidents import lies_in
from services.crisis.office import Office

MOST_REQUESTS, MOST_ARRIVALS, MOST_CAMPAIGNS = 200, 500, 50


def ask_for_teams(
    incident: Document, tx: Tx, request_id: UUID, area: str, number: int, skills: list[str], by: str
) -> None:
    if number < 1:
        return
    row = {"id": request_id, "area": area, "number": number, "skills": skills, "at": tx.now, "by": by, "arrived": []}
    incident["teams"] = [*incident["teams"], row]
    said = about(incident, tx)
    del said["areas"]
    tx.emit(
        IncidentTeamsRequested(
            **{**said, **tx.stamp(area)},
            request_id=request_id,
            division=area,
            level=EmergencyLevel(incident["level"]),
            number=number,
            skills=tuple(skills),
        )
    )


async def request_teams(
    incident_id: UUID, request_id: UUID, area: str, number: int, skills: list[str], caller: Caller, tx: Tx
) -> Document:
    """Ask for further teams in one of the areas; the same request again is one."""
    incident = await seen_incident(incident_id, caller, tx)
    if not lies_in(area, incident["areas"]):
        raise Refused("outside", "the incident does not reach there", "division")
    if not caller.sees(area):
        raise NotFound("there is no such division")
    present = _request(incident, request_id)
    if present is not None:
        if (present["area"], present["number"], present["skills"]) != (area, number, skills):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return incident
    await known_division(tx, area)
    if len(incident["teams"]) >= MOST_REQUESTS:
        raise NotAllowed(f"an incident has at most {MOST_REQUESTS} requests for teams")
    ask_for_teams(incident, tx, request_id, area, number, skills, caller.subject)
    note(incident, tx, "teams_requested", caller.subject, request_id=request_id, number=number)
    tx.put("incidents", incident)
    return incident


async def team_arrived(
    incident_id: UUID,
    request_id: UUID,
    team: str,
    members: int,
    arrived_at: datetime,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """A team is there; the same team for the same request again is one arrival."""
    incident = await seen_incident(incident_id, caller, tx)
    request = _request(incident, request_id)
    if request is None or not (caller.sees(request["area"]) or caller.division.startswith(request["area"])):
        raise NotFound("there is no such request")
    if any(row["team"] == team for row in request["arrived"]):
        return incident
    if len(request["arrived"]) >= MOST_ARRIVALS:
        raise NotAllowed(f"a request has at most {MOST_ARRIVALS} arrivals")
    at = moment_of(arrived_at, "arrived_at", tx, office)
    request["arrived"] = [*request["arrived"], {"team": team, "members": members, "at": at, "by": caller.subject}]
    note(incident, tx, "team_arrived", caller.subject, request_id=request_id, team=team)
    tx.put("incidents", incident)
    return incident


def _request(incident: Document, request_id: UUID) -> Document | None:
    return next((row for row in incident["teams"] if row["id"] == request_id), None)


async def link_campaign(incident_id: UUID, campaign_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A screening campaign belongs to the incident."""
    incident = await seen_incident(incident_id, caller, tx)
    if campaign_id in incident["campaigns"]:
        return incident
    if len(incident["campaigns"]) >= MOST_CAMPAIGNS:
        raise NotAllowed(f"an incident has at most {MOST_CAMPAIGNS} campaigns")
    incident["campaigns"] = [*incident["campaigns"], campaign_id]
    note(incident, tx, "campaign_linked", caller.subject, campaign_id=campaign_id)
    tx.put("incidents", incident)
    return incident


async def raise_line(incident_id: UUID, hotline: str, caller: Caller, tx: Tx) -> Document:
    """The line that people affected call is named, or another in its place."""
    incident = await led_incident(incident_id, caller, tx)
    if incident["line"] and incident["line"]["hotline"] == hotline:
        return incident
    incident["line"] = {"hotline": hotline, "by": caller.subject, "at": tx.now}
    note(incident, tx, "line_raised", caller.subject, hotline=hotline)
    tx.put("incidents", incident)
    return incident


def counted(incident: Document, division: str) -> dict[str, int]:
    """Teams asked for in a division, and arrived there."""
    mine = [row for row in incident["teams"] if row["area"].startswith(division) or division.startswith(row["area"])]
    return {
        "teams_asked": sum(row["number"] for row in mine),
        "teams_arrived": sum(len(row["arrived"]) for row in mine),
    }

"""A public emergency: declared, led, raised and lowered, ended. Everything that can be asked for is asked at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.crisis import (
    EmergencyKind,
    EmergencyLevel,
    IncidentClosed,
    IncidentDeclared,
    IncidentLevelChanged,
)
from services.crisis.case import note
from services.crisis.commands.expert_groups import call_out, end_call_out, want_more
from services.crisis.commands.incidents_said import (
    AFTERCARE_TIMER,
    about,
    check_same,
    known_division,
    led_incident,
    moment_of,
    record,
    same_again,
)
from services.crisis.commands.incidents_teams import ask_for_teams
from services.crisis.domain.expert_groups import CallOutState
from services.crisis.domain.incidents import IncidentState, allows, common_division, lowers, reduce_areas
from services.crisis.office import Office
from services.crisis.store.emergency_plans import plan_in_force
from services.crisis.store.expert_groups import call_outs_of_incident, group_for
from services.crisis.store.incidents import still_in_aftercare


async def declare(
    incident_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    kind: EmergencyKind,
    level: EmergencyLevel,
    areas: list[str],
    started_at: datetime,
    reason: str,
) -> Document:
    """Open an incident: its plans are looked up, its experts called, its teams asked for, all in the same moment.

    An area without an approved plan or an expert group shows as a gap, and holds nothing up.
    """
    if not all(caller.sees(area) for area in areas):
        raise NotFound("there is no such division")
    for number, area in enumerate(areas):
        await known_division(tx, area, f"areas.{number}")
    reduced = reduce_areas(areas)
    digest = same_again(office, kind, level, reduced, started_at)
    present = await tx.get("incidents", incident_id)
    if present is not None:
        return check_same(present, digest)
    policy = office.incidents.at(tx.now)
    incident: Document = {
        "_id": incident_id,
        "digest": digest,
        "kind": kind.value,
        "level": level.value,
        "state": IncidentState.declared.value,
        "areas": reduced,
        "started_at": moment_of(started_at, "started_at", tx, office),
        "declared_by": caller.subject,
        "declared_at": tx.now,
        "led_by": None,
        "policy": policy.version,
        "plans": [],
        "experts": [],
        "teams": [],
        "campaigns": [],
        "line": None,
        "lowering": None,
        "closing": None,
        "closed_at": None,
        "timeline": [],
    }
    note(incident, tx, "declared", caller.subject, level=level.value)
    for area in reduced:
        incident["plans"].append(await _plan_for(area, kind, tx))
        ask_for_teams(incident, tx, new_id(), area, policy.teams.number[level], list(policy.teams.skills), "policy")
    await _call_experts(incident, tx, office, caller.subject)
    tx.record(
        actor=caller.subject,
        action="incident_declared",
        subject=str(incident_id),
        division=common_division(reduced),
        reason=reason,
        kind=kind.value,
        level=level.value,
    )
    tx.emit(
        IncidentDeclared(
            **about(incident, tx),
            level=level,
            without_plan=tuple(row["area"] for row in incident["plans"] if row["plan_id"] is None),
            started_at=incident["started_at"],
            policy=policy.version,
        )
    )
    tx.put("incidents", incident)
    return incident


async def _plan_for(area: str, kind: EmergencyKind, tx: Tx) -> Document:
    plan = await plan_in_force(tx, area, kind.value)
    if plan is None:
        return {"area": area, "plan_id": None, "version": None, "division": None}
    return {"area": area, "plan_id": plan["_id"], "version": plan["version"], "division": plan["division"]}


async def _call_experts(incident: Document, tx: Tx, office: Office, by: str) -> None:
    """Each group once, though it may stand for several areas; an area without one is a gap."""
    level = EmergencyLevel(incident["level"])
    wanted = office.incidents.of(incident["policy"]).call_out.experts[level]
    made: dict[str, UUID] = {}
    for area in incident["areas"]:
        group = await group_for(tx, area)
        if group is not None and group["_id"] not in made and wanted:
            called = await call_out(
                new_id(), area, level, tx, office, by=by, wanted=wanted, incident_id=incident["_id"]
            )
            if called is not None:
                made[group["_id"]] = called["_id"]
        row = {"area": area, "group": group["_id"] if group else None}
        incident["experts"].append({**row, "call_out_id": made.get(group["_id"]) if group else None})


# The level


async def set_level(
    incident_id: UUID, level: EmergencyLevel, reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """A graver level holds at once, and asks for more; a lighter one waits for a second person."""
    incident = await led_incident(incident_id, caller, tx)
    present = EmergencyLevel(incident["level"])
    if level is present:
        raise NotAllowed(f"the incident is at level {level} already")
    if lowers(present, level):
        incident["lowering"] = {"to": level.value, "reason": reason, "by": caller.subject, "at": tx.now}
        note(incident, tx, "lowering_proposed", caller.subject, level=level.value)
        record(incident, tx, "incident_lowering_proposed", reason, caller, level=level.value)
    else:
        policy = office.incidents.of(incident["policy"])
        incident["lowering"] = None
        _level(incident, tx, level, reason, caller)
        more = policy.teams.number[level] - policy.teams.number[present]
        for area in incident["areas"]:
            ask_for_teams(incident, tx, new_id(), area, more, list(policy.teams.skills), "policy")
        for made in await call_outs_of_incident(tx, incident_id):
            await want_more(made, policy.call_out.experts[level], level, tx, office)
    tx.put("incidents", incident)
    return incident


async def agree_to_level(incident_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The second person agrees, and the level is lowered."""
    incident = await led_incident(incident_id, caller, tx)
    proposed = incident["lowering"]
    if proposed is None:
        raise NotAllowed("nobody has proposed to lower the level")
    if proposed["by"] == caller.subject:
        raise NotAllowed("lowering a level takes a second person", status=403)
    incident["lowering"] = None
    _level(incident, tx, EmergencyLevel(proposed["to"]), reason, caller, proposed_by=proposed["by"])
    tx.put("incidents", incident)
    return incident


def _level(incident: Document, tx: Tx, level: EmergencyLevel, reason: str, caller: Caller, **details: Any) -> None:
    previous = EmergencyLevel(incident["level"])
    incident["level"] = level.value
    said = {"previous": previous.value, "level": level.value, **details}
    note(incident, tx, "level_changed", caller.subject, **said)
    record(incident, tx, "incident_level_changed", reason, caller, **said)
    tx.emit(IncidentLevelChanged(**about(incident, tx), previous=previous, level=level))


# The states


async def move(incident_id: UUID, state: IncidentState, reason: str, caller: Caller, tx: Tx) -> Document:
    """A named person takes the lead, goes over to after-care, or back. The same state again changes nothing."""
    incident = await led_incident(incident_id, caller, tx)
    present = IncidentState(incident["state"])
    if present is state:
        return incident
    if state is IncidentState.closed or not allows(present, state):
        raise NotAllowed(f"an incident that is {present} does not become {state} so")
    incident["state"] = state.value
    incident["closing"] = None
    if state is IncidentState.active:
        incident["led_by"] = caller.subject
    if state is IncidentState.aftercare:
        await _dismiss(incident, tx)
        tx.set_timer(AFTERCARE_TIMER, incident_id, tx.now)
    note(incident, tx, state.value, caller.subject)
    record(incident, tx, f"incident_{state}", reason, caller)
    tx.put("incidents", incident)
    return incident


async def close_incident(incident_id: UUID, reason: str, override: bool, caller: Caller, tx: Tx) -> Document:
    """End an incident whose list of after-care is empty. With `override` the first of two persons proposes to end it
    while some are still on the list; they stay on it.
    """
    incident = await led_incident(incident_id, caller, tx)
    if not allows(IncidentState(incident["state"]), IncidentState.closed):
        raise NotAllowed(f"an incident that is {incident['state']} cannot be closed")
    left = len(await still_in_aftercare(tx, incident_id, 10_000))
    if left and not override:
        raise NotAllowed(f"{left} people are still in after-care", reason="still_in_aftercare")
    if left:
        incident["closing"] = {"by": caller.subject, "reason": reason, "at": tx.now}
        note(incident, tx, "closing_proposed", caller.subject, still_in_aftercare=left)
        record(incident, tx, "incident_closing_proposed", reason, caller, still_in_aftercare=left)
        tx.put("incidents", incident)
    else:
        await _end(incident, 0, reason, caller, tx)
    return incident


async def agree_to_close(incident_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The second person agrees to end an incident while some are still in after-care."""
    incident = await led_incident(incident_id, caller, tx)
    proposed = incident["closing"]
    if proposed is None:
        raise NotAllowed("nobody has proposed to close the incident")
    if proposed["by"] == caller.subject:
        raise NotAllowed("closing while people are in after-care takes a second person", status=403)
    left = len(await still_in_aftercare(tx, incident_id, 10_000))
    await _end(incident, left, reason, caller, tx, proposed_by=proposed["by"])
    return incident


async def _end(incident: Document, left: int, reason: str, caller: Caller, tx: Tx, **details: Any) -> None:
    incident.update(state=IncidentState.closed.value, closed_at=tx.now, closing=None, lowering=None)
    await _dismiss(incident, tx)
    if not left:
        tx.cancel_timer(AFTERCARE_TIMER, incident["_id"])
    note(incident, tx, "closed", caller.subject, still_in_aftercare=left)
    record(incident, tx, "incident_closed", reason, caller, still_in_aftercare=left, **details)
    level = EmergencyLevel(incident["level"])
    tx.emit(IncidentClosed(**about(incident, tx), level=level, still_in_aftercare=left))
    tx.put("incidents", incident)


async def _dismiss(incident: Document, tx: Tx) -> None:
    """Experts who are being called need not come any more."""
    for made in await call_outs_of_incident(tx, incident["_id"]):
        if made["state"] in (CallOutState.calling, CallOutState.exhausted):
            end_call_out(made, tx)

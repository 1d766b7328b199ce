"""Critical incidents: a fall from height, a drowning. Notice goes up at once, until a named person has it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import CriticalIncidentAcknowledged, CriticalIncidentOverdue, CriticalIncidentReported
from services.crisis.commands.incidents_said import check_same, known_division, moment_of, same_again, seen_incident
from services.crisis.commands.rights import OFFICERS
from services.crisis.domain.incidents_critical import CriticalState, allows
from services.crisis.domain.incidents_policy import CriticalPolicy, coded
from services.crisis.office import Office

TIMER = "critical_incident"
REPORTERS = (*OFFICERS, "community_worker", "class_teacher", "school_counsellor", "department")
ABOVE = ("district_centre", "department")
"""The roles that a report goes up to."""


async def report(
    report_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    division: str,
    type: str,
    happened_at: datetime,
    affected: int,
    minors: bool,
    deaths: int | None,
    organisation_id: UUID | None,
    incident_id: UUID | None,
) -> Document:
    """Report a critical incident; notice goes up in the same moment, to the first role above the reporter's own."""
    if not caller.sees(division):
        raise NotFound("there is no such division")
    digest = same_again(office, division, type, happened_at, affected, minors, deaths, organisation_id, incident_id)
    present = await tx.get("critical_incidents", report_id)
    if present is not None:
        return check_same(present, digest)
    await known_division(tx, division)
    policy = office.incidents.at(tx.now)
    if coded(policy.critical.types, type) is None:
        known = ", ".join(one.code for one in policy.critical.types)
        raise Refused("unknown_code", f"one of {known}", "type")
    if deaths is not None and deaths > affected:
        raise Refused("deaths", "more deaths than people affected", "deaths")
    if organisation_id is not None and await tx.get("organisations", organisation_id) is None:
        raise Refused("unknown_organisation", "the registry knows no such organisation", "organisation_id")
    if incident_id is not None:
        await seen_incident(incident_id, caller, tx)
    step = _first_above(caller, policy.critical)
    called = policy.critical.step(step)
    made: Document = {
        "_id": report_id,
        "division": division,
        "type": type,
        "state": CriticalState.reported.value,
        "happened_at": moment_of(happened_at, "happened_at", tx, office),
        "affected": affected,
        "minors": minors,
        "deaths": deaths,
        "organisation_id": organisation_id,
        "incident_id": incident_id,
        "reported_by": caller.subject,
        "reported_at": tx.now,
        "first_step": step,
        "step": step,
        "called": called.role,
        "due_at": tx.now + called.time,
        "acknowledged_by": None,
        "policy": policy.version,
        "digest": digest,
        "history": [{"at": tx.now, "kind": "reported", "by": caller.subject, "called": called.role}],
    }
    tx.set_timer(TIMER, report_id, made["due_at"])
    tx.insert("critical_incidents", made)
    tx.emit(
        CriticalIncidentReported(
            **tx.stamp(division),
            report_id=report_id,
            division=division,
            type=type,
            minors=minors,
            happened_at=made["happened_at"],
            called=called.role,
            acknowledge_by=made["due_at"],
            policy=policy.version,
        )
    )
    return made


def _first_above(caller: Caller, policy: CriticalPolicy) -> int:
    """The step above the highest role that the reporter has, or the last."""
    own = [number for number, step in enumerate(policy.chain) if step.role.replace("-", "_") in caller.roles]
    return min(max(own, default=-1) + 1, len(policy.chain) - 1)


async def acknowledge_report(report_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person of the level above has the report. Who reported it is not above it; the same person again
    changes nothing.
    """
    made = await _seen(report_id, caller, tx)
    if made["acknowledged_by"] == caller.subject:
        return made
    if not allows(CriticalState(made["state"]), CriticalState.acknowledged):
        raise NotAllowed(f"the report is {made['state']}")
    chain = office.incidents.of(made["policy"]).critical.chain
    roles = [step.role for step in chain[made["first_step"] :] if step.role.replace("-", "_") in caller.roles]
    if not roles or made["reported_by"] == caller.subject:
        raise NotAllowed("the report has to be acknowledged by the level above", status=403)
    seconds = int((tx.now - made["reported_at"]).total_seconds())
    made.update(
        state=CriticalState.acknowledged.value, acknowledged_by=caller.subject, acknowledged_at=tx.now, due_at=None
    )
    _keep(made, tx, "acknowledged", caller.subject, role=roles[-1])
    tx.cancel_timer(TIMER, report_id)
    tx.emit(
        CriticalIncidentAcknowledged(
            **tx.stamp(made["division"]),
            report_id=report_id,
            division=made["division"],
            type=made["type"],
            role=roles[-1],
            seconds=seconds,
            on_time=made["step"] == made["first_step"],
        )
    )
    return made


async def close_report(report_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """What had to be done about it is done."""
    made = await _seen(report_id, caller, tx)
    if not allows(CriticalState(made["state"]), CriticalState.closed):
        raise NotAllowed(f"the report is {made['state']}")
    made["state"] = CriticalState.closed.value
    _keep(made, tx, "closed", caller.subject)
    tx.record(
        actor=caller.subject,
        action="critical_incident_closed",
        subject=str(report_id),
        division=made["division"],
        reason=reason,
    )
    return made


async def report_due(report_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody acknowledged in time: the next role above is called; the last one again and again."""
    made = await tx.get("critical_incidents", report_id)
    if made is None or made["state"] != CriticalState.reported:
        return
    if made["due_at"] > tx.now:
        tx.set_timer(TIMER, report_id, made["due_at"])
        return
    number = made["step"] + 1
    called = office.incidents.of(made["policy"]).critical.step(number)
    made.update(step=number, called=called.role, due_at=tx.now + called.time)
    _keep(made, tx, "overdue", "policy", called=called.role)
    tx.set_timer(TIMER, report_id, made["due_at"])
    tx.emit(
        CriticalIncidentOverdue(
            **tx.stamp(made["division"]),
            report_id=report_id,
            division=made["division"],
            type=made["type"],
            step=number,
            called=called.role,
            acknowledge_by=made["due_at"],
        )
    )


async def _seen(report_id: UUID, caller: Caller, tx: Tx) -> Document:
    made = await tx.get("critical_incidents", report_id)
    if made is None or not caller.sees(made["division"]):
        raise NotFound("there is no such report")
    return made


def _keep(made: Document, tx: Tx, kind: str, by: str, **details: str) -> None:
    made["history"] = [*made["history"], {"at": tx.now, "kind": kind, "by": by, **details}][-200:]
    tx.put("critical_incidents", made)

"""People at high risk after an incident: on the list, followed up, each closed by a named person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.base import Tier
from services.crisis.commands.incidents_contacts import passed_on
from services.crisis.commands.incidents_said import AFTERCARE_TIMER, record, touches
from services.crisis.commands.programmes import enrol
from services.crisis.domain.incidents import IncidentState
from services.crisis.domain.incidents_aftercare import AftercareOutcome, AftercareState, allows
from services.crisis.domain.programmes import Programme
from services.crisis.office import Office
from services.crisis.store.incidents import cases_of_affected, people_to_follow, the_affected, the_incident

TIMER = AFTERCARE_TIMER
NEXT_BATCH = timedelta(seconds=1)


def put_on_list(entry: Document, incident: Document, tx: Tx, reason: str) -> None:
    """The person is at high risk, for a reason that is a code with an id; one that is known already changes nothing.

    Whoever was closed comes back for a new reason.
    """
    care = entry["aftercare"]
    if reason in care["reasons"]:
        return
    reasons = sorted([*care["reasons"], reason])
    present = AftercareState(care["state"])
    if allows(present, AftercareState.listed):
        entry["aftercare"] = {"state": AftercareState.listed.value, "reasons": reasons, "since": tx.now}
        keep(entry, tx, "listed", "policy", reason=reason)
        if incident["state"] in (IncidentState.aftercare, IncidentState.closed):
            tx.set_timer(AFTERCARE_TIMER, incident["_id"], tx.now)
    else:
        entry["aftercare"] = {**care, "reasons": reasons}


def keep(entry: Document, tx: Tx, kind: str, by: str, **details: Any) -> None:
    """Write into the entry's history; codes and ids only."""
    entry["history"] = [*entry["history"], {"at": tx.now, "kind": kind, "by": by, **details}][-200:]


async def mark(incident_id: UUID, person_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """A named person puts somebody on the list of those at high risk."""
    incident, entry = await _seen(incident_id, person_id, caller, tx)
    before = sum(row["kind"] == "aftercare_closed" for row in entry["history"])
    put_on_list(entry, incident, tx, f"marked:{before}")
    record(incident, tx, "affected_marked", reason, caller, entry=str(entry["_id"]))
    tx.put("incident_people", entry)
    return entry


async def close_entry(
    incident_id: UUID, person_id: UUID, outcome: AftercareOutcome, reason: str, caller: Caller, tx: Tx
) -> Document:
    """After-care of one person is over. Not while the person's case is open at high risk: `NotAllowed`."""
    incident, entry = await _seen(incident_id, person_id, caller, tx)
    care = entry["aftercare"]
    if not allows(AftercareState(care["state"]), AftercareState.closed):
        raise NotAllowed(f"the person's place on the list is {care['state']}")
    for case in await cases_of_affected(tx, entry):
        if case["state"] == "open" and case["rank"] >= Tier.high.rank:
            raise NotAllowed("the person's case is open at high risk", reason="case_open")
    entry["aftercare"] = {
        **care,
        "state": AftercareState.closed.value,
        "outcome": outcome.value,
        "closed_by": caller.subject,
        "closed_at": tx.now,
    }
    keep(entry, tx, "aftercare_closed", caller.subject, outcome=outcome.value)
    record(incident, tx, "affected_closed", reason, caller, entry=str(entry["_id"]), outcome=outcome.value)
    tx.put("incident_people", entry)
    return entry


async def aftercare_due(incident_id: UUID, tx: Tx, office: Office) -> None:
    """Those on the list who have no programme yet get one, some at a time."""
    incident = await the_incident(tx, incident_id)
    if incident["state"] not in (IncidentState.aftercare, IncidentState.closed):
        return
    batch = office.incidents.of(incident["policy"]).aftercare.batch
    people = await people_to_follow(tx, incident_id, batch)
    for entry in people:
        await _follow(entry, incident, tx, office)
    if len(people) == batch:
        tx.set_timer(AFTERCARE_TIMER, incident_id, tx.now + NEXT_BATCH)


async def _follow(entry: Document, incident: Document, tx: Tx, office: Office) -> None:
    programme = await enrol(
        Programme.post_incident,
        division=entry["division"],
        person=entry["person"],
        case_id=None,
        incident_id=incident["_id"],
        contact=await passed_on(entry, incident, "policy", tx, office),
        caller_subject="policy",
        tx=tx,
        office=office,
    )
    followed = {"state": AftercareState.followed.value, "programme_id": programme["_id"]}
    entry["aftercare"] = {**entry["aftercare"], **followed}
    keep(entry, tx, "followed", "policy", programme_id=programme["_id"])
    tx.put("incident_people", entry)


async def _seen(incident_id: UUID, person_id: UUID, caller: Caller, tx: Tx) -> tuple[Document, Document]:
    """The list outlives the incident: an entry may be worked on after the incident was closed."""
    incident = await the_incident(tx, incident_id)
    entry = await the_affected(tx, incident_id, person_id)
    if not touches(incident, caller) or not caller.sees(entry["division"]):
        raise NotFound("no such person is registered for this incident")
    return incident, entry

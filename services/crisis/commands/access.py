"""Emergency access: an officer opens a case that is not theirs to see, says why, and another person reviews it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import note
from services.crisis.commands.rights import OFFICERS, in_office
from services.crisis.office import Office


async def use_emergency_access(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """Open a case of the strict class, or of another division, for a short time; each use waits for its review."""
    caller.needs(*OFFICERS)
    case = await store.the_case(tx, case_id)
    if in_office(case, caller):
        raise NotAllowed("the case is open to you as it is")
    policy = office.records.at(tx.now)
    until = tx.now + timedelta(minutes=policy.emergency_access.minutes)
    use: Document = {
        "_id": new_id(),
        "case_id": case_id,
        "division": case["division"],
        "by": caller.subject,
        "roles": sorted(caller.roles),
        "from_division": caller.division,
        "reason": reason,
        "at": tx.now,
        "until": until,
        "policy": policy.version,
        "review": {
            "state": "waiting",
            "due_at": tx.now + timedelta(hours=policy.emergency_access.review_hours),
            "by": None,
            "at": None,
        },
    }
    tx.insert("emergency_access", use)
    tx.put("grants", {"_id": f"{case_id}:{caller.subject}", "case_id": case_id, "until": until})
    note(case, tx, "emergency_access", caller.subject, access_id=use["_id"])
    tx.put("cases", case)
    tx.record(
        actor=caller.subject,
        action="emergency_access",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        access_id=use["_id"],
        until=until,
    )
    observe.PERSONAL_READS.labels("emergency_access").inc()
    return use


async def review_emergency_access(access_id: UUID, justified: bool, reason: str, caller: Caller, tx: Tx) -> Document:
    """Whether a use was justified: said by someone else. One that was not ends at once."""
    use = await tx.get("emergency_access", access_id)
    if use is None or not caller.sees(use["division"]):
        raise NotFound("there is no such use of emergency access")
    if use["by"] == caller.subject:
        raise NotAllowed("a review takes another person", status=403)
    if use["review"]["state"] != "waiting":
        raise NotAllowed("this use was reviewed before")
    state = "justified" if justified else "unjustified"
    use["review"] = {**use["review"], "state": state, "by": caller.subject, "at": tx.now}
    use["reason"] = None  # it was kept for whoever reviews; the audit log has it
    if not justified:
        tx.delete("grants", f"{use['case_id']}:{use['by']}")
    tx.put("emergency_access", use)
    tx.record(
        actor=caller.subject,
        action="emergency_access_reviewed",
        subject=str(use["case_id"]),
        division=use["division"],
        reason=reason,
        access_id=access_id,
        verdict=state,
    )
    return use

"""Turning to somebody of the register who has not asked: never without a legal basis, which stays with the case."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel
from contracts.hotline import HotlineLevel, Way
from services.crisis.commands.incidents_aftercare import keep
from services.crisis.commands.incidents_contacts import key_of, sealed_for_flag
from services.crisis.commands.incidents_people import is_refused, seen_person
from services.crisis.commands.incidents_said import check_same, record, same_again
from services.crisis.domain.codes import LegalBasis
from services.crisis.intake import raise_flag
from services.crisis.office import Office

SOURCE = "incident"


async def reach_out(
    incident_id: UUID,
    person_id: UUID,
    outreach_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    legal_basis: LegalBasis,
    reason: str,
    level: HotlineLevel,
    act_in_progress: Answer,
    plan_within_72_hours: Answer,
    attempt_within_2_weeks: Answer,
    suspected_harm_to_minor: Answer,
) -> Document:
    """Open a case for a person of the register who did not ask for one; the basis is kept and recorded.

    Raises `Refused` where the basis is a consent that was not given.
    """
    answers = (act_in_progress, plan_within_72_hours, attempt_within_2_weeks, suspected_harm_to_minor)
    digest = same_again(office, incident_id, person_id, legal_basis, reason, level, answers)
    incident, entry = await seen_person(incident_id, person_id, caller, tx, open_=False)
    present = await tx.get("outreaches", outreach_id)
    if present is not None:
        return check_same(present, digest)
    if incident["state"] == "closed":
        raise NotAllowed("the incident is closed")
    if legal_basis is LegalBasis.pipl_13_1 and entry["consent"] != Answer.yes:
        raise Refused("legal_basis", "consent is the basis only where it was given", "legal_basis")
    flag = raise_flag(
        tx,
        source=SOURCE,
        way=Way.outreach,
        channel=Channel.other,
        division=entry["division"],
        contact=outreach_id,
        ident=outreach_id,
        caller=entry["person"],
        age_band=entry["age_band"],
        hotline_level=level,
        consent_to_follow_up=entry["consent"],
        act_in_progress=act_in_progress,
        plan_within_72_hours=plan_within_72_hours,
        attempt_within_2_weeks=attempt_within_2_weeks,
        suspected_harm_to_minor=suspected_harm_to_minor,
        sealed_contact=await sealed_for_flag(entry, incident, caller.subject, tx, office),
    )
    outreach: Document = {
        "_id": outreach_id,
        "incident_id": incident_id,
        "entry_id": entry["_id"],
        "division": entry["division"],
        "legal_basis": legal_basis.value,
        "against_refusal": is_refused(entry["consent"]),
        "by": caller.subject,
        "at": tx.now,
        "digest": digest,
    }
    tx.insert("outreaches", outreach)
    # Where the case looks for the basis when the flag arrives.
    section: Document = {
        "_id": outreach_id,
        "flag_id": flag.id,
        "case_id": None,
        "division": entry["division"],
        "kind": "outreach",
        "codes": {"legal_basis": legal_basis.value},
        "by": caller.subject,
        "at": tx.now,
        "entered_at": tx.now,
        "person": key_of(entry),
        "digest": digest,
        "personal": ["reason"],
        "sealed": await office.keys.seal(tx, key_of(entry), {"reason": reason}),
    }
    tx.insert("sections", section)
    entry["flags"] = [*entry["flags"], flag.id]
    keep(entry, tx, "outreach", caller.subject, outreach_id=outreach_id, legal_basis=legal_basis.value)
    tx.put("incident_people", entry)
    record(
        incident,
        tx,
        "outreach_opened",
        legal_basis.label,
        caller,
        entry=str(entry["_id"]),
        legal_basis=legal_basis.value,
        against_refusal=outreach["against_refusal"],
    )
    return outreach

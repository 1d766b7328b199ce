"""The register of people affected: taken down in the field, sent once there is a network, without doubles."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer
from contracts.hotline import AgeBand
from services.crisis.commands.incidents_aftercare import put_on_list
from services.crisis.commands.incidents_contacts import key_of, opened
from services.crisis.commands.incidents_said import (
    check_same,
    known_division,
    moment_of,
    record,
    same_again,
    seen_incident,
)
from services.crisis.commands.rights import OFFICERS
from services.crisis.domain.identity import telephone
from services.crisis.domain.incidents import Exposure, IncidentState, lies_in, merge_registrations
from services.crisis.domain.incidents_aftercare import AftercareState
from services.crisis.office import Office
from services.crisis.store.incidents import the_affected

FIELD = (*OFFICERS, "surveyor")
"""Who registers and screens in the field."""
FROM_ELSEWHERE = (Exposure.displaced, Exposure.rescuer)
"""Who may be found outside of the incident's areas."""
MOST_REGISTRATIONS = 50


async def register(
    incident_id: UUID,
    person_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    recorded_at: datetime,
    category: Exposure,
    division: str,
    age_band: AgeBand,
    consent: Answer,
    consent_by: str,
    phone: str | None,
    phone_is_own: bool,
    name: str | None,
    address: str | None,
    guardian: str | None,
    remark: str | None,
) -> Document:
    """Register a person under an id that the client chose. Whoever is known already by the telephone joins that entry.

    The same again changes nothing; something else under the same id is `NotAllowed` (409). A telephone that is not the
    person's own, a parent's for example, finds only who has the same name as well.
    """
    incident = await seen_incident(incident_id, caller, tx, open_=False)
    if not caller.sees(division):
        raise NotFound("there is no such division")
    place = f"{incident_id}:{person_id}"
    texts = {"name": name, "phone": phone, "address": address, "guardian": guardian, "note": remark}
    codes = (recorded_at, category, division, age_band, consent, consent_by, phone_is_own)
    digest = same_again(office, place, codes, texts)
    alias = await tx.get("incident_registrations", place)
    if alias is not None:
        check_same(alias, digest)
        return await the_affected(tx, incident_id, person_id)
    if incident["state"] == IncidentState.closed:
        raise NotAllowed("the incident is closed")
    await known_division(tx, division)
    if not lies_in(division, incident["areas"]) and category not in FROM_ELSEWHERE:
        raise Refused("outside", "the incident does not reach there", "division")
    if age_band is AgeBand.under_14 and consent is Answer.yes and consent_by != "guardian":
        raise Refused("guardian", "under fourteen a guardian consents (个人信息保护法 art. 31)", "consent_by")
    identity = _identity(phone, phone_is_own, name, office)
    entry_id = uuid5(incident_id, identity or str(person_id))
    entry = await tx.get("incident_people", entry_id) or _new_entry(entry_id, incident_id, identity)
    if len(entry["registrations"]) >= MOST_REGISTRATIONS:
        raise NotAllowed(f"a person is registered at most {MOST_REGISTRATIONS} times")
    row = {
        "id": person_id,
        "recorded_at": moment_of(recorded_at, "recorded_at", tx, office),
        "category": category.value,
        "division": division,
        "age_band": age_band.value,
        "consent": consent.value,
        "consent_by": consent_by,
        "by": caller.subject,
    }
    rows = sorted([*entry["registrations"], row], key=lambda one: (one["recorded_at"], str(one["id"])))
    entry.update(registrations=rows, **merge_registrations(rows))
    tx.insert(
        "incident_registrations",
        {"_id": place, "incident_id": incident_id, "entry_id": entry_id, "digest": digest, "at": tx.now},
    )
    fields = {field: text for field, text in texts.items() if text}
    if fields:
        key = key_of(entry)
        sealed = await office.keys.seal(tx, key, fields)
        contact = {"_id": place, "incident_id": incident_id, "entry_id": entry_id, "person": key, "sealed": sealed}
        tx.insert("incident_contacts", {**contact, "at": row["recorded_at"]})
    for one in office.incidents.of(incident["policy"]).aftercare.categories:
        if one.value in entry["categories"]:
            put_on_list(entry, incident, tx, f"category:{one.value}")
    tx.put("incident_people", entry)
    return entry


def _identity(phone: str | None, own: bool, name: str | None, office: Office) -> str | None:
    digits = telephone(phone)
    if not digits:
        return None
    if own:
        return office.pseudonym(digits)
    return office.pseudonym(f"{digits}\x1f{''.join(name.split())}") if name else None


def _new_entry(entry_id: UUID, incident_id: UUID, identity: str | None) -> Document:
    return {
        "_id": entry_id,
        "incident_id": incident_id,
        "person": identity,
        "registrations": [],
        "screened": 0,
        "positive": False,
        "flags": [],
        "cases": [],
        "acute_stress": [],
        "aftercare": {"state": AftercareState.none.value, "reasons": [], "since": None},
        "history": [],
    }


async def seen_person(
    incident_id: UUID, person_id: UUID, caller: Caller, tx: Tx, *, open_: bool = True
) -> tuple[Document, Document]:
    """The incident and the person's entry, within the caller's division; raises `NotFound`."""
    incident = await seen_incident(incident_id, caller, tx, open_=open_)
    entry = await the_affected(tx, incident_id, person_id)
    if not caller.sees(entry["division"]):
        raise NotFound("no such person is registered for this incident")
    return incident, entry


async def find_person(
    incident_id: UUID, phone: str, own: bool, name: str | None, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Who is registered with this telephone, before somebody is registered twice; the looking is recorded.

    Raises `NotFound`.
    """
    incident = await seen_incident(incident_id, caller, tx, open_=False)
    identity = _identity(phone, own, name, office)
    if identity is None:
        raise Refused("phone", "a telephone number has digits; one that is not the person's own needs a name", "phone")
    entry = await tx.get("incident_people", uuid5(incident_id, identity))
    record(incident, tx, "affected_looked_up", "found again by telephone", caller, found=entry is not None)
    if entry is None or not caller.sees(entry["division"]):
        return {"found": False, "person": None}
    return {"found": True, "person": entry}


async def reveal_person(
    incident_id: UUID, person_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office
) -> list[dict[str, Any]]:
    """What it takes to find the person, for who has to; each reading is in the audit log."""
    incident, entry = await seen_person(incident_id, person_id, caller, tx, open_=False)
    record(incident, tx, "affected_contact_read", reason, caller, entry=str(entry["_id"]))
    observe.PERSONAL_READS.labels("incidents").inc()
    return [{"at": at, **fields} for at, fields in await opened(entry, tx, office)]


def is_refused(consent: str) -> bool:
    """Whether the person, or the guardian, said no."""
    return consent in (Answer.no, Answer.refused)

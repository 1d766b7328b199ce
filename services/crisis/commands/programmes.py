"""Programmes: enrolling, what a contact told, review, and the end."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day, new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel
from contracts.crisis import ProgrammeBegun
from contracts.hotline import Setting, Way
from services.crisis import store
from services.crisis.commands.follow_ups import check_attempt, check_due, check_hours, check_wishes, finding_of
from services.crisis.commands.programmes_contacts import open_contact
from services.crisis.commands.rights import OFFICERS, bound, known_case
from services.crisis.domain.follow_up import AttemptChannel, Outcome, Preferences, is_open
from services.crisis.domain.follow_up import State as ContactState
from services.crisis.domain.programmes import (
    Concern,
    Ground,
    Loss,
    Programme,
    ProgrammeReport,
    Record,
    State,
    grief_is_prolonged,
    lacks,
    positive,
)
from services.crisis.domain.tiering import Finding
from services.crisis.intake import raise_flag
from services.crisis.office import Office
from services.crisis.programme import (
    add_contact,
    anchor_of,
    attempt_rules,
    end_programme,
    keep_programme,
    plan_phases,
    policy_of,
    raise_concern,
    remark,
    rules_of,
    try_contact,
    wishes_of,
)
from services.crisis.store import programmes as books

CHANNELS = {
    AttemptChannel.call: Channel.call,
    AttemptChannel.sms: Channel.sms,
    AttemptChannel.chat: Channel.chat,
    AttemptChannel.walk_in: Channel.walk_in,
}
WORKERS = (*OFFICERS, "community_worker")


async def enrol(
    kind: Programme,
    *,
    division: str,
    person: str | None,
    case_id: UUID | None,
    incident_id: UUID | None,
    contact: dict[str, str] | None,
    caller_subject: str,
    tx: Tx,
    office: Office,
    ident: UUID | None = None,
    loss: Loss | None = None,
    worker: str | None = None,
    organisations: tuple[UUID, ...] = (),
    wishes: Preferences | None = None,
) -> Document:
    """Take a person into a programme, with the contacts that its phases ask for; who may is asked by the caller.

    The same `ident` with the same content is the same enrolment; with another it is refused. A person who is in such a
    programme already, for the same loss or incident, stays in that one.
    """
    content: list[Any] = [
        kind,
        division,
        person,
        case_id,
        incident_id,
        contact,
        loss and loss.model_dump(mode="json"),
        worker,
    ]
    content += [sorted(str(one) for one in organisations), wishes and wishes.model_dump(mode="json")]
    said = office.digest(json.dumps(content, default=str, sort_keys=True))
    present = await tx.get("programmes", ident) if ident is not None else None
    if present is not None:
        if present["said"] != said:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return present
    if await tx.get("divisions", division) is None:
        raise Refused("unknown_division", f"there is no division {division}", "division")
    lost = loss.model_dump(mode="json") if loss else None
    if person is not None:
        for other in await books.enrolled(tx, person, kind.value, incident_id):
            if other["loss"] == lost:
                return other
    programme: Document = {
        "_id": ident or new_id(),
        "kind": kind.value,
        "division": division,
        "person": person,
        "case_id": case_id,
        "incident_id": incident_id,
        "state": State.running.value,
        "policy": office.programmes.at(tx.now).version,
        "started_at": tx.now,
        "entered_at": tx.now,
        "enrolled_by": caller_subject,
        "anchor": anchor_of(loss, tx.now),
        "loss": lost,
        "worker": worker,
        "organisations": list(organisations),
        "contact_preferences": wishes.model_dump(mode="json") if wishes else None,
        "contact_state": "none",
        "contacts": [],
        "concerns": [],
        "history": [],
        "end": None,
        "said": said,
    }
    if contact:
        key = person or programme["_id"]
        sealed = await office.keys.seal(tx, key, contact)
        tx.insert("programme_contacts", {"_id": programme["_id"], "person": key, "sealed": sealed, "at": tx.now})
        programme["contact_state"] = "kept"
    plan_phases(programme, tx, office)
    remark(programme, tx, "enrolled", caller_subject)
    keep_programme(programme, tx)
    tx.emit(
        ProgrammeBegun(
            **tx.stamp(division),
            programme_id=programme["_id"],
            division=division,
            kind=kind,
            case_id=case_id,
            incident_id=incident_id,
            policy=programme["policy"],
        )
    )
    return programme


async def enrol_by(
    kind: Programme, caller: Caller, tx: Tx, office: Office, *, division: str | None, case_id: UUID | None, **said: Any
) -> Document:
    """The same, by an officer: within the caller's division, from a case that the caller may see or without one."""
    person = said.pop("person", None)
    if case_id is not None:
        case = await known_case(case_id, caller, tx)
        division, person = division or case["division"], person or case["person"]
    if division is None:
        raise Refused("division_missing", "without a case the division has to be named", "division")
    if not caller.sees(division):
        raise NotFound("there is no such division")
    if said.get("wishes") is not None:
        check_hours(said["wishes"])
    if (kind is Programme.bereavement) != (said.get("loss") is not None):
        raise Refused("loss_does_not_fit", "a bereavement needs its loss, and nothing else has one", "loss")
    if said.get("loss") is not None and said["loss"].on > local_day(tx.now):
        raise Refused("time_in_future", "the loss lies in the future", "loss.on")
    for organisation in said.get("organisations", ()):
        if await tx.get("organisations", organisation) is None:
            raise Refused("unknown_organisation", f"there is no organisation {organisation}", "organisations")
    return await enrol(
        kind,
        division=division,
        person=person,
        case_id=case_id,
        caller_subject=caller.subject,
        tx=tx,
        office=office,
        **{"incident_id": None, "contact": None, **said},
    )


async def seen_programme(programme_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A programme that an officer of its division sees; elsewhere it does not exist."""
    programme = await books.the_programme(tx, programme_id)
    if not caller.sees(programme["division"]) or not caller.roles.intersection(OFFICERS):
        raise NotFound("there is no such programme")
    return programme


async def own_task(contact_id: UUID, caller: Caller, tx: Tx) -> tuple[Document, Document]:
    """The programme and contact of a task that is the caller's own; anybody else's does not exist."""
    programme = await books.programme_of_contact(tx, contact_id)
    if programme["worker"] != caller.subject or not caller.sees(programme["division"]):
        raise NotFound("there is no such task")
    return programme, next(one for one in programme["contacts"] if one["id"] == contact_id)


async def assign(programme_id: UUID, worker: str, caller: Caller, tx: Tx) -> Document:
    """Name the community worker who makes the contacts; the one before sees them no more."""
    programme = await _going_on(programme_id, caller, tx)
    programme["worker"] = worker
    remark(programme, tx, "assigned", caller.subject, worker=worker)
    keep_programme(programme, tx)
    return programme


async def link_organisations(programme_id: UUID, organisations: list[UUID], caller: Caller, tx: Tx) -> Document:
    """The organisations that give social support; each is one that the registry knows."""
    programme = await _going_on(programme_id, caller, tx)
    for organisation in organisations:
        if await tx.get("organisations", organisation) is None:
            raise Refused("unknown_organisation", f"there is no organisation {organisation}", "organisations")
    programme["organisations"] = list(dict.fromkeys(organisations))
    remark(programme, tx, "organisations_linked", caller.subject, organisations=programme["organisations"])
    keep_programme(programme, tx)
    return programme


async def _going_on(programme_id: UUID, caller: Caller, tx: Tx) -> Document:
    programme = await seen_programme(programme_id, caller, tx)
    if programme["state"] == State.ended:
        raise NotAllowed("the programme has ended")
    return programme


# Contacts


async def record_contact(
    programme: Document,
    contact_id: UUID,
    said: Outcome,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    channel: AttemptChannel,
    report: ProgrammeReport | None = None,
    again_at: datetime | None = None,
    override_reason: str | None = None,
) -> Document:
    """One attempt, and what the contact told; a screening that shows a risk raises a flag at once."""
    contact = next((one for one in programme["contacts"] if one["id"] == contact_id), None)
    if contact is None:
        raise NotFound("there is no such contact")
    if not is_open(contact):
        raise NotAllowed(f"the contact is {contact['state']}")
    first = min(
        one["due_at"] for one in programme["contacts"] if one["state"] == ContactState.planned or one is contact
    )
    if contact["state"] == ContactState.planned and contact["due_at"] > first:
        raise NotAllowed("another contact comes before this one")
    check_attempt(said, report, again_at, tx, office)
    check_due(contact, attempt_rules(programme, office, contact), tx)
    subject, division = str(programme["_id"]), programme["division"]
    check_wishes(wishes_of(programme), channel, override_reason, subject, division, caller, tx)
    if said is Outcome.reached:
        report = report or ProgrammeReport()
        # Before the phases go on: what was told belongs to the contact that told it.
        await _keep(programme, contact, report, channel, caller, tx, office)
    try_contact(programme, contact, said, channel, caller.subject, tx, office)
    if again_at is not None:
        contact["attempts"][-1]["again_at"] = again_at
        window = attempt_rules(programme, office).window
        contact["window_until"] = max(contact["window_until"], again_at + window)
    keep_programme(programme, tx)
    return programme


async def _keep(
    programme: Document,
    contact: Document,
    report: ProgrammeReport,
    channel: AttemptChannel,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> None:
    policy, rules = office.policies.at(tx.now), rules_of(programme, office)
    finding = finding_of(report, policy)
    at_risk = positive(finding, policy_of(programme, office).flag_from)
    lost = Loss.model_validate(programme["loss"]).on if programme["loss"] else None
    prolonged = grief_is_prolonged(report.prolonged_grief, lost, local_day(tx.now), rules.grief_from_days)
    wanted = report.needs_professional is Answer.yes
    contact["report"] = {
        **report.model_dump(),
        "tier": finding.tier.value,
        "evidence": list(finding.evidence),
        "positive": at_risk or prolonged or wanted,
        "policy": policy.version,
    }
    if prolonged:
        raise_concern(programme, Concern.prolonged_grief)
    if at_risk or wanted:
        await _flag(programme, contact, report, finding, channel, caller, tx, office)


async def _flag(
    programme: Document,
    contact: Document,
    report: ProgrammeReport,
    finding: Finding,
    channel: AttemptChannel,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> None:
    """The risk becomes a case by the way that every risk takes; what it takes to call back goes along, sealed."""
    fields = await open_contact(programme, tx, office)
    if fields:
        tx.record(
            actor=caller.subject,
            action="contact_passed_on",
            subject=str(programme["_id"]),
            division=programme["division"],
            reason="a risk was seen in a contact of the programme",
            contact_id=str(contact["id"]),
        )
    flag = raise_flag(
        tx,
        source=f"programme-{programme['kind'].replace('_', '-')}",
        way=Way.screening_result if finding.evidence and report.needs_professional is not Answer.yes else Way.concern,
        setting=Setting.community,
        channel=CHANNELS.get(channel, Channel.other),
        division=programme["division"],
        contact=contact["id"],
        caller=programme["person"],
        sealed_contact=office.envelope.seal(fields) if fields else None,
        consent_to_follow_up=report.consent_to_further,
        **report.risk,
    )
    contact["flag_id"] = flag.id
    raise_concern(programme, Concern.risk_flagged)
    remark(programme, tx, "flag_raised", caller.subject, contact_id=contact["id"], flag_id=flag.id)


# Review and end


async def review(
    programme_id: UUID, reason: str, next_at: datetime | None, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Somebody of the office has looked at what was to be looked at; with `next_at` another contact follows."""
    programme = await _going_on(programme_id, caller, tx)
    if next_at is not None:
        bound(next_at, "next_at", tx, office)
        phase = programme["contacts"][-1]["phase"]
        add_contact(programme, phase, next_at, added_by=caller.subject)
    elif not any(is_open(contact) for contact in programme["contacts"]):
        raise Refused("time_missing", "nothing is to come: set another contact, or end the programme", "next_at")
    seen = programme["concerns"]
    programme["concerns"] = []
    remark(programme, tx, "reviewed", caller.subject, concerns=seen)
    tx.record(
        actor=caller.subject,
        action="programme_reviewed",
        subject=str(programme_id),
        division=programme["division"],
        reason=reason,
        concerns=seen,
    )
    keep_programme(programme, tx)
    return programme


async def end(
    programme_id: UUID,
    ground: Ground,
    reason: str,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """End it on a ground that the record bears out; otherwise a supervisor answers for it who did not do the work."""
    programme = await _going_on(programme_id, caller, tx)
    rules = rules_of(programme, office)
    if ground not in rules.grounds:
        raise Refused("ground_unknown", f"policy {programme['policy']} does not end it on {ground}", "ground")
    missing = lacks(ground, await _record_of(programme, tx, office))
    if missing is not None:
        if override_reason is None:
            raise NotAllowed(f"{ground} does not hold: {missing}", reason="ground_does_not_hold", field="ground")
        caller.needs("supervisor")
        if caller.subject in (programme["enrolled_by"], programme["worker"]):
            raise NotAllowed("ending on a ground that does not hold takes a second person", status=403)
    tx.record(
        actor=caller.subject,
        action="programme_ended" if missing is None else "programme_end_overridden",
        subject=str(programme_id),
        division=programme["division"],
        reason=override_reason if missing is not None and override_reason else reason,
        ground=ground.value,
    )
    end_programme(programme, ground, missing is not None, caller.subject, tx)
    return programme


async def _record_of(programme: Document, tx: Tx, office: Office) -> Record:
    rules = rules_of(programme, office)
    person = await tx.get("persons", programme["person"]) if programme["person"] else None
    incident = await tx.get("incidents", programme["incident_id"]) if programme["incident_id"] else None
    case = await store.the_case(tx, programme["case_id"]) if programme["case_id"] else None
    return Record(
        contacts=tuple(programme["contacts"]),
        screening_days=rules.screening_days,
        misses_wanted=rules.misses,
        case_open=(person is not None and person["case_id"] is not None)
        or (case is not None and case["state"] == "open"),
        incident_closed=incident is not None and incident["state"] == "closed",
        now=tx.now,
    )

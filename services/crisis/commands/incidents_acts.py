"""What is done for people in an incident: quick screens, group crisis management, individual intervention."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel
from contracts.hotline import HotlineLevel, Way
from services.crisis.case import note
from services.crisis.commands.incidents_aftercare import keep, put_on_list
from services.crisis.commands.incidents_contacts import sealed_for_flag
from services.crisis.commands.incidents_people import is_refused, seen_person
from services.crisis.commands.incidents_said import check_same, moment_of, same_again, seen_incident
from services.crisis.commands.rights import known_case
from services.crisis.domain.incidents import lies_in
from services.crisis.domain.incidents_policy import IncidentPolicy, coded
from services.crisis.domain.incidents_screen import find_out
from services.crisis.intake import raise_flag
from services.crisis.office import Office

SOURCE = "incident"
"""The name under which incidents raise flags."""
INSTRUMENT = "incident-quick-screen"
MOST_ACTS = 200
MEDICAL = ("hospital", "primary_care")


async def screen(
    incident_id: UUID,
    screen_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    person_id: UUID,
    held_at: datetime,
    answers: dict[str, Answer],
    act_in_progress: Answer,
    plan_within_72_hours: Answer,
    attempt_within_2_weeks: Answer,
    suspected_harm_to_minor: Answer,
) -> Document:
    """Take down one quick screen; a positive one raises a flag, which becomes a case, or joins the person's.

    A question that is not answered was not asked, and shows. Raises `Refused` for a question that the screen has not,
    `NotAllowed` where the person refused.
    """
    asked_of_all = (act_in_progress, plan_within_72_hours, attempt_within_2_weeks, suspected_harm_to_minor)
    digest = same_again(office, person_id, held_at, answers, asked_of_all)
    present = await _act(incident_id, screen_id, "screen", digest, caller, tx)
    if present is not None:
        return present
    incident, entry = await seen_person(incident_id, person_id, caller, tx)
    if is_refused(entry["consent"]):
        raise NotAllowed("the person refused; an outreach needs a legal basis of its own", reason="consent_refused")
    _room(entry)
    policy = office.incidents.of(incident["policy"])
    items = {question.item for question in policy.screen.questions}
    for item in answers:
        if item not in items:
            raise Refused("unknown_item", f"the screen has no question {item}", f"answers.{item}")
    asked = {item: answers.get(item, Answer.not_asked) for item in sorted(items)}
    found = find_out(asked, asked_of_all, policy.screen)
    act = _new_act(incident, screen_id, "screen", moment_of(held_at, "held_at", tx, office), digest, caller, policy)
    act.update(
        entry_id=entry["_id"],
        division=entry["division"],
        answers={item: answer.value for item, answer in asked.items()},
        not_asked=[item for item, answer in asked.items() if answer is Answer.not_asked],
        positive=found.positive,
        level=found.level.value if found.level else None,
        flag_id=None,
    )
    entry.update(screened=entry["screened"] + 1, positive=entry["positive"] or found.positive)
    if found.positive:
        flag = raise_flag(
            tx,
            source=SOURCE,
            way=Way.screening_result,
            channel=Channel.other,
            division=entry["division"],
            contact=screen_id,
            caller=entry["person"],
            age_band=entry["age_band"],
            assessment={
                "instrument": INSTRUMENT,
                "version": policy.version[:32],
                "answers": [{"item": item, "answer": answer} for item, answer in asked.items()],
            },
            hotline_level=found.level or HotlineLevel.unknown,
            act_in_progress=act_in_progress,
            plan_within_72_hours=plan_within_72_hours,
            attempt_within_2_weeks=attempt_within_2_weeks,
            suspected_harm_to_minor=suspected_harm_to_minor,
            consent_to_follow_up=entry["consent"],
            sealed_contact=await sealed_for_flag(entry, incident, caller.subject, tx, office),
        )
        act["flag_id"] = flag.id
        entry["flags"] = [*entry["flags"], flag.id]
        put_on_list(entry, incident, tx, f"screen:{screen_id}")
    keep(entry, tx, "screened", caller.subject, screen_id=screen_id, positive=found.positive)
    tx.insert("incident_acts", act)
    tx.put("incident_people", entry)
    return act


async def hold_session(
    incident_id: UUID,
    session_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    division: str,
    method: str,
    held_at: datetime,
    minutes: int,
    participants: int,
    led_by: list[str],
) -> Document:
    """Group crisis management: one session, how many took part, by which method, led by whom."""
    digest = same_again(office, division, method, held_at, minutes, participants, led_by)
    present = await _act(incident_id, session_id, "session", digest, caller, tx)
    if present is not None:
        return present
    incident = await seen_incident(incident_id, caller, tx)
    if not caller.sees(division):
        raise NotFound("there is no such division")
    if not lies_in(division, incident["areas"]):
        raise Refused("outside", "the incident does not reach there", "division")
    policy = office.incidents.of(incident["policy"])
    _method(method, "group", policy)
    act = _new_act(incident, session_id, "session", moment_of(held_at, "held_at", tx, office), digest, caller, policy)
    act.update(division=division, method=method, minutes=minutes, participants=participants, led_by=led_by)
    note(incident, tx, "session_held", caller.subject, session_id=session_id, participants=participants)
    tx.insert("incident_acts", act)
    tx.put("incidents", incident)
    return act


async def intervene(
    incident_id: UUID,
    intervention_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    person_id: UUID,
    method: str,
    held_at: datetime,
    acute_stress: str | None,
    organisation_id: UUID | None,
    case_id: UUID | None,
) -> Document:
    """Individual crisis intervention: linked to the person's case where there is one.

    `acute_stress` is a code of the policy's list; one that is a diagnosis needs the medical institution that made it.
    """
    digest = same_again(office, person_id, method, held_at, acute_stress, organisation_id, case_id)
    present = await _act(incident_id, intervention_id, "intervention", digest, caller, tx)
    if present is not None:
        return present
    incident, entry = await seen_person(incident_id, person_id, caller, tx)
    _room(entry)
    policy = office.incidents.of(incident["policy"])
    _method(method, "individual", policy)
    if acute_stress is not None:
        await _check_stress(acute_stress, organisation_id, policy, tx)
        if acute_stress not in entry["acute_stress"]:
            entry["acute_stress"] = sorted([*entry["acute_stress"], acute_stress])
        put_on_list(entry, incident, tx, f"acute_stress:{intervention_id}")
    if case_id is not None:
        case = await known_case(case_id, caller, tx)
        if case_id not in entry["cases"]:
            entry["cases"] = [*entry["cases"], case_id][-50:]
        note(case, tx, "incident_intervention", caller.subject, incident_id=incident_id, method=method)
        tx.put("cases", case)
    held = moment_of(held_at, "held_at", tx, office)
    act = _new_act(incident, intervention_id, "intervention", held, digest, caller, policy)
    act.update(
        entry_id=entry["_id"],
        division=entry["division"],
        method=method,
        acute_stress=acute_stress,
        organisation_id=organisation_id,
        case_id=case_id,
    )
    keep(entry, tx, "intervention", caller.subject, intervention_id=intervention_id, method=method)
    tx.insert("incident_acts", act)
    tx.put("incident_people", entry)
    return act


def _room(entry: Document) -> None:
    """An entry is one document: what is done for one person in one incident has an end."""
    if entry["screened"] >= MOST_ACTS or len(entry["aftercare"]["reasons"]) >= MOST_ACTS:
        raise NotAllowed(f"a person has at most {MOST_ACTS} screens and reasons in one incident")


async def _check_stress(code: str, organisation_id: UUID | None, policy: IncidentPolicy, tx: Tx) -> None:
    row = coded(policy.acute_stress, code)
    if row is None:
        known = ", ".join(one.code for one in policy.acute_stress)
        raise Refused("unknown_code", f"one of {known}", "acute_stress")
    if organisation_id is None:
        if row.by_institution:
            raise Refused("institution", f"{code} is a diagnosis; name the institution that made it", "organisation_id")
        return
    organisation = await tx.get("organisations", organisation_id)
    if organisation is None or organisation["kind"] not in MEDICAL:
        raise Refused("institution", "the registry knows no such medical institution", "organisation_id")


def _method(code: str, setting: str, policy: IncidentPolicy) -> None:
    row = coded(policy.methods, code)
    if row is None or setting not in row.settings:
        known = ", ".join(one.code for one in policy.methods if setting in one.settings)
        raise Refused("unknown_code", f"one of {known}", "method")


async def _act(incident_id: UUID, act_id: UUID, kind: str, digest: str, caller: Caller, tx: Tx) -> Document | None:
    """What was taken down under this id before; raises `NotAllowed` where it was something else."""
    present = await tx.get("incident_acts", act_id)
    if present is None:
        return None
    if (present["incident_id"], present["kind"]) != (incident_id, kind) or not caller.sees(present["division"]):
        raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
    return check_same(present, digest)


def _new_act(
    incident: Document, act_id: UUID, kind: str, held_at: Any, digest: str, caller: Caller, policy: IncidentPolicy
) -> Document:
    return {
        "_id": act_id,
        "incident_id": incident["_id"],
        "kind": kind,
        "held_at": held_at,
        "by": caller.subject,
        "policy": policy.version,
        "digest": digest,
    }

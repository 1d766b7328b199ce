"""A hospital refers to us: what its staff noticed becomes a flag, and from there a case like every other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel
from contracts.hotline import AgeBand, Sex, Way
from services.crisis.commands.rights import institution_of
from services.crisis.intake import raise_flag
from services.crisis.office import Office


class Question(StrEnum):
    """What the form asks; not to have asked is an answer that shows."""

    act_in_progress = "act_in_progress"
    plan_within_72_hours = "plan_within_72_hours"
    attempt_within_2_weeks = "attempt_within_2_weeks"
    danger_to_others = "danger_to_others"
    suspected_harm_to_minor = "suspected_harm_to_minor"
    consent_to_follow_up = "consent_to_follow_up"


@dataclass(frozen=True)
class Noticed:
    """What the hospital's staff noticed, and whom about. `contact` and `identifier` never leave here in the clear."""

    ident: UUID
    division: str
    department: str
    identifier: str | None = None
    contact: dict[str, str] = field(default_factory=dict)
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    answers: Mapping[Question, Answer] = field(default_factory=dict)


async def take_referral(noticed: Noticed, caller: Caller, tx: Tx, office: Office) -> Document:
    """Take a hospital's referral form. The same form again, by its id, changes nothing; another is refused (409)."""
    institution = institution_of(caller)
    organisation = await tx.get("organisations", institution) if institution else None
    if organisation is None or organisation["kind"] != "hospital":
        raise NotFound("the token names no hospital")
    digest = office.digest(json.dumps(_plain(noticed), sort_keys=True))
    known = await tx.get("incoming_referrals", noticed.ident)
    if known is not None:
        if (known["organisation_id"], known["digest"]) != (institution, digest):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    if len(noticed.division) < 6 or await tx.get("divisions", noticed.division) is None:
        raise Refused("unknown_division", f"there is no county, town or village {noticed.division}", "division")
    raise_flag(
        tx,
        source=f"hospital-{str(institution)[-12:]}",
        way=Way.concern,
        channel=Channel.other,
        division=noticed.division,
        contact=noticed.ident,
        ident=noticed.ident,
        caller=office.pseudonym(noticed.identifier) if noticed.identifier else None,
        sealed_contact=office.envelope.seal(noticed.contact) if noticed.contact else None,
        age_band=noticed.age_band,
        sex=noticed.sex,
        **{question.value: answer for question, answer in noticed.answers.items()},
    )
    document: Document = {
        "_id": noticed.ident,
        "flag_id": noticed.ident,
        "organisation_id": institution,
        "division": noticed.division,
        "department": noticed.department,
        "by": caller.subject,
        "at": tx.now,
        "digest": digest,
    }
    tx.insert("incoming_referrals", document)
    tx.record(
        actor=caller.subject,
        action="referral_taken_in",
        subject=str(noticed.ident),
        division=noticed.division,
        reason="identified_by_hospital",
        organisation_id=str(institution),
    )
    return document


def _plain(noticed: Noticed) -> dict[str, Any]:
    return {
        "division": noticed.division,
        "department": noticed.department,
        "identifier": noticed.identifier,
        "contact": noticed.contact,
        "age_band": noticed.age_band.value,
        "sex": noticed.sex.value,
        "answers": {name.value: answer.value for name, answer in noticed.answers.items()},
    }


def shown(document: Document) -> Document:
    """What the hospital is answered."""
    return {name: value for name, value in document.items() if name != "digest"}

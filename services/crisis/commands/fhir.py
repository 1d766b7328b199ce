"""FHIR in and out: the same rights, the same state machine and the same form as over the plain routes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import seal_key
from services.crisis.commands.referrals import Feedback, answer_referral, as_left
from services.crisis.commands.referrals_incoming import Noticed, Question, take_referral
from services.crisis.commands.rights import in_office, institution_of
from services.crisis.domain.fhir import bundle_of
from services.crisis.domain.fhir_inbound import Bundle, Misread, Task, names, read, referred_by, said_by
from services.crisis.office import Office

PATHS = {"at": "Task.executionPeriod.start", "reason": "Task.statusReason", "feedback": "Task.output"}
"""Where a Task says what the plain answer calls so."""
FORM_PATHS = {"division": "ServiceRequest.locationCode"}


async def show(referral_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A referral as a Bundle, for the office that owns the case and for the institution that has it."""
    referral = await store.the_referral(tx, referral_id)
    case = await store.the_case(tx, referral["case_id"])
    receives = institution_of(caller) == referral["organisation_id"] and referral["due_at"] is not None
    if not (receives or in_office(case, caller)):
        raise NotFound("there is no such referral")
    return await _bundle(referral, case, tx, office)


async def _bundle(referral: Document, case: Document, tx: Tx, office: Office) -> Document:
    receiver = await tx.get("organisations", referral["organisation_id"]) if referral["organisation_id"] else None
    # Two institutions cannot find out that they have the same person: each knows another pseudonym.
    known_as = f"patient:{referral['organisation_id']}:{seal_key(case)}"
    return bundle_of(referral, receiver, office.digest(known_as), tx.now)


async def take_task(referral_id: UUID, document: Any, caller: Caller, tx: Tx, office: Office) -> Document:
    """A receiver's system tells how far it is. Raises `Refused` with the element's path."""
    try:
        task = read(Task, document)
        if names(task) - {referral_id}:
            raise Misread("Task.focus", "the Task is about another referral than the address")
        said = said_by(task)
    except Misread as error:
        raise Refused("invalid_fhir", error.detail, error.path) from error
    feedback = Feedback(*said.feedback) if said.feedback else None
    try:
        answered = await answer_referral(referral_id, said.state, said.reason, said.at, caller, tx, office, feedback)
    except Refused as error:
        raise Refused(error.reason, error.detail, PATHS.get(error.field or "", error.field)) from error
    case = await store.the_case(tx, answered["case_id"])
    return await _bundle(as_left(answered, institution_of(caller)), case, tx, office)


async def take_bundle(document: Any, caller: Caller, tx: Tx, office: Office) -> Document:
    """A hospital's system refers to us. Raises `Refused` with the element's path."""
    try:
        referred = referred_by(read(Bundle, document), local_day(tx.now))
    except Misread as error:
        raise Refused("invalid_fhir", error.detail, error.path) from error
    institution = institution_of(caller)
    organisation = await tx.get("organisations", institution) if institution else None
    division = referred.division or (organisation["division"] if organisation else "")
    answers = {Question(name): answer for name, answer in referred.answers.items()}
    noticed = Noticed(**{**referred.model_dump(), "division": division, "answers": answers})
    try:
        return await take_referral(noticed, caller, tx, office)
    except Refused as error:
        raise Refused(error.reason, error.detail, FORM_PATHS.get(error.field or "", error.field)) from error

"""Consent to sharing with one unit, doing without it where life is in danger, and telling the person afterwards."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from services.crisis import store
from services.crisis.case import need_decision, note
from services.crisis.commands.rights import OFFICERS, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.office import Office
from services.crisis.store.referrals import consent_about, the, unfinished_of_case, untold

LEGAL_BASIS = "pipl-13-4"
"""An emergency that threatens life or health: a lawful basis without consent."""
REFUSED = (Answer.no, Answer.refused)
UNCONFIRMED = ("required", "called", "unconfirmed")


class Scope(StrEnum):
    """What the person agrees to share with a unit."""

    referral = "referral"
    contact = "contact"
    assessment = "assessment"
    medication = "medication"
    attendance = "attendance"


async def keep_consent(
    case_id: UUID,
    organisation_id: UUID,
    answer: Answer,
    scopes: list[Scope],
    caller: Caller,
    tx: Tx,
) -> Document:
    """What the person said to sharing with this unit. A later answer takes the place of the earlier, which is kept."""
    case = await seen_case(case_id, caller, tx)
    if await tx.get("organisations", organisation_id) is None:
        raise NotFound("there is no such organisation")
    if answer is not Answer.yes and scopes:
        raise Refused("scopes_without_consent", "only a yes has scopes", "scopes")
    if answer is Answer.yes and not scopes:
        raise Refused("scopes_missing", "a yes says to what", "scopes")
    said = {"answer": answer.value, "scopes": sorted(scope.value for scope in set(scopes))}
    before = await consent_about(tx, case_id, organisation_id)
    if before is not None and {name: before[name] for name in said} == said:
        return before
    said_before = (
        [*before["said_before"], {name: before[name] for name in ("answer", "scopes", "by", "at")}][-50:]
        if (before)
        else []
    )
    consent: Document = {
        "_id": before["_id"] if before else new_id(),
        "case_id": case_id,
        "organisation_id": organisation_id,
        **said,
        "by": caller.subject,
        "at": tx.now,
        "withdrawn": before is not None and before["answer"] == Answer.yes and answer in REFUSED,
        "said_before": said_before,
    }
    tx.put("consents", consent)
    tx.record(
        actor=caller.subject,
        action="consent_kept",
        subject=str(case_id),
        division=case["division"],
        reason=answer.value,
        organisation_id=str(organisation_id),
        scopes=",".join(said["scopes"]),
    )
    note(case, tx, "consent_kept", caller.subject, organisation_id=organisation_id, answer=answer.value)
    tx.put("cases", case)
    return consent


async def consent_to(case: Document, organisation_id: UUID, scope: Scope, tx: Tx) -> Answer:
    """What holds for a unit and scope: what was said about the unit, or else what was said at the hotline."""
    consent = await consent_about(tx, case["_id"], organisation_id)
    if consent is None or consent["answer"] in (Answer.unknown, Answer.not_asked):
        return Answer(case["consent"]) if scope is Scope.referral else Answer.not_asked
    if consent["answer"] == Answer.yes and scope.value not in consent["scopes"]:
        return Answer.no
    return Answer(consent["answer"])


async def pass_consent_gate(
    case: Document,
    organisation_id: UUID,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> bool:
    """Whether consent was overridden. Raises `NotAllowed` where it is missing and nobody may do without it.

    An override is a right of its own: a supervisor's, or an officer's on duty at the tiers that the policy names. It
    changes nothing about what the person said, it is recorded with its legal basis, and the person is told afterwards.
    """
    answer = await consent_to(case, organisation_id, Scope.referral, tx)
    if answer is Answer.yes:
        return False
    if not override_reason:
        raise NotAllowed("the person's consent is not recorded; an override needs a reason")
    rules, tier = office.referral.at(tx.now).override, Tier(case["tier"])
    if answer in REFUSED and tier not in rules.refusal_tiers:
        raise NotAllowed(f"the person refused, and at {tier} a refusal stands", reason="refusal_stands")
    caller.needs(*(OFFICERS if tier in rules.officer_tiers else ("supervisor",)))
    tx.record(
        actor=caller.subject,
        action="consent_overridden",
        subject=str(case["_id"]),
        division=case["division"],
        reason=override_reason,
        legal_basis=LEGAL_BASIS,
        organisation_id=str(organisation_id),
        consent=answer.value,
        tier=tier.value,
    )
    due_at = tx.now + timedelta(hours=rules.tell_hours)
    waiting = await untold(tx, case["_id"], organisation_id)
    telling: Document = {
        **(waiting[0] if waiting else {"_id": new_id()}),
        "case_id": case["_id"],
        "organisation_id": organisation_id,
        "division": case["division"],
        "about": "consent_overridden",
        "by": caller.subject,
        "at": tx.now,
        "due_at": due_at,
        "state": "open",
        "told_by": None,
        "told_at": None,
    }
    tx.put("tellings", telling)
    tx.set_timer("telling", telling["_id"], due_at)
    note(case, tx, "consent_overridden", caller.subject, organisation_id=organisation_id)
    return True


async def tell(telling_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The person has been told that something went to a unit without consent, and why; also after the case closed."""
    telling = await the(tx, "tellings", telling_id, "thing to tell")
    if not caller.sees(telling["division"]):
        raise NotFound("there is no such thing to tell")
    if telling["state"] == "told":
        return telling
    case = await store.the_case(tx, telling["case_id"])
    telling.update(state="told", told_by=caller.subject, told_at=tx.now)
    tx.put("tellings", telling)
    tx.cancel_timer("telling", telling_id)
    note(case, tx, "told_after_emergency", caller.subject, organisation_id=telling["organisation_id"])
    if not (await unfinished_of_case(tx, telling["case_id"]))["tellings"]:
        about = Matter.tell_after_emergency
        case["decisions_needed"] = [other for other in case["decisions_needed"] if other != about]
    tx.record(
        actor=caller.subject,
        action="told_after_emergency",
        subject=str(telling["case_id"]),
        division=telling["division"],
        reason="pipl-18",
        organisation_id=str(telling["organisation_id"]),
    )
    tx.put("cases", case)
    return telling


async def telling_due(telling_id: UUID, tx: Tx, office: Office) -> None:
    """The emergency should be over by now: the person is to be told. While an act is unconfirmed it waits on."""
    telling = await tx.get("tellings", telling_id)
    case = await tx.get("cases", telling["case_id"]) if telling else None
    if telling is None or telling["state"] != "open" or case is None or case["state"] != "open":
        return
    if telling["due_at"] <= tx.now and case["emergency"]["state"] in UNCONFIRMED:
        telling["due_at"] = tx.now + timedelta(hours=office.referral.at(tx.now).override.tell_hours)
        tx.put("tellings", telling)
    if telling["due_at"] > tx.now:
        tx.set_timer("telling", telling_id, telling["due_at"])
        return
    need_decision(case, Matter.tell_after_emergency)
    note(case, tx, "tell_after_emergency", "policy", organisation_id=telling["organisation_id"])
    tx.put("cases", case)


def sharing(consent: Document) -> dict[str, Any]:
    """A consent as it is answered."""
    return {name: value for name, value in consent.items() if name != "_id"}

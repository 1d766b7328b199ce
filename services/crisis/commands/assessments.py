"""Assessments with an instrument: each answer is taken as it comes, and raises what it raises at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from services.crisis import store
from services.crisis.case import (
    add_follow_up,
    keep_plan,
    need_decision,
    note,
    raise_tier,
    require_emergency,
)
from services.crisis.commands.chains import draft_where_none
from services.crisis.commands.reading import read_case
from services.crisis.commands.rights import OFFICERS, known_case, responds
from services.crisis.domain.instruments import (
    CarePolicy,
    CareTier,
    Catalogue,
    Definition,
    Manual,
    Result,
    Route,
    WrongAnswer,
    care_tier,
    case_tier,
    elderly_tier,
    higher,
    route,
    score,
)
from services.crisis.domain.matters import Matter
from services.crisis.office import Office

HISTORY_LENGTH = 200


@dataclass(frozen=True)
class Taken:
    """What was taken, and the answers so far; the newest version of the default variant where they are not said."""

    instrument: str
    variant: str | None
    version: str | None
    answers: Mapping[str, int | str]
    manual: str | None = None


def definition_of(taken: Taken, instruments: Catalogue) -> Definition:
    """Raises `Refused` with the field."""
    try:
        return instruments.get(taken.instrument, taken.variant, taken.version)
    except KeyError as error:
        raise Refused("unknown_instrument", "there is no such instrument, variant and version", "instrument") from error


def scored(definition: Definition, answers: Mapping[str, int | str]) -> Result:
    """Raises `Refused` with the item."""
    try:
        return score(definition, answers)
    except WrongAnswer as error:
        raise Refused("wrong_answer", error.detail, f"answers.{error.item}") from error


async def put_assessment(
    case_id: UUID, assessment_id: UUID, taken: Taken, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Keep the answers so far, and do what they ask for.

    Answers may be sent again as they grow or are corrected, under the same id, until none is missing. What was raised
    by an answer stays raised when the answer is corrected: lowering takes two persons.
    """
    case = await _their_case(case_id, caller, tx)
    before = await tx.get("assessments", assessment_id)
    if before is not None:
        _same(before, case_id, taken)
        if {**before["answers"], **taken.answers} == before["answers"]:
            return before
        if before["complete"]:
            raise NotAllowed("this assessment is complete; take another one", reason="id_reused", field="id")
    if case["state"] != "open":
        raise NotAllowed("the case is closed")
    if before is None:
        definition = definition_of(taken, office.instruments)
        policy = office.care_tiers.at(tx.now)
        document = _new(assessment_id, case, definition, _manual(definition, taken.manual), policy, caller, tx)
    else:
        definition = office.instruments.get(before["instrument"], before["variant"], before["version"])
        policy = office.care_tiers.of(before["policy"])
        document = before
    answers = {**document["answers"], **taken.answers}
    result = scored(definition, answers)
    await _follow(case, document, result, caller, tx, office, policy)
    document.update(
        answers=answers,
        result=_told(result),
        complete=result.complete,
        updated_by=caller.subject,
        updated_at=tx.now,
        history=[
            *document["history"],
            {"at": tx.now, "by": caller.subject, "answers": dict(taken.answers), "band": result.band},
        ][-HISTORY_LENGTH:],
    )
    tx.put("assessments", document)
    tx.put("cases", case)
    return document


async def read_assessments(case_id: UUID, caller: Caller, tx: Tx, office: Office) -> list[Document]:
    """A case's assessments, the latest first; a responder sees what they took. Each reading is one of the case."""
    case = await store.the_case(tx, case_id)
    await read_case(case_id, caller, tx, office)
    by = caller.subject if responds(case, caller) else None
    return await store.assessments.assessments_of(tx, case_id, by)


async def _their_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The case of an officer who may see it, or of the responder who took it."""
    case = await store.the_case(tx, case_id)
    if responds(case, caller):
        return case
    if not caller.roles.intersection(OFFICERS):
        raise NotFound("there is no such case")
    return await known_case(case_id, caller, tx)


def _same(before: Document, case_id: UUID, taken: Taken) -> None:
    same = before["case_id"] == case_id and before["instrument"] == taken.instrument
    if not (
        same
        and taken.variant in (None, before["variant"])
        and taken.version in (None, before["version"])
        and taken.manual in (None, before["manual"]["code"])
    ):
        raise NotAllowed("this id was taken before for another assessment", reason="id_reused", field="id")


def _manual(definition: Definition, code: str | None) -> Manual:
    try:
        return definition.manual(code)
    except KeyError as error:
        known = ", ".join(manual.code for manual in definition.manuals)
        raise Refused("unknown_manual", f"{definition.instrument} is used by {known}", "manual") from error


def _new(
    ident: UUID, case: Document, definition: Definition, manual: Manual, policy: CarePolicy, caller: Caller, tx: Tx
) -> Document:
    return {
        "_id": ident,
        "case_id": case["_id"],
        "division": case["division"],
        "instrument": definition.instrument,
        "variant": definition.variant,
        "version": definition.version,
        "manual": {"code": manual.code, "edition": manual.edition},
        "policy": policy.version,
        "answers": {},
        "care": {"tier": CareTier.unknown.value, "highest": None, "elderly": "unknown", "route": None, "offers": []},
        "safety_assessment_needed": False,
        "case_tier": None,
        "by": caller.subject,
        "at": tx.now,
        "history": [],
    }


def _told(result: Result) -> Document:
    return {
        "total": result.total,
        "band": result.band,
        "at_least": result.at_least,
        "positive": result.positive,
        "positive_items": result.positive_items,
        "parts": {part.code: part.value for part in result.parts},
        "missing": list(result.missing),
        "safety_assessment_needed": result.safety_assessment_needed,
        "evidence": list(result.evidence),
    }


async def _follow(
    case: Document, document: Document, result: Result, caller: Caller, tx: Tx, office: Office, policy: CarePolicy
) -> None:
    """What the result asks for, once: nothing that a former answer brought is taken back by a later one."""
    care = document["care"]
    before = CareTier(care["highest"]) if care["highest"] else None
    tier = care_tier([result], policy)
    highest = tier if before is None else higher(before, tier)
    if before is None or highest is not before or result.complete:
        note(
            case,
            tx,
            "assessed",
            caller.subject,
            assessment_id=document["_id"],
            instrument=document["instrument"],
            band=result.band,
            care=tier.value,
            complete=result.complete,
        )
    await _raise_case(case, document, result, tx, office, policy)
    if result.safety_assessment_needed and not document["safety_assessment_needed"]:
        document["safety_assessment_needed"] = case["assessment_needed"] = True
        need_decision(case, Matter.safety_assessment_due)
        note(case, tx, Matter.safety_assessment_due.value, "policy", assessment_id=document["_id"])
    if before is not highest:
        await _take(route(highest), highest, case, document, tx, office, policy)
    plan = policy.plans[highest]
    document["care"] = {
        "tier": tier.value,
        "highest": highest.value,
        "elderly": elderly_tier([result], policy).value,
        "route": route(highest).value,
        "offers": list(plan.offers),
    }
    document["due_again_at"] = tx.now + timedelta(days=plan.again_days)


async def _raise_case(
    case: Document, document: Document, result: Result, tx: Tx, office: Office, policy: CarePolicy
) -> None:
    tier = case_tier(result, policy)
    if tier is None:
        return
    former = Tier(document["case_tier"]) if document["case_tier"] else None
    if former is None or tier.rank > former.rank:
        document["case_tier"] = tier.value
        rules = office.policies.at(tx.now)
        if tier.rank > case["rank"]:
            receivers = await store.receivers_of(tx, [case["division"][:6]])
            await raise_tier(case, tx, rules, tier, receivers, "policy", ";".join(result.evidence))
        elif tier is Tier.imminent:
            require_emergency(case, tx, rules)


async def _take(
    way: Route, tier: CareTier, case: Document, document: Document, tx: Tx, office: Office, policy: CarePolicy
) -> None:
    """Intervene and follow up, or refer; to encourage or to ask again changes nothing in the case."""
    if way is Route.intervene_and_follow_up:
        await _follow_up(case, document, policy, tier, tx, office)
    elif way is Route.refer:
        need_decision(case, Matter.consultation_to_consider)
        note(case, tx, Matter.consultation_to_consider.value, "policy", assessment_id=document["_id"])
        await draft_where_none(case, tx, office)


async def _follow_up(
    case: Document, document: Document, policy: CarePolicy, tier: CareTier, tx: Tx, office: Office
) -> None:
    """Contacts that recur at the interval of the tier's plan, where the person has not refused them."""
    care = policy.plans[tier]
    if care.follow_up_every_days is None or case["consent"] in (Answer.no, Answer.refused):
        return
    plan = await tx.get("plans", case["_id"]) or {
        "_id": case["_id"],
        "division": case["division"],
        "tier": case["tier"],
        "policy": office.policies.at(tx.now).version,
        "follow_ups": [],
    }
    every = timedelta(days=care.follow_up_every_days)
    planned = [item["due_at"] for item in plan["follow_ups"] if item["state"] == "planned"]
    wanted = [tx.now + number * every for number in range(1, care.follow_up_times + 1)]
    # A contact that is planned already near the time serves for this as well.
    added = [moment for moment in wanted if all(abs(moment - other) > every / 2 for other in planned)]
    for moment in added:
        add_follow_up(plan, moment, assessment_id=document["_id"])
    keep_plan(plan, tx)
    note(case, tx, "follow_ups_added", "policy", assessment_id=document["_id"], number=len(added))


def told(document: Document, office: Office) -> dict[str, Any]:
    """What people read beside an assessment: the band's label, the tier's, and its guidance."""
    definition = office.instruments.get(document["instrument"], document["variant"], document["version"])
    policy = office.care_tiers.of(document["policy"])
    plan = policy.plans[CareTier(document["care"]["highest"])]
    band = document["result"]["band"]
    return {
        "title": definition.title,
        "band_label": definition.band(band).label if band else None,
        "care_label": plan.label,
        "elderly_label": plan.elderly_label,
        "guidance": plan.guidance,
        "measures": list(plan.measures),
    }

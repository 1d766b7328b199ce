"""The record of a case: its typed sections, its plans with their reviews, and the visits."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Tier
from services.crisis import store
from services.crisis.case import need_decision, note, raise_tier, seal_key
from services.crisis.commands.minors import need_guardians_consent
from services.crisis.commands.rights import known_case, responds, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.domain.pathway import ENDED, MEDICAL, Stage, allows
from services.crisis.domain.record import Entry, ProblemEntry, ReassessmentEntry, missing_fields
from services.crisis.office import Office

SAFETY_PLAN = "safety_plan"
CARE_PLAN = "care_plan"
REVIEW = "review"
"""The timer of the next re-assessment, one a case."""


async def workable_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """An open case that the caller works on: an officer of its division, or the responder who has taken it."""
    case = await store.the_case(tx, case_id)
    if responds(case, caller):
        if case["state"] != "open":
            raise NotAllowed("the case is closed")
        return case
    if "volunteer" in caller.roles and len(caller.roles) == 1:
        raise NotFound("there is no such case")
    return await seen_case(case_id, caller, tx)


# Sections


async def add_section(
    case_id: UUID, ident: UUID, entry: Entry, at: datetime | None, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Enter one section; the same one again is entered once. A red flag and a warning raise, and ask a supervisor.

    Raises `NotAllowed` (409) where the id was taken by another section.
    """
    case = await workable_case(case_id, caller, tx)
    if at is not None and at > tx.now:
        raise Refused("time_in_future", "the section is of a time that has not come", "at")
    codes, texts = entry.split()
    kind: str = entry.kind  # type: ignore[attr-defined]  # every section has one
    said = {"case": str(case_id), "kind": kind, "codes": codes, "texts": texts, "by": caller.subject, "at": at}
    digest = office.digest(json.dumps(said, sort_keys=True, default=str, ensure_ascii=False))
    known = await tx.get("sections", ident)
    if known is not None:
        if known["digest"] != digest:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return shown(known)
    person = seal_key(case)
    section: Document = {
        "_id": ident,
        "case_id": case_id,
        "division": case["division"],
        "kind": kind,
        "codes": codes,
        "by": caller.subject,
        "at": at or tx.now,
        "entered_at": tx.now,
        "person": person,
        "digest": digest,
        "personal": sorted(texts),
        "sealed": await office.keys.seal(tx, person, texts) if texts else None,
    }
    tx.insert("sections", section)
    note(case, tx, "section", caller.subject, section_id=ident, about=kind)
    for matter in entry.matters():
        need_decision(case, matter)
    if isinstance(entry, ProblemEntry) and entry.classified:
        # The latest classification is the case's: who is asked to help is told its categories, and no more.
        case["problem_codes"] = [code.value for code in entry.classified]
    if isinstance(entry, ReassessmentEntry):
        await _reassessed(case, entry, caller, tx, office)
    rule = entry.raises()
    if rule is not None:
        await _raise_at_least(case, rule, kind, caller, tx, office)
    tx.put("cases", case)
    return shown(section)


def shown(section: Document) -> Document:
    """A section as it is answered without a reading: its codes, and the names of what is sealed."""
    hidden = ("sealed", "digest", "person")
    return {name: value for name, value in section.items() if name not in hidden}


async def _raise_at_least(case: Document, rule: str, kind: str, caller: Caller, tx: Tx, office: Office) -> None:
    tier: Tier = getattr(office.record.at(tx.now).raises, rule).tier
    if tier.rank > case["rank"]:
        receivers = await store.receivers_of(tx, [case["division"][:6]])
        policy = office.policies.at(tx.now)
        await raise_tier(case, tx, policy, tier, receivers, caller.subject, f"section: {kind}")


async def open_sections(
    case_id: UUID, kind: str | None, reason: str, caller: Caller, tx: Tx, office: Office
) -> list[Document]:
    """The sections with what is personal in them, the latest first, for who works on the case; the reading is logged.

    What was sealed under a key that is gone shows as erased.
    """
    case = await store.the_case(tx, case_id)
    if not responds(case, caller):
        if "volunteer" in caller.roles and len(caller.roles) == 1:
            raise NotFound("there is no such case")
        await known_case(case_id, caller, tx)
    log_reading(case, "sections_read", reason, caller, tx, kind=kind)
    return [await _opened(section, tx, office) for section in await store.record.sections_to_open(tx, case_id, kind)]


def log_reading(case: Document, action: str, reason: str, caller: Caller, tx: Tx, **details: Any) -> None:
    """A reading of what is personal, in the audit log and in the counters."""
    tx.record(
        actor=caller.subject,
        action=action,
        subject=str(case["_id"]),
        division=case["division"],
        reason=reason,
        **details,
    )
    observe.PERSONAL_READS.labels("record").inc()


async def _opened(section: Document, tx: Tx, office: Office) -> Document:
    texts: dict[str, str] | None = {}
    if section.get("sealed") is not None:
        try:
            texts = await office.keys.open(tx, section["person"], section["sealed"])
        except Unreadable:
            texts = None
    return shown(section) | {"texts": texts, "erased": texts is None or bool(section["personal"] and not texts)}


# The plans, and their reviews


async def set_plan_version(
    case_id: UUID,
    kind: str,
    codes: dict[str, Any],
    texts: dict[str, str],
    review_at: datetime | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """A new version of the safety plan or of the individual plan; the same content again makes none.

    Earlier versions stay. The review's time is the policy's for the tier where none is named.
    """
    case = await seen_case(case_id, caller, tx)
    if kind == CARE_PLAN:
        need_guardians_consent(case, tx, office)
    record = await tx.get("care_records", case_id) or _new_record(case)
    last = await store.record.latest_plan(tx, case_id, kind)
    digest = office.digest(json.dumps({"codes": codes, "texts": texts, "review": review_at}, default=str))
    if last is not None and last["digest"] == digest:
        return record
    due_at = _review_time(review_at, case, tx, office)
    version = last["version"] + 1 if last else 1
    person = seal_key(case)
    tx.insert(
        "plan_versions",
        {
            "_id": new_id(),
            "case_id": case_id,
            "division": case["division"],
            "kind": kind,
            "version": version,
            "codes": codes,
            "by": caller.subject,
            "at": tx.now,
            "review_at": due_at,
            "person": person,
            "digest": digest,
            "sealed": await office.keys.seal(tx, person, texts) if texts else None,
        },
    )
    about: Document = {"version": version, "by": caller.subject, "at": tx.now, "review_at": due_at, **codes}
    if kind == SAFETY_PLAN:
        about["missing"] = missing_fields(texts)
    record[kind] = about
    _set_review(record, case, tx, due_at)
    note(case, tx, kind, caller.subject, version=version)
    tx.put("cases", case)
    return record


async def open_plan(
    case_id: UUID, kind: str, reason: str, caller: Caller, tx: Tx, office: Office
) -> list[dict[str, Any]]:
    """All versions of a plan in plain, the latest first; the reading is logged."""
    case = await store.the_case(tx, case_id)
    if not responds(case, caller):
        if "volunteer" in caller.roles and len(caller.roles) == 1:
            raise NotFound("there is no such case")
        await known_case(case_id, caller, tx)
    log_reading(case, f"{kind}_read", reason, caller, tx)
    versions: list[dict[str, Any]] = []
    for row in await store.record.plan_versions(tx, case_id, kind):
        try:
            texts = await office.keys.open(tx, row["person"], row["sealed"]) if row.get("sealed") else {}
        except Unreadable:
            texts = {}
        versions.append(shown(row) | {"texts": texts})
    return versions


async def _reassessed(case: Document, entry: ReassessmentEntry, caller: Caller, tx: Tx, office: Office) -> None:
    record = await tx.get("care_records", case["_id"]) or _new_record(case)
    due_at = _review_time(entry.next_review_at, case, tx, office)
    record["reassessed"] = {"at": tx.now, "by": caller.subject, "change": entry.change.value}
    _set_review(record, case, tx, due_at, only=True)
    case["decisions_needed"] = [matter for matter in case["decisions_needed"] if matter != Matter.review_due]


def _new_record(case: Document) -> Document:
    return {
        "_id": case["_id"],
        "division": case["division"],
        "safety_plan": None,
        "care_plan": None,
        "reassessed": None,
        "review_due_at": None,
    }


def _review_time(wanted: datetime | None, case: Document, tx: Tx, office: Office) -> datetime:
    policy = office.record.at(tx.now)
    if wanted is None:
        return tx.now + policy.review_after(Tier(case["tier"]))
    latest = policy.reviews.most_days
    if not 0 < (wanted - tx.now).total_seconds() <= latest * 86_400:
        raise Refused("time_out_of_bounds", f"the review must lie within the next {latest} days", "review_at")
    return wanted


def _set_review(record: Document, case: Document, tx: Tx, due_at: datetime, *, only: bool = False) -> None:
    """The earliest review that any plan asks for; after a re-assessment the one that it names alone."""
    present = record["review_due_at"]
    if not only and present is not None and tx.now < present < due_at:
        due_at = present
    record["review_due_at"] = due_at
    tx.put("care_records", record)
    tx.set_timer(REVIEW, case["_id"], due_at)


async def review_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """The re-assessment is due: it shows until it is done, and the clock reminds of it."""
    case, record = await tx.get("cases", case_id), await tx.get("care_records", case_id)
    if case is None or record is None or case["state"] != "open" or record["review_due_at"] is None:
        return
    if record["review_due_at"] > tx.now:
        tx.set_timer(REVIEW, case_id, record["review_due_at"])
        return
    need_decision(case, Matter.review_due)
    note(case, tx, "review_due", "policy")
    tx.put("cases", case)


# Visits


async def begin_encounter(
    case_id: UUID, ident: UUID, organisation_id: UUID, caller: Caller, tx: Tx, office: Office
) -> Document:
    """A visit begins with its reception at an organisation that the registry knows; the same id again is one visit."""
    case = await seen_case(case_id, caller, tx)
    known = await tx.get("encounters", ident)
    if known is not None:
        if (known["case_id"], known["organisation_id"]) != (case_id, organisation_id):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    need_guardians_consent(case, tx, office)
    if await tx.get("organisations", organisation_id) is None:
        raise Refused("unknown_organisation", "the registry knows no such organisation", "organisation_id")
    encounter: Document = {
        "_id": ident,
        "case_id": case_id,
        "division": case["division"],
        "organisation_id": organisation_id,
        "stage": Stage.reception.value,
        "at": tx.now,
        "history": [_step(Stage.reception, organisation_id, caller, tx)],
    }
    tx.insert("encounters", encounter)
    note(case, tx, "encounter", caller.subject, encounter_id=ident, stage=Stage.reception.value)
    tx.put("cases", case)
    return encounter


async def move_encounter(
    case_id: UUID,
    encounter_id: UUID,
    stage: Stage,
    organisation_id: UUID | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """The visit goes on to another stage, at the same organisation or at the one named; the same stage again is one.

    Raises `NotAllowed` (403) for psychotherapy anywhere but in a medical institution.
    """
    case = await seen_case(case_id, caller, tx)
    encounter = await store.record.the_encounter(tx, encounter_id)
    if encounter["case_id"] != case_id:
        raise NotFound("there is no such encounter")
    present = Stage(encounter["stage"])
    acting = organisation_id or encounter["organisation_id"]
    if present is stage and acting == encounter["organisation_id"]:
        return encounter
    if not allows(present, stage):
        raise NotAllowed(f"a visit does not go from {present} to {stage}")
    organisation = await tx.get("organisations", acting)
    if organisation is None:
        raise Refused("unknown_organisation", "the registry knows no such organisation", "organisation_id")
    if stage in MEDICAL and organisation["kind"] not in office.record.at(tx.now).pathway.medical:
        raise NotAllowed(
            "psychotherapy is given in medical institutions alone (精神卫生法 art. 51)",
            status=403,
            reason="not_a_medical_institution",
            field="organisation_id",
        )
    encounter.update(stage=stage.value, organisation_id=acting)
    encounter["history"] = [*encounter["history"], _step(stage, acting, caller, tx)]
    tx.put("encounters", encounter)
    note(case, tx, "encounter", caller.subject, encounter_id=encounter_id, stage=stage.value)
    tx.put("cases", case)
    return encounter


def _step(stage: Stage, organisation_id: UUID, caller: Caller, tx: Tx) -> Document:
    return {"at": tx.now, "stage": stage.value, "organisation_id": organisation_id, "by": caller.subject}


def is_over(encounter: Document) -> bool:
    """Whether a visit has come to its end."""
    return Stage(encounter["stage"]) in ENDED


# Outreach


async def need_legal_basis(case: Document, flag_id: UUID, tx: Tx) -> None:
    """An outreach that came in without a recorded legal basis shows, and a supervisor has to answer for it."""
    basis = await store.record.legal_basis_of(tx, flag_id)
    if basis is None:
        need_decision(case, Matter.legal_basis_missing)
        note(case, tx, "legal_basis_missing", "policy", flag_id=flag_id)
    else:
        tx.put("sections", {**basis, "case_id": case["_id"]})
        note(case, tx, "section", basis["by"], section_id=flag_id, about=basis["kind"])

"""The register of emergency plans: drafted by one person, approved by another."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import EmergencyKind
from services.crisis.commands.incidents_said import known_division, moment_of, same_again
from services.crisis.commands.risk_register import has_risk_plan
from services.crisis.domain.emergency_plans import RISK_PLAN, PlanState, allows, batch_mistake, missing_sections
from services.crisis.office import Office
from services.crisis.store.emergency_plans import head_of, the_emergency_plan

PLANNERS = ("supervisor", "district_centre", "department")
"""Who writes and approves emergency plans."""
MAGIC = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"PK\x03\x04",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"PK\x03\x04",
}
"""How a file of each type begins."""


async def draft_plan(
    plan_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    division: str,
    kind: EmergencyKind,
    title: str,
    sections: list[dict[str, Any]],
    revision: int,
) -> Document:
    """Write a draft, or its next revision. The same revision with the same content again changes nothing.

    Raises `Refused` for a section that stands twice, `NotAllowed` for another revision than the next.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    await known_division(tx, division)
    codes = [section["code"] for section in sections]
    if len(codes) != len(set(codes)):
        raise Refused("section_twice", "a section stands twice", "sections")
    digest = same_again(office, division, kind, title, sections)
    present = await tx.get("emergency_plans", plan_id)
    if present is None:
        if revision != 1:
            raise NotAllowed("a plan begins with revision 1", reason="revision", field="revision")
        head = await head_of(tx, division, kind.value)
        head["versions"] += 1
        tx.put("plan_heads", head)
        present = {
            "_id": plan_id,
            "division": division,
            "kind": kind.value,
            "version": head["versions"],
            "state": PlanState.draft.value,
            "attachments": [],
            "batches": [],
            "editors": [],
            "approved_by": None,
            "approved_at": None,
            "history": [],
        }
    else:
        _mine(present, caller)
        if present["revision"] == revision and present["digest"] == digest:
            return present
        _editable(present)
        if revision != present["revision"] + 1:
            raise NotAllowed(f"the draft is at revision {present['revision']}", reason="revision", field="revision")
        if (present["division"], present["kind"]) != (division, kind.value):
            raise NotAllowed("a plan stays with its division and kind", reason="id_reused", field="division")
    plan = {**present, "title": title, "sections": sections, "revision": revision, "digest": digest}
    _edited(plan, "drafted", caller, tx)
    return plan


async def set_batches(
    plan_id: UUID, revision: int, batches: list[dict[str, Any]], caller: Caller, tx: Tx, office: Office
) -> Document:
    """The schedule of batches that a plan carries, for example for handing over and burying ashes; no names.

    Raises `Refused` with the row that is wrong.
    """
    plan = await _draft_of(plan_id, caller, tx)
    digest = same_again(office, batches)
    if plan["revision"] == revision and plan.get("batches_digest") == digest:
        return plan
    if revision != plan["revision"] + 1:
        raise NotAllowed(f"the draft is at revision {plan['revision']}", reason="revision", field="revision")
    rows = [
        {
            **row,
            "starts_at": moment_of(row["starts_at"], f"batches.{number}.starts_at", tx, office, ahead_days=3660),
            "ends_at": moment_of(row["ends_at"], f"batches.{number}.ends_at", tx, office, ahead_days=3660),
        }
        for number, row in enumerate(batches)
    ]
    mistake = batch_mistake(rows)
    if mistake is not None:
        raise Refused("batches", mistake[1], mistake[0])
    plan.update(batches=rows, batches_digest=digest, revision=revision)
    _edited(plan, "batches_set", caller, tx)
    return plan


async def attach(
    plan_id: UUID, title: str, media_type: str, content: bytes, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Attach a file to a draft; the same file again is the same attachment. Raises `Refused` for what is too large, of
    a type that is not allowed, or not what its type says.
    """
    plan = await _draft_of(plan_id, caller, tx)
    policy = office.incidents.at(tx.now).plans
    if len(content) > policy.attachment_bytes:
        raise Refused("too_large", f"a file has at most {policy.attachment_bytes} bytes", "file")
    if media_type not in policy.media_types:
        raise Refused("media_type", f"one of {', '.join(policy.media_types)}", "header.content-type")
    if not content or not content.startswith(MAGIC.get(media_type, b"")):
        raise Refused("not_what_it_says", f"the content is no {media_type}", "file")
    digest = hashlib.sha256(content).hexdigest()
    if any(row["sha256"] == digest for row in plan["attachments"]):
        return plan
    if len(plan["attachments"]) >= policy.most_attachments:
        raise NotAllowed(f"a plan has at most {policy.most_attachments} attachments")
    row = {
        "id": new_id(),
        "title": title,
        "media_type": media_type,
        "bytes": len(content),
        "sha256": digest,
        "by": caller.subject,
        "at": tx.now,
    }
    tx.insert("plan_attachments", {"_id": row["id"], "plan_id": plan_id, "media_type": media_type, "content": content})
    plan["attachments"] = [*plan["attachments"], row]
    plan["revision"] += 1
    _edited(plan, "attached", caller, tx, sha256=digest)
    return plan


async def approve_plan(plan_id: UUID, revision: int, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """A second person puts the revision that was read into force; the version before it is superseded.

    Raises `NotAllowed` while the psychological part, or another part that the policy wants, is missing.
    """
    plan = await _planned(plan_id, caller, tx)
    if not allows(PlanState(plan["state"]), PlanState.approved):
        raise NotAllowed(f"the plan is {plan['state']}")
    if revision != plan["revision"]:
        raise NotAllowed(f"the draft is at revision {plan['revision']}", reason="revision", field="revision")
    if caller.subject in plan["editors"]:
        raise NotAllowed("who wrote a plan does not approve it", status=403)
    policy = office.incidents.at(tx.now)
    missing = missing_sections(plan["sections"], policy.plans.required_sections)
    if RISK_PLAN in missing and await has_risk_plan(tx, plan_id):
        missing.remove(RISK_PLAN)
    if missing:
        raise NotAllowed(f"the plan lacks {', '.join(missing)}", reason="section_missing", field="sections")
    head = await head_of(tx, plan["division"], plan["kind"])
    if head["plan_id"] is not None:
        before = await the_emergency_plan(tx, head["plan_id"])
        _move(before, PlanState.superseded, caller, tx, by_plan=plan_id)
    tx.put("plan_heads", {**head, "plan_id": plan_id})
    plan.update(approved_by=caller.subject, approved_at=tx.now, policy=policy.version)
    _move(plan, PlanState.approved, caller, tx)
    tx.record(
        actor=caller.subject,
        action="emergency_plan_approved",
        subject=str(plan_id),
        division=plan["division"],
        reason=reason,
        kind=plan["kind"],
        version=plan["version"],
        revision=revision,
    )
    return plan


async def withdraw_plan(plan_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """A draft is given up, or an approved plan is taken out of force without a successor: from then on a gap."""
    plan = await _planned(plan_id, caller, tx)
    state = PlanState(plan["state"])
    if not allows(state, PlanState.withdrawn):
        raise NotAllowed(f"the plan is {plan['state']}")
    if state is PlanState.approved:
        if plan["approved_by"] == caller.subject:
            raise NotAllowed("taking a plan out of force takes another person than who approved it", status=403)
        head = await head_of(tx, plan["division"], plan["kind"])
        tx.put("plan_heads", {**head, "plan_id": None})
    _move(plan, PlanState.withdrawn, caller, tx)
    tx.record(
        actor=caller.subject,
        action="emergency_plan_withdrawn",
        subject=str(plan_id),
        division=plan["division"],
        reason=reason,
        previous=state.value,
    )
    return plan


def readable_plan(plan: Document | None, caller: Caller) -> Document:
    """A plan of the caller's division, or an approved one that covers it from above; raises `NotFound`."""
    if plan is not None:
        above = plan["state"] == PlanState.approved and caller.division.startswith(plan["division"])
        if above or caller.sees(plan["division"]):
            return plan
    raise NotFound("there is no such plan")


async def _planned(plan_id: UUID, caller: Caller, tx: Tx) -> Document:
    plan = await the_emergency_plan(tx, plan_id)
    _mine(plan, caller)
    return plan


async def _draft_of(plan_id: UUID, caller: Caller, tx: Tx) -> Document:
    plan = await _planned(plan_id, caller, tx)
    _editable(plan)
    return plan


def _mine(plan: Document, caller: Caller) -> None:
    if not caller.sees(plan["division"]):
        raise NotFound("there is no such plan")


def _editable(plan: Document) -> None:
    if plan["state"] != PlanState.draft:
        raise NotAllowed(f"the plan is {plan['state']}; write a new version")


def _edited(plan: Document, kind: str, caller: Caller, tx: Tx, **details: Any) -> None:
    if caller.subject not in plan["editors"]:
        plan["editors"] = [*plan["editors"], caller.subject]
    _keep(plan, kind, caller, tx, revision=plan["revision"], **details)


def _move(plan: Document, state: PlanState, caller: Caller, tx: Tx, **details: Any) -> None:
    plan["state"] = state.value
    _keep(plan, state.value, caller, tx, **details)


def _keep(plan: Document, kind: str, caller: Caller, tx: Tx, **details: Any) -> None:
    plan["history"] = [*plan["history"], {"at": tx.now, "kind": kind, "by": caller.subject, **details}][-200:]
    tx.put("emergency_plans", plan)

"""The risk register of a project or plan: written by one person, approved by another, looked at again in time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.incidents_said import known_division, same_again
from services.crisis.domain.ledger_policy import RiskBounds
from services.crisis.domain.risk_register import LIVE, RegisterState, RiskState, allows, level, next_review, overdue
from services.crisis.office import Office
from services.crisis.store.risk_register import register_of, the_register

HISTORY_LENGTH = 200


async def has_risk_plan(tx: Tx, reference: UUID) -> bool:
    """Whether a project or plan has an approved risk register with a risk in it."""
    register = await register_of(tx, reference)
    return register is not None and register["state"] == RegisterState.approved and bool(register["risks"])


async def write_register(
    register_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    reference_id: UUID,
    about: str,
    division: str,
    title: str,
    risks: list[dict[str, Any]],
    revision: int,
) -> Document:
    """Write a register, or its next revision, which wants an approval of its own. The same again changes nothing.

    A risk keeps its state and its review day, which are changed by commands of their own; a risk of a register that was
    approved once is closed and never left out. Raises `Refused` with the field, `NotAllowed` for another revision.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    await known_division(tx, division, "body.division")
    if len({risk["id"] for risk in risks}) != len(risks):
        raise Refused("risk_twice", "a risk stands twice", "body.risks")
    digest = same_again(office, reference_id, about, division, title, risks)
    present = await tx.get("risk_registers", register_id)
    if present is None:
        present = await _begin(register_id, reference_id, about, division, revision, tx)
    else:
        _mine(present, caller)
        if present["revision"] == revision and present["digest"] == digest:
            return present
        _next(present, revision)
        if (present["reference_id"], present["about"], present["division"]) != (reference_id, about, division):
            raise NotAllowed("a register stays with what it is for", reason="id_reused", field="body.reference_id")
    policy = office.ledger.at(tx.now)
    register = {
        **present,
        "title": title,
        "risks": _risks(present, risks, policy.risks, tx),
        "revision": revision,
        "digest": digest,
        "state": RegisterState.draft.value,
        "approved_by": None,
        "approved_at": None,
        "policy": policy.version,
    }
    if caller.subject not in register["editors"]:
        register["editors"] = [*register["editors"], caller.subject]
    _keep(register, "written", caller, tx, revision=revision)
    return register


async def _begin(register_id: UUID, reference_id: UUID, about: str, division: str, revision: int, tx: Tx) -> Document:
    if revision != 1:
        raise NotAllowed("a register begins with revision 1", reason="revision", field="body.revision")
    if about == "emergency_plan":
        plan = await tx.get("emergency_plans", reference_id)
        if plan is None or plan["division"] != division:
            raise Refused("unknown_plan", "the division has no such emergency plan", "body.reference_id")
    if await register_of(tx, reference_id) is not None:
        raise NotAllowed("it has a risk register already", reason="reference_taken", field="body.reference_id")
    tx.insert("risk_register_heads", {"_id": reference_id, "register_id": register_id})
    return {
        "_id": register_id,
        "reference_id": reference_id,
        "about": about,
        "division": division,
        "risks": [],
        "editors": [],
        "ever_approved": False,
        "history": [],
    }


def _risks(present: Document, said: list[dict[str, Any]], bounds: RiskBounds, tx: Tx) -> list[Document]:
    known = {risk["id"]: risk for risk in present["risks"]}
    gone = sorted(known.keys() - {risk["id"] for risk in said})
    if gone and present["ever_approved"]:
        raise NotAllowed(f"{gone[0]} was approved: close it", reason="risk_left_out", field="body.risks")
    found: list[Document] = []
    for number, risk in enumerate(said):
        day = risk["review_on"].isoformat()
        before = known.get(risk["id"])
        if before is None:
            _check_day(risk["review_on"], bounds, f"body.risks.{number}.review_on", tx)
        elif before["review_on"] != day:
            field = f"body.risks.{number}.review_on"
            raise NotAllowed("the day is moved by a review", reason="review_needed", field=field)
        kept = before or {"state": RiskState.open.value, "reviewed_by": None, "reviewed_at": None}
        grade = level(risk["likelihood"], risk["severity"], bounds).value
        found.append({**kept, **risk, "review_on": day, "level": grade})
    return found


def _check_day(day: date, bounds: RiskBounds, field: str, tx: Tx) -> None:
    today = local_day(tx.now)
    if not today <= day <= today + timedelta(days=bounds.longest_review_days):
        raise Refused("day_out_of_bounds", f"within {bounds.longest_review_days} days from today", field)


async def approve_register(register_id: UUID, revision: int, reason: str, caller: Caller, tx: Tx) -> Document:
    """A person who wrote none of it approves the revision that was read; without a risk there is nothing to approve."""
    register = await _register(register_id, caller, tx)
    if register["state"] != RegisterState.draft:
        raise NotAllowed("the register is approved")
    if revision != register["revision"]:
        raise NotAllowed(
            f"the register is at revision {register['revision']}", reason="revision", field="body.revision"
        )
    if caller.subject in register["editors"]:
        raise NotAllowed("who wrote a register does not approve it", status=403)
    if not register["risks"]:
        raise NotAllowed("the register names no risk", reason="no_risk", field="risks")
    register.update(
        state=RegisterState.approved.value, approved_by=caller.subject, approved_at=tx.now, ever_approved=True
    )
    _keep(register, "approved", caller, tx, revision=revision)
    _record(register, "risk_register_approved", reason, caller, tx, revision=revision)
    return register


async def move_risk(register_id: UUID, risk_id: str, state: RiskState, reason: str, caller: Caller, tx: Tx) -> Document:
    """A risk was mitigated, came back, occurred, or is over. Closing it takes another person than its owner."""
    register, risk = await _risk(register_id, risk_id, caller, tx)
    previous = RiskState(risk["state"])
    if previous is state:
        return register
    if not allows(previous, state):
        raise NotAllowed(f"a risk that is {previous} cannot become {state}", reason="state", field="body.state")
    if state is RiskState.closed and risk["owner"] == caller.subject:
        raise NotAllowed("who answers for a risk does not close it", status=403)
    risk["state"] = state.value
    _keep(register, "moved", caller, tx, risk_id=risk_id, previous=previous.value, state=state.value)
    said = {"risk_id": risk_id, "previous": previous.value, "state": state.value}
    _record(register, "risk_moved", reason, caller, tx, **said)
    return register


async def review_risk(
    register_id: UUID, risk_id: str, review_on: date, reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """Somebody has looked at the risk, and says when it is looked at again."""
    register, risk = await _risk(register_id, risk_id, caller, tx)
    if risk["state"] not in LIVE:
        raise NotAllowed("the risk is closed")
    _check_day(review_on, office.ledger.at(tx.now).risks, "body.review_on", tx)
    risk.update(review_on=review_on.isoformat(), reviewed_by=caller.subject, reviewed_at=tx.now)
    _keep(register, "reviewed", caller, tx, risk_id=risk_id, review_on=risk["review_on"])
    _record(register, "risk_reviewed", reason, caller, tx, risk_id=risk_id)
    return register


def shown(register: Document, today: date) -> Document:
    """A register as it is answered, with the risks whose review is overdue."""
    hidden = ("digest", "ever_approved")
    told = {name: value for name, value in register.items() if name not in hidden}
    return {**told, "overdue": overdue(register["risks"], today.isoformat())}


async def _register(register_id: UUID, caller: Caller, tx: Tx) -> Document:
    register = await the_register(tx, register_id)
    _mine(register, caller)
    return register


async def _risk(register_id: UUID, risk_id: str, caller: Caller, tx: Tx) -> tuple[Document, Document]:
    register = await _register(register_id, caller, tx)
    risk = next((one for one in register["risks"] if one["id"] == risk_id), None)
    if risk is None:
        raise NotFound("there is no such risk in this register")
    return register, risk


def _mine(register: Document, caller: Caller) -> None:
    if not caller.sees(register["division"]):
        raise NotFound("there is no such risk register")


def _next(register: Document, revision: int) -> None:
    if revision != register["revision"] + 1:
        raise NotAllowed(
            f"the register is at revision {register['revision']}", reason="revision", field="body.revision"
        )


def _keep(register: Document, kind: str, caller: Caller, tx: Tx, **details: Any) -> None:
    register["history"] = [*register["history"], {"at": tx.now, "kind": kind, "by": caller.subject, **details}][
        -HISTORY_LENGTH:
    ]
    register["next_review_on"] = next_review(register["risks"])
    tx.put("risk_registers", register)


def _record(register: Document, action: str, reason: str, caller: Caller, tx: Tx, **details: Any) -> None:
    tx.record(
        actor=caller.subject,
        action=action,
        subject=str(register["_id"]),
        division=register["division"],
        reason=reason,
        **details,
    )

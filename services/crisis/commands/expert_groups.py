"""Expert groups kept, called out, and answering by name; silence calls the next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import EmergencyLevel
from services.crisis.commands.incidents_said import known_division
from services.crisis.commands.rights import OFFICERS, known_case
from services.crisis.domain.expert_groups import WAITING, CallOutState, allows, call_list, next_to_call
from services.crisis.office import Office
from services.crisis.store.expert_groups import group_for, the_call_out

TIMER = "call_out"
KEEPERS = ("supervisor", "district_centre", "department")
"""Who keeps an expert group's list."""
MEMBERS = (*OFFICERS, "volunteer", "receiver", "school_counsellor", "community_worker", "department")
"""The roles that a member of an expert group may have."""


async def keep_group(
    division: str,
    members: list[dict[str, Any]],
    revision: int,
    caller: Caller,
    tx: Tx,
) -> Document:
    """Write the division's expert group, whole. The same again changes nothing; `revision` is the next one.

    Raises `Refused` for a member that stands twice or a certificate that ends before it begins.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    await known_division(tx, division)
    subjects = [member["subject"] for member in members]
    if len(subjects) != len(set(subjects)):
        raise Refused("member_twice", "a member stands twice", "members")
    rows = []
    for number, member in enumerate(members):
        certificate = member["certificate"]
        if certificate is not None:
            certificate = {name: str(value) for name, value in certificate.items()}
            if certificate["valid_until"] < certificate["valid_from"]:
                field = f"members.{number}.certificate.valid_until"
                raise Refused("certificate", "the certificate ends before it begins", field)
        rows.append({**member, "specialities": sorted(set(member["specialities"])), "certificate": certificate})
    group = await tx.get("expert_groups", division)
    present = group["revision"] if group else 0
    if group is not None and revision == present and rows == group["members"]:
        return group
    if revision != present + 1:
        raise NotAllowed(f"the group is at revision {present}", reason="revision", field="revision")
    history = group["history"] if group else []
    entry = {"at": tx.now, "by": caller.subject, "revision": revision, "members": subjects}
    group = {"_id": division, "members": rows, "revision": revision, "history": [*history, entry][-100:]}
    tx.put("expert_groups", group)
    return group


def shown_group(group: Document, day_of: Any) -> Document:
    """The group with what is missing: whom a call-out would leave out today, and why."""
    ready = set(call_list(group["members"], local_day(day_of)))
    left_out = [member["subject"] for member in group["members"] if member["subject"] not in ready]
    return {**group, "division": group["_id"], "would_be_called": len(ready), "left_out": left_out}


def shown_to_member(made: Document, subject: str) -> Document:
    """A call-out as the one who was called sees it: not who else was."""
    mine = [call for call in made["calls"] if call["subject"] == subject]
    shown = ("division", "level", "state", "incident_id", "case_id", "at")
    return {"id": made["_id"], **{name: made[name] for name in shown}, "calls": mine}


async def call_out(
    call_out_id: UUID,
    area: str,
    level: EmergencyLevel,
    tx: Tx,
    office: Office,
    *,
    by: str,
    wanted: int,
    incident_id: UUID | None = None,
    case_id: UUID | None = None,
) -> Document | None:
    """Call the experts of an area, as many at once as are wanted; nothing where no group covers the area."""
    group = await group_for(tx, area)
    if group is None:
        return None
    policy = office.incidents.at(tx.now)
    made: Document = {
        "_id": call_out_id,
        "division": area,
        "group": group["_id"],
        "level": level.value,
        "state": CallOutState.calling.value,
        "wanted": wanted,
        "order": call_list(group["members"], local_day(tx.now)),
        "calls": [],
        "incident_id": incident_id,
        "case_id": case_id,
        "policy": policy.version,
        "by": by,
        "at": tx.now,
        "due_at": None,
    }
    _go_on(made, tx, office)
    return made


async def call_group(
    call_out_id: UUID,
    division: str,
    level: EmergencyLevel,
    wanted: int | None,
    case_id: UUID | None,
    reason: str,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """An officer calls the expert group, for a case for example. The same id again is the same call-out.

    Raises `NotFound` where no group covers the division.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    present = await tx.get("expert_call_outs", call_out_id)
    if present is not None:
        if (present["division"], present["case_id"], present["level"]) != (division, case_id, level.value):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return present
    if case_id is not None:
        await known_case(case_id, caller, tx)
    wanted = wanted or max(1, office.incidents.at(tx.now).call_out.experts[level])
    made = await call_out(call_out_id, division, level, tx, office, by=caller.subject, wanted=wanted, case_id=case_id)
    if made is None:
        raise NotFound("no expert group covers this division")
    tx.record(
        actor=caller.subject,
        action="experts_called",
        subject=str(call_out_id),
        division=division,
        reason=reason,
        level=level.value,
    )
    return made


async def answer_call(
    call_out_id: UUID, answer: Literal["acknowledged", "declined"], caller: Caller, tx: Tx, office: Office
) -> Document:
    """A member who was called answers, by name; late is welcome while experts are missing. Raises `NotFound` to others.

    The same answer again changes nothing.
    """
    made = await the_call_out(tx, call_out_id)
    mine = [call for call in made["calls"] if call["subject"] == caller.subject]
    if not mine:
        raise NotFound("there is no such call-out")
    call = mine[-1]
    if call["outcome"] == answer:
        return made
    state = CallOutState(made["state"])
    late = call["outcome"] == "silent" and answer == "acknowledged" and _missing(made) > 0
    if state is CallOutState.cancelled or not (call["outcome"] == WAITING or late):
        raise NotAllowed(f"the call is {call['outcome'] if state is not CallOutState.cancelled else state}")
    call.update(outcome=answer, answered_at=tx.now)
    _go_on(made, tx, office)
    return made


async def want_more(made: Document, wanted: int, level: EmergencyLevel, tx: Tx, office: Office) -> None:
    """A graver level wants more experts; those who were called stay called."""
    if wanted > made["wanted"] and made["state"] != CallOutState.cancelled:
        made.update(wanted=wanted, level=level.value)
        _go_on(made, tx, office)


async def cancel_call_out(call_out_id: UUID, reason: str, caller: Caller, tx: Tx) -> Document:
    """The experts are not needed any more; who was called and has not answered need not."""
    made = await the_call_out(tx, call_out_id)
    if not caller.sees(made["division"]):
        raise NotFound("there is no such call-out")
    if not allows(CallOutState(made["state"]), CallOutState.cancelled):
        raise NotAllowed(f"the call-out is {made['state']}")
    end_call_out(made, tx)
    tx.record(
        actor=caller.subject,
        action="call_out_cancelled",
        subject=str(call_out_id),
        division=made["division"],
        reason=reason,
    )
    return made


def end_call_out(made: Document, tx: Tx) -> None:
    """Nobody is called any more."""
    for call in made["calls"]:
        if call["outcome"] == WAITING:
            call["outcome"] = "cancelled"
    made.update(state=CallOutState.cancelled.value, due_at=None)
    tx.cancel_timer(TIMER, made["_id"])
    tx.put("expert_call_outs", made)


async def call_out_due(call_out_id: UUID, tx: Tx, office: Office) -> None:
    """Who did not answer in time is silent, and the next is called."""
    made = await tx.get("expert_call_outs", call_out_id)
    if made is None or made["state"] != CallOutState.calling:
        return
    for call in made["calls"]:
        if call["outcome"] == WAITING and call["due_at"] <= tx.now:
            call["outcome"] = "silent"
    _go_on(made, tx, office)


def _missing(made: Document) -> int:
    there = [call for call in made["calls"] if call["outcome"] == "acknowledged"]
    wanted: int = made["wanted"]
    return wanted - len(there)


def _go_on(made: Document, tx: Tx, office: Office) -> None:
    """Call as many as are missing and not being called yet, and wait for the earliest answer that is due."""
    policy = office.incidents.of(made["policy"]).call_out
    minutes = timedelta(minutes=policy.answer_minutes[EmergencyLevel(made["level"])])
    while _missing(made) > sum(call["outcome"] == WAITING for call in made["calls"]):
        subject = next_to_call(made["order"], made["calls"], policy.rounds)
        if subject is None:
            break
        call = {"subject": subject, "at": tx.now, "due_at": tx.now + minutes, "outcome": WAITING, "answered_at": None}
        made["calls"] = [*made["calls"], call]
    waiting = [call["due_at"] for call in made["calls"] if call["outcome"] == WAITING]
    if _missing(made) <= 0:
        following = CallOutState.answered
        for call in made["calls"]:
            if call["outcome"] == WAITING:
                call["outcome"] = "not_needed"
        waiting = []
    else:
        following = CallOutState.calling if waiting else CallOutState.exhausted
    made["state"] = following.value
    made["due_at"] = min(waiting, default=None)
    if made["due_at"] is None:
        tx.cancel_timer(TIMER, made["_id"])
    else:
        tx.set_timer(TIMER, made["_id"], made["due_at"])
    tx.put("expert_call_outs", made)

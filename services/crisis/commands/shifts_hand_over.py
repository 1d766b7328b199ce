"""The hand-over at the end of a shift: one act for all cases, and nobody is without a responsible person meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.crisis import HandOverOverdue
from services.crisis.case import note, passed_to
from services.crisis.commands.rights import OFFICERS, WATCHERS, trusted
from services.crisis.domain.shifts import HAND_OVER_NEXT, HandOverState, ShiftState
from services.crisis.office import Office
from services.crisis.store import queue as queue_store
from services.crisis.store import shifts as store

TIMER = "hand_over"


async def hand_over(
    shift_id: UUID,
    hand_over_id: UUID,
    to: str,
    cases: list[UUID] | None,
    notes: dict[UUID, str],
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Offer the open cases that the shift's person holds, all or those named, to another person, who has to accept.

    Until then the giver stays responsible. A supervisor may do it for a person who had to leave. What is written about
    a case is sealed under that person's key. Another offer of the same shift takes the place of one that waits.
    """
    shift = await store.the_shift(tx, shift_id)
    watches = caller.sees(shift["division"]) and bool(caller.roles & WATCHERS)
    if shift["person"] != caller.subject and not watches:
        raise NotFound("there is no such shift")
    known = await tx.get("hand_overs", hand_over_id)
    if known is not None:
        if known["shift_id"] != shift_id or known["to"] != to or (cases is not None and set(cases) != _ids(known)):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    if shift["state"] not in (ShiftState.on, ShiftState.ended):
        raise NotAllowed(f"the shift is {shift['state']}: nobody has signed on")
    if to == shift["person"]:
        raise Refused("to_oneself", "a hand-over goes to another person", "to")
    policy = office.shifts.at(tx.now)
    held = {case["_id"]: case for case in await _held(shift["person"], tx, office)}
    if shift["person"] != caller.subject:  # a supervisor gives what the supervisor sees
        held = {key: case for key, case in held.items() if caller.sees(case["division"])}
    for field, named in (("cases", cases or []), ("notes", list(notes))):
        for case_id in named:
            if case_id not in held:
                raise Refused("not_held", f"the person does not hold {case_id}", field)
    given = list(held) if cases is None else list(dict.fromkeys(cases))
    if not given:
        raise NotAllowed("there is nothing to hand over", reason="nothing_held")
    if any(case_id not in given for case_id in notes):
        raise Refused("not_given", "a note belongs to a case that is not handed over", "notes")
    waiting = await store.open_hand_over(tx, shift_id)
    if waiting is not None:
        _move(waiting, HandOverState.withdrawn, caller.subject, tx)
    due_at = tx.now + timedelta(minutes=policy.hand_over.accept_minutes)
    offered: Document = {
        "_id": hand_over_id,
        "shift_id": shift_id,
        "division": shift["division"],
        "from": shift["person"],
        "to": to,
        "offered_by": caller.subject,
        "offered_at": tx.now,
        "state": HandOverState.offered.value,
        "cases": [{"case_id": case_id, "taken": None} for case_id in given],
        "due_at": due_at,
        "step": 0,
        "called": None,
        "answered_at": None,
        "policy": policy.version,
    }
    tx.insert("hand_overs", offered)
    tx.set_timer(TIMER, hand_over_id, due_at)
    for case_id in given:
        case = held[case_id]
        if case_id in notes:
            await _keep_note(hand_over_id, case, notes[case_id], caller, tx, office)
        note(case, tx, "hand_over_offered", caller.subject, to=to, hand_over_id=hand_over_id)
        tx.put("cases", case)
    return offered


async def _held(person: str, tx: Tx, office: Office) -> list[Document]:
    most = office.shifts.at(tx.now).hand_over.most_cases
    held = await queue_store.held_by(tx, person, most + 1)
    if len(held) > most:
        raise NotAllowed(f"more than {most} cases: name those that are handed over", reason="too_many")
    tx.remember("cases", held)
    return held


async def _keep_note(hand_over_id: UUID, case: Document, text: str, caller: Caller, tx: Tx, office: Office) -> None:
    person = case["person"] or case["flags"][0]["id"]
    sealed = await office.keys.seal(tx, person, {"text": text})
    row = {"case_id": case["_id"], "person": person, "sealed": sealed, "by": caller.subject, "at": tx.now}
    tx.insert("hand_over_notes", {"_id": new_id(), "hand_over_id": hand_over_id, **row})


def _ids(offered: Document) -> set[UUID]:
    return {row["case_id"] for row in offered["cases"]}


async def accept(hand_over_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The person to whom they are offered takes them, by name: in one act all of them change hands.

    A case that was closed, taken by another or moved out of the taker's division meanwhile is left where it is, and the
    answer says so: one case never keeps the others from changing hands. Where one was merged meanwhile, the case that
    goes on changes hands in its place.
    """
    offered = await _offered_to(hand_over_id, caller, tx)
    if offered["state"] == HandOverState.accepted:
        return offered
    caller.needs(*OFFICERS)
    await tx.load("cases", _ids(offered))
    given: dict[UUID, Document] = {}
    rows: list[Document] = []
    for row in offered["cases"]:
        case = await _still_held(row["case_id"], offered["from"], tx)
        taken = case is not None and caller.sees(case["division"])
        rows.append({**row, "taken": taken})
        if case is not None and taken:
            given[case["_id"]] = case
    for case in given.values():
        case["held_by"] = caller.subject
        if case["acknowledgement"]["by"] == offered["from"]:
            case["acknowledgement"] = passed_to(case["acknowledgement"], caller)
        note(case, tx, "handed_over", caller.subject, giver=offered["from"], hand_over_id=hand_over_id)
        tx.record(
            actor=caller.subject,
            action="case_handed_over",
            subject=str(case["_id"]),
            division=case["division"],
            reason="hand_over",
            giver=offered["from"],
            hand_over_id=str(hand_over_id),
        )
        tx.put("cases", case)
    offered["cases"] = rows
    _move(offered, HandOverState.accepted, caller.subject, tx)
    return offered


async def _still_held(case_id: UUID, person: str, tx: Tx) -> Document | None:
    """The open case that the person holds under this id, or under that of the case that it was merged into."""
    case = await tx.get("cases", case_id)
    while case is not None and case["state"] == "merged":
        case = await tx.get("cases", case["merged_into"])
    return case if case is not None and case["state"] == "open" and case.get("held_by") == person else None


async def decline(hand_over_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """The person cannot take them: the giver stays responsible, and a supervisor is called at once."""
    offered = await _offered_to(hand_over_id, caller, tx)
    if offered["state"] == HandOverState.declined:
        return offered
    _call(offered, tx, office)
    _move(offered, HandOverState.declined, caller.subject, tx)
    return offered


async def _offered_to(hand_over_id: UUID, caller: Caller, tx: Tx) -> Document:
    offered = await store.the_hand_over(tx, hand_over_id)
    if offered["to"] != caller.subject:
        if caller.sees(offered["division"]):
            raise NotAllowed("it is offered to another person", status=403)
        raise NotFound("there is no such hand-over")
    return offered


def _move(offered: Document, state: HandOverState, by: str, tx: Tx) -> None:
    if state not in HAND_OVER_NEXT[HandOverState(offered["state"])]:
        raise NotAllowed(f"the hand-over is {offered['state']}")
    offered.update(state=state.value, answered_by=by, answered_at=tx.now)
    tx.cancel_timer(TIMER, offered["_id"])
    tx.put("hand_overs", offered)


async def hand_over_due(hand_over_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody has accepted in time: a supervisor is called, again and again until somebody answers.

    Where every case was closed or taken by others meanwhile, there is nothing left to answer: the offer ends.
    """
    offered = await tx.get("hand_overs", hand_over_id)
    if offered is None or offered["state"] != HandOverState.offered:
        return
    if offered["due_at"] > tx.now:
        tx.set_timer(TIMER, hand_over_id, offered["due_at"])
        return
    await tx.load("cases", _ids(offered))
    if not [row for row in offered["cases"] if await _still_held(row["case_id"], offered["from"], tx)]:
        _move(offered, HandOverState.withdrawn, "policy", tx)
        return
    _call(offered, tx, office)
    tx.set_timer(TIMER, hand_over_id, offered["due_at"])
    tx.put("hand_overs", offered)


def _call(offered: Document, tx: Tx, office: Office) -> None:
    role = office.shifts.of(offered["policy"]).supervision.roles[0].called
    tx.emit(
        HandOverOverdue(
            **tx.stamp(offered["division"]),
            hand_over_id=offered["_id"],
            division=offered["division"],
            cases=len(offered["cases"]),
            called=role,
            accept_by=offered["due_at"],
        )
    )
    minutes = office.shifts.of(offered["policy"]).hand_over.accept_minutes
    offered.update(called=role, step=offered["step"] + 1, due_at=tx.now + timedelta(minutes=minutes))


async def read_notes(hand_over_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> list[dict[str, Any]]:
    """What the giver wrote, for giver, receiver and supervisor; each reading is in the audit log."""
    offered = await store.the_hand_over(tx, hand_over_id)
    watches = caller.sees(offered["division"]) and bool(caller.roles & WATCHERS)
    if caller.subject not in (offered["from"], offered["to"]) and not watches:
        raise NotFound("there is no such hand-over")
    tx.record(
        actor=caller.subject,
        action="hand_over_notes_read",
        subject=str(hand_over_id),
        division=offered["division"],
        reason=reason,
    )
    found: list[dict[str, Any]] = []
    rows = await store.notes_of(tx, hand_over_id)
    await tx.load("cases", [row["case_id"] for row in rows])
    for row in rows:
        case = await tx.get("cases", row["case_id"])
        if case is None or not (trusted(case, caller) or row["by"] == caller.subject):
            continue
        try:
            fields = await office.keys.open(tx, row["person"], row["sealed"])
        except Unreadable:
            continue
        found.append({"case_id": row["case_id"], "by": row["by"], "at": row["at"], **fields})
    observe.PERSONAL_READS.labels("hand_over_note").inc()
    return found

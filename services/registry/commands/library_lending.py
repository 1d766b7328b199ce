"""Copies and loans: a copy is out with one reader at most, and the reader is forgotten when it is back."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from contracts.registry import LibraryCopyMoved, LibraryLoanMoved
from services.registry.commands.divisions import known_division
from services.registry.commands.library import in_use, readable
from services.registry.domain.library import month_of
from services.registry.domain.library_labels import ON_SHELVES
from services.registry.domain.library_lending import LABELS, OUT, State, allows, present_state
from services.registry.keys import Keys
from services.registry.store import library as kept
from services.registry.store.places import working


def visible_copy(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such copy")
    return found


def visible_loan(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such loan")
    return found


async def write_copy(tx: Tx, ident: uuid.UUID, told: dict[str, Any], caller: Caller) -> tuple[Document, bool]:
    """A copy of a resource on a shelf, and whether it is new; only its shelf and division change afterwards."""
    before = await kept.copy(tx, ident)
    if before is not None:
        visible_copy(before, caller)
        if before["item_id"] != told["item_id"]:
            raise NotAllowed("复本不能改为另一资源", field="item_id")
        if all(before[name] == value for name, value in told.items()):
            return before, False
    item = readable(await kept.item(tx, told["item_id"]), caller)
    if item["kind"] not in ON_SHELVES:
        raise NotAllowed("培训基地没有复本", reason="wrong_kind")
    await known_division(tx, told["division"])
    base = before or {"state": State.available.value, "loan_id": None, "due_on": None, "revision": 0}
    if before is not None and before["division"] != told["division"] and State(before["state"]) in OUT:
        raise NotAllowed("复本借出期间不能改变区划", field="division")
    return _save(tx, {**base, "_id": ident, **told}), before is None


async def lend(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], keys: Keys, caller: Caller
) -> tuple[Document, Document, bool]:
    """The loan, its copy, and whether the loan is new; refused while the copy is out, on the desk or lost.

    `told` is `copy_id`, `person_id` or `pseudonym`, and `due_on` (a date or None: as many days as the policy says).
    """
    digest = keyed_hash(keys.master, "loan", str(ident), *(str(told[name]) for name in sorted(told)))
    before = await kept.loan(tx, ident)
    if before is not None:
        visible_loan(before, caller)
        # Who had a copy that is back is forgotten, and what was sent again is known by the copy alone.
        other = before["copy_id"] != told["copy_id"] if before["digest"] is None else before["digest"] != digest
        if other:
            raise NotAllowed("这个编号已用于另一次借阅")
        return before, visible_copy(await kept.copy(tx, before["copy_id"]), caller), False
    copy = visible_copy(await kept.copy(tx, told["copy_id"]), caller)
    item = in_use(readable(await kept.item(tx, copy["item_id"]), caller))
    today = local_day(tx.now)
    present = present_state(State(copy["state"]), copy["due_on"], today)
    if present in OUT or not allows(present, State.lent):
        raise NotAllowed(f"复本现为“{LABELS[present]}”，不能借出", reason="not_available")
    rule = keys.policies.library.at(tx.now).lending
    due = _due(told["due_on"] or today + timedelta(days=rule.days), today, rule.most_days)
    borrower = await _borrower(tx, told, caller)
    if len(await kept.open_loans_of(tx, borrower, copy["division"])) >= rule.most_at_once:
        raise NotAllowed(f"同一读者最多同时借 {rule.most_at_once} 册", reason="too_many")
    loan: Document = {
        "_id": ident,
        "copy_id": copy["_id"],
        "item_id": copy["item_id"],
        "division": copy["division"],
        "borrower": borrower,
        "digest": digest,
        "lent_on": today.isoformat(),
        "due_on": due,
        "ended_on": None,
        "outcome": None,
        "log": [{"state": State.lent.value, "by": caller.subject, "at": tx.now}],
    }
    tx.insert("library_loans", loan)
    _tell(tx, loan)
    copy = _save(tx, {**copy, "state": State.lent.value, "loan_id": ident, "due_on": due})
    kept.count_use(tx, item, month_of(today), copy["division"], "lent")
    return loan, copy, True


async def _borrower(tx: Tx, told: dict[str, Any], caller: Caller) -> Document:
    if told["person_id"] is None:
        return {"person_id": None, "pseudonym": told["pseudonym"]}
    found = await working(tx, told["person_id"])
    if found is None or not caller.sees(found["division"]):
        raise Refused("unknown_person", "没有这个人员，或已停用", "person_id")
    return {"person_id": found["_id"], "pseudonym": None}


def _due(due: date, today: date, most_days: int) -> str:
    if not today <= due <= today + timedelta(days=most_days):
        raise Refused("bad_day", f"归还日须在今天起 {most_days} 天内", "due_on")
    return due.isoformat()


async def put_off(tx: Tx, loan: Document, due: date, keys: Keys, caller: Caller) -> Document:
    """A later last day for a loan that is out, overdue or not; the same day again changes nothing."""
    if loan["ended_on"] is not None:
        raise NotAllowed("这次借阅已结束")
    if loan["due_on"] == due.isoformat():
        return loan
    if due.isoformat() < loan["due_on"]:
        raise Refused("bad_day", "归还日只能延后", "due_on")
    rule = keys.policies.library.at(tx.now).lending
    after = {**loan, "due_on": _due(due, local_day(tx.now), rule.most_days)}
    after["log"] = [*loan["log"], {"state": State.lent.value, "by": caller.subject, "at": tx.now}]
    tx.put("library_loans", after)
    _tell(tx, after)
    copy = visible_copy(await kept.copy(tx, loan["copy_id"]), caller)
    _save(tx, {**copy, "due_on": after["due_on"]})
    return after


async def move_copy(tx: Tx, copy: Document, to: State, caller: Caller) -> Document:
    """Returned, lost, or back on the shelf; the same state again changes nothing.

    What comes back ends its loan, and so does what is lost: the reader is taken out of it.
    """
    today = local_day(tx.now)
    present = present_state(State(copy["state"]), copy["due_on"], today)
    if to is present:
        return copy
    if to in OUT or not allows(present, to):
        raise NotAllowed(f"复本现为“{LABELS[present]}”，不能变为“{LABELS[to]}”")
    if copy["loan_id"] is not None:
        loan = visible_loan(await kept.loan(tx, copy["loan_id"]), caller)
        entry = {"state": to.value, "late": present is State.overdue, "by": caller.subject, "at": tx.now}
        loan = {**loan, "borrower": None, "digest": None, "log": [*loan["log"], entry]}
        loan |= {"ended_on": today.isoformat(), "outcome": to.value}
        tx.put("library_loans", loan)
        _tell(tx, loan)
    return _save(tx, {**copy, "state": to.value, "loan_id": None, "due_on": None})


def _save(tx: Tx, document: Document) -> Document:
    after = {**document, "revision": document["revision"] + 1}
    tx.put("library_copies", after)
    names = ("revision", "item_id", "division", "state")
    tx.emit(
        LibraryCopyMoved(**tx.stamp(after["division"]), copy_id=after["_id"], **{name: after[name] for name in names})
    )
    return after


def _tell(tx: Tx, loan: Document) -> None:
    """Each entry of a loan's log is a revision of it; the reader is told to nobody."""
    ended = loan["ended_on"]
    tx.emit(
        LibraryLoanMoved(
            **tx.stamp(loan["division"]),
            loan_id=loan["_id"],
            revision=len(loan["log"]),
            copy_id=loan["copy_id"],
            item_id=loan["item_id"],
            division=loan["division"],
            state=loan["outcome"] or State.lent.value,
            lent_on=date.fromisoformat(loan["lent_on"]),
            due_on=date.fromisoformat(loan["due_on"]),
            ended_on=date.fromisoformat(ended) if ended else None,
        )
    )

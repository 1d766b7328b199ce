"""The work-task ledger of a division and year: who answers for what by when, what shows it, and who has looked."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import LedgerItemMoved
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation
from services.registry.domain.ledger import (
    BY_ANOTHER,
    COLLECTION,
    COUNTS_WHERE,
    LABELS,
    WRITABLE,
    EvidenceKind,
    Figure,
    State,
    allows,
    lacks,
    wrong_evidence,
)
from services.registry.domain.ledger_policy import LedgerPolicy
from services.registry.store import ledger as kept

HISTORY_LENGTH = 200
EVIDENCE_LIMIT = 200
NO_EVIDENCE = {"holds": 0, "fails": 0, "unchecked": 0}


async def begin_ledger(tx: Tx, division: str, year: int, policy: LedgerPolicy, by: str) -> list[str]:
    """A row for each task that the policy keeps; what is there already stays as it is. The codes that were added."""
    await known_division(tx, division)
    if len(division) > 6:
        raise Refused("division_too_fine", "台账按省、州（市）、县（市、区）建立", "division")
    added = []
    for task in policy.kept():
        if await kept.item(tx, division, year, task.code) is not None:
            continue
        document: Document = {
            "_id": kept.key_of(division, year, task.code),
            "revision": 0,
            "division": division,
            "year": year,
            "code": task.code,
            "number": task.number,
            "title": task.title,
            "policy": policy.version,
            "measure": task.measure,
            "owner_id": None,
            "how": None,
            "target": task.target,
            "due_on": policy.due_on(year).isoformat(),
            "state": State.open.value,
            "verified": False,
            "claim": None,
            "evidence": dict(NO_EVIDENCE),
            "settled": None,
            "writers": [],
            "done_by": None,
            "history": [],
        }
        _save(tx, document, "begun", by)
        added.append(task.code)
    return added


async def plan_item(tx: Tx, found: Document, caller: Caller, told: Mapping[str, Any], policy: LedgerPolicy) -> Document:
    """Which unit answers for a row, how, up to what percent, until which day; the same again changes nothing.

    A later day, and a target below the plan's, are written into the audit log.
    """
    planned = next((task.target for task in policy.tasks if task.code == found["code"]), 100)
    plan = {
        "owner_id": told["owner_id"],
        "how": told["how"],
        "target": told["target"] or planned,
        "due_on": told["due_on"].isoformat(),
    }
    if {name: found[name] for name in plan} == plan:
        return found
    _writable(found)
    await known_organisation(tx, plan["owner_id"], caller.division, "owner_id")
    if told["due_on"].year not in (found["year"], found["year"] + 1):
        raise Refused("day_out_of_bounds", "期限须在台账年度或次年之内", "due_on")
    after = {**found, **plan}
    if plan["due_on"] > found["due_on"]:
        _record(tx, found, "ledger.due_moved", "due_moved", caller.subject, before=found["due_on"], to=plan["due_on"])
    if plan["target"] < min(planned, found["target"]):
        _record(
            tx, found, "ledger.target_lowered", "target_lowered", caller.subject, planned=planned, to=plan["target"]
        )
    return _save(tx, _written(after, caller), "planned", caller.subject, due_on=plan["due_on"], target=plan["target"])


def claim(tx: Tx, found: Document, caller: Caller, reached: int, of: int, as_of: date) -> Document:
    """What the unit says that it has reached. It stands beside what the registry reckons, and decides nothing."""
    if reached > of:
        raise Refused("more_than_all", "完成数不能大于应完成数", "reached")
    if as_of > local_day(tx.now):
        raise Refused("day_in_future", "统计日期不能晚于今天", "as_of")
    told = {"reached": reached, "of": of, "as_of": as_of.isoformat()}
    if found["claim"] and {name: found["claim"][name] for name in told} == told:
        return found
    _writable(found)
    after = {**found, "claim": {**told, "by": caller.subject, "at": tx.now}}
    return _save(tx, _written(after, caller), "claimed", caller.subject, reached=reached, of=of)


async def add_evidence(
    tx: Tx, found: Document, ident: uuid.UUID, caller: Caller, told: Mapping[str, Any]
) -> tuple[Document, bool]:
    """Enter what shows that a row was worked at, and whether that is new; what is referred to has to be there."""
    kind: EvidenceKind = told["kind"]
    body = {**told, "kind": kind.value}
    known = await kept.evidence(tx, ident)
    if known is not None:
        if known["item_id"] != found["_id"] or {name: known[name] for name in body} != body:
            raise NotAllowed("这个编号已用于另一份佐证材料", reason="differs")
        return known, False
    _writable(found)
    wrong = wrong_evidence(kind, reference=told["reference"] is not None, sha256=told["sha256"] is not None)
    if wrong is not None:
        raise Refused("bad_evidence", wrong[1], wrong[0])
    if told["reference"] is not None:
        await _shows_something(tx, found, kind, told["reference"])
    if sum(found["evidence"].values()) >= EVIDENCE_LIMIT:
        raise NotAllowed(f"一项任务最多 {EVIDENCE_LIMIT} 份佐证材料")
    document: Document = {
        "_id": ident,
        "item_id": found["_id"],
        "division": found["division"],
        **body,
        "by": caller.subject,
        "at": tx.now,
        "checked": None,
    }
    tx.insert("ledger_evidence", document)
    counts = {**found["evidence"], "unchecked": found["evidence"]["unchecked"] + 1}
    after = _written({**found, "evidence": counts}, caller)
    _save(tx, after, "evidence", caller.subject, evidence_id=ident, about=kind.value)
    return document, True


async def _shows_something(tx: Tx, found: Document, kind: EvidenceKind, reference: uuid.UUID) -> None:
    thing = await kept.referred(tx, COLLECTION[kind], reference)
    if thing is None or not thing["division"].startswith(found["division"]):
        raise Refused("unknown_evidence", "本区划内没有这一条登记", "reference")
    name, value, otherwise = COUNTS_WHERE[kind]
    if thing[name] != value:
        raise Refused("shows_nothing", otherwise, "reference")


async def check_evidence(
    tx: Tx, found: Document, ident: uuid.UUID, caller: Caller, holds: bool, reason: str
) -> Document:
    """Another person than who entered it has looked at a piece of evidence, and it holds or not."""
    piece = await kept.evidence(tx, ident)
    if piece is None or piece["item_id"] != found["_id"]:
        raise NotFound("there is no such evidence")
    before = piece["checked"]
    if before is not None and (before["holds"], before["reason"], before["by"]) == (holds, reason, caller.subject):
        return piece
    if found["state"] == State.verified:
        raise NotAllowed("任务已核实销号", reason="state")
    if caller.subject == piece["by"]:
        raise NotAllowed("本人提交的佐证材料须由他人核对", status=403, reason="own_evidence")
    counts = dict(found["evidence"])
    counts[_word(None if before is None else before["holds"])] -= 1
    counts[_word(holds)] += 1
    document = {**piece, "checked": {"holds": holds, "reason": reason, "by": caller.subject, "at": tx.now}}
    tx.put("ledger_evidence", document)
    _save(tx, {**found, "evidence": counts}, "checked", caller.subject, evidence_id=ident, holds=holds)
    _record(tx, found, "ledger.evidence_checked", reason, caller.subject, evidence=str(ident), holds=holds)
    return document


def _word(holds: bool | None) -> str:
    return "unchecked" if holds is None else "holds" if holds else "fails"


def move_item(tx: Tx, found: Document, to: State, reason: str, caller: Caller, reckoned: Figure) -> Document:
    """Begin a row, say that it is done, verify it or give it back; the last two by who had no part in it.

    `reckoned` is the registry's own figure of this moment: a row below its target is neither done nor verified.
    """
    present = State(found["state"])
    if present is to:
        return found
    if not allows(present, to):
        raise NotAllowed(f"任务现为“{LABELS[present]}”，不能变为“{LABELS[to]}”", reason="bad_step", field="state")
    if to in BY_ANOTHER and caller.subject in {*found["writers"], found["done_by"]}:
        raise NotAllowed("填报、提交佐证或报完成的人不能核实", status=403, reason="own_item")
    counts = found["evidence"]
    missing = lacks(
        to,
        owner=found["owner_id"] is not None,
        evidence={True: counts["holds"], False: counts["fails"], None: counts["unchecked"]},
        meets=reckoned.meets(found["target"]),
    )
    if missing is not None:
        told = f"{missing[1]}（登记数据：{reckoned.reached}/{reckoned.of}，目标 {found['target']}%）"
        raise NotAllowed(told if missing[0] == "below_target" else missing[1], reason=missing[0], field="state")
    after = {**found, "state": to.value, "verified": to is State.verified}
    if to is State.done:
        after["done_by"] = caller.subject
    if to in (State.done, State.verified):
        after["settled"] = {"reached": reckoned.reached, "of": reckoned.of, "at": tx.now}
    elif to is State.in_progress:
        after["settled"], after["done_by"] = None, None
    _record(tx, found, "ledger.moved", to.value, caller.subject, before=present.value, to=to.value)
    return _save(tx, after, "moved", caller.subject, state=to.value, reason=reason)


def _writable(found: Document) -> None:
    present = State(found["state"])
    if present not in WRITABLE:
        raise NotAllowed(f"任务现为“{LABELS[present]}”，内容不能再改", reason="state")


def _written(after: Document, caller: Caller) -> Document:
    return after if caller.subject in after["writers"] else {**after, "writers": [*after["writers"], caller.subject]}


def _save(tx: Tx, after: Document, kind: str, by: str, **details: Any) -> Document:
    entry = {"at": tx.now, "kind": kind, "by": by, **details}
    document = {**after, "revision": after["revision"] + 1, "history": [*after["history"], entry][-HISTORY_LENGTH:]}
    tx.put("ledger_items", document)
    claimed, settled = document["claim"] or {}, document["settled"] or {}
    tx.emit(
        LedgerItemMoved(
            **tx.stamp(document["division"]),
            division=document["division"],
            year=document["year"],
            task=document["number"],
            revision=document["revision"],
            state=document["state"],
            measure=document["measure"],
            owner_id=document["owner_id"],
            target=document["target"],
            due_on=date.fromisoformat(document["due_on"]),
            evidence=sum(document["evidence"].values()),
            evidence_holding=document["evidence"]["holds"],
            claimed=claimed.get("reached"),
            claimed_of=claimed.get("of"),
            reckoned=settled.get("reached"),
            reckoned_of=settled.get("of"),
        )
    )
    return document


def _record(tx: Tx, found: Document, action: str, reason: str, actor: str, **details: Any) -> None:
    tx.record(actor=actor, action=action, subject=found["_id"], reason=reason, division=found["division"], **details)

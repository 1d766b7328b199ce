"""The task ledger of a division and year: who answers for what by when, what shows it, and who has looked."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.incidents_said import check_same, known_division, same_again
from services.crisis.domain.ledger import (
    BY_ANOTHER,
    COLLECTION,
    WRITABLE,
    EvidenceKind,
    LedgerState,
    OwnerKind,
    allows,
    lacks,
    wrong_evidence,
)
from services.crisis.office import Office
from services.crisis.store.ledger import key_of, the_item

STAFF = ("supervisor", "district_centre", "department")
"""The office staff who keep ledgers, registers and groups, and who read a division's counts."""
HISTORY_LENGTH = 200


async def begin_ledger(division: str, year: int, caller: Caller, tx: Tx, office: Office) -> Document:
    """A row for each project and task that the policy keeps. What is there already stays as it is."""
    if not caller.sees(division):
        raise NotFound("there is no such division")
    await known_division(tx, division, "path.division")
    policy = office.ledger.at(tx.now)
    kept = {task.code for task in policy.kept()}
    await tx.load("ledger_items", [key_of(division, year, code) for code in kept])
    added: list[str] = []
    for number, task in enumerate(policy.tasks.items, 1):
        key = key_of(division, year, task.code)
        if task.code not in kept or await tx.get("ledger_items", key) is not None:
            continue
        item: Document = {
            "_id": key,
            "division": division,
            "year": year,
            "code": task.code,
            "number": number,
            "title": task.title,
            "source": policy.tasks.source,
            "policy": policy.version,
            "owner": None,
            "measure": None,
            "due_on": policy.due_on(year).isoformat(),
            "state": LedgerState.open.value,
            "verified": False,
            "revision": 0,
            "evidence": 0,
            "writers": [],
            "done_by": None,
            "history": [],
        }
        _keep(item, "begun", caller, tx)
        added.append(task.code)
    return {"division": division, "year": year, "policy": policy.version, "added": added}


async def plan_item(
    division: str,
    year: int,
    code: str,
    caller: Caller,
    tx: Tx,
    *,
    owner_kind: OwnerKind,
    owner: str,
    measure: str,
    due_on: date,
    revision: int,
) -> Document:
    """Who answers for a row, by which measure, until which day. The same revision again changes nothing."""
    item = await _item(division, year, code, caller, tx)
    plan = {
        "owner": {"kind": owner_kind.value, "code": owner},
        "measure": measure,
        "due_on": due_on.isoformat(),
        "revision": revision,
    }
    if {name: item[name] for name in plan} == plan:
        return item
    if revision != item["revision"] + 1:
        raise NotAllowed(f"the row is at revision {item['revision']}", reason="revision", field="body.revision")
    _writable(item)
    if due_on.year not in (year, year + 1):
        raise Refused("day_out_of_bounds", "a row is due in its year or the next", "body.due_on")
    previous = item["due_on"]
    item.update(plan)
    _written(item, caller)
    _keep(item, "planned", caller, tx, revision=revision, due_on=item["due_on"], previous_due_on=previous)
    if item["due_on"] > previous:
        _record(item, "ledger_due_moved", "due_moved", caller, tx, previous=previous, due_on=item["due_on"])
    return item


async def add_evidence(
    division: str,
    year: int,
    code: str,
    evidence_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    kind: EvidenceKind,
    title: str,
    reference: UUID | None,
    sha256: str | None,
    held_on: date | None,
    participants: int | None,
) -> Document:
    """Enter what shows that a row was worked at. What is referred to has to be there, within the ledger's division.

    Raises `Refused` with the field. The same again is entered once.
    """
    item = await _item(division, year, code, caller, tx)
    digest = same_again(office, item["_id"], kind, title, reference, sha256, held_on, participants)
    known = await tx.get("ledger_evidence", evidence_id)
    if known is not None:
        return check_same(known, digest)
    _writable(item)
    wrong = wrong_evidence(
        kind,
        reference=reference is not None,
        sha256=sha256 is not None,
        held_on=held_on is not None,
        participants=participants is not None,
    )
    if wrong is not None:
        raise Refused("evidence", wrong[1], f"body.{wrong[0]}")
    if held_on is not None and held_on > local_day(tx.now):
        raise Refused("day_in_future", "it has not taken place yet", "body.held_on")
    if reference is not None and not await _is_there(kind, reference, division, tx):
        raise Refused("unknown_evidence", f"there is no such {kind} in this division", "body.reference")
    evidence: Document = {
        "_id": evidence_id,
        "item_id": item["_id"],
        "division": division,
        "kind": kind.value,
        "title": title,
        "reference": reference,
        "sha256": sha256,
        "held_on": held_on.isoformat() if held_on else None,
        "participants": participants,
        "digest": digest,
        "by": caller.subject,
        "at": tx.now,
    }
    tx.insert("ledger_evidence", evidence)
    item["evidence"] += 1
    _written(item, caller)
    _keep(item, "evidence", caller, tx, evidence_id=evidence_id, about=kind.value)
    return evidence


async def _is_there(kind: EvidenceKind, reference: UUID, division: str, tx: Tx) -> bool:
    found = await tx.get(COLLECTION[kind], reference)
    if found is None or (kind is EvidenceKind.chain_case and not found.get("chain")):
        return False
    places = ("from_division", "to_division") if kind is EvidenceKind.transfer else ("division",)
    return any(found[place].startswith(division) for place in places)


async def move_item(
    division: str, year: int, code: str, state: LedgerState, reason: str, caller: Caller, tx: Tx
) -> Document:
    """Begin a row, say that it is done, verify it or give it back; the last two by a person who had no part in it."""
    item = await _item(division, year, code, caller, tx)
    previous = LedgerState(item["state"])
    if previous is state:
        return item
    if not allows(previous, state):
        raise NotAllowed(f"a row that is {previous} cannot become {state}", reason="state", field="body.state")
    if state in BY_ANOTHER and caller.subject in {*item["writers"], item["done_by"], item["owner"]["code"]}:
        raise NotAllowed("who wrote a row, did it or answers for it does not verify it", status=403)
    missing = lacks(
        state, owner=item["owner"] is not None, measure=item["measure"] is not None, evidence=item["evidence"]
    )
    if missing is not None:
        raise NotAllowed(missing, reason="incomplete", field="body.state")
    item["state"], item["verified"] = state.value, state is LedgerState.verified
    if state is LedgerState.done:
        item["done_by"] = caller.subject
    _keep(item, "moved", caller, tx, previous=previous.value, state=state.value)
    _record(item, "ledger_moved", reason, caller, tx, previous=previous.value, state=state.value)
    return item


async def _item(division: str, year: int, code: str, caller: Caller, tx: Tx) -> Document:
    if not caller.sees(division):
        raise NotFound("there is no such row in the ledger")
    return await the_item(tx, division, year, code)


def _writable(item: Document) -> None:
    if LedgerState(item["state"]) not in WRITABLE:
        raise NotAllowed(f"the row is {item['state']}: it stays as it was read", reason="state")


def _written(item: Document, caller: Caller) -> None:
    if caller.subject not in item["writers"]:
        item["writers"] = [*item["writers"], caller.subject]


def _keep(item: Document, kind: str, caller: Caller, tx: Tx, **details: Any) -> None:
    item["history"] = [*item["history"], {"at": tx.now, "kind": kind, "by": caller.subject, **details}][
        -HISTORY_LENGTH:
    ]
    tx.put("ledger_items", item)


def _record(item: Document, action: str, reason: str, caller: Caller, tx: Tx, **details: Any) -> None:
    tx.record(
        actor=caller.subject,
        action=action,
        subject=item["_id"],
        division=item["division"],
        reason=reason,
        **details,
    )

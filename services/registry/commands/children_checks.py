"""Queries of the record of offences of those who are with children: entered, withdrawn, and what follows at once."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.children_keepers import end_keeping
from services.registry.commands.children_tasks import take_back, take_back_unfit
from services.registry.commands.standing import look_again
from services.registry.domain.children_checks import Result
from services.registry.policy import Policies
from services.registry.store import children_database as kept

STOOD_DOWN = "record_check"


async def enter_check(
    tx: Tx, ident: uuid.UUID, person: Document, told: dict[str, Any], by: str, policies: Policies
) -> tuple[Document, bool]:
    """A query and its answer; the same again changes nothing, and another under its id is a conflict.

    Who is not clear keeps no database and helps no child from this moment: the terms end, and the tasks and the turns
    on rosters that ask for a query are taken back. Who is not cleared any more by an answer that says neither is on no
    such roster and helps no child. The audit log has that a query was entered, and not what came back.
    """
    if told["on"] > local_day(tx.now).isoformat():
        raise Refused("bad_date", "查询日期不能晚于今天", "on")
    entries = await store.entries_of(tx, person["_id"])
    before = await kept.record_check(tx, ident)
    if before is not None:
        if before["person_id"] not in entries or any(before[name] != value for name, value in told.items()):
            raise NotAllowed("查询结果登记后不能修改，请撤回后另行登记", reason="entered")
        return before, False
    document: Document = {
        "_id": ident,
        "revision": 1,
        "person_id": person["_id"],
        "division": person["division"],
        **told,
        "entered_by": by,
        "entered_at": tx.now,
        "withdrawn": None,
    }
    tx.put("record_checks", document)
    _record(tx, document, "record_check.entered", told["asked"], by)
    if told["result"] == Result.not_clear:
        await take_back(tx, entries, by)
        await end_keeping(tx, entries, STOOD_DOWN, by)
    await _stand_down(tx, person, policies, by)
    return document, True


async def withdraw_check(
    tx: Tx, check: Document, person: Document, reason: str, by: str, policies: Policies
) -> Document:
    """A query that was entered by mistake, or whose answer was corrected, counts no more; it stays in the list.

    Who is not cleared without it is taken off duty and off the tasks that ask for one, as after an answer.
    """
    if check["withdrawn"] is not None:
        return check
    document = {**check, "withdrawn": reason, "revision": check["revision"] + 1}
    tx.put("record_checks", document)
    _record(tx, document, "record_check.withdrawn", reason, by)
    await _stand_down(tx, person, policies, by)
    return document


async def _stand_down(tx: Tx, person: Document, policies: Policies, by: str) -> None:
    """Take back what the person may not do any more.

    The look touches the person's document, and a task that is given at the same moment meets it there.
    """
    await look_again(tx, person["_id"], policies, papers=False)
    await take_back_unfit(tx, person["_id"], policies, by)


def _record(tx: Tx, check: Document, action: str, reason: str, by: str) -> None:
    subject, division = str(check["person_id"]), check["division"]
    tx.record(actor=by, action=action, subject=subject, reason=reason, division=division, check=str(check["_id"]))

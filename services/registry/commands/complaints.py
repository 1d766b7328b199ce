"""Complaints about a volunteer's service: texts are sealed, and nobody answers one about oneself."""

from __future__ import annotations

import uuid

from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import ComplaintMoved
from services.registry import store
from services.registry.domain.complaints import ANSWERS, State, allows
from services.registry.keys import Keys
from services.registry.store import service_records as kept


async def receive_complaint(
    tx: Tx,
    keys: Keys,
    ident: uuid.UUID,
    person: Document,
    kind: str,
    text: str,
    record_id: uuid.UUID | None,
    by: str,
) -> Document:
    """Take a complaint down; the same again changes nothing. Its text lies under the key of whom it is about."""
    known = await kept.complaint(tx, ident)
    if known is not None:
        holder, same = known["volunteer_id"], (known["kind"], known["record_id"]) == (kind, record_id)
        same = same and holder in await store.entries_of(tx, person["_id"])
        if not same or (await keys.persons.open(tx, holder, known["sealed"]))["text"] != text:
            raise NotAllowed("这个编号已用于另一件投诉", reason="taken")
        return known
    recorder = None
    if record_id is not None:
        record = await kept.record(tx, record_id)
        if record is None or record["volunteer_id"] not in await store.entries_of(tx, person["_id"]):
            raise Refused("unknown_record", "该志愿者没有这条服务记录", "record_id")
        recorder = record["recorded_by"]
    document: Document = {
        "_id": ident,
        "revision": 0,
        "volunteer_id": person["_id"],
        "division": person["division"],
        "kind": kind,
        "record_id": record_id,
        "recorder": recorder,
        "sealed": await keys.persons.seal(tx, person["_id"], {"text": text}),
        "answer": None,
        "log": [],
    }
    return _write(tx, document, State.received, by)


async def step_complaint(tx: Tx, keys: Keys, complaint: Document, to: State, answer: str | None, by: str) -> Document:
    """The next step, by someone whom it is not about; an answer says why. The same again changes nothing."""
    present = State(complaint["state"])
    if present is to:
        return complaint
    await not_about(tx, complaint, by)
    if not allows(present, to):
        raise NotAllowed(f"投诉现为 {present.value}，不能变为 {to.value}")
    if (to in ANSWERS) != (answer is not None):
        raise Refused("missing" if to in ANSWERS else "not_asked", "认定成立或不成立时填写答复，其他步骤不填", "answer")
    if answer is not None:
        sealed = await keys.persons.seal(tx, complaint["volunteer_id"], {"text": answer})
        complaint = {**complaint, "answer": sealed}
    return _write(tx, complaint, to, by)


async def not_about(tx: Tx, complaint: Document, by: str) -> None:
    """A complaint is for somebody whom it is not about, under no entry, and who did not record the service."""
    if by == complaint["recorder"] or await store.is_person(tx, by, complaint["volunteer_id"]):
        raise NotAllowed("投诉由被投诉人以外的人处理", status=403)


def _write(tx: Tx, before: Document, to: State, by: str) -> Document:
    entry = {"state": to.value, "by": by, "at": tx.now}
    document = {**before, "revision": before["revision"] + 1, "state": to.value, "log": [*before["log"], entry]}
    tx.put("complaints", document)
    tx.emit(
        ComplaintMoved(
            **tx.stamp(document["division"]),
            complaint_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            kind=document["kind"],
            state=to.value,
        )
    )
    return document

"""Records of service: who organised writes them down, and a correction takes the place of what was wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from contracts.registry import ServiceRecorded
from services.registry import store
from services.registry.commands.service_records_assignments import move_hours
from services.registry.domain.service_records import Flaw, Span, State, allows, flaw_among, flaw_of
from services.registry.keys import Keys
from services.registry.store import service_records as kept


@dataclass(frozen=True)
class Told:
    """What the organiser writes down; `content` is what was done, in words."""

    organisation_id: uuid.UUID
    span: Span
    kind: str
    content: str
    service: str | None = None

    def digest(self, keys: Keys, volunteer: uuid.UUID) -> str:
        """The same for the same record of the same person."""
        parts = [
            str(volunteer),
            str(self.organisation_id),
            self.span.starts_at.isoformat(),
            self.span.ends_at.isoformat(),
            str(self.span.travel_minutes),
            self.kind,
            self.content,
            *([self.service] if self.service else []),
        ]
        return keyed_hash(keys.master, "service", json.dumps(parts, ensure_ascii=False))


async def record_service(
    tx: Tx,
    keys: Keys,
    ident: uuid.UUID,
    told: Told,
    person: Document,
    caller: Caller,
    *,
    division: str,
    corrects: Document | None = None,
    assignment_id: uuid.UUID | None = None,
) -> Document:
    """Write a record down; the same record again changes nothing. Raises `Refused` and `NotAllowed`.

    It lies in the person's division, or where the service was, for a person whom the organiser does not see. A
    correction is for the organisation whose record was wrong, and takes over its rating and its call.
    """
    digest = told.digest(keys, person["_id"])
    known = await kept.record(tx, ident)
    if known is not None:
        if (known["digest"], known["corrects"]) != (digest, corrects["_id"] if corrects else None):
            raise NotAllowed("这个编号已用于另一条记录；更正请另记一条")
        return known
    await _organised_by(tx, told.organisation_id, person["_id"], caller)
    policy = keys.policies.service_records.at(tx.now)
    _refuse(flaw_of(told.span, tx.now, policy.record))
    if corrects is not None:
        if told.organisation_id != corrects["organisation_id"]:
            detail = "更正的记录须仍是原组织单位的；单位记错的，由原单位撤销后另记"
            raise Refused("other_organisation", detail, "organisation_id")
        if not allows(State(corrects["state"]), State.corrected):
            raise NotAllowed("这条记录已更正或撤销")
        await move_hours(tx, corrects, ident)
        _count(tx, await kept.total(tx, corrects["volunteer_id"]), corrects, -1)
        _write(tx, {**corrects, "state": State.corrected.value, "corrected_by": ident})
    entries = await store.entries_of(tx, person["_id"])
    others = await kept.counted_between(tx, entries, *told.span.days())
    _refuse(flaw_among(told.span, [span_of(row) for row in others], policy.record))
    document: Document = {
        "_id": ident,
        "revision": 0,
        "volunteer_id": person["_id"],
        "organisation_id": told.organisation_id,
        "division": division,
        "kind": told.kind,
        "service": told.service,
        "starts_at": told.span.starts_at,
        "ends_at": told.span.ends_at,
        "travel_minutes": told.span.travel_minutes,
        "minutes": told.span.minutes,
        "state": State.counted.value,
        "corrects": corrects["_id"] if corrects else None,
        "corrected_by": None,
        "assignment_id": assignment_id or (corrects["assignment_id"] if corrects else None),
        "rating": corrects["rating"] if corrects else None,
        "recorded_by": caller.subject,
        "recorded_at": tx.now,
        "policy": policy.version,
        "digest": digest,
        "sealed": await keys.persons.seal(tx, person["_id"], {"content": told.content}),
    }
    _count(tx, await kept.total(tx, person["_id"]), document, 1)
    written = _write(tx, document)
    if corrects is not None:
        await settle_doubles(tx, entries)
    return written


async def withdraw_record(tx: Tx, record: Document, caller: Caller, reason: str) -> Document:
    """What never was counts no more; it stays to be seen. Again, nothing more happens."""
    if record["state"] == State.withdrawn:
        return record
    if not allows(State(record["state"]), State.withdrawn):
        raise NotAllowed("这条记录已由另一条更正")
    await _organised_by(tx, record["organisation_id"], record["volunteer_id"], caller)
    counted = record["state"] == State.counted
    if counted:
        _count(tx, await kept.total(tx, record["volunteer_id"]), record, -1)
    tx.record(
        actor=caller.subject,
        action="service_record.withdrawn",
        subject=str(record["_id"]),
        reason=reason,
        division=record["division"],
    )
    written = _write(tx, {**record, "state": State.withdrawn.value})
    if counted:
        await settle_doubles(tx, await store.entries_of(tx, record["volunteer_id"]))
    return written


async def settle_doubles(tx: Tx, entries: Sequence[uuid.UUID]) -> None:
    """Let no hour of a person count twice, nor be lost, after entries were made one or parted, or a record that
    counted was corrected or withdrawn; each change with its event.

    Of two records that overlap and count the one that was written down first goes on counting. A double counts again
    as soon as nothing that counts overlaps it.
    """
    kept.touch_totals(tx, entries)
    rows = await kept.standing_of(tx, entries)
    counting: list[Document] = []
    for row in sorted(rows, key=lambda one: one["state"] == State.double):  # what counts comes before what waits
        span = span_of(row)
        first = next((one for one in counting if span.touches(span_of(one))), None)
        if first is None:
            counting.append(row)
        if first is None and row["state"] == State.double:
            _count(tx, await kept.total(tx, row["volunteer_id"]), row, 1)
            _write(tx, {**row, "state": State.counted.value, "double_of": None})
        elif first is not None and row["state"] == State.counted:
            _count(tx, await kept.total(tx, row["volunteer_id"]), row, -1)
            _write(tx, {**row, "state": State.double.value, "double_of": first["_id"]})
        elif first is not None and row["double_of"] != first["_id"]:
            tx.put("service_records", {**row, "double_of": first["_id"]})


async def rate_record(tx: Tx, record: Document, rating: int, caller: Caller) -> Document:
    """The rating of whom the service was for, once; the same again changes nothing."""
    if await store.is_person(tx, caller.subject, record["volunteer_id"]):
        raise NotAllowed("不能评价自己的服务", status=403)
    if record["state"] != State.counted:
        raise NotAllowed("这条记录已更正或撤销，不再评价")
    if record["rating"] is not None:
        if record["rating"] != rating:
            raise NotAllowed("这次服务已评价；评价不改写")
        return record
    total = await kept.total(tx, record["volunteer_id"])
    summed = {"ratings": total["ratings"] + 1, "rating_sum": total["rating_sum"] + rating}
    tx.put("service_totals", {**total, **summed})
    return _write(tx, {**record, "rating": rating})


def span_of(row: Document) -> Span:
    return Span(row["starts_at"], row["ends_at"], row["travel_minutes"])


def _refuse(flaw: Flaw | None) -> None:
    if flaw is None:
        return
    if flaw.reason in ("overlap", "too_much"):
        raise NotAllowed(flaw.detail, reason=flaw.reason, field=flaw.field)
    raise Refused(flaw.reason, flaw.detail, flaw.field)


async def _organised_by(tx: Tx, organisation: uuid.UUID, volunteer: uuid.UUID, caller: Caller) -> None:
    """Who organised records: an organisation of the caller's division, and nobody for oneself."""
    found = await store.organisation(tx, organisation)
    if found is None or not caller.sees(found["division"]):
        raise Refused("unknown_organisation", "没有这个组织单位", "organisation_id")
    if caller.organisation is not None and caller.organisation != str(organisation):
        raise NotAllowed("谁组织谁记录：只能记录本单位组织的服务", status=403)
    if await store.is_person(tx, caller.subject, volunteer):
        raise NotAllowed("不能记录自己的服务时间", status=403)


def _count(tx: Tx, total: Document, record: Document, sign: int) -> None:
    """Put a record into the person's totals, or take it out again with its rating."""
    rated = record["rating"] is not None
    tx.put(
        "service_totals",
        {
            **total,
            "minutes": total["minutes"] + sign * record["minutes"],
            "records": total["records"] + sign,
            "ratings": total["ratings"] + sign * rated,
            "rating_sum": total["rating_sum"] + sign * (record["rating"] or 0),
        },
    )


def _write(tx: Tx, before: Document) -> Document:
    document = {**before, "revision": before["revision"] + 1}
    tx.put("service_records", document)
    tx.emit(
        ServiceRecorded(
            **tx.stamp(document["division"]),
            record_id=document["_id"],
            revision=document["revision"],
            volunteer_id=document["volunteer_id"],
            organisation_id=document["organisation_id"],
            division=document["division"],
            kind=document["kind"],
            minutes=document["minutes"],
            day=local_day(document["starts_at"]),
            state=document["state"],
            corrects=document["corrects"],
            assignment_id=document["assignment_id"],
            rating=document["rating"],
            service=document.get("service"),
        )
    )
    return document

"""Qualifications: entered by one, verified by another, each step with its event."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import QualificationRecorded
from services.registry import store
from services.registry.commands.standing import look_again
from services.registry.domain.qualifications import FITS, KINDS, State, allows, media_type, standing
from services.registry.keys import Keys
from services.registry.policy import Policies
from services.registry.store import qualifications as kept


async def enter(
    tx: Tx, keys: Keys, ident: uuid.UUID, person: Document, told: dict[str, Any], before: Document | None, by: str
) -> tuple[Document, bool]:
    """A qualification as it is claimed; what was verified stays as it is. The second value: whether it is new.

    `told` has `kind`, `issuer`, `number`, `sha256`, `valid_from` and `valid_until`.
    """
    first, last = told["valid_from"], told["valid_until"]
    if first is not None and last is not None and last < first:
        raise Refused("bad_validity", "有效期的截止日期早于起始日期", "valid_until")
    state = {
        "kind": told["kind"],
        "valid_from": first.isoformat() if first else None,
        "valid_until": last.isoformat() if last else None,
    }
    fields = {"issuer": told["issuer"], "number": told["number"], "sha256": told["sha256"] or ""}
    holder = before["person_id"] if before else person["_id"]
    if before is not None:
        if holder not in await store.entries_of(tx, person["_id"]):
            raise NotAllowed("this id is another person's qualification", reason="taken")
        known = await keys.persons.open(tx, holder, before["sealed"])
        fields["sha256"] = fields["sha256"] or known["sha256"]
        if known == fields and all(before[name] == value for name, value in state.items()):
            return before, False
        if before["state"] != State.entered:
            raise NotAllowed("what was verified or closed is not rewritten; enter another", reason="not_entered")
        if before["has_proof"] and fields["sha256"] != known["sha256"]:
            raise Refused("other_file", "the scan that was uploaded has another sha256", "sha256")
    base = before or {"revision": 0, "has_proof": False, "verified_by": None, "log": []}
    document: Document = {
        **base,
        **state,
        "_id": ident,
        "revision": base["revision"] + 1,
        "person_id": holder,
        "division": person["division"],
        "state": State.entered.value,
        "sealed": await keys.persons.seal(tx, holder, fields),
        "entered_by": by,
        "log": [*base["log"], _step(tx, State.entered, by, None)],
    }
    return _put(tx, document), before is None


async def move(tx: Tx, found: Document, following: State, reason: str, by: str, policies: Policies) -> Document:
    """Verify, reject or withdraw, and look at the person's turns again; told again, nothing more happens.

    Nobody verifies or rejects what they entered themselves, or what is their own.
    """
    if found["state"] == following:
        return found
    today = local_day(tx.now)
    present = standing(found["state"], found["valid_until"], today.isoformat())
    if following is State.expired:
        raise Refused("not_told", "到期由有效期得出，不需登记", "state")
    if not allows(present, following):
        raise NotAllowed(f"{present} does not become {following}", reason="bad_step")
    if reason not in FITS[following]:
        raise Refused("bad_reason", f"{following}: 原因须为 {'、'.join(sorted(FITS[following]))}", "reason")
    if following in (State.verified, State.rejected) and (
        by == found["entered_by"] or await store.is_person(tx, by, found["person_id"])
    ):
        raise NotAllowed("登记人和持证人本人不能核验", status=403, reason="same_person")
    if following is State.verified and found["valid_until"] is not None and found["valid_until"] < today.isoformat():
        raise NotAllowed("the qualification has run out; enter the renewed one", reason="expired")
    document = {
        **found,
        "revision": found["revision"] + 1,
        "state": following.value,
        "verified_by": by if following is State.verified else found["verified_by"],
        "log": [*found["log"], _step(tx, following, by, reason)],
    }
    action, subject = f"qualification.{following}", str(found["_id"])
    tx.record(actor=by, action=action, subject=subject, reason=reason, division=found["division"])
    moved = _put(tx, document)
    await look_again(tx, found["person_id"], policies)
    return moved


async def attach(tx: Tx, keys: Keys, found: Document, content: bytes, by: str, limit: int) -> Document:
    """Keep the scan under the person's own key; the same file again changes nothing."""
    if len(content) > limit:
        raise Refused("too_large", f"证明材料最多 {limit // 1024} KiB", "file")
    kind = media_type(content)
    if kind is None:
        raise Refused("bad_file", "证明材料须为 PDF、PNG 或 JPEG", "file")
    if found["state"] != State.entered:
        raise NotAllowed("a proof is attached before the verification", reason="not_entered")
    person, digest = found["person_id"], hashlib.sha256(content).hexdigest()
    fields = await keys.persons.open(tx, person, found["sealed"])
    if found["has_proof"] and fields["sha256"] == digest:
        return found
    if not found["has_proof"] and fields["sha256"] not in ("", digest):
        raise Refused("other_file", "文件与登记的 sha256 不符", "file")
    sealed = await keys.persons.seal(tx, person, {"content": base64.b64encode(content).decode()})
    file = {"_id": found["_id"], "person_id": person, "media_type": kind, "size": len(content), "sealed": sealed}
    tx.put("qualification_files", file)
    document = {
        **found,
        "revision": found["revision"] + 1,
        "has_proof": True,
        "sealed": await keys.persons.seal(tx, person, {**fields, "sha256": digest}),
        # Who changed what is claimed counts as who entered it: another one verifies.
        "entered_by": by,
        "log": [*found["log"], _step(tx, State.entered, by, None)],
    }
    return _put(tx, document)


async def proof_of(tx: Tx, keys: Keys, found: Document) -> tuple[str, bytes] | None:
    """The scan with its media type; None where there is none."""
    file = await kept.proof(tx, found["_id"])
    if file is None:
        return None
    fields = await keys.persons.open(tx, found["person_id"], file["sealed"])
    return file["media_type"], base64.b64decode(fields["content"])


def _step(tx: Tx, state: State, by: str, reason: str | None) -> Document:
    return {"state": state.value, "by": by, "at": tx.now, "reason": reason}


def _put(tx: Tx, document: Document) -> Document:
    tx.put("qualifications", document)
    until = document["valid_until"]
    tx.emit(
        QualificationRecorded(
            **tx.stamp(document["division"]),
            qualification_id=document["_id"],
            volunteer_id=document["person_id"],
            revision=document["revision"],
            division=document["division"],
            kind=document["kind"],
            annex_code=KINDS[document["kind"]].annex,
            state=document["state"],
            valid_until=date.fromisoformat(until) if until else None,
        )
    )
    return document

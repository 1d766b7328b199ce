"""What belongs to a case goes along when it is merged: flags, entries, records and guardians."""

from __future__ import annotations

from typing import Any

from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Answer
from services.crisis import store
from services.crisis.case import FLAGS_IN_A_CASE, keep_newest_flags
from services.crisis.commands.record import REVIEW
from services.crisis.office import Office

SUSPECTED_FIRST = (Answer.yes, Answer.unknown, Answer.refused, Answer.not_asked, Answer.no)
CONSENT_LAST = (Answer.no, Answer.refused, Answer.unknown, Answer.not_asked, Answer.yes)
"""The stricter answer comes first: who is suspected of the harm, then who does not consent."""


async def take_belongings(case: Document, gone: Document, tx: Tx, office: Office) -> None:
    """Flags, contacts, sections, plans' versions and visits; what is sealed stays under the key it was sealed with."""
    case["flags"] = sorted([*case["flags"], *gone["flags"]], key=lambda row: row["flagged_at"])
    case["older_flags"] = case.get("older_flags", 0) + gone.get("older_flags", 0)
    for collection in store.merging.MOVES:
        for document in await store.merging.belongings(tx, collection, gone["_id"]):
            tx.put(collection, {**document, "case_id": case["_id"], "was_of": gone["_id"]})
    if len(case["flags"]) > FLAGS_IN_A_CASE:
        keep_newest_flags(case, tx)
    await _join_care_records(case, gone, tx)
    await _join_guardians(case, gone, tx, office)


async def _join_care_records(case: Document, gone: Document, tx: Tx) -> None:
    """Of each plan the later one, and of the reviews the earlier one, for which the clock runs."""
    own, theirs = await tx.get("care_records", case["_id"]), await tx.get("care_records", gone["_id"])
    if theirs is None:
        return
    joined = {**(own or theirs), "_id": case["_id"], "division": case["division"]}
    if own is not None:
        for name in ("safety_plan", "care_plan", "reassessed"):
            told = [one for one in (own.get(name), theirs.get(name)) if one is not None]
            joined[name] = max(told, key=lambda one: one["at"], default=None)
        reviews = [one["review_due_at"] for one in (own, theirs) if one["review_due_at"] is not None]
        joined["review_due_at"] = min(reviews, default=None)
    tx.put("care_records", joined)
    tx.delete("care_records", gone["_id"])
    if joined["review_due_at"] is not None:
        tx.set_timer(REVIEW, case["_id"], joined["review_due_at"])


async def _join_guardians(case: Document, gone: Document, tx: Tx, office: Office) -> None:
    """The guardian of whom the stricter is known holds for the case; the other is kept beside, under one key."""
    own, theirs = await tx.get("guardians", case["_id"]), await tx.get("guardians", gone["_id"])
    case["guardian"] = case.get("guardian") or gone.get("guardian")
    if theirs is None:
        return
    first, *others = sorted([one for one in (own, theirs) if one is not None], key=_strictness)
    kept = await guardian_of(case, first["person"], [first, *others], tx, office)
    tx.put("guardians", kept)
    tx.delete("guardians", gone["_id"])
    case["guardian"] = {name: kept[name] for name in ("relation", "consent", "suspected", "at")}


async def guardian_of(case: Document, person: Any, known: list[Document], tx: Tx, office: Office) -> Document:
    """The document of a case's guardian, from those that are known of: the first holds, the rest are kept beside it.

    All is sealed under the key of `person`, so that whatever erases the document's key erases all of it.
    """
    rows: list[Document] = []
    for document in known:
        for one in (document, *document.get("others", ())):
            row = {name: one[name] for name in ("relation", "consent", "suspected", "by", "at")}
            key = document["person"]
            if key == person or not one.get("sealed"):
                rows.append({**row, "sealed": one.get("sealed")})
                continue
            try:
                texts = await office.keys.open(tx, key, one["sealed"])
                rows.append({**row, "sealed": await office.keys.seal(tx, person, texts)})
            except Unreadable:
                rows.append({**row, "sealed": None})
    first, *others = rows
    place = {"_id": case["_id"], "case_id": case["_id"], "division": case["division"], "person": person}
    return {**place, **first, "others": others}


def _strictness(guardian: Document) -> tuple[int, int]:
    suspected, consent = Answer(guardian["suspected"]), Answer(guardian["consent"])
    return SUSPECTED_FIRST.index(suspected), CONSENT_LAST.index(consent)

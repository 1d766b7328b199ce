"""Two entries made one, and parted again; each with its events."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

from chassis.clock import local_day, new_id
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import VolunteersMerged, VolunteersSplit
from services.registry import store
from services.registry.commands.doubles_state import STATE, state_apart, state_of_both
from services.registry.commands.leaving import leave
from services.registry.commands.service_records import settle_doubles
from services.registry.commands.standing import look_again
from services.registry.commands.volunteers import put_volunteer, registration_of, write_volunteer
from services.registry.domain.doubles import Entry, allows, apart, births_clash, state_of, together
from services.registry.domain.people import Registration
from services.registry.keys import Keys


async def merge_volunteers(tx: Tx, keys: Keys, stays: Document, goes: Document) -> tuple[Document, uuid.UUID]:
    """Make two entries one; merged already, nothing more happens. Answers the one that stays, and the merge.

    The stricter of two states is that of both: who was barred or withdrew a consent under one entry does not come back
    by the other, and proofs come along. What had been merged into the one that goes goes with it. The entry that goes
    keeps its hash, so that later forms under that name and number reach the one that stays.
    """
    if stays["_id"] == goes["_id"]:
        raise Refused("same", "an entry is not merged into itself", "other")
    done = await store.merge_that_took(tx, goes["_id"])
    if done is not None and stays["_id"] in (done["volunteer_id"], goes["merged_into"]):
        return stays, done["_id"]
    for row in (stays, goes):
        if not allows(state_of(row), Entry.merged):
            raise NotAllowed("one of the two was merged or erased before", reason="not_own")
    if stays["division"][:6] != goes["division"][:6]:
        raise NotAllowed("the two are of different counties, which know people for themselves", reason="other_county")
    if births_clash(stays, goes, local_day(tx.now).isoformat()):
        detail = "one of the two is a minor and the other is not: correct the birth that is wrong first"
        raise NotAllowed(detail, reason="births_clash")
    taken = await store.entries_of(tx, goes["_id"])
    if await store.duties_of(tx, taken, datetime.max.replace(tzinfo=UTC), tx.now):
        raise NotAllowed("the entry that goes has turns of duty to come: give them to another first", reason="on_duty")
    for row in await store.merged_into(tx, goes["_id"]):
        tx.put("volunteers", {**row, "merged_into": stays["_id"]})
    gone = {**goes, "merged_into": stays["_id"], "revision": goes["revision"] + 1, "changed_at": tx.now}
    await put_volunteer(tx, gone, goes)
    one, other = await registration_of(tx, keys, stays), await registration_of(tx, keys, goes)
    both = together(one, other)
    given_on = stays["age_given_on"]
    if one.age is None and not both.birth_date and other.age is not None:
        both, given_on = replace(both, age=other.age), goes["age_given_on"]
    strict = await state_of_both(tx, keys, stays, goes)
    kept = await _write(tx, keys, both, given_on, stays, strict)
    ident = new_id()
    tx.insert(
        "merges",
        {
            "_id": ident,
            "volunteer_id": stays["_id"],
            "gone_id": goes["_id"],
            "division": stays["division"],
            "stayed": stays,
            "went": goes,
            "made": {name: kept.get(name) for name in STATE},
            "undone": False,
            "at": tx.now,
        },
    )
    await settle_doubles(tx, await store.entries_of(tx, stays["_id"]))
    tx.emit(
        VolunteersMerged(
            **tx.stamp(stays["division"]),
            merge_id=ident,
            volunteer_id=stays["_id"],
            gone_id=goes["_id"],
            division=stays["division"],
        )
    )
    if not kept["active"]:
        await leave(tx, kept)
    untold = kept["revision"] == stays["revision"]  # the papers of the other are this one's now
    return await look_again(tx, kept["_id"], keys.policies, papers=untold) or kept, ident


async def split_volunteers(tx: Tx, keys: Keys, gone: Document) -> tuple[Document, Document]:
    """Part what was merged. Answers the entry that stayed and the one that is a person of its own again.

    What was told of the one that stayed since the merge stays with it; what only the other had brought goes back, with
    the entries that had gone into it before, and a number that it had given to the one that stayed.
    """
    merge = await store.merge_that_took(tx, gone["_id"])
    if merge is None or not allows(state_of(gone), Entry.own):
        raise NotAllowed("this entry was not merged into another", reason="not_merged")
    stayed = await store.volunteer(tx, merge["volunteer_id"])
    if stayed is None or state_of(stayed) is not Entry.own:
        raise NotAllowed("the entry that stayed was itself merged or erased since: part that first", reason="not_own")
    tx.put("merges", {**merge, "undone": True, "undone_at": tx.now})
    went, below = merge["went"], await store.merged_below(tx, gone["_id"])
    before = await registration_of(tx, keys, {**merge["stayed"], "_id": stayed["_id"]})
    other = await registration_of(tx, keys, went)
    present = await registration_of(tx, keys, stayed)
    alone, given_on = apart(present, before, other), stayed["age_given_on"]
    if stayed["identity"] in {row.get("lent") for row in (gone, *below)}:
        alone = replace(alone, name=before.name, phone=before.phone)
    if before.age is None and alone.age == other.age and given_on == went["age_given_on"]:
        alone, given_on = replace(alone, age=None), None
    kept = await _write(tx, keys, alone, given_on, stayed, state_apart(tx, stayed, merge))
    await tx.flush()  # a name and number are the one's before they are the other's again
    for row in await store.people_of(tx, [row["_id"] for row in below]):
        tx.put("volunteers", {**row, "merged_into": gone["_id"]})
    back = {**went, "turns": gone["turns"], "revision": gone["revision"] + 1, "changed_at": tx.now}
    back = await put_volunteer(tx, back, gone)
    for ident in (kept["_id"], back["_id"]):
        await settle_doubles(tx, await store.entries_of(tx, ident))
    tx.emit(
        VolunteersSplit(
            **tx.stamp(stayed["division"]),
            merge_id=merge["_id"],
            volunteer_id=stayed["_id"],
            gone_id=gone["_id"],
            division=stayed["division"],
        )
    )
    kept = await look_again(tx, kept["_id"], keys.policies) or kept  # with its own papers, and no others
    return kept, await look_again(tx, back["_id"], keys.policies, papers=False) or back


async def keep_apart(tx: Tx, one: Document, other: Document) -> None:
    """Note that two entries were looked at and are two people; they are no candidates from then on."""
    for row, stranger in ((one, other), (other, one)):
        if str(stranger["_id"]) not in row["distinct_from"]:
            tx.put("volunteers", {**row, "distinct_from": [*row["distinct_from"], str(stranger["_id"])]})


async def _write(
    tx: Tx, keys: Keys, told: Registration, given_on: str | None, before: Document, state: Document
) -> Document:
    day = date.fromisoformat(given_on) if given_on else local_day(tx.now)
    changed = {**before, **state}
    document, wrote = await write_volunteer(tx, keys, told, before["division"], day, changed)
    if wrote or changed == before:
        return document
    return await put_volunteer(tx, {**changed, "revision": before["revision"] + 1, "changed_at": tx.now}, before)

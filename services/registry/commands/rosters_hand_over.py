"""The note that a turn of duty leaves for the next, sealed under the key of who wrote it."""

from __future__ import annotations

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.registry import HandOverNoted
from services.registry import store
from services.registry.keys import Keys
from services.registry.store.rosters import hand_over, turns_after


async def write_hand_over(tx: Tx, keys: Keys, duty: Document, text: str) -> Document:
    """Keep the note of a turn that has begun; the same words again change nothing."""
    if not duty["active"]:
        raise NotAllowed("the turn was taken back", reason="withdrawn")
    if tx.now < duty["starts_at"]:
        raise NotAllowed("the turn has not begun", reason="not_begun")
    holder = await store.volunteer(tx, duty["volunteer_id"])
    if holder is None or holder["erased"]:  # a note would be sealed under a new key, of who has none any more
        raise NotAllowed("whose turn it was is erased", reason="erased")
    before = await hand_over(tx, duty["_id"])
    if before and (await keys.persons.open(tx, before["volunteer_id"], before["sealed"]))["text"] == text:
        return before
    document = {
        "_id": duty["_id"],
        "revision": before["revision"] + 1 if before else 1,
        "roster": duty["roster"],
        "division": duty["division"],
        "volunteer_id": duty["volunteer_id"],
        "starts_at": duty["starts_at"],
        "sealed": await keys.persons.seal(tx, duty["volunteer_id"], {"text": text}),
        "written_at": tx.now,
    }
    tx.put("hand_overs", document)
    following = await turns_after(tx, duty)
    tx.emit(
        HandOverNoted(
            **tx.stamp(duty["division"]),
            duty_id=duty["_id"],
            revision=document["revision"],
            division=duty["division"],
            roster=duty["roster"],
            next_duty_id=following[0]["_id"] if following else None,
        )
    )
    return document

"""Care points on their way up: each step with its event, and the place's level when one is named."""

from __future__ import annotations

import uuid

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.registry import PlaceNominated
from services.registry.commands.places import save
from services.registry.domain.places_labels import CARE_RANK
from services.registry.domain.places_nomination import CLOSED, State, digits_needed, fits
from services.registry.domain.places_status import State as Status
from services.registry.store import places as kept


async def nominate(tx: Tx, ident: uuid.UUID, place: Document, aim: str, reason: str, by: str) -> Document:
    """A care point is proposed for a level; the same nomination again changes nothing."""
    known = await kept.nomination(tx, ident)
    if known is not None:
        if (known["place_id"], known["aim"]) != (place["_id"], aim):
            raise NotAllowed("这个编号已用于另一项推荐")
        return known
    if place["type"] != "care_point":
        raise NotAllowed("只有老年心理关爱点可以推荐申报")
    if place["status"] == Status.closed:
        raise NotAllowed("场所已关闭")
    if CARE_RANK.get(place["care_level"] or "", 0) >= CARE_RANK[aim]:
        raise NotAllowed("该关爱点已是这一级或更高一级")
    for other in await kept.nominations_of(tx, place["_id"]):
        if State(other["state"]) not in CLOSED | {State.named}:
            raise NotAllowed("该关爱点还有一项推荐在进行中")
    document: Document = {
        "_id": ident,
        "revision": 0,
        "place_id": place["_id"],
        "division": place["division"],
        "aim": aim,
        "log": [],
    }
    return _write(tx, document, State.proposed, reason, by)


async def step(tx: Tx, nomination: Document, place: Document, to: State, reason: str, *, by: str, at: str) -> Document:
    """The next step, by a caller of the division `at`; the same step again changes nothing."""
    present = State(nomination["state"])
    if to is present:
        return nomination
    if not fits(present, to, nomination["aim"]):
        raise NotAllowed(f"推荐现为 {present.value}，不能变为 {to.value}")
    most = digits_needed(present, to, nomination["aim"])
    if len(at) > most:
        raise NotAllowed("这一步由上级作出", status=403)
    if to is State.named and place["status"] != Status.open:
        raise NotAllowed("场所开放后才能命名")
    document = _write(tx, nomination, to, reason, by)
    if State.named in (present, to):
        others = [one for one in await kept.nominations_of(tx, place["_id"]) if one["_id"] != document["_id"]]
        levels = [one["aim"] for one in [*others, document] if one["state"] == State.named]
        highest = max(levels, key=lambda level: CARE_RANK[level], default=None)
        save(tx, place, {**place, "care_level": highest})
    return document


def _write(tx: Tx, before: Document, state: State, reason: str, by: str) -> Document:
    entry = {"state": state.value, "by": by, "at": tx.now, "reason": reason}
    revision = before["revision"] + 1
    document = {**before, "revision": revision, "state": state.value, "log": [*before["log"], entry]}
    tx.put("nominations", document)
    tx.emit(
        PlaceNominated(
            **tx.stamp(before["division"]),
            nomination_id=before["_id"],
            revision=revision,
            place_id=before["place_id"],
            division=before["division"],
            aim=before["aim"],
            state=state.value,
        )
    )
    return document

"""The steps that a request goes through, on one transaction; handlers and routes are made of them.

A request is at any time exactly one of: offered (one open offer), held (accepted), waiting (a coordinator was called),
released. A responder's document holds the one request that the person was offered or holds, and every step writes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chassis.clock import new_id
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.matching import (
    CoordinatorCalled,
    NobodyLeft,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    ResponderOffered,
)
from services.matching import store
from services.matching.domain.choice import Ask, DeclineReason, Person
from services.matching.domain.policy import Policies, Policy

COUNTY = 6
OFFER = "offer"
LOOK = "look"
READ_AT_ONCE = 100


def new_request(
    request_id: uuid.UUID,
    case_id: uuid.UUID,
    division: str,
    tier: Tier,
    minor: bool,
    requested_at: datetime,
    restricted: bool = False,
    problem_categories: Sequence[str] = (),
) -> Document:
    return {
        "_id": request_id,
        "case_id": case_id,
        "division": division,
        "province": division[:2],
        "tier": tier.value,
        "rank": tier.rank,
        "minor": minor,
        "restricted": restricted,
        "problem_categories": [str(code) for code in problem_categories],
        "requested_at": requested_at,
        "state": "new",
        "offer_id": None,
        "responder_id": None,
        "asked": [],
        "reason": None,
        "coordinator_called_at": None,
        "released_at": None,
    }


def withdrawn_early(request_id: uuid.UUID, case_id: uuid.UUID, division: str, moment: datetime) -> Document:
    """The trace of a request whose release arrived before it did."""
    request = new_request(request_id, case_id, division, Tier.low, False, moment)
    return {**request, "tier": None, "rank": None, "minor": None, "state": "released", "released_at": moment}


async def offer_next(request: Document, tx: Tx, policies: Policies) -> None:
    """Offer a request to the next responder, or call the coordinator; nothing ends in silence."""
    policy = policies.at(tx.now)
    while (person := await _choose(request, tx, policy)) is not None:
        before = await _more_urgent(request, person.id, tx, policy)
        if before is None:
            await _offer(request, person.id, tx, policy)
            return
        await _offer(before, person.id, tx, policy)
    await _call_coordinator(request, tx, policy)


async def _choose(request: Document, tx: Tx, policy: Policy) -> Person | None:
    ask = store.ask_of(request)
    for level in policy.area.digits:
        if level > len(ask.division):
            continue
        board = await store.read_areas(tx, [ask.division[: min(level, COUNTY)]], policy.duty.on_duty_roles)
        while (person := board.first(ask, level, policy)) is not None:
            responder = await store.responder(tx, person.id)
            if responder is not None and responder["request_id"] is None:
                return person
            board.take(replace(person, busy=True))
    return None


async def _more_urgent(request: Document, responder_id: uuid.UUID, tx: Tx, policy: Policy) -> Document | None:
    """A waiting request that comes before this one, for somebody who came on duty since it was last looked at."""
    watch = await tx.get("watches", request["province"])
    if watch is None or watch["look_at"] is None:
        return None  # nothing waits
    mine = store.ask_of(request)
    board = store.board_of(tx)

    def comes_first(ask: Ask) -> bool:
        return (
            ask.urgency < mine.urgency and responder_id not in ask.asked and board.may_answer(responder_id, ask, policy)
        )

    ask = await store.waiting_in(tx, request["province"]).first(tx, comes_first)
    return await tx.get("requests", ask.request_id) if ask is not None else None


async def _offer(
    request: Document, responder_id: uuid.UUID, tx: Tx, policy: Policy, takes_over: uuid.UUID | None = None
) -> Document:
    tier = Tier(request["tier"])
    offer = {
        "_id": new_id(),
        "request_id": request["_id"],
        "case_id": request["case_id"],
        "responder_id": responder_id,
        "division": request["division"],
        "tier": request["tier"],
        "minor": request["minor"],
        "state": "open",
        "offered_at": tx.now,
        "expires_at": tx.now + policy.answer_within(tier),
        "answered_at": None,
        "seconds": None,
        "reason": None,
        "policy": policy.version,
        "takes_over": takes_over,
    }
    tx.insert("offers", offer)
    await _hold(responder_id, request["_id"], tx)
    _change(request, tx, state="offered", offer_id=offer["_id"], responder_id=responder_id, reason=None)
    tx.set_timer(OFFER, offer["_id"], offer["expires_at"])
    if takes_over is None:
        tx.emit(ResponderOffered(**_told(offer, tx), expires_at=offer["expires_at"]))
    return offer


async def _hold(responder_id: uuid.UUID, request_id: uuid.UUID, tx: Tx) -> None:
    responder = await store.responder(tx, responder_id)
    if responder is None or responder["request_id"] is not None:
        raise RuntimeError("a responder would hold two requests")
    responder["request_id"] = request_id
    responder["called_at"] = tx.now
    tx.put("responders", responder)
    store.board_of(tx).take(store.person_of(responder, tx.now))


async def _call_coordinator(request: Document, tx: Tx, policy: Policy) -> None:
    reason = await _why_nobody(store.ask_of(request), tx, policy)
    if request["state"] == "waiting":
        if request["reason"] != reason.value:
            _change(request, tx, reason=reason.value)
        return
    _change(
        request,
        tx,
        state="waiting",
        offer_id=None,
        responder_id=None,
        reason=reason.value,
        coordinator_called_at=tx.now,
    )
    await watch(request["province"], tx, policy)
    tx.emit(
        CoordinatorCalled(
            **tx.stamp(request["division"]),
            request_id=request["_id"],
            case_id=request["case_id"],
            division=request["division"],
            tier=request["tier"],
            reason=reason,
        )
    )


async def _why_nobody(ask: Ask, tx: Tx, policy: Policy) -> NobodyLeft:
    board = store.board_of(tx)
    while (reason := board.why_nobody(ask, policy)) is not NobodyLeft.everybody_busy and board.unread:
        await store.read_unread(tx, READ_AT_ONCE)
    return reason


async def watch(province: str, tx: Tx, policy: Policy) -> None:
    """Have the waiting requests of a province looked at again.

    The watch is written even where it is armed: two transactions of which one ends it and one counts on it then meet.
    """
    watched: set[str] = tx.memo.setdefault("watched", set())
    if province in watched:
        return
    watched.add(province)
    found = await tx.get("watches", province) or {"_id": province, "look_at": None}
    if found["look_at"] is None or found["look_at"] < tx.now - 2 * policy.look_after:
        found["look_at"] = tx.now + policy.look_after
        tx.set_timer(LOOK, province, found["look_at"])
    tx.put("watches", found)


async def look_again(province: str, tx: Tx, policies: Policies) -> None:
    """Hold the waiting requests of a province against who is on duty and free now, the most urgent first."""
    waiting = store.waiting_in(tx, province)
    board = await store.read_areas(tx, [province], policies.at(tx.now).duty.on_duty_roles)
    if board.anyone_free():
        for ask in await waiting.everything(tx):
            request = await tx.get("requests", ask.request_id)
            if request is not None and request["state"] == "waiting":
                await offer_next(request, tx, policies)
            if not board.anyone_free():
                break
    tx.put("watches", {"_id": province, "look_at": None})
    tx.memo.setdefault("watched", set()).discard(province)
    if await waiting.first(tx, lambda ask: True) is not None:
        await watch(province, tx, policies.at(tx.now))


async def free(responder_id: uuid.UUID, request_id: uuid.UUID, tx: Tx) -> None:
    """A responder holds this request no more."""
    responder = await store.responder(tx, responder_id)
    if responder is None or responder["request_id"] != request_id:
        return
    responder["request_id"] = None
    tx.put("responders", responder)
    store.board_of(tx).put(store.person_of(responder, tx.now))


async def serve_waiting(responder_id: uuid.UUID, tx: Tx, policies: Policies) -> None:
    """Offer the most urgent waiting request that somebody who became free, or came on duty, may answer."""
    responder = await store.responder(tx, responder_id)
    if responder is None or responder["request_id"] is not None:
        return
    waiting = store.waiting_in(tx, responder["division"][:2])
    if await waiting.first(tx, lambda ask: True) is None:
        return
    policy = policies.at(tx.now)
    board = await store.read_turns_of(tx, [responder_id], policy.duty.on_duty_roles)
    ask = await waiting.first(
        tx, lambda ask: responder_id not in ask.asked and board.may_answer(responder_id, ask, policy)
    )
    request = await tx.get("requests", ask.request_id) if ask is not None else None
    if request is not None:
        await _offer(request, responder_id, tx, policy)


async def end_offer(offer: Document, state: str, tx: Tx, **more: Any) -> None:
    """An open offer ends; whoever had it is free, unless it was accepted."""
    offer.update(state=state, answered_at=tx.now, **more)
    tx.put("offers", offer)
    tx.cancel_timer(OFFER, offer["_id"])
    if state != "accepted":
        await free(offer["responder_id"], offer["request_id"], tx)


async def accept(offer: Document, tx: Tx) -> None:
    request = await request_of(offer, tx)
    await end_offer(offer, "accepted", tx, seconds=int((tx.now - offer["offered_at"]).total_seconds()))
    _change(request, tx, state="held")
    tx.emit(OfferAccepted(**_told(offer, tx), seconds=offer["seconds"], takes_over=offer.get("takes_over")))


async def decline(offer: Document, reason: DeclineReason, tx: Tx, policies: Policies) -> None:
    await end_offer(offer, "declined", tx, reason=reason.value)
    tx.emit(OfferDeclined(**_told(offer, tx)))
    await _ask_another(offer, tx, policies)


async def expire(offer: Document, tx: Tx, policies: Policies) -> None:
    """The deadline passed in silence."""
    await end_offer(offer, "expired", tx)
    tx.emit(OfferExpired(**_told(offer, tx)))
    await _ask_another(offer, tx, policies)


async def _ask_another(offer: Document, tx: Tx, policies: Policies) -> None:
    request = await request_of(offer, tx)
    request["asked"] = [*request["asked"], offer["responder_id"]]
    await offer_next(request, tx, policies)
    await serve_waiting(offer["responder_id"], tx, policies)


async def release(request: Document, tx: Tx, policies: Policies) -> None:
    """The request is over: its open offer is withdrawn, its holder free, its place in the queue empty."""
    responder_id = request["responder_id"]
    offer = await tx.get("offers", request["offer_id"]) if request["offer_id"] else None
    if offer is not None and offer["state"] == "open":
        await end_offer(offer, "withdrawn", tx)
    elif offer is not None:
        tx.put("offers", {**offer, "state": "finished"})
        await free(responder_id, request["_id"], tx)
    _change(request, tx, state="released", released_at=tx.now)
    if responder_id is not None:
        await take_over(responder_id, tx, policies)
        await serve_waiting(responder_id, tx, policies)


async def hand_over(request: Document, responder_id: uuid.UUID, tx: Tx, policies: Policies) -> bool:
    """A case that is held under an entry goes with the person to the one that stands for it; False if that holds one.

    What the other was only offered goes on to somebody else. Nobody is asked, so none is told to be offered anything:
    it is the acceptance of before, and told as taken over from it.
    """
    holder = request["responder_id"]
    offer, own = await tx.get("offers", request["offer_id"]), await open_offer_of(responder_id, tx)
    responder = await store.responder(tx, responder_id)
    assert offer is not None
    assert responder is not None
    if own is not None:
        await end_offer(own, "withdrawn", tx)
    elif responder["request_id"] is not None:
        return False
    tx.put("offers", {**offer, "state": "finished"})
    await free(holder, request["_id"], tx)
    first = offer.get("takes_over") or offer["_id"]
    await accept(await _offer(request, responder_id, tx, policies.at(tx.now), first), tx)
    if own is not None:
        await offer_next(await request_of(own, tx), tx, policies)
    return True


async def note_asked(request_id: uuid.UUID, responder_id: uuid.UUID, tx: Tx) -> None:
    """Somebody was asked for a request under another id."""
    request = await tx.get("requests", request_id)
    if request is not None and responder_id not in request["asked"]:
        _change(request, tx, asked=[*request["asked"], responder_id])


async def take_over(responder_id: uuid.UUID, tx: Tx, policies: Policies) -> None:
    """Who became free holds from now on what one of the person's other entries holds."""
    responder = await store.responder(tx, responder_id)
    for entry in responder["entries"] if responder is not None else ():
        held = await store.responder(tx, entry)
        request = await tx.get("requests", held["request_id"]) if held is not None and held["request_id"] else None
        if request is not None and not await hand_over(request, responder_id, tx, policies):
            return
        left = await store.responder(tx, responder_id)
        assert left is not None
        tx.put("responders", {**left, "entries": [one for one in left["entries"] if one != entry]})


async def open_offer_of(responder_id: uuid.UUID, tx: Tx) -> Document | None:
    responder = await store.responder(tx, responder_id)
    request = await tx.get("requests", responder["request_id"]) if responder and responder["request_id"] else None
    offer = await tx.get("offers", request["offer_id"]) if request is not None else None
    return offer if offer is not None and offer["state"] == "open" else None


async def assign(request: Document, responder_id: uuid.UUID, tx: Tx, policies: Policies) -> Document:
    """The coordinator gives a request to a responder, who holds it from now on. The offer it makes."""
    before = None
    if request["state"] == "offered":
        offer = await tx.get("offers", request["offer_id"])
        assert offer is not None
        before = offer["responder_id"]
        if before == responder_id:
            await accept(offer, tx)
            return offer
        await end_offer(offer, "withdrawn", tx)
    offer = await _offer(request, responder_id, tx, policies.at(tx.now))
    await accept(offer, tx)
    if before is not None:
        await serve_waiting(before, tx, policies)
    return offer


async def reopen(request: Document, tx: Tx, policies: Policies) -> None:
    """The coordinator has everyone asked again."""
    _change(request, tx, asked=[])
    await offer_next(request, tx, policies)


async def request_of(offer: Document, tx: Tx) -> Document:
    request = await tx.get("requests", offer["request_id"])
    if request is None:
        raise RuntimeError(f"offer {offer['_id']} has no request")
    return request


def _change(request: Document, tx: Tx, **fields: Any) -> None:
    """Write a request, and keep the list of those that wait in step with it."""
    waiting = store.waiting_in(tx, request["province"])
    if request["state"] == "waiting":
        waiting.remove(store.ask_of(request))
    request.update(fields)
    tx.put("requests", request)
    if request["state"] == "waiting":
        waiting.add(store.ask_of(request))


def _told(offer: Document, tx: Tx) -> dict[str, Any]:
    names = ("request_id", "case_id", "responder_id", "division", "tier")
    return {**tx.stamp(offer["division"]), "offer_id": offer["_id"], **{name: offer[name] for name in names}}

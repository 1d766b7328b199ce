"""Swaps of turns: the turns change hands with the acceptance, after every rule was looked at again, or not at all."""

from __future__ import annotations

import uuid

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.registry import SwapMoved
from services.registry import store
from services.registry.commands.duty import add_duties, withdraw_duty
from services.registry.domain.duty import Turn
from services.registry.domain.swaps import State, allows
from services.registry.policy import Policies
from services.registry.store.rosters import open_swap_of


async def offer_swap(tx: Tx, ident: uuid.UUID, duty: Document, to: uuid.UUID, in_return: Document | None) -> Document:
    """Offer a turn to another person, in return for one of theirs or for none."""
    if to in await store.entries_of(tx, duty["volunteer_id"]):
        raise NotAllowed("a turn is swapped with another person", reason="same_person")
    if in_return is not None and in_return["volunteer_id"] != to:
        raise NotAllowed("the turn given in return is not of the person asked", reason="not_theirs")
    for given in filter(None, (duty, in_return)):
        _still(tx, given, given["volunteer_id"])
    if await open_swap_of(tx, duty["_id"]) is not None:
        raise NotAllowed("the turn is offered already", reason="offered")
    document = {
        "_id": ident,
        "revision": 1,
        "state": State.offered.value,
        "division": duty["division"],
        "roster": duty["roster"],
        "duty_id": duty["_id"],
        "from_id": duty["volunteer_id"],
        "to_id": to,
        "return_duty_id": in_return["_id"] if in_return else None,
        "turns": [_offered(given) for given in (duty, in_return) if given],
        "made": [],
        "offered_at": tx.now,
        "changed_at": tx.now,
    }
    tx.insert("swaps", document)
    _tell_swap(tx, document)
    return document


async def accept_swap(tx: Tx, swap: Document, policies: Policies) -> Document:
    """Withdraw the turns and make them anew for the other person, under all rules of a new turn.

    A turn goes to the entry that stands for who takes it. Raises `NotAllowed` or `Refused` where one of the rules does
    not hold any more; the swap then stays offered.
    """
    if swap["state"] == State.accepted:
        return swap
    _check_move(swap, State.accepted)
    if not swap.get("turns"):
        raise NotAllowed("what the turns were when they were offered was not kept: offer them anew", reason="changed")
    giver, other = [(await store.entries_of(tx, swap[side]))[0] for side in ("from_id", "to_id")]
    if giver == other:
        raise NotAllowed("the two are one person since", reason="same_person")
    sides = [(swap["from_id"], other), (swap["to_id"], giver)]
    given = []
    for offered, (holder, taker) in zip(swap["turns"], sides, strict=False):
        duty = _still(tx, await store.duty(tx, offered["duty_id"]), holder)
        if _offered(duty) != offered:
            raise NotAllowed("the turn is not what it was when it was offered", reason="changed")
        given.append((duty, taker))
    for duty, _ in given:
        withdraw_duty(tx, duty)
    made = []
    for duty, taker in given:
        roster = await store.roster(tx, duty["roster"])
        if roster is None:
            raise NotAllowed("the roster of the turn is not there", reason="changed")
        turns = [(taker, Turn(duty["starts_at"], duty["ends_at"]))]
        made += await add_duties(tx, roster, turns, policies=policies, swap_id=swap["_id"])
    return _moved(tx, swap, State.accepted, made=[duty["_id"] for duty in made])


def end_swap(tx: Tx, swap: Document, following: State) -> Document:
    """Decline or withdraw an offer; asked again, nothing more happens."""
    if swap["state"] == following:
        return swap
    _check_move(swap, following)
    return _moved(tx, swap, following)


def _check_move(swap: Document, following: State) -> None:
    if not allows(State(swap["state"]), following):
        raise NotAllowed(f"the swap is {swap['state']}", reason=swap["state"])


def _still(tx: Tx, duty: Document | None, holder: uuid.UUID) -> Document:
    if duty is None or not duty["active"] or duty["volunteer_id"] != holder:
        raise NotAllowed("the turn is not what it was when it was offered", reason="changed")
    if duty["starts_at"] <= tx.now:
        raise NotAllowed("the turn has begun", reason="begun")
    return duty


def _offered(duty: Document) -> Document:
    """What both agree on: the turn as it is now. Who is asked reads the times here."""
    names = ("roster", "division", "revision", "starts_at", "ends_at")
    return {"duty_id": duty["_id"], **{name: duty[name] for name in names}}


def _moved(tx: Tx, swap: Document, state: State, **more: object) -> Document:
    document = {**swap, **more, "state": state.value, "revision": swap["revision"] + 1, "changed_at": tx.now}
    tx.put("swaps", document)
    _tell_swap(tx, document)
    return document


def _tell_swap(tx: Tx, document: Document) -> None:
    names = ("revision", "division", "roster", "state", "duty_id", "from_id", "to_id", "return_duty_id")
    fields = {name: document[name] for name in names}
    tx.emit(SwapMoved(**tx.stamp(document["division"]), swap_id=document["_id"], **fields))

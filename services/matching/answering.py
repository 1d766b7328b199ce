"""Whether somebody who was offered a case may still answer it, and what becomes of it where not."""

from __future__ import annotations

import uuid

from chassis.tx import Document, Tx
from services.matching import offering, store
from services.matching.domain.choice import nearness, qualifies
from services.matching.domain.policy import Policies


async def accept_by_rule(offer: Document, tx: Tx, policies: Policies) -> bool:
    """Accept for whoever still may; from anybody else the offer is taken back, and another is asked."""
    if await _may_still(offer, tx, policies):
        await offering.accept(offer, tx)
        return True
    await _take_back(offer, tx, policies)
    return False


async def check_offer(responder_id: uuid.UUID, tx: Tx, policies: Policies) -> None:
    """Something was told of a person: an open offer that the person may not answer any more goes on to another."""
    offer = await offering.open_offer_of(responder_id, tx)
    if offer is not None and not await _may_still(offer, tx, policies):
        await _take_back(offer, tx, policies)


async def _may_still(offer: Document, tx: Tx, policies: Policies) -> bool:
    """Whether who was offered it may answer it now. A turn that ran out meanwhile counts, one withdrawn does not."""
    policy, ask = policies.at(tx.now), store.ask_of(await offering.request_of(offer, tx))
    responder = await store.responder(tx, offer["responder_id"])
    if responder is None:
        return False
    person = store.person_of(responder, tx.now)
    if not qualifies(person, ask.tier, ask.minor, policy, ask.restricted):
        return False
    rosters = await store.rosters_since(tx, person.id, offer["offered_at"], policy.duty.on_duty_roles)
    return nearness(ask.division, person.division, rosters) >= policy.area.digits[-1]


async def _take_back(offer: Document, tx: Tx, policies: Policies) -> None:
    """Nobody is said to have declined: who had it may be asked again, should that be right later."""
    await offering.end_offer(offer, "withdrawn", tx)
    await offering.offer_next(await offering.request_of(offer, tx), tx, policies)
    await offering.serve_waiting(offer["responder_id"], tx, policies)

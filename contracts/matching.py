"""What matching tells: who was offered what, by pseudonym, and how it ended."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import ClassVar

from contracts.base import Count, Event, FineDivision, Instant, Tier


class ResponderOffered(Event):
    """A request was offered to one responder, who has until `expires_at`."""

    TYPE: ClassVar[str] = "matching.responder_offered"

    offer_id: uuid.UUID
    request_id: uuid.UUID
    case_id: uuid.UUID
    responder_id: uuid.UUID
    division: FineDivision
    tier: Tier
    expires_at: Instant


class OfferAccepted(Event):
    """The responder takes the call, and holds no other until released.

    With `takes_over` nobody was asked: the call goes on under another entry of the same person, and this is the offer
    by which it was first taken. `seconds` is 0 then, and the acceptance counts once, with the first.
    """

    TYPE: ClassVar[str] = "matching.offer_accepted"

    offer_id: uuid.UUID
    request_id: uuid.UUID
    case_id: uuid.UUID
    responder_id: uuid.UUID
    division: FineDivision
    tier: Tier
    seconds: Count
    takes_over: uuid.UUID | None = None


class OfferDeclined(Event):
    """The responder said no; the next one is asked."""

    TYPE: ClassVar[str] = "matching.offer_declined"

    offer_id: uuid.UUID
    request_id: uuid.UUID
    case_id: uuid.UUID
    responder_id: uuid.UUID
    division: FineDivision
    tier: Tier


class OfferExpired(Event):
    """The responder stayed silent; the next one is asked."""

    TYPE: ClassVar[str] = "matching.offer_expired"

    offer_id: uuid.UUID
    request_id: uuid.UUID
    case_id: uuid.UUID
    responder_id: uuid.UUID
    division: FineDivision
    tier: Tier


class NobodyLeft(StrEnum):
    nobody_on_duty = "nobody_on_duty"
    everybody_busy = "everybody_busy"
    all_declined_or_silent = "all_declined_or_silent"


class CoordinatorCalled(Event):
    """Nobody is left to ask: a coordinator has to find a responder."""

    TYPE: ClassVar[str] = "matching.coordinator_called"

    request_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    reason: NobodyLeft

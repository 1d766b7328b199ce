"""Random but repeatable events of a few places and days."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import crisis, matching
from contracts.base import Channel, Event, Tier, county_of

PLACES = ("370812001001", "370812001002", "370812002", "370812", "320706001001", "320706", "370811003", "110101001")


def an_id(random_: random.Random) -> uuid.UUID:
    return uuid.UUID(int=random_.getrandbits(128), version=4)


def envelope(at: datetime, division: str, random_: random.Random) -> dict[str, Any]:
    return {"id": an_id(random_), "occurred_at": at, "region": county_of(division), "division": division}


def opened(at: datetime, division: str, random_: random.Random, **more: Any) -> crisis.CaseOpened:
    """A case is opened at this moment in this division."""
    given = {
        "case_id": an_id(random_),
        "flag_id": an_id(random_),
        "hotline": "line-1",
        "channel": random_.choice(list(Channel)),
        "tier": random_.choice(list(Tier)),
        "minor": random_.random() < 0.2,
        "act_in_progress": False,
        "acknowledge_by": at + timedelta(minutes=30),
        "policy": "p1",
    }
    return crisis.CaseOpened(**envelope(at, division, random_), **(given | more))


def an_event(random_: random.Random, start: datetime, days: int = 70) -> Event:
    """Any counted event, somewhere, some time in these days."""
    at = start + timedelta(seconds=random_.randrange(days * 86_400))
    division = random_.choice(PLACES)
    base = envelope(at, division, random_) | {"case_id": an_id(random_)}
    tier = random_.choice(list(Tier))
    follow_up = base | {"follow_up_id": an_id(random_), "tier": tier}
    offer = base | {
        "offer_id": an_id(random_),
        "request_id": an_id(random_),
        "responder_id": an_id(random_),
        "tier": tier,
    }
    service = random_.choice(list(crisis.EmergencyService))
    seconds = random_.choice([0, 30, 60, 61, 500, 4000, 100_000])
    made: list[Event] = [
        opened(at, division, random_),
        opened(at, division, random_),
        crisis.FlagJoined(
            **base, flag_id=an_id(random_), hotline="line-1", channel=random_.choice(list(Channel)), tier=tier
        ),
        crisis.RiskRaised(**base, previous=Tier.low, tier=tier, by_person=True),
        crisis.RiskLowered(**base, previous=Tier.high, tier=Tier.low),
        crisis.CaseAcknowledged(
            **base, tier=tier, role="duty-officer", seconds=seconds, on_time=random_.random() < 0.7
        ),
        crisis.AcknowledgementOverdue(**base, tier=tier, step=1, called="supervisor", acknowledge_by=at),
        crisis.EmergencyServiceCalled(**base, service=service, confirm_by=at),
        crisis.EmergencyContactConfirmed(**base, service=service),
        crisis.ReferralMoved(**base, referral_id=an_id(random_), state=random_.choice(list(crisis.ReferralState))),
        crisis.FollowUpsPlanned(**base, tier=tier, due=(at,) * random_.randrange(5), policy="p1"),
        crisis.FollowUpDue(**follow_up),
        crisis.FollowUpKept(**follow_up, attempts=random_.randrange(4)),
        crisis.FollowUpMissed(**follow_up, attempts=3),
        crisis.CaseClosed(**base, tier=tier, outcome=random_.choice(list(crisis.CaseOutcome))),
        matching.ResponderOffered(**offer, expires_at=at + timedelta(minutes=5)),
        matching.OfferAccepted(**offer, seconds=random_.randrange(300)),
        matching.OfferDeclined(**offer),
        matching.OfferExpired(**offer),
        matching.CoordinatorCalled(
            **base, request_id=an_id(random_), tier=tier, reason=random_.choice(list(matching.NobodyLeft))
        ),
    ]
    return random_.choice(made)


def some_events(seed: int, number: int, start: datetime = datetime(2026, 1, 20, tzinfo=UTC)) -> list[Event]:
    random_ = random.Random(seed)
    return [an_event(random_, start) for _ in range(number)]

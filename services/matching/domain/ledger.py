"""What matching holds, held against what was told: nothing lost, nothing twice, nothing stuck."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.base import Event
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.matching import CoordinatorCalled, OfferAccepted, OfferDeclined, OfferExpired, ResponderOffered

Document = dict[str, Any]

ENDED = {"accepted": OfferAccepted, "finished": OfferAccepted, "declined": OfferDeclined, "expired": OfferExpired}
"""What must have been told of an offer in this state, besides that it was made."""


@dataclass(frozen=True)
class Facts:
    """`answered` counts the requests that were offered to somebody or called a coordinator; a difference is its kind
    (lost, duplicated, stuck, wrong) and what it is."""

    requests: int
    answered: int
    differences: list[tuple[str, str]]


def held_against(
    events: Iterable[Event], requests: list[Document], offers: list[Document], people: list[Document], timers: set[str]
) -> Facts:
    """Compare the documents with the events of the log, given in any order; `timers` are the ids of those set."""
    told = list(events)
    differences = [
        *_requests_fit(told, {request["_id"]: request for request in requests}),
        *_offers_fit(told, offers),
        *_nobody_has_two(requests, offers, people),
        *_nothing_stuck(requests, offers, timers),
    ]
    called = {event.request_id for event in told if isinstance(event, ResponderOffered | CoordinatorCalled)}
    return Facts(len(requests), sum(request["_id"] in called for request in requests), differences)


def _requests_fit(told: list[Event], requests: dict[uuid.UUID, Document]) -> Iterable[tuple[str, str]]:
    asked = {event.request_id for event in told if isinstance(event, ResponderRequested)}
    released = {event.request_id for event in told if isinstance(event, ResponderReleased)}
    called = {event.request_id for event in told if isinstance(event, CoordinatorCalled)}
    for request_id in asked - requests.keys():
        yield "lost", f"request {request_id} was asked for and is not known"
    for request_id, request in requests.items():
        if request_id not in asked | released:
            yield "wrong", f"request {request_id} was never asked for"
        if (request["state"] == "released") != (request_id in released):
            yield "lost", f"request {request_id} is {request['state']}, and its release says otherwise"
        if request["state"] == "waiting" and request_id not in called:
            yield "lost", f"request {request_id} waits, and no coordinator was called"


def _offers_fit(told: list[Event], offers: list[Document]) -> Iterable[tuple[str, str]]:
    kinds = (ResponderOffered, OfferAccepted, OfferDeclined, OfferExpired)
    count = Counter((event.offer_id, type(event)) for event in told if isinstance(event, kinds))
    for offer in offers:
        wanted = {ResponderOffered, ENDED.get(offer["state"], ResponderOffered)}
        if offer.get("takes_over") is not None:  # nobody was asked
            wanted.discard(ResponderOffered)
        for kind in kinds:
            number = count.pop((offer["_id"], kind), 0)
            if number != (kind in wanted):
                word = "lost" if number == 0 else "duplicated" if kind in wanted else "wrong"
                yield word, f"offer {offer['_id']} is {offer['state']}, and {kind.TYPE} was told {number} times"
    for offer_id, kind in count:
        yield "wrong", f"{kind.TYPE} was told of offer {offer_id}, which does not exist"


def _nobody_has_two(
    requests: list[Document], offers: list[Document], people: list[Document]
) -> Iterable[tuple[str, str]]:
    alive = [offer for offer in offers if offer["state"] in ("open", "accepted")]
    for name, what in (("responder_id", "responder"), ("request_id", "request")):
        for key, number in Counter(offer[name] for offer in alive).items():
            if number > 1:
                yield "duplicated", f"{what} {key} has {number} offers at once"
    having = {offer["responder_id"]: offer["request_id"] for offer in alive}
    for person in people:
        if person["request_id"] != having.get(person["_id"]):
            yield "wrong", f"responder {person['_id']} is noted with another request than the offers say"
    by_request = {offer["request_id"]: offer["state"] for offer in alive}
    states = {"offered": "open", "held": "accepted"}
    for request in requests:
        if by_request.get(request["_id"]) != states.get(request["state"]):
            yield "wrong", f"request {request['_id']} is {request['state']}, and its offers say otherwise"


def _nothing_stuck(requests: list[Document], offers: list[Document], timers: set[str]) -> Iterable[tuple[str, str]]:
    for offer in offers:
        if offer["state"] == "open" and f"offer:{offer['_id']}" not in timers:
            yield "stuck", f"offer {offer['_id']} is open without a deadline"
    for province in {request["province"] for request in requests if request["state"] == "waiting"}:
        if f"look:{province}" not in timers:
            yield "stuck", f"requests of {province} wait, and nobody will look at them again"

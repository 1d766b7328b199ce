"""What matching does with each event, and with its timers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.tx import Tx
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.registry import DivisionsListed, DutyRostered, VolunteerRegistered
from services.matching import offering, store
from services.matching.domain.policy import Policies

# What the registry tells


async def load_volunteers(events: Sequence[VolunteerRegistered], tx: Tx) -> None:
    await tx.load("responders", [event.volunteer_id for event in events])


async def note_volunteer(event: VolunteerRegistered, tx: Tx) -> None:
    """Keep who may do what; what the person holds stays."""
    known = await tx.get("responders", event.volunteer_id)
    if known is not None and known["revision"] >= event.revision:
        return
    responder = known or {"_id": event.volunteer_id, "request_id": None, "called_at": None}
    responder.update(
        revision=event.revision,
        division=event.division,
        person_types=list(event.person_types),
        qualifications=list(event.qualifications),
        trained=event.trained,
        active=event.active,
    )
    tx.put("responders", responder)
    if store.board_of(tx).knows(event.volunteer_id):
        store.board_of(tx).put(store.person_of(responder))


async def load_duties(events: Sequence[DutyRostered], tx: Tx) -> None:
    await tx.load("duties", [event.duty_id for event in events])
    starting = {event.volunteer_id for event in events if _is_on(event, tx)}
    await tx.load("responders", starting)


async def note_duty(event: DutyRostered, tx: Tx, policies: Policies) -> None:
    """Keep who is on duty when; a turn that runs already may be what a waiting request waits for."""
    known = await tx.get("duties", event.duty_id)
    if known is not None and known["revision"] >= event.revision:
        return
    tx.put(
        "duties",
        {
            "_id": event.duty_id,
            "revision": event.revision,
            "volunteer_id": event.volunteer_id,
            "division": event.division,
            "roster": event.roster,
            "role": event.role,
            "starts_at": event.starts_at,
            "ends_at": event.ends_at,
            "active": event.active,
            "slots": store.slots_of(event.division, event.starts_at, event.ends_at) if event.active else [],
        },
    )
    if _is_on(event, tx):
        store.board_of(tx).add_roster(event.volunteer_id, event.division)
        await offering.serve_waiting(event.volunteer_id, tx, policies)


def _is_on(event: DutyRostered, tx: Tx) -> bool:
    return event.active and event.starts_at <= tx.now < event.ends_at


async def load_divisions(events: Sequence[DivisionsListed], tx: Tx) -> None:
    await tx.load("divisions", [division.code for event in events for division in event.divisions])


async def note_divisions(event: DivisionsListed, tx: Tx) -> None:
    """Keep the names of divisions, for the lists that coordinators read. The later edition wins."""
    for division in event.divisions:
        known = await tx.get("divisions", division.code)
        if known is None or known["listed_at"] <= event.occurred_at:
            tx.put("divisions", {"_id": division.code, "name": division.name, "listed_at": event.occurred_at})


# What cases ask for


async def load_requests(events: Sequence[ResponderRequested], tx: Tx) -> None:
    """For a whole group: what is known of its requests, and who is on duty in their counties."""
    await tx.load("requests", [event.request_id for event in events])
    await tx.load("watches", {event.division[:2] for event in events})
    await store.read_areas(tx, {event.division[: offering.COUNTY] for event in events})


async def offer_to_next_responder(event: ResponderRequested, tx: Tx, policies: Policies) -> None:
    if await tx.get("requests", event.request_id) is not None:
        return  # known, or withdrawn before it arrived
    request = offering.new_request(
        event.request_id,
        event.case_id,
        event.division,
        event.tier,
        event.minor,
        event.occurred_at,
        event.restricted,
    )
    await offering.offer_next(request, tx, policies)


async def load_held(events: Sequence[ResponderReleased], tx: Tx) -> None:
    await store.read_held(tx, [event.request_id for event in events])


async def release_responder(event: ResponderReleased, tx: Tx, policies: Policies) -> None:
    request = await tx.get("requests", event.request_id)
    if request is None:
        tx.put("requests", offering.withdrawn_early(event.request_id, event.case_id, event.division, tx.now))
    elif request["state"] != "released":
        await offering.release(request, tx, policies)


# Timers


async def expire_offer(offer_id: uuid.UUID, tx: Tx, policies: Policies) -> None:
    """The deadline of an offer came; silence goes on to the next responder."""
    await store.read_due_offers(tx)
    offer = await tx.get("offers", offer_id)
    if offer is not None and offer["state"] == "open":
        await offering.expire(offer, tx, policies)


async def look_again(province: str, tx: Tx, policies: Policies) -> None:
    await offering.look_again(province, tx, policies)

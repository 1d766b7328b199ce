"""What matching does with each event, and with its timers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.tx import Document, Tx
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.registry import (
    DivisionsListed,
    DutyRostered,
    VolunteerRegistered,
    VolunteersMerged,
    VolunteersSplit,
)
from services.matching import answering, offering, store
from services.matching.domain.policy import Policies

# What the registry tells


async def load_volunteers(events: Sequence[VolunteerRegistered], tx: Tx) -> None:
    people = [event.volunteer_id for event in events]
    await tx.load("responders", people)
    await store.read_offers_of(tx, people)


async def note_volunteer(event: VolunteerRegistered, tx: Tx, policies: Policies) -> None:
    """Keep who may do what. What the person holds stays; what is only offered, if the person may still answer it."""
    known = await store.responder(tx, event.volunteer_id)
    if known is not None and known["revision"] >= event.revision:
        return
    responder = known or store.new_responder(event.volunteer_id)
    responder.update(
        revision=event.revision,
        division=event.division,
        person_types=list(event.person_types),
        qualifications=list(event.qualifications),
        trained=event.trained,
        spells=[one.model_dump(mode="json") for one in event.spells],
        active=event.active,
        minor=event.minor,
    )
    _put(responder, tx)
    await answering.check_offer(event.volunteer_id, tx, policies)


def _put(responder: Document, tx: Tx) -> None:
    tx.put("responders", responder)
    if store.board_of(tx).knows(responder["_id"]):
        store.board_of(tx).put(store.person_of(responder, tx.now))


async def load_merges(events: Sequence[VolunteersMerged | VolunteersSplit], tx: Tx) -> None:
    people = [ident for event in events for ident in (event.volunteer_id, event.gone_id)]
    await tx.load("responders", people)
    await store.read_offers_of(tx, people)


async def note_merge(event: VolunteersMerged, tx: Tx, policies: Policies) -> None:
    """Two ids are one person: the one that is gone is asked nothing more, and its case goes to the one that stays.

    Who holds a case under both ids keeps both, and the second one comes over once the first is done. Whoever was asked
    under the id that is gone was asked.
    """
    gone = await store.responder(tx, event.gone_id) or store.new_responder(event.gone_id)
    stays = await store.responder(tx, event.volunteer_id) or store.new_responder(event.volunteer_id)
    if gone["joined_at"] is not None and gone["joined_at"] > event.occurred_at:
        return
    _put({**gone, "merged_into": stays["_id"], "joined_at": event.occurred_at, "entries": []}, tx)
    called = [moment for moment in (gone["called_at"], stays["called_at"]) if moment is not None]
    entries = [*stays["entries"], gone["_id"], *gone["entries"]]
    _put({**stays, "called_at": max(called, default=None), "entries": list(dict.fromkeys(entries))}, tx)
    for request in await store.asked_of(tx, gone["_id"]):
        await offering.note_asked(request["_id"], stays["_id"], tx)
    await answering.check_offer(gone["_id"], tx, policies)
    await answering.check_offer(stays["_id"], tx, policies)
    await offering.take_over(stays["_id"], tx, policies)


async def note_split(event: VolunteersSplit, tx: Tx) -> None:
    """Two people again. A case that came over stays with who holds it; what is held under the other id is its own."""
    gone = await store.responder(tx, event.gone_id) or store.new_responder(event.gone_id)
    if gone["joined_at"] is not None and gone["joined_at"] > event.occurred_at:
        return
    stays = await store.responder(tx, event.volunteer_id)
    back: list[uuid.UUID] = []
    if stays is not None:
        for entry in stays["entries"]:
            held = await store.responder(tx, entry)
            if held is not None and held["merged_into"] == gone["_id"]:
                back.append(entry)
        left = [entry for entry in stays["entries"] if entry not in (*back, gone["_id"])]
        _put({**stays, "entries": left}, tx)
    _put({**gone, "merged_into": None, "joined_at": event.occurred_at, "entries": back}, tx)


async def load_duties(events: Sequence[DutyRostered], tx: Tx) -> None:
    await tx.load("duties", [event.duty_id for event in events])
    moved = [event for event in events if await tx.get("duties", event.duty_id) is not None]
    people = {event.volunteer_id for event in events if _is_on(event, tx)} | {event.volunteer_id for event in moved}
    await tx.load("responders", people)
    await store.read_offers_of(tx, [event.volunteer_id for event in moved])


async def note_duty(event: DutyRostered, tx: Tx, policies: Policies) -> None:
    """Keep who is on duty when; a turn that runs already may be what a waiting request waits for.

    Whose turn is withdrawn, or moved away from now, is not asked any more, and what was only offered goes on.
    """
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
    roles = policies.at(tx.now).duty.on_duty_roles
    on_now = _is_on(event, tx) and event.role in roles
    if known is not None:
        people = dict.fromkeys((event.volunteer_id, known["volunteer_id"]))
        for person in people:
            await store.reread_turns_of(tx, person, roles)
        if on_now:  # who has the turn now may be the next
            await store.read_turns_of(tx, [event.volunteer_id], roles)
        for person in people:
            await answering.check_offer(person, tx, policies)
    if on_now:
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


async def load_requests(events: Sequence[ResponderRequested], tx: Tx, policies: Policies) -> None:
    """For a whole group: what is known of its requests, and who is on duty in their counties."""
    await tx.load("requests", [event.request_id for event in events])
    await tx.load("watches", {event.division[:2] for event in events})
    roles = policies.at(tx.now).duty.on_duty_roles
    await store.read_areas(tx, {event.division[: offering.COUNTY] for event in events}, roles)


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
        event.problem_categories,
    )
    await offering.offer_next(request, tx, policies)


async def load_held(events: Sequence[ResponderReleased], tx: Tx, policies: Policies) -> None:
    await store.read_held(tx, [event.request_id for event in events], policies.at(tx.now).duty.on_duty_roles)


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

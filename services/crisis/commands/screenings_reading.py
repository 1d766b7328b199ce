"""A screening afterwards: its page, the offer to a person who is well, and the way back to the person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.commands.campaigns import own_sites
from services.crisis.office import Office


async def seen_screening(campaign_id: UUID, screening_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A screening of a site that exists for the caller, with `double_of`; raises `NotFound`."""
    campaign = await store.the_campaign(tx, campaign_id)
    sites = own_sites(campaign, caller)
    screening = await store.the_screening(tx, campaign_id, screening_id)
    if screening["site"] not in sites:
        raise NotFound("there is no such screening in this campaign")
    people = await tx.get("screening_people", screening["people"]) if screening["double"] else None
    return {**screening, "double_of": people["counts"] if people else None}


async def answer_offer(campaign_id: UUID, screening_id: UUID, accepts: bool, caller: Caller, tx: Tx) -> Document:
    """Whether a person who is well takes others along: the role of a peer leader is offered, and never assigned."""
    screening = await seen_screening(campaign_id, screening_id, caller, tx)
    if screening["peer_leader"]["state"] == "none":
        raise NotAllowed("nothing was offered to this person", reason="not_offered", field="accepts")
    state = "accepted" if accepts else "declined"
    if screening["peer_leader"]["state"] != state:
        screening["peer_leader"] = {"state": state, "at": tx.now, "by": caller.subject}
        kept = {name: value for name, value in screening.items() if name != "double_of"}
        tx.put("screenings", kept)
    return screening


async def read_contact(
    campaign_id: UUID, screening_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office
) -> dict[str, Any]:
    """The person in plain; each reading is in the audit log. Raises `NotFound` for who is anonymous, or was erased."""
    screening = await seen_screening(campaign_id, screening_id, caller, tx)
    contact = await tx.get("screening_contacts", screening_id)
    if contact is None:
        raise NotFound("the person is not known, or was forgotten")
    tx.record(
        actor=caller.subject,
        action="screening_contact_read",
        subject=str(screening_id),
        division=screening["division"],
        reason=reason,
    )
    try:
        fields = await office.keys.open(tx, contact["person"], contact["sealed"])
    except Unreadable as error:
        raise NotFound("the person is not known, or was forgotten") from error
    observe.PERSONAL_READS.labels("screenings").inc()
    return {"screening_id": screening_id, **fields}

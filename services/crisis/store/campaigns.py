"""Screening campaigns and what was taken in them.

campaigns           one a campaign: what was planned, its state, the places of its sites
screenings          one a screening, by the id that the tablet gave it: answers by code, results, how it was routed
screening_people    one a person and campaign (`<campaign>:<keyed hash>`): which of the person's screenings counts
screening_counts    one a campaign, site and batch (`<campaign>:<site>:<batch>`): the counters
screening_contacts  one a screening: what it takes to get in touch, under the person's own key
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "campaigns": [index("places", "state", "-starts"), index("division", "state", "-starts")],
    "screenings": [index("campaign_id", "ask_again", "taken_at"), index("division", "taken_at")],
    "screening_people": [],
    "screening_counts": [],
    "screening_contacts": [index("person"), index("at", partialFilterExpression={"sealed": {"$type": "binData"}})],
}


async def the_campaign(tx: Tx, campaign_id: UUID) -> Document:
    """The campaign; raises `NotFound`."""
    campaign = await tx.get("campaigns", campaign_id)
    if campaign is None:
        raise NotFound("there is no such campaign")
    return campaign


async def the_screening(tx: Tx, campaign_id: UUID, screening_id: UUID) -> Document:
    """A screening of this campaign; raises `NotFound`."""
    screening = await tx.get("screenings", screening_id)
    if screening is None or screening["campaign_id"] != campaign_id:
        raise NotFound("there is no such screening in this campaign")
    return screening


async def campaigns_within(database: Database, division: str, state: str | None, limit: int) -> list[Document]:
    """Campaigns that lie in a division, or have a site there: the latest first."""
    query: Document = {
        "$or": [{"division": under(division)}, {"places": {"$elemMatch": under(division)}}],
    }
    if state is not None:
        query["state"] = state
    return await database.find("campaigns", query, sort=[("starts", -1), ("_id", 1)], limit=limit)


async def counts_of(database: Database, keys: list[str]) -> dict[str, Document]:
    """Counters by `<campaign>:<site>:<batch>`; nothing for a place where nobody was asked yet."""
    return {one["_id"]: one for one in await database.find("screening_counts", {"_id": {"$in": keys}})}


async def to_ask_again(database: Database, campaign_id: UUID, sites: list[str], limit: int) -> list[Document]:
    """Screenings without a result, nor a later one of the person: the longest waiting first."""
    query = {"campaign_id": campaign_id, "ask_again": True, "site": {"$in": sites}}
    return await database.find("screenings", query, sort=[("taken_at", 1), ("_id", 1)], limit=limit)

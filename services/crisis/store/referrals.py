"""What stands beside the referrals: the queries, and the shape of the documents.

receivers       one an institution: whom it takes, its places, its green channel, its agreements
consents        one a case and unit: what the person said to sharing with that unit, and what was said before
tellings        one a case and unit: something was done without consent, and the person is to be told
transfers       one a transfer of a case to another office
consultations   one a consultation, with its opinion; the opinion's text under the person's key
accompanied_visits   one a visit to which somebody goes along
medication_hand_overs   one a hand-over of medication records at discharge; the records under the person's key
incoming_referrals   one a referral that a hospital sent in: its id, and a keyed hash of what it said
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.domain.consultations import WAITING as CONSULTATION_WAITING
from services.crisis.domain.receivers import Places
from services.crisis.domain.referral import ENDED, HOLDS_PLACE
from services.crisis.domain.referrals_accompanied import WAITING as VISIT_WAITING
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "receivers": [],
    "consents": [index("case_id", "organisation_id", "-at")],
    "tellings": [index("state", "division", "due_at"), index("case_id")],
    "transfers": [
        index("state", "to_division", "requested_at"),
        index("state", "from_division", "requested_at"),
        index("state", "to_organisation_id", "requested_at"),
    ],
    "consultations": [index("case_id", "state"), index("organisation_id", "state", "due_at")],
    "accompanied_visits": [index("case_id", "state"), index("referral_id"), index("state", "division", "at")],
    "medication_hand_overs": [
        index("case_id"),
        index("referral_id"),
        index("organisation_id", "state", "sent_at"),
        index("state", "division", "sent_at"),
    ],
    "incoming_referrals": [],
}

MOST_A_WEEK = 5_000
MOST_OF_A_CASE = 500


async def the(tx: Tx, collection: str, key: Any, name: str) -> Document:
    """The document; raises `NotFound` with what it is called."""
    found = await tx.get(collection, key)
    if found is None:
        raise NotFound(f"there is no such {name}")
    return found


async def places_taken(tx: Tx, organisation_id: UUID, day: str, week: str) -> Places:
    """How many referrals hold one of an institution's places, of a day and of its week."""
    query = {
        "organisation_id": organisation_id,
        "slot.week": week,
        "state": {"$in": sorted(state.value for state in HOLDS_PLACE)},
    }
    found = await tx.find("referrals", query, limit=MOST_A_WEEK)
    return Places(today=sum(1 for one in found if one["slot"]["day"] == day), week=len(found))


async def referrals_of_case(tx: Tx, case_id: UUID) -> list[Document]:
    """All referrals of a case, the oldest first."""
    return await tx.find("referrals", {"case_id": case_id}, sort=[("_id", 1)], limit=MOST_OF_A_CASE)


async def unfinished_of_case(tx: Tx, case_id: UUID) -> dict[str, list[Document]]:
    """What is still under way around a case, by collection; what the person said about units always holds."""
    ended = sorted(state.value for state in ENDED)
    waiting: dict[str, Document] = {
        "referrals": {"state": {"$nin": ended}},
        "consultations": {"state": {"$in": sorted(state.value for state in CONSULTATION_WAITING)}},
        "accompanied_visits": {"state": {"$in": sorted(state.value for state in VISIT_WAITING)}},
        "tellings": {"state": "open"},
        "consents": {},
    }
    return {
        collection: await tx.find(collection, {"case_id": case_id, **query}, sort=[("_id", 1)], limit=MOST_OF_A_CASE)
        for collection, query in waiting.items()
    }


async def consent_about(tx: Tx, case_id: UUID, organisation_id: UUID) -> Document | None:
    """What the person said last about a unit."""
    query = {"case_id": case_id, "organisation_id": organisation_id}
    found = await tx.find("consents", query, sort=[("at", -1)], limit=1)
    return found[0] if found else None


async def untold(tx: Tx, case_id: UUID, organisation_id: UUID) -> list[Document]:
    """What the person is to be told about a unit."""
    query = {"case_id": case_id, "organisation_id": organisation_id, "state": "open"}
    return await tx.find("tellings", query, sort=[("_id", 1)], limit=MOST_OF_A_CASE)


async def units_of(tx: Tx, county: str, kind: str) -> list[Document]:
    """The institutions of one kind in a county that receive."""
    query = {"receives": True, "county": county, "kind": kind}
    return await tx.find("organisations", query, sort=[("name", 1), ("_id", 1)], limit=MOST_OF_A_CASE)


async def visits_of_referral(tx: Tx, referral_id: UUID) -> list[Document]:
    """The accompanied visits of a referral that are not over."""
    query = {"referral_id": referral_id, "state": {"$in": sorted(state.value for state in VISIT_WAITING)}}
    return await tx.find("accompanied_visits", query, sort=[("_id", 1)], limit=MOST_OF_A_CASE)


async def of_case(database: Database, collection: str, case_id: UUID, limit: int) -> list[Document]:
    """One collection's documents about a case, the oldest first."""
    return await database.find(collection, {"case_id": case_id}, sort=[("_id", 1)], limit=limit)


async def consultations_for(database: Database, organisation: UUID, states: list[str], limit: int) -> list[Document]:
    """What an institution is consulted about, the most urgent deadline first."""
    query = {"organisation_id": organisation, "state": {"$in": states}}
    return await database.find("consultations", query, sort=[("due_at", 1), ("_id", 1)], limit=limit)


async def visits_in(database: Database, division: str, states: list[str], limit: int) -> list[Document]:
    """Accompanied visits of a division, the next first."""
    query = {"state": {"$in": states}, "division": under(division)}
    return await database.find("accompanied_visits", query, sort=[("at", 1), ("_id", 1)], limit=limit)


async def hand_overs_for(database: Database, organisation: UUID, states: list[str], limit: int) -> list[Document]:
    """What was handed over to a primary unit, the oldest first."""
    query = {"organisation_id": organisation, "state": {"$in": states}}
    return await database.find("medication_hand_overs", query, sort=[("sent_at", 1), ("_id", 1)], limit=limit)


async def hand_overs_in(database: Database, division: str, states: list[str], limit: int) -> list[Document]:
    """Hand-overs of a division's cases, the oldest first: what nobody has confirmed is found here."""
    query = {"division": under(division), "state": {"$in": states}}
    return await database.find("medication_hand_overs", query, sort=[("sent_at", 1), ("_id", 1)], limit=limit)


async def transfers_to(database: Database, division: str, state: str, limit: int) -> list[Document]:
    """Transfers that are put to an office of this division, the longest waiting first."""
    query = {"to_division": under(division), "state": state}
    return await database.find("transfers", query, sort=[("requested_at", 1), ("_id", 1)], limit=limit)


async def transfers_from(database: Database, division: str, state: str, limit: int) -> list[Document]:
    """Transfers that an office of this division has asked for."""
    query = {"from_division": under(division), "state": state}
    return await database.find("transfers", query, sort=[("requested_at", 1), ("_id", 1)], limit=limit)


async def to_tell(database: Database, division: str, limit: int) -> list[Document]:
    """Whom an office has still to tell, also where the case is closed; the longest due first."""
    query = {"state": "open", "division": under(division)}
    return await database.find("tellings", query, sort=[("due_at", 1), ("_id", 1)], limit=limit)

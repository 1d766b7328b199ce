"""Incidents, the people affected, what was done for them; critical incidents; outreach.

incidents                one a public emergency: areas, kind, level, state, plans found, experts and teams, timeline
incident_people          one a person and incident: registrations, exposure, screens, flags, place in after-care
incident_registrations   `<incident>:<id that the client gave>` -> the person's entry
incident_contacts        one a registration: what it takes to find the person, under the person's own key
incident_acts            one a screen, a group session, an individual intervention
critical_incidents       one a report, with its clock
outreaches               one a time that somebody of the register was turned to unasked, with the legal basis
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.domain.incidents import CODE_LENGTHS, Exposure, IncidentState
from services.crisis.domain.incidents_aftercare import OPEN, AftercareState
from services.crisis.domain.incidents_critical import CriticalState
from services.crisis.domain.referral import UNDER_WAY
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "incidents": [index("areas", "-started_at"), index("state")],
    "incident_people": [
        index("incident_id", "division", "category"),
        index("incident_id", "aftercare.state", "_id"),
        index("aftercare.state", "division", "_id"),
        index("flags"),
    ],
    "incident_registrations": [],
    "incident_contacts": [
        index("entry_id", "-at"),
        index("person"),
        index("at", partialFilterExpression={"sealed": {"$type": "binData"}}),
    ],
    "incident_acts": [index("incident_id", "kind", "division"), index("entry_id")],
    "critical_incidents": [index("state", "division", "-_id"), index("division", "-_id")],
    "outreaches": [index("incident_id", "division")],
}


async def the_incident(tx: Tx, incident_id: UUID) -> Document:
    """The incident; raises `NotFound`."""
    incident = await tx.get("incidents", incident_id)
    if incident is None:
        raise NotFound("there is no such incident")
    return incident


async def the_affected(tx: Tx, incident_id: UUID, person_id: UUID) -> Document:
    """A person's entry, by any of the ids under which the person was registered; raises `NotFound`."""
    alias = await tx.get("incident_registrations", f"{incident_id}:{person_id}")
    entry = await tx.get("incident_people", alias["entry_id"] if alias else person_id)
    if entry is None or entry["incident_id"] != incident_id:
        raise NotFound("no such person is registered for this incident")
    return entry


async def contacts_of_affected(tx: Tx, entry_id: UUID) -> list[Document]:
    """The sealed contacts of an entry, the latest first."""
    return await tx.find("incident_contacts", {"entry_id": entry_id}, sort=[("at", -1), ("_id", 1)], limit=50)


async def cases_of_affected(tx: Tx, entry: Document) -> list[Document]:
    """The cases that an entry's flags became, and those that were linked by hand."""
    query = {"$or": [{"flags.id": {"$in": entry["flags"]}}, {"_id": {"$in": entry["cases"]}}]}
    return await tx.find("cases", query, sort=[("_id", 1)], limit=50)


async def incidents_of(database: Database, division: str, state: IncidentState | None, limit: int) -> list[Document]:
    """Incidents that touch a division: areas in it, or around it; the latest first."""
    around = [division[:length] for length in CODE_LENGTHS if length <= len(division)]
    query: Document = {"$or": [{"areas": under(division)}, {"areas": {"$in": around}}]}
    if state is not None:
        query["state"] = state.value
    return await database.find("incidents", query, sort=[("started_at", -1), ("_id", 1)], limit=limit)


async def experts_called(database: Database, incident_id: UUID) -> list[Document]:
    """The call-outs of an incident; at most one an area."""
    return await database.find("expert_call_outs", {"incident_id": incident_id}, sort=[("_id", 1)], limit=50)


async def affected(
    database: Database,
    incident_id: UUID,
    division: str,
    category: Exposure | None,
    care: AftercareState | None,
    after: UUID | None,
    limit: int,
) -> list[Document]:
    """The register of an incident within a division, in a stable order; `after` is the last id of the page before."""
    query: Document = {"incident_id": incident_id, "division": under(division)}
    if category is not None:
        query["category"] = category.value
    if care is not None:
        query["aftercare.state"] = care.value
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("incident_people", query, sort=[("_id", 1)], limit=limit)


async def in_aftercare(database: Database, division: str, after: UUID | None, limit: int) -> list[Document]:
    """People of a division who are still on a list of after-care, whatever became of the incident."""
    query: Document = {"aftercare.state": {"$in": sorted(OPEN)}, "division": under(division)}
    if after is not None:
        query["_id"] = {"$gt": after}
    return await database.find("incident_people", query, sort=[("_id", 1)], limit=limit)


async def people_to_follow(tx: Tx, incident_id: UUID, limit: int) -> list[Document]:
    """Those on the list of after-care for whom nothing is planned yet."""
    query = {"incident_id": incident_id, "aftercare.state": AftercareState.listed.value}
    return await tx.find("incident_people", query, sort=[("_id", 1)], limit=limit)


async def still_in_aftercare(tx: Tx, incident_id: UUID, limit: int) -> list[Document]:
    """Those who are on the list and not closed, as many as `limit`."""
    query = {"incident_id": incident_id, "aftercare.state": {"$in": sorted(OPEN)}}
    return await tx.find("incident_people", query, sort=[("_id", 1)], limit=limit)


async def acts_of(database: Database, incident_id: UUID, division: str, kind: str, limit: int) -> list[Document]:
    """Screens, sessions or interventions of an incident within a division, the latest first."""
    query = {"incident_id": incident_id, "kind": kind, "division": under(division)}
    return await database.find("incident_acts", query, sort=[("held_at", -1), ("_id", 1)], limit=limit)


async def critical_incidents_of(
    database: Database, division: str, state: CriticalState | None, limit: int
) -> list[Document]:
    """Reports of critical incidents within a division, the latest first."""
    query: Document = {"division": under(division)}
    if state is not None:
        query["state"] = state.value
    return await database.find("critical_incidents", query, sort=[("_id", -1)], limit=limit)


async def numbers_of(database: Database, incident_id: UUID, division: str) -> Document:
    """The incident's numbers within a division, counted from the documents each time."""
    mine = {"incident_id": incident_id, "division": under(division)}
    return {
        **await _people(database, mine),
        **await _cases(database, mine),
        **await _acts(database, mine),
        "outreaches": await database.count("outreaches", mine),
    }


def _if(condition: Any) -> Document:
    return {"$sum": {"$cond": [condition, 1, 0]}}


async def _people(database: Database, mine: Document) -> Document:
    care = {state.value: {"$eq": ["$aftercare.state", state.value]} for state in AftercareState}
    rows = await database.aggregate(
        "incident_people",
        [
            {"$match": mine},
            {
                "$group": {
                    "_id": "$category",
                    "people": {"$sum": 1},
                    "minors": _if("$minor"),
                    "screened": _if({"$gt": ["$screened", 0]}),
                    "positive": _if("$positive"),
                    "acute_stress": _if({"$gt": [{"$size": "$acute_stress"}, 0]}),
                    "listed": _if(care["listed"]),
                    "followed": _if(care["followed"]),
                    "closed": _if(care["closed"]),
                }
            },
        ],
    )
    by = {row["_id"]: row["people"] for row in rows}
    total = {name: sum(row[name] for row in rows) for name in ("people", "minors", "screened", "positive")}
    return {
        **total,
        "by_category": {one.value: by.get(one.value, 0) for one in Exposure},
        "acute_stress": sum(row["acute_stress"] for row in rows),
        "aftercare": {name: sum(row[name] for row in rows) for name in ("listed", "followed", "closed")},
    }


async def _cases(database: Database, mine: Document) -> Document:
    rows = await database.aggregate(
        "incident_people",
        [
            {"$match": mine | {"flags.0": {"$exists": True}}},
            {"$lookup": {"from": "cases", "localField": "flags", "foreignField": "flags.id", "as": "case"}},
            {"$unwind": "$case"},
            {
                "$group": {
                    "_id": "$_id",
                    "cases": {"$addToSet": "$case._id"},
                    "sent": {"$addToSet": "$case.referral_id"},
                }
            },
            {"$lookup": {"from": "referrals", "localField": "sent", "foreignField": "_id", "as": "referral"}},
            {"$project": {"sent": {"$size": {"$setIntersection": ["$referral.state", sorted(UNDER_WAY)]}}}},
            {"$group": {"_id": None, "in_case": {"$sum": 1}, "referred": _if({"$gt": ["$sent", 0]})}},
        ],
    )
    found = rows[0] if rows else {}
    return {"in_case": found.get("in_case", 0), "referred": found.get("referred", 0)}


async def _acts(database: Database, mine: Document) -> Document:
    rows = await database.aggregate(
        "incident_acts",
        [
            {"$match": mine},
            {"$group": {"_id": "$kind", "number": {"$sum": 1}, "participants": {"$sum": "$participants"}}},
        ],
    )
    by = {row["_id"]: row for row in rows}
    return {
        "screens": by.get("screen", {}).get("number", 0),
        "group_sessions": by.get("session", {}).get("number", 0),
        "participants": by.get("session", {}).get("participants", 0),
        "interventions": by.get("intervention", {}).get("number", 0),
    }

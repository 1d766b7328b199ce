"""Teams, loans, visits, campus units, providers, agreements, relations, resources and check-ins: the queries.

`teams`: `_id` (UUID, chosen by the client), `revision`, what `api.teams_forms.TeamIn` tells, `level`, `group`,
`status`, `status_log`, `members` (`id`, `person_id` or `organisation_id`, `role`, `profession`, `since`, `until`) and
`highest_of`, which is there only on the highest body of a division that is not dissolved: one for a division.
`loans`: `_id`, `revision`, `subject` (team, person), `subject_id`, `kind`, `origin`, `division`, `since`, `until`,
`cancelled`. `loan_guards`: touched by each loan of a subject, so that two at once are written one after the other;
`team_guards`: the same for the tree of a province. `team_visits`: `_id`, `revision`, `team_id`, `organisation_id`,
`division`, `person_id`, `day`, `state`, `log`. `campus_units`: `_id`, `revision`, `organisation_id`, `division`,
`level`, `parent_id`, `name`, `representatives`, `person_id`, `active`.
`providers`: `_id`, `revision`, what `api.providers.ProviderIn` tells without the identity number, `credit_key`
and `identity_key` (a keyed hash), both of the county and there only until it is ended, `sealed` (under the person's
own key), `status`, `status_log`.
`agreements`: `_id`, `revision`, what `api.agreements.AgreementIn` tells, `partner_kind`, `state`, `signed_on`, `log`,
and `open_key` while it is not closed. `relations`, `resources`, `check_ins`: `_id`, `revision`, what their forms tell.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import within

COLLECTIONS: dict[str, list[Any]] = {
    "teams": [
        index("division"),
        index("type", "division"),
        index("name"),
        index("parent_id", sparse=True),
        index("organisation_id", sparse=True),
        index("members.person_id"),
        index("members.role", "division"),
        index("guiding_id", sparse=True),
        index("highest_of", unique=True, sparse=True),
    ],
    "team_guards": [],
    "loans": [index("subject_id"), index("division"), index("origin")],
    "loan_guards": [],
    "team_visits": [index("team_id", "day"), index("division"), index("organisation_id")],
    "campus_units": [index("organisation_id"), index("parent_id", sparse=True), index("division")],
    "providers": [
        index("division"),
        index("credit_key", unique=True, sparse=True),
        index("identity_key", unique=True, sparse=True),
        index("person_id", sparse=True),
        index("licence_until", "_id", sparse=True),
    ],
    "agreements": [
        index("division"),
        index("open_key", unique=True, sparse=True),
        index("partner_id"),
        index("centre_id"),
    ],
    "relations": [index("guided_id", sparse=True), index("guide_id"), index("person_id"), index("division")],
    "resources": [index("division"), index("department", "division"), index("name")],
    "check_ins": [index("division"), index("organisation_id")],
}
MANY = 20_000


async def document(tx: Tx, collection: str, ident: uuid.UUID) -> Document | None:
    """One of this module's documents."""
    return await tx.get(collection, ident)


async def sorted_page(
    database: Database,
    collection: str,
    query: Document,
    sort: str,
    descending: bool,
    after: tuple[Any, uuid.UUID] | None,
    limit: int,
) -> list[Document]:
    """A page in the order of a field and, among equals, of the ids; `after` is the last one's value and id."""
    field, way, beyond = "_id" if sort == "id" else sort, -1 if descending else 1, "$lt" if descending else "$gt"
    wanted = query
    if after is not None:
        value, ident = after
        later: list[Document] = [{"_id": {beyond: ident}}]
        if field != "_id":
            later = [{field: {beyond: value}}, {field: value, "_id": {beyond: ident}}]
        wanted = {"$and": [query, {"$or": later}]}
    order = [("_id", way)] if field == "_id" else [(field, way), ("_id", way)]
    return await database.find(collection, wanted, sort=order, limit=limit)


def touch_tree(tx: Tx, division: str) -> None:
    """Two moves in the tree of a province are written one after the other."""
    tx.increment("team_guards", division[:2], {"moves": 1})


def touch_subject(tx: Tx, subject: uuid.UUID) -> None:
    """Two loans of the same person or team are written one after the other."""
    tx.increment("loan_guards", subject, {"loans": 1})


async def children(tx: Tx, ident: uuid.UUID) -> list[Document]:
    """Teams below one that are not dissolved."""
    return await tx.find("teams", {"parent_id": ident, "status": {"$ne": "dissolved"}})


async def loans_of(tx: Tx, subject: uuid.UUID) -> list[Document]:
    return await tx.find("loans", {"subject_id": subject, "cancelled": False}, sort=[("_id", 1)])


async def visits_of(database: Database, team: uuid.UUID) -> list[Document]:
    """All visits of a pool, one more than `MANY` at most."""
    return await database.find("team_visits", {"team_id": team}, sort=[("day", 1), ("_id", 1)], limit=MANY + 1)


async def campus_units_of(database: Database, organisation: uuid.UUID) -> list[Document]:
    query = {"organisation_id": organisation, "active": True}
    return await database.find("campus_units", query, sort=[("_id", 1)], limit=MANY + 1)


async def papers_of_organisation(tx: Tx, ident: uuid.UUID) -> list[tuple[str, Document]]:
    """What lies in the division of an organisation: its campus, visits to it and its agreements, with their names."""
    found: list[tuple[str, Document]] = []
    for collection, field in (
        ("campus_units", "organisation_id"),
        ("team_visits", "organisation_id"),
        ("agreements", "centre_id"),
    ):
        found += [(collection, row) for row in await tx.find(collection, {field: ident})]
    return found


async def campus_units_below(tx: Tx, ident: uuid.UUID) -> list[Document]:
    return await tx.find("campus_units", {"parent_id": ident, "active": True}, limit=1)


async def school_unit_of(tx: Tx, organisation: uuid.UUID) -> list[Document]:
    """The unit at the top of a school's network."""
    return await tx.find("campus_units", {"organisation_id": organisation, "level": "school", "active": True}, limit=1)


async def keepers(database: Database, division: str, role: str) -> list[Document]:
    """The active teams of a division that have members in a role."""
    query = {**within(division), "status": "active", "members.role": role}
    return await database.find("teams", query, sort=[("_id", 1)], limit=MANY)


async def with_members(tx: Tx, people: Sequence[uuid.UUID]) -> list[Document]:
    """The teams that are not dissolved in which one of these has or had a term."""
    return await tx.find("teams", {"members.person_id": {"$in": list(people)}, "status": {"$ne": "dissolved"}})


async def other_provider(tx: Tx, key: str, value: str, ident: uuid.UUID) -> list[Document]:
    """Another provider that has the same `credit_key` or `identity_key`, if there is any."""
    return await tx.find("providers", {key: value, "_id": {"$ne": ident}}, limit=1)


async def providers_of(tx: Tx, person: uuid.UUID) -> list[Document]:
    return await tx.find("providers", {"person_id": person})


async def agreements_within(database: Database, division: str) -> list[Document]:
    """All agreements of a division, one more than `MANY` at most."""
    return await database.find("agreements", within(division), sort=[("_id", 1)], limit=MANY + 1)


async def licences_over(tx: Tx, day: str, after: uuid.UUID | None, limit: int) -> list[Document]:
    """Verified providers whose licence ended before an ISO day, in the order of their ids."""
    query: Document = {
        "licence_until": {"$lt": day},
        "status": "verified",
        **({"_id": {"$gt": after}} if after else {}),
    }
    return await tx.find("providers", query, sort=[("_id", 1)], limit=limit)


async def relations_of(database: Database, organisation: Document) -> list[Document]:
    """The relations by which an organisation may be guided: its own, and those of its kind in divisions above it."""
    code = organisation["division"]
    above = [code[:digits] for digits in (2, 4, 6, 9, 12) if digits <= len(code)]
    of_kind = {"guided_id": None, "guided_kind": organisation["kind"], "division": {"$in": above}}
    query = {"$or": [{"guided_id": organisation["_id"]}, of_kind]}
    return await database.find("relations", query, sort=[("_id", 1)], limit=1000)


async def resource_sums(database: Database, division: str) -> list[Document]:
    """Available resources by department and kind, as ``{_id: {department, kind}, entries, quantity}``."""
    group = {
        "_id": {"department": "$department", "kind": "$kind"},
        "entries": {"$sum": 1},
        "quantity": {"$sum": "$quantity"},
    }
    match = {**within(division), "available": True}
    return await database.aggregate("resources", [{"$match": match}, {"$group": group}, {"$sort": {"_id": 1}}])


async def check_in_sums(database: Database, query: Document) -> list[Document]:
    """Check-ins by community and form, as ``{_id: {division, form}, check_ins, organisations}``, one row
    more than `MANY` at most."""
    group = {
        "_id": {"division": "$division", "form": "$form"},
        "check_ins": {"$sum": 1},
        "organisations": {"$addToSet": "$organisation_id"},
    }
    shape = {"check_ins": 1, "organisations": {"$size": "$organisations"}}
    steps: Sequence[Document] = [
        {"$match": query},
        {"$group": group},
        {"$project": shape},
        {"$sort": {"_id": 1}},
        {"$limit": MANY + 1},
    ]
    return await database.aggregate("check_ins", list(steps))

"""People, what they handed in and agreed to, doubles and merges: the queries.

`volunteers`: one document a person, whatever the roles. In clear: `roles`, codes, `age` with `age_given_on`,
`birth_year`, `minor_until`, `active` (on duty lists and in counts), `wanted` (as asked) and `waits_for` (why not
active), `unchecked` (claims that no office stands behind), `pledge` (version and day), `consents` by purpose,
`merged_into`; by keyed hash `identity`, `phone_key`, `name_key`, `employer_key`; all else in `sealed`, under the
person's own key. What was erased keeps its id and its division. `submissions`: who handed a form in. `imports`: how
far a large file was taken. `merges`: two entries that became one, with both as they were (`stayed`, `went`) and what
the merge made of the state (`made`), to part them again.

`merged_into` always names the entry that stands for the person, never one that went into another itself: a merge takes
along what had been merged before, and what a split gives back is read in `merges`. `lent` is the identity of an entry
that gave its name and number to the one that stands for it, `told_consents` the revisions told of consents that went
back to an entry.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from chassis.db import Database, index
from chassis.tx import Document, Tx
from services.registry.store.core import portions, within

COLLECTIONS: dict[str, list[Any]] = {
    "volunteers": [
        index("identity", unique=True, sparse=True),
        index("division"),
        index("phone_key", sparse=True),
        index("name_key", "birth_year", sparse=True),
        index("merged_into", sparse=True),
        index("tags", "division", sparse=True),
        index("division", "_id", partialFilterExpression={"waits_for.0": {"$exists": True}}, name="waiting"),
        index("minor_until", partialFilterExpression={"minor_until": {"$type": "string"}}, name="of_age"),
    ],
    "submissions": [index("division")],
    "imports": [index("division")],
    "merges": [index("gone_id"), index("volunteer_id"), index("division")],
}

LATER: Document = {
    "roles": ["volunteer"],
    "source": "",
    "tags": [],
    "professions": [],
    "networks": [],
    "workforce": "",
    "preferred": [],
    "trained_when": [],
    "consents": {},
    "pledge": None,
    "merged_into": None,
    "distinct_from": [],
    "waits_for": [],
    "unchecked": [],
    "minor_until": None,
    "phone_key": "",
    "name_key": "",
    "employer_key": "",
    "rota": None,
    "languages": [],
    "skills": [],
    "free_blocks": [],
}
"""What entries lack that were written before these fields were; its hashes come with the next writing."""


def whole(row: Document) -> Document:
    return {**LATER, "wanted": row["active"], **row}


OWN = {"merged_into": None, "erased": False}
"""An entry that is a person of its own."""


async def volunteer(tx: Tx, ident: uuid.UUID) -> Document | None:
    found = await tx.get("volunteers", ident)
    return None if found is None else whole(found)


async def volunteers_by_identity(tx: Tx, identities: Collection[str]) -> dict[str, Document]:
    """Who has these names and numbers, by identity; for an entry that was merged, the one that it was merged into."""
    found: dict[str, Document] = {}
    for portion in portions(identities):
        rows = await tx.find("volunteers", {"identity": {"$in": portion}})
        tx.remember("volunteers", rows)
        found.update({row["identity"]: whole(row) for row in rows})
    for identity, row in found.items():
        found[identity] = await survivor(tx, row)
    return found


async def survivor(tx: Tx, row: Document) -> Document:
    """The entry that stands for this one."""
    while row.get("merged_into") is not None:
        following = await tx.get("volunteers", row["merged_into"])
        if following is None:
            return row
        row = whole(following)
    return row


async def volunteers_in(tx: Tx, query: Document, after: uuid.UUID | None, limit: int) -> list[Document]:
    """A page of people in the order of their ids, without those who were merged into another entry."""
    wanted = {"merged_into": None, **query, **({"_id": {"$gt": after}} if after else {})}
    return [whole(row) for row in await tx.find("volunteers", wanted, sort=[("_id", 1)], limit=limit)]


async def active_volunteers(database: Database, division: str, limit: int) -> list[Document]:
    query = {**within(division), "active": True}
    return await database.find("volunteers", query, sort=[("_id", 1)], limit=limit)


async def of_age(tx: Tx, day: str, limit: int) -> list[uuid.UUID]:
    """Those who are kept as minors and are none any more on an ISO day, the merged and the erased left out."""
    query = {"minor_until": {"$type": "string", "$lte": day}, **OWN}
    return [row["_id"] for row in await tx.find("volunteers", query, sort=[("_id", 1)], limit=limit)]


async def with_traits(tx: Tx, traits: Document, division: str, limit: int) -> list[Document]:
    """Those of a division who have all of these hashes."""
    return await tx.find("volunteers", {**within(division), **OWN, **traits}, sort=[("_id", 1)], limit=limit)


async def merged_into(tx: Tx, ident: uuid.UUID) -> list[Document]:
    return await tx.find("volunteers", {"merged_into": ident, "erased": False})


async def entries_of(tx: Tx, ident: uuid.UUID) -> list[uuid.UUID]:
    """All ids under which the person of an entry is or was registered; first that of the one that stands for it."""
    known = await volunteer(tx, ident)
    if known is None:
        return [ident]
    first = (await survivor(tx, known))["_id"]
    return [first, *(row["_id"] for row in await tx.find("volunteers", {"merged_into": first}, sort=[("_id", 1)]))]


async def entries_of_subject(tx: Tx, subject: str) -> list[uuid.UUID]:
    """The same for who signed in with `subject`; none where that is no person of the register."""
    try:
        ident = uuid.UUID(subject)
    except ValueError:
        return []
    return await entries_of(tx, ident) if await volunteer(tx, ident) is not None else []


async def same_id(tx: Tx, told: uuid.UUID, before: uuid.UUID | None = None) -> uuid.UUID:
    """The id to write for a person who is told: the one before where that is the same person, whichever was told."""
    entries = await entries_of(tx, told)
    return before if before is not None and before in entries else entries[0]


async def is_person(tx: Tx, subject: str, ident: uuid.UUID) -> bool:
    """Whether who signed in with `subject` is the person of an entry, under whichever of the person's ids."""
    return subject in map(str, await entries_of(tx, ident))


# Imports


async def import_of(tx: Tx, key: str) -> Document | None:
    return await tx.get("imports", key)


async def imports_in(database: Database, query: Document, after: str, limit: int) -> list[Document]:
    return await database.find("imports", {**query, "_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)


# Doubles


async def merge(tx: Tx, ident: uuid.UUID) -> Document | None:
    return await tx.get("merges", ident)


async def merges_of(tx: Tx, ident: uuid.UUID) -> list[Document]:
    """The merges that a person had a part in."""
    return await tx.find("merges", {"$or": [{"volunteer_id": ident}, {"gone_id": ident}]})


async def merge_that_took(tx: Tx, gone: uuid.UUID) -> Document | None:
    """The merge in force by which an entry went into another, whole."""
    found = await tx.find("merges", {"gone_id": gone, "undone": False}, limit=1)
    return whole_merge(found[0]) if found else None


def whole_merge(row: Document) -> Document:
    """A merge with what those lack that were written before; one that made nothing of the state left it as it was."""
    if row["stayed"] is None:  # one of the two was erased
        return row
    stayed, went = whole(row["stayed"]), whole(row["went"])
    return {**row, "stayed": stayed, "went": went, "made": {**stayed, **(row.get("made") or {})}}


async def merged_below(tx: Tx, ident: uuid.UUID) -> list[Document]:
    """The entries that went into this one by the merges in force, and what had gone into those."""
    found: list[uuid.UUID] = []
    above = [ident]
    while above:
        rows = await tx.find("merges", {"volunteer_id": {"$in": above}, "undone": False})
        above = [row["gone_id"] for row in rows if row["gone_id"] not in found]
        found += above
    return [whole(row) for row in await people_of(tx, found)]


async def near(tx: Tx, row: Document) -> list[Document]:
    """Entries of the same county that share a number, or a name with about the same year of birth."""
    alike: list[Document] = [{"phone_key": row["phone_key"]}]
    if row["birth_year"] is not None:
        years = {"$gte": row["birth_year"] - 1, "$lte": row["birth_year"] + 1}
        alike.append({"name_key": row["name_key"], "birth_year": years})
    query = {**within(row["division"][:6]), **OWN, "_id": {"$ne": row["_id"]}, "$or": alike}
    return await tx.find("volunteers", query, sort=[("_id", 1)], limit=50)


async def groups_alike(database: Database, division: str, trait: str, after: str, limit: int) -> list[Document]:
    """Values of a hash that more than one person of a division has, in their order, as ``{_id, people}``."""
    shared = {"_id": f"${trait}", "people": {"$push": "$_id"}, "count": {"$sum": 1}}
    return await database.aggregate(
        "volunteers",
        [
            {"$match": {**within(division), **OWN, trait: {"$gt": after}}},
            {"$group": shared},
            {"$match": {"count": {"$gt": 1}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
            {"$project": {"people": {"$slice": ["$people", 20]}}},
        ],
    )


async def people_of(tx: Tx, idents: Sequence[uuid.UUID]) -> list[Document]:
    """Those of the ids that are there, in the order asked for."""
    await tx.load("volunteers", idents)
    found = [await tx.get("volunteers", ident) for ident in idents]
    return [row for row in found if row is not None]


# Counts

COUNTED = ("roles", "person_types", "qualifications", "preferred", "tags", "professions", "networks")
SINGLE = ("source", "workforce", "trained")


async def counts(database: Database, division: str, role: str | None) -> dict[str, dict[Any, int]]:
    """How many active people of a division have each code, by field; `people` has how many there are."""
    facets: Document = {
        name: [{"$unwind": f"${name}"}, {"$group": {"_id": f"${name}", "n": {"$sum": 1}}}] for name in COUNTED
    }
    facets |= {name: [{"$group": {"_id": f"${name}", "n": {"$sum": 1}}}] for name in SINGLE}
    facets["people"] = [{"$group": {"_id": "people", "n": {"$sum": 1}}}]
    facets["without_qualification"] = [
        {"$match": {"qualifications": []}},
        {"$group": {"_id": "people", "n": {"$sum": 1}}},
    ]
    match = {**within(division), "active": True, **({"roles": role} if role else {})}
    kept = dict.fromkeys((*COUNTED, *SINGLE), 1)
    (found,) = await database.aggregate("volunteers", [{"$match": match}, {"$project": kept}, {"$facet": facets}])
    return {name: {row["_id"]: row["n"] for row in rows} for name, rows in found.items()}

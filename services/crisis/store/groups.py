"""Town groups (基层综合管理小组).

town_groups         one a town, by its division code: revision, present members, the departments that are missing
group_memberships   one a person's time in a role: since, until (ISO days; `None` while it lasts), by whom
group_meetings      one a meeting: day, who was there, decisions by code; the text sealed under its own key
"""

from __future__ import annotations

from typing import Any

from chassis.db import Database, index
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis.store.cases import under

COLLECTIONS: dict[str, list[Any]] = {
    "town_groups": [],
    "group_memberships": [index("division", "-since", "_id")],
    "group_meetings": [
        index("division", "-on", "_id"),
        index("at", partialFilterExpression={"sealed": {"$type": "binData"}}),
    ],
}

MOST = 1000


async def the_group(tx: Tx, division: str) -> Document:
    """The town's group; raises `NotFound`."""
    group = await tx.get("town_groups", division)
    if group is None:
        raise NotFound("the town has no group")
    return group


async def memberships_of(tx: Tx, division: str) -> list[Document]:
    """Who sits and sat in a group, the latest first."""
    return await tx.find("group_memberships", {"division": division}, sort=[("since", -1), ("_id", 1)], limit=MOST)


async def history_of(database: Database, division: str, limit: int) -> list[Document]:
    """The same for a list."""
    return await database.find(
        "group_memberships", {"division": division}, sort=[("since", -1), ("_id", 1)], limit=limit
    )


async def meetings_of(database: Database, division: str, limit: int) -> list[Document]:
    """A group's meetings, the latest first."""
    return await database.find("group_meetings", {"division": division}, sort=[("on", -1), ("_id", 1)], limit=limit)


async def groups_of(database: Database, division: str, limit: int) -> list[Document]:
    """The groups of a division's towns, by code."""
    return await database.find("town_groups", {"_id": under(division)}, sort=[("_id", 1)], limit=limit)


async def group_gaps(database: Database, division: str, required: list[str], limit: int) -> list[Document]:
    """The towns of a division without a group, or with one in which a department is missing, with what is missing."""
    gaps: list[Document] = []
    groups = database.stream("town_groups", {"_id": under(division)}, sort=[("_id", 1)])
    group = await anext(groups, None)
    towns = {"_id": {**under(division), "$regex": "^[0-9]{9}$"}} if division else {"_id": {"$regex": "^[0-9]{9}$"}}
    async for town in database.stream("divisions", towns, sort=[("_id", 1)]):
        while group is not None and group["_id"] < town["_id"]:
            group = await anext(groups, None)
        mine = group if group is not None and group["_id"] == town["_id"] else None
        there = {member["department"] for member in mine["members"]} if mine else set()
        missing = [code for code in required if code not in there]
        if mine is None or missing:
            gaps.append({"division": town["_id"], "group": mine is not None, "missing_departments": missing})
        if len(gaps) >= limit:
            break
    return gaps

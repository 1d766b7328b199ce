"""A service's database for a test: made once in a session, emptied for each test after the first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from chassis.db import Database

_made: set[tuple[str, str]] = set()


async def make_empty(database: Database, uri: str, collections: Mapping[str, list[Any]]) -> None:
    """Nothing is in the database, and its collections and indexes are there: making them costs more than a test."""
    driver = database._database
    place = (uri, driver.name)
    if place not in _made:
        await database.prepare(collections, 30)
        _made.add(place)
        return
    names = await driver.list_collection_names()
    await asyncio.gather(*(driver[name].delete_many({}) for name in names))

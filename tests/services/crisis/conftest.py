"""Fixtures of the crisis office."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.services.crisis.world import Keys, MovedClock, World, make_app, shared_keys
from tests.support.emptied import make_empty


@pytest.fixture
def database_name() -> str:
    """One database for all tests of the office, which `world` empties for each."""
    return "test_crisis"


@pytest.fixture
def keys() -> Keys:
    return shared_keys()


@pytest.fixture
async def world(mongod: str, database_name: str, keys: Keys) -> AsyncIterator[World]:
    """An office that knows its divisions and hospitals, and has seen nothing yet."""
    database = MovedClock(mongod, "crisis", database_name)
    made = World(database, keys)
    await make_empty(database, mongod, made.blueprint.collections)
    await made.settle_in()
    yield made
    database.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP without a broker: everything but the hotlines' door."""
    transport = httpx.ASGITransport(app=make_app(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://crisis") as opened:
        yield opened

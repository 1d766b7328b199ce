"""Databases, a broker and a database server of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.db import Database
from tests.chassis.helpers import Mongod, NatsServer
from tests.support.servers import open_database


@pytest.fixture
async def database(mongod: str, database_name: str) -> AsyncIterator[Database]:
    """The crisis service's database, empty."""
    opened = open_database(mongod, "crisis", database_name)
    await opened.prepare({"cases": [], "counts": []}, 30)
    yield opened
    opened.close()


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A nats-server that the test may kill."""
    folder = tmp_path / "nats"
    folder.mkdir()
    server = NatsServer(folder)
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def own_mongod(tmp_path: Path) -> AsyncIterator[Mongod]:
    """A mongod that the test may kill."""
    folder = tmp_path / "mongod"
    folder.mkdir()
    server = Mongod(folder)
    await server.start()
    yield server
    server.kill()

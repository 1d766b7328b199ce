"""The whole local stack for flows: servers with their security, and the four services as processes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.topology import SERVICES
from services.registry import imports
from xinqiao.audit import settle
from xinqiao.local import Ports, Stack, free_port
from xinqiao.secrets import Hotline

HOTLINES = [Hotline("12356-yanzhou", "370812"), Hotline("12356-haizhou", "320706"), Hotline("12355-haizhou", "320706")]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Up, with the pilot's divisions and organisations known to everybody."""
    with tempfile.TemporaryDirectory() as folder:
        ports = Ports(free_port(), free_port(), free_port(), {name: free_port() for name in SERVICES})
        running = Stack(Path(folder), ports)
        try:
            asyncio.run(_fill(running))
            yield running
        finally:
            running.stop()


async def _fill(stack: Stack) -> None:
    await stack.up(HOTLINES)
    database = stack.installation.database("registry", "registry")
    try:
        await imports.load_divisions(database, imports.PILOT_DIVISIONS)
        await imports.import_organisations(database, imports.ORGANISATIONS)
    finally:
        database.close()
    connections = await stack.installation.connect()
    try:
        assert await settle(connections, 60) == 0
    finally:
        await connections.close()

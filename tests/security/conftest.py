"""An installation's credentials, and a broker and a database that enforce them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client

from chassis.bus import Bus
from chassis.clock import new_id
from chassis.provision import drift, provision
from contracts.topology import SERVICES
from tests.chassis.helpers import COUNTY, NatsServer, until
from xinqiao import secrets as credentials
from xinqiao.local import Ports, Stack, free_port
from xinqiao.secrets import BUS_USERS, Secrets

LINE, OTHER_LINE = "hotline-line-1", "hotline-line-2"
USERS = (*BUS_USERS, LINE, OTHER_LINE)


@dataclass(frozen=True)
class Guarded:
    """A broker under the generated configuration."""

    server: NatsServer
    secrets: Secrets
    monitor: str

    async def bus(self, user: str) -> Bus:
        bus = Bus(self.server.url, user, self.secrets.nkey(user))
        await bus.connect()
        return bus


class Wire:
    """A plain connection under a user's credential, and what the broker denied it."""

    def __init__(self, client: Client, denied: list[str]) -> None:
        self.client = client
        self._denied = denied

    async def _was_denied(self, subject: str) -> bool:
        # Denials come in order, so this one, which nobody is spared, says that all before it have been told.
        last = f"forbidden.{new_id()}"
        await self.client.publish(last, b"")
        await until(lambda: self._told(last), 5, "a denial")
        return self._told(subject)

    def _told(self, subject: str) -> bool:
        return any(f'"{subject.lower()}"' in text for text in self._denied)

    async def may_publish(self, subject: str) -> bool:
        await self.client.publish(subject, b"{}")
        return not await self._was_denied(subject)

    async def may_subscribe(self, subject: str) -> bool:
        subscription = await self.client.subscribe(subject)
        allowed = not await self._was_denied(subject)
        if allowed:
            await subscription.unsubscribe()
        return allowed


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    secrets = Secrets(tmp_path_factory.mktemp("secrets"))
    credentials.create(secrets, "127.0.0.1:1")
    credentials.add_hotline(secrets, "line-1", COUNTY)
    credentials.add_hotline(secrets, "line-2", "370811")
    return secrets


@pytest.fixture
async def guarded(installation: Secrets, tmp_path: Path) -> AsyncIterator[Guarded]:
    server, monitor = NatsServer(tmp_path), free_port()
    server.configuration = credentials.nats_configuration(
        installation, host="127.0.0.1", port=server.port, monitor_port=monitor, store=str(tmp_path / "js")
    )
    await server.start()
    found = Guarded(server, installation, f"http://127.0.0.1:{monitor}")
    bus = await found.bus("provisioner")
    await provision(bus)
    assert await drift(bus) == []
    await bus.close()
    yield found
    server.kill()


@pytest.fixture
async def wires(guarded: Guarded) -> AsyncIterator[dict[str, Wire]]:
    """A connection for each user."""
    opened: dict[str, Wire] = {}
    for user in USERS:
        denied: list[str] = []

        async def note(error: Exception, denied: list[str] = denied) -> None:
            denied.append(str(error).lower())

        client = Client()
        await client.connect(
            guarded.server.url,
            nkeys_seed=str(guarded.secrets.nkey(user)),
            inbox_prefix=f"_INBOX_{user}".encode(),
            error_cb=note,
            allow_reconnect=False,
        )
        opened[user] = Wire(client, denied)
    yield opened
    for wire in opened.values():
        await wire.client.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A mongod with the users of an installation."""
    ports = Ports(free_port(), free_port(), free_port(), {name: free_port() for name in SERVICES})
    started = Stack(tmp_path_factory.mktemp("stack"), ports)
    started.prepare([])
    try:
        started.start_mongod()
        yield started
    finally:
        started.stop()

"""A broker as an installation has it: users with permissions, two counties' hotlines, every stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.bus import Bus
from chassis.dead import read_stream
from chassis.envelope import from_message
from chassis.provision import provision
from contracts.hotline import RiskFlagged
from xinqiao import secrets as credentials
from xinqiao.local import Process, free_port, nats_server_path
from xinqiao.secrets import Secrets
from xinqiao.simulate import HOTLINES, Doors


@dataclass
class Broker:
    """A running nats-server with the configuration that follows from the topology."""

    url: str
    secrets: Secrets
    process: Process
    command: list[str]

    def doors(self, http_url: str | None = None, tokens: dict[str, str] | None = None) -> Doors:
        nkeys = {hotline: self.secrets.nkey(f"hotline-{hotline}") for hotline in HOTLINES}
        return Doors(self.url, nkeys, http_url, tokens or {})

    def restart(self) -> None:
        self.process.kill()
        self.process.start(self.command)

    async def flags(self) -> list[RiskFlagged]:
        """What HOTLINE holds, read as the crisis service reads it."""
        bus = await self.connect("operator")
        try:
            found = []
            async for message in read_stream(bus, "HOTLINE", ["xinqiao.hotline.>"]):
                event = from_message(message.subject, message.headers, message.data)
                assert isinstance(event, RiskFlagged)
                found.append(event)
            return found
        finally:
            await bus.close()

    async def connect(self, user: str) -> Bus:
        bus = Bus(self.url, user, self.secrets.nkey(user))
        await bus.connect()
        return bus


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Broker]:
    secrets, port = Secrets(tmp_path / "secrets"), free_port()
    credentials.create(secrets, "127.0.0.1:1")
    for hotline, county in HOTLINES.items():
        credentials.add_hotline(secrets, hotline, county)
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        credentials.nats_configuration(
            secrets, host="127.0.0.1", port=port, monitor_port=free_port(), store=str(tmp_path / "store")
        )
    )
    command = [nats_server_path(), "-c", str(configuration)]
    process = Process(tmp_path, "nats-server")
    process.start(command)
    yield Broker(f"nats://127.0.0.1:{port}", secrets, process, command)
    process.stop()


@pytest.fixture
async def broker(started: Broker) -> Broker:
    bus = await started.connect("provisioner")
    await provision(bus)
    await bus.close()
    return started

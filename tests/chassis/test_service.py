"""A service as a process: it stops when told, loses nothing, and starts where it stood."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.db import Database
from chassis.provision import provision
from contracts.registry import Division, DivisionsListed
from contracts.topology import SERVICES
from tests.chassis.helpers import COUNTY, a_flag, api, messages_in, publish, the_consumer, unsettled, until
from xinqiao.local import Ports, Stack, free_port
from xinqiao.secrets import Hotline


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    ports = Ports(free_port(), free_port(), free_port(), {name: free_port() for name in SERVICES})
    started = Stack(tmp_path / "home", ports)
    try:
        started.prepare([Hotline("line-1", COUNTY)])
        started.start_nats()
        started.start_mongod()
        yield started
    finally:
        started.stop()


async def connect(stack: Stack, user: str) -> Bus:
    bus = Bus(stack.nats_url, user, stack.secrets.nkey(user))
    await bus.connect()
    return bus


async def list_divisions(bus: Bus) -> None:
    names = {"37": "示例省", "3708": "示例市", COUNTY: "示例区"}
    divisions = [Division(code=code, name=name) for code, name in names.items()]
    await publish(bus, DivisionsListed(id=new_id(), occurred_at=now(), edition="test", divisions=divisions))


async def test_a_service_that_is_told_to_stop_under_load_ends_well_and_loses_nothing(stack: Stack) -> None:
    operator = await connect(stack, "operator")
    provisioner = await connect(stack, "provisioner")
    await provision(provisioner)
    await list_divisions(operator)
    database = Database(stack.secrets.mongo_uri("auditor").read_text().strip(), "crisis")
    line = await connect(stack, "hotline-line-1")
    stack.start_service("crisis")
    stack.await_service("crisis")
    consumer = the_consumer("crisis", "HOTLINE")
    sent: list[Any] = []

    async def load() -> None:
        for _ in range(400):
            flag = a_flag(contact_started_at=now(), flagged_at=now())
            await publish(line, flag)
            sent.append(flag.id)

    loading = asyncio.create_task(load())
    await until(lambda: len(sent) > 60)
    process = stack.services["crisis"]
    pid, child = process.pid, process._child
    assert pid is not None
    assert child is not None
    os.kill(pid, signal.SIGTERM)
    await until(lambda: child.poll() is not None, 25, "the end of the process")
    assert child.returncode == 0, process.log.read_text()
    await loading
    assert await unsettled(provisioner, consumer) > 0, "the stop came after the load: this test shows nothing"

    stack.start_service("crisis")
    stack.await_service("crisis")

    async def settled() -> bool:
        return await unsettled(provisioner, consumer) == 0

    await until(settled, 45, "an empty consumer")

    async def published() -> bool:
        return await database.count("outbox", {}) == 0

    await until(published)
    found = [flag["id"] for case in await database.find("cases", {}) for flag in case["flags"]]
    assert sorted(found) == sorted(sent)
    assert await messages_in(operator, "DEAD") == 0
    events = (await api(operator, "STREAM.INFO.CRISIS", {"subjects_filter": "xinqiao.crisis.case_opened.>"}))["state"]
    assert sum(events["subjects"].values()) == len(sent)
    for bus in (operator, provisioner, line):
        await bus.close()
    database.close()

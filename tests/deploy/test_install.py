"""The credentials of an installation in containers, and its provisioning on real servers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from chassis.bus import Bus
from chassis.provision import drift
from contracts.topology import SERVICES
from xinqiao import secrets as credentials
from xinqiao.install import MONGO_USER, NATS_USER, SERVICE_USER, install, parse_hotline, provision
from xinqiao.local import _accepts, free_port, mongod_path, nats_server_path
from xinqiao.secrets import Hotline, Secrets

YANZHOU = Hotline("line-yanzhou", "370812")
CONTAINERS = ("registry", "matching", "crisis", "reporting", "provision", "operator", "nats", "mongo")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The vault, and the folder with every volume, as the container has them."""
    vault, volumes = tmp_path / "vault", tmp_path / "volumes"
    vault.mkdir()
    for name in (*(f"secrets-{container}" for container in CONTAINERS), "data-nats", "data-mongo"):
        (volumes / name).mkdir(parents=True)
    return vault, volumes


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_container_gets_its_own_secrets_and_no_other(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes, [YANZHOU])
    given = {container: files(volumes / f"secrets-{container}") for container in CONTAINERS}
    for service in SERVICES:
        expected = {f"nkeys/{service}.nk", f"mongo/{service}.uri", f"master/{service}.key", "tokens/public.jwks"}
        assert given[service].keys() == expected | ({"sealing/private.jwk"} if service == "crisis" else set())
    assert given["mongo"].keys() == {"mongo/keyfile", "mongo/root.password"}
    assert given["nats"].keys() == {"nats-server.conf"}
    everything = files(vault)
    for container in ("registry", "matching", "crisis", "reporting", "operator"):
        # Nothing that opens the whole database, and nothing of another service, under whatever name.
        for foreign in ("mongo/root.password", "mongo/keyfile", "nkeys/provisioner.nk"):
            assert everything[foreign] not in "\n".join(given[container].values())
        # The operator makes the counters of reporting again.
        allowed = {"reporting"} if container == "operator" else {container}
        for other in set(SERVICES) - allowed:
            for secret in (f"nkeys/{other}.nk", f"mongo/{other}.password", f"master/{other}.key"):
                assert everything[secret] not in "\n".join(given[container].values())
    # The broker knows its users by their public keys.
    assert not any(seed in given["nats"]["nats-server.conf"] for name, seed in everything.items() if name[-3:] == ".nk")


def test_a_share_is_readable_by_the_user_of_its_container_alone(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes, [YANZHOU])
    owners = {"nats": NATS_USER, "mongo": MONGO_USER}
    for container in CONTAINERS:
        folder = volumes / f"secrets-{container}"
        for path in (folder, *folder.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o400), path
            if os.geteuid() == 0:
                assert path.stat().st_uid == owners.get(container, SERVICE_USER), path
    assert vault.stat().st_mode & 0o777 == 0o700


def test_running_it_again_changes_nothing(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes, [YANZHOU])
    before = files(volumes)
    assert install(vault, volumes) == []
    assert files(volumes) == before


def test_a_further_hotline_reaches_the_broker_and_the_operator_only(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes)
    assert "xinqiao.hotline.risk_flagged.*.370812" not in (volumes / "secrets-nats/nats-server.conf").read_text()
    changed = install(vault, volumes, [YANZHOU])
    assert {line.split(":")[0] for line in changed} == {"nats", "operator"}
    assert "xinqiao.hotline.risk_flagged.*.370812" in (volumes / "secrets-nats/nats-server.conf").read_text()
    assert (volumes / "secrets-operator/nkeys/hotline-line-yanzhou.nk").exists()


def test_what_is_no_longer_part_of_a_share_is_taken_away(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes)
    stray = volumes / "secrets-reporting" / "sealing" / "private.jwk"
    stray.parent.mkdir()
    stray.write_text("left over from another version")
    assert install(vault, volumes) == ["reporting: sealing/private.jwk removed"]
    assert not stray.exists()


def test_the_broker_takes_the_configuration_and_syncs_every_write(places: tuple[Path, Path]) -> None:
    vault, volumes = places
    install(vault, volumes, [YANZHOU])
    configuration = volumes / "secrets-nats" / "nats-server.conf"
    checked = subprocess.run(
        [nats_server_path(), "-t", "-c", str(configuration)], capture_output=True, text=True, timeout=20, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in configuration.read_text()


@pytest.mark.parametrize("text", ["", "line", "line=37081", "line=3708120", "Line=370812", "line.a=370812", "=370812"])
def test_a_hotline_that_is_not_name_and_county_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name=county"):
        parse_hotline(text)


def test_a_hotline_is_name_and_county() -> None:
    assert parse_hotline("12356-yanzhou=370812") == Hotline("12356-yanzhou", "370812")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Secrets, str, str]]:
    """A mongod that has a root user and a key file but no replica set yet, and a broker without streams."""
    mongo_port, nats_port = free_port(), free_port()
    member = f"127.0.0.1:{mongo_port}"
    secrets = Secrets(tmp_path / "secrets")
    credentials.create(secrets, member)
    configuration = tmp_path / "nats-server.conf"
    configuration.write_text(
        credentials.nats_configuration(
            secrets, host="127.0.0.1", port=nats_port, monitor_port=free_port(), store=str(tmp_path / "jetstream")
        )
    )
    data = tmp_path / "mongo"
    data.mkdir()
    mongod = [mongod_path(), "--dbpath", str(data), "--port", str(mongo_port), "--bind_ip", "127.0.0.1"]
    mongod += ["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"]
    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen(mongod, stdout=log, stderr=log)
        try:
            _await(mongo_port)
            with connect(f"mongodb://{member}/?directConnection=true") as client:
                password = secrets.mongo_password("root").read_text()
                client.admin.command("createUser", "root", pwd=password, roles=["root"])
        finally:
            first.terminate()
            first.wait(20)
        secured = [*mongod, "--replSet", "rs0", "--keyFile", str(secrets.mongo_keyfile)]
        running = [
            subprocess.Popen(command, stdout=log, stderr=log)
            for command in (secured, [nats_server_path(), "-c", str(configuration)])
        ]
        try:
            yield secrets, f"nats://127.0.0.1:{nats_port}", member
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(20)


def connect(uri: str) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(uri)


def _await(port: int) -> None:
    deadline = time.monotonic() + 30
    while not _accepts(port):
        assert time.monotonic() < deadline, f"nothing listens on {port}"
        time.sleep(0.02)


async def test_provisioning_makes_the_set_the_users_and_the_streams_and_can_be_repeated(
    servers: tuple[Secrets, str, str],
) -> None:
    """Each service may write its own database, no other may, and the auditor only reads."""
    secrets, nats_url, member = servers
    done = await provision(secrets, nats_url, member)
    assert "stream HOTLINE created" in done
    assert await provision(secrets, nats_url, member) == []
    bus = Bus(nats_url, "operator", secrets.nkey("operator"))
    await bus.connect()
    assert await drift(bus) == []
    await bus.close()
    for service in SERVICES:
        with connect(secrets.mongo_uri(service).read_text()) as client:
            probe = {"by": service}
            client[f"xinqiao_{service}"]["probe"].insert_one(probe)
            for other in set(SERVICES) - {service}:
                with pytest.raises(OperationFailure, match="not authorized"):
                    client[f"xinqiao_{other}"]["probe"].find_one()
    with connect(secrets.mongo_uri("auditor").read_text()) as client:
        assert client["xinqiao_crisis"]["probe"].count_documents({}) == 1
        with pytest.raises(OperationFailure, match="not authorized"):
            client["xinqiao_crisis"]["probe"].insert_one(probe)

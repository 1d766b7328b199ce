"""docker-compose.yml, the image's recipe and the locks: what they promise about safety, read from the files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from contracts.topology import SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = ("nats", "mongo", "prometheus")


def test_the_services_of_the_topology_are_the_services_that_run() -> None:
    served = {container["command"][-1] for container in CONTAINERS.values() if "serve" in container.get("command", ())}
    assert served == set(SERVICES)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_neither_write_to_its_image_nor_gain_rights(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ("install", "prometheus")])
def test_no_container_that_can_be_reached_runs_as_root(name: str) -> None:
    assert int(CONTAINERS[name]["user"].split(":")[0]) > 0


def test_what_runs_as_root_is_reached_by_nobody_and_holds_the_only_key_to_the_vault() -> None:
    assert CONTAINERS["install"]["network_mode"] == "none"
    assert "ports" not in CONTAINERS["install"]
    mounts = [name for name, container in CONTAINERS.items() if any("vault:" in v for v in container["volumes"])]
    assert mounts == ["install"]


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "install"])
def test_a_container_sees_one_share_of_the_secrets_and_cannot_change_it(name: str) -> None:
    shares = [volume for volume in CONTAINERS[name]["volumes"] if volume.startswith("secrets-")]
    share = "registry" if name == "registrar" else name
    assert shares == ([] if name == "prometheus" else [f"secrets-{share}:/secrets:ro"])


@pytest.mark.parametrize("name", [name for name in CONTAINERS if "ports" in CONTAINERS[name]])
def test_nothing_is_open_to_other_machines_unless_asked(name: str) -> None:
    for port in CONTAINERS[name]["ports"]:
        assert port.startswith("${XINQIAO_ADDRESS:-127.0.0.1}:"), port


def test_only_who_needs_the_database_shares_a_network_with_it() -> None:
    assert COMPOSE["networks"]["database"]["internal"] is True
    assert "ports" not in CONTAINERS["mongo"]
    near = {name for name, container in CONTAINERS.items() if "database" in container.get("networks", ())}
    assert near == {*SERVICES, "mongo", "provision", "operator", "registrar"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_provisioning_is_watched_and_is_given_time_to_stop(name: str) -> None:
    container = CONTAINERS[name]
    assert container["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}
    assert "/readyz" in container["healthcheck"]["test"][-1]
    assert container["stop_grace_period"] == "30s"
    assert container["restart"] == "unless-stopped"


def test_no_secret_stands_in_the_environment_of_a_container() -> None:
    """A secret is a file: what a variable names is a path, an address or a plain setting."""
    for name, container in CONTAINERS.items():
        for variable, value in container.get("environment", {}).items():
            assert not re.search(r"PASSWORD|TOKEN$|SEED|SECRET_", variable), f"{name}: {variable}"
            assert "@" not in str(value), f"{name}: {variable}"


def test_the_image_runs_as_a_user_and_has_only_what_is_named() -> None:
    recipe = (ROOT / "deploy" / "Dockerfile").read_text()
    final = recipe.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert final.count("COPY ") == 1
    assert recipe.count("--require-hashes") == 2
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    packages = {"contracts", "chassis", "services", "xinqiao"}
    assert let_in == packages | {"pyproject.toml", "requirements.txt", "deploy/requirements-build.txt"}


LOCKS = ("requirements.txt", "requirements-dev.txt", "deploy/requirements-build.txt")


def locked(name: str) -> dict[str, list[str]]:
    """Package to its locked versions; there are several where they differ by platform or Python."""
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash_and_none_an_address(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text)[1:]
    assert len(blocks) >= 5
    for block in blocks:
        assert "--hash=sha256:" in block, block
    assert not re.search(r"^\s*-(i|f|e)\b|--(extra-)?index-url|--find-links|https?://|file:|/home/", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", ("local", "dev"))])
def test_the_lock_has_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    versions = locked(name)
    for requirement in map(Requirement, wanted):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(version) for version in found), f"{requirement}: run `make lock`"


def test_what_runs_is_what_was_tested() -> None:
    """The image's lock and the one that the tests run with name the same versions."""
    tested = locked("requirements-dev.txt")
    assert {
        name: versions for name, versions in locked("requirements.txt").items() if tested.get(name) != versions
    } == {}


def test_who_decides_by_policy_and_who_audits_it_read_the_districts_own_and_nobody_writes_them() -> None:
    mounts = {name: [v for v in container["volumes"] if "policies" in v] for name, container in CONTAINERS.items()}
    told = {name for name, container in CONTAINERS.items() if "XINQIAO_POLICY_DIR" in container.get("environment", {})}
    assert {name for name, mounted in mounts.items() if mounted} == told
    assert told == {"registry", "crisis", "matching", "reporting", "operator"}
    for name in told:
        assert mounts[name] == ["./deploy/policies:/policies:ro"]
        assert CONTAINERS[name]["environment"]["XINQIAO_POLICY_DIR"] == "/policies"
    assert (ROOT / "deploy" / "policies" / "README.md").exists()

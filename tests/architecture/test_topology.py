"""The topology, the contracts and the services say the same."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
import typing
from typing import Any

import pytest
from pydantic import BaseModel

from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.base import Event
from contracts.topology import EVENTS, SERVICES, STREAMS, TIMED
from tests.architecture.source import ROOT, SOURCES, files, imports, tree
from xinqiao import secrets as credentials
from xinqiao.local import service_environment
from xinqiao.secrets import Secrets


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    made = Secrets(tmp_path_factory.mktemp("secrets"))
    credentials.create(made, "127.0.0.1:1")
    return made


def _blueprint(service: str, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> Blueprint:
    for name, value in service_environment(secrets, service, "nats://127.0.0.1:1", 1).items():
        monkeypatch.setenv(name, value)
    made: Blueprint = importlib.import_module(f"services.{service}.app").blueprint(Settings())
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_what_the_topology_has_it_consume_and_nothing_else(
    service: str, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = _blueprint(service, secrets, monkeypatch)
    handled = [handles.event for handles in blueprint.handles]
    assert len(handled) == len(set(handled))
    assert set(handled) == {declared.event for declared in EVENTS if service in declared.consumers}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_timers_exactly_if_the_topology_gives_it_some(
    service: str, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bool(_blueprint(service, secrets, monkeypatch).timers) == (service in TIMED)


def _emitted(service: str) -> set[str]:
    """The event classes that a service constructs."""
    names = {declared.event.__name__ for declared in EVENTS}
    found = set()
    for path in files(f"services/{service}"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                found.add(node.func.id)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_makes_the_events_that_the_topology_has_it_publish(service: str) -> None:
    own = {
        declared.event.__name__
        for declared in EVENTS
        if service in declared.producers and declared.producers[0] == service
    }
    assert _emitted(service) == own


def _all_events(parent: type[Event] = Event) -> set[type[Event]]:
    return {kind for child in parent.__subclasses__() for kind in ({child} | _all_events(child))}


def test_every_event_is_a_contract_and_every_contract_is_in_the_topology() -> None:
    for path in files(*SOURCES):
        if path.parts[len(ROOT.parts)] != "contracts":
            bases = {
                ast.unparse(base)
                for node in ast.walk(tree(path))
                if isinstance(node, ast.ClassDef)
                for base in node.bases
            }
            assert not any(
                base.split(".")[-1] == "Event" or base in {d.event.__name__ for d in EVENTS} for base in bases
            ), path
    ours = {kind for kind in _all_events() if kind.__module__.startswith("contracts.")}
    assert ours == {declared.event for declared in EVENTS}


def test_the_contracts_import_pydantic_and_the_standard_library_alone() -> None:
    for path in files("contracts"):
        packages = {name.split(".")[0] for name in imports(path)}
        assert packages <= {"pydantic", "contracts"} | set(sys.stdlib_module_names), path


def test_each_event_is_declared_once_and_lies_in_the_stream_of_its_context() -> None:
    keys = [(declared.event.TYPE, declared.event.VERSION) for declared in EVENTS]
    assert len(keys) == len(set(keys))
    for declared in EVENTS:
        prefix = STREAMS[declared.stream].subjects[0].removesuffix(">")
        assert declared.event.subject_for("370812").startswith(prefix)
        assert declared.event.TYPE.count(".") == 1
        assert set(declared.consumers) <= set(SERVICES)
        assert declared.producers


def _fields(model: type[BaseModel], seen: set[type[BaseModel]]) -> list[tuple[str, str]]:
    """Every field of a model and of the models in it."""
    if model in seen:
        return []
    seen.add(model)
    found = []
    for name, field in model.model_fields.items():
        found.append((model.__name__, name))
        for inner in _models(field.annotation):
            found += _fields(inner, seen)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


PERSONAL = (
    "name",
    "phone",
    "mobile",
    "telephone",
    "address",
    "note",
    "email",
    "birth",
    "id_card",
    "wechat",
    "text",
    "remark",
)
# A public institution and a place on the map have names; they are no persons.
PUBLIC = {("OrganisationRegistered", "name"), ("Division", "name")}


def test_no_event_has_a_field_for_a_personal_datum() -> None:
    seen: set[type[BaseModel]] = set()
    fields = {place for declared in EVENTS for place in _fields(declared.event, seen)}
    assert ("Division", "name") in fields, "the search does not reach into the parts of an event"
    words = {place for place in fields if any(word in place[1].split("_") for word in PERSONAL)}
    assert words == PUBLIC


def test_a_policy_has_a_version_and_names_the_source_of_each_number() -> None:
    policies = sorted((ROOT / "services").glob("*/policies/*.toml"))
    assert policies
    for path in policies:
        policy = tomllib.loads(path.read_text())
        assert "version" in policy, path
        assert _without_source(policy) == [], path


def _without_source(table: dict[str, Any], place: str = "", sourced: bool = False) -> list[str]:
    """The places of numbers that have no `source` in their own table or in one around it."""
    sourced = sourced or any("source" in name for name in table)
    found = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _without_source(value, f"{place}{name}.", sourced)
        elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            for entry in value:
                found += _without_source(entry, f"{place}{name}.", sourced)
        elif isinstance(value, int | float) and not isinstance(value, bool) and not sourced:
            found.append(f"{place}{name}")
    return found

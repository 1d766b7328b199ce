"""The rules of the rooms: who may import, query, publish, catch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.topology import SERVICES, consumers_of
from tests.architecture.source import ROOT, SOURCES, at_import, calls, dotted, files, imports, packages, tree, where

OUTSIDE = {"faststream", "nats", "motor", "pymongo", "bson", "fastapi", "starlette", "uvicorn", "httpx", "chassis"}
BROKER_AND_DRIVER = {"faststream", "nats", "motor", "pymongo", "bson"}


def test_the_import_rules_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout


def test_one_module_imports_motor() -> None:
    assert [path for path in files(*SOURCES) if "motor" in packages(path)] == [ROOT / "chassis" / "db.py"]


def test_in_the_chassis_one_module_imports_the_driver() -> None:
    assert [path for path in files("chassis") if packages(path) & {"pymongo", "bson"}] == [ROOT / "chassis" / "db.py"]


# A rebuild reads messages of the log, so it names their type.
READS_THE_LOG = {ROOT / "services" / "reporting" / "rebuild.py": {"nats.aio.msg", "nats.aio.msg.Msg"}}


def test_a_service_imports_neither_the_broker_nor_the_driver() -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in files("services")
        if (
            found := {
                name
                for name in imports(path) - READS_THE_LOG.get(path, set())
                if name.split(".")[0] in BROKER_AND_DRIVER
            }
        )
    }
    assert wrong == {}


def _domain(service: str) -> list[Path]:
    folder = ROOT / "services" / service
    one = folder / "domain.py"
    return [one] if one.exists() else files(f"services/{service}/domain")


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_knows_neither_input_nor_output(service: str) -> None:
    for path in _domain(service):
        assert packages(path) & OUTSIDE == set(), path
        own = {name for name in imports(path) if name.startswith("services.")}
        assert {name for name in own if not name.startswith(f"services.{service}.domain")} == set(), path
        wrong = [where(path, call) for call in calls(tree(path)) if dotted(call.func) in {"open", "print", "input"}]
        assert wrong == []
        assert [
            where(path, node) for node in ast.walk(tree(path)) if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        ] == []


# Inside a service: app → handlers | api → store → domain.
ABOVE = {
    "domain": {"app", "handlers", "api", "store"},
    "store": {"app", "handlers", "api"},
    "handlers": {"app", "api"},
    "api": {"app"},
}


def _room(path: Path) -> str:
    """`store` for services/crisis/store.py and for what lies in services/crisis/store/."""
    _, *steps = path.relative_to(ROOT / "services").parts
    return steps[0].removesuffix(".py") if steps else ""


@pytest.mark.parametrize("service", SERVICES)
def test_inside_a_service_imports_go_down(service: str) -> None:
    wrong = []
    for path in files(f"services/{service}"):
        for above in ABOVE.get(_room(path), set()):
            if any(
                name == f"services.{service}.{above}" or name.startswith(f"services.{service}.{above}.")
                for name in imports(path)
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {above}")
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    folder = ROOT / "services" / service
    rooms = ["app", "domain", "store", "api"] + (["handlers"] if consumers_of(service) else [])
    for room in rooms:
        assert (folder / f"{room}.py").exists() != (folder / room / "__init__.py").exists(), room
    assert (folder / "README.md").read_text().strip()


@pytest.mark.parametrize("service", SERVICES)
def test_an_app_puts_together_and_does_nothing_else(service: str) -> None:
    path = ROOT / "services" / service / "app.py"
    public = [
        node for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert "blueprint" in {node.name for node in public}
    assert all(isinstance(node, ast.FunctionDef) for node in public), "an app has no classes and awaits nothing"


QUERIES = {"find", "aggregate", "stream", "count", "delete_many", "clear"}
DATABASES = {"tx", "database", "db"}


def test_queries_are_in_the_stores() -> None:
    wrong = []
    for path in files("services"):
        if _room(path) == "store":
            continue
        for call in calls(tree(path)):
            *_, receiver, method = ("", *dotted(call.func).split("."))
            if method in QUERIES and receiver in DATABASES:
                wrong.append(where(path, call))
    assert wrong == []


def _handler_files() -> list[Path]:
    return [path for path in files("services") if _room(path) == "handlers"]


def test_a_handler_catches_nothing_that_it_cannot_mend() -> None:
    wrong = []
    for path in _handler_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(kind is None or dotted(kind) in {"Exception", "BaseException"} for kind in kinds):
                    wrong.append(where(path, node))
    assert wrong == []


SETTLES = {
    "publish",
    "publish_batch",
    "ack",
    "ack_sync",
    "nak",
    "nack",
    "term",
    "in_progress",
    "transact",
    "sleep",
    "commit",
}


def test_a_handler_does_not_settle_publish_commit_log_or_wait() -> None:
    wrong = []
    for path in _handler_files():
        wrong += [where(path, call) for call in calls(tree(path)) if dotted(call.func).split(".")[-1] in SETTLES]
        assert "logging" not in packages(path), path
    assert wrong == []


def test_only_the_chassis_declares_streams_and_consumers() -> None:
    declaring = {"add_stream", "update_stream", "add_consumer", "pull_subscribe", "JStream", "subscriber", "publisher"}
    wrong = [
        where(path, call)
        for path in files("services")
        for call in calls(tree(path))
        if dotted(call.func).split(".")[-1] in declaring
    ]
    wrong += [
        str(path)
        for path in files("services", "xinqiao")
        if "$JS.API.STREAM." in path.read_text() and path.name != "secrets.py"
    ]
    assert wrong == []


def test_nothing_connects_when_it_is_imported() -> None:
    wrong = []
    for path in files(*SOURCES):
        for statement in at_import(tree(path).body):
            for call in calls(statement):
                name = dotted(call.func)
                if name.startswith("asyncio.") or name.split(".")[-1] in {
                    "AsyncIOMotorClient",
                    "MongoClient",
                    "Database",
                    "Bus",
                    "connect",
                }:
                    wrong.append(where(path, call))
    assert wrong == []


def test_nothing_is_called_utils() -> None:
    assert [
        path for path in files(*SOURCES) if path.stem in {"utils", "util", "helpers", "common", "misc", "base_handler"}
    ] == []


def test_source_holds_no_stub() -> None:
    wrong = []
    for path in files(*SOURCES):
        for node in ast.walk(tree(path)):
            raised = node.exc if isinstance(node, ast.Raise) else None
            name = dotted(raised.func if isinstance(raised, ast.Call) else raised) if raised is not None else ""
            if name == "NotImplementedError":
                wrong.append(where(path, node))  # type: ignore[arg-type]
        wrong += [
            f"{path}:{number}"
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if "TODO" in line or "FIXME" in line
        ]
    assert wrong == []

"""The AsyncAPI document is what its own parser accepts, and tells an outsider what there is to know."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from contracts.topology import EVENTS
from tests.contracts.node import installed
from xinqiao.contracts_tool import ROOT

CHECK = ROOT / "tests" / "contracts" / "asyncapi"


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "contracts" / "asyncapi.yaml").read_text())
    return read


def test_the_asyncapi_parser_accepts_the_document() -> None:
    installed(CHECK)
    done = _check(ROOT / "contracts" / "asyncapi.yaml")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == "3.0.0"


def test_the_check_refuses_an_operation_on_a_channel_that_is_not_there(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    installed(CHECK)
    path = tmp_path / "asyncapi.yaml"
    path.write_text(yaml.safe_dump({**document, "channels": {}}, allow_unicode=True))
    done = _check(path)
    assert done.returncode == 1
    assert "error" in done.stderr


def test_the_examples_fit_the_payloads_and_headers_as_the_document_has_them(document: dict[str, Any]) -> None:
    """The parser does not look; and AsyncAPI reads schemas as draft 7."""
    for name, message in document["components"]["messages"].items():
        headers = "headers" if "headers" in message else None
        places = {"payload": f"#/components/messages/{name}/payload"}
        places["headers"] = (
            f"#/components/messages/{name}/headers" if headers else "#/components/messageTraits/cloudevent/headers"
        )
        for example in message.get("examples", []):
            for part in places.keys() & example.keys():
                Draft7Validator({**document, "$ref": places[part]}).validate(example[part])


def test_every_event_has_a_channel_with_a_county_and_an_operation_for_each_party(document: dict[str, Any]) -> None:
    for declared in EVENTS:
        ident = f"{declared.event.TYPE}.v{declared.event.VERSION}".replace(".", "_")
        channel = document["channels"][ident]
        assert channel["address"] == declared.event.subject_for("{county}")
        assert "county" in channel["parameters"]
        sends = {name for name in document["operations"] if name.endswith(f"_sends_{ident}")}
        receives = {name for name in document["operations"] if name.endswith(f"_receives_{ident}")}
        assert sends == {f"{producer}_sends_{ident}" for producer in declared.producers}
        assert receives == {f"{consumer}_receives_{ident}" for consumer in declared.consumers}
        assert document["components"]["messages"][ident]["examples"]


def test_the_headers_of_an_event_are_described_and_the_needed_ones_marked(document: dict[str, Any]) -> None:
    headers = document["components"]["messageTraits"]["cloudevent"]["headers"]
    needed = {"Nats-Msg-Id", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"}
    assert set(headers["required"]) == needed
    assert needed | {"ce-dataschema", "traceparent"} <= headers["properties"].keys()


def _check(path: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node is not None
    return subprocess.run([node, "check.mjs", str(path)], cwd=CHECK, capture_output=True, text=True, timeout=120)

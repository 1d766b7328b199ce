"""What is generated from the contracts is committed as generated, and is what it claims to be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.topology import EVENTS, SERVICES, STREAMS, Declared
from xinqiao import contracts_tool
from xinqiao.contracts_tool import schemas

SCHEMAS = contracts_tool.ROOT / "contracts" / "schemas"

each_event = pytest.mark.parametrize("declared", EVENTS, ids=lambda declared: schemas.key(declared.event))


def test_generated_files_are_committed_as_generated_and_break_nothing_released() -> None:
    assert contracts_tool.check() == []


def test_a_changed_a_missing_and_a_stray_file_are_each_named(tmp_path: Path) -> None:
    _copy_contracts(tmp_path)
    assert contracts_tool.check(tmp_path) == []
    folder = tmp_path / "contracts" / "schemas"
    (folder / "hotline.risk_flagged.v1.json").write_text("{}")
    (folder / "crisis.case_opened.v1.json").unlink()
    (folder / "crisis.forgotten.v1.json").write_text("{}")
    wrong = "\n".join(contracts_tool.check(tmp_path))
    assert "hotline.risk_flagged.v1.json is not as generated" in wrong
    assert "crisis.case_opened.v1.json is missing" in wrong
    assert "crisis.forgotten.v1.json belongs to no event" in wrong
    contracts_tool.write(tmp_path)
    assert contracts_tool.check(tmp_path) == []


@each_event
def test_every_schema_is_json_schema_2020_12_and_named_by_type_and_version(declared: Declared) -> None:
    schema = json.loads((SCHEMAS / schemas.file_name(declared.event)).read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:xinqiao:schema:{declared.event.TYPE}:v{declared.event.VERSION}"


@each_event
def test_the_envelope_is_not_in_the_body(declared: Declared) -> None:
    assert {"id", "occurred_at", "region"}.isdisjoint(schemas.schema(declared.event)["properties"])


def test_no_field_on_the_bus_holds_what_a_person_is_called_or_where_one_is_reached() -> None:
    """Names are of divisions and organisations; what belongs to a person travels in `sealed_contact` alone."""
    named = {"registry.divisions_listed": {"name"}, "registry.organisation_registered": {"name"}}
    personal = re.compile(r"name|phone|mobile|address|email|id_card|birth|note|text|remark")
    for declared in EVENTS:
        found = {field for field in _fields(schemas.schema(declared.event)) if personal.search(field)}
        assert found == named.get(declared.event.TYPE, set()), declared.event.TYPE


def test_the_event_map_tells_every_event_and_stream() -> None:
    text = (contracts_tool.ROOT / "docs" / "events.md").read_text()
    for declared in EVENTS:
        row = next(line for line in text.splitlines() if f"`{declared.event.subject_for('{county}')}`" in line)
        assert all(f" {consumer}" in row for consumer in declared.consumers)
        assert (contracts_tool.ROOT / "contracts" / "schemas" / schemas.file_name(declared.event)).exists()
    assert all(f"| {stream} |" in text or f"## {stream}" in text for stream in STREAMS)
    assert all(f"{service}[{service}]" in text for service in SERVICES)


def _fields(schema: object) -> set[str]:
    if isinstance(schema, list):
        return {field for entry in schema for field in _fields(entry)}
    if not isinstance(schema, dict):
        return set()
    inner = {field for value in schema.values() for field in _fields(value)}
    return inner | set(schema["properties"] if isinstance(schema.get("properties"), dict) else ())


def _copy_contracts(target: Path) -> None:
    readmes = [f"services/{service}/README.md" for service in SERVICES]
    for part in ("pyproject.toml", "docs/events.md", "contracts/asyncapi.yaml", *readmes):
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        (target / part).write_text((contracts_tool.ROOT / part).read_text())
    for folder in ("contracts/schemas", "contracts/examples"):
        for path in (contracts_tool.ROOT / folder).rglob("*"):
            copy = target / path.relative_to(contracts_tool.ROOT)
            if path.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(path.read_text())

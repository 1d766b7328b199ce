"""Every version of every event has examples, and each of them is what a reader and the schema accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from chassis.envelope import from_message, from_structured
from contracts.hotline import RiskFlagged
from contracts.topology import BY_KEY, EVENTS
from tests.support.structured import to_structured
from xinqiao.contracts_tool import ROOT, schemas
from xinqiao.contracts_tool.asyncapi import headers_of

FOLDER = ROOT / "contracts" / "examples"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.relative_to(FOLDER).parts))


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_every_version_of_every_event_has_a_minimal_and_a_full_example() -> None:
    kept = schemas.read_examples(FOLDER)
    assert kept.keys() == BY_KEY.keys()
    for version, examples in kept.items():
        assert {"minimal", "full"} <= examples.keys(), version


def test_every_file_belongs_to_an_event_version() -> None:
    used = {
        FOLDER / kind / f"v{version}" / f"{name}.json" for (kind, version), examples in _kept() for name in examples
    }
    assert used == set(FILES)


@each_file
def test_the_example_is_read_as_its_event_and_comes_out_again(path: Path) -> None:
    document = read(path)
    event = from_structured(document)
    assert (event.TYPE, f"v{event.VERSION}") == path.relative_to(FOLDER).parts[:2]
    assert from_structured(to_structured(event, "test"), event.region) == event


@each_file
def test_the_example_fits_the_schema(path: Path) -> None:
    document = read(path)
    kind, version = path.relative_to(FOLDER).parts[:2]
    schema = json.loads((ROOT / "contracts" / "schemas" / f"{kind}.{version}.json").read_text())
    errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(document["data"])
    assert [error.message for error in errors] == []
    assert document["dataschema"] == schema["$id"]


@each_file
def test_the_example_travels_in_binary_mode_too(path: Path) -> None:
    document = read(path)
    region = document["data"].get("county", "000000")
    subject = BY_KEY[document["type"], int(path.parent.name[1:])].event.subject_for(region)
    event = from_message(subject, headers_of(document), json.dumps(document["data"]).encode())
    assert str(event.id) == document["id"]


@pytest.mark.parametrize("declared", EVENTS, ids=lambda declared: declared.event.TYPE)
def test_the_minimal_example_holds_nothing_that_may_be_left_out(declared: Any) -> None:
    event = declared.event
    data = read(FOLDER / event.TYPE / f"v{event.VERSION}" / "minimal.json")["data"]
    assert data.keys() == set(schemas.schema(event)["required"])


@pytest.mark.parametrize("declared", EVENTS, ids=lambda declared: declared.event.TYPE)
def test_the_full_example_holds_every_field(declared: Any) -> None:
    event = declared.event
    data = read(FOLDER / event.TYPE / f"v{event.VERSION}" / "full.json")["data"]
    assert data.keys() == set(schemas.schema(event)["properties"])


def test_the_flags_show_refusal_an_act_in_progress_a_minor_and_an_unknown_caller() -> None:
    flags = {path.stem: from_structured(read(path)) for path in FILES if path.parent.parent.name == RiskFlagged.TYPE}
    typed = {name: flag for name, flag in flags.items() if isinstance(flag, RiskFlagged)}
    assert typed["refused_answers"].suicidal_intensity == "refused"
    assert typed["refused_answers"].plan_within_72_hours == "refused"
    assert typed["act_in_progress"].act_in_progress == "yes"
    assert typed["minor"].minor
    assert typed["anonymous"].caller is None


def _kept() -> Any:
    return schemas.read_examples(FOLDER).items()

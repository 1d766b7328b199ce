"""The gate finds each change that needs a new version, says whom it hurts, and lets an optional field pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinqiao import contracts_tool
from xinqiao.contracts_tool import gate, schemas

Change = Callable[[dict[str, Any]], object]

OLD: dict[str, Any] = {
    "$defs": {
        "Colour": {"type": "string", "enum": ["red", "green"]},
        "Part": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]},
    },
    "type": "object",
    "title": "MadeUp",
    "properties": {
        "colour": {"$ref": "#/$defs/Colour"},
        "name": {"type": "string", "minLength": 1, "maxLength": 10, "pattern": "^[a-z]+$"},
        "count": {"type": "integer", "minimum": 0, "maximum": 100},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "maxItems": 5},
        "when": {"type": "string", "format": "date-time"},
        "rating": {"anyOf": [{"type": "integer", "maximum": 100}, {"$ref": "#/$defs/Colour"}], "default": "red"},
        "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": None},
        "part": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}], "default": None},
    },
    "required": ["colour", "name", "count"],
}


def changed(change: Change) -> list[gate.Breaking]:
    new = copy.deepcopy(OLD)
    change(new)
    return gate.compare("made.up.v1", OLD, new)


BREAKS: dict[str, tuple[Change, str, str, str]] = {
    "a field removed": (lambda s: s["properties"].pop("when"), "when", "removed", gate.TAKEN_AWAY),
    "a new field required": (
        lambda s: (s["properties"].update(more={"type": "string"}), s["required"].append("more")),
        "more",
        "a new field is required",
        gate.NARROWED,
    ),
    "a field became required": (lambda s: s["required"].append("when"), "when", "became required", gate.NARROWED),
    "a field became optional": (lambda s: s["required"].remove("count"), "count", "became optional", gate.WIDENED),
    "a value removed": (lambda s: s["$defs"]["Colour"]["enum"].remove("red"), "colour", '"red"', gate.NARROWED),
    "a value added": (lambda s: s["$defs"]["Colour"]["enum"].append("blue"), "colour", '"blue"', gate.WIDENED),
    "a value added inside a choice": (
        lambda s: s["$defs"]["Colour"]["enum"].append("blue"),
        "rating",
        '"blue"',
        gate.WIDENED,
    ),
    "another type": (lambda s: s["properties"]["count"].update(type="string"), "count", "type changed", gate.NARROWED),
    "another pattern": (lambda s: s["properties"]["name"].update(pattern="^x$"), "name", "pattern", gate.NARROWED),
    "no pattern any more": (lambda s: s["properties"]["name"].pop("pattern"), "name", "pattern", gate.WIDENED),
    "another format": (lambda s: s["properties"]["when"].update(format="date"), "when", "format", gate.NARROWED),
    "shorter": (lambda s: s["properties"]["name"].update(maxLength=9), "name", "maxLength", gate.NARROWED),
    "longer": (lambda s: s["properties"]["name"].update(maxLength=11), "name", "maxLength", gate.WIDENED),
    "a bound added": (lambda s: s["properties"]["when"].update(maxLength=30), "when", "maxLength", gate.NARROWED),
    "a higher minimum": (lambda s: s["properties"]["count"].update(minimum=1), "count", "minimum", gate.NARROWED),
    "no minimum any more": (lambda s: s["properties"]["count"].pop("minimum"), "count", "minimum", gate.WIDENED),
    "fewer items": (lambda s: s["properties"]["parts"].update(maxItems=4), "parts", "maxItems", gate.NARROWED),
    "a new required field of an item": (
        lambda s: (s["$defs"]["Part"]["properties"].update(x={}), s["$defs"]["Part"]["required"].append("x")),
        "parts[].x",
        "a new field is required",
        gate.NARROWED,
    ),
    "a field of an optional part removed": (
        lambda s: s["$defs"]["Part"]["properties"].pop("size"),
        "part.size",
        "removed",
        gate.TAKEN_AWAY,
    ),
    "no longer empty": (
        lambda s: s["properties"]["note"]["anyOf"].pop(),
        "note",
        "can no longer be null",
        gate.NARROWED,
    ),
    "now also empty": (
        lambda s: s["properties"].update(count={"anyOf": [s["properties"]["count"], {"type": "null"}]}),
        "count",
        "can now also be null",
        gate.WIDENED,
    ),
    "another default": (lambda s: s["properties"]["rating"].update(default="green"), "rating", "default", "silence"),
    "nothing more allowed": (
        lambda s: s.update(additionalProperties=False),
        "",
        "additionalProperties",
        gate.NARROWED,
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_breaking_change_is_found_where_it_is(kind: str) -> None:
    change, path, what, hurts = BREAKS[kind]
    found = changed(change)
    assert [finding for finding in found if finding.path == path and what in finding.what and hurts in finding.hurts], [
        str(finding) for finding in found
    ]


HARMLESS: dict[str, Change] = {
    "a new optional field": lambda s: s["properties"].update(more={"type": "string", "default": "x"}),
    "a new optional field of a part": lambda s: s["$defs"]["Part"]["properties"].update(x={"type": "integer"}),
    "prose": lambda s: s["properties"]["name"].update(description="in other words", title="Another"),
    "a definition written in place": lambda s: s["properties"].update(colour=s["$defs"]["Colour"]),
    "another order": lambda s: (s["required"].reverse(), s["$defs"]["Colour"]["enum"].reverse()),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_change_passes(kind: str) -> None:
    assert changed(HARMLESS[kind]) == []


def test_a_removed_version_is_found_and_a_new_event_passes() -> None:
    present = {"hotline.risk_flagged.v2": OLD}
    (found,) = gate.compare_all({"hotline.risk_flagged.v1": OLD}, present)
    assert found.what == "the version was removed"
    assert "consumed by crisis" in str(found)


def test_a_widening_says_that_consumers_go_first_and_who_they_are() -> None:
    released = schemas.current()["crisis.case_opened.v1"]
    new = copy.deepcopy(released)
    new["$defs"]["Tier"]["enum"].append("critical")
    (found,) = gate.compare("crisis.case_opened.v1", released, new)
    assert str(found).startswith('crisis.case_opened.v1 tier: values were added: "critical"')
    assert "roll out first: consumers (produced by crisis; consumed by reporting)" in str(found)


def test_what_was_released_is_kept_with_the_number_of_its_release() -> None:
    folder = contracts_tool.ROOT / "contracts" / "schemas" / "released"
    assert (folder / "RELEASE").read_text().strip().count(".") == 2
    assert gate.read_released(folder)


RELEASED = schemas.current()


@settings(deadline=None)
@given(st.sampled_from(sorted(RELEASED)), st.data())
def test_taking_any_field_away_from_any_event_is_found(event: str, data: st.DataObject) -> None:
    released = RELEASED[event]
    field = data.draw(st.sampled_from(sorted(released["properties"])))
    new = copy.deepcopy(released)
    del new["properties"][field]
    assert field in {finding.path for finding in gate.compare(event, released, new)}

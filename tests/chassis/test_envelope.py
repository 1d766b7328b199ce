"""CloudEvents around our events, in both modes, and what comes of a hostile envelope."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.envelope import from_message, from_structured, to_headers, traceparent_of
from chassis.errors import Refused
from contracts.base import Event
from contracts.topology import BY_KEY, EVENTS
from tests.chassis.helpers import a_flag
from tests.support.structured import to_structured

EXAMPLES = sorted((Path(__file__).parents[2] / "contracts" / "examples").glob("*/v*/*.json"))


def _event(path: Path) -> Event:
    return from_structured(_document(path))


def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_every_event_of_the_topology_has_an_example() -> None:
    there = {(path.parts[-3], int(path.parts[-2].removeprefix("v"))) for path in EXAMPLES}
    assert there == set(BY_KEY)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "-".join(path.with_suffix("").parts[-3:]))
def test_an_example_survives_both_modes(path: Path) -> None:
    event = _event(path)
    assert from_message(event.subject, to_headers(event, "crisis", None), event.body()) == event
    wire = json.loads(json.dumps(to_structured(event, "crisis")))
    assert from_structured(wire, event.region) == event


def _read(document: dict[str, Any]) -> Event | Refused:
    try:
        return from_structured(document)
    except Refused as error:
        return error


TEXT = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for declared in EVENTS for name in declared.event.model_fields})


@given(st.sampled_from(EXAMPLES), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_field_is_taken_or_refused_with_its_place(path: Path, changes: dict[str, Any]) -> None:
    document = _document(path)
    document["data"] = {**document["data"], **changes}
    event = _read(document)
    if isinstance(event, Refused):
        assert (event.field or "").startswith("data")
    else:
        assert from_message(event.subject, to_headers(event, "crisis", None), event.body()) == event


@given(
    st.text(max_size=60),
    st.dictionaries(
        st.sampled_from(["ce-id", "ce-type", "ce-time", "traceparent", "ce-specversion"]) | TEXT, TEXT, max_size=5
    ),
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
)
@settings(max_examples=300, deadline=None)
def test_a_hostile_message_is_refused_and_nothing_else_is_thrown(
    subject: str, headers: dict[str, str], body: bytes
) -> None:
    for address in (subject, f"xinqiao.hotline.risk_flagged.v1.{subject}", f"xinqiao.hotline.risk_flagged.{subject}.1"):
        with pytest.raises(Refused):
            from_message(address, headers, body)
    assert len(traceparent_of(headers.get("traceparent"), a_flag().id).split("-")) == 4


@given(JSON, st.dictionaries(st.sampled_from(["specversion", "id", "type", "time", "dataschema", "data"]), JSON))
@settings(max_examples=300, deadline=None)
def test_a_hostile_document_is_refused_and_nothing_else_is_thrown(anything: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        from_structured(anything)
    document = {**to_structured(a_flag(), "hotline"), **changes}
    event = _read(document)
    assert isinstance(event, Event) or event.field is not None


@pytest.mark.parametrize("version", ["v²", "v01", "v", "1", "v-1", "v" + "9" * 5_000, "v1 "])
def test_a_version_is_v_and_a_plain_number(version: str) -> None:
    document = {
        **to_structured(a_flag(), "hotline"),
        "dataschema": f"urn:xinqiao:schema:hotline.risk_flagged:{version}",
    }
    with pytest.raises(Refused) as refused:
        from_structured(document)
    assert refused.value.reason == "unknown_version"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
def test_a_time_outside_of_the_calendar_is_refused(time: str) -> None:
    with pytest.raises(Refused):
        from_structured({**to_structured(a_flag(), "hotline"), "time": time})


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    secret = "示例人 000-0000-0001"
    document = to_structured(a_flag(), "hotline")
    document["data"] |= {"contact": secret, "channel": secret, "caller": secret, "assessment": secret, "sex": secret}
    with pytest.raises(Refused) as refused:
        from_structured(document)
    assert secret not in refused.value.detail


def test_the_trace_goes_on_and_a_malformed_one_starts_anew() -> None:
    flag = a_flag()
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    child = traceparent_of(parent, flag.id)
    assert child.split("-")[1] == "a" * 32
    assert child.split("-")[2] != "b" * 16
    assert traceparent_of("nonsense", flag.id).split("-")[1] == flag.id.hex

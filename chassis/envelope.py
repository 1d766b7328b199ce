"""CloudEvents 1.0 around our events: binary mode in NATS headers, structured mode in HTTP bodies."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from chassis.errors import Refused
from contracts.base import ENVELOPE, NO_REGION, Event
from contracts.topology import BY_KEY

MAX_BODY = 64 * 1024
"""The largest event, in bytes; the NATS server is set to refuse larger payloads."""

SOURCE = "urn:xinqiao:{}"


_TRACEPARENT = re.compile("00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


def traceparent_of(given: str | None, event_id: uuid.UUID) -> str:
    """The W3C trace context of an event: the given trace with a new span, or else a trace named after the event."""
    told = _TRACEPARENT.fullmatch(given or "")
    trace, flags = told.groups() if told else (event_id.hex, "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def to_headers(event: Event, producer: str, traceparent: str | None) -> dict[str, str]:
    """The NATS headers of an event; `Nats-Msg-Id` lets the broker drop what is sent twice."""
    ident = str(event.id)
    return {
        "Nats-Msg-Id": ident,
        "ce-specversion": "1.0",
        "ce-id": ident,
        "ce-source": SOURCE.format(producer),
        "ce-type": event.TYPE,
        "ce-dataschema": f"urn:xinqiao:schema:{event.TYPE}:v{event.VERSION}",
        "ce-time": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
        "traceparent": traceparent_of(traceparent, event.id),
    }


def from_message(subject: str, headers: Mapping[str, str] | None, body: bytes) -> Event:
    """Read an event off the bus. Raises `Refused`, which names the field."""
    if len(body) > MAX_BODY:
        raise Refused("too_large", f"the body has {len(body)} bytes; at most {MAX_BODY} are allowed", "data")
    headers = headers or {}
    parts = subject.split(".")
    if len(parts) != 5 or not parts[3].startswith("v"):
        raise Refused("unknown_subject", f"{subject} is not xinqiao.<context>.<event>.v<major>.<county>", "subject")
    _, context, name, version, region = parts
    kind = f"{context}.{name}"
    declared_type = headers.get("ce-type", kind)
    if declared_type != kind:
        raise Refused("type_mismatch", f"ce-type {declared_type} does not fit the subject {subject}", "ce-type")
    model = _model(kind, version)
    return _build(model, headers.get("ce-id"), headers.get("ce-time"), region, _json_object(body))


def from_structured(document: Any, region: str | None = None) -> Event:
    """Read a CloudEvent in structured mode. The county is the data's own, checked against `region` where given."""
    if not isinstance(document, dict):
        raise Refused("not_an_object", "the body is not a JSON object", "body")
    if document.get("specversion") != "1.0":
        raise Refused("bad_envelope", "specversion must be 1.0", "specversion")
    data = document.get("data")
    if not isinstance(data, dict):
        raise Refused("not_an_object", "data must be a JSON object", "data")
    kind = document.get("type")
    schema = document.get("dataschema", f"urn:xinqiao:schema:{kind}:v1")
    version = str(schema).rsplit(":", 1)[-1]
    try:
        model = _model(str(kind), version)
    except Refused as error:
        error.field = "dataschema" if error.reason == "unknown_version" else "type"
        raise
    county = region or data.get("county", NO_REGION)
    return _build(model, document.get("id"), document.get("time"), county, data, prefix="data.")


def _model(kind: str, version: str) -> type[Event]:
    for (known, number), declared in BY_KEY.items():
        if known == kind and version == f"v{number}":
            return declared.event
    if any(known == kind for known, _ in BY_KEY):
        raise Refused("unknown_version", f"{kind} has no version {version}", "ce-type")
    raise Refused("unknown_type", f"there is no event {kind}", "ce-type")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = from_json(body)
    except ValueError as error:
        raise Refused("malformed_json", f"the body is not JSON: {error}", "data") from error
    if not isinstance(value, dict):
        raise Refused("not_an_object", "the body is not a JSON object", "data")
    return value


def _build(
    model: type[Event], ident: str | None, time: str | None, region: str, data: dict[str, Any], prefix: str = ""
) -> Event:
    try:
        uuid.UUID(str(ident))
    except ValueError as error:
        raise Refused("bad_envelope", "the event's id must be a UUID", "id" if prefix else "ce-id") from error
    if not isinstance(time, str):
        raise Refused("bad_envelope", "the event's time is missing", "time" if prefix else "ce-time")
    clash = ENVELOPE & data.keys()
    if clash:
        raise Refused("bad_envelope", f"{sorted(clash)[0]} belongs to the envelope", f"{prefix}{sorted(clash)[0]}")
    try:
        return model.model_validate({**data, "id": ident, "occurred_at": time, "region": region})
    except ValidationError as error:
        raise Refused("invalid", *explain(error, prefix)) from error
    except OverflowError as error:  # a time that is outside of the calendar once it is brought to UTC
        raise Refused("invalid", "a number or a time is out of range", prefix.rstrip(".") or "data") from error


def explain(error: ValidationError, prefix: str = "") -> tuple[str, str]:
    """What is wrong, in words without what people wrote, and the first field it is wrong in.

    `prefix` is `data.` for a structured CloudEvent, whose region is its own county; on the bus it is the subject's.
    """
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    places = [prefix + _place(problem["loc"], problem["msg"]) for problem in problems]
    places = [("data.county" if prefix else "subject") if place == f"{prefix}region" else place for place in places]
    shown = "; ".join(f"{place}: {problem['msg']}" for place, problem in zip(places, problems, strict=True))
    return shown[:2000], places[0]


def _place(steps: tuple[int | str, ...], message: str) -> str:
    if not steps:  # a rule over several fields; its message begins with the one that is wrong
        return message.removeprefix("Value error, ").split(" ", 1)[0]
    # Of a value that may be of two kinds, pydantic names the kind as a further step.
    return ".".join(str(step) for step in steps if isinstance(step, int) or re.fullmatch("[a-z0-9_]+", step))

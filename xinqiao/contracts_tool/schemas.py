"""JSON Schemas (2020-12) of event bodies, and the examples kept for every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.base import Event
from contracts.topology import EVENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Examples = dict[tuple[str, int], dict[str, dict[str, Any]]]
"""Structured CloudEvents by (type, version) and by the name of their file."""


def key(event: type[Event]) -> str:
    """``<type>.v<major>``, the name that an event version goes by in files."""
    return f"{event.TYPE}.v{event.VERSION}"


def file_name(event: type[Event]) -> str:
    return f"{key(event)}.json"


def schema(event: type[Event]) -> dict[str, Any]:
    """The schema of an event's body, with its dialect and its name."""
    ident = f"urn:xinqiao:schema:{event.TYPE}:v{event.VERSION}"
    return {"$schema": DIALECT, "$id": ident, **event.body_schema()}


def text(event: type[Event]) -> str:
    """The schema as it is committed."""
    return json.dumps(schema(event), ensure_ascii=False, indent=2) + "\n"


def current() -> dict[str, dict[str, Any]]:
    """The present schemas by `key`."""
    return {key(declared.event): schema(declared.event) for declared in EVENTS}


def read_examples(folder: Path) -> Examples:
    """The examples under ``<folder>/<type>/v<major>/<name>.json``."""
    found: Examples = {}
    for path in sorted(folder.glob("*/v*/*.json")):
        version = int(path.parent.name.removeprefix("v"))
        found.setdefault((path.parent.parent.name, version), {})[path.stem] = json.loads(path.read_text())
    return found

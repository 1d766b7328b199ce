"""CloudEvents in structured mode, as a hotline would write them."""

from __future__ import annotations

import json
from typing import Any

from chassis.envelope import SOURCE
from contracts.base import Event


def to_structured(event: Event, producer: str) -> dict[str, Any]:
    """The CloudEvent in structured mode, ready for JSON."""
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": SOURCE.format(producer),
        "type": event.TYPE,
        "dataschema": f"urn:xinqiao:schema:{event.TYPE}:v{event.VERSION}",
        "time": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": json.loads(event.body()),
    }

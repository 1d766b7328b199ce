"""Where a page in a chosen order ends and the next begins: the field, its value in the last row, and the row's id."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from chassis.errors import Refused
from chassis.tx import Document


def next_after(last: Document, field: str) -> str:
    """The `next` of a page, from its last row."""
    value = None if field == "id" else last[field]
    return base64.urlsafe_b64encode(json.dumps([field, value, str(last["_id"])]).encode()).decode()


def read_cursor(after: str | None, field: str) -> tuple[Any, uuid.UUID] | None:
    """The place that `after` names; raises `Refused` unless it is the `next` of a page in this order."""
    if after is None:
        return None
    try:
        of, value, ident = json.loads(base64.b64decode(after.encode("ascii"), b"-_", validate=True))
        if of != field or not isinstance(value, str | None) or (value is None) != (field == "id"):
            raise ValueError("of another order")
        (value or "").encode()  # half a surrogate pair is no text that the database takes
        return value, uuid.UUID(ident)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("bad_cursor", "`after` must be the `next` of a page in the same order", "after") from error

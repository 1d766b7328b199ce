"""The errors that decide what becomes of a message or a request."""

from __future__ import annotations


class Refused(Exception):
    """The input can never be accepted: a dead letter for a message, 422 for a request.

    `field` names the place in the input, `reason` is a stable word for counters, `detail` is for people.
    """

    def __init__(self, reason: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


class NotAllowed(Exception):
    """The present state, or the caller's right, does not allow it: 409 or 403."""

    def __init__(self, detail: str, *, status: int = 409, reason: str | None = None, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.reason = reason
        self.field = field


class NotFound(Exception):
    """There is no such thing, or none within the caller's division: 404."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Duplicate(Exception):
    """An insert met a document with the same key. `collection` says where."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"duplicate key in {collection}")
        self.collection = collection


class Unavailable(Exception):
    """The broker or the database cannot be reached: wait and try again, count no failure."""

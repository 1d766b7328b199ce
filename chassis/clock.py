"""The time, the local day, and ids that sort by time."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import uuid_utils

LOCAL = ZoneInfo("Asia/Shanghai")
"""Days, months and deadlines that people read are of this zone."""


def now() -> datetime:
    """The present moment in UTC, cut to the millisecond that the database keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def local_day(moment: datetime) -> date:
    """The day in Asia/Shanghai that a moment falls in."""
    return moment.astimezone(LOCAL).date()


def new_id() -> uuid.UUID:
    """A UUIDv7: later ids of one process sort after earlier ones."""
    return uuid.UUID(int=uuid_utils.uuid7().int)

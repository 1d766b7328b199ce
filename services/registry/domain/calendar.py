"""A person's turns of duty as an iCalendar (RFC 5545): only the own turns, no word about anybody else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.registry.domain.duty import Turn


@dataclass(frozen=True)
class Entry:
    """One turn as a calendar shows it. `sequence` counts its changes; `changed_at` is the last one."""

    ident: UUID
    turn: Turn
    title: str
    sequence: int
    changed_at: datetime
    active: bool


def feed(entries: Iterable[Entry], zone: ZoneInfo) -> bytes:
    """The calendar, the same bytes for the same turns; times are local, with their zone defined in it."""
    from icalendar import Calendar, Event  # brought with the first calendar that is asked for

    calendar = Calendar()
    calendar.add("prodid", "-//Xinqiao//Duty//ZH")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "值班安排")
    calendar.add("x-wr-timezone", zone.key)
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    for entry in entries:
        event = Event()
        event.add("uid", f"{entry.ident}@duty.xinqiao")
        event.add("sequence", entry.sequence)
        event.add("dtstamp", entry.changed_at)
        event.add("last-modified", entry.changed_at)
        event.add("dtstart", entry.turn.starts_at.astimezone(zone))
        event.add("dtend", entry.turn.ends_at.astimezone(zone))
        event.add("summary", f"值班：{entry.title}")
        event.add("status", "CONFIRMED" if entry.active else "CANCELLED")
        event.add("class", "PRIVATE")
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())

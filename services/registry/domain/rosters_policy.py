"""The policy about rosters: what a line covers, a person's weekly hours, and what a calendar link gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.registry.domain.versions import PolicyPart, Source, Versioned


class LinePolicy(PolicyPart):
    """Hours that a line is covered on each local day, hours and seats of any 12356 line, and how far ahead gaps go."""

    hours_a_day: Annotated[int, Field(ge=18, le=24)]
    hours_a_day_source: Source
    hours_12356: Annotated[int, Field(ge=18, le=24)]
    hours_12356_source: Source
    seats_12356: Annotated[int, Field(ge=2, le=1000)]
    seats_12356_source: Source
    days_ahead: Annotated[int, Field(ge=1, le=366)]
    days_ahead_source: Source


class PersonPolicy(PolicyPart):
    """Hours of duty in a week, Monday to Sunday in Asia/Shanghai."""

    hours_a_week: Annotated[int, Field(ge=1, le=168)]
    hours_a_week_source: Source


class FeedPolicy(PolicyPart):
    """A calendar link: days it looks back and ahead, turns at most, and readings a minute."""

    days_back: Annotated[int, Field(ge=0, le=366)]
    days_ahead: Annotated[int, Field(ge=1, le=366)]
    turns: Annotated[int, Field(ge=1, le=5000)]
    reads_a_minute: Annotated[int, Field(ge=1, le=600)]
    source: Source


class RostersPolicy(Versioned):
    line: LinePolicy
    person: PersonPolicy
    feed: FeedPolicy

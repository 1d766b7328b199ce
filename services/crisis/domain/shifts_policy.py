"""The policy of the crisis office at all hours: queue, shifts, lines, and who is called out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.crisis import CallOutKind
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.hotlines import Category, LineChannel, LineService, OperatorKind, Population, Qualification
from services.crisis.domain.shifts import ShiftRole


def _descending(hours: tuple[int, ...]) -> tuple[int, ...]:
    if list(hours) != sorted(set(hours), reverse=True):
        raise ValueError("the hours must descend")
    return hours


AheadHours = Annotated[int, Field(ge=1, le=24 * 31)]


class QueuePolicy(PolicyPart):
    """`picking`: whether a duty officer may take whichever case, and not only the next."""

    picking: bool
    source: Source


class ShiftsPolicy(PolicyPart):
    needed: Literal["where_planned", "never"]
    needed_source: Source
    early_minutes: int = Field(ge=0, le=12 * 60)
    early_source: Source
    grace_minutes: int = Field(ge=0, le=12 * 60)
    grace_source: Source
    overrun_minutes: int = Field(ge=0, le=12 * 60)
    overrun_source: Source
    longest_hours: int = Field(ge=1, le=7 * 24)
    longest_source: Source
    ahead_days: int = Field(ge=1, le=3 * 366)
    ahead_source: Source

    @property
    def grace(self) -> timedelta:
        return timedelta(minutes=self.grace_minutes)

    @property
    def overrun(self) -> timedelta:
        return timedelta(minutes=self.overrun_minutes)


class Supervision(PolicyPart):
    """Which roles have to be there at all hours, and how long before a gap it is told."""

    roles: Annotated[tuple[ShiftRole, ...], Field(min_length=1)]
    roles_source: Source
    ahead_hours: Annotated[tuple[AheadHours, ...], Field(min_length=1, max_length=8), AfterValidator(_descending)]
    ahead_source: Source
    settle_minutes: int = Field(ge=0, le=24 * 60)
    settle_source: Source


class HandOverPolicy(PolicyPart):
    accept_minutes: int = Field(gt=0, le=24 * 60)
    accept_source: Source
    most_cases: int = Field(ge=1, le=2000)
    most_source: Source


class UrgentPolicy(PolicyPart):
    idle_days: int = Field(ge=1, le=42)
    idle_source: Source
    most_weeks: int = Field(ge=1, le=6)
    most_source: Source


class CallOutPolicy(PolicyPart):
    """The parties that every district has to have in its directory."""

    kinds: tuple[CallOutKind, ...]
    source: Source


class ExpertsPolicy(PolicyPart):
    shortest_hours: int = Field(ge=1, le=168)
    longest_hours: int = Field(ge=1, le=366 * 24)
    hours_source: Source
    most_turns: int = Field(ge=1, le=10_000)
    most_turns_source: Source


class Lines(PolicyPart):
    least_seats: int = Field(ge=0, le=1000)
    seat_square_metres: float = Field(ge=0, le=100)
    seats_source: Source
    floor_hours: int = Field(ge=1, le=24)
    floor_source: Source


class CategoryRules(PolicyPart):
    """What a line of a category has to be; an empty list asks for nothing."""

    name: str
    public: bool = False
    free: bool = False
    hours: int = Field(ge=1, le=24)
    hours_source: Source
    population: Population = Population.everyone
    operators: tuple[OperatorKind, ...] = ()
    qualifications: tuple[Qualification, ...] = ()
    channels: tuple[LineChannel, ...] = (LineChannel.phone,)
    services: tuple[LineService, ...] = (LineService.aid,)
    seats: bool = True
    source: Source


class ShiftPolicy(Versioned):
    """One version, whole."""

    queue: QueuePolicy
    shifts: ShiftsPolicy
    supervision: Supervision
    hand_over: HandOverPolicy
    urgent: UrgentPolicy
    call_out: CallOutPolicy
    experts: ExpertsPolicy
    lines: Lines
    categories: dict[Category, CategoryRules]

    @model_validator(mode="after")
    def _says_something_about_each_category(self) -> ShiftPolicy:
        missing = [one.value for one in Category if one not in self.categories]
        if missing:
            raise ValueError(f"nothing is said about {', '.join(missing)}")
        low = [one for one, rules in self.categories.items() if rules.public and rules.hours < self.lines.floor_hours]
        if low:
            raise ValueError(f"{', '.join(low)}: the public line is open at least {self.lines.floor_hours} hours")
        return self

"""Which tasks a ledger holds, by which figure each is measured, up to what, and until when."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.registry.domain.versions import PolicyPart, Source, Versioned

TaskCode = Annotated[str, StringConstraints(pattern=r"^task-[0-9]{1,2}$")]
Label = Annotated[str, Field(min_length=2, max_length=64)]
MEASURES = ("school_rooms", "minor_centres", "full_time_teachers")
"""What the registry is able to reckon."""


class Measured(PolicyPart):
    """A figure: its name and unit; `standard` is the checklist that what is counted has to pass."""

    label: Label
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    standard: str | None = None
    source: Source


class Task(PolicyPart):
    """A task by its number in the plan. `kept` has a row in the ledger with a measure and a target in percent.

    A task that is kept elsewhere says where: `training_coverage` is a measure of the training plans.
    """

    code: TaskCode
    number: Annotated[int, Field(ge=1, le=99)]
    title: Label
    measure: Literal["school_rooms", "minor_centres", "full_time_teachers"] | None = None
    target: Annotated[int, Field(ge=1, le=100)] = 100
    target_source: Source
    training_coverage: str | None = None

    @model_validator(mode="after")
    def _kept_once(self) -> Task:
        if (self.measure is None) == (self.training_coverage is None):
            raise ValueError(f"{self.code}: a task has a measure here, or is kept with the training plans")
        return self


def _day_of_year(text: str) -> str:
    date.fromisoformat(f"2001-{text}")  # a day that every year has
    return text


class LedgerPolicy(Versioned):
    due: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{2}$"), AfterValidator(_day_of_year)]
    due_source: Source
    source: Source
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=99)]
    measures: dict[str, Measured]

    @model_validator(mode="after")
    def _whole(self) -> LedgerPolicy:
        codes = [one.code for one in self.tasks]
        if len(set(codes)) != len(codes):
            raise ValueError("two tasks have the same code")
        if set(self.measures) != set(MEASURES):
            raise ValueError(f"measures: each of {', '.join(MEASURES)}, and no other")
        return self

    def kept(self) -> tuple[Task, ...]:
        """The tasks with which a ledger begins."""
        return tuple(one for one in self.tasks if one.measure is not None)

    def linked(self) -> tuple[Task, ...]:
        """The tasks that the training plans hold."""
        return tuple(one for one in self.tasks if one.training_coverage is not None)

    def due_on(self, year: int) -> date:
        """The day by which a row of this year is done, where nobody sets another."""
        return date.fromisoformat(f"{year:04d}-{self.due}")

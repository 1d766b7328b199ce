"""The policy of the ledger, the risk register and the town groups: their code lists, days and bounds."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.policies import PolicyPart, Source, Versioned

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
ItemCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Label = Annotated[str, Field(min_length=1, max_length=40)]


class LedgerTask(PolicyPart):
    """One project or task by its number; `kept` where a ledger has a row for it."""

    code: ItemCode
    title: Label
    kept: bool = False


def _day_of_year(text: str) -> str:
    date.fromisoformat(f"2001-{text}")  # a day that every year has
    return text


class Tasks(PolicyPart):
    due: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{2}$"), AfterValidator(_day_of_year)]
    due_source: Source
    source: Source
    items: tuple[LedgerTask, ...] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        codes = [item.code for item in self.items]
        if len(codes) != len(set(codes)):
            raise ValueError("two tasks have the same code")
        return self


class RiskBounds(PolicyPart):
    """A risk's level is its likelihood times its severity, 1 to 25."""

    medium_from: int = Field(ge=2, le=25)
    high_from: int = Field(ge=2, le=25)
    source: Source
    longest_review_days: int = Field(ge=1, le=3660)
    longest_review_source: Source

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if self.high_from <= self.medium_from:
            raise ValueError("high_from lies above medium_from")
        return self


class Groups(PolicyPart):
    """Which departments a town's group is made of, and what it decides, each code with its words."""

    source: Source
    required: tuple[Code, ...]
    required_source: Source
    departments: dict[Code, Label]
    decisions: dict[Code, Label]

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := sorted(set(self.required) - set(self.departments)):
            raise ValueError(f"{unknown[0]} is no department of the list")
        return self


class Counts(PolicyPart):
    longest_days: int = Field(ge=1, le=36_600)
    source: Source


class LedgerPolicy(Versioned):
    """One version, whole."""

    tasks: Tasks
    risks: RiskBounds
    groups: Groups
    counts: Counts

    def kept(self) -> tuple[LedgerTask, ...]:
        """The rows with which a ledger begins."""
        return tuple(item for item in self.tasks.items if item.kept)

    def due_on(self, year: int) -> date:
        """The day by which a row of this year is done, where nobody sets another."""
        return date.fromisoformat(f"{year:04d}-{self.tasks.due}")

"""What is aimed at with teams: experts in a pool, partners by a day, and the professional teams of a province."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from services.registry.domain.versions import PolicyPart, Source, Versioned

Positive = Annotated[int, Field(ge=1, le=100_000)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Pools(PolicyPart):
    school_experts: Positive
    school_experts_source: Source


class Partners(PolicyPart):
    """`at_least` partners of these kinds have signed on or before `by`, a day in Asia/Shanghai."""

    at_least: Positive
    at_least_source: Source
    by: date
    by_source: Source
    kinds: tuple[str, ...] = Field(min_length=1)
    kinds_source: Source


class Professional(PolicyPart):
    """The corps of a province and its professional teams; `names` in their order, the rest by number."""

    province: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
    corps: Title
    count: Annotated[int, Field(ge=1, le=99)]
    count_source: Source
    names: tuple[Title, ...]
    names_source: Source

    @model_validator(mode="after")
    def _no_more_names_than_teams(self) -> Self:
        if len(self.names) > self.count:
            raise ValueError(f"names: {len(self.names)} names for {self.count} teams")
        return self

    def name_of(self, number: int) -> str:
        """The name of the team with a number from 1."""
        return self.names[number - 1] if number <= len(self.names) else f"{self.corps}第{number}专业队"


class TeamsPolicy(Versioned):
    pools: Pools
    partners: Partners
    professional: Professional

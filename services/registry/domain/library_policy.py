"""The policy of the library: how long, and how much, one reader may borrow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from services.registry.domain.versions import PolicyPart, Source, Versioned


class Lending(PolicyPart):
    """`days` where nobody says until when; `most_days` from today on; `most_at_once` copies with one reader."""

    days: Annotated[int, Field(ge=1, le=366)]
    days_source: Source
    most_days: Annotated[int, Field(ge=1, le=366)]
    most_days_source: Source
    most_at_once: Annotated[int, Field(ge=1, le=1000)]
    most_at_once_source: Source

    @model_validator(mode="after")
    def _in_order(self) -> Lending:
        if self.days > self.most_days:
            raise ValueError("days is more than most_days")
        return self


class LibraryPolicy(Versioned):
    lending: Lending

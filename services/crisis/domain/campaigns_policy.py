"""The policy of screening campaigns: populations, bounds, questionnaires, and what the tablet says."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.crisis import CampaignKind, ProgrammeKind
from contracts.crisis import ScreeningRoute as Route
from contracts.hotline import Setting
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.campaign import Service

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
UNANSWERED = ("refused", "unknown", "not_asked")
"""Answers that every question has besides its own."""


class Entry(PolicyPart):
    future_tolerance_seconds: int = Field(ge=0, le=86400)
    future_tolerance_source: Source
    window_tolerance_days: int = Field(ge=0, le=60)
    window_tolerance_source: Source
    most_rows: int = Field(ge=1, le=5000)
    most_rows_source: Source
    rows_together: int = Field(ge=1, le=1000)
    rows_together_source: Source
    adult_age: int = Field(ge=0, le=30)
    adult_age_source: Source


class Population(PolicyPart):
    """Whom campaigns of a kind are for, and where the chain of people begins that a flag goes to."""

    min_age: int = Field(ge=0, le=120)
    setting: Setting
    programme: ProgrammeKind | None = None
    source: Source


def _each_route(follow: dict[Route, tuple[Service, ...]]) -> dict[Route, tuple[Service, ...]]:
    if missing := sorted(set(Route) - set(follow)):
        raise ValueError(f"no services for {', '.join(missing)}")
    return follow


class Services(PolicyPart):
    """What follows from a result, in the four services of a care point."""

    follow: Annotated[dict[Route, tuple[Service, ...]], AfterValidator(_each_route)]
    source: Source


class Page(PolicyPart):
    consent_text: Words
    guardian_text: Words
    consent_source: Source
    safety_title: Words
    safety_steps: tuple[Words, ...] = Field(min_length=1, max_length=12)
    safety_calls: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9-]{3,15}$")], ...] = Field(max_length=6)
    safety_source: Source
    pin_length: int = Field(ge=4, le=32)
    pin_source: Source
    pin_rounds: int = Field(ge=100_000, le=10_000_000)
    pin_rounds_source: Source
    lock_minutes: int = Field(ge=1, le=240)
    lock_source: Source
    rows_together: int = Field(ge=1, le=500)
    rows_together_source: Source


class Item(PolicyPart):
    """One coded question; not to answer is an answer of every one."""

    id: Code
    label: Words
    answers: dict[Code, Words] = Field(min_length=2, max_length=20)

    @model_validator(mode="after")
    def _codes_are_its_own(self) -> Item:
        if set(self.answers) & set(UNANSWERED):
            raise ValueError(f"{', '.join(UNANSWERED)} are answers of every question, and of none in particular")
        return self


class Questionnaire(PolicyPart):
    """Three of the four blocks; the instruments of the campaign are the other."""

    version: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,32}$")]
    title: Words
    source: Source
    basic: tuple[Item, ...] = ()
    literacy: tuple[Item, ...] = ()
    needs: tuple[Item, ...] = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Questionnaire:
        ids = [item.id for item in self.items]
        if len(ids) != len(set(ids)):
            raise ValueError("two questions have the same id")
        return self

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.basic, *self.literacy, *self.needs)


def _each_kind(populations: dict[CampaignKind, Population]) -> dict[CampaignKind, Population]:
    if missing := sorted(set(CampaignKind) - set(populations)):
        raise ValueError(f"no population for {', '.join(missing)}")
    return populations


class CampaignPolicy(Versioned):
    """One version, whole."""

    entry: Entry
    populations: Annotated[dict[CampaignKind, Population], AfterValidator(_each_kind)]
    services: Services
    page: Page
    questionnaires: Annotated[dict[Code, Questionnaire], Field(min_length=1)]

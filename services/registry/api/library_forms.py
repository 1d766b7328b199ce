"""Bodies of the routes of the library."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from contracts.base import DivisionCode
from services.registry.api.places_forms import Day, Form, Paragraphs, Words, one_of
from services.registry.domain.library import LINK_LIMIT, read_link, read_pseudonym
from services.registry.domain.library_labels import (
    AUDIENCES,
    CHANNELS,
    KINDS,
    LANGUAGES,
    LICENCES,
    PROBLEMS,
    PURPOSES,
    SETTINGS,
    TRAINING,
)

ITEM = "01970d3b-0000-7000-8000-000000000d01"
COPY = "01970d3b-0000-7000-8000-000000000d02"
ORGANISATION = "01970d3b-0000-7000-8000-000000000a01"


def _sorted_once(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("the same is named twice")
    return sorted(values)


def _once(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("the same is named twice")
    return values


KindCode = Annotated[str, *one_of(KINDS)]
LicenceCode = Annotated[str, *one_of(LICENCES)]
LanguageCode = Annotated[str, *one_of(LANGUAGES)]
ProblemCode = Annotated[str, *one_of(PROBLEMS)]
AudienceCode = Annotated[str, *one_of(AUDIENCES)]
PurposeCode = Annotated[str, *one_of(PURPOSES)]
SettingCode = Annotated[str, *one_of(SETTINGS)]
ChannelCode = Annotated[str, *one_of(CHANNELS)]
TrainingCode = Annotated[str, *one_of(TRAINING)]
Link = Annotated[str, StringConstraints(max_length=LINK_LIMIT), AfterValidator(read_link)]
Pseudonym = Annotated[str, StringConstraints(max_length=32), AfterValidator(read_pseudonym)]


class ItemIn(Form):
    """A resource as it shall be, whole. A provider is an organisation of the register, or told by its name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": "考试焦虑的自我调节",
                    "kind": "video",
                    "division": "370812",
                    "description": "面向中、高考学生和家长的二十分钟科普短片。",
                    "provider": "示例师范学校心理中心",
                    "licence": "free_for_welfare",
                    "licence_note": "注明来源，不得剪辑",
                    "audiences": ["exam_takers", "parents"],
                    "tags": ["exam_anxiety", "study_pressure"],
                    "purposes": ["teaching"],
                    "language": "zh",
                    "link": "https://video.example.org/exam-anxiety",
                }
            ]
        },
    )

    title: Words
    kind: KindCode
    division: DivisionCode
    description: Annotated[Paragraphs, Field(max_length=2000)] | None = None
    provider_id: uuid.UUID | None = None
    provider: Words | None = None
    licence: LicenceCode
    licence_note: Words | None = None
    audiences: Annotated[list[AudienceCode], Field(min_length=1), AfterValidator(_sorted_once)]
    tags: Annotated[list[ProblemCode], AfterValidator(_sorted_once)] = Field([])
    purposes: Annotated[list[PurposeCode], AfterValidator(_sorted_once)] = Field([])
    settings: Annotated[list[SettingCode], AfterValidator(_sorted_once)] = Field([])
    training: Annotated[list[TrainingCode], AfterValidator(_sorted_once)] = Field([])
    language: LanguageCode = "zh"
    link: Link | None = None
    shelf: Words | None = None
    place_id: uuid.UUID | None = None
    active: bool = True


class OpenedIn(Form):
    """Where it was opened; absent: in the caller's own division. Nobody is named."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"division": "370812001"}]})

    division: DivisionCode | None = None


class CopyIn(Form):
    """One copy, and the shelf that it belongs on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"item_id": ITEM, "division": "370812001", "shelf": "示例心灵驿站 2号架"}]},
    )

    item_id: uuid.UUID
    division: DivisionCode
    shelf: Words


class CopyStateIn(Form):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"state": "returned"}]})

    state: Literal["available", "returned", "lost"]


class LoanIn(Form):
    """To whom a copy is lent: a person of the register, or a reader's number that the shelf's keeper gave out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"copy_id": COPY, "pseudonym": "R-0012", "due_on": None}]},
    )

    copy_id: uuid.UUID
    person_id: uuid.UUID | None = None
    pseudonym: Pseudonym | None = None
    due_on: Day | None = None

    @model_validator(mode="after")
    def _one_reader(self) -> LoanIn:
        if (self.person_id is None) == (self.pseudonym is None):
            raise ValueError("either person_id or pseudonym")
        return self


class DueIn(Form):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"due_on": "2026-12-24"}]})

    due_on: Day


class GuideIn(Form):
    """A guided reading that somebody asks for: of which resources, for whom, how many people, on which day."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812001",
                    "item_ids": [ITEM],
                    "audience": "elderly",
                    "people": 20,
                    "wanted_on": "2026-12-10",
                    "venue": "示例社区活动室",
                }
            ]
        },
    )

    division: DivisionCode
    item_ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=20), AfterValidator(_once)]
    audience: AudienceCode
    people: Annotated[int, Field(ge=1, le=10_000)]
    wanted_on: Day
    venue: Words

    def told(self) -> dict[str, Any]:
        return {**self.model_dump(), "wanted_on": self.wanted_on.isoformat()}


class GuideStateIn(Form):
    """The next step; `guide_id` with `assigned` only. Why is for the log; no personal data in it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"state": "assigned", "guide_id": "01970d3b-0000-7000-8000-000000000b01", "reason": None}]
        },
    )

    state: Literal["requested", "assigned", "held", "declined", "cancelled"]
    guide_id: uuid.UUID | None = None
    reason: Words | None = None


class HandedOnIn(Form):
    """Material that was handed on: when, where, through which channel, to which office, for which occasion."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "item_id": ITEM,
                    "division": "370812001",
                    "on": "2026-11-20",
                    "channel": "broadcast",
                    "setting": "commute",
                    "organisation_id": ORGANISATION,
                    "copies": 1,
                }
            ]
        },
    )

    item_id: uuid.UUID
    division: DivisionCode
    on: Day
    channel: ChannelCode
    setting: SettingCode | None = None
    organisation_id: uuid.UUID | None = None
    copies: Annotated[int, Field(ge=1, le=100_000)] = 1

    def told(self) -> dict[str, Any]:
        return {**self.model_dump(), "on": self.on.isoformat()}

"""Bodies of the routes about trainings."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import ConfigDict, Field

from contracts.base import DivisionCode
from services.registry.api.codes import ServiceCode
from services.registry.api.places_forms import Day, Form, Words, one_of
from services.registry.api.rosters import Moment
from services.registry.commands.trainings import Attendance
from services.registry.domain.trainings import AUDIENCES, FIELDS, LEVELS, PROGRAMMES, TOPICS, TYPES

LevelCode = Annotated[str, *one_of(LEVELS)]
TopicCode = Annotated[str, *one_of(TOPICS)]
AudienceCode = Annotated[str, *one_of(AUDIENCES)]
FieldCode = Annotated[str, *one_of(FIELDS)]
TypeCode = Annotated[str, *one_of(TYPES)]
ProgrammeCode = Annotated[str, *one_of(PROGRAMMES)]
Score = Annotated[int, Field(ge=0, le=100)]


class CourseIn(Form):
    """A course: at which level, for whom, in which field, in what, and what passing it takes.

    One that follows a syllabus has its topics, and may say them or more.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812",
                    "title": "示例志愿者岗前培训",
                    "level": "county",
                    "audiences": ["stations", "volunteers"],
                    "field": "community",
                    "type": "pre_service",
                    "topics": ["pre_service", "ethics_privacy"],
                    "pass_score": 60,
                    "valid_months": 24,
                    "service": "4-2",
                }
            ]
        },
    )

    division: DivisionCode
    title: Words
    level: LevelCode
    audiences: list[AudienceCode] = Field(default_factory=list, max_length=len(AUDIENCES))
    field: FieldCode | None = None
    type: TypeCode
    programme: ProgrammeCode | None = None
    topics: Annotated[list[TopicCode], Field(min_length=1, max_length=len(TOPICS))] | None = None
    syllabus: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")] | None = None
    pass_score: Score | None = None
    valid_months: Annotated[int, Field(ge=1, le=240)] | None = None
    active: bool = True
    service: ServiceCode | None = Field(None, description="Which of the 25 types of the five services it is.")


class SessionIn(Form):
    """A session of a course, and how many minutes of credit attending it gives."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "course_id": "01970d3b-0000-7000-8000-0000000000c1",
                    "division": "370812001",
                    "starts_at": "2026-03-02T09:00:00+08:00",
                    "ends_at": "2026-03-02T11:30:00+08:00",
                    "minutes": 120,
                }
            ]
        },
    )

    course_id: uuid.UUID
    division: DivisionCode
    starts_at: Moment
    ends_at: Moment
    minutes: Annotated[int, Field(ge=0, le=60 * 24 * 31)]
    organiser_id: uuid.UUID | None = None
    place_id: uuid.UUID | None = None


class AttendanceIn(Form):
    """One person; `before` and `after` measure the skill, from 0 to 100."""

    person_id: uuid.UUID
    attended: bool
    score: Score | None = None
    before: Score | None = None
    after: Score | None = None

    def told(self) -> Attendance:
        return Attendance(self.person_id, self.attended, self.score, self.before, self.after)


class AttendancesIn(Form):
    """Who was at a session; who is not named stays as told before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "person_id": "01970d3b-0000-7000-8000-0000000000b1",
                            "attended": True,
                            "score": 85,
                            "before": 40,
                            "after": 75,
                        }
                    ]
                }
            ]
        },
    )

    items: Annotated[list[AttendanceIn], Field(min_length=1, max_length=500)]


class PlanIn(Form):
    """A task: what is to be done, who answers for it, by which measure, and when it is due."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812",
                    "task": "开展教师心理健康教育资格全员培训",
                    "owner_id": "01970d3b-0000-7000-8000-0000000000b1",
                    "measure": "teachers",
                    "due_on": "2026-12-31",
                }
            ]
        },
    )

    division: DivisionCode
    task: Words
    owner_id: uuid.UUID
    measure: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
    due_on: Day

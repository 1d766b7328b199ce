"""What clients tell about plans of activities; all examples are made up."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import Field

from services.registry.api.codes import Problem, ServiceCode
from services.registry.api.places_forms import Words, one_of
from services.registry.api.rosters import Moment
from services.registry.api.teams_forms import Form, Reason, example
from services.registry.domain.activity_plans import CONTENTS, FORMS
from services.registry.domain.library_labels import AUDIENCES

FormCode = Annotated[str, *one_of(FORMS)]
ContentCode = Annotated[str, *one_of(CONTENTS)]
AudienceCode = Annotated[str, *one_of(AUDIENCES)]
People = Annotated[int, Field(ge=0, le=1_000_000)]


class Timed(Form):
    """A body with a beginning and an end, which are kept in whole milliseconds."""

    starts_at: Moment
    ends_at: Moment

    def told(self) -> dict[str, Any]:
        times = {"starts_at": self.starts_at, "ends_at": self.ends_at}
        kept = {name: at.replace(microsecond=at.microsecond // 1000 * 1000) for name, at in times.items()}
        return super().told() | kept


class PlanIn(Timed):
    """A plan as it shall be, whole: what, in which form, for whom, where, when, and who leads it."""

    model_config = example(
        organisation_id="01970d3b-0000-7000-8000-000000000b02",
        title="示例老年期心理健康教育讲座",
        form="lecture",
        contents=["stress_emotion"],
        service="1-2",
        problems=["ageing"],
        audiences=["elderly"],
        venue="示例街道活动室",
        starts_at="2026-12-20T09:00:00+08:00",
        ends_at="2026-12-20T11:00:00+08:00",
        leader_id="01970d3b-0000-7000-8000-000000000b01",
        expected=50,
    )

    organisation_id: uuid.UUID
    team_id: uuid.UUID | None = None
    title: Words
    form: FormCode
    contents: list[ContentCode] = Field(min_length=1, max_length=len(CONTENTS))
    service: ServiceCode | None = Field(None, description="Which of the 25 types of the five services it is.")
    problems: list[Problem] = Field([], max_length=39, description="Under 发展性、适应性、障碍性.")
    audiences: list[AudienceCode] = Field(min_length=1, max_length=len(AUDIENCES))
    place_id: uuid.UUID | None = Field(None, description="A registered place; else `venue`.")
    venue: Words | None = Field(None, description="Where, in words.")
    leader_id: uuid.UUID = Field(description="The registered person who leads it.")
    expected: People = 0


class SignOffIn(Form):
    """`revision` of the plan that was read: a later one is not agreed to unread."""

    model_config = example(revision=2)

    revision: int = Field(ge=1)


class StepIn(Form):
    model_config = example(reason="请补充讲座提纲")

    reason: Reason


class HeldIn(Timed):
    """When it was held, and how many came; `record_ids` are the volunteers' records of service."""

    model_config = example(
        starts_at="2026-12-20T09:05:00+08:00",
        ends_at="2026-12-20T11:10:00+08:00",
        participants=46,
        record_ids=["01970d3b-0000-7000-8000-000000000703"],
    )

    participants: People
    record_ids: list[uuid.UUID] = Field([], max_length=500)

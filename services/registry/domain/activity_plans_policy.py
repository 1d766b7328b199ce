"""Who guides and supervises whom, what a plan of an activity is bound by, and which teams tutor others, as policy."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from services.registry.domain.versions import PolicyPart, Source, Versioned

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Days = Annotated[int, Field(ge=0, le=3660)]
SIGNS_OFF = "content_supervision"
"""The kind of relation by which plans of activities are signed off."""


class PlanBounds(PolicyPart):
    """Days: of one activity at most, between plan and activity, and until what was held is written down."""

    longest_days: Annotated[int, Field(ge=1, le=366)]
    longest_days_source: Source
    days_moved: Days
    days_moved_source: Source
    days_to_report: Days
    days_to_report_source: Source


class Supervisor(PolicyPart):
    """One role that guides others. Kinds are those of organisations; none is any. `own_unit` guides its own alone."""

    code: Word
    label: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Literal["technical_guidance", "guiding_unit", "content_supervision", "supervision", "cooperation"]
    own_unit: bool = False
    guide_kinds: tuple[Word, ...]
    guided_kinds: tuple[Word, ...]
    source: Source


class Tutor(PolicyPart):
    """A type of team, and what it does for volunteer organisations and teams."""

    team_type: Word
    kinds: tuple[Literal["supervision", "training"], ...] = Field(min_length=1)
    source: Source


class ActivityPlansPolicy(Versioned):
    plans: PlanBounds
    supervisors: tuple[Supervisor, ...]
    tutors: tuple[Tutor, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name, codes in (
            ("supervisors", [one.code for one in self.supervisors]),
            ("tutors", [one.team_type for one in self.tutors]),
        ):
            if len(set(codes)) != len(codes):
                raise ValueError(f"{name}: one stands there twice")
        return self

    def supervisor(self, code: str | None) -> Supervisor | None:
        return next((one for one in self.supervisors if one.code == code), None)

    def tutor(self, team_type: str) -> Tutor | None:
        return next((one for one in self.tutors if one.team_type == team_type), None)

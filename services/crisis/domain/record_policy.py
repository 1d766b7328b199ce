"""The policy of the record: what a section raises, when an assessment is repeated, how long a mark lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.base import Tier
from contracts.policies import PolicyPart, Source, Versioned
from contracts.registry import OrganisationKind
from services.crisis.domain.codes import MarkKind
from services.crisis.domain.policy import Hours, each_tier


class RaiseRule(PolicyPart):
    """A section of this kind raises to a tier."""

    tier: Tier
    source: Source


class Raises(PolicyPart):
    red_flag: RaiseRule
    extreme_event: RaiseRule


class Reviews(PolicyPart):
    """Days to the next re-assessment, by tier; `most_days` bounds what a person sets."""

    days: Annotated[dict[Tier, Annotated[int, Field(ge=1, le=366)]], AfterValidator(each_tier)]
    source: Source
    most_days: int = Field(ge=1, le=731)
    most_source: Source
    again_days: int = Field(ge=1, le=31)
    again_source: Source


class MarkRule(PolicyPart):
    """How long a mark may last, and who may set it; the first duration is the default."""

    hours: Annotated[tuple[Hours, ...], Field(min_length=1, max_length=8)]
    by: Literal["officer", "supervisor"]
    source: Source


class Pathway(PolicyPart):
    """Which organisations count as medical institutions."""

    medical: tuple[OrganisationKind, ...] = Field(min_length=1)
    source: Source


class Doubles(PolicyPart):
    """Two cases of one village that opened within so many hours, one of them of an unknown person, may be one."""

    hours: Hours
    source: Source
    most: int = Field(ge=1, le=100)
    most_source: Source


def _each_mark(table: dict[MarkKind, MarkRule]) -> dict[MarkKind, MarkRule]:
    missing = [kind.value for kind in MarkKind if kind not in table]
    if missing:
        raise ValueError(f"nothing is said about {', '.join(missing)}")
    return table


class RecordPolicy(Versioned):
    """One version, whole."""

    raises: Raises
    reviews: Reviews
    marks: Annotated[dict[MarkKind, MarkRule], AfterValidator(_each_mark)]
    pathway: Pathway
    doubles: Doubles

    def review_after(self, tier: Tier) -> timedelta:
        return timedelta(days=self.reviews.days[tier])

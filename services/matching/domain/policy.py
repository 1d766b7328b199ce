"""The policy: who may answer which tier, how far the area widens, and how long an offer waits. Read from TOML."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.base import Name, Tier
from contracts.policies import PolicyPart, Source, Versioned, Versions, load_versions

SHIPPED = Path(__file__).parent.parent / "policies"

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Digits = Literal[2, 4, 6, 9, 12]


class Training(PolicyPart):
    required: bool
    source: Source


class Who(PolicyPart):
    """One of the person types (附件1, 1-8) or one of the qualifications (附件4, 1-6) is enough."""

    person_types: frozenset[Annotated[int, Field(ge=1, le=8)]]
    qualifications: frozenset[Annotated[int, Field(ge=1, le=6)]]
    source: Source

    def includes(self, person_types: frozenset[int], qualifications: frozenset[int]) -> bool:
        return not (self.person_types.isdisjoint(person_types) and self.qualifications.isdisjoint(qualifications))


class TierRule(Who):
    """Who may answer a tier, and how long one offer of it waits."""

    answer_seconds: Seconds
    answer_source: Source


class Duty(PolicyPart):
    """The roles of rosters whose turns are on duty for crisis calls; who has a turn in another one is not asked."""

    on_duty_roles: frozenset[Name] = Field(min_length=1)
    source: Source


class Area(PolicyPart):
    """The lengths of the division code by which the area widens, the nearest first."""

    digits: tuple[Digits, ...] = Field(min_length=1)
    source: Source

    @model_validator(mode="after")
    def _widens(self) -> Area:
        if list(self.digits) != sorted(set(self.digits), reverse=True):
            raise ValueError("digits must go down: the area only widens")
        return self


class Waiting(PolicyPart):
    look_seconds: Seconds
    source: Source


class Policy(Versioned):
    """One version of the policy."""

    training: Training
    duty: Duty
    tiers: dict[Tier, TierRule]
    minors: Who
    restricted: Who
    area: Area
    waiting: Waiting

    @model_validator(mode="after")
    def _every_tier(self) -> Policy:
        if missing := sorted(set(Tier) - set(self.tiers)):
            raise ValueError(f"no rule for the tiers {', '.join(missing)}")
        return self

    @cached_property
    def look_after(self) -> timedelta:
        return timedelta(seconds=self.waiting.look_seconds)

    def answer_within(self, tier: Tier) -> timedelta:
        return timedelta(seconds=self.tiers[tier].answer_seconds)


Policies = Versions[Policy]


def load_policies(folder: Path | None = None) -> Policies:
    """The policies that ship, and those of `folder`; see `load_versions`."""
    return load_versions(Policy, SHIPPED, folder)

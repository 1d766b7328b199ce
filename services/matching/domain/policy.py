"""The policy: who may answer which tier, how far the area widens, and how long an offer waits. Read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.base import Tier

SHIPPED = Path(__file__).parent.parent / "policies"

Source = Annotated[str, Field(min_length=5)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Digits = Literal[2, 4, 6, 9, 12]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Training(_Part):
    required: bool
    source: Source


class Who(_Part):
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


class Area(_Part):
    """The lengths of the division code by which the area widens, the nearest first."""

    digits: tuple[Digits, ...] = Field(min_length=1)
    source: Source

    @model_validator(mode="after")
    def _widens(self) -> Area:
        if list(self.digits) != sorted(set(self.digits), reverse=True):
            raise ValueError("digits must go down: the area only widens")
        return self


class Waiting(_Part):
    look_seconds: Seconds
    source: Source


class Policy(_Part):
    """One version of the policy."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    in_force_from: AwareDatetime
    training: Training
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


class Policies:
    """All versions known; the newest in force decides."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = sorted(policies, key=lambda policy: policy.in_force_from, reverse=True)
        if not self._policies:
            raise ValueError("there is no policy")

    def at(self, moment: datetime) -> Policy:
        """The policy in force; before the first one, the first one, for a request must not be lost for that."""
        return next((policy for policy in self._policies if policy.in_force_from <= moment), self._policies[-1])


def load_policies(folder: Path | None = None) -> Policies:
    """Read the policy files that ship, and those of `folder`, which come first where the version is the same.

    Raises `ValueError` that names the file and the place in it.
    """
    found: dict[str, Policy] = {}
    for place in (SHIPPED, folder):
        for path in sorted(place.glob("*.toml")) if place else []:
            try:
                policy = Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            found[policy.version] = policy
    return Policies(found.values())

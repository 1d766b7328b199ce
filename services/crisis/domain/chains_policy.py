"""The chains of the settings, and what is made of contacts that repeat or stay away, as a district sets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from contracts.base import Name, Tier
from contracts.hotline import Setting
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.policy import Minutes, each_tier


class Hop(PolicyPart):
    """Who receives, and how long this role has at each tier."""

    role: Name
    minutes: Annotated[dict[Tier, Minutes], Field(min_length=len(Tier))]
    source: Source
    raising_passes_on: bool = False
    """Whether who raises a concern in this role has passed it on with that, and the next hop is called at once."""

    def time(self, tier: Tier) -> timedelta:
        return timedelta(minutes=self.minutes[tier])


class SettingChain(PolicyPart):
    """The hops of one setting, in their order."""

    start: Name
    start_source: Source
    withheld_start: Name | None = None
    withheld_source: Source | None = None
    line_at: tuple[Tier, ...]
    line_source: Source
    hold_minutes: Annotated[dict[Tier, Minutes], AfterValidator(each_tier)]
    hold_source: Source
    hops: tuple[Hop, ...] = Field(min_length=2, max_length=10)

    @model_validator(mode="after")
    def _starts_are_hops(self) -> SettingChain:
        roles = [hop.role for hop in self.hops]
        if len(set(roles)) != len(roles):
            raise ValueError("a role is a hop once")
        for start in (self.start, self.withheld_start):
            if start is not None and start not in roles:
                raise ValueError(f"{start} is no hop; the hops are {', '.join(roles)}")
        if self.hops[-1].raising_passes_on:
            raise ValueError("the last hop passes to nobody")
        if Tier.imminent not in self.line_at:
            raise ValueError("an act in progress never waits for a chain: line_at needs imminent")
        return self

    def hold(self, tier: Tier) -> timedelta:
        """How long a named person may hold a case that only the chain holds; then the next hop has it, and the line."""
        return timedelta(minutes=self.hold_minutes[tier])

    def place(self, role: str | None) -> int | None:
        """Where a role is in the chain; None where it is not in it."""
        return next((place for place, hop in enumerate(self.hops) if hop.role == role), None)


def _settings_with_a_chain(settings: dict[Setting, SettingChain]) -> dict[Setting, SettingChain]:
    wanted = {Setting.community, Setting.school}
    if settings.keys() != wanted:
        raise ValueError("a chain is for the community and for the school; the line has its acknowledgement clock")
    return settings


class ChainsPolicy(Versioned):
    """One version of the chains, whole."""

    settings: Annotated[dict[Setting, SettingChain], AfterValidator(_settings_with_a_chain)]


class Repeated(PolicyPart):
    """From how many contacts in how long a person is marked, and for how long."""

    contacts: int = Field(ge=2, le=100)
    contacts_source: Source
    window_hours: int = Field(gt=0, le=24 * 90)
    window_source: Source
    mark_hours: int = Field(gt=0, le=366 * 24)
    mark_source: Source


class CheckIn(PolicyPart):
    """From how many greetings missed in a row somebody has to look, and who first."""

    missed: int = Field(ge=1, le=100)
    missed_source: Source
    starts_at: Name
    starts_source: Source


class ConcernsPolicy(Versioned):
    """One version of what is made of contacts that repeat or stay away."""

    repeated: Repeated
    check_in: CheckIn

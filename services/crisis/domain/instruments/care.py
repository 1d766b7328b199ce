"""From results to the seeds' tiers, and from a tier to what is done: encourage, intervene and follow up, refer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.base import Name, Tier
from contracts.crisis import ScreeningRoute as Route
from contracts.crisis import ScreeningTier as CareTier
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.instruments.definition import Code, Label
from services.crisis.domain.instruments.scoring import Result

Text = Annotated[str, StringConstraints(min_length=10, max_length=2000)]


class ElderlyTier(StrEnum):
    """正常 / 轻度 / 中度及以上或疑似认知异常: what an assessment of an elderly person comes to."""

    unknown = "unknown"
    normal = "normal"
    mild = "mild"
    moderate_or_suspected_cognitive = "moderate_or_suspected_cognitive"


ROUTES = {
    CareTier.unknown: Route.ask_again,
    CareTier.general: Route.encourage,
    CareTier.borderline: Route.intervene_and_follow_up,
    CareTier.high_risk: Route.refer,
}
_ORDER = [CareTier.unknown, CareTier.general, CareTier.borderline, CareTier.high_risk]
_ELDERLY_ORDER = list(ElderlyTier)


class Level(PolicyPart):
    """What a band comes to in each vocabulary; `case` is the least tier of a case with such a result."""

    care: CareTier
    elderly: ElderlyTier
    case: Tier | None = None


class Mapped(PolicyPart):
    """The bands of an instrument, of all its variants or of those named."""

    instrument: Name
    variants: tuple[Name, ...] = ()
    bands: Mapping[Code, Level]
    source: Source


class Safety(PolicyPart):
    """What a result is at least that asks for a safety assessment."""

    care: CareTier
    elderly: ElderlyTier
    case: Tier
    case_of: Mapping[Name, Tier]
    source: Source


class Plan(PolicyPart):
    """What is offered to a tier."""

    label: Label
    elderly_label: Label
    guidance: Text
    measures: tuple[Label, ...]
    offers: tuple[Code, ...] = ()
    follow_up_every_days: int | None = Field(None, ge=1, le=365)
    follow_up_times: int = Field(0, ge=0, le=52)
    again_days: int = Field(ge=1, le=1100)
    source: Source


class Help(PolicyPart):
    """Where help is to be had at once."""

    name: Label
    phone: Annotated[str, StringConstraints(pattern=r"^[0-9-]{3,20}$")]
    source: Source


class SelfTest(PolicyPart):
    """What a person reads who took a test alone, and when it becomes a flag."""

    disclaimer: Text
    urgent: Text
    incomplete: Text
    help: tuple[Help, ...] = Field(min_length=1)
    flag_from: CareTier
    """A test without a safety question becomes a flag from this tier on, where its result is positive."""
    source: Source


class CarePolicy(Versioned):
    """One version of how results are tiered and what they lead to."""

    levels: tuple[Mapped, ...]
    safety: Safety
    plans: Mapping[CareTier, Plan]
    self_test: SelfTest

    def level(self, instrument: str, variant: str, band: str) -> Level | None:
        """What a band comes to; a row for the variant comes before one for all."""
        rows = [row for row in self.levels if row.instrument == instrument and variant in (row.variants or (variant,))]
        rows.sort(key=lambda row: not row.variants)
        return next((row.bands[band] for row in rows if band in row.bands), None)


def care_tier(results: Sequence[Result], policy: CarePolicy) -> CareTier:
    """The most severe that any result comes to.

    Unknown where nothing is scorable; and where one result is general and another not known, for not to know is not to
    be well.
    """
    found = [_care(result, policy) for result in results] or [CareTier.unknown]
    highest = max(found, key=_ORDER.index)
    return CareTier.unknown if highest is CareTier.general and CareTier.unknown in found else highest


def elderly_tier(results: Sequence[Result], policy: CarePolicy) -> ElderlyTier:
    """The same in the words of the elderly programme."""
    found = [_elderly(result, policy) for result in results] or [ElderlyTier.unknown]
    highest = max(found, key=_ELDERLY_ORDER.index)
    return ElderlyTier.unknown if highest is ElderlyTier.normal and ElderlyTier.unknown in found else highest


def case_tier(result: Result, policy: CarePolicy) -> Tier | None:
    """The tier that a case is at least raised to by a result; None where it says nothing."""
    found = [level.case for level in [_level(result, policy)] if level and level.case]
    if result.safety_assessment_needed:
        found.append(policy.safety.case_of.get(result.instrument, policy.safety.case))
    return Tier.highest(found) if found else None


def route(tier: CareTier) -> Route:
    """What follows a tier (seed 002: encourage; intervene and follow up; refer); who is unknown is asked again."""
    return ROUTES[tier]


def higher(one: CareTier, other: CareTier) -> CareTier:
    """The more severe; what is unknown is below all that is known."""
    return max(one, other, key=_ORDER.index)


def _level(result: Result, policy: CarePolicy) -> Level | None:
    """What is certain about a result: its band, or the least that the missing items leave."""
    return policy.level(result.instrument, result.variant, result.at_least) if result.at_least else None


def _care(result: Result, policy: CarePolicy) -> CareTier:
    level = _level(result, policy)
    found = level.care if level else CareTier.unknown
    if found is CareTier.general and not result.complete:
        found = CareTier.unknown
    return higher(found, policy.safety.care) if result.safety_assessment_needed else found


def _elderly(result: Result, policy: CarePolicy) -> ElderlyTier:
    level = _level(result, policy)
    found = level.elderly if level else ElderlyTier.unknown
    if found is ElderlyTier.normal and not result.complete:
        found = ElderlyTier.unknown
    least = policy.safety.elderly if result.safety_assessment_needed else found
    return max(found, least, key=_ELDERLY_ORDER.index)

"""Policies: versioned files with a source beside each number."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from contracts.base import Answer, Name, Tier
from contracts.base import Unanswered as NoRating
from contracts.hotline import RiskFlagged
from contracts.policies import PolicyPart, Source, Versioned, Versions
from services.crisis.domain.follow_up import Ground, Rules
from services.crisis.domain.follow_up import Hours as TimesOfDay
from services.crisis.domain.versions import load_versions
from services.crisis.domain.window import readable

T = TypeVar("T")

ANSWERS = frozenset(name for name, field in RiskFlagged.model_fields.items() if isinstance(field.default, Answer))
RATINGS = frozenset(name for name, field in RiskFlagged.model_fields.items() if isinstance(field.default, NoRating))


# A slip in a policy shows when it is read, and not in the night in which its rule is wanted.


def _an_answer(question: str) -> str:
    if question not in ANSWERS:
        raise ValueError(f"a flag has no question {question}; it has {', '.join(sorted(ANSWERS))}")
    return question


def _a_rating(question: str) -> str:
    if question not in RATINGS:
        raise ValueError(f"a flag has no rating {question}; it has {', '.join(sorted(RATINGS))}")
    return question


def _a_window(window: str) -> str:
    if not readable(window):
        raise ValueError(f"{window} is neither an ISO 8601 duration nor `ever`")
    return window


def each_tier(table: dict[Tier, T]) -> dict[Tier, T]:
    missing = [tier.value for tier in Tier if tier not in table]
    if missing:
        raise ValueError(f"nothing is said about {', '.join(missing)}")
    return table


def _ascending(hours: tuple[int, ...]) -> tuple[int, ...]:
    if list(hours) != sorted(set(hours)):
        raise ValueError("the hours must ascend")
    return hours


Minutes = Annotated[int, Field(gt=0, le=366 * 24 * 60)]
Hours = Annotated[int, Field(gt=0, le=20 * 366 * 24)]


class AnswerRule(PolicyPart):
    """An answer that raises to a tier."""

    question: Annotated[str, AfterValidator(_an_answer)]
    answer: Answer
    tier: Tier
    source: Source


class RatingRule(PolicyPart):
    """A rating, 0-100, that raises from a value on."""

    question: Annotated[str, AfterValidator(_a_rating)]
    from_: int = Field(alias="from", ge=0, le=100)
    tier: Tier
    source: Source


class TotalRule(PolicyPart):
    """An instrument's total that raises from a value on."""

    instrument: str
    from_: int = Field(alias="from", ge=0)
    tier: Tier
    source: Source


class ItemRule(PolicyPart):
    """A yes to one item that raises; with `windows`, only where the question asked about one of them."""

    instrument: str
    item: str
    windows: tuple[Annotated[str, AfterValidator(_a_window)], ...]
    tier: Tier
    source: Source


class Unanswered(PolicyPart):
    """What it means that none of these questions got a yes or a no for an answer."""

    questions: tuple[Annotated[str, AfterValidator(_an_answer)], ...]
    tier: Tier
    source: Source


class Tiering(PolicyPart):
    answers: tuple[AnswerRule, ...]
    ratings: tuple[RatingRule, ...]
    totals: tuple[TotalRule, ...]
    items: tuple[ItemRule, ...]
    unanswered: Unanswered


class Step(PolicyPart):
    """One step of the chain: who is called, and how long this role has."""

    role: Name
    minutes: Minutes
    source: Source

    @property
    def time(self) -> timedelta:
        return timedelta(minutes=self.minutes)


class Emergency(PolicyPart):
    confirm_minutes: Minutes
    source: Source
    chain: tuple[Name, ...] = Field(min_length=1)
    repeat_last: int = Field(default=1, ge=1, description="How many of the chain's last roles are called in turns.")
    chain_source: Source

    @model_validator(mode="after")
    def _repeats_what_is_there(self) -> Emergency:
        if self.repeat_last > len(self.chain):
            raise ValueError("repeat_last is longer than the chain")
        return self

    def role(self, step: int) -> str:
        """Who is called at a step; after the last one the last ones are called again and again."""
        if step < len(self.chain):
            return self.chain[step]
        return self.chain[len(self.chain) - self.repeat_last + (step - len(self.chain)) % self.repeat_last]


class Responder(PolicyPart):
    tiers: tuple[Tier, ...]
    source: Source
    silent_minutes: Minutes
    silent_source: Source


class ReferralPolicy(PolicyPart):
    tiers: tuple[Tier, ...]
    tiers_source: Source
    send_minutes: Annotated[dict[Tier, Minutes], AfterValidator(each_tier)]
    send_source: Source
    receive_minutes: Annotated[dict[Tier, Minutes], AfterValidator(each_tier)]
    receive_source: Source
    schedule_minutes: Annotated[dict[Tier, Minutes], AfterValidator(each_tier)]
    schedule_source: Source
    outcome_hours: int = Field(gt=0, le=24 * 90)
    outcome_source: Source


class FollowUpPolicy(PolicyPart):
    hours: Annotated[tuple[Hours, ...], Field(max_length=64), AfterValidator(_ascending)]
    consent: Literal["always", "unless_refused", "needed"]
    source: Source


class Attempts(PolicyPart):
    """How one contact is tried. 988 counts three to five attempts before a person is lost."""

    most: int = Field(ge=3, le=5)
    source: Source
    window_hours: Hours
    window_source: Source
    interval_minutes: Minutes
    interval_source: Source
    lead_hours: Hours
    lead_source: Source
    earliest: time
    latest: time
    hours_source: Source

    @model_validator(mode="after")
    def _fit(self) -> Attempts:
        if self.earliest >= self.latest:
            raise ValueError("earliest has to lie before latest, on one day")
        if (self.most - 1) * self.interval_minutes > self.window_hours * 60:
            raise ValueError("so many attempts at this interval do not fit in the window")
        return self

    def rules(self, around_the_clock: bool, wish: TimesOfDay | None = None) -> Rules:
        """The person's own hours come before the district's; an act in progress, or a set time, knows no hours."""
        hours = None if around_the_clock else wish or TimesOfDay(self.earliest, self.latest)
        window, interval = timedelta(hours=self.window_hours), timedelta(minutes=self.interval_minutes)
        return Rules(self.most, interval, window, hours, timedelta(hours=self.lead_hours))


class LostContact(PolicyPart):
    """From how many missed contacts in a row on somebody has to go there."""

    misses: Annotated[dict[Tier, Annotated[int, Field(ge=1, le=10)]], AfterValidator(each_tier)]
    source: Source


class Ending(PolicyPart):
    """On which grounds a follow-up may end."""

    grounds: tuple[Ground, ...]
    source: Source
    reduced_tiers: frozenset[Tier]
    reduced_source: Source
    longest_hours: Annotated[dict[Tier, Hours], AfterValidator(each_tier)]
    longest_source: Source


class Intake(PolicyPart):
    future_tolerance_seconds: int = Field(ge=0)
    future_tolerance_source: Source


class Policy(Versioned):
    """One version of the policy, whole."""

    intake: Intake
    tiering: Tiering
    acknowledgement: Annotated[dict[Tier, Annotated[tuple[Step, ...], Field(min_length=1)]], AfterValidator(each_tier)]
    emergency: Emergency
    responder: Responder
    referral: ReferralPolicy
    follow_up: Annotated[dict[Tier, FollowUpPolicy], AfterValidator(each_tier)]
    attempts: Attempts
    lost_contact: LostContact
    ending: Ending

    def step(self, tier: Tier, number: int) -> Step:
        """The chain's step; the last one repeats for ever."""
        chain = self.acknowledgement[tier]
        return chain[min(number, len(chain) - 1)]

    @property
    def horizon(self) -> timedelta:
        """The longest plan: what a person sets for later than that is a slip of the pen."""
        return timedelta(hours=max((hour for plan in self.follow_up.values() for hour in plan.hours), default=8760))

    def follow_ups(self, tier: Tier, consent: Answer, start: datetime) -> list[datetime]:
        """When the person is to be contacted, earliest first; nothing where the consent that is needed is not there."""
        plan = self.follow_up[tier]
        if plan.consent == "needed" and consent is not Answer.yes:
            return []
        if plan.consent == "unless_refused" and consent in (Answer.no, Answer.refused):
            return []
        return [start + timedelta(hours=hours) for hours in plan.hours]


Policies = Versions[Policy]


def load_policies(folder: Path | None = None) -> Policies:
    """The policies that ship, and those of `folder`; see `load_versions`."""
    return load_versions(Policy, "", folder)

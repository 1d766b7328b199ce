"""What a district sets about referrals, transfers, consultations and hand-overs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.base import Tier
from contracts.policies import PolicyPart, Source, Versioned

Minutes = Annotated[int, Field(gt=0, le=366 * 24 * 60)]
Hours = Annotated[int, Field(gt=0, le=366 * 24)]
Level = Annotated[int, Field(ge=0, le=5)]


def _each_tier(table: dict[Tier, int]) -> dict[Tier, int]:
    missing = [tier.value for tier in Tier if tier not in table]
    if missing:
        raise ValueError(f"nothing is said about {', '.join(missing)}")
    return table


MinutesByTier = Annotated[dict[Tier, Minutes], AfterValidator(_each_tier)]


class GreenChannel(PolicyPart):
    tiers: tuple[Tier, ...]
    receive_minutes: dict[Tier, Minutes]
    schedule_minutes: dict[Tier, Minutes]
    source: Source


class Appointments(PolicyPart):
    remind_hours: Hours
    remind_source: Source
    reschedule_hours: Hours
    reschedule_source: Source
    no_shows: Annotated[dict[Tier, Annotated[int, Field(ge=1, le=10)]], AfterValidator(_each_tier)]
    no_shows_source: Source
    feedback_hours: Hours
    feedback_source: Source
    ask_again_hours: Hours
    ask_again_source: Source


class Override(PolicyPart):
    officer_tiers: tuple[Tier, ...]
    """Where an officer on duty may do without consent; elsewhere it takes a supervisor."""
    officer_source: Source
    refusal_tiers: tuple[Tier, ...]
    """Where even a refusal may be overridden; elsewhere it stands."""
    refusal_source: Source
    tell_hours: Hours
    tell_source: Source


class TransferRules(PolicyPart):
    answer_minutes: MinutesByTier
    source: Source


class ConsultationRules(PolicyPart):
    answer_minutes: MinutesByTier
    done_minutes: MinutesByTier
    source: Source


class AccompaniedRules(PolicyPart):
    accept_hours: Hours
    done_hours: Hours
    source: Source


class HandOverRules(PolicyPart):
    receipt_hours: Hours
    ask_again_hours: Hours
    source: Source


class SevereDisorder(PolicyPart):
    prompt_levels: tuple[Level, ...]
    prompt_days: int = Field(gt=0, le=366)
    prompt_source: Source
    stable_days: int = Field(gt=0, le=366)
    stable_source: Source
    police_from_level: Level
    police_source: Source


class ReferralRules(Versioned):
    """One version, whole."""

    green_channel: GreenChannel
    appointments: Appointments
    override: Override
    transfer: TransferRules
    consultation: ConsultationRules
    accompanied: AccompaniedRules
    hand_over: HandOverRules
    severe_disorder: SevereDisorder

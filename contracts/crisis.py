"""What the crisis service tells. Cases, referrals and follow-ups are known by their ids alone."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from contracts.base import Channel, Count, Event, FineDivision, Instant, Name, Tier, YesOrNo

PolicyVersion = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class CaseOpened(Event):
    """A flag became a case, with its clock running."""

    TYPE: ClassVar[str] = "crisis.case_opened"

    case_id: uuid.UUID
    flag_id: uuid.UUID
    hotline: Name
    channel: Channel
    division: FineDivision
    tier: Tier
    minor: YesOrNo
    act_in_progress: YesOrNo
    acknowledge_by: Instant
    policy: PolicyVersion


class FlagJoined(Event):
    """A further flag about the same person joined the open case."""

    TYPE: ClassVar[str] = "crisis.flag_joined"

    case_id: uuid.UUID
    flag_id: uuid.UUID
    hotline: Name
    channel: Channel
    division: FineDivision
    tier: Tier = Field(description="The case's tier after joining.")


class RiskRaised(Event):
    """The case went to a higher tier, by the policy or by a person."""

    TYPE: ClassVar[str] = "crisis.risk_raised"

    case_id: uuid.UUID
    division: FineDivision
    previous: Tier
    tier: Tier
    by_person: YesOrNo = Field(description="False where the policy raised it.")


class RiskLowered(Event):
    """A person proposed it with a reason, and a second person agreed."""

    TYPE: ClassVar[str] = "crisis.risk_lowered"

    case_id: uuid.UUID
    division: FineDivision
    previous: Tier
    tier: Tier


class CaseAcknowledged(Event):
    """A named person has taken the case; its clock stopped."""

    TYPE: ClassVar[str] = "crisis.case_acknowledged"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    role: Name
    seconds: Count = Field(description="From when the clock was last started: the opening, a raise, or a further flag.")
    on_time: YesOrNo


class AcknowledgementOverdue(Event):
    """The clock ran out at one step of the chain; the next role is called."""

    TYPE: ClassVar[str] = "crisis.acknowledgement_overdue"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    step: Count
    called: Name = Field(description="The role that is called now.")
    acknowledge_by: Instant


class EmergencyService(StrEnum):
    police_110 = "police_110"
    ambulance_120 = "ambulance_120"


class EmergencyServiceCalled(Event):
    """A named person has called 110 or 120; contact has to be confirmed in time."""

    TYPE: ClassVar[str] = "crisis.emergency_service_called"

    case_id: uuid.UUID
    division: FineDivision
    service: EmergencyService
    confirm_by: Instant


class EmergencyContactConfirmed(Event):
    """The emergency service said that it is with the person."""

    TYPE: ClassVar[str] = "crisis.emergency_contact_confirmed"

    case_id: uuid.UUID
    division: FineDivision
    service: EmergencyService


class ResponderRequested(Event):
    """A case asks for a qualified responder on duty."""

    TYPE: ClassVar[str] = "crisis.responder_requested"

    request_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    minor: YesOrNo


class ResponderReleased(Event):
    """The request is over: withdrawn, or the responder's part is done."""

    TYPE: ClassVar[str] = "crisis.responder_released"

    request_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision


class ReferralState(StrEnum):
    drafted = "drafted"
    sent = "sent"
    received = "received"
    accepted = "accepted"
    declined = "declined"
    scheduled = "scheduled"
    attended = "attended"
    unattended = "unattended"
    completed = "completed"
    cancelled = "cancelled"
    expired = "expired"


class ReferralMoved(Event):
    """A referral entered a state. Sent is not received: only a named receiver moves it on."""

    TYPE: ClassVar[str] = "crisis.referral_moved"

    referral_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    organisation_id: uuid.UUID | None = None
    previous: ReferralState | None = None
    state: ReferralState


class FollowUpsPlanned(Event):
    """The plan of a case, whole; what was planned before and not yet due is void."""

    TYPE: ClassVar[str] = "crisis.follow_ups_planned"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    due: tuple[Instant, ...] = Field(max_length=64)
    policy: PolicyVersion


class FollowUpDue(Event):
    """The person is to be contacted now."""

    TYPE: ClassVar[str] = "crisis.follow_up_due"

    follow_up_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier


class FollowUpKept(Event):
    """The person was reached."""

    TYPE: ClassVar[str] = "crisis.follow_up_kept"

    follow_up_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    attempts: Count


class FollowUpMissed(Event):
    """The last attempt failed, or the window passed; a supervisor decides."""

    TYPE: ClassVar[str] = "crisis.follow_up_missed"

    follow_up_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    attempts: Count


class CaseOutcome(StrEnum):
    in_treatment = "in_treatment"
    risk_reduced = "risk_reduced"
    declined_further_contact = "declined_further_contact"
    lost_contact = "lost_contact"
    moved_away = "moved_away"
    died = "died"
    opened_in_error = "opened_in_error"


class CaseClosed(Event):
    """The episode ended; a later flag of the person opens a new case."""

    TYPE: ClassVar[str] = "crisis.case_closed"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    outcome: CaseOutcome

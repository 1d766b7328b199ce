"""What the crisis service tells. Cases, referrals and follow-ups are known by their ids alone."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, Strict

from contracts.base import Channel, Count, DivisionCode, Event, FineDivision, Instant, Name, Tier, YesOrNo
from contracts.codes import ProblemCategory
from contracts.hotline import Setting, Way
from contracts.policies import PolicyVersion


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
    way: Way | None = None
    setting: Setting | None = None


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
    skipped: tuple[Name, ...] = Field(
        default=(), max_length=16, description="Roles passed over at once, because nobody of them is on shift."
    )


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
    restricted: YesOrNo = Field(
        False, description="The case is in the strict access class: no ordinary volunteer may be asked."
    )
    problem_categories: tuple[ProblemCategory, ...] = Field(
        (), max_length=3, description="What the case is about, where it was classified: the category alone."
    )


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
    revoked = "revoked"
    expired = "expired"
    bounced = "bounced"


class ReferralKind(StrEnum):
    """What is asked of the receiver."""

    treatment = "treatment"
    severe_disorder_programme = "severe_disorder_programme"
    employee = "employee"


class ReferralMoved(Event):
    """A referral entered a state. Sent is not received: only a named receiver moves it on.

    `cancelled` is the sender's withdrawal before anybody received it, `revoked` the same after; `bounced` has been
    refused, or met with silence, and goes to the backup.
    """

    TYPE: ClassVar[str] = "crisis.referral_moved"

    referral_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    organisation_id: uuid.UUID | None = None
    previous: ReferralState | None = None
    state: ReferralState
    kind: ReferralKind = ReferralKind.treatment
    green_channel: YesOrNo = False


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


class MissedBecause(StrEnum):
    unreached = "unreached"
    window_passed = "window_passed"
    refused_to_talk = "refused_to_talk"


class FollowUpMissed(Event):
    """The last attempt failed, the window passed, or the person refused to talk; a supervisor decides."""

    TYPE: ClassVar[str] = "crisis.follow_up_missed"

    follow_up_id: uuid.UUID
    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    attempts: Count
    because: MissedBecause = MissedBecause.unreached


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


class CaseTransferred(Event):
    """A named person of another office accepted the case: from now on that office, and it alone, owns it."""

    TYPE: ClassVar[str] = "crisis.case_transferred"

    transfer_id: uuid.UUID
    case_id: uuid.UUID
    previous_division: FineDivision
    division: FineDivision
    organisation_id: uuid.UUID | None = None
    tier: Tier


class EmergencyKind(StrEnum):
    """The four kinds of public emergency: 突发事件应对法 (2024), article 2."""

    natural_disaster = "natural_disaster"
    accident = "accident"
    public_health = "public_health"
    social_security = "social_security"


class EmergencyLevel(StrEnum):
    """Four grades, the first the gravest: 突发事件应对法 (2024), article 3."""

    one = "I"
    two = "II"
    three = "III"
    four = "IV"

    @property
    def gravity(self) -> int:
        """1 for level IV to 4 for level I."""
        return 4 - list(EmergencyLevel).index(self)


Areas = Annotated[tuple[DivisionCode, ...], Field(min_length=1, max_length=50)]


class IncidentDeclared(Event):
    """A named person declared a public emergency for an area; its incident is open from then on."""

    TYPE: ClassVar[str] = "crisis.incident_declared"

    incident_id: uuid.UUID
    kind: EmergencyKind
    level: EmergencyLevel
    areas: Areas
    without_plan: tuple[DivisionCode, ...] = Field(
        (), max_length=50, description="Areas for which no approved emergency plan was found."
    )
    started_at: Instant
    policy: PolicyVersion


class IncidentLevelChanged(Event):
    """Raised by one named person, or lowered by two."""

    TYPE: ClassVar[str] = "crisis.incident_level_changed"

    incident_id: uuid.UUID
    kind: EmergencyKind
    areas: Areas
    previous: EmergencyLevel
    level: EmergencyLevel


class IncidentClosed(Event):
    """After-care is over, or two persons ended it while some still needed it."""

    TYPE: ClassVar[str] = "crisis.incident_closed"

    incident_id: uuid.UUID
    kind: EmergencyKind
    level: EmergencyLevel
    areas: Areas
    still_in_aftercare: Count = Field(description="People at high risk whose after-care was not closed.")


class IncidentTeamsRequested(Event):
    """An incident asks for psychological aid teams in one of its areas."""

    TYPE: ClassVar[str] = "crisis.incident_teams_requested"

    request_id: uuid.UUID
    incident_id: uuid.UUID
    division: DivisionCode
    kind: EmergencyKind
    level: EmergencyLevel
    number: Annotated[int, Strict(), Field(ge=1, le=200)]
    skills: tuple[Name, ...] = Field((), max_length=20)


class CriticalIncidentReported(Event):
    """A fall from height, a drowning or the like: notice goes up at once, and a named person has to acknowledge it."""

    TYPE: ClassVar[str] = "crisis.critical_incident_reported"

    report_id: uuid.UUID
    division: FineDivision
    type: Name = Field(description="A code of the policy, for example `fall-from-height` or `drowning`.")
    minors: YesOrNo = Field(description="Whether pupils or other minors are among those affected.")
    happened_at: Instant
    called: Name
    acknowledge_by: Instant
    policy: PolicyVersion


class CriticalIncidentOverdue(Event):
    """Nobody above acknowledged the report in time; the next role of the chain is called."""

    TYPE: ClassVar[str] = "crisis.critical_incident_overdue"

    report_id: uuid.UUID
    division: FineDivision
    type: Name
    step: Count
    called: Name
    acknowledge_by: Instant


class CriticalIncidentAcknowledged(Event):
    """A named person of the level above has the report."""

    TYPE: ClassVar[str] = "crisis.critical_incident_acknowledged"

    report_id: uuid.UUID
    division: FineDivision
    type: Name
    role: Name
    seconds: Count = Field(description="From the report.")
    on_time: YesOrNo


class CampaignKind(StrEnum):
    elderly_care_point = "elderly_care_point"
    baseline_survey = "baseline_survey"
    school_classes = "school_classes"
    teachers = "teachers"
    staff = "staff"
    incident_mass = "incident_mass"


class CampaignState(StrEnum):
    planned = "planned"
    running = "running"
    ended = "ended"
    reported = "reported"


class CampaignMoved(Event):
    """A screening campaign was planned, began, ended, or was reported."""

    TYPE: ClassVar[str] = "crisis.campaign_moved"

    campaign_id: uuid.UUID
    division: DivisionCode
    kind: CampaignKind
    previous: CampaignState | None = None
    state: CampaignState
    target: Count = Field(0, description="How many people its sites are to reach.")
    policy: PolicyVersion


class ScreeningConsent(StrEnum):
    given = "given"
    refused = "refused"


class ScreeningTier(StrEnum):
    """一般、临界、高危; or not known, where answers are missing."""

    general = "general"
    borderline = "borderline"
    high_risk = "high_risk"
    unknown = "unknown"


class ScreeningRoute(StrEnum):
    """What follows from a result."""

    encourage = "encourage"
    intervene_and_follow_up = "intervene_and_follow_up"
    refer = "refer"
    ask_again = "ask_again"


class ScreeningTaken(Event):
    """One person was asked in a campaign, and answered or refused. The person is not named, and not known here."""

    TYPE: ClassVar[str] = "crisis.screening_taken"

    campaign_id: uuid.UUID
    screening_id: uuid.UUID
    division: FineDivision
    consent: ScreeningConsent
    tier: ScreeningTier | None = Field(None, description="Absent where the person refused to be asked.")
    route: ScreeningRoute | None = Field(None, description="Absent where the person refused to be asked.")
    double: YesOrNo = Field(False, description="The person was asked in this campaign before; not to be counted again.")
    flagged: YesOrNo = Field(False, description="A flag was raised; it is an event of its own.")
    policy: PolicyVersion


class HopCalled(Event):
    """A hop of a community's or a school's chain is called: a person of this role has to receive the case by name.

    Whoever passes it on to people tells those of this role alone: a warning that must not reach the class never calls
    the class.
    """

    TYPE: ClassVar[str] = "crisis.hop_called"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    setting: Setting
    hop: Count = Field(description="Its place in the chain, from 0.")
    role: Name
    organisation_id: uuid.UUID | None = Field(None, description="The school or the medical institution that is called.")
    receive_by: Instant


class HopReceived(Event):
    """A named person of the hop has received the case. What was sent, or read, is not received."""

    TYPE: ClassVar[str] = "crisis.hop_received"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    setting: Setting
    hop: Count
    role: Name
    organisation_id: uuid.UUID | None = None
    seconds: Count = Field(description="From when the hop was called.")
    on_time: YesOrNo


class HopOverdue(Event):
    """Nobody of the hop received the case in time; the next hop is called as well, the last one again."""

    TYPE: ClassVar[str] = "crisis.hop_overdue"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    setting: Setting
    hop: Count
    role: Name
    organisation_id: uuid.UUID | None = None


# Shifts of the crisis office, and who else is called out


class SupervisionGapFound(Event):
    """Ahead in the plan, or now, nobody of a role is on shift where somebody has to be at all hours."""

    TYPE: ClassVar[str] = "crisis.supervision_gap_found"

    division: DivisionCode
    role: Name
    hotline_id: uuid.UUID | None = Field(default=None, description="Where the gap is in the roster of one line.")
    starts_at: Instant
    ends_at: Instant = Field(description="As far as the plan was looked at.")
    ahead_hours: Count = Field(description="The look ahead that found it: at most so many hours before it begins.")


class SupervisionGapFilled(Event):
    """A gap that was told is in the plan no more."""

    TYPE: ClassVar[str] = "crisis.supervision_gap_filled"

    division: DivisionCode
    role: Name
    hotline_id: uuid.UUID | None = None
    starts_at: Instant
    ends_at: Instant


class HandOverOverdue(Event):
    """Nobody accepted the cases that a person hands over at the end of a shift; a supervisor is called."""

    TYPE: ClassVar[str] = "crisis.hand_over_overdue"

    hand_over_id: uuid.UUID
    division: DivisionCode
    cases: Count
    called: Name
    accept_by: Instant


class CallOutKind(StrEnum):
    """Whom a district calls out in a crisis besides its own people."""

    police_110 = "police_110"
    ambulance_120 = "ambulance_120"
    fire_119 = "fire_119"
    health_bureau = "health_bureau"
    emergency_bureau = "emergency_bureau"
    police_bureau = "police_bureau"
    comprehensive_governance = "comprehensive_governance"


class CallOutPartyCalled(Event):
    """A named person has called out somebody else than 110 or 120; contact has to be confirmed in time."""

    TYPE: ClassVar[str] = "crisis.call_out_party_called"

    case_id: uuid.UUID
    division: FineDivision
    party: CallOutKind
    party_id: uuid.UUID | None = Field(default=None, description="Its entry in the district's directory.")
    confirm_by: Instant


class CallOutPartyConfirmed(Event):
    """Who was called out, other than 110 or 120, said that they are with the person."""

    TYPE: ClassVar[str] = "crisis.call_out_party_confirmed"

    case_id: uuid.UUID
    division: FineDivision
    party: CallOutKind
    party_id: uuid.UUID | None = None


class CasesMerged(Event):
    """Two cases were one person's: the first goes on with everything of the other, which is over."""

    TYPE: ClassVar[str] = "crisis.cases_merged"

    case_id: uuid.UUID = Field(description="The case that goes on.")
    merged_case_id: uuid.UUID
    division: FineDivision
    tier: Tier = Field(description="Of the case that goes on, after merging.")


class CaseSplit(Event):
    """Flags of another person were taken out of a case, into one of their own with a clock of its own."""

    TYPE: ClassVar[str] = "crisis.case_split"

    case_id: uuid.UUID = Field(description="The new case.")
    from_case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    minor: YesOrNo
    flags: Count = Field(description="How many flags went over.")
    acknowledge_by: Instant
    policy: PolicyVersion


class CaseReopened(Event):
    """A closed case is open again: its clock runs anew, and its follow-ups are planned anew."""

    TYPE: ClassVar[str] = "crisis.case_reopened"

    case_id: uuid.UUID
    division: FineDivision
    tier: Tier
    acknowledge_by: Instant


class HarmSituationCode(StrEnum):
    """The nine situations of a mandatory report, 高检发〔2020〕9号 art. 4."""

    private_parts_injured = "private_parts_injured"
    under_14_sexual_harm = "under_14_sexual_harm"
    pregnancy_from_14 = "pregnancy_from_14"
    injuries_or_neglect = "injuries_or_neglect"
    unnatural_injury_or_death = "unnatural_injury_or_death"
    abandoned = "abandoned"
    missing_or_trafficked = "missing_or_trafficked"
    made_to_beg = "made_to_beg"
    other_serious_harm = "other_serious_harm"


class MandatoryReportRequired(Event):
    """Harm to a minor is known or suspected: the police has to be told at once."""

    TYPE: ClassVar[str] = "crisis.mandatory_report_required"

    case_id: uuid.UUID
    division: FineDivision
    report_by: Instant
    policy: PolicyVersion


class MandatoryReportMade(Event):
    """A named person has told the police."""

    TYPE: ClassVar[str] = "crisis.mandatory_report_made"

    case_id: uuid.UUID
    division: FineDivision
    situation: HarmSituationCode
    seconds: Count = Field(description="From when the report was required.")
    on_time: YesOrNo


class SelfTestTaken(Event):
    """Someone took an instrument alone at a self-test site. The person is not named, and not known here."""

    TYPE: ClassVar[str] = "crisis.self_test_taken"

    division: FineDivision
    instrument: Name
    variant: Name
    tier: ScreeningTier
    positive: YesOrNo | None = Field(None, description="Absent where items are missing and nothing is certain.")
    unsafe: YesOrNo = Field(description="An answer asked for a safety assessment.")
    flagged: YesOrNo = Field(description="A flag was raised; it is an event of its own.")
    policy: PolicyVersion


class PostOverdue(Event):
    """A tree-hole's post that waits for a human was not read in time; a supervisor is called."""

    TYPE: ClassVar[str] = "crisis.post_overdue"

    post_id: uuid.UUID
    division: FineDivision
    urgent: YesOrNo
    called: Name


class ProgrammeKind(StrEnum):
    """A programme that looks after people over months without their being a case."""

    bereavement = "bereavement"
    reintegration = "reintegration"
    post_incident = "post_incident"
    elderly_mild = "elderly_mild"


class ProgrammeBegun(Event):
    """A person was taken into a programme; its contacts are planned by phase."""

    TYPE: ClassVar[str] = "crisis.programme_begun"

    programme_id: uuid.UUID
    division: FineDivision
    kind: ProgrammeKind
    case_id: uuid.UUID | None = None
    incident_id: uuid.UUID | None = None
    policy: PolicyVersion


class ProgrammeGround(StrEnum):
    completed = "completed"
    wish = "wish"
    followed_as_case = "followed_as_case"
    incident_closed = "incident_closed"
    lost_contact = "lost_contact"
    died = "died"
    moved_away = "moved_away"


class ProgrammeEnded(Event):
    """A programme of a person came to its end, on a ground that holds or that a second person answers for."""

    TYPE: ClassVar[str] = "crisis.programme_ended"

    programme_id: uuid.UUID
    division: FineDivision
    kind: ProgrammeKind
    ground: ProgrammeGround

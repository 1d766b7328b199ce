"""What the registry tells: divisions, organisations, volunteers and duty. Never a name or a number of a person.

These events carry the whole state of what they name, with a `revision` that only grows; a reader keeps the highest.
"""

from __future__ import annotations

import uuid
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from contracts.base import Count, DivisionCode, Event, GridCode, Instant, Name, Part, YesOrNo
from contracts.codes import ProblemCategory, ProblemCode, ServiceType


class Division(Part):
    """One division of the tree; its parent is the longest shorter code that is its prefix."""

    code: DivisionCode
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    local: YesOrNo = Field(False, description="A unit without a civil code, numbered by the district itself.")


class DivisionsListed(Event):
    """A part of the division tree; parts of one edition may arrive in any order."""

    TYPE: ClassVar[str] = "registry.divisions_listed"

    edition: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    divisions: tuple[Division, ...] = Field(max_length=1000)


class OrganisationKind(StrEnum):
    hospital = "hospital"
    primary_care = "primary_care"
    school = "school"
    university = "university"
    government = "government"
    enterprise = "enterprise"
    service_provider = "service_provider"
    other = "other"


class OrganisationRegistered(Event):
    """An organisation, and whether it receives referrals."""

    TYPE: ClassVar[str] = "registry.organisation_registered"

    organisation_id: uuid.UUID
    revision: Count
    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    kind: OrganisationKind
    division: DivisionCode
    receives_referrals: YesOrNo
    around_the_clock: YesOrNo = False
    backup_id: uuid.UUID | None = Field(None, description="Who receives when this one declines or stays silent.")
    active: YesOrNo = True


class Fact(StrEnum):
    """What `VolunteerRegistered` tells of a person that may count on certain days only."""

    person_type = "person_type"
    qualification = "qualification"
    trained = "trained"


class Spell(Part):
    """Days of Asia/Shanghai on which a fact counts, the first and the last included; absent where it has no end."""

    fact: Fact
    code: Count = Field(0, description="Of the person type or the qualification.")
    since: date | None = None
    until: date | None = None


class VolunteerRegistered(Event):
    """A volunteer as far as others may know: a pseudonym, a place, and what the person may do.

    Types, qualifications and training are those that count: an office or a verified certificate stands behind each.
    """

    TYPE: ClassVar[str] = "registry.volunteer_registered"

    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    person_types: tuple[Count, ...] = Field(description="附件1, 人员类型, codes 1–8.", max_length=8)
    qualifications: tuple[Count, ...] = Field((), description="附件4, 资质, codes 1–6.", max_length=6)
    trained: YesOrNo
    spells: tuple[Spell, ...] = Field(
        (),
        description="A fact of these three that is named here counts on the days of one of its spells, others always.",
        max_length=64,
    )
    active: YesOrNo = True
    roles: tuple[Name, ...] = Field((), description="`volunteer` of 附件1, `talent` of 附件4.", max_length=8)
    minor: YesOrNo = Field(False, description="Not of age when this was told: only tasks that a minor may do.")
    source: Name | None = Field(None, description="`organised` or `self-registered`.")
    tags: tuple[Name, ...] = Field((), description="Honours, skills and pools, by code.", max_length=64)
    professions: tuple[Name, ...] = Field((), max_length=16)
    networks: tuple[Name, ...] = Field((), description="The four systems of the network.", max_length=8)
    workforce: Name | None = None
    preferred: tuple[Name, ...] = Field((), description="The preferred groups of recruitment.", max_length=8)
    pledge_version: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="Which pledge of confidentiality was signed last."
    )


class DutyRostered(Event):
    """A turn of duty of a volunteer on a roster, or its withdrawal (`active` false)."""

    TYPE: ClassVar[str] = "registry.duty_rostered"

    duty_id: uuid.UUID
    revision: Count
    roster: Name
    division: DivisionCode = Field(description="What the roster covers.")
    volunteer_id: uuid.UUID
    role: Name
    starts_at: Instant
    ends_at: Instant
    active: YesOrNo = True
    swap_id: uuid.UUID | None = Field(None, description="The swap by which the turn came to this person.")


Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
"""A word of one of the registry's code lists; a reader takes one that it does not know for another of its kind."""

Year = Annotated[int, Strict(), Field(ge=2000, le=2099)]


class PlaceRegistered(Event):
    """A place where people find psychological help or volunteers meet: what it is, where, and how it stands."""

    TYPE: ClassVar[str] = "registry.place_registered"

    place_id: uuid.UUID
    revision: Count
    type: Code
    division: DivisionCode
    status: Code
    organisation_id: uuid.UUID | None = Field(None, description="Whose place it is.")
    parent_id: uuid.UUID | None = Field(None, description="The place one tier above in the network.")
    tier: Code | None = Field(None, description="county, town or village.")
    systems: tuple[Code, ...] = Field((), description="education, enterprise, medical, community.", max_length=4)
    functions: tuple[Code, ...] = Field((), max_length=64)
    rooms: Count = 0
    staff_full_time: Count = 0
    staff_part_time: Count = 0
    responsible_id: uuid.UUID | None = Field(None, description="The one fixed responsible person.")
    care_level: Code | None = Field(None, description="district, city or nation, once named a care point of it.")
    demonstration_level: Code | None = None


class PlaceChecked(Event):
    """A place was held against a version of a standard by an inspector."""

    TYPE: ClassVar[str] = "registry.place_checked"

    check_id: uuid.UUID
    revision: Count
    place_id: uuid.UUID
    division: DivisionCode
    standard: Code
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    overall: Code = Field(description="pass, fail or missing.")
    passed: Count
    failed: Count
    missing: Count
    advised: Count = Field(0, description="Recommendations that are not followed.")


class PlaceNominated(Event):
    """A place on its way up the levels: nominated, endorsed, named, sent back or refused."""

    TYPE: ClassVar[str] = "registry.place_nominated"

    nomination_id: uuid.UUID
    revision: Count
    place_id: uuid.UUID
    division: DivisionCode
    aim: Code = Field(description="district, city or nation.")
    state: Code


class EnrolmentRecorded(Event):
    """How many students a school has in a year, and how many full-time teachers of mental health."""

    TYPE: ClassVar[str] = "registry.enrolment_recorded"

    organisation_id: uuid.UUID
    revision: Count
    division: DivisionCode
    year: Year
    students: Count
    teachers: Count


class OrganisationSized(Event):
    """What decides whether an organisation is expected to have a place of its own."""

    TYPE: ClassVar[str] = "registry.organisation_sized"

    organisation_id: uuid.UUID
    revision: Count
    division: DivisionCode
    headcount: Count | None = None
    hospital_class: Code | None = Field(None, description="general, psychiatric or other.")
    hospital_level: Count | None = Field(None, description="1 to 3.")
    purchased_until: date | None = Field(None, description="The last day of a contract of purchased service.")


class DivisionLocated(Event):
    """Where a division is on a map: the point that people of it start from."""

    TYPE: ClassVar[str] = "registry.division_located"

    division: DivisionCode
    revision: Count
    latitude: float
    longitude: float
    datum: Code


class StreetLeadNamed(Event):
    """The one fixed responsible person of a street or a town, or that there is none any more."""

    TYPE: ClassVar[str] = "registry.street_lead_named"

    division: DivisionCode
    revision: Count
    person_id: uuid.UUID | None = None


class ConsentRecorded(Event):
    """What a person agreed to for one purpose, or took back. Who the guardian is stays in the registry."""

    TYPE: ClassVar[str] = "registry.consent_recorded"

    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    purpose: Name
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    given: YesOrNo


class VolunteersMerged(Event):
    """Two entries were one person: what is known of `gone_id` belongs to `volunteer_id` from now on."""

    TYPE: ClassVar[str] = "registry.volunteers_merged"

    merge_id: uuid.UUID
    volunteer_id: uuid.UUID
    gone_id: uuid.UUID
    division: DivisionCode


class VolunteersSplit(Event):
    """A merge was wrong: `gone_id` is a person of its own again."""

    TYPE: ClassVar[str] = "registry.volunteers_split"

    merge_id: uuid.UUID
    volunteer_id: uuid.UUID
    gone_id: uuid.UUID
    division: DivisionCode


class ServiceRecorded(Event):
    """Hours of service were written down, corrected by another record, withdrawn, or rated."""

    TYPE: ClassVar[str] = "registry.service_recorded"

    record_id: uuid.UUID
    revision: Count
    volunteer_id: uuid.UUID
    organisation_id: uuid.UUID = Field(description="Who organised the service, and so recorded it.")
    division: DivisionCode
    kind: Code
    minutes: Count = Field(description="Service alone, without the way there.")
    day: date = Field(description="The local day on which it began.")
    state: Code = Field(description="counted, double, corrected or withdrawn.")
    corrects: uuid.UUID | None = Field(None, description="The record whose place this one takes.")
    assignment_id: uuid.UUID | None = None
    rating: Count | None = Field(None, description="1 to 5, of whom the service was for.")
    service: ServiceType | None = Field(None, description="Which of the 25 types of the five services it was.")


class ServiceAssigned(Event):
    """A call that a volunteer took waits for its hours, has them, or was called off."""

    TYPE: ClassVar[str] = "registry.service_assigned"

    assignment_id: uuid.UUID
    revision: Count
    volunteer_id: uuid.UUID
    division: DivisionCode
    state: Code = Field(description="open, completed or cancelled.")
    record_id: uuid.UUID | None = None


class StarsMoved(Event):
    """A volunteer's star was announced, granted, refused or revoked."""

    TYPE: ClassVar[str] = "registry.stars_moved"

    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    stars: Count
    state: Code
    notice_until: date | None = Field(None, description="The last day of the public notice.")


class HonourMoved(Event):
    """A volunteer's honour was recorded or revoked."""

    TYPE: ClassVar[str] = "registry.honour_moved"

    honour_id: uuid.UUID
    revision: Count
    volunteer_id: uuid.UUID
    division: DivisionCode
    level: Code
    state: Code


class IncentiveListed(Event):
    """An item of the catalogue of preferential treatment, and whether it may be had."""

    TYPE: ClassVar[str] = "registry.incentive_listed"

    incentive_id: uuid.UUID
    revision: Count
    division: DivisionCode
    area: Code
    active: YesOrNo


class IncentiveRedeemed(Event):
    """A volunteer had an item of the catalogue."""

    TYPE: ClassVar[str] = "registry.incentive_redeemed"

    redemption_id: uuid.UUID
    incentive_id: uuid.UUID
    volunteer_id: uuid.UUID
    division: DivisionCode
    area: Code


class ComplaintMoved(Event):
    """A complaint about a service took a step; about whom stays in the registry."""

    TYPE: ClassVar[str] = "registry.complaint_moved"

    complaint_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code
    state: Code


class RecruitmentMoved(Event):
    """A campaign that calls for volunteers or takes a census, and where it stands."""

    TYPE: ClassVar[str] = "registry.recruitment_moved"

    recruitment_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code = Field(description="recruitment or census.")
    state: Code
    opens_on: date
    closes_on: date
    due_on: date
    expected: Count = Field(description="Units that a form is expected from.")
    quota: Count = 0
    receipts: Count = Field(0, description="Units whose form was entered by hand, as it came by paper or mail.")
    service: ServiceType | None = Field(None, description="Which of the 25 types of the five services it is for.")


class ApplicationMoved(Event):
    """Someone applied to a campaign, and what became of it; who it is stays in the registry."""

    TYPE: ClassVar[str] = "registry.application_moved"

    application_id: uuid.UUID
    revision: Count
    recruitment_id: uuid.UUID
    division: DivisionCode
    fits: YesOrNo = Field(description="Whether the conditions of the campaign are met.")
    state: Code


class CampaignReported(Event):
    """How many forms of a campaign came; what came on time, late and not at all adds up to the expected."""

    TYPE: ClassVar[str] = "registry.campaign_reported"

    recruitment_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code
    expected: Count
    on_time: Count
    late: Count
    missing: Count
    people: Count = Field(0, description="Persons on the forms that came.")


class TeamRegistered(Event):
    """A team of any kind and level: what it is, where, below which other, and how it stands. Never who is in it."""

    TYPE: ClassVar[str] = "registry.team_registered"

    team_id: uuid.UUID
    revision: Count
    type: Code
    division: DivisionCode
    level: Code = Field(description="province, city, county, town or village.")
    status: Code
    parent_id: uuid.UUID | None = None
    organisation_id: uuid.UUID | None = Field(None, description="The unit that the team is of.")
    guiding_id: uuid.UUID | None = Field(None, description="The unit that guides it.")
    place_id: uuid.UUID | None = None
    number: Count | None = Field(None, description="Of a province's professional teams.")
    tags: tuple[Name, ...] = Field((), description="Honours, skills and local talent, by code.", max_length=64)
    party_building: Code | None = None
    highest: YesOrNo = Field(False, description="The highest body of its division.")
    members: Count = Field(0, description="Persons whose term has not ended.")
    member_organisations: Count = 0
    origin_region: DivisionCode | None = Field(None, description="Where a rescue team comes from.")
    valid_from: date | None = None
    valid_until: date | None = None
    services: tuple[ServiceType, ...] = Field((), description="Types of the five services.", max_length=25)
    problems: tuple[ProblemCategory, ...] = Field((), description="What an academic team works on.", max_length=3)


class HelpLent(Event):
    """A person or a team is lent from one division to another for a time, or the loan was called off."""

    TYPE: ClassVar[str] = "registry.help_lent"

    loan_id: uuid.UUID
    revision: Count
    lent: Code = Field(description="person or team.")
    lent_id: uuid.UUID
    kind: Code = Field(description="sunk (to a lower level) or lateral.")
    origin: DivisionCode
    division: DivisionCode = Field(description="Where the help goes.")
    since: date
    until: date
    cancelled: YesOrNo = False


class AgreementSigned(Event):
    """An agreement with a partner unit, whole, and how it stands; it was signed once there is a day of signing."""

    TYPE: ClassVar[str] = "registry.agreement_signed"

    agreement_id: uuid.UUID
    revision: Count
    kind: Code = Field(description="cooperation or purchase.")
    division: DivisionCode
    centre_id: uuid.UUID
    partner_id: uuid.UUID
    partner_kind: OrganisationKind
    state: Code
    services: tuple[Code, ...] = Field((), max_length=16)
    signed_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class ProviderRegistered(Event):
    """Who provides services, and whether a person has verified it. Who a natural person is stays in the registry."""

    TYPE: ClassVar[str] = "registry.provider_registered"

    provider_id: uuid.UUID
    revision: Count
    type: Code
    division: DivisionCode
    status: Code
    kind: Code | None = None
    organisation_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None
    supervisor_id: uuid.UUID | None = Field(None, description="主管单位.")
    services: tuple[Code, ...] = Field(
        (), description="What it offers, as far as the law lets its type.", max_length=20
    )


class OrganisationsRelated(Event):
    """One organisation guides or supervises another, or all of a kind in a division."""

    TYPE: ClassVar[str] = "registry.organisations_related"

    relation_id: uuid.UUID
    revision: Count
    kind: Code
    division: DivisionCode
    guide_id: uuid.UUID
    since: date
    guided_id: uuid.UUID | None = None
    guided_kind: OrganisationKind | None = None
    supervisor: Code | None = Field(None, description="Who answers for the content of activities.")
    until: date | None = None
    team_id: uuid.UUID | None = Field(None, description="The team of the guide that does it.")
    place_id: uuid.UUID | None = Field(None, description="The station that is guided.")


class CampusUnitRegistered(Event):
    """A unit of a campus network: school, college, class or dormitory, and how many represent it."""

    TYPE: ClassVar[str] = "registry.campus_unit_registered"

    unit_id: uuid.UUID
    revision: Count
    organisation_id: uuid.UUID
    division: DivisionCode
    level: Code
    parent_id: uuid.UUID | None = None
    representatives: Count = 0
    active: YesOrNo = True


class SchoolVisited(Event):
    """A visit of experts to a school: planned, done or called off."""

    TYPE: ClassVar[str] = "registry.school_visited"

    visit_id: uuid.UUID
    revision: Count
    team_id: uuid.UUID
    organisation_id: uuid.UUID
    division: DivisionCode
    day: date
    state: Code


class ResourceListed(Event):
    """What a department has and others may use."""

    TYPE: ClassVar[str] = "registry.resource_listed"

    resource_id: uuid.UUID
    revision: Count
    department: Code
    kind: Code
    division: DivisionCode
    quantity: Count
    available: YesOrNo
    organisation_id: uuid.UUID | None = None


class CommunityCheckedIn(Event):
    """A party organisation, or a member of it, checked in with a community. Which member stays in the registry."""

    TYPE: ClassVar[str] = "registry.community_checked_in"

    check_in_id: uuid.UUID
    revision: Count
    division: DivisionCode
    organisation_id: uuid.UUID
    form: Code
    day: date
    people: Count


class RosterWritten(Event):
    """What a roster covers and what it asks for; whole, each time that it changes."""

    TYPE: ClassVar[str] = "registry.roster_written"

    roster: Name
    revision: Count
    division: DivisionCode
    role: Name
    around_the_clock: YesOrNo
    kind: Name = Field(description="line, line-12356, seat, experts or centre.")
    seats: Count = Field(0, description="How many may be on duty at once; 0 for any number.")
    min_seats: Count = Field(1, description="How many must be.")
    sex: Name | None = Field(None, description="The sex that the line prefers.")
    languages: tuple[Name, ...] = Field((), max_length=64)
    skills: tuple[Name, ...] = Field((), max_length=64)


class AvailabilityTold(Event):
    """What a person tells for rosters: languages and skills in codes, and of times only how many hours."""

    TYPE: ClassVar[str] = "registry.availability_told"

    volunteer_id: uuid.UUID
    revision: Count = Field(description="Of what was told, not of the person.")
    division: DivisionCode
    languages: tuple[Name, ...] = Field((), max_length=64)
    skills: tuple[Name, ...] = Field((), max_length=64)
    hours_a_week: Count | None = Field(None, description="The person's own cap.")
    free_hours: Count = Field(0, description="Hours of a week in which the person is free, cut to whole ones.")


class SwapMoved(Event):
    """A swap of turns was offered, accepted (and done), declined or withdrawn."""

    TYPE: ClassVar[str] = "registry.swap_moved"

    swap_id: uuid.UUID
    revision: Count
    division: DivisionCode
    roster: Name
    state: Name
    duty_id: uuid.UUID
    from_id: uuid.UUID
    to_id: uuid.UUID
    return_duty_id: uuid.UUID | None = Field(None, description="The turn that is given in return.")


class HandOverNoted(Event):
    """A turn of duty left a note for the next; what it says stays in the registry, sealed."""

    TYPE: ClassVar[str] = "registry.hand_over_noted"

    duty_id: uuid.UUID
    revision: Count
    division: DivisionCode
    roster: Name
    next_duty_id: uuid.UUID | None = Field(None, description="The turn that follows, where there is one by now.")


class QualificationRecorded(Event):
    """A qualification of a person: claimed, verified by somebody else, rejected, withdrawn. Its number stays sealed."""

    TYPE: ClassVar[str] = "registry.qualification_recorded"

    qualification_id: uuid.UUID
    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code
    annex_code: Count = Field(description="附件4, 资质, code 1–6.")
    state: Code = Field(description="entered, verified, rejected or withdrawn; it has expired after `valid_until`.")
    valid_until: date | None = Field(None, description="The last day; absent where it has no end.")


class InsuranceRecorded(Event):
    """An insurance of a person and the days that it covers, or that it was taken back."""

    TYPE: ClassVar[str] = "registry.insurance_recorded"

    insurance_id: uuid.UUID
    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code
    valid_from: date
    valid_until: date
    active: YesOrNo = True


class SupportRecorded(Event):
    """What a person was given for an assignment."""

    TYPE: ClassVar[str] = "registry.support_recorded"

    assignment_id: uuid.UUID
    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    on: date
    insured: YesOrNo
    transport: YesOrNo
    communication: YesOrNo
    meals: YesOrNo
    lodging: YesOrNo


class CourseOffered(Event):
    """A course that is offered for a division, or is not any more."""

    TYPE: ClassVar[str] = "registry.course_offered"

    course_id: uuid.UUID
    revision: Count
    division: DivisionCode
    level: Code = Field(description="nation, province, city, county or unit.")
    type: Code
    topics: tuple[Code, ...] = Field(max_length=32)
    audiences: tuple[Code, ...] = Field((), max_length=32)
    field: Code | None = None
    programme: Code | None = None
    syllabus: Code | None = None
    active: YesOrNo = True
    service: ServiceType | None = Field(None, description="Which of the 25 types of the five services it is.")


class TrainingSessionMoved(Event):
    """A session of a course is planned, was held, or was called off."""

    TYPE: ClassVar[str] = "registry.training_session_moved"

    session_id: uuid.UUID
    course_id: uuid.UUID
    revision: Count
    division: DivisionCode
    state: Code
    starts_at: Instant
    ends_at: Instant
    minutes: Count = Field(description="What attending it counts for.")


class TrainingRecorded(Event):
    """A person at a session: there or not, passed or not. Scores stay in the registry."""

    TYPE: ClassVar[str] = "registry.training_recorded"

    session_id: uuid.UUID
    course_id: uuid.UUID
    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    level: Code
    topics: tuple[Code, ...] = Field(max_length=32)
    attended: YesOrNo
    passed: YesOrNo
    minutes: Count
    valid_until: date | None = Field(None, description="The last day on which it counts; absent where it has no end.")


class TrainingPlanned(Event):
    """A task of training somebody to the full, with the person who answers for it and the day it is due."""

    TYPE: ClassVar[str] = "registry.training_planned"

    plan_id: uuid.UUID
    revision: Count
    division: DivisionCode
    measure: Code
    owner_id: uuid.UUID
    due_on: date


class ChildRecordMoved(Event):
    """A record of a child in difficulty was listed, changed, ended or erased. Nothing of the child, nor of where."""

    TYPE: ClassVar[str] = "registry.child_record_moved"

    record_id: uuid.UUID
    revision: Count
    state: Code


class LedgerItemMoved(Event):
    """A row of a division's work ledger for a year: who answers for it, where it stands, what is claimed and reckoned.

    `reckoned` is the registry's own figure when the row was last said to be done or verified, absent before.
    """

    TYPE: ClassVar[str] = "registry.ledger_item_moved"

    division: DivisionCode
    year: Count
    task: Count = Field(description="The task's number in the plan.")
    revision: Count
    state: Code
    measure: Code
    owner_id: uuid.UUID | None = Field(None, description="The unit that answers for it.")
    target: Count = Field(description="In percent.")
    due_on: date
    evidence: Count = 0
    evidence_holding: Count = Field(0, description="What another person has looked at and found to hold.")
    claimed: Count | None = None
    claimed_of: Count | None = None
    reckoned: Count | None = None
    reckoned_of: Count | None = None


class CapacitySurveyAsked(Event):
    """A survey of what units are able to do: which forms are asked, of how many units, and by when."""

    TYPE: ClassVar[str] = "registry.capacity_survey_asked"

    survey_id: uuid.UUID
    revision: Count
    division: DivisionCode
    version: Name = Field(description="Of the forms.")
    forms: tuple[Code, ...] = Field(max_length=16)
    units: Count
    opens_on: date
    due_on: date
    closes_on: date


class CapacityAnswered(Event):
    """A unit has answered a form of a survey, or answered it anew. The answers stay in the registry."""

    TYPE: ClassVar[str] = "registry.capacity_answered"

    survey_id: uuid.UUID
    organisation_id: uuid.UUID
    revision: Count
    division: DivisionCode
    form: Code
    late: YesOrNo


class GridRegistered(Event):
    """A grid (网格) of a village, and who answers for it."""

    TYPE: ClassVar[str] = "registry.grid_registered"

    grid: GridCode
    revision: Count
    division: DivisionCode = Field(description="The village.")
    person_id: uuid.UUID | None = Field(None, description="The grid worker; absent where there is none by now.")
    active: YesOrNo = True


class OrganisationsTutored(Event):
    """A team of experts supervises or trains a volunteer organisation or team, or does not any more."""

    TYPE: ClassVar[str] = "registry.organisations_tutored"

    tutoring_id: uuid.UUID
    revision: Count
    division: DivisionCode
    team_id: uuid.UUID
    kind: Code = Field(description="supervision or training.")
    organisation_id: uuid.UUID | None = Field(None, description="The volunteer organisation, where it is one.")
    tutored_team_id: uuid.UUID | None = Field(None, description="The volunteer team, where it is one.")
    since: date
    until: date | None = None


class ActivityPlanMoved(Event):
    """A unit's plan of an activity, and where it stands. Who leads it and what it is called stay in the registry."""

    TYPE: ClassVar[str] = "registry.activity_plan_moved"

    plan_id: uuid.UUID
    revision: Count
    division: DivisionCode
    organisation_id: uuid.UUID
    team_id: uuid.UUID | None = None
    state: Code = Field(description="drafted, submitted, returned, signed_off, held or cancelled.")
    form: Code
    contents: tuple[Code, ...] = Field(max_length=32)
    audiences: tuple[Code, ...] = Field(max_length=32)
    service: ServiceType | None = None
    problems: tuple[ProblemCode, ...] = Field((), max_length=39)
    starts_at: Instant
    ends_at: Instant
    signed_off: YesOrNo = Field(False, description="The content supervisor has agreed to this very plan.")
    supervisor: Code | None = Field(None, description="Which supervisor agreed, by the guidance relation.")
    relation_id: uuid.UUID | None = None
    participants: Count | None = Field(None, description="How many came; absent until it was held.")
    service_records: Count = Field(0, description="Records of service that are linked.")


class ProjectStaffed(Event):
    """How the people of a project stand: step 4, recruited and trained, and step 7, supported. Counts alone."""

    TYPE: ClassVar[str] = "registry.project_staffed"

    project_id: uuid.UUID
    revision: Count
    division: DivisionCode
    needed: Count
    recruited: Count
    trained: Count
    ready: Count = Field(description="Trained, and nothing stands against them at the gate.")
    supported: Count = Field(description="Given all that the project's plan says they need.")
    insured: Count
    recruited_and_trained: YesOrNo = Field(description="Step 4 is met.")
    support_given: YesOrNo = Field(description="Step 7 is met.")


class MarriageSessionMoved(Event):
    """A session of a marriage-registry room is planned, was held or was called off; how many came, never who."""

    TYPE: ClassVar[str] = "registry.marriage_session_moved"

    session_id: uuid.UUID
    revision: Count
    place_id: uuid.UUID
    division: DivisionCode
    kind: Code = Field(description="Training or counselling, before or after marriage.")
    day: date
    state: Code
    people: Count = 0


class LibraryItemListed(Event):
    """A resource of the library as its codes tell it; its title and where it is stay in the registry."""

    TYPE: ClassVar[str] = "registry.library_item_listed"

    item_id: uuid.UUID
    revision: Count
    division: DivisionCode
    kind: Code
    licence: Code
    audiences: tuple[Code, ...] = Field(max_length=64)
    problems: tuple[Code, ...] = Field((), max_length=64)
    purposes: tuple[Code, ...] = Field((), max_length=64)
    settings: tuple[Code, ...] = Field((), max_length=64)
    training: tuple[Code, ...] = Field((), max_length=8, description="Of a training base: for groups, individuals.")
    provider_id: uuid.UUID | None = None
    place_id: uuid.UUID | None = None
    active: YesOrNo = True


class LibraryCopyMoved(Event):
    """A copy of a resource, and whether it is on its shelf; who has it is told to nobody."""

    TYPE: ClassVar[str] = "registry.library_copy_moved"

    copy_id: uuid.UUID
    revision: Count
    item_id: uuid.UUID
    division: DivisionCode
    state: Code = Field(description="available, lent, returned or lost.")


class LibraryLoanMoved(Event):
    """A copy is lent, put off, or back; never to whom."""

    TYPE: ClassVar[str] = "registry.library_loan_moved"

    loan_id: uuid.UUID
    revision: Count
    copy_id: uuid.UUID
    item_id: uuid.UUID
    division: DivisionCode
    state: Code = Field(description="lent, returned or lost.")
    lent_on: date
    due_on: date
    ended_on: date | None = None


class GuidedReadingMoved(Event):
    """An order for guided reading, and where it stands; who asked and who guides stay in the registry."""

    TYPE: ClassVar[str] = "registry.guided_reading_moved"

    order_id: uuid.UUID
    revision: Count
    division: DivisionCode
    state: Code = Field(description="requested, assigned, held, declined or cancelled.")
    audience: Code
    people: Count
    resources: Count
    wanted_on: date


class LibraryHandedOn(Event):
    """Material was handed on: how many times, through which channel, for which occasion."""

    TYPE: ClassVar[str] = "registry.library_handed_on"

    handed_on_id: uuid.UUID
    revision: Count
    item_id: uuid.UUID
    division: DivisionCode
    day: date
    channel: Code
    setting: Code | None = None
    organisation_id: uuid.UUID | None = None
    copies: Count

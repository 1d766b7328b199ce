"""What the registry tells: divisions, organisations, volunteers and duty. Never a name or a number of a person.

These events carry the whole state of what they name, with a `revision` that only grows; a reader keeps the highest.
"""

from __future__ import annotations

import uuid
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from contracts.base import Count, DivisionCode, Event, Instant, Name, Part, YesOrNo


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


class VolunteerRegistered(Event):
    """A volunteer as far as others may know: a pseudonym, a place, and what the person may do."""

    TYPE: ClassVar[str] = "registry.volunteer_registered"

    volunteer_id: uuid.UUID
    revision: Count
    division: DivisionCode
    person_types: tuple[Count, ...] = Field(description="附件1, 人员类型, codes 1–8.", max_length=8)
    qualifications: tuple[Count, ...] = Field((), description="附件4, 资质, codes 1–6.", max_length=6)
    trained: YesOrNo
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

"""What the registry tells: divisions, organisations, volunteers and duty. Never a name or a number of a person.

These events carry the whole state of what they name, with a `revision` that only grows; a reader keeps the highest.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

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

"""The published language for hotline systems (12356, 12355, school lines, tree-hole sites).

This is all that a hotline has to know. It may be written in any language, from the JSON Schema and the examples alone.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints, model_validator

from contracts.base import (
    Answer,
    Channel,
    Count,
    County,
    Event,
    FineDivision,
    Instant,
    Name,
    Part,
    Pseudonym,
    Rating,
    Unanswered,
    YesOrNo,
)


class AgeBand(StrEnum):
    """Age in bands; `under_14` and `from_14_to_17` are minors."""

    under_14 = "under_14"
    from_14_to_17 = "from_14_to_17"
    from_18_to_24 = "from_18_to_24"
    from_25_to_44 = "from_25_to_44"
    from_45_to_59 = "from_45_to_59"
    from_60_to_74 = "from_60_to_74"
    from_75 = "from_75"
    unknown = "unknown"


class Sex(StrEnum):
    male = "male"
    female = "female"
    unknown = "unknown"


class HotlineLevel(StrEnum):
    """The hotline's own judgement."""

    high = "high"
    moderate = "moderate"
    low = "low"
    unknown = "unknown"


class Way(StrEnum):
    """How a risk came to be known; each way has its form and its minimum of questions."""

    hotline_contact = "hotline_contact"
    silent_contact = "silent_contact"
    repeated_contact = "repeated_contact"
    third_party = "third_party"
    tree_hole_post = "tree_hole_post"
    screening_result = "screening_result"
    self_test = "self_test"
    school_warning = "school_warning"
    concern = "concern"
    walk_in = "walk_in"
    missed_check_in = "missed_check_in"
    outreach = "outreach"


class Setting(StrEnum):
    """Where the chain of people begins that receives it."""

    line = "line"
    community = "community"
    school = "school"


CareCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
"""A group that the district's plans name a care of their own for, `medical_staff` or `bereaved` for example."""

ItemId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class Question(Part):
    """One question that the instrument asks, bound to its item id and never to its position."""

    item: ItemId
    answer: Answer
    window: Annotated[str, StringConstraints(pattern=r"^(ever|P[0-9A-Z]{2,20})$")] | None = Field(
        None, description="The time that the question asks about: an ISO 8601 duration up to now, or `ever`."
    )


class Assessment(Part):
    """What was asked and answered."""

    instrument: Name = Field(description="For example `beijing-hotline-scale` or `c-ssrs-screener`.")
    version: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    answers: tuple[Question, ...] = Field((), max_length=200)
    total: Count | None = Field(None, description="The instrument's own total; absent where an item is missing.")


SealedContact = Annotated[
    str, StringConstraints(max_length=16_384, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){3}\.[A-Za-z0-9_-]+$")
]


class RiskFlagged(Event):
    """A counsellor, or the line's own rule, flags a risk in a contact.

    No field may hold a name, a telephone number, an address or free text about a person; what a responder needs in
    order to call back is in `sealed_contact`, which only the crisis service can open.
    """

    TYPE: ClassVar[str] = "hotline.risk_flagged"

    hotline: Name
    contact: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        description="The hotline's own reference of the contact; means nothing to anyone else."
    )
    channel: Channel
    county: County = Field(description="The county of the credential and of the subject.")
    division: FineDivision | None = Field(None, description="A town or village of that county, where known.")
    way: Way = Way.hotline_contact
    setting: Setting = Setting.line
    organisation_id: uuid.UUID | None = Field(
        None, description="The school, station or care point from which it came, as the registry knows it."
    )
    starts_at: Name | None = Field(
        None,
        description="The role of the setting's chain that is called first, for example `school-counsellor` where a "
        "warning must not reach the class; absent where the district's policy says it.",
    )
    care_group: CareCode | None = Field(
        None, description="A code of the list of groups, `medical_staff` for example: who helps others may need help."
    )
    referral_wanted: YesOrNo = Field(False, description="Whoever flags it asks for a referral as well.")
    contact_started_at: Instant
    flagged_at: Instant
    caller: Pseudonym | None = Field(None, description="Absent where the caller stays unknown to the line as well.")
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    assessment: Assessment | None = None
    hotline_level: HotlineLevel = HotlineLevel.unknown
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    suicidal_intensity: Rating = Unanswered.not_asked
    hopelessness: Rating = Unanswered.not_asked
    stress_reaction: Answer = Field(Answer.not_asked, description="A marked reaction to what the person went through.")
    danger_to_others: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked
    consent_to_follow_up: Answer = Answer.not_asked
    sealed_contact: SealedContact | None = Field(
        None,
        description="JWE, compact, ECDH-ES with A256GCM to the crisis service's public key; the plain text is JSON "
        "with `name`, `phone`, `address`, `note`, each optional.",
    )

    @model_validator(mode="after")
    def _places_agree(self) -> RiskFlagged:
        if self.county != self.region:
            raise ValueError(f"county {self.county} is not the county of the subject, {self.region}")
        if self.division is not None and not self.division.startswith(self.county):
            raise ValueError(f"division {self.division} does not lie in county {self.county}")
        if self.contact_started_at > self.flagged_at:
            raise ValueError("contact_started_at is later than flagged_at")
        return self

    @property
    def place(self) -> str:
        """The finest division known."""
        return self.division or self.county

    @property
    def minor(self) -> bool:
        return self.age_band in (AgeBand.under_14, AgeBand.from_14_to_17)


class Programme(StrEnum):
    """The daily greetings to people who live alone: 黎明约会 in the morning, 傍晚问候 in the evening."""

    morning = "morning"
    evening = "evening"


class CheckInMissed(Event):
    """A person of a greeting programme did not answer when the greeting was due.

    It is told for each miss. Whoever was seen since has a later `last_seen_at`: with it another absence begins.
    """

    TYPE: ClassVar[str] = "hotline.check_in_missed"

    hotline: Name = Field(description="The programme's own system, as its credential names it.")
    county: County = Field(description="The county of the credential and of the subject.")
    division: FineDivision | None = Field(None, description="A town or village of that county, where known.")
    organisation_id: uuid.UUID | None = Field(None, description="The station that greets, as the registry knows it.")
    person: Pseudonym
    programme: Programme
    missed: Annotated[int, Strict(), Field(ge=1, le=10_000)] = Field(
        description="How many greetings of the programme in a row had no answer, this one included."
    )
    last_seen_at: Instant | None = Field(None, description="When the person last answered or was seen; absent: never.")
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    sealed_contact: SealedContact | None = Field(
        None, description="As in `hotline.risk_flagged`: what it takes to call, or to knock at the door."
    )

    @model_validator(mode="after")
    def _places_agree(self) -> CheckInMissed:
        if self.county != self.region:
            raise ValueError(f"county {self.county} is not the county of the subject, {self.region}")
        if self.division is not None and not self.division.startswith(self.county):
            raise ValueError(f"division {self.division} does not lie in county {self.county}")
        if self.last_seen_at is not None and self.last_seen_at > self.occurred_at:
            raise ValueError("last_seen_at is later than the miss")
        return self

    @property
    def place(self) -> str:
        """The finest division known."""
        return self.division or self.county


class PostPublished(Event):
    """Someone wrote into a tree-hole. What was written travels sealed, like a contact."""

    TYPE: ClassVar[str] = "hotline.post_published"

    hotline: Name = Field(description="The site, as its credential names it.")
    post: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        description="The site's own reference of the post; means nothing to anyone else."
    )
    county: County = Field(description="The county of the credential and of the subject.")
    division: FineDivision | None = Field(None, description="A town or village of that county, where known.")
    posted_at: Instant
    author: Pseudonym | None = Field(None, description="Absent where the author stays unknown to the site as well.")
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    sealed_post: SealedContact = Field(
        description="JWE as in `hotline.risk_flagged`; the plain text is JSON with `text`, at most 3,000 characters."
    )
    sealed_contact: SealedContact | None = Field(None, description="As in `hotline.risk_flagged`.")

    @model_validator(mode="after")
    def _places_agree(self) -> PostPublished:
        if self.county != self.region:
            raise ValueError(f"county {self.county} is not the county of the subject, {self.region}")
        if self.division is not None and not self.division.startswith(self.county):
            raise ValueError(f"division {self.division} does not lie in county {self.county}")
        return self

    @property
    def place(self) -> str:
        """The finest division known."""
        return self.division or self.county

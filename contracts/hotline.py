"""The published language for hotline systems (12356, 12355, school lines, tree-hole sites).

This is all that a hotline has to know. It may be written in any language, from the JSON Schema and the examples alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, model_validator

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

"""The shape that every event has, and the small vocabulary that events share.

An event is known by a type, ``<context>.<past_tense_name>``, and a major version, never by a class path. The envelope
(`id`, `occurred_at`, `region`) travels as CloudEvents attributes; everything else is the JSON body.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
)

NO_REGION = "000000"
"""The county of an event that belongs to none."""

ENVELOPE = frozenset({"id", "occurred_at", "region"})
"""The fields that travel in the CloudEvents attributes and not in the body."""


def _must_be_text(value: object) -> object:
    if isinstance(value, (str, datetime)):
        return value
    raise ValueError("must be an RFC 3339 time with an offset, as text")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the first or the last day that there is, in another zone
        raise ValueError("the time lies outside all years") from error


Instant = Annotated[AwareDatetime, BeforeValidator(_must_be_text), AfterValidator(_in_utc)]
"""A moment with an offset; read from RFC 3339 text, held as UTC."""

County = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
"""Six digits, GB/T 2260; ``000000`` where an event belongs to no county."""

DivisionCode = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$")]
"""The statistical division code without trailing zeros: 2, 4, 6, 9 or 12 digits."""

FineDivision = Annotated[str, StringConstraints(pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12})$")]
"""A county, a town or a village: never coarser than a county."""

GridCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{15}$")]
"""A grid (网格) of a village: the village's 12 digits and three of its own, which the district gives."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
"""A technical name: lower-case letters, digits and hyphens."""

Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""HMAC-SHA-256 of a person's identifier under the producer's own key, in hexadecimal."""

Count = Annotated[int, Strict(), Field(ge=0)]
YesOrNo = Annotated[bool, Strict()]


class Answer(StrEnum):
    """An answer to a question; not to know, to refuse and not to be asked are answers of their own."""

    yes = "yes"
    no = "no"
    unknown = "unknown"
    refused = "refused"
    not_asked = "not_asked"


class Unanswered(StrEnum):
    """Why a rating has no number."""

    unknown = "unknown"
    refused = "refused"
    not_asked = "not_asked"


Rating = Annotated[int, Strict(), Field(ge=0, le=100)] | Unanswered
"""0–100, or why there is no number."""


class Tier(StrEnum):
    """How urgent a case is; `imminent` is an act in progress."""

    imminent = "imminent"
    high = "high"
    moderate = "moderate"
    low = "low"

    @property
    def rank(self) -> int:
        """0 for `low` to 3 for `imminent`."""
        return _RANKS[self]

    @classmethod
    def highest(cls, tiers: Iterable[Tier]) -> Tier:
        return max(tiers, key=lambda tier: tier.rank)


_RANKS = {Tier.low: 0, Tier.moderate: 1, Tier.high: 2, Tier.imminent: 3}


class Channel(StrEnum):
    """How the person reached the hotline."""

    call = "call"
    chat = "chat"
    sms = "sms"
    tree_hole = "tree_hole"
    walk_in = "walk_in"
    other = "other"


class Part(BaseModel):
    """A value inside an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """What happened, once and for good.

    `id` is unique for ever, `occurred_at` is when it happened, and `region` the county whose credential may publish it.
    Fields that a reader does not know are ignored, so adding an optional field keeps the version.
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    id: uuid.UUID
    occurred_at: Instant
    region: County = NO_REGION

    @classmethod
    def context(cls) -> str:
        return cls.TYPE.split(".", 1)[0]

    @classmethod
    def subject_for(cls, region: str) -> str:
        """``xinqiao.<context>.<event>.v<major>.<county>``; `region` may be ``*``."""
        return f"xinqiao.{cls.TYPE}.v{cls.VERSION}.{region}"

    @property
    def subject(self) -> str:
        return self.subject_for(self.region)

    def body(self) -> bytes:
        """The JSON body: every field that is not of the envelope."""
        return self.model_dump_json(exclude=set(ENVELOPE)).encode()

    @classmethod
    def body_schema(cls) -> dict[str, Any]:
        """JSON Schema (2020-12) of the body."""
        schema = cls.model_json_schema()
        schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in ENVELOPE}
        schema["required"] = [name for name in schema.get("required", []) if name not in ENVELOPE]
        return schema


def county_of(division: str) -> str:
    """The county that a division lies in, or ``000000`` for a city, a province or none."""
    return division[:6] if len(division) >= 6 else NO_REGION

"""Bodies of the routes about places."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from chassis.errors import Refused
from contracts.base import DivisionCode
from services.registry.domain.coverage import DATUMS
from services.registry.domain.people import plain
from services.registry.domain.places import NAME_LIMIT, Span, flaw_in_hours, read_minute, written
from services.registry.domain.places_labels import (
    DEMONSTRATIONS,
    EQUIPMENT,
    FUNCTIONS,
    HOSTS,
    OCCUPATIONS,
    PAIRINGS,
    ROOM_NAMES,
    ROOMS,
    SERVICES,
    SYSTEMS,
    TIERS,
    TYPES,
    VENUES,
)


def one_of(known: Iterable[str]) -> Any:
    """A word of a code list; another is refused, and the answer names those that there are."""
    words = list(known)

    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"not one of {', '.join(words)}")
        return value

    return AfterValidator(read), Field(json_schema_extra={"enum": [*words]})


def _room(value: object) -> object:
    return ROOM_NAMES.get(value, value) if isinstance(value, str) else value


def _clean(value: str) -> str:
    words = plain(value)
    if not words:
        raise ValueError("blank")
    return words


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("the same is named twice")
    return values


def _no_control(value: str) -> str:
    kept = "".join(sign for sign in value if sign == "\n" or sign.isprintable())
    if not kept.strip():
        raise ValueError("blank")
    return kept.strip()


Words = Annotated[str, Field(max_length=200), AfterValidator(_clean)]
Paragraphs = Annotated[str, Field(max_length=4000), AfterValidator(_no_control)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))]
Area = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Village = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
DatumCode = Annotated[str, *one_of(DATUMS)]
EquipmentCode = Annotated[str, *one_of(EQUIPMENT)]
OccupationCode = Annotated[str, *one_of(OCCUPATIONS)]
TypeCode = Annotated[str, *one_of(TYPES)]
HostCode = Annotated[str, *one_of(HOSTS)]
VenueCode = Annotated[str, *one_of(VENUES)]
TierCode = Annotated[str, *one_of(TIERS)]
SystemCode = Annotated[str, *one_of(SYSTEMS)]
FunctionCode = Annotated[str, *one_of(FUNCTIONS)]
ServiceCode = Annotated[str, *one_of(SERVICES)]
PairingCode = Annotated[str, *one_of(PAIRINGS)]
DemonstrationCode = Annotated[str, *one_of(DEMONSTRATIONS)]
RoomCode = Annotated[str, BeforeValidator(_room), *one_of(ROOMS)]


class Form(BaseModel):
    """A body; a field that is not known is refused by name."""

    model_config = ConfigDict(extra="forbid")


class PositionIn(Form):
    """Degrees; latitude and longitude the wrong way round lie outside the country and are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"latitude": 35.55, "longitude": 116.78, "datum": "wgs84"}]},
    )

    latitude: Annotated[float, Field(ge=3, le=54, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=73, le=136, allow_inf_nan=False)]
    datum: DatumCode


class HoursIn(Form):
    """Open on a weekday, 1 is Monday; `24:00` is the end of the day."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    opens: str = Field(max_length=5)
    closes: str = Field(max_length=5)

    @model_validator(mode="after")
    def _times(self) -> HoursIn:
        read_minute(self.opens)
        read_minute(self.closes)
        return self

    def span(self) -> Span:
        return Span(self.weekday, read_minute(self.opens), read_minute(self.closes))


class EquipmentIn(Form):
    item: EquipmentCode
    count: Annotated[int, Field(ge=1, le=100_000)] = 1


class RoomIn(Form):
    """A room; its kind by code or by the name that papers give it. `equipment` is absent where nobody has looked."""

    kind: RoomCode
    area_m2: Area | None = None
    equipment: Annotated[list[EquipmentIn], Field(max_length=60)] | None = None


class PostIn(Form):
    """A post that the place sets up, filled or not."""

    occupation: OccupationCode
    planned: Annotated[int, Field(ge=1, le=1000)]


class FeeIn(Form):
    item: Words
    yuan: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2)]
    unit: Annotated[str, Field(max_length=20), AfterValidator(_clean)] = "次"


class RuleIn(Form):
    """A rule of work: its title, its text for the wall, and the hash of the file where there is one."""

    title: Words
    text: Paragraphs | None = None
    sha256: Sha256 | None = None


class PlaceIn(Form):
    """A place as it shall be, whole; what is absent is not known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "示例社区心灵驿站",
                    "type": "station",
                    "division": "370812001",
                    "tier": "town",
                    "venue": "governance_centre",
                    "host": "governance",
                    "address": "示例路1号",
                    "position": {"latitude": 35.55, "longitude": 116.83, "datum": "cgcs2000"},
                    "hours": [{"weekday": 1, "opens": "08:30", "closes": "17:30"}],
                    "systems": ["community"],
                    "rooms": [{"kind": "work_area", "area_m2": 24, "equipment": [{"item": "office_desk", "count": 2}]}],
                    "functions": ["reception", "publicity", "platform", "referral"],
                    "rules": [{"title": "接待工作制度"}],
                }
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT), AfterValidator(_clean)]
    type: TypeCode
    division: DivisionCode
    grid: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,20}$")] | None = None
    organisation_id: uuid.UUID | None = None
    parent_id: uuid.UUID | None = None
    host: HostCode | None = None
    venue: VenueCode | None = None
    tier: TierCode | None = None
    address: Words | None = None
    position: PositionIn | None = None
    hours: Annotated[list[HoursIn], Field(max_length=28)] | None = None
    systems: Annotated[list[SystemCode], AfterValidator(_unique)] = []
    rooms: Annotated[list[RoomIn], Field(max_length=200)] | None = None
    equipment: Annotated[list[EquipmentIn], Field(max_length=60)] | None = None
    functions: Annotated[list[FunctionCode], AfterValidator(_unique)] | None = None
    services: Annotated[list[ServiceCode], AfterValidator(_unique)] = []
    posts: Annotated[list[PostIn], Field(max_length=20)] = []
    fees: Annotated[list[FeeIn], Field(max_length=60)] | None = None
    rules: Annotated[list[RuleIn], Field(max_length=60)] | None = None
    neighbours: Annotated[list[Village], Field(max_length=50), AfterValidator(_unique)] = Field(
        [], description="Villages that the registrar declares to be within the walk, where coordinates are not known."
    )

    def told(self) -> dict[str, Any]:
        """As the register keeps it; raises `Refused` for opening hours that overlap."""
        if self.hours is not None and (flaw := flaw_in_hours([one.span() for one in self.hours])):
            raise Refused(flaw.reason, flaw.detail, flaw.field)
        if len(self.name) > NAME_LIMIT:  # one sign may have become many
            raise Refused("too_long", f"名称最多 {NAME_LIMIT} 个字", "name")
        told = self.model_dump()
        if self.hours is not None:
            spans = sorted((one.span() for one in self.hours), key=lambda span: (span.weekday, span.opens))
            told["hours"] = [
                {"weekday": span.weekday, "opens": written(span.opens), "closes": written(span.closes)}
                for span in spans
            ]
        for fee in told["fees"] or ():
            fee["yuan"] = f"{fee['yuan']:.2f}"
        return told


class StatusIn(Form):
    """Why is for the log; no personal data in it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"status": "open", "reason": "验收合格，正式开放"}]}
    )

    status: Literal["open", "suspended", "closed"]
    reason: Words


class FactIn(Form):
    """A yes, a no or a number; null takes it back to not known. `sha256` is that of a file that proves it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": True, "sha256": "ab" * 32}]})

    value: Annotated[bool, Field(strict=True)] | Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None
    sha256: Sha256 | None = None


class StaffIn(Form):
    """`certificate` is a claim, null where nobody has told: a wall and a check ask the verified qualifications.

    `on_wall` where the person agrees to be named on the wall.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"occupation": "counsellor", "full_time": True, "certificate": True, "on_wall": True}]
        },
    )

    occupation: OccupationCode
    full_time: bool
    certificate: bool | None = None
    on_wall: bool = False
    since: Day | None = None

    def told(self) -> dict[str, Any]:
        return {**self.model_dump(), "since": self.since.isoformat() if self.since else None}


class ResponsibleIn(Form):
    """Null where there is nobody any more. Why is for the log; no personal data in it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"person_id": "01970d3b-0000-7000-8000-000000000b01", "reason": "岗位调整"}]},
    )

    person_id: uuid.UUID | None
    reason: Words


class PairingIn(Form):
    """What the organisation is paired as, from when, and until when where it ended."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "civilised_unit", "since": "2026-03-01"}]}
    )

    kind: PairingCode
    since: Day
    until: Day | None = None

    def told(self) -> dict[str, Any]:
        if self.until is not None and self.until < self.since:
            raise Refused("bad_span", "结束日不能早于开始日", "until")
        return {
            "kind": self.kind,
            "since": self.since.isoformat(),
            "until": self.until.isoformat() if self.until else None,
        }


class DemonstrationIn(Form):
    """What the place is an example of, at which level, since when, and which office named it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "level": "county",
                    "title": "心理健康教育特色示范校",
                    "since": "2026-03-01",
                    "named_by": "示例县教育局",
                }
            ]
        },
    )

    level: DemonstrationCode
    title: Words
    since: Day
    named_by: Words

    def told(self) -> dict[str, Any]:
        return {**self.model_dump(), "since": self.since.isoformat()}


class NominationIn(Form):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"place_id": "01970d3b-0000-7000-8000-000000000c01", "aim": "city", "reason": "基础好、积极性高"}
            ]
        },
    )

    place_id: uuid.UUID
    aim: Literal["district", "city", "nation"]
    reason: Words


class StepIn(Form):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"to": "street_endorsed", "reason": "同意推荐"}]}
    )

    to: Literal[
        "proposed",
        "street_endorsed",
        "district_endorsed",
        "city_endorsed",
        "named",
        "returned",
        "refused",
        "withdrawn",
        "ended",
    ]
    reason: Words

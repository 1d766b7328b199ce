"""What is sent about people: bodies with their examples, and codes as the routes take them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import Refused
from contracts.base import DivisionCode
from services.registry.domain.people import (
    OTHER_QUALIFICATION,
    OTHER_TYPE,
    PERSON_TYPES,
    QUALIFICATIONS,
    ROLES,
    TEXT_LIMIT,
    VOLUNTEER,
    Flawed,
    Registration,
    plain,
    read_codes,
    read_name,
    read_phone,
    read_text,
    write_codes,
)
from services.registry.domain.people_dates import read_birth_date
from services.registry.domain.talent import NETWORKS, PREFERRED, PROFESSIONS, SOURCES, TAGS, WORKFORCE

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
TypeCode = Annotated[int, Field(ge=1, le=len(PERSON_TYPES))]
QualificationCode = Annotated[int, Field(ge=1, le=len(QUALIFICATIONS))]


Role = StrEnum("Role", {name: name for name in ROLES})  # type: ignore[misc]
Source = StrEnum("Source", {name: name for name in SOURCES})  # type: ignore[misc]
Tag = StrEnum("Tag", {name: name for name in TAGS})  # type: ignore[misc]
Profession = StrEnum("Profession", {name: name for name in PROFESSIONS})  # type: ignore[misc]
Network = StrEnum("Network", {name: name for name in NETWORKS})  # type: ignore[misc]
Preferred = StrEnum("Preferred", {name: name for name in PREFERRED})  # type: ignore[misc]
Workforce = StrEnum("Workforce", {name: name for name in WORKFORCE})  # type: ignore[misc]
EXAMPLE: dict[str, Any] = {
    "division": "320706016",
    "name": "张示例",
    "phone": "000-0000-0001",
    "sex": "female",
    "birth_date": "1989-05-04",
    "education": "本科",
    "person_types": [1, 8],
    "other_type": "律师",
    "qualifications": [3],
    "trained": "yes",
    "training": "2023年5月 示例心理援助培训",
    "employer": "示例单位",
    "post": "职员",
    "roles": ["volunteer", "talent"],
    "major": "心理学",
    "source": "self-registered",
    "tags": ["outstanding-parent"],
    "professions": ["lawyer"],
    "networks": ["community"],
    "workforce": "social",
}


class VolunteerChange(BaseModel):
    """What shall be otherwise; what is not named stays. A birth date takes the place of an age."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"post": "主任", "active": True}]})

    division: DivisionCode | None = None
    name: Text | None = None
    phone: Text | None = None
    sex: Literal["male", "female", "unknown"] | None = None
    age: Annotated[int, Field(ge=1, le=120)] | None = None
    education: Text | None = None
    person_types: Annotated[list[TypeCode], Field(min_length=1, max_length=8)] | None = None
    other_type: Text | None = None
    qualifications: Annotated[list[QualificationCode], Field(max_length=6)] | None = None
    other_qualification: Text | None = None
    trained: Literal["yes", "no", "unknown"] | None = None
    training: Text | None = None
    employer: Text | None = None
    post: Text | None = None
    active: bool | None = None
    birth_date: date | None = None
    roles: Annotated[list[Role], Field(min_length=1, max_length=2)] | None = None
    major: Text | None = None
    source: Source | None = None
    tags: Annotated[list[Tag], Field(max_length=len(TAGS))] | None = None
    professions: Annotated[list[Profession], Field(max_length=len(PROFESSIONS))] | None = None
    networks: Annotated[list[Network], Field(max_length=len(NETWORKS))] | None = None
    workforce: Workforce | None = None

    def claims_named(self) -> list[str]:
        """Those of the claims that others are chosen by which this names."""
        return [name for name in ("person_types", "qualifications", "trained") if getattr(self, name) is not None]

    def applied_to(self, known: Registration, today: date) -> Registration:
        """The registration with the changes, read as a form's cells are; raises `Refused`."""
        given: dict[str, Any] = self.model_dump(mode="json", exclude_none=True, exclude={"division", "active"})
        given.update({name: plain(value) for name, value in given.items() if isinstance(value, str)})
        for name in ("roles", "tags", "professions", "networks"):
            if name in given:
                given[name] = tuple(sorted(set(given[name]), key=_order(name)))
        if "birth_date" in given:
            given["age"] = None
            given["birth_date"] = _read("birth_date", lambda text: read_birth_date(text, today), given["birth_date"])
        elif "age" in given:
            given["birth_date"] = ""
        told = replace(known, **given)
        types, other_type = _choice("other_type", told.person_types, told.other_type, PERSON_TYPES, OTHER_TYPE)
        held, other = _choice(
            "other_qualification", told.qualifications, told.other_qualification, QUALIFICATIONS, OTHER_QUALIFICATION
        )
        if VOLUNTEER in told.roles and not types:
            raise Refused("missing", "志愿者须填人员类型，代码 1 至 8", "person_types")
        return replace(
            told,
            name=_read("name", read_name, told.name),
            phone=_read("phone", read_phone, told.phone),
            person_types=types,
            other_type=other_type,
            qualifications=held,
            other_qualification=other,
            training=told.training if told.trained == "yes" else "",
        )


class VolunteerIn(VolunteerChange):
    """A person, with the columns of 附件1, of 附件4, or of both; a volunteer where no role is named."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    division: DivisionCode
    name: Text
    phone: Text


class Why(BaseModel):
    """Why someone's personal fields are read or erased; goes into the audit log, so no personal data in it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "核对登记"}]})

    reason: str = Field(min_length=2, max_length=200)


class Wanted(BaseModel):
    """Who is looked for: by number, by name, or both; whole, since only hashes of them are kept."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"phone": "000-0000-0001", "name": "张示例"}]}
    )

    phone: Text | None = None
    name: Text | None = None
    division: DivisionCode | None = None


class ExportOrder(Why):
    """Which division is given out, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"division": "320706", "reason": "按要求上报"}]}
    )

    division: DivisionCode


def _order(name: str) -> Any:
    return list(ROLES).index if name == "roles" else str


def _read(field: str, reading: Any, text: str) -> str:
    try:
        return str(reading(text))
    except Flawed as flaw:
        raise Refused(flaw.reason, flaw.detail, field) from flaw


def _choice(field: str, codes: Any, words: str, labels: dict[int, str], other: int) -> tuple[tuple[int, ...], str]:
    try:
        read_text(words, "说明")
        return read_codes(write_codes(set(codes), other, words), labels, other)
    except Flawed as flaw:
        raise Refused(flaw.reason, flaw.detail, field) from flaw

"""What clients tell about teams, their members, loans, visits and campus units; all examples are made up."""

from __future__ import annotations

import uuid
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.errors import Refused
from contracts.base import DivisionCode
from services.registry.api.codes import ServiceCode
from services.registry.api.places_forms import one_of
from services.registry.domain.people import plain
from services.registry.domain.relations import DEPARTMENTS
from services.registry.domain.talent import TAGS
from services.registry.domain.teams import CAMPUS, THREE_PROFESSIONS
from services.registry.domain.teams_labels import LOANS, MEMBER_ROLES, PARTY_BUILDING, PROBLEMS, TEAM_TYPES
from services.registry.domain.teams_status import State
from services.registry.domain.teams_visits_status import State as Visit

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)]
NAME_LIMIT = 128

TeamKind = Annotated[str, *one_of(TEAM_TYPES)]
MemberRole = Annotated[str, *one_of(MEMBER_ROLES)]
Department = Annotated[str, *one_of(DEPARTMENTS)]
Profession = Annotated[str, *one_of(THREE_PROFESSIONS)]
Problem = Annotated[str, *one_of(PROBLEMS)]
LoanKind = Annotated[str, *one_of(LOANS)]
PartyBuilding = Annotated[str, *one_of(PARTY_BUILDING)]
CampusLevel = Annotated[str, *one_of(CAMPUS)]
Tag = Annotated[str, *one_of(TAGS)]


class Form(BaseModel):
    """A body in which nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid")

    def told(self) -> dict[str, Any]:
        """The fields as documents keep them: codes as words, days as ISO days, names written plainly."""
        found = {name: _kept(value) for name, value in self.model_dump().items()}
        if "name" in found:
            found["name"] = named(found["name"])
        return found


def _kept(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return sorted({_kept(one) for one in value})
    return value


def named(text: str) -> str:
    """A name written plainly; raises `Refused` where nothing is left or too much became of it."""
    name = plain(text)
    if not name:
        raise Refused("missing", "名称不能为空", "name")
    if len(name) > NAME_LIMIT:
        raise Refused("too_long", f"名称最多 {NAME_LIMIT} 个字", "name")
    return name


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


class TeamIn(Form):
    """A team as it shall be, whole."""

    model_config = example(
        name="示例街道邻里互助队",
        type="neighbours",
        division="370812001",
        party_building="led",
        tags=["rural-culture"],
        services=["1-2", "5-5"],
    )

    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    type: TeamKind
    division: DivisionCode
    parent_id: uuid.UUID | None = None
    organisation_id: uuid.UUID | None = Field(None, description="The unit that the team is of.")
    guiding_id: uuid.UUID | None = Field(None, description="指导单位.")
    lead_department: Department | None = Field(None, description="牵头部门.")
    place_id: uuid.UUID | None = Field(None, description="The room that the team has, such as 心理辅导室.")
    number: int | None = Field(None, ge=1, le=99, description="Of a province's professional teams.")
    tags: list[Tag] = Field([], max_length=64)
    problems: list[Problem] = Field([], max_length=3, description="发展性、适应性、障碍性.")
    services: list[ServiceCode] = Field([], max_length=25, description="Types of the five services.")
    party_building: PartyBuilding | None = Field(None, description="党建引领.")
    ring_network: bool = Field(False, description="A school's network of three rings.")
    highest: bool = Field(False, description="The highest body of its division; there is one.")
    target: int | None = Field(None, ge=1, le=100_000, description="Members aimed at.")
    origin_region: DivisionCode | None = Field(None, description="Where a rescue team from outside comes from.")
    valid_from: date | None = None
    valid_until: date | None = None


class TeamStepIn(Form):
    model_config = example(status="active", reason="已完成组建")

    status: State
    reason: Reason


class TermIn(Form):
    """The term of a person, or of an organisation in a union; `until` is its last day."""

    model_config = example(
        person_id="01970d3b-0000-7000-8000-000000000b01", role="leader", since="2026-03-01", until="2028-02-29"
    )

    person_id: uuid.UUID | None = None
    organisation_id: uuid.UUID | None = None
    role: MemberRole
    profession: Profession | None = None
    since: date
    until: date | None = None


class LoanIn(Form):
    model_config = example(
        subject="person",
        subject_id="01970d3b-0000-7000-8000-000000000b01",
        kind="sunk",
        division="370812001001",
        since="2026-03-01",
        until="2026-08-31",
    )

    subject: Literal["person", "team"]
    subject_id: uuid.UUID
    origin_id: uuid.UUID | None = Field(None, description="The unit that lends a person.")
    kind: LoanKind
    division: DivisionCode = Field(description="Where the help goes.")
    since: date
    until: date
    cancelled: bool = False


class VisitIn(Form):
    model_config = example(
        organisation_id="01970d3b-0000-7000-8000-000000000a08",
        person_id="01970d3b-0000-7000-8000-000000000b01",
        day="2026-03-10",
        state="planned",
    )

    organisation_id: uuid.UUID
    person_id: uuid.UUID
    day: date
    state: Visit


class CampusUnitIn(Form):
    """A school, a college (or grade), a class or a dormitory; `representatives` are 心理健康教育课代表 or 心理委员."""

    model_config = example(
        organisation_id="01970d3b-0000-7000-8000-000000000a08",
        level="class",
        parent_id="01970d3b-0000-7000-8000-000000000d50",
        name="示例一年级1班",
        representatives=1,
    )

    organisation_id: uuid.UUID
    level: CampusLevel
    parent_id: uuid.UUID | None = None
    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    representatives: int = Field(0, ge=0, le=100)
    person_id: uuid.UUID | None = Field(None, description="The registered person who answers for the unit.")
    active: bool = True

"""The policy of emergency plans, expert groups, incidents and critical incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import AfterValidator, Field

from contracts.base import Name
from contracts.crisis import EmergencyLevel
from contracts.hotline import HotlineLevel, ItemId
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.incidents import Exposure
from services.crisis.domain.policy import Minutes, Step

T = TypeVar("T")


def _each_level(table: dict[EmergencyLevel, T]) -> dict[EmergencyLevel, T]:
    missing = [level.value for level in EmergencyLevel if level not in table]
    if missing:
        raise ValueError(f"nothing is said about {', '.join(missing)}")
    return table


Few = Annotated[int, Field(ge=0, le=200)]


class PlanPolicy(PolicyPart):
    """What a plan needs before it can be approved, and what may be attached to it."""

    required_sections: tuple[Name, ...] = Field(min_length=1)
    required_source: Source
    attachment_bytes: int = Field(gt=0, le=8 * 1024 * 1024)
    attachment_source: Source
    media_types: tuple[str, ...] = Field(min_length=1)
    most_attachments: int = Field(ge=1, le=100)
    most_source: Source


class CallOutPolicy(PolicyPart):
    rounds: int = Field(ge=1, le=20)
    source: Source
    experts: Annotated[dict[EmergencyLevel, Few], AfterValidator(_each_level)]
    answer_minutes: Annotated[dict[EmergencyLevel, Minutes], AfterValidator(_each_level)]


class TeamsPolicy(PolicyPart):
    skills: tuple[Name, ...] = Field(max_length=20)
    source: Source
    number: Annotated[dict[EmergencyLevel, Few], AfterValidator(_each_level)]


class Question(PolicyPart):
    item: ItemId
    text: str
    raises: HotlineLevel | None = None
    source: Source


class ScreenPolicy(PolicyPart):
    """The incident's own quick screen."""

    positive_from: int = Field(ge=1)
    positive_source: Source
    positive_level: HotlineLevel
    questions: tuple[Question, ...] = Field(min_length=1, max_length=40)


class AftercarePolicy(PolicyPart):
    categories: tuple[Exposure, ...]
    source: Source
    batch: int = Field(ge=1, le=1000)
    batch_source: Source


class StressCode(PolicyPart):
    code: Annotated[str, Field(pattern=r"^[A-Z0-9.]{3,12}$")]
    system: Literal["ICD-10", "ICD-11"]
    label: str
    by_institution: bool
    """Whether it is a diagnosis, which only a medical institution makes."""
    source: Source


class Method(PolicyPart):
    code: Name
    label: str
    settings: tuple[Literal["individual", "group"], ...]
    source: Source


class Coded(PolicyPart):
    code: Name
    label: str
    source: Source


class CriticalPolicy(PolicyPart):
    types: tuple[Coded, ...] = Field(min_length=1)
    chain: tuple[Step, ...] = Field(min_length=1)

    def step(self, number: int) -> Step:
        """The chain's step; the last one repeats for ever."""
        return self.chain[min(number, len(self.chain) - 1)]


class IncidentPolicy(Versioned):
    """One version, whole."""

    plans: PlanPolicy
    call_out: CallOutPolicy
    teams: TeamsPolicy
    screen: ScreenPolicy
    aftercare: AftercarePolicy
    acute_stress: tuple[StressCode, ...]
    methods: tuple[Method, ...]
    critical: CriticalPolicy


class _HasCode(Protocol):
    @property
    def code(self) -> str: ...


C = TypeVar("C", bound=_HasCode)


def coded(rows: Sequence[C], code: str) -> C | None:
    """The row of a code list, or nothing."""
    return next((row for row in rows if row.code == code), None)

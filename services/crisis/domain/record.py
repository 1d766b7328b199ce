"""The typed timeline: what may be entered about a case, which of it is a code, and which is personal.

Codes are kept in the clear, for lists and statistics. What is personal is sealed under the person's key; a field is
personal by its type, so that nothing that is written here can be forgotten by whoever stores it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.base import Answer, FineDivision
from contracts.codes import ProblemCode
from services.crisis.domain.codes import (
    HELPERS,
    Access,
    ActionKind,
    CareGroup,
    Change,
    DisputeKind,
    ElderlyNeed,
    ElderlyStatus,
    Means,
    NearPerson,
    Place,
    Problem,
    Progress,
    RedFlag,
)
from services.crisis.domain.matters import Matter
from services.crisis.domain.services import ServiceType


@dataclass(frozen=True)
class Sealed:
    """Marks a field whose text is personal."""


Personal = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), Sealed()]
"""Free text about a person, at most 2,000 characters."""
PersonalOrNone = Annotated[
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] | None, Sealed()
]
Subject = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""A worker, by the pseudonym that tokens carry."""


class Entry(BaseModel):
    """One section; a field that is not known is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def split(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The codes, and what is to be sealed."""
        personal = {name for name, field in type(self).model_fields.items() if is_personal(field.metadata)}
        codes = self.model_dump(mode="python", exclude={*personal, "kind"})
        texts = {name: getattr(self, name) for name in personal if getattr(self, name) is not None}
        return _plain(codes), texts

    def matters(self) -> tuple[Matter, ...]:
        """What a supervisor has to decide about at once because of this section."""
        return ()

    def raises(self) -> str | None:
        """The name of the policy's rule that may raise the tier."""
        return None


def is_personal(metadata: Iterable[Any]) -> bool:
    """Whether a field's type says that it is personal."""
    return any(isinstance(one, Sealed) for one in metadata)


def _plain(value: Any) -> Any:
    """Enumerations as their values, tuples as lists: what a document holds."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.value if hasattr(value, "value") else value


class MeansEntry(Entry):
    """Means of harm, and their restriction."""

    kind: Literal["means"]
    means: tuple[Means, ...] = Field(min_length=1, max_length=8)
    access: Access = Access.unknown
    restriction: Progress | None = Field(None, description="Absent where it was not talked of.")
    note: PersonalOrNone = None


class NearEntry(Entry):
    """Who is with the person, or can be there."""

    kind: Literal["who_is_near"]
    alone: Answer
    who: tuple[NearPerson, ...] = Field((), max_length=8)
    can_stay: Answer = Answer.not_asked
    names: PersonalOrNone = None


class LocationEntry(Entry):
    """Where the person is now."""

    kind: Literal["location"]
    place: Place
    division: FineDivision | None = None
    address: PersonalOrNone = None


class CareGroupEntry(Entry):
    """Who the person is, for whom there is a care of its own; `stress_reaction` where the person is a helper."""

    kind: Literal["care_group"]
    groups: tuple[CareGroup, ...] = Field(min_length=1, max_length=8)
    stress_reaction: Answer = Answer.not_asked
    note: PersonalOrNone = None

    def matters(self) -> tuple[Matter, ...]:
        helper = HELPERS.intersection(self.groups)
        return (Matter.helper_needs_treatment,) if helper and self.stress_reaction is Answer.yes else ()


class ProblemEntry(Entry):
    """What the person suffers from; no diagnosis."""

    kind: Literal["problem"]
    problems: tuple[Problem, ...] = Field(min_length=1, max_length=8)
    classified: tuple[ProblemCode, ...] = Field(
        (), max_length=8, description="Under 发展性, 适应性 or 障碍性, by the list that the registry shares."
    )
    note: PersonalOrNone = None


class RedFlagEntry(Entry):
    """What wants a psychiatrist's consultation, or an admission."""

    kind: Literal["red_flag"]
    flags: tuple[RedFlag, ...] = Field(min_length=1, max_length=4)
    note: PersonalOrNone = None

    def matters(self) -> tuple[Matter, ...]:
        return (Matter.consultation_or_admission,)

    def raises(self) -> str | None:
        return "red_flag"


class ElderlyEntry(Entry):
    """An elderly person's mental health, and what the person needs."""

    kind: Literal["elderly"]
    status: ElderlyStatus
    needs: tuple[ElderlyNeed, ...] = Field(min_length=1, max_length=11)
    lives_alone: Answer = Answer.not_asked
    note: PersonalOrNone = None


class DisputeEntry(Entry):
    """A dispute, with the psychological worker who takes part in settling it."""

    kind: Literal["dispute"]
    about: DisputeKind
    worker: Subject
    extreme_event_warning: bool = False
    note: PersonalOrNone = None

    def matters(self) -> tuple[Matter, ...]:
        return (Matter.extreme_event_warning,) if self.extreme_event_warning else ()

    def raises(self) -> str | None:
        return "extreme_event" if self.extreme_event_warning else None


class Action(BaseModel):
    """One action, and how far it has come."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: ActionKind
    progress: Progress


class InterventionEntry(Entry):
    """What was given, by whom; fact, judgement and what is not known are kept apart."""

    kind: Literal["intervention"]
    service: ServiceType | None = None
    by: Subject | None = Field(None, description="Who gave it; the writer where absent.")
    actions: tuple[Action, ...] = Field(min_length=1, max_length=20)
    facts: PersonalOrNone = None
    judgements: PersonalOrNone = None
    unknowns: PersonalOrNone = None


class ReassessmentEntry(Entry):
    """The periodic re-assessment of an individual plan."""

    kind: Literal["reassessment"]
    change: Change
    next_review_at: AwareDatetime | None = Field(None, description="By the policy of the case's tier where absent.")
    note: PersonalOrNone = None


class NoteEntry(Entry):
    """Free text."""

    kind: Literal["note"]
    text: Personal


Section = Annotated[
    MeansEntry
    | NearEntry
    | LocationEntry
    | CareGroupEntry
    | ProblemEntry
    | RedFlagEntry
    | ElderlyEntry
    | DisputeEntry
    | InterventionEntry
    | ReassessmentEntry
    | NoteEntry,
    Field(discriminator="kind"),
]

PLAN_FIELDS = (
    "warning_signs",
    "coping_strategies",
    "distractions",
    "who_can_help",
    "professionals",
    "safe_environment",
)
"""The six fields of a safety plan."""


def missing_fields(texts: dict[str, str]) -> list[str]:
    """The fields of a safety plan that are not filled."""
    return [name for name in PLAN_FIELDS if not texts.get(name)]

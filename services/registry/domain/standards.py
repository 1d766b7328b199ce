"""Building standards as checklists: every clause says what it asks for and where that is written.

A clause passes, fails, or is missing: what nobody has recorded is not known, and what is not known does not pass.
A recommendation that is not followed is `advised`, which fails nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from services.registry.domain.places_labels import EQUIPMENT, FUNCTIONS, OCCUPATIONS, ROOMS, TYPES
from services.registry.domain.versions import PolicyPart, Source, Versioned

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Groups = Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]
"""Of each group one is enough: a sofa or chairs."""


class When(PolicyPart):
    """A clause is asked only where the recorded number lies so."""

    fact: Code
    at_least: float | None = None
    below: float | None = None


class Clause(PolicyPart):
    """What all clauses have. `text` is what people read."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9a-z_.]{1,40}$")]
    text: Annotated[str, Field(min_length=2, max_length=200)]
    source: Source
    recommended: bool = False
    when: When | None = None


class FactClause(Clause):
    """A yes that someone recorded."""

    kind: Literal["fact"]
    fact: Code


class NumberClause(Clause):
    """A recorded number within its bounds, both included."""

    kind: Literal["number"]
    fact: Code
    at_least: float | None = None
    at_most: float | None = None


class RoomClause(Clause):
    """A room of its own."""

    kind: Literal["room"]
    room: str


class RoomAreaClause(Clause):
    """Every room of the kind has a usable area within the bounds, in square metres."""

    kind: Literal["room_area"]
    room: str
    at_least: float
    at_most: float


class EquipmentClause(Clause):
    """Equipment of a room, or anywhere in the place; `at_least` of the groups, all where it is not said."""

    kind: Literal["equipment"]
    room: str | None = None
    groups: Groups
    at_least: Annotated[int, Field(ge=1)] | None = None


class StaffClause(Clause):
    """So many people of these occupations (of any, where none is named)."""

    kind: Literal["staff"]
    occupations: tuple[str, ...] = ()
    time: Literal["full", "part", "any"] = "any"
    certificate: bool = False
    at_least: Annotated[int, Field(ge=1)]


class FunctionsClause(Clause):
    """Functions that the place has; of each group one is enough."""

    kind: Literal["functions"]
    groups: Groups


class RulesClause(Clause):
    """Own rules of work, kept with the place."""

    kind: Literal["rules"]
    at_least: Annotated[int, Field(ge=1)] = 1


AnyClause = Annotated[
    FactClause
    | NumberClause
    | RoomClause
    | RoomAreaClause
    | EquipmentClause
    | StaffClause
    | FunctionsClause
    | RulesClause,
    Field(discriminator="kind"),
]


class FactOf(PolicyPart):
    """Something that is recorded of a place by itself: yes or no, or a number."""

    label: Annotated[str, Field(min_length=1, max_length=80)]
    number: bool = False


class Standard(PolicyPart):
    """One checklist, and the types of place that it is for (all, where none is named)."""

    title: Annotated[str, Field(min_length=2, max_length=80)]
    source: Source
    types: tuple[str, ...] = ()
    clauses: Annotated[tuple[AnyClause, ...], Field(min_length=1)]


class Standards(Versioned):
    """All checklists of one version."""

    facts: dict[Code, FactOf]
    standards: Annotated[dict[Code, Standard], Field(min_length=1)]

    @model_validator(mode="after")
    def _only_known_words(self) -> Standards:
        for name, standard in self.standards.items():
            codes = [clause.code for clause in standard.clauses]
            if len(set(codes)) != len(codes):
                raise ValueError(f"{name}: two clauses have the same code")
            if unknown := set(standard.types) - TYPES.keys():
                raise ValueError(f"{name}: there is no type {sorted(unknown)}")
            for clause in standard.clauses:
                if unknown := self._unknown(clause):
                    raise ValueError(f"{name}.{clause.code}: unknown {sorted(unknown)}")
                self._satisfiable(name, clause)
        return self

    def _satisfiable(self, name: str, clause: AnyClause) -> None:
        """A bound that nothing can meet is a slip of the pen."""
        if isinstance(clause, NumberClause | RoomAreaClause):
            low, high = clause.at_least, clause.at_most
            if (low is None and high is None) or (low is not None and high is not None and low > high):
                raise ValueError(f"{name}.{clause.code}: the bounds hold nothing")
        if isinstance(clause, EquipmentClause) and (clause.at_least or 0) > len(clause.groups):
            raise ValueError(f"{name}.{clause.code}: more are asked for than are listed")

    def _unknown(self, clause: AnyClause) -> set[str]:
        wrong: set[str] = set()
        if clause.when is not None:
            wrong |= self._no_number(clause.when.fact)
        match clause:
            case FactClause():
                wrong |= {clause.fact} - {name for name, fact in self.facts.items() if not fact.number}
            case NumberClause():
                wrong |= self._no_number(clause.fact)
            case RoomClause() | RoomAreaClause():
                wrong |= {clause.room} - ROOMS.keys()
            case EquipmentClause():
                wrong |= {item for group in clause.groups for item in group} - EQUIPMENT.keys()
                wrong |= {clause.room} - ROOMS.keys() if clause.room else set()
            case StaffClause():
                wrong |= set(clause.occupations) - OCCUPATIONS.keys()
            case FunctionsClause():
                wrong |= {item for group in clause.groups for item in group} - FUNCTIONS.keys()
            case RulesClause():
                pass
        return wrong

    def _no_number(self, fact: str) -> set[str]:
        return set() if fact in self.facts and self.facts[fact].number else {fact}

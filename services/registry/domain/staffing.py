"""How many full-time teachers of mental health a school needs, and how many are lacking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from services.registry.domain.versions import Source, Versioned


class StaffingPolicy(Versioned):
    """One teacher for so many students; a school with fewer counts as one with so many."""

    students_for_one: Annotated[int, Field(ge=1)]
    source: Source
    year_begins: Annotated[int, Field(ge=1, le=12)] = 9
    year_source: Source


def required(students: int, students_for_one: int) -> int:
    """Teachers needed, rounded up; the smallest school needs one."""
    return max(1, -(-students // students_for_one))


@dataclass(frozen=True)
class Need:
    """One school's need in a year; `there` as the school tells, `linked` as the register has them by person."""

    division: str
    students: int | None
    required: int | None
    there: int | None
    linked: int

    @property
    def gap(self) -> int | None:
        """How many are lacking; never below zero."""
        return None if self.required is None or self.there is None else max(0, self.required - self.there)


def need(division: str, students: int | None, there: int | None, linked: int, students_for_one: int) -> Need:
    """A school whose enrolment nobody has told has no number: that is not a school without need."""
    wanted = None if students is None else required(students, students_for_one)
    return Need(division, students, wanted, there, linked)


@dataclass(frozen=True)
class Sum:
    """Over schools. One school's surplus fills no other's gap."""

    schools: int
    known: int
    students: int
    required: int
    there: int
    linked: int
    gap: int


def total(needs: Iterable[Need]) -> Sum:
    """The sums over the schools that have told; `schools` counts all."""
    given = list(needs)
    known = [one for one in given if one.gap is not None]
    return Sum(
        schools=len(given),
        known=len(known),
        students=sum(one.students or 0 for one in known),
        required=sum(one.required or 0 for one in known),
        there=sum(one.there or 0 for one in known),
        linked=sum(one.linked for one in given),
        gap=sum(one.gap or 0 for one in known),
    )

"""Calls for volunteers and censuses of talent: their window, their day, and how each unit's form stands.

A deadline on a day that a month does not have (每月30日 in February) is the month's last day.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from services.registry.domain.people import Registration
from services.registry.domain.people_dates import born
from services.registry.domain.talent import preferred_groups
from services.registry.domain.versions import PolicyPart, Source, Versioned


class State(StrEnum):
    """Where a campaign stands."""

    draft = "draft"
    open = "open"
    closed = "closed"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.draft: frozenset({State.open, State.cancelled}),
    State.open: frozenset({State.closed, State.cancelled}),
    State.closed: frozenset({State.open}),
    State.cancelled: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


class FormDue(PolicyPart):
    """When a form is due: on a day of one month, or of every month (`month` absent)."""

    form: Literal["附件1", "附件4"]
    kind: Literal["recruitment", "census"]
    month: Annotated[int, Field(ge=1, le=12)] | None = None
    day: Annotated[int, Field(ge=1, le=31)]
    to: Annotated[str, Field(min_length=1, max_length=64)]
    source: Source


class Applications(PolicyPart):
    """How many may apply to one campaign before it is full."""

    most: Annotated[int, Field(ge=1, le=1_000_000)]
    source: Source


class RecruitmentPolicy(Versioned):
    forms: Annotated[tuple[FormDue, ...], Field(min_length=1)]
    applications: Applications

    def due(self, kind: str) -> FormDue | None:
        return next((form for form in self.forms if form.kind == kind), None)


def due_day(year: int, month: int, day: int) -> date:
    """The day of a deadline; the month's last where the month has no such day."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def next_due(rule: FormDue, from_day: date) -> date:
    """The first deadline of a rule on or after a day."""
    year, month = from_day.year, rule.month or from_day.month
    found = due_day(year, month, rule.day)
    if found >= from_day:
        return found
    if rule.month is not None:
        return due_day(year + 1, rule.month, rule.day)
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    return due_day(*following, rule.day)


class Standing(StrEnum):
    """How a unit's form stands; whether one that is missing is overdue is said by the deadline."""

    on_time = "on_time"
    late = "late"
    missing = "missing"


@dataclass(frozen=True)
class Unit:
    """A unit that a form is expected from; an empty name is the division itself."""

    division: str
    name: str


@dataclass(frozen=True)
class Receipt:
    """A form that came in: from where, in which name, and on which local day."""

    division: str
    name: str
    day: date
    people: int = 0
    at: datetime | None = None


def latest(receipts: Iterable[Receipt]) -> list[Receipt]:
    """The last form of each division and name: who hands in again hands in whole.

    The sheets of one file came at one moment and are one form.
    """
    found: dict[tuple[str, str], Receipt] = {}
    for one in sorted(receipts, key=lambda receipt: (receipt.day, receipt.at or _NO_MOMENT)):
        key = one.division, _plain(one.name)
        last = found.get(key)
        more = last.people if last is not None and last.at is not None and last.at == one.at else 0
        found[key] = replace(one, people=one.people + more)
    return list(found.values())


_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


def _plain(name: str) -> str:
    return "".join(name.split())


def _same_name(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def belongs(receipt: Receipt, unit: Unit, expected: Sequence[Unit]) -> bool:
    """Whether a form is this unit's: by its name; where it has none, by a division that expects one form only."""
    if not receipt.division.startswith(unit.division):
        return False
    if receipt.name and unit.name:
        return _same_name(receipt.name, unit.name)
    of_division = [one for one in expected if receipt.division.startswith(one.division)]
    return len(of_division) == 1


def standings(expected: Sequence[Unit], receipts: Iterable[Receipt], due: date) -> list[tuple[Standing, date | None]]:
    """For each unit in turn how its form stands, and the day of the first that came."""
    came = list(receipts)
    found: list[tuple[Standing, date | None]] = []
    for unit in expected:
        first = min((one.day for one in came if belongs(one, unit, expected)), default=None)
        if first is None:
            found.append((Standing.missing, None))
        else:
            found.append((Standing.on_time if first <= due else Standing.late, first))
    return found


def counted(found: Iterable[tuple[Standing, date | None]]) -> dict[str, int]:
    """How many of each; they add up to the expected."""
    counts = {standing.value: 0 for standing in Standing}
    for standing, _ in found:
        counts[standing.value] += 1
    return counts


def unmet(person: Registration, wanted: Mapping[str, list[object]], least_age: int | None, today: date) -> list[str]:
    """Which of a campaign's conditions an applicant does not meet, in codes. One of each list is enough."""
    has: dict[str, set[object]] = {
        "person_types": set(person.person_types),
        "qualifications": set(person.qualifications),
        "professions": set(person.professions),
        "preferred": set(preferred_groups(person)),
        "trained": {person.trained},
    }
    lacking = [name for name, values in wanted.items() if values and not has[name] & set(values)]
    if least_age is not None:
        birth = born(person.birth_date, person.age, today if person.age is not None else None)
        age = birth.age_on(today) if birth else None
        if age is None or age < least_age:
            lacking.append("least_age")
    return lacking

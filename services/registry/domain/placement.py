"""What a place lacks in people by its standard, and which entries of the inventory suit a post."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.registry.domain.people import OTHER_QUALIFICATION
from services.registry.domain.qualifications import KINDS
from services.registry.domain.standards import StaffClause, Standard


@dataclass(frozen=True)
class Gap:
    """One clause of a standard about people: how many it asks for, and how many of the right ones are there.

    `occupations` is empty where any will do; `time` is ``full``, ``part`` or ``any``.
    """

    clause: str
    text: str
    source: str
    recommended: bool
    occupations: tuple[str, ...]
    time: str
    certificate: bool
    required: int
    there: int

    @property
    def lacking(self) -> int:
        """How many are lacking; never below zero."""
        return max(0, self.required - self.there)


def gaps(standard: Standard, staff: Iterable[dict[str, Any]]) -> list[Gap]:
    """Every clause about people. Who is not known to have the certificate that is asked for does not count."""
    people = list(staff)
    return [_gap(clause, people) for clause in standard.clauses if isinstance(clause, StaffClause)]


def _gap(clause: StaffClause, staff: Sequence[dict[str, Any]]) -> Gap:
    there = sum(
        (not clause.occupations or one["occupation"] in clause.occupations)
        and (clause.time == "any" or one["full_time"] == (clause.time == "full"))
        and (not clause.certificate or one["certificate"] is True)
        for one in staff
    )
    return Gap(
        clause.code,
        clause.text,
        clause.source,
        clause.recommended,
        clause.occupations,
        clause.time,
        clause.certificate,
        clause.at_least,
        there,
    )


def annex_codes(kinds: Iterable[str]) -> list[int]:
    """The codes of 附件4 under which the inventory lists such qualifications; ``other`` tells nothing."""
    return sorted({KINDS[kind].annex for kind in kinds} - {OTHER_QUALIFICATION})

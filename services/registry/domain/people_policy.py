"""The policy about people; the numbers that the plans and the laws give, each with its source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from services.registry.domain.versions import PolicyPart, Source, Versioned

Short = Annotated[str, Field(min_length=1, max_length=64)]


class Age(PolicyPart):
    """From which age on someone is an adult. There is no upper limit anywhere."""

    adult: Annotated[int, Field(ge=1, le=30)]
    adult_source: Source


class Pledge(PolicyPart):
    """The pledge of confidentiality; the one before it counts for so many days more, while people sign anew."""

    version: Short
    source: Source
    transition_days: Annotated[int, Field(ge=0, le=3650)]
    transition_days_source: Source


class ConsentText(PolicyPart):
    """The text under which people consent to being registered."""

    registration_version: Short
    source: Source


class Minors(PolicyPart):
    """The roles that a minor does not take, by their names on rosters."""

    barred_roles: tuple[Short, ...]
    source: Source


class Targets(PolicyPart):
    """How many people a pool shall have at least."""

    outstanding_parent: Annotated[int, Field(ge=0)]
    outstanding_parent_source: Source


class PeoplePolicy(Versioned):
    age: Age
    pledge: Pledge
    consent: ConsentText
    minors: Minors
    targets: Targets


def pledges_to_sign(policies: Iterable[PeoplePolicy], moment: datetime) -> list[str]:
    """The versions of the pledge that may be signed at a moment: the one in force, then those that are to come."""
    open_ones = [one for one, after in _in_turn(policies) if after is None or moment < after.in_force_from]
    return list(dict.fromkeys(one.pledge.version for one in open_ones))


def pledges_that_count(policies: Iterable[PeoplePolicy], moment: datetime) -> frozenset[str]:
    """Those that the gate takes: each that may be signed, and one that was replaced until its transition is over."""
    return frozenset(
        one.pledge.version
        for one, after in _in_turn(policies)
        if after is None or moment < after.in_force_from + timedelta(days=after.pledge.transition_days)
    )


def _in_turn(policies: Iterable[PeoplePolicy]) -> list[tuple[PeoplePolicy, PeoplePolicy | None]]:
    """The versions in the order in which they come into force, each with the one that takes its place."""
    ordered = sorted(policies, key=lambda one: one.in_force_from)
    return list(zip(ordered, [*ordered[1:], None], strict=True))

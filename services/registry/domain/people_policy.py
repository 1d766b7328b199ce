"""The policy about people; the numbers that the plans and the laws give, each with its source."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.registry.domain.versions import PolicyPart, Source, Versioned

Short = Annotated[str, Field(min_length=1, max_length=64)]


class Age(PolicyPart):
    """From which age on someone is an adult. There is no upper limit anywhere."""

    adult: Annotated[int, Field(ge=1, le=30)]
    adult_source: Source


class Pledge(PolicyPart):
    """The pledge of confidentiality in force."""

    version: Short
    source: Source


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

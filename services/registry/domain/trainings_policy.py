"""Which groups have to be trained to which part, and what the staff of a site owes to the level of the site."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from services.registry.domain.people import PERSON_TYPES
from services.registry.domain.qualifications_policy import Code
from services.registry.domain.trainings import LEVELS, TOPICS
from services.registry.domain.versions import PolicyPart, Source, Versioned


class Coverage(PolicyPart):
    """Of the active people with one of these types (附件1), how many have passed one of the topics, at one of the
    levels; empty lists ask for nothing. `target` is in percent."""

    code: Code
    label: Annotated[str, Field(min_length=2, max_length=64)]
    person_types: Annotated[tuple[int, ...], Field(min_length=1)]
    topics: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    target: Annotated[int, Field(ge=1, le=100)]
    source: Source

    @model_validator(mode="after")
    def known(self) -> Coverage:
        strange = {*self.topics} - TOPICS.keys() | {*self.levels} - LEVELS.keys()
        if strange or set(self.person_types) - PERSON_TYPES.keys():
            raise ValueError(f"{self.code}: a topic, a level or a person type that is not known")
        return self


class Site(PolicyPart):
    """What the staff of a care point of a level attended, or passed, and at which level."""

    care_level: str
    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    passed: bool
    source: Source


class Item(PolicyPart):
    """A topic as a syllabus words it."""

    topic: str
    text: Annotated[str, Field(min_length=2, max_length=120)]


class Syllabus(PolicyPart):
    """What a training teaches, topic by topic in its order; a course that follows it has every topic."""

    code: Code
    label: Annotated[str, Field(min_length=2, max_length=64)]
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    source: Source

    @model_validator(mode="after")
    def known(self) -> Syllabus:
        topics = self.topics
        if set(topics) - TOPICS.keys() or len(set(topics)) < len(topics):
            raise ValueError(f"{self.code}: a topic that is not known, or is there twice")
        return self

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(one.topic for one in self.items)


class Measure(PolicyPart):
    """Means over fewer people than this are not told."""

    few: Annotated[int, Field(ge=1, le=100)]
    source: Source


class TrainingsPolicy(Versioned):
    measure: Measure
    coverage: tuple[Coverage, ...]
    sites: tuple[Site, ...]
    syllabi: tuple[Syllabus, ...] = ()

    def syllabus(self, code: str) -> Syllabus | None:
        return next((one for one in self.syllabi if one.code == code), None)

    def site(self, care_level: str | None) -> Site | None:
        """The rule for a level; `other` is the rule of every care point that is not named by the nation."""
        wanted = care_level if care_level == "nation" else "other"
        return next((one for one in self.sites if one.care_level == wanted), None)

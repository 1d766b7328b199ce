"""The forms of a capacity survey: questions that are answered by a number, a yes or no, or words of a list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from services.registry.domain.versions import PolicyPart, Source, Versioned

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Label = Annotated[str, Field(min_length=1, max_length=80)]


class Question(PolicyPart):
    """What is asked, with the words that people read.

    A `count` is a number of people. A `split` tells how many of the people of the count `of` each option is true of:
    of each person one option where it is `whole`, of each any number of them otherwise. `choice`, `several` and
    `yes_no` are about the unit itself. The options of `services` are codes of the policy on qualifications.
    """

    code: Code
    label: Label
    kind: Literal["count", "split", "choice", "several", "yes_no"]
    of: Code | None = None
    whole: bool = False
    services: bool = False
    options: dict[Code, Label] = Field(default_factory=dict, max_length=40)

    @model_validator(mode="after")
    def _fits(self) -> Question:
        if (self.kind in ("split", "choice", "several")) != (len(self.options) >= 2):
            raise ValueError(f"{self.code}: a {self.kind} has {'' if self.kind != 'count' else 'no '}options")
        if (self.kind == "split") != (self.of is not None) or (self.whole and self.kind != "split"):
            raise ValueError(f"{self.code}: a split, and nothing else, is of a count")
        return self


class SurveyForm(PolicyPart):
    number: Annotated[int, Field(ge=1, le=99)]
    title: Label
    source: Source
    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=60)]

    @model_validator(mode="after")
    def _consistent(self) -> SurveyForm:
        counts: set[str] = set()
        for one in self.questions:
            if one.of is not None and one.of not in counts:
                raise ValueError(f"{one.code}: {one.of} is no count that is asked before")
            if one.kind == "count":
                counts.add(one.code)
        codes = [one.code for one in self.questions]
        if len(set(codes)) != len(codes):
            raise ValueError("two questions have the same code")
        return self


class CapacityPolicy(Versioned):
    """`few`: smaller counts of people are not told, except none."""

    few: Annotated[int, Field(ge=2, le=100)]
    few_source: Source
    forms: Annotated[dict[Code, SurveyForm], Field(min_length=1, max_length=16)]

"""One person asked in a campaign: what is sent, what is wrong with it, and how it counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator

from contracts.base import Answer, Instant
from contracts.crisis import ScreeningConsent, ScreeningTier
from contracts.hotline import AgeBand, ItemId, Sex
from services.crisis.domain.campaign import Residence, Service
from services.crisis.domain.campaigns_policy import UNANSWERED, Code, Questionnaire
from services.crisis.domain.identity import identity_number, telephone

Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Years = Annotated[int, Strict(), Field(ge=0, le=130)]
Value = (
    Annotated[int, Strict(), Field(ge=-1000, le=10_000)]
    | Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,40}$")]
)
Answers = Annotated[dict[ItemId, Value], Field(max_length=200)]


class State(StrEnum):
    """What a screening counts as. The last two are refused rows: the surveyor may correct them and send them again."""

    taken = "taken"
    declined = "declined"
    ineligible = "ineligible"
    refused = "refused"
    """Not taken, and kept only because an answer in it was unsafe and raised a flag."""


class By(StrEnum):
    self = "self"
    guardian = "guardian"


class How(StrEnum):
    written = "written"
    verbal = "verbal"
    online = "online"


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Consent(_Said):
    """What the person, or for a minor the guardian, said before the first question."""

    answer: ScreeningConsent
    by: By = By.self
    how: How = How.verbal
    at: Instant
    contact: Answer = Field(Answer.not_asked, description="Whether someone may get in touch about the result.")


class Person(_Said):
    """Who it is: hashed at once, and kept only under the person's own key."""

    identity: Short | None = None
    phone: Short | None = None
    name: Short | None = None
    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    guardian: Short | None = Field(None, description="Name and telephone number of a minor's guardian.")

    @model_validator(mode="after")
    def _found_again(self) -> Person:
        if not (identity_number(self.identity) or telephone(self.phone)):
            raise ValueError("a person is known by an identity number or a telephone number")
        return self


class Screening(_Said):
    """One screening, as the tablet sends it; `started_at` is when the first question was asked."""

    questionnaire: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}@[a-z0-9.-]{1,32}$")]
    site: Code
    batch: Code | None = None
    age: Years | None = None
    birth_year: Annotated[int, Strict(), Field(ge=1890, le=2100)] | None = None
    sex: Sex = Sex.unknown
    residence: Residence | None = None
    group: Code | None = None
    location_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = None
    consent: Consent
    person: Person | None = None
    started_at: Instant | None = None
    taken_at: Instant
    answers: Answers = Field({}, description="Basic information, literacy and needs, by question.")
    instruments: Annotated[dict[Code, Answers], Field(max_length=10)] = Field(
        {}, description="Cognition and mental health: the answers by instrument and item."
    )
    services: Annotated[tuple[Service, ...], Field(max_length=8)] = Field(
        (), description="What was done on the spot besides the assessment."
    )

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "questionnaire": "elderly@2026-1",
                    "site": "care-point-1",
                    "age": 71,
                    "sex": "female",
                    "residence": "resident",
                    "consent": {
                        "answer": "given",
                        "by": "self",
                        "how": "verbal",
                        "at": "2026-11-22T01:00:00Z",
                        "contact": "yes",
                    },
                    "person": {"phone": "000-0000-0001", "name": "张示例"},
                    "started_at": "2026-11-22T01:01:00Z",
                    "taken_at": "2026-11-22T01:15:00Z",
                    "answers": {"living": "alone", "need_talk": "yes"},
                    "instruments": {"gds-15": {}},
                    "services": ["education"],
                }
            ]
        },
    )

    def age_in(self, year: int) -> int | None:
        """Years of age, as said; from the year of birth the age that the person has or reaches in this year."""
        if self.age is not None:
            return self.age
        return None if self.birth_year is None else max(0, year - self.birth_year)

    def may_be_below(self, age: int, year: int) -> bool:
        """Whether the person may not have reached this age: who has the birthday still before them has not."""
        if self.age is not None:
            return self.age < age
        return self.birth_year is not None and year - self.birth_year - 1 < age


def age_band(age: int | None) -> AgeBand:
    """The band that a flag tells."""
    if age is None:
        return AgeBand.unknown
    bounds = [(14, AgeBand.under_14), (18, AgeBand.from_14_to_17), (25, AgeBand.from_18_to_24)]
    bounds += [(45, AgeBand.from_25_to_44), (60, AgeBand.from_45_to_59), (75, AgeBand.from_60_to_74)]
    return next((band for below, band in bounds if age < below), AgeBand.from_75)


def wrong_answer(answers: Mapping[str, int | str], questionnaire: Questionnaire) -> tuple[str, str] | None:
    """Field and detail of the first answer that is none of its question's; `None` where all are."""
    items = {item.id: item for item in questionnaire.items}
    for name, value in answers.items():
        if name not in items:
            return f"answers.{name}", "the questionnaire has no such question"
        if value not in items[name].answers and value not in UNANSWERED:
            return f"answers.{name}", "the question has no such answer"
    return None


def rank(document: Mapping[str, Any]) -> tuple[bool, datetime, str]:
    """Which of a person's screenings in a campaign counts: the first that gave a result, and else the first."""
    return document["tier"] == "unknown", document["taken_at"], str(document["_id"])


def tally(document: Mapping[str, Any] | None, needs: frozenset[str]) -> dict[str, int]:
    """What one screening adds to the counters of its site and batch; a repetition is counted as one and no more."""
    if document is None:
        return {}
    counted: dict[str, int] = {}
    state = State(document["state"])
    if state is State.taken and document["double"]:
        counted["doubles"] = 1
    elif state is State.taken:
        counted |= {"taken": 1, f"tier.{document['tier']}": 1, f"route.{document['route']}": 1}
        given = {name: value for name, value in document["answers"].items() if name in needs}
        counted |= {f"needs.{name}.{value}": 1 for name, value in given.items()}
    elif state is not State.refused:
        counted[state.value] = 1
    if state is State.ineligible:
        counted[f"reason.{document['reason']}"] = 1
    if document["flag_id"] is not None:
        counted["flagged"] = 1
    return counted


def progress_of(target: int, counts: Mapping[str, Any]) -> dict[str, Any]:
    """How far a site or batch is; what nobody counted yet is zero."""
    taken = counts.get("taken", 0)
    tiers = counts.get("tier", {})
    return {
        "target": target,
        "taken": taken,
        "outstanding": max(0, target - taken),
        "refused_consent": counts.get("declined", 0),
        "not_eligible": counts.get("ineligible", 0),
        "not_eligible_because": _there(counts.get("reason", {})),
        "doubles": counts.get("doubles", 0),
        "flagged": counts.get("flagged", 0),
        "tiers": {tier.value: tiers.get(tier.value, 0) for tier in ScreeningTier},
        "needs": {name: _there(given) for name, given in counts.get("needs", {}).items() if _there(given)},
    }


def _there(counted: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in sorted(counted.items()) if amount}


def label(text: str) -> str:
    """A stranger's word as it may be repeated: short, and without half a character."""
    return text[:200].encode("utf-8", "replace").decode()


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What to add to counters when a screening changes."""
    names = {*before, *after}
    return {name: amount for name in names if (amount := after.get(name, 0) - before.get(name, 0))}

"""A screening campaign: its states, whom it is for, and who may still be taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from contracts.crisis import CampaignKind as Kind
from contracts.crisis import CampaignState as State

__all__ = [
    "FIXED",
    "NEXT",
    "TAKES",
    "Eligibility",
    "Host",
    "Kind",
    "Residence",
    "Service",
    "State",
    "allows",
    "in_window",
]

NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.running}),
    State.running: frozenset({State.ended}),
    # Running again: a site that was forgotten. What was reported upwards stays as it was reported.
    State.ended: frozenset({State.running, State.reported}),
    State.reported: frozenset(),
}

TAKES = frozenset({State.running, State.ended})
"""Screenings are taken; after the end those that a tablet without a network still holds."""

FIXED = ("kind", "division", "questionnaire", "instruments", "eligibility", "starts", "incident_id")
"""What a campaign that runs does not change any more: one questionnaire for all sites, from the first to the last."""


def allows(present: State, following: State) -> bool:
    """Whether a campaign may move so."""
    return following in NEXT[present]


class Host(StrEnum):
    """The programme at whose occasion people are screened."""

    none = "none"
    physical_exam = "physical_exam"
    family_doctor_contract = "family_doctor_contract"
    family_planning_special_families = "family_planning_special_families"
    self_management_group = "self_management_group"


class Service(StrEnum):
    """What a care point does for a person: 心理健康评估、科普宣传、必要干预、转诊推荐."""

    assessment = "assessment"
    education = "education"
    intervention = "intervention"
    referral = "referral"


class Residence(StrEnum):
    resident = "resident"
    temporary = "temporary"
    elsewhere = "elsewhere"


@dataclass(frozen=True)
class Eligibility:
    """Whom a campaign is for; an empty rule is for everyone."""

    min_age: int | None = None
    max_age: int | None = None
    residence: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def unknown(self, age: int | None, residence: str | None, group: str | None) -> str | None:
        """The field that the rule needs and that was not given."""
        if age is None and (self.min_age or self.max_age is not None):
            return "age"
        if residence is None and self.residence:
            return "residence"
        return "group" if group is None and self.groups else None

    def reason_against(self, age: int | None, residence: str | None, group: str | None) -> str | None:
        """Why this person is not one of the campaign's; `None` for one who is."""
        if age is not None and self.min_age is not None and age < self.min_age:
            return "too_young"
        if age is not None and self.max_age is not None and age > self.max_age:
            return "too_old"
        if self.residence and residence not in self.residence:
            return "not_resident"
        return "not_in_group" if self.groups and group not in self.groups else None


def day_of(text: str) -> date:
    """A day as a campaign keeps it."""
    return date.fromisoformat(text)


def in_window(day: date, starts: date, ends: date, tolerance_days: int) -> bool:
    """Whether a screening of this local day belongs to the campaign."""
    tolerance = timedelta(days=tolerance_days)
    return starts - tolerance <= day <= ends + tolerance

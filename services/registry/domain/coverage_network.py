"""Who is expected to have a place, and who has one: divisions by level, organisations by kind and size."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.registry.domain.coverage import DivisionRule, OrganisationRule
from services.registry.domain.places_labels import CARE_RANK, TIER_DIGITS

_RANK = {"county": 0, "town": 1, "village": 2}


@dataclass(frozen=True)
class Standing:
    """An open place as far as the rules ask."""

    division: str
    type: str
    tier: str | None
    care_level: str | None
    organisation_id: uuid.UUID | None


@dataclass(frozen=True)
class Coverage:
    """Of the divisions of a rule's level: how many there are, how many have enough, and which have not."""

    required: int
    there: int
    lacking: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where there is nobody to have one."""
        return round(self.there / self.required, 4) if self.required else None


def of_divisions(rule: DivisionRule, codes: Sequence[str], places: Iterable[Standing]) -> Coverage:
    """`codes` are the divisions of the rule's level."""
    have: Counter[str] = Counter()
    for place in places:
        if _counts(rule, place):
            have[place.division[: TIER_DIGITS[rule.level]]] += 1
    lacking = tuple(code for code in codes if have[code] < rule.at_least)
    return Coverage(len(codes), len(codes) - len(lacking), lacking)


def _counts(rule: DivisionRule, place: Standing) -> bool:
    if place.type not in rule.types or len(place.division) < TIER_DIGITS[rule.level]:
        return False
    if rule.care_level and CARE_RANK.get(place.care_level or "", 0) < CARE_RANK[rule.care_level]:
        return False
    if place.tier is None:
        return rule.inside or len(place.division) == TIER_DIGITS[rule.level]
    return _RANK[place.tier] >= _RANK[rule.level] if rule.inside else place.tier == rule.level


class Answer(StrEnum):
    """What becomes of an organisation under a rule."""

    there = "there"
    lacking = "lacking"
    advised = "advised"
    missing = "missing"
    not_applicable = "not_applicable"


@dataclass(frozen=True)
class Unit:
    """An organisation and what is recorded of its size; None where nobody has told."""

    ident: uuid.UUID
    kind: str
    headcount: int | None = None
    hospital_class: str | None = None
    hospital_level: int | None = None
    purchased_until: date | None = None


def of_unit(rule: OrganisationRule, unit: Unit, own: Iterable[str], today: date) -> Answer:
    """`own` are the types of the open places that the organisation has."""
    applies = _applies(rule, unit)
    if applies is False:
        return Answer.not_applicable
    if applies is None:
        return Answer.missing
    bought = rule.purchase_counts and unit.purchased_until is not None and unit.purchased_until >= today
    if bought or set(own).intersection(rule.types):
        return Answer.there
    return Answer.advised if rule.recommended else Answer.lacking


def _applies(rule: OrganisationRule, unit: Unit) -> bool | None:
    """None where what decides is not known; a single no is enough for no."""
    if unit.kind not in rule.kinds:
        return False
    answers: list[bool | None] = []
    if rule.hospital_class is not None:
        answers.append(None if unit.hospital_class is None else unit.hospital_class == rule.hospital_class)
    if rule.hospital_level is not None:
        answers.append(None if unit.hospital_level is None else unit.hospital_level >= rule.hospital_level)
    if rule.headcount_at_least is not None:
        answers.append(None if unit.headcount is None else unit.headcount >= rule.headcount_at_least)
    if rule.headcount_below is not None:
        answers.append(None if unit.headcount is None else unit.headcount < rule.headcount_below)
    return False if False in answers else None if None in answers else True

"""Public emergencies: the incident's states, its areas, its levels, and the register of those affected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from contracts.base import Answer
from contracts.crisis import EmergencyLevel
from contracts.hotline import AgeBand, HotlineLevel

CODE_LENGTHS = (12, 9, 6, 4, 2)
MINORS = frozenset({AgeBand.under_14.value, AgeBand.from_14_to_17.value})
UNKNOWN = AgeBand.unknown.value


class IncidentState(StrEnum):
    """Declared is open at once; active once a named person leads it; after-care once the danger is over."""

    declared = "declared"
    active = "active"
    aftercare = "aftercare"
    closed = "closed"


NEXT: dict[IncidentState, frozenset[IncidentState]] = {
    IncidentState.declared: frozenset({IncidentState.active}),
    IncidentState.active: frozenset({IncidentState.aftercare}),
    # Back to active when it breaks out again, an aftershock for example.
    IncidentState.aftercare: frozenset({IncidentState.active, IncidentState.closed}),
    IncidentState.closed: frozenset(),
}


def allows(present: IncidentState, following: IncidentState) -> bool:
    """Whether an incident may move so."""
    return following in NEXT[present]


class Exposure(StrEnum):
    """How a person was affected, the nearest first."""

    bereaved = "bereaved"
    directly_affected = "directly_affected"
    rescuer = "rescuer"
    witness = "witness"
    displaced = "displaced"


def reduce_areas(codes: Iterable[str]) -> list[str]:
    """Each area once, and none that lies within another; sorted."""
    kept: list[str] = []
    for code in sorted(set(codes), key=lambda code: (len(code), code)):
        if not any(code.startswith(wider) for wider in kept):
            kept.append(code)
    return sorted(kept)


def common_division(areas: Sequence[str]) -> str:
    """The smallest division that holds all areas; empty for areas of several provinces."""
    for length in CODE_LENGTHS:
        heads = {area[:length] for area in areas}
        if len(heads) == 1 and all(len(area) >= length for area in areas):
            return heads.pop()
    return ""


def chain_of(division: str) -> list[str]:
    """The division and all those above it, the finest first."""
    return [division[:length] for length in CODE_LENGTHS if length <= len(division)]


def lies_in(division: str, areas: Iterable[str]) -> bool:
    return any(division.startswith(area) for area in areas)


def gravest(levels: Iterable[HotlineLevel]) -> HotlineLevel | None:
    """The highest of the levels that were given."""
    order = (HotlineLevel.high, HotlineLevel.moderate, HotlineLevel.low)
    given = set(levels)
    return next((level for level in order if level in given), None)


def lowers(previous: EmergencyLevel, level: EmergencyLevel) -> bool:
    return level.gravity < previous.gravity


def merge_registrations(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of a person from all the times that somebody registered the person, in whatever order they came.

    The nearest exposure counts; once said to be a minor, a minor; what was said last about consent and place stands,
    and not to be asked is no answer in an earlier one's place.
    """
    ordered = sorted(rows, key=lambda row: (row["recorded_at"], str(row["id"])))
    exposures = {Exposure(row["category"]) for row in ordered}
    categories = [one.value for one in Exposure if one in exposures]
    said = [row["consent"] for row in ordered if row["consent"] not in (Answer.not_asked, Answer.unknown)]
    unknown = [row["consent"] for row in ordered if row["consent"] != Answer.not_asked]
    ages = [row["age_band"] for row in ordered if row["age_band"] != AgeBand.unknown]
    young = [age for age in ages if age in MINORS]
    return {
        "category": categories[0],
        "categories": categories,
        "division": ordered[-1]["division"],
        "age_band": AgeBand.under_14.value if AgeBand.under_14 in young else (young or ages or [UNKNOWN])[-1],
        "minor": bool(young),
        "consent": (said or unknown or [Answer.not_asked.value])[-1],
        "registered_at": ordered[0]["recorded_at"],
    }

"""The 15-minute circle: which villages lie within a walk of a place, which do not, and of which nobody knows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from services.registry.domain.places_labels import TYPES
from services.registry.domain.versions import PolicyPart, Source, Versioned

EARTH_METRES = 6_371_008.8
"""Mean radius of the earth (IUGG)."""
DATUMS = {"wgs84": "WGS-84", "cgcs2000": "CGCS2000", "gcj02": "GCJ-02", "bd09": "BD-09"}
"""Coordinate systems; those of the common map services lie up to several hundred metres beside the geodetic ones."""
_GROUND = {"wgs84": "geodetic", "cgcs2000": "geodetic", "gcj02": "gcj02", "bd09": "bd09"}


class Circle(PolicyPart):
    """How far a walk goes: minutes × speed / detour, as the crow flies."""

    minutes: Annotated[float, Field(gt=0)]
    minutes_source: Source
    metres_per_minute: Annotated[float, Field(gt=0)]
    speed_source: Source
    detour: Annotated[float, Field(ge=1)]
    detour_source: Source
    types: tuple[str, ...]
    types_source: Source

    @property
    def metres(self) -> float:
        """The radius in a straight line."""
        return self.minutes * self.metres_per_minute / self.detour


class DivisionRule(PolicyPart):
    """Every division of a level has so many open places of one of these types."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
    text: Annotated[str, Field(min_length=2, max_length=120)]
    level: str
    types: tuple[str, ...]
    care_level: str | None = None
    at_least: Annotated[int, Field(ge=1)] = 1
    inside: bool = Field(False, description="A place of a finer division counts for the division that it lies in.")
    recommended: bool = False
    source: Source


class OrganisationRule(PolicyPart):
    """Organisations of these kinds have an open place of one of these types."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
    text: Annotated[str, Field(min_length=2, max_length=120)]
    kinds: tuple[str, ...]
    types: tuple[str, ...]
    hospital_class: str | None = None
    hospital_level: int | None = None
    headcount_at_least: int | None = None
    headcount_below: int | None = None
    purchase_counts: bool = False
    recommended: bool = False
    source: Source


class CoveragePolicy(Versioned):
    circle: Circle
    division_rules: tuple[DivisionRule, ...]
    organisation_rules: tuple[OrganisationRule, ...]

    def named_types(self) -> set[str]:
        """Every type that the policy speaks of; a word that is no type is a slip of the pen."""
        of_divisions = {kind for rule in self.division_rules for kind in rule.types}
        return set(self.circle.types) | of_divisions | {kind for rule in self.organisation_rules for kind in rule.types}

    def model_post_init(self, _: object) -> None:
        if unknown := self.named_types() - TYPES.keys():
            raise ValueError(f"there is no type {sorted(unknown)}")


@dataclass(frozen=True)
class Point:
    """Degrees, and the coordinate system that they are told in."""

    latitude: float
    longitude: float
    datum: str

    @property
    def ground(self) -> str:
        """Points of the same ground can be compared, others are hundreds of metres apart where they are the same."""
        return _GROUND[self.datum]


def metres_between(one: Point, other: Point) -> float:
    """Along the great circle (haversine)."""
    low, high = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    half = math.sin((high - low) / 2) ** 2 + math.cos(low) * math.cos(high) * math.sin(across / 2) ** 2
    return 2 * EARTH_METRES * math.asin(math.sqrt(min(1.0, half)))


def walk_minutes(one: Point, other: Point, circle: Circle) -> float:
    return metres_between(one, other) * circle.detour / circle.metres_per_minute


class State(StrEnum):
    covered = "covered"
    uncovered = "uncovered"
    unknown = "unknown"


class Way(StrEnum):
    """How it is known."""

    coordinates = "coordinates"
    same_village = "same_village"
    declared = "declared"
    nothing_near = "nothing_near"
    no_place_in_town = "no_place_in_town"
    village_without_point = "village_without_point"
    place_without_point = "place_without_point"


@dataclass(frozen=True)
class Place:
    """An open place. `neighbours` are villages that the registrar declares to be within the walk."""

    ident: str
    division: str
    point: Point | None
    neighbours: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Village:
    code: str
    point: Point | None


@dataclass(frozen=True)
class Reached:
    """A village: covered or not, how that is known, by which place, and how many minutes away where measured."""

    village: str
    state: State
    way: Way
    place: str | None = None
    minutes: float | None = None


class _Near:
    """Points in cells as wide as the circle, so that only a few need to be measured."""

    def __init__(self, places: Iterable[Place], circle: Circle) -> None:
        self._circle = circle
        self._step = math.degrees(circle.metres / EARTH_METRES) * 1.01
        self._cells: dict[tuple[str, int, int], list[Place]] = defaultdict(list)
        for place in places:
            if place.point is not None:
                self._cells[self._cell(place.point)].append(place)

    def nearest(self, point: Point) -> tuple[float, Place] | None:
        """The nearest place within the walk."""
        ground, row, _ = self._cell(point)
        found: list[tuple[float, str, Place]] = []
        for near in (row - 1, row, row + 1):
            column = self._column(near, point.longitude)
            for across in (column - 1, column, column + 1):
                for place in self._cells.get((ground, near, across), ()):
                    assert place.point is not None
                    found.append((walk_minutes(point, place.point, self._circle), place.ident, place))
        within = [one for one in found if one[0] <= self._circle.minutes]
        if not within:
            return None
        minutes, _, place = min(within, key=lambda one: one[:2])
        return minutes, place

    def _cell(self, point: Point) -> tuple[str, int, int]:
        row = math.floor(point.latitude / self._step)
        return point.ground, row, self._column(row, point.longitude)

    def _column(self, row: int, longitude: float) -> int:
        # A degree of longitude is shortest at the end of the row that is farther from the equator.
        farthest = min(89.0, max(abs(row), abs(row + 1)) * self._step)
        return math.floor(longitude * math.cos(math.radians(farthest)) / self._step)


def reached(villages: Iterable[Village], places: Sequence[Place], circle: Circle) -> list[Reached]:
    """Every village: by coordinates where both are known, else by its own place or a declared neighbour.

    A village without a place near is uncovered only where that is sure: a place of the same town, or of its county
    alone, whose position nobody has told, or told in another system, leaves it unknown.
    """
    near = _Near(places, circle)
    inside: dict[str, list[Place]] = defaultdict(list)
    declared: dict[str, Place] = {}
    by_area: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        inside[place.division].append(place)
        by_area[place.division[:9]].append(place)
        for code in place.neighbours:
            declared.setdefault(code, place)
    return [_reached(village, near, inside, declared, by_area) for village in villages]


def _reached(
    village: Village,
    near: _Near,
    inside: dict[str, list[Place]],
    declared: dict[str, Place],
    by_area: dict[str, list[Place]],
) -> Reached:
    code = village.code
    if village.point is not None and (found := near.nearest(village.point)):
        minutes, place = found
        return Reached(code, State.covered, Way.coordinates, place.ident, round(minutes, 1))
    ground = village.point.ground if village.point else None
    for place in inside.get(code, ()):
        if ground is None or place.point is None or place.point.ground != ground:
            return Reached(code, State.covered, Way.same_village, place.ident)
    if code in declared:
        return Reached(code, State.covered, Way.declared, declared[code].ident)
    around = [*by_area.get(code[:9], ()), *(by_area.get(code[:6], ()) if len(code) > 6 else ())]
    if village.point is None:
        way = Way.village_without_point if around else Way.no_place_in_town
        return Reached(code, State.unknown, way)
    if any(place.point is None or place.point.ground != ground for place in around):
        return Reached(code, State.unknown, Way.place_without_point)
    return Reached(code, State.uncovered, Way.nothing_near)

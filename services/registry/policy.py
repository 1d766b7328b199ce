"""The registry's policies: those that ship, and a district's own, which come first where the version is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chassis.policies import Versions, load_versions
from services.registry.domain.coverage import CoveragePolicy
from services.registry.domain.people_policy import PeoplePolicy
from services.registry.domain.places_policy import PlacesPolicy
from services.registry.domain.staffing import StaffingPolicy
from services.registry.domain.standards import Standards
from services.registry.domain.versions import Versioned

SHIPPED = Path(__file__).parent / "policies"
V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class Policies:
    """One field for each part; what each holds is said by its model."""

    people: Versions[PeoplePolicy]
    places: Versions[PlacesPolicy]
    standards: Versions[Standards]
    coverage: Versions[CoveragePolicy]
    staffing: Versions[StaffingPolicy]

    @classmethod
    def load(cls, folder: Path | None = None) -> Policies:
        """Raises `ValueError` that names the file and the place in it."""
        return cls(
            places=_part(PlacesPolicy, "places", folder),
            standards=_part(Standards, "standards", folder),
            coverage=_part(CoveragePolicy, "coverage", folder),
            staffing=_part(StaffingPolicy, "staffing", folder),
            people=_part(PeoplePolicy, "people", folder),
        )


def _part(model: type[V], part: str, folder: Path | None) -> Versions[V]:
    return load_versions(model, SHIPPED / part, folder / part if folder else None)

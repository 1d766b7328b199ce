"""The registry's policies: those that ship, and a district's own, which come first where the version is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from contracts.policies import Versions, load_versions
from services.registry.domain.coverage import CoveragePolicy
from services.registry.domain.gate import GatePolicy
from services.registry.domain.insurance import InsurancePolicy
from services.registry.domain.library_policy import LibraryPolicy
from services.registry.domain.people_policy import PeoplePolicy
from services.registry.domain.places_policy import PlacesPolicy
from services.registry.domain.qualifications_policy import QualificationsPolicy
from services.registry.domain.recruitment import RecruitmentPolicy
from services.registry.domain.rosters_policy import RostersPolicy
from services.registry.domain.service_records import ServicePolicy
from services.registry.domain.staffing import StaffingPolicy
from services.registry.domain.standards import Standards
from services.registry.domain.teams_policy import TeamsPolicy
from services.registry.domain.trainings_policy import TrainingsPolicy
from services.registry.domain.versions import Versioned

SHIPPED = Path(__file__).parent / "policies"
V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class Policies:
    """One field for each part; what each holds is said by its model."""

    people: Versions[PeoplePolicy]
    teams: Versions[TeamsPolicy]
    places: Versions[PlacesPolicy]
    standards: Versions[Standards]
    coverage: Versions[CoveragePolicy]
    staffing: Versions[StaffingPolicy]
    library: Versions[LibraryPolicy]
    qualifications: Versions[QualificationsPolicy]
    trainings: Versions[TrainingsPolicy]
    insurance: Versions[InsurancePolicy]
    gate: Versions[GatePolicy]
    rosters: Versions[RostersPolicy]
    service_records: Versions[ServicePolicy]
    recruitment: Versions[RecruitmentPolicy]

    @classmethod
    def load(cls, folder: Path | None = None) -> Policies:
        """Raises `ValueError` that names the file and the place in it."""
        return cls(
            service_records=_part(ServicePolicy, "service_records", folder),
            recruitment=_part(RecruitmentPolicy, "recruitment", folder),
            places=_part(PlacesPolicy, "places", folder),
            standards=_part(Standards, "standards", folder),
            coverage=_part(CoveragePolicy, "coverage", folder),
            staffing=_part(StaffingPolicy, "staffing", folder),
            qualifications=_part(QualificationsPolicy, "qualifications", folder),
            trainings=_part(TrainingsPolicy, "trainings", folder),
            insurance=_part(InsurancePolicy, "insurance", folder),
            gate=_part(GatePolicy, "gate", folder),
            rosters=_part(RostersPolicy, "rosters", folder),
            people=_part(PeoplePolicy, "people", folder),
            library=_part(LibraryPolicy, "library", folder),
            teams=_part(TeamsPolicy, "teams", folder),
        )


def _part(model: type[V], part: str, folder: Path | None) -> Versions[V]:
    return load_versions(model, SHIPPED / part, folder / part if folder else None)

"""The registry's policies: those that ship, and a district's own, which come first where the version is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from contracts.policies import Versions, load_versions
from services.registry.domain.activity_plans_policy import ActivityPlansPolicy
from services.registry.domain.capacity_policy import CapacityPolicy
from services.registry.domain.children import ChildrenPolicy
from services.registry.domain.coverage import CoveragePolicy
from services.registry.domain.gate import GatePolicy
from services.registry.domain.insurance import InsurancePolicy
from services.registry.domain.ledger_policy import LedgerPolicy
from services.registry.domain.library_policy import LibraryPolicy
from services.registry.domain.people_policy import PeoplePolicy
from services.registry.domain.places_policy import PlacesPolicy
from services.registry.domain.projects import ProjectsPolicy
from services.registry.domain.providers_kinds import ProvidersPolicy
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
    children: Versions[ChildrenPolicy]
    projects: Versions[ProjectsPolicy]
    activity_plans: Versions[ActivityPlansPolicy]
    providers: Versions[ProvidersPolicy]
    ledger: Versions[LedgerPolicy]
    capacity: Versions[CapacityPolicy]

    def __post_init__(self) -> None:
        for gate in self.gate:
            services = self.qualifications.at(gate.in_force_from)
            for role in gate.roles:
                if role.service is not None and services.service(role.service) is None:
                    raise ValueError(f"gate {gate.version}: {role.role}: there is no service {role.service}")

        for capacity in self.capacity:
            services = self.qualifications.at(capacity.in_force_from)
            for form in capacity.forms.values():
                for question in form.questions:
                    unknown = [code for code in question.options if services.service(code) is None]
                    if question.services and unknown:
                        raise ValueError(f"capacity {capacity.version}: {question.code}: no service {unknown[0]}")

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
            providers=_part(ProvidersPolicy, "providers", folder),
            activity_plans=_part(ActivityPlansPolicy, "activity_plans", folder),
            projects=_part(ProjectsPolicy, "projects", folder),
            children=_part(ChildrenPolicy, "children", folder),
            ledger=_part(LedgerPolicy, "ledger", folder),
            capacity=_part(CapacityPolicy, "capacity", folder),
        )


def _part(model: type[V], part: str, folder: Path | None) -> Versions[V]:
    return load_versions(model, SHIPPED / part, folder / part if folder else None)

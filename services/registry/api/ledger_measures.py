"""The figures of the ledger, reckoned from what is registered: rooms and centres that pass, teachers who are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document
from services.registry.api.staffing import school_year
from services.registry.api.standards import judged
from services.registry.commands.places_staff import staff_of
from services.registry.domain.ledger import Figure, centres, rooms, teachers
from services.registry.domain.ledger_policy import LedgerPolicy
from services.registry.domain.staffing import required
from services.registry.domain.standards_check import Outcome
from services.registry.policy import Policies
from services.registry.store import coverage as coverage_kept
from services.registry.store import ledger as kept
from services.registry.store import places as places_kept


@dataclass(frozen=True)
class Reckoner:
    """Reckons figures as things stand at a moment."""

    database: Database
    policies: Policies
    moment: datetime

    @property
    def policy(self) -> LedgerPolicy:
        return self.policies.ledger.at(self.moment)

    async def figure(self, measure: str, division: str) -> Figure:
        """Raises `Refused` where there are too many schools to be counted at once."""
        match measure:
            case "school_rooms":
                return await self._school_rooms(division)
            case "minor_centres":
                return await self._minor_centres(division)
            case "full_time_teachers":
                return await self._teachers(division)
        raise ValueError(measure)

    async def shown(self, measure: str, division: str, target: int) -> Document:
        """A figure with what it means and under which rules it was reckoned."""
        return self.as_told(measure, await self.figure(measure, division), target)

    def as_told(self, measure: str, found: Figure, target: int) -> Document:
        rule = self.policy.measures[measure]
        standards = self.policies.standards.at(self.moment).version if rule.standard else None
        return {
            "measure": measure,
            "label": rule.label,
            "unit": rule.unit,
            "reached": found.reached,
            "of": found.of,
            "unknown": found.unknown,
            "percent": found.percent,
            "target": target,
            "met": found.meets(target),
            "standard": rule.standard,
            "standards_version": standards,
            "source": rule.source,
        }

    async def _school_rooms(self, division: str) -> Figure:
        schools = await self._schools(division)
        passing = dict.fromkeys((school["_id"] for school in schools), False)
        places = await places_kept.places_of(self.database, list(passing))
        for place in await self._pass([one for one in places if one["type"] == "school_room"], "school_rooms"):
            passing[place["organisation_id"]] = True
        return rooms(passing)

    async def _minor_centres(self, division: str) -> Figure:
        """A centre is the prefecture's where its host is registered there, and the county's otherwise."""
        wanted: set[str] = set()
        for digits in (4, 6):
            wanted |= {row["_id"] for row in await coverage_kept.divisions_of_level(self.database, division, digits)}
        places = await kept.open_places_of_type(self.database, division, "minor_centre")
        passing = await self._pass(places, "minor_centres")
        hosts = await kept.organisations_named(
            self.database, [one["organisation_id"] for one in passing if one["organisation_id"]]
        )
        stands_for = set()
        for place in passing:
            host = hosts.get(place["organisation_id"])
            of_prefecture = host is not None and len(host["division"]) == 4
            stands_for.add(place["division"][: 4 if of_prefecture else 6])
        return centres(wanted, stands_for)

    async def _teachers(self, division: str) -> Figure:
        schools = await self._schools(division)
        idents = [school["_id"] for school in schools]
        policy = self.policies.staffing.at(self.moment)
        year = school_year(policy)
        # In the first weeks of a school year a school is measured by what it told of the last one.
        told = {
            **await coverage_kept.enrolments_of(self.database, idents, year - 1),
            **await coverage_kept.enrolments_of(self.database, idents, year),
        }
        linked: dict[UUID, set[UUID]] = defaultdict(set)
        for place in await places_kept.places_of(self.database, idents):
            for one in place["staff"] or ():
                if one["occupation"] == "psychology_teacher" and one["full_time"]:
                    linked[place["organisation_id"]].add(one["person_id"])
        working = await kept.still_working(self.database, _all(linked.values()))
        needs = []
        for ident in idents:
            row = told.get(ident)
            wanted = None if row is None else required(row["students"], policy.students_for_one)
            needs.append((wanted, len({working[one] for one in linked[ident] if one in working})))
        return teachers(needs)

    async def _schools(self, division: str) -> list[Document]:
        schools = await coverage_kept.organisations_within(self.database, division, ["school"])
        if len(schools) > coverage_kept.MANY:
            raise Refused("too_wide", "学校太多，请选更小的区划", "division")
        return schools

    async def _pass(self, places: list[Document], measure: str) -> list[Document]:
        """Those of the places that pass the standard in force now, with the staff who are still there."""
        name = self.policy.measures[measure].standard
        standards = self.policies.standards.at(self.moment)
        if name is None or name not in standards.standards:
            raise Refused("unknown_standard", f"标准库中没有 {name}", "measure")
        staff = await self.database.look(lambda tx: staff_of(tx, places, self.policies))
        passing = []
        for place in places:
            result = judged(place, staff[place["_id"]], standards.standards[name], standards, name)
            if result["overall"] == Outcome.passed:
                passing.append(place)
        return passing


def _all(groups: Iterable[Iterable[UUID]]) -> set[UUID]:
    return {one for group in groups for one in group}

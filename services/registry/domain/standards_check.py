"""Holding a place against a checklist: what was recorded decides, and the result shows who recorded it and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from services.registry.domain.places_labels import EQUIPMENT, FUNCTIONS, ROOMS
from services.registry.domain.standards import (
    AnyClause,
    EquipmentClause,
    FactClause,
    FunctionsClause,
    NumberClause,
    RoomAreaClause,
    RoomClause,
    RulesClause,
    StaffClause,
    Standard,
    When,
)


class Outcome(StrEnum):
    passed = "pass"
    failed = "fail"
    missing = "missing"
    advised = "advised"
    not_applicable = "not_applicable"


@dataclass(frozen=True)
class Found:
    """What a clause came to, why, and the recorded fields that it rests on."""

    outcome: Outcome
    detail: str
    rests_on: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """What is recorded of a place; None where nobody has recorded the field.

    `facts` are values by name, `rooms` and `staff` documents as the register keeps them.
    """

    facts: Mapping[str, bool | float] = field(default_factory=dict)
    rooms: Sequence[Mapping[str, Any]] | None = None
    equipment: Sequence[str] | None = None
    functions: Sequence[str] | None = None
    staff: Sequence[Mapping[str, Any]] | None = None
    rules: int | None = None


@dataclass(frozen=True)
class Checked:
    """All clauses with what was found, in their order, and what it comes to."""

    overall: Outcome
    clauses: tuple[tuple[AnyClause, Found], ...]

    def counts(self) -> Counter[str]:
        return Counter(found.outcome.value for _, found in self.clauses)


def check(standard: Standard, site: Site) -> Checked:
    """Every clause of a standard; one failure fails the whole, one thing not known leaves it missing."""
    clauses = tuple((clause, _judged(clause, site)) for clause in standard.clauses)
    binding = {found.outcome for clause, found in clauses if not clause.recommended}
    overall = next((one for one in (Outcome.failed, Outcome.missing) if one in binding), Outcome.passed)
    return Checked(overall, clauses)


def _judged(clause: AnyClause, site: Site) -> Found:
    if clause.when is not None:
        applies = _applies(clause.when, site)
        if applies is None:
            return Found(Outcome.missing, "适用条件尚未记录", (f"facts.{clause.when.fact}",))
        if not applies:
            return Found(Outcome.not_applicable, "不适用", (f"facts.{clause.when.fact}",))
    found = _found(clause, site)
    if clause.recommended and found.outcome is Outcome.failed:
        return Found(Outcome.advised, f"建议项：{found.detail}", found.rests_on)
    return found


def _applies(when: When, site: Site) -> bool | None:
    value = site.facts.get(when.fact)
    if value is None:
        return None
    low = when.at_least is None or value >= when.at_least
    return low and (when.below is None or value < when.below)


def _found(clause: AnyClause, site: Site) -> Found:
    match clause:
        case FactClause():
            return _fact(clause, site)
        case NumberClause():
            return _number(clause, site)
        case RoomClause():
            return _room(clause, site)
        case RoomAreaClause():
            return _room_area(clause, site)
        case EquipmentClause():
            return _equipment(clause, site)
        case StaffClause():
            return _staff(clause, site)
        case FunctionsClause():
            return _functions(clause, site)
        case RulesClause():
            return _rules(clause, site)


def _fact(clause: FactClause, site: Site) -> Found:
    value = site.facts.get(clause.fact)
    where = (f"facts.{clause.fact}",)
    if value is None:
        return Found(Outcome.missing, "尚未记录", where)
    return _verdict(bool(value), "已记录为符合", "已记录为不符合", where)


def _number(clause: NumberClause, site: Site) -> Found:
    value = site.facts.get(clause.fact)
    where = (f"facts.{clause.fact}",)
    if value is None:
        return Found(Outcome.missing, "尚未记录", where)
    good = (clause.at_least is None or value >= clause.at_least) and (clause.at_most is None or value <= clause.at_most)
    return _verdict(good, f"记录为 {value:g}", f"记录为 {value:g}，要求 {_bounds(clause)}", where)


def _bounds(clause: NumberClause | RoomAreaClause) -> str:
    low = f"不小于 {clause.at_least:g}" if clause.at_least is not None else ""
    high = f"不大于 {clause.at_most:g}" if clause.at_most is not None else ""
    return "、".join(filter(None, (low, high)))


def _room(clause: RoomClause, site: Site) -> Found:
    if site.rooms is None:
        return Found(Outcome.missing, "房间尚未登记", ("rooms",))
    count = sum(room["kind"] == clause.room for room in site.rooms)
    label = ROOMS[clause.room]
    return _verdict(count > 0, f"{label} {count} 间", f"没有{label}", ("rooms",))


def _room_area(clause: RoomAreaClause, site: Site) -> Found:
    if site.rooms is None:
        return Found(Outcome.missing, "房间尚未登记", ("rooms",))
    areas = [room["area_m2"] for room in site.rooms if room["kind"] == clause.room]
    known = [area for area in areas if area is not None]
    outside = [area for area in known if not clause.at_least <= area <= clause.at_most]
    if outside:
        told = "、".join(f"{area:g}" for area in outside)
        return Found(Outcome.failed, f"面积 {told} 平方米，要求 {_bounds(clause)}", ("rooms",))
    if not areas or len(known) < len(areas):
        return Found(Outcome.missing, "面积尚未登记", ("rooms",))
    return Found(Outcome.passed, f"{len(areas)} 间均符合", ("rooms",))


def _equipment(clause: EquipmentClause, site: Site) -> Found:
    rooms = [room for room in site.rooms or () if clause.room in (None, room["kind"])]
    lists = [room["equipment"] for room in rooms] + ([site.equipment] if clause.room is None else [])
    where = ("rooms",) if clause.room else ("equipment", "rooms")
    if all(one is None for one in lists):  # of a room that is not registered nothing is known either
        return Found(Outcome.missing, "房间尚未登记" if clause.room and not rooms else "设备尚未登记", where)
    there = {item for one in lists for item in one or ()}
    lacking = [group for group in clause.groups if not there.intersection(group)]
    have = len(clause.groups) - len(lacking)
    wanted = clause.at_least or len(clause.groups)
    named = "、".join("或".join(EQUIPMENT[item] for item in group) for group in lacking)
    if have < wanted and any(room["equipment"] is None for room in rooms):
        return Found(Outcome.missing, f"有 {have} 项，还有房间的设备尚未登记；未见：{named}", where)
    return _verdict(have >= wanted, f"有 {have} 项", f"有 {have} 项，要求 {wanted} 项；没有：{named}", where)


def _staff(clause: StaffClause, site: Site) -> Found:
    if site.staff is None:
        return Found(Outcome.missing, "人员尚未登记", ("staff",))
    right = [
        one
        for one in site.staff
        if (not clause.occupations or one["occupation"] in clause.occupations)
        and (clause.time == "any" or one["full_time"] == (clause.time == "full"))
    ]
    if not clause.certificate:
        return _enough(len(right), clause.at_least)
    certified = sum(one["certificate"] is True for one in right)
    perhaps = sum(one["certificate"] is None for one in right)
    if certified < clause.at_least <= certified + perhaps:
        return Found(Outcome.missing, f"{certified} 人持证，{perhaps} 人是否持证尚未核验", ("staff",))
    return _enough(certified, clause.at_least)


def _enough(have: int, wanted: int) -> Found:
    return _verdict(have >= wanted, f"{have} 人", f"{have} 人，要求至少 {wanted} 人", ("staff",))


def _functions(clause: FunctionsClause, site: Site) -> Found:
    if site.functions is None:
        return Found(Outcome.missing, "功能尚未登记", ("functions",))
    there = set(site.functions)
    lacking = [group for group in clause.groups if not there.intersection(group)]
    named = "、".join("或".join(FUNCTIONS[item] for item in group) for group in lacking)
    return _verdict(not lacking, f"{len(clause.groups)} 项齐全", f"没有：{named}", ("functions",))


def _rules(clause: RulesClause, site: Site) -> Found:
    if site.rules is None:
        return Found(Outcome.missing, "制度尚未登记", ("rules",))
    return _verdict(site.rules >= clause.at_least, f"{site.rules} 项制度", "没有制度", ("rules",))


def _verdict(good: bool, yes: str, no: str, where: Iterable[str]) -> Found:
    return Found(Outcome.passed, yes, tuple(where)) if good else Found(Outcome.failed, no, tuple(where))

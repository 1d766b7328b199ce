"""Teams of every kind and level: what they are called, what each has to have, terms, loans, and the tree.

Five levels (省、市、县、乡、村五级志愿服务队伍体系) follow from the division's code. Days are ISO days of
Asia/Shanghai, a term includes its last day, and one without a last day has not ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.registry.domain.relations import Flaw, holds_on
from services.registry.domain.teams_labels import CORE_RING, MEMBER_ROLES, TEAM_TYPES, TeamType

LEVEL_OF_DIGITS = {2: "province", 4: "city", 6: "county", 9: "town", 12: "village"}
RANK = {level: rank for rank, level in enumerate(LEVEL_OF_DIGITS.values())}
THREE_PROFESSIONS = {
    "mental_health": "精神卫生专业人员",
    "psychology": "心理健康专业人员",
    "social_work": "社会工作者",
}
"""由精神卫生和心理健康专业人员、社会工作者等组成的服务队."""


def level_of(division: str) -> str:
    """The level of a division; raises `KeyError` for a code that no division has."""
    return LEVEL_OF_DIGITS[len(division)]


def flaw_in_team(told: Mapping[str, Any], host_kind: str | None) -> Flaw | None:
    """What a team of its type lacks or must not have; `host_kind` is the kind of the organisation that it is of."""
    kind = TEAM_TYPES[told["type"]]
    level = level_of(told["division"])
    if kind.levels and level not in kind.levels:
        return Flaw("wrong_level", f"{kind.label}设在 {'、'.join(kind.levels)} 级", "division")
    if kind.hosts and host_kind not in kind.hosts:
        return Flaw("wrong_host", f"{kind.label}须有所属单位，且其类别为 {'、'.join(kind.hosts)}", "organisation_id")
    if (told["number"] is not None) != kind.numbered:
        return Flaw("bad_number", "专业队须有编号，其他队伍没有", "number")
    if told["highest"] and not kind.governs:
        return Flaw("misplaced", "只有领导小组、工作专班和专门机构可为本级最高统筹机构", "highest")
    if told["problems"] and told["type"] != "expert_b":
        return Flaw("misplaced", "只有“先生团队”按问题类别分组", "problems")
    if told["ring_network"] and not kind.hosts:
        return Flaw("misplaced", "三圈工作网络属于学校", "ring_network")
    return _flaw_in_origin(told, kind)


def _flaw_in_origin(told: Mapping[str, Any], kind: TeamType) -> Flaw | None:
    if kind.external:
        for field in ("origin_region", "valid_from", "valid_until"):
            if told[field] is None:
                return Flaw("missing", "外来救援队须填来源地和有效期的起止", field)
        if told["origin_region"][:2] == told["division"][:2]:
            return Flaw("not_external", "来源地须在本省之外", "origin_region")
    elif told["origin_region"] is not None:
        return Flaw("misplaced", "只有外来救援队填来源地", "origin_region")
    since, until = told["valid_from"], told["valid_until"]
    if since is not None and until is not None and until < since:
        return Flaw("backwards", "有效期的止早于起", "valid_until")
    return None


def flaw_in_parent(division: str, parent: Mapping[str, Any]) -> Flaw | None:
    """A team lies below one of its own or a coarser level, in whose division it is."""
    if not division.startswith(parent["division"]):
        return Flaw("not_above", "上级队伍须属于本级或上级区划", "parent_id")
    return None


def closes_a_circle(
    ident: uuid.UUID, parent: uuid.UUID | None, parent_of: Callable[[uuid.UUID], uuid.UUID | None]
) -> bool:
    """Whether the way up from `parent` comes back to `ident`."""
    passed: set[uuid.UUID] = set()
    while parent is not None and parent not in passed:
        if parent == ident:
            return True
        passed.add(parent)
        parent = parent_of(parent)
    return False


def overlap(since: str, until: str | None, other_since: str, other_until: str | None) -> bool:
    """Whether two stretches of days have a day in common."""
    return (other_until is None or since <= other_until) and (until is None or other_since <= until)


def clashing(term: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Another term of the same person or organisation that shares a day with this one."""
    who = _who(term)
    return next(
        (
            one
            for one in others
            if one["id"] != term["id"]
            and _who(one) == who
            and overlap(term["since"], term["until"], one["since"], one["until"])
        ),
        None,
    )


def _who(term: Mapping[str, Any]) -> tuple[Any, Any]:
    return term.get("person_id"), term.get("organisation_id")


def flaw_in_member(term: Mapping[str, Any], team: Mapping[str, Any]) -> Flaw | None:
    """A member is a person or, in federations and other unions, an organisation; roles belong to types of teams."""
    kind, role = TEAM_TYPES[team["type"]], MEMBER_ROLES[term["role"]]
    if (term["person_id"] is None) == (term["organisation_id"] is None):
        return Flaw("one_of_two", "须填一名人员，或一个机构，二者选一", "person_id")
    if term["organisation_id"] is not None and not kind.unites:
        return Flaw("misplaced", f"{kind.label}没有单位成员", "organisation_id")
    if role.types and team["type"] not in role.types:
        return Flaw("wrong_role", f"{role.label}不是{kind.label}的角色", "role")
    if role.ring and not team["ring_network"]:
        return Flaw("wrong_role", f"{role.label}是三圈工作网络的角色", "role")
    if term["until"] is not None and term["until"] < term["since"]:
        return Flaw("backwards", "任期的止早于起", "until")
    return None


def on_day(terms: Iterable[Mapping[str, Any]], day: str) -> list[Mapping[str, Any]]:
    """The terms that hold on a day."""
    return [term for term in terms if holds_on(term["since"], term["until"], day)]


def ended_term(term: dict[str, Any], today: date) -> dict[str, Any] | None:
    """A term that ends today, with its last day; None for one that would begin later, and one that is over as it is."""
    if term["until"] is not None and term["until"] < today.isoformat():
        return term
    if term["since"] > today.isoformat():
        return None
    return {**term, "until": last_day(term, today)}


def last_day(stretch: Mapping[str, Any], today: date) -> str:
    """The last day of what ends today: yesterday, or today where it began today.

    What would begin later ends on the day before it begins: it holds on no day.
    """
    if stretch["since"] > today.isoformat():
        return (date.fromisoformat(stretch["since"]) - timedelta(days=1)).isoformat()
    return str(max(stretch["since"], (today - timedelta(days=1)).isoformat()))


@dataclass(frozen=True)
class Standing:
    """What a team has on a day, and what it still lacks. `target` is None where nothing is aimed at."""

    members: int
    member_organisations: int
    by_role: dict[str, int]
    rings: dict[str, int]
    professions_missing: tuple[str, ...]
    target: int | None
    missing_to_target: int | None
    valid: bool
    complete: bool


def standing(team: Mapping[str, Any], day: str, school_experts: int) -> Standing:
    """How a team stands on a day; `complete` says that nothing it has to have is missing."""
    present = on_day(team["members"], day)
    people = [term for term in present if term["person_id"] is not None]
    by_role: dict[str, int] = {}
    for term in present:
        by_role[term["role"]] = by_role.get(term["role"], 0) + 1
    rings: dict[str, int] = {}
    if team["ring_network"]:
        rings = dict.fromkeys(("core", "backbone", "member"), 0)
        for term in people:
            if ring := MEMBER_ROLES[term["role"]].ring:
                rings[ring] += 1
    missing: tuple[str, ...] = ()
    if team["type"] == "three_professions":
        there = {term["profession"] for term in people}
        missing = tuple(code for code in THREE_PROFESSIONS if code not in there)
    target = (team["target"] or school_experts) if team["type"] == "school_expert_pool" else team["target"]
    lacking = None if target is None else max(0, target - len(people))
    valid = holds_on(team["valid_from"] or "", team["valid_until"], day)
    return Standing(
        len(people),
        len(present) - len(people),
        dict(sorted(by_role.items())),
        rings,
        missing,
        target,
        lacking,
        valid,
        valid and not missing and not lacking and (not rings or rings[CORE_RING] > 0),
    )


# Loans


def flaw_in_loan(told: Mapping[str, Any], origin: str) -> Flaw | None:
    """Lent is down a level (`sunk`) or between equals (`lateral`), from somewhere else, and with a last day."""
    if told["until"] < told["since"]:
        return Flaw("backwards", "借用期的止早于起", "until")
    if told["division"] == origin:
        return Flaw("nowhere", "借用地与来源地相同", "division")
    if told["kind"] == "sunk" and RANK[level_of(told["division"])] <= RANK[level_of(origin)]:
        return Flaw("not_downward", "力量下沉是由上级到下级", "division")
    return None


# The campus: 学校—学院—班级—宿舍四级网络

CAMPUS = {"school": "学校", "college": "学院（年级）", "class": "班级", "dormitory": "宿舍"}
_ABOVE = {"school": (), "college": ("school",), "class": ("college", "school"), "dormitory": ("class", "college")}


def flaw_in_campus_unit(level: str, above: str | None) -> Flaw | None:
    """Each level lies below the one before; schools without colleges have their classes directly."""
    allowed = _ABOVE[level]
    if (above is None) != (not allowed) or (above is not None and above not in allowed):
        names = "、".join(CAMPUS[one] for one in allowed) or "任何单位"
        detail = f"{CAMPUS[level]}{'须' if allowed else '不'}在{names}之下"
        return Flaw("wrong_level", detail, "parent_id")
    return None

"""Places: what is told of one, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.registry.domain.places_labels import TIER_DIGITS, TYPES

NAME_LIMIT = 128
MEDICAL = frozenset({"hospital", "primary_care"})
"""The kinds of organisation inside which psychotherapy is allowed."""

PARENTS = {
    "practice_office": frozenset({"practice_centre"}),
    "practice_station": frozenset({"practice_office", "practice_centre"}),
}
_TIER_OF = {"practice_centre": "county", "practice_office": "town", "practice_station": "village"}
_RANK = {"county": 0, "town": 1, "village": 2}


@dataclass(frozen=True)
class Flaw:
    """What is wrong, and in which field."""

    reason: str
    detail: str
    field: str


@dataclass(frozen=True)
class Span:
    """Open on a weekday (1 is Monday) from a minute of the day up to another; 1440 is midnight."""

    weekday: int
    opens: int
    closes: int


def read_minute(text: str) -> int:
    """`08:30` as minutes; `24:00` is the end of the day. Raises `ValueError`."""
    hour, sign, minute = text.partition(":")
    if not (sign and len(hour) == len(minute) == 2 and f"{hour}{minute}".isascii() and f"{hour}{minute}".isdigit()):
        raise ValueError("a time is written as 08:30")
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > 24 * 60:
        raise ValueError("there is no such time of day")
    return found


def written(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def flaw_in_hours(spans: Sequence[Span]) -> Flaw | None:
    """Two spans of a weekday may not overlap, and each ends after it begins."""
    last: dict[int, int] = {}
    for span in sorted(spans, key=lambda one: (one.weekday, one.opens)):
        if span.closes <= span.opens:
            return Flaw("bad_hours", f"周{span.weekday} 的结束时间须晚于开始时间", "hours")
        if span.opens < last.get(span.weekday, 0):
            return Flaw("bad_hours", f"周{span.weekday} 的开放时间有重叠", "hours")
        last[span.weekday] = span.closes
    return None


def open_minutes(spans: Sequence[Span]) -> int:
    """How many minutes a week a place is open."""
    return sum(span.closes - span.opens for span in spans)


def flaw_in_place(told: dict[str, Any], organisation_kind: str | None) -> Flaw | None:
    """What is wrong with a place as told; `organisation_kind` is that of the host, None where there is none."""
    division = told["division"]
    if len(division) < 6:
        return Flaw("division_too_coarse", "场所须登记到区县或更细的区划", "division")
    if told["grid"] and len(division) != 12:
        return Flaw("grid_without_village", "填写网格号时，区划须到村（居）", "grid")
    fixed = _TIER_OF.get(told["type"])
    if fixed and told["tier"] not in (None, fixed):
        return Flaw("bad_tier", f"{TYPES[told['type']].label}只能是 {fixed} 一级", "tier")
    if told["tier"] and len(division) < TIER_DIGITS[told["tier"]]:
        return Flaw("bad_tier", "层级比所在区划更细，请把区划登记到同一层级", "tier")
    if told["type"] == "activity_venue" and told["venue"] is None:
        return Flaw("missing", "活动阵地须写明场馆类型", "venue")
    if "therapy" in (told["functions"] or ()) and organisation_kind not in MEDICAL:
        detail = "心理治疗只能在医疗机构内开展（精神卫生法第五十一条），请填写所属医疗机构或去掉此项"
        return Flaw("therapy_outside_medicine", detail, "functions")
    if told["fees"] and TYPES[told["type"]].group == "network" and told["type"] not in ("centre", "minor_centre"):
        return Flaw("station_with_fees", "收费标准只由中心公示，站点没有此项", "fees")
    return None


def flaw_in_parent(child: dict[str, Any], parent: dict[str, Any]) -> Flaw | None:
    """A parent stands one or more tiers above, and its division holds the child's."""
    wanted = PARENTS.get(child["type"])
    if wanted is not None and parent["type"] not in wanted:
        return Flaw("bad_parent", "文明实践站上级为所（或中心），所的上级为中心", "parent_id")
    if child["tier"] is None or parent["tier"] is None or _RANK[parent["tier"]] >= _RANK[child["tier"]]:
        return Flaw("bad_parent", "上级场所的层级须高于本场所，两者都要写明层级", "parent_id")
    if not child["division"].startswith(parent["division"][: TIER_DIGITS[parent["tier"]]]):
        return Flaw("bad_parent", "上级场所须在同一上级区划内", "parent_id")
    return None


def tier_of(kind: str, told: str | None) -> str | None:
    """The tier as told, or the one that the type has by itself."""
    return told or _TIER_OF.get(kind)

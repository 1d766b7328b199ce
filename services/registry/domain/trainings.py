"""Trainings: who teaches whom and what, who passed, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """A session of a course: announced, held, or called off."""

    planned = "planned"
    held = "held"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.held, State.cancelled}),
    State.held: frozenset(),
    State.cancelled: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


LEVELS = {"nation": "国家级", "province": "省级", "city": "市级", "county": "县级", "unit": "单位、学校"}
AUDIENCES = {
    "leaders": "心理专业志愿服务组织负责人",
    "counsellors": "县、乡心理咨询人员",
    "stations": "村（社区）、学校等基层心理咨询站点人员",
    "teachers": "教师",
    "clinicians": "基层和临床医师",
    "cadres": "领导干部",
    "volunteers": "志愿者",
    "peers": "心理委员、宿舍舍长",
    "members": "心理协会会员及理事",
    "care_points": "关爱点人员",
}
AUDIENCE_OF = {"province": "leaders", "city": "counsellors", "county": "stations"}
"""省级培训组织负责人，市级培训县、乡心理咨询人员，县级指导培训村（社区）、学校站点: whom a tier teaches at least."""

FIELDS = {"education": "教育", "medical": "医疗卫生", "community": "基层", "enterprise": "企事业单位", "party": "党政"}
TYPES = {
    "routine": "日常培训",
    "pre_service": "岗前培训",
    "lecture": "知识讲座",
    "residency": "精神科专业住院医师规范化培训",
    "transfer": "精神科医师转岗培训",
    "commissioned": "委托高校培养",
    "party_school": "党校培训",
}
TOPICS = {
    "pre_service": "岗前辅导和技能培训",
    "ethics_privacy": "恪守职业道德、保护服务对象个人隐私",
    "early_recognition": "心理健康问题的及时发现和早期干预",
    "new_students": "新生常见心理问题的处理方法和技巧",
    "psychology_at_work": "从心理学角度开展工作",
    "peer_support": "朋辈心理支持",
    "school_mental_health": "学校心理健康教育知识和技能",
    "elderly_care": "老年心理关爱",
    "cadre_mental_health": "领导干部心理健康教育",
    "foundations": "心理学基础知识",
    "theory": "基本理论",
    "skills": "操作技能",
    "professional_ethics": "职业伦理",
}


@dataclass(frozen=True)
class Programme:
    """A programme of courses; who has passed every topic may be given its certificate."""

    label: str
    topics: frozenset[str]
    certificate: str


PROGRAMMES = {
    "mental_health_guide": Programme(
        "心理健康指导师培养项目",
        frozenset({"foundations", "theory", "skills", "professional_ethics"}),
        "mental_health_guide",
    )
}


def left_of(programme: Programme, passed: Iterable[str]) -> list[str]:
    """The topics of a programme that are still to be passed, in the order of the list."""
    missing = programme.topics - set(passed)
    return [topic for topic in TOPICS if topic in missing]


def has_passed(attended: bool, score: int | None, pass_score: int | None) -> bool:
    """Who was not there has not passed, and neither has who has no score where one is asked for."""
    return attended and (pass_score is None or (score is not None and score >= pass_score))


def lasts_until(day: date, months: int | None) -> date | None:
    """The last day on which a training counts; None where it counts for good."""
    if months is None:
        return None
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = 28 if month + 1 == 2 else 30 if month + 1 in (4, 6, 9, 11) else 31
    return date(year, month + 1, min(day.day, last))


@dataclass(frozen=True)
class Effect:
    """How a skill was before and after, over those who were measured twice; no means of fewer than `few` people."""

    people: int
    before: float | None
    after: float | None
    change: float | None


def each_session_once(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What one person attended, a session under two entries once: as passed, where it is passed under one of them."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        known = found.get(row["session_id"])
        if known is None or (row["passed"], row["minutes"]) > (known["passed"], known["minutes"]):
            found[row["session_id"]] = row
    return list(found.values())


def effect(pairs: Sequence[tuple[int, int]], few: int) -> Effect:
    """`pairs` are scores from 0 to 100, before and after."""
    count = len(pairs)
    if count < max(few, 1):
        return Effect(count, None, None, None)
    before = sum(one for one, _ in pairs) / count
    after = sum(other for _, other in pairs) / count
    return Effect(count, round(before, 2), round(after, 2), round(after - before, 2))


@dataclass(frozen=True)
class Reached:
    """How many of those who should be trained are; `percent` is rounded down, so that 100 means everybody."""

    people: int
    trained: int
    target: int

    @property
    def percent(self) -> float | None:
        return None if not self.people else self.trained * 1000 // self.people / 10

    @property
    def met(self) -> bool | None:
        """None where there is nobody to train: that is no success."""
        return None if not self.people else self.trained * 100 >= self.target * self.people

"""A unit's plan of a mental health activity: what it holds, and the way from a draft to what was held.

Form and content are agreed to by the content supervisor whom the guidance relation names. What was agreed to is that
very plan: a changed one is submitted again, and without the agreement nothing is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from services.registry.domain.activity_plans_policy import SIGNS_OFF, PlanBounds
from services.registry.domain.relations import Flaw, guides_of


class State(StrEnum):
    drafted = "drafted"
    submitted = "submitted"
    returned = "returned"
    signed_off = "signed_off"
    held = "held"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.drafted: frozenset({State.submitted, State.cancelled}),
    State.submitted: frozenset({State.returned, State.signed_off, State.drafted, State.cancelled}),
    State.returned: frozenset({State.submitted, State.cancelled}),
    State.signed_off: frozenset({State.held, State.drafted, State.cancelled}),
    State.held: frozenset(),
    State.cancelled: frozenset(),
}
"""Back to `drafted` is a withdrawal by the unit itself, which is how a plan is changed."""

LABELS = {
    State.drafted: "草拟",
    State.submitted: "待指导签批",
    State.returned: "退回修改",
    State.signed_off: "已签批",
    State.held: "已开展",
    State.cancelled: "已取消",
}
EDITABLE = frozenset({State.drafted, State.returned})
UNSIGNED = "未经内容指导签批"
"""What is shown beside a plan that nobody has agreed to."""


def allows(present: State, following: State) -> bool:
    """Whether the table has the step."""
    return following in NEXT[present]


FORMS: Mapping[str, str] = MappingProxyType(
    {
        "lecture": "讲座",
        "publicity": "宣传教育活动",
        "themed": "主题活动",
        "handing_out": "手册、宣传品发放",
        "group": "团体辅导",
        "counselling": "心理咨询与疏导",
        "home_visit": "入户疏导、陪伴",
        "training": "培训",
        "performance": "心理剧等文艺活动",
        "online": "线上活动",
        "other": "其他",
    }
)


@dataclass(frozen=True)
class Content:
    """What an activity is about; `kinds` (of organisations) bounds who may plan it where it is not empty."""

    label: str
    kinds: tuple[str, ...] = ()


CONTENTS: Mapping[str, Content] = MappingProxyType(
    {
        "awareness": Content("心理健康意识的培养和重要性"),
        "stress_emotion": Content("压力管理技巧与情绪管理"),
        "prevention": Content("心理疾病预防和早期发现"),
        "sleep_anxiety": Content("改善睡眠质量与减轻焦虑"),
        "marriage_parenting": Content("婚姻与亲子关系建设"),
        "adolescents": Content("青少年心理健康问题与应对策略"),
        "stigma": Content("正视精神心理问题，消除偏见与歧视"),
        "hardship_care": Content("困难群体精神关爱"),
        "self_help": Content("心理健康自助和自我提升"),
        "patients_families": Content("严重精神障碍患者等的家庭心理疏导、健康宣教", ("primary_care", "hospital")),
        "other": Content("其他"),
    }
)
"""The themes that the district's plan recommends; the last but one is for primary units, which may add it."""


def flaw_in_plan(told: Mapping[str, Any], organisation_kind: str, bounds: PlanBounds) -> Flaw | None:
    """What is wrong with a plan by itself."""
    if told["ends_at"] <= told["starts_at"]:
        return Flaw("bad_span", "结束时间须晚于开始时间", "ends_at")
    if told["ends_at"] - told["starts_at"] > timedelta(days=bounds.longest_days):
        return Flaw("too_long", f"一次活动不超过 {bounds.longest_days} 天，请分次报计划", "ends_at")
    if (told["place_id"] is None) == (told["venue"] is None):
        return Flaw("one_of_two", "须填登记的场所，或写明地点，二者选一", "place_id")
    for code in told["contents"]:
        if CONTENTS[code].kinds and organisation_kind not in CONTENTS[code].kinds:
            return Flaw("not_for_this_unit", f"{CONTENTS[code].label}只由基层医疗机构开展", "contents")
    return None


def flaw_in_holding(
    plan: Mapping[str, Any], starts_at: datetime, ends_at: datetime, now: datetime, bounds: PlanBounds
) -> Flaw | None:
    """What is wrong with what is told of an activity that was held."""
    if ends_at <= starts_at:
        return Flaw("bad_span", "结束时间须晚于开始时间", "ends_at")
    if ends_at > now:
        return Flaw("in_future", "活动结束后才能登记", "ends_at")
    if ends_at - starts_at > timedelta(days=bounds.longest_days):
        return Flaw("too_long", f"一次活动不超过 {bounds.longest_days} 天", "ends_at")
    if starts_at < plan["signed"]["at"]:
        return Flaw("before_sign_off", "签批之前开展的活动不能登记", "starts_at")
    if abs(starts_at - plan["starts_at"].astimezone(UTC)) > timedelta(days=bounds.days_moved):
        return Flaw("another_day", f"与计划相差超过 {bounds.days_moved} 天，请另报计划", "starts_at")
    if ends_at < now - timedelta(days=bounds.days_to_report):
        return Flaw("too_late", f"活动结束后 {bounds.days_to_report} 天内登记", "ends_at")
    return None


def supervisions_of(
    organisation: Mapping[str, Any], relations: Sequence[dict[str, Any]], day: str
) -> list[dict[str, Any]]:
    """The relations in force by which somebody answers for form and content of this unit's activities."""
    return [one for one in guides_of(organisation, list(relations), day) if one["kind"] == SIGNS_OFF]


def names(relation: Mapping[str, Any], organisation: str | None, entries: Sequence[Any]) -> bool:
    """Whether a relation names this caller: the named person, or anybody of the guiding unit where none is named.

    `entries` are the ids under which the caller is registered.
    """
    if relation["person_id"] is not None:
        return relation["person_id"] in entries
    return organisation is not None and organisation == str(relation["guide_id"])

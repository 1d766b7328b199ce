"""Which organisation guides, supervises or answers for which, and the departments that papers name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEPARTMENTS = {
    "civil_affairs": "民政",
    "health": "卫生健康",
    "education": "教育",
    "publicity": "宣传（文明办）",
    "political_legal": "政法",
    "public_security": "公安",
    "justice": "司法行政",
    "veterans": "退役军人事务",
    "emergency": "应急管理",
    "finance": "财政",
    "human_resources": "人力资源和社会保障",
    "trade_union": "工会",
    "youth_league": "共青团",
    "women_federation": "妇联",
    "disabled_federation": "残联",
    "red_cross": "红十字会",
    "science_association": "科协",
    "other": "其他",
}

KINDS = {
    "technical_guidance": "技术指导",
    "guiding_unit": "指导单位",
    "content_supervision": "服务内容指导",
    "supervision": "督导评价",
    "cooperation": "协作配合",
}
SUPERVISORS = {
    "college_psychology_teacher": "高校心理教师",
    "cdc_mental_health_section": "疾控中心精神卫生科",
}
"""Who answers for form and content of volunteer activities: in a college its own teacher, in primary units the CDC."""

RESOURCES = {
    "venue": "阵地",
    "team": "队伍",
    "expert": "专家",
    "funds": "资金",
    "equipment": "设备",
    "course": "课程",
    "brand": "志愿服务品牌",
    "other": "其他",
}
CHECK_INS = {"theme_day": "主题党日", "model_post": "党员示范岗", "pledge": "党员承诺践诺", "report": "到社区报到"}


@dataclass(frozen=True)
class Flaw:
    reason: str
    detail: str
    field: str


def flaw_in_relation(
    told: Mapping[str, Any], guide: Mapping[str, Any], guided: Mapping[str, Any] | None
) -> Flaw | None:
    """What does not fit: one guides one organisation or all of a kind in a division, and never itself.

    Only a supervisor of one's own unit has the same organisation on both sides.
    """
    if (told["guided_id"] is None) == (told["guided_kind"] is None):
        return Flaw("one_of_two", "须填一个机构，或一类机构，二者选一", "guided_id")
    own = told["supervisor"] == "college_psychology_teacher"
    if told["supervisor"] is not None and told["kind"] != "content_supervision":
        return Flaw("misplaced", "只有服务内容指导才填由谁指导", "supervisor")
    if told["kind"] == "content_supervision" and told["supervisor"] is None:
        return Flaw("missing", "服务内容指导须填由谁指导", "supervisor")
    if own and (told["guided_id"] != guide["_id"] or guide["kind"] not in ("university", "school")):
        return Flaw("own_unit", "高校心理教师只负责本校的活动", "guided_id")
    if told["guided_id"] == guide["_id"] and not own:
        return Flaw("itself", "不能指导自己", "guided_id")
    if told["supervisor"] == "cdc_mental_health_section":
        kind = guided["kind"] if guided is not None else told["guided_kind"]
        if kind not in ("primary_care", "hospital"):
            return Flaw("not_primary", "疾控中心精神卫生科负责基层医疗机构的活动", "guided_id")
    return None


def holds_on(since: str, until: str | None, day: str) -> bool:
    """Whether a stretch of whole days, `until` included, holds a day; all are ISO days."""
    return since <= day and (until is None or day <= until)


def guides_of(organisation: Mapping[str, Any], relations: list[dict[str, Any]], day: str) -> list[dict[str, Any]]:
    """The relations in force by which this organisation is guided, its own ones before those of its kind."""
    found = [
        one
        for one in relations
        if holds_on(one["since"], one["until"], day)
        and (
            one["guided_id"] == organisation["_id"]
            or (
                one["guided_id"] is None
                and one["guided_kind"] == organisation["kind"]
                and organisation["division"].startswith(one["division"])
            )
        )
    ]
    return sorted(found, key=lambda one: (one["guided_id"] is None, -len(one["division"]), str(one["_id"])))

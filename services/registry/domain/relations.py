"""Which organisation guides, supervises or answers for which, and the departments that papers name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.registry.domain.activity_plans_policy import SIGNS_OFF, ActivityPlansPolicy

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
    "party_mass": "党群",
    "other": "其他",
}

KINDS = {
    "technical_guidance": "技术指导",
    "guiding_unit": "指导单位",
    "content_supervision": "服务内容指导",
    "supervision": "督导评价",
    "cooperation": "协作配合",
}
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
    told: Mapping[str, Any],
    guide: Mapping[str, Any],
    guided: Mapping[str, Any] | None,
    policy: ActivityPlansPolicy,
) -> Flaw | None:
    """What does not fit: one guides one organisation or station, or all of a kind in a division, and never itself.

    Only a supervisor of one's own unit has the same organisation on both sides. Who supervises whom is policy.
    """
    if sum(told[name] is not None for name in ("guided_id", "guided_kind", "place_id")) != 1:
        return Flaw("one_of_three", "须填一个机构、一个站点，或一类机构，三者选一", "guided_id")
    if told["place_id"] is not None and told["supervisor"] is not None:
        return Flaw("misplaced", "对站点的指导不填由谁指导", "supervisor")
    role = policy.supervisor(told["supervisor"])
    if told["supervisor"] is not None and role is None:
        return Flaw("unknown_code", f"须为 {'、'.join(one.code for one in policy.supervisors)} 之一", "supervisor")
    if role is not None and role.kind != told["kind"]:
        return Flaw("misplaced", f"{role.label}的职责是{KINDS[role.kind]}", "supervisor")
    if told["kind"] == SIGNS_OFF and role is None:
        return Flaw("missing", "服务内容指导须填由谁指导", "supervisor")
    own = role is not None and role.own_unit
    if own and told["guided_id"] != guide["_id"]:
        return Flaw("own_unit", "只负责本单位的活动", "guided_id")
    if told["guided_id"] == guide["_id"] and not own:
        return Flaw("itself", "不能指导自己", "guided_id")
    if role is not None:
        if role.guide_kinds and guide["kind"] not in role.guide_kinds:
            return Flaw("wrong_guide", f"这个机构不能是{role.label}", "guide_id")
        kind = guided["kind"] if guided is not None else told["guided_kind"]
        if role.guided_kinds and kind not in role.guided_kinds:
            return Flaw("not_guided", f"{role.label}不负责这类机构", "guided_id")
    return None


def holds_on(since: str, until: str | None, day: str) -> bool:
    """Whether a stretch of whole days, `until` included, holds a day; all are ISO days."""
    return since <= day and (until is None or day <= until)


def lasts_longer(told: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a stretch of whole days ends later than it did, or never any more; what has no `until` is one day.

    Any stretch is longer than one that holds on no day, since it ended before it began.
    """
    until, last = told.get("until"), before.get("until")
    return last is not None and (until is None or until > last or last < before["since"])


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

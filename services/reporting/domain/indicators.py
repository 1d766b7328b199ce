"""The one table of indicators: what is told, its names, its definition, and what it is made of.

The order within a breakdown matters to `disclosure`: the categories that are commonly largest come first, because those
after them are merged first when a count is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.reporting.domain.counting import BOUNDS, BUCKETS

Value = int | float | None


@dataclass(frozen=True)
class Indicator:
    """One figure. `sum_of` names its addends; `mean_of` its sum and its count; without either it is counted itself."""

    id: str
    chinese: str
    english: str
    definition: str
    definition_en: str
    unit: str = "count"
    sum_of: tuple[str, ...] = ()
    mean_of: tuple[str, str] | None = None
    median: bool = False
    outside: bool = True


TIERS = {
    "moderate": ("中危", "moderate"),
    "high": ("高危", "high"),
    "low": ("低危", "low"),
    "imminent": ("危急（正在实施）", "imminent (act in progress)"),
}
CHANNELS = {
    "call": ("电话", "call"),
    "chat": ("网络聊天", "chat"),
    "tree_hole": ("树洞", "tree hole"),
    "sms": ("短信", "text message"),
    "walk_in": ("来访", "walk-in"),
    "other": ("其他渠道", "other channel"),
}
SERVICES = {"police_110": ("110", "police 110"), "ambulance_120": ("120", "ambulance 120")}
STATES = {
    "drafted": ("已起草", "drafted"),
    "sent": ("已发出", "sent"),
    "received": ("已收到", "received"),
    "accepted": ("已接受", "accepted"),
    "declined": ("被拒绝", "declined"),
    "scheduled": ("已预约", "scheduled"),
    "attended": ("已就诊", "attended"),
    "unattended": ("未就诊", "unattended"),
    "completed": ("已完成", "completed"),
    "cancelled": ("已取消", "cancelled"),
    "expired": ("已过期", "expired"),
}
OUTCOMES = {
    "risk_reduced": ("风险降低", "risk reduced"),
    "in_treatment": ("接受治疗中", "in treatment"),
    "declined_further_contact": ("拒绝继续联系", "declined further contact"),
    "lost_contact": ("失去联系", "lost contact"),
    "moved_away": ("迁出", "moved away"),
    "opened_in_error": ("误建", "opened in error"),
    "died": ("死亡", "died"),
}
REASONS = {
    "nobody_on_duty": ("无人值班", "nobody on duty"),
    "everybody_busy": ("人员均忙", "everybody busy"),
    "all_declined_or_silent": ("均谢绝或未应答", "all declined or silent"),
}


def _minutes(seconds: int) -> str:
    return f"{seconds // 3600}小时" if seconds >= 3600 else f"{seconds // 60}分钟"


def _spell(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds // 60} min"


def _table() -> tuple[Indicator, ...]:
    rows: list[Indicator] = []

    def add(ident: str, chinese: str, english: str, definition: str, definition_en: str, **more: Any) -> None:
        rows.append(Indicator(ident, chinese, english, definition, definition_en, **more))

    def breakdown(
        prefix: str, words: Mapping[str, tuple[str, str]], chinese: str, english: str, what: tuple[str, str]
    ) -> tuple[str, ...]:
        for name, (zh, en) in words.items():
            add(f"{prefix}.{name}", f"{chinese}·{zh}", f"{english}, {en}", f"{what[0]}：{zh}", f"{what[1]}: {en}")
        return tuple(f"{prefix}.{name}" for name in words)

    opened = ("当日新建个案", "Cases opened")
    tiers = breakdown("cases.tier", TIERS, "个案", "cases", (f"{opened[0]}，按建案时风险等级", f"{opened[1]}, by tier"))
    by_channel = (f"{opened[0]}，按来源渠道", f"{opened[1]}, by channel")
    channels = breakdown("cases.channel", CHANNELS, "个案", "cases", by_channel)
    add(
        "cases.age.minor",
        "个案·未成年人",
        "cases of minors",
        "来访者不满18周岁的新建个案",
        "Caller known to be under 18",
    )
    add(
        "cases.age.adult_or_unknown",
        "个案·成年或年龄不详",
        "cases of adults or age unknown",
        "来访者已成年或年龄不详的新建个案",
        "Caller of 18 or older, or of unknown age",
    )
    add("cases.total", "新建个案", "cases opened", "当日新建的个案数", "Cases opened, all tiers", sum_of=tiers)
    add(
        "cases.merged",
        "合并的重复个案",
        "cases merged",
        "与同一人的另一个案合并的个案数；不重复的个案为新建减合并加拆分",
        "Cases that were another one's double; distinct cases are those opened, less these, and those split off",
    )
    add("cases.split", "拆分出的个案", "cases split off", "从已有个案拆出的个案数", "Begun with others' flags")
    add("cases.reopened", "重新打开的个案", "cases reopened", "结案后重新打开的次数", "Closed cases opened again")
    joined_what = ("并入已有未结个案的预警", "Flags that joined an open case")
    joined = breakdown("joined.channel", CHANNELS, "并案预警", "flags joined", joined_what)
    add("joined.total", "并案预警", "flags joined", "并入已有未结个案的预警数", joined_what[1], sum_of=joined)
    for own, (name, (zh, en)) in zip(channels, CHANNELS.items(), strict=True):
        add(
            f"flags.channel.{name}",
            f"预警·{zh}",
            f"flags, {en}",
            f"已处理的风险预警（新建个案或并案）：{zh}",
            f"Risk flags that opened or joined a case: {en}",
            sum_of=(own, f"joined.channel.{name}"),
        )
    add(
        "flags.total",
        "风险预警",
        "flags",
        "已处理的风险预警数，新建个案与并案之和",
        "Risk flags that opened a case or joined one",
        sum_of=("cases.total", "joined.total"),
    )
    add("risk.raised", "风险上调", "risk raised", "个案风险等级上调次数", "Times that a case's tier was raised")
    add("risk.lowered", "风险下调", "risk lowered", "经第二人同意的风险等级下调次数", "Times that a tier was lowered")

    add("acknowledgements.on_time", "按时接警", "acknowledged on time", "在时限内接警的次数", "Within the time limit")
    add("acknowledgements.late", "超时接警", "acknowledged late", "超过时限后接警的次数", "After the time limit")
    parts = ("acknowledgements.on_time", "acknowledgements.late")
    add("acknowledgements.total", "接警", "acknowledgements", "接警次数", "Cases acknowledged", sum_of=parts)
    add(
        "acknowledgements.overdue_steps",
        "接警超时升级",
        "overdue steps",
        "接警时限届满、转呼下一角色的次数",
        "Times that the clock ran out and the next role was called",
    )
    add(
        "acknowledgements.seconds",
        "接警用时合计（秒）",
        "seconds to acknowledgement, summed",
        "各次接警用时之和",
        "Sum over acknowledgements, from opening or last raise",
        unit="seconds",
    )
    add(
        "acknowledgements.mean_seconds",
        "平均接警用时（秒）",
        "mean seconds to acknowledgement",
        "接警用时合计除以接警次数",
        "The sum of seconds by the number of acknowledgements",
        unit="seconds",
        mean_of=("acknowledgements.seconds", "acknowledgements.total"),
    )
    add(
        "acknowledgements.median_seconds",
        "接警用时中位数（秒，估计）",
        "median seconds to acknowledgement (estimated)",
        "由接警用时分组估计的中位数",
        "Interpolated within the bucket that holds the median",
        unit="seconds",
        median=True,
        outside=False,
    )
    lower = 0
    for bucket, bound in zip(BUCKETS, (*BOUNDS, None), strict=True):
        zh = f"超过{_minutes(lower)}" if bound is None else f"不超过{_minutes(bound)}"
        en = f"over {_spell(lower)}" if bound is None else f"over {_spell(lower)}, to {_spell(bound)}"
        add(
            f"acknowledgements.within.{bucket}",
            f"接警用时·{zh}",
            f"acknowledgements, {en}",
            f"接警用时分组：{'' if bound is None else f'超过{_minutes(lower)}且'}{zh}的次数",
            f"Histogram bucket: {en}",
            outside=False,
        )
        lower = bound or lower

    for kind, zh, en, what in (
        ("called", "呼叫应急服务", "emergency services called", ("呼叫110/120的次数", "Calls to 110 or 120")),
        ("confirmed", "应急服务到位", "emergency contact confirmed", ("确认已接触当事人", "The service is with them")),
    ):
        addends = breakdown(f"emergency.{kind}", SERVICES, zh, en, what)
        add(f"emergency.{kind}.total", zh, en, what[0], what[1], sum_of=addends)

    breakdown("referrals", STATES, "转介", "referrals", ("进入该状态的转介数", "Referrals that entered the state"))

    add("follow_ups.planned", "计划随访", "follow-ups planned", "随访计划列出的次数", "Dates in plans made")
    add("follow_ups.due", "到期随访", "follow-ups due", "到期的随访数", "Follow-ups that came due")
    add("follow_ups.kept", "完成随访", "follow-ups kept", "联系上当事人的随访数", "The person was reached")
    add(
        "follow_ups.missed",
        "失访",
        "follow-ups missed",
        "最后一次尝试失败或窗口已过的随访数",
        "Not reached in the window",
    )
    add(
        "follow_ups.concluded",
        "已了结随访",
        "follow-ups concluded",
        "完成与失访之和",
        "Kept or missed",
        sum_of=("follow_ups.kept", "follow_ups.missed"),
    )
    add("follow_ups.attempts", "随访尝试", "attempts", "已了结随访的联系尝试次数", "Attempts of concluded follow-ups")

    add("reports.required", "应作强制报告", "reports required", "发现或疑似侵害未成年人的次数", "Harm to a minor")
    made = {"on_time": ("按时", "on time"), "late": ("超时", "late")}
    what_made = ("已向公安机关作出的强制报告", "Mandatory reports made to the police")
    made_paths = breakdown("reports.made", made, "强制报告", "mandatory reports", what_made)
    add("reports.made.total", "强制报告", "mandatory reports", what_made[0], what_made[1], sum_of=made_paths)

    add("responders.offered", "派单", "responders offered", "向响应人员派单的次数", "Offers made to responders")
    add("responders.accepted", "接单", "offers accepted", "响应人员接单的次数", "Offers accepted")
    add("responders.expired", "派单过期", "offers expired", "时限内未应答的派单数", "Offers without an answer in time")
    add("responders.declined", "谢绝派单", "offers declined", "响应人员谢绝的派单数", "Offers declined")
    add(
        "responders.concluded",
        "已了结派单",
        "offers concluded",
        "接单、过期与谢绝之和",
        "Accepted, expired or declined",
        sum_of=("responders.accepted", "responders.expired", "responders.declined"),
    )
    add(
        "responders.seconds",
        "接单用时合计（秒）",
        "seconds to acceptance, summed",
        "各次接单用时之和",
        "Sum over accepted offers",
        unit="seconds",
    )
    add(
        "responders.mean_seconds",
        "平均接单用时（秒）",
        "mean seconds to acceptance",
        "接单用时合计除以接单次数",
        "The sum of seconds by the number of accepted offers",
        unit="seconds",
        mean_of=("responders.seconds", "responders.accepted"),
    )
    reasons = breakdown(
        "coordinator", REASONS, "呼叫协调员", "coordinator called", ("无人可派", "Nobody is left to ask")
    )
    add("coordinator.total", "呼叫协调员", "coordinator called", "无人可派的次数", "Nobody is left", sum_of=reasons)

    outcomes = breakdown("closed", OUTCOMES, "结案", "cases closed", ("结案，按结局", "Cases closed, by outcome"))
    add("closed.total", "结案", "cases closed", "结案个案数", "Cases closed", sum_of=outcomes)
    return tuple(rows)


INDICATORS = _table()
BY_ID = {indicator.id: indicator for indicator in INDICATORS}


def flatten(counters: Mapping[str, Any]) -> dict[str, int]:
    """A nested counter document as amounts by indicator path."""
    flat: dict[str, int] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                walk(f"{prefix}.{name}" if prefix else name, inner)
        else:
            flat[prefix] = int(value)

    walk("", {name: value for name, value in counters.items() if name != "_id"})
    return flat


def figures(amounts: Mapping[str, int]) -> dict[str, Value]:
    """Every indicator of one division and period from its counted amounts. A mean or median of nothing is None."""
    additive = sums(amounts)
    found: dict[str, Value] = dict(additive)
    for indicator in INDICATORS:
        if indicator.mean_of is not None:
            total, count = indicator.mean_of
            found[indicator.id] = mean(additive[total], additive[count])
        elif indicator.median:
            found[indicator.id] = median([amounts.get(f"acknowledgements.within.{name}", 0) for name in BUCKETS])
    return {indicator.id: found[indicator.id] for indicator in INDICATORS}


def sums(amounts: Mapping[str, int]) -> dict[str, int]:
    """The additive indicators alone: counts and sums of seconds."""
    found: dict[str, int] = {}
    for indicator in INDICATORS:
        if indicator.sum_of:
            found[indicator.id] = sum(found[name] for name in indicator.sum_of)
        elif indicator.mean_of is None and not indicator.median:
            found[indicator.id] = amounts.get(indicator.id, 0)
    return found


def mean(total: int, count: int) -> Value:
    """The mean, rounded; None of nothing."""
    return round(total / count) if count else None


def median(buckets: list[int]) -> Value:
    """The median of times counted in the buckets of `BOUNDS`, interpolated; the open bucket gives its lower bound."""
    half = sum(buckets) / 2
    if not half:
        return None
    below, lower = 0, 0
    for count, upper in zip(buckets, (*BOUNDS, None), strict=True):
        if below + count >= half:
            return lower if upper is None else round(lower + (upper - lower) * (half - below) / count)
        below, lower = below + count, upper or lower
    return lower

"""What the counts of the service mean, in the words in which they are answered."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum

from services.crisis.domain.follow_up import LOCAL


class CountedSetting(StrEnum):
    all = "all"
    school = "school"


ACTIVITIES = {
    "assessment": "心理健康评估：期间内完成的筛查（含同一人的重复筛查）、个案评估；不限场所时另计自助测评",
    "intervention": "干预：期间内记入个案的干预记录，以及期间内开始的随访项目",
    "referral": "转介：期间内至少发出过一次的转介单，每单计一次",
    "home_school": "家校共育：期间内学校向家庭发出的告知；另计其中已确认收到的、向班级发出的（不含撤回）",
    "school": "学校口径：学校筛查活动中的筛查；来源、链条、预警方式或关爱对象为学生的个案及其评估、干预、转介",
}
INDICATOR = {
    "denominator": "期间内至少有一次风险标记的学生（同一人计一次；无法确认身份的按个案计）：场所或链条为学校、"
    "来源为学校预警或学校筛查、关爱对象为在校学生",
    "numerator": "其中期间内得到干预的：有干预记录、有志愿者接受任务、转介被机构接受、或随访项目完成一次联系，任一即计",
    "left": "期间内尚未得到以上任何一项干预的学生",
}
FUNNEL = {
    "front.asked": "前端：期间内筛查活动中告知并征求同意的人次（含拒绝）",
    "front.education": "前端：其中接受科普宣传服务的人次",
    "front.publicity_activities": "前端：期间内记入台账的宣传活动场次",
    "front.publicity_participants": "前端：上述宣传活动的参加人次",
    "middle.screened": "中端：期间内完成筛查的人次（同一活动中同一人计一次）",
    "middle.self_tests": "中端：期间内完成的自助测评",
    "middle.screenings_flagged": "中端：筛查中提出风险标记的",
    "middle.concerns": "中端：期间内人工上报的关注",
    "middle.flagged": "中端：期间内至少有一次风险标记的个案",
    "end.intervention": "末端：上述个案中期间内有干预记录的",
    "end.referral_attended": "末端：上述个案中期间内转介已就诊的",
    "end.follow_up_kept": "末端：上述个案中期间内完成至少一次随访的",
    "end.any": "末端：上述个案中期间内得到以上任一项的",
}
"""The last stage follows the middle's flagged cases, so that it can never be more than they are; what came after the
period's last day is not in it.
"""


def bounds(first: date, last: date) -> tuple[datetime, datetime]:
    """The moments from which (inclusive) and until which (exclusive) days of Asia/Shanghai last, both days included."""
    start = datetime.combine(first, time(), LOCAL)
    return start, datetime.combine(last, time(), LOCAL) + timedelta(days=1)


def share(numerator: int, denominator: int) -> float | None:
    """Four digits; nothing where there is nobody to be counted, which is not the same as none."""
    return round(numerator / denominator, 4) if denominator else None

"""Code lists that more than one service writes down and tells, each once, with a version and the words people read.

A code is never used again for another thing; a list that changes has a new version. Who takes a code down keeps the
code alone: it means the same in every later version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Code(StrEnum):
    """A code that is stored and told, and its Chinese words."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Code:
        code = str.__new__(cls, value)
        code._value_ = value
        code.label = label
        return code

    @property
    def group(self) -> Code | None:
        """The code of another list under which this one stands, where the list has groups."""
        return None


class ServiceGroup(Code):
    """The five services, “五为”."""

    elderly = "elderly", "为老"
    young = "young", "为小"
    hardship = "hardship", "为困难群体"
    psychological = "psychological", "为需要心理疏导和情感慰藉群体"
    public = "public", "为社会公共需要"


class ServiceType(Code):
    """The 25 sub-types, numbered by service and place: `3-4` is the fourth of the third service."""

    daily_care = "1-1", "生活照料志愿服务"
    company = "1-2", "精神陪伴志愿服务"
    culture_and_health = "1-3", "文体健康志愿服务"
    digital_help = "1-4", "智慧助老志愿服务"
    active_elderly = "1-5", "老有所为志愿服务"
    ideals = "2-1", "理想信念宣讲志愿服务"
    help_for_children = "2-2", "生活救助志愿服务"
    mental_health_education = "2-3", "心理健康教育志愿服务"
    social_practice = "2-4", "社会实践志愿服务"
    job_training = "2-5", "就业培训志愿服务"
    benefits = "3-1", "送优惠政策志愿服务"
    everyday_help = "3-2", "生活帮扶志愿服务"
    disability = "3-3", "爱心助残志愿服务"
    medical_aid = "3-4", "医疗救助志愿服务"
    skills = "3-5", "技能提升志愿服务"
    legal_aid = "3-6", "法律援助志愿服务"
    experts_five_in = "4-1", "心理专家“五进”志愿服务"
    mental_health_training = "4-2", "心理健康培训志愿服务"
    experts_online = "4-3", "心理专家在线志愿服务"
    theory = "5-1", "理论宣讲志愿服务"
    emergency_rescue = "5-2", "应急救援志愿服务"
    environment = "5-3", "生态环保志愿服务"
    epidemic = "5-4", "疫情防控志愿服务"
    local_governance = "5-5", "基层治理志愿服务"
    civility = "5-6", "文明风尚志愿服务"

    @property
    def group(self) -> ServiceGroup:
        return tuple(ServiceGroup)[int(self.value[0]) - 1]


class ProblemCategory(Code):
    """The three categories under which an academic team sorts psychological problems."""

    developmental = "developmental", "发展性"
    adaptive = "adaptive", "适应性"
    disorder = "disorder", "障碍性"


class ProblemCode(Code):
    """What a psychological problem is about, under one of three categories. It sorts; it never diagnoses.

    Diagnosis belongs to psychiatrists (精神卫生法 art. 29), counsellors do not diagnose (art. 23): a code of the
    category `disorder` says what somebody seeks help about, or what a resource is about.
    """

    study_pressure = "study_pressure", "学业压力"
    exam_anxiety = "exam_anxiety", "考试焦虑"
    adolescence = "adolescence", "青少年心理发育（青春期）"
    life_planning = "life_planning", "生涯规划"
    life_education = "life_education", "生命教育"
    self_confidence = "self_confidence", "自信与自身角色认知"
    romance = "romance", "恋爱情感"
    parenting = "parenting", "亲子关系与子女教育"
    marriage = "marriage", "婚姻与夫妻关系"
    ageing = "ageing", "老年心理健康"
    mental_health_awareness = "mental_health_awareness", "心理健康知识与意识"
    interpersonal = "interpersonal", "人际交往"
    work_adaptation = "work_adaptation", "工作环境适应"
    work_family_conflict = "work_family_conflict", "单位与家庭角色冲突"
    stress = "stress", "压力管理"
    emotion = "emotion", "情绪管理"
    new_students = "new_students", "新生适应"
    left_behind = "left_behind", "留守与困境儿童"
    bullying = "bullying", "校园欺凌"
    family_communication = "family_communication", "家庭沟通障碍"
    divorce = "divorce", "离婚与再婚适应"
    perinatal = "perinatal", "孕产期情绪"
    loneliness = "loneliness", "老年人孤独（空巢、孤寡、失独）"
    disability = "disability", "残疾适应"
    chronic_illness = "chronic_illness", "慢性病适应"
    emergency = "emergency", "突发事件应激"
    grief = "grief", "哀伤"
    reintegration = "reintegration", "回归社会（矫正、刑满释放、戒毒）"
    stigma = "stigma", "偏见与歧视"
    insomnia = "insomnia", "失眠与睡眠质量"
    anxiety = "anxiety", "焦虑"
    depression = "depression", "抑郁"
    ptsd = "ptsd", "创伤后应激障碍"
    autism = "autism", "孤独症"
    dementia = "dementia", "老年痴呆与认知功能退化"
    self_harm = "self_harm", "自伤与自杀"
    aggression = "aggression", "攻击行为"
    psychosis = "psychosis", "精神病性症状"
    substance_use = "substance_use", "药物成瘾"

    @property
    def group(self) -> ProblemCategory:
        return _CATEGORY_OF[self]


_CATEGORY_OF: Mapping[str, ProblemCategory] = MappingProxyType(
    {
        **dict.fromkeys(tuple(ProblemCode), ProblemCategory.adaptive),
        **dict.fromkeys(
            (
                ProblemCode.study_pressure,
                ProblemCode.exam_anxiety,
                ProblemCode.adolescence,
                ProblemCode.life_planning,
                ProblemCode.life_education,
                ProblemCode.self_confidence,
                ProblemCode.romance,
                ProblemCode.parenting,
                ProblemCode.marriage,
                ProblemCode.ageing,
                ProblemCode.mental_health_awareness,
            ),
            ProblemCategory.developmental,
        ),
        **dict.fromkeys(
            (
                ProblemCode.insomnia,
                ProblemCode.anxiety,
                ProblemCode.depression,
                ProblemCode.ptsd,
                ProblemCode.autism,
                ProblemCode.dementia,
                ProblemCode.self_harm,
                ProblemCode.aggression,
                ProblemCode.psychosis,
                ProblemCode.substance_use,
            ),
            ProblemCategory.disorder,
        ),
    }
)


def categories_of(problems: Iterable[str]) -> list[ProblemCategory]:
    """The categories under which these problems stand, each once, in the order of their list.

    Raises `KeyError` for a problem that the list does not have.
    """
    found = {_CATEGORY_OF[code] for code in problems}
    return [category for category in ProblemCategory if category in found]


@dataclass(frozen=True)
class CodeList:
    """One list in its version: where its codes come from, and the codes themselves."""

    version: str
    source: str
    codes: type[Code]


_FIVE_SERVICES = "鲁文明委〔2022〕7号 二: 五为服务的 24 个类型，另加心理专家“五进”，共 25 个"
_THREE_CATEGORIES = "鲁文明办〔2023〕10号 (九) 建专家资料库: 分类归纳针对发展性、适应性、障碍性等心理问题"
_PROBLEMS = "the three categories are the catalogue's; the problems under them are gathered from the district's papers"

CODE_LISTS: Mapping[str, CodeList] = MappingProxyType(
    {
        "service-groups": CodeList("2022-7", _FIVE_SERVICES, ServiceGroup),
        "service-types": CodeList("2022-7", _FIVE_SERVICES, ServiceType),
        "problem-categories": CodeList("2026-11", _THREE_CATEGORIES, ProblemCategory),
        "problem-codes": CodeList("2026-11", _PROBLEMS, ProblemCode),
    }
)
"""The lists by the name under which every service tells them."""

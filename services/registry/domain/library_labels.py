"""The library's code lists, with the names that the papers give them."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "book": "书籍",
    "e_resource": "电子资料",
    "video": "视频",
    "audio": "音频",
    "training_base": "心理培训基地",
}
ON_SHELVES = frozenset({"book", "e_resource", "video", "audio"})
"""Kinds of which a copy may stand on a shelf and be lent."""
HANDED_ON = frozenset({"video", "audio"})
"""Kinds that are handed on as material, each time written down."""

PROBLEM_GROUPS = {"developmental": "发展性", "adaptive": "适应性", "disorder": "障碍性"}


@dataclass(frozen=True)
class Problem:
    """A problem that a resource is about, and which of the three groups it belongs to."""

    label: str
    group: str


PROBLEMS = {
    "study_pressure": Problem("学业压力", "developmental"),
    "exam_anxiety": Problem("考试焦虑", "developmental"),
    "adolescence": Problem("青少年心理发育（青春期）", "developmental"),
    "life_planning": Problem("生涯规划", "developmental"),
    "life_education": Problem("生命教育", "developmental"),
    "self_confidence": Problem("自信与自身角色认知", "developmental"),
    "romance": Problem("恋爱情感", "developmental"),
    "parenting": Problem("亲子关系与子女教育", "developmental"),
    "marriage": Problem("婚姻与夫妻关系", "developmental"),
    "ageing": Problem("老年心理健康", "developmental"),
    "mental_health_awareness": Problem("心理健康知识与意识", "developmental"),
    "interpersonal": Problem("人际交往", "adaptive"),
    "work_adaptation": Problem("工作环境适应", "adaptive"),
    "work_family_conflict": Problem("单位与家庭角色冲突", "adaptive"),
    "stress": Problem("压力管理", "adaptive"),
    "emotion": Problem("情绪管理", "adaptive"),
    "new_students": Problem("新生适应", "adaptive"),
    "left_behind": Problem("留守与困境儿童", "adaptive"),
    "bullying": Problem("校园欺凌", "adaptive"),
    "family_communication": Problem("家庭沟通障碍", "adaptive"),
    "divorce": Problem("离婚与再婚适应", "adaptive"),
    "perinatal": Problem("孕产期情绪", "adaptive"),
    "loneliness": Problem("老年人孤独（空巢、孤寡、失独）", "adaptive"),
    "disability": Problem("残疾适应", "adaptive"),
    "chronic_illness": Problem("慢性病适应", "adaptive"),
    "emergency": Problem("突发事件应激", "adaptive"),
    "grief": Problem("哀伤", "adaptive"),
    "reintegration": Problem("回归社会（矫正、刑满释放、戒毒）", "adaptive"),
    "stigma": Problem("偏见与歧视", "adaptive"),
    "insomnia": Problem("失眠与睡眠质量", "disorder"),
    "anxiety": Problem("焦虑", "disorder"),
    "depression": Problem("抑郁", "disorder"),
    "ptsd": Problem("创伤后应激障碍", "disorder"),
    "autism": Problem("孤独症", "disorder"),
    "dementia": Problem("老年痴呆与认知功能退化", "disorder"),
    "self_harm": Problem("自伤与自杀", "disorder"),
    "aggression": Problem("攻击行为", "disorder"),
    "psychosis": Problem("精神病性症状", "disorder"),
    "substance_use": Problem("药物成瘾", "disorder"),
}

AUDIENCES = {
    "public": "社会公众",
    "children": "未成年人",
    "left_behind_children": "留守儿童、困境儿童",
    "school_students": "中小学生",
    "exam_takers": "中、高考学生",
    "college_students": "大学生",
    "parents": "家长",
    "women": "妇女",
    "expectant_mothers": "孕产妇",
    "couples": "婚姻家庭成员",
    "elderly": "老年人",
    "disabled": "残疾人",
    "office_staff": "机关干部",
    "workers": "企业员工",
    "medical_staff": "医务人员",
    "patients_and_families": "患者及家属",
    "affected_people": "突发事件受影响人员",
    "correction": "社区矫正、刑满释放、戒毒人员",
    "volunteers": "心理志愿者",
    "professionals": "心理专业人员",
}

PURPOSES = {
    "relaxation": "放松减压",
    "sleep": "助眠",
    "mindfulness": "正念冥想",
    "emotion": "情绪调节",
    "companionship": "情感陪伴",
    "focus": "专注学习",
    "teaching": "心理健康教育",
    "popular_science": "心理学知识科普",
    "public_service": "公益宣传",
}
SETTINGS = {
    "commute": "通勤",
    "rest": "休息",
    "exercise": "运动健身",
    "family": "家庭活动",
    "campaign": "心理健康宣传等公益活动",
}
CHANNELS = {
    "broadcast": "广播",
    "screen": "公共屏幕",
    "web": "网站、公众号",
    "group_message": "工作群",
    "medium": "光盘、U盘等介质",
    "on_site": "活动现场",
}
TRAINING = {"group_counselling": "团体心理咨询及辅导", "individual_counselling": "个体心理咨询及辅导"}

LANGUAGES = {
    "zh": "普通话（中文）",
    "zh-dialect": "方言",
    "en": "英语",
    "bo": "藏语",
    "ug": "维吾尔语",
    "mn": "蒙古语",
    "kk": "哈萨克语",
    "ko": "朝鲜语",
    "za": "壮语",
    "ii": "彝语",
    "csl": "中国手语",
    "none": "无语言（音乐、自然声）",
    "other": "其他",
}


@dataclass(frozen=True)
class Licence:
    """What the owner of the rights allows. `hand_on`: yes, no, or `note` where the permission has to be told."""

    label: str
    hand_on: str


LICENCES = {
    "public_domain": Licence("公有领域（含 CC0）", "yes"),
    "cc_by": Licence("CC 署名", "yes"),
    "cc_by_sa": Licence("CC 署名—相同方式共享", "yes"),
    "cc_by_nd": Licence("CC 署名—禁止演绎", "yes"),
    "cc_by_nc": Licence("CC 署名—非商业性使用", "yes"),
    "cc_by_nc_sa": Licence("CC 署名—非商业性使用—相同方式共享", "yes"),
    "cc_by_nc_nd": Licence("CC 署名—非商业性使用—禁止演绎", "yes"),
    "free_for_welfare": Licence("提供单位同意公益免费使用", "yes"),
    "by_permission": Licence("经提供单位逐项许可", "note"),
    "on_site": Licence("仅限馆内、室内使用", "no"),
    "reserved": Licence("版权所有，仅可借阅", "no"),
    "unknown": Licence("未注明", "no"),
}

CODE_LISTS = {
    "kinds": KINDS,
    "problem_groups": PROBLEM_GROUPS,
    "problems": {code: one.label for code, one in PROBLEMS.items()},
    "audiences": AUDIENCES,
    "purposes": PURPOSES,
    "settings": SETTINGS,
    "channels": CHANNELS,
    "training": TRAINING,
    "languages": LANGUAGES,
    "licences": {code: one.label for code, one in LICENCES.items()},
}


def problems_under(tag: str) -> tuple[str, ...]:
    """The problems that a tag stands for: itself, or all of a group; none where it is not known."""
    if tag in PROBLEMS:
        return (tag,)
    return tuple(code for code, one in PROBLEMS.items() if one.group == tag)

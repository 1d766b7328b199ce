"""The library's code lists, with the names that the papers give them."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.codes import ProblemCategory, ProblemCode

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

PROBLEM_GROUPS = {category.value: category.label for category in ProblemCategory}


@dataclass(frozen=True)
class Problem:
    """A problem that a resource is about, and which of the three groups it belongs to."""

    label: str
    group: str


PROBLEMS = {code.value: Problem(code.label, code.group.value) for code in ProblemCode}

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

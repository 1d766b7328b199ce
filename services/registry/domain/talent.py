"""Coded lists about people that neither form asks for, each with the plan that asks for it, and who is preferred.

They stand beside the two lists of the forms in `domain.people` and are never read as those: a lawyer is one of the
professions here and, on 附件1, 8 with the word 律师.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.registry.domain.people import Registration

SOURCES: Mapping[str, str] = MappingProxyType({"organised": "组织推动", "self-registered": "社会发动"})
"""How the person came to register: 组织推动和社会发动相结合."""

PROFESSIONS: Mapping[str, str] = MappingProxyType(
    {
        "teacher": "教师",
        "doctor": "医生",
        "lawyer": "律师",
        "counsellor": "心理咨询师",
        "social-worker": "社会工作者",
    }
)
"""教师、医生、律师、心理咨询师、社会工作者等各类专业人员."""

HONOURS: Mapping[str, str] = MappingProxyType(
    {"moral-model": "道德模范", "model-of-the-times": "时代楷模", "five-elders": "五老"}
)
SKILLS: Mapping[str, str] = MappingProxyType(
    {"agriculture-expert": "农业专家", "senior-craftsman": "资深工匠", "prosperity-leader": "致富能手"}
)
PARENTS: Mapping[str, str] = MappingProxyType({"outstanding-parent": "优秀家长"})
RESCUE: Mapping[str, str] = MappingProxyType({"veteran": "退役军人", "fire-volunteer": "消防志愿者"})
LOCAL_TALENT: Mapping[str, str] = MappingProxyType(
    {
        "rural-culture": "乡土文化人才",
        "science-and-technology": "科技能人",
        "new-worthy": "新乡贤",
        "activity-leader": "群众性活动带头人",
    }
)
TAGS: Mapping[str, str] = MappingProxyType({**HONOURS, **SKILLS, **PARENTS, **RESCUE, **LOCAL_TALENT})

NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        "education": "教育系统",
        "enterprise": "企事业单位系统",
        "medical": "医疗系统",
        "community": "农村及基层社区系统",
    }
)
"""The four systems of a district's network of services."""

WORKFORCE: Mapping[str, str] = MappingProxyType(
    {"occupational": "职业化队伍", "professional": "专业化队伍", "social": "社会化队伍"}
)
"""培养职业化队伍、发展专业化队伍、培育社会化队伍."""

PREFERRED: Mapping[str, str] = MappingProxyType(
    {
        "medical-worker": "医务人员",
        "psychology-teacher": "学校（高校）心理教师",
        "psychology-student": "心理专业学生",
    }
)
"""Whom the plans encourage and guide above all to become volunteers."""

_MEDICAL, _TEACHER, _STUDENT = 3, 4, 7
_SCHOOL_TEACHERS = {4, 5}
_OF_PSYCHOLOGY = "心理"


def preferred_groups(person: Registration) -> tuple[str, ...]:
    """Which of the preferred groups a volunteer is in.

    A teacher is one of psychology by 附件4's qualification 4 or 5, or where post, unit or major say so; a student,
    where the major does, for which 附件1 has no column but the unit's.
    """
    types = set(person.person_types)
    of_psychology = any(_OF_PSYCHOLOGY in text for text in (person.post, person.employer, person.major))
    held = set(person.qualifications)
    found = {
        "medical-worker": _MEDICAL in types,
        "psychology-teacher": bool(held & _SCHOOL_TEACHERS) or (_TEACHER in types and of_psychology),
        "psychology-student": _STUDENT in types and of_psychology,
    }
    return tuple(code for code in PREFERRED if found[code])


def labels_of_all() -> dict[str, dict[str, str]]:
    """Every list with its codes and labels, for forms on a screen."""
    lists = {
        "sources": SOURCES,
        "professions": PROFESSIONS,
        "tags": TAGS,
        "networks": NETWORKS,
        "workforce": WORKFORCE,
        "preferred": PREFERRED,
    }
    return {name: dict(labels) for name, labels in lists.items()}

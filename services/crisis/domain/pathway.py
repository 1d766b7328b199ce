"""A visit's five stages, as a centre for mental health is laid out for them.

接待—心理测评—心理咨询—心理治疗—心理大数据分析 (济兗政办字〔2023〕26号). Psychotherapy is given inside medical
institutions alone (精神卫生法 art. 51), so who acts there has to be one.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    reception = "reception"
    assessment = "assessment"
    counselling = "counselling"
    psychotherapy = "psychotherapy"
    analysis = "analysis"
    ended = "ended"
    left = "left"
    """The person went before the end, or did not come again."""


LABELS: dict[Stage, str] = {
    Stage.reception: "接待",
    Stage.assessment: "心理测评",
    Stage.counselling: "心理咨询",
    Stage.psychotherapy: "心理治疗",
    Stage.analysis: "心理大数据分析",
    Stage.ended: "已结束",
    Stage.left: "中途离开",
}

NEXT: dict[Stage, frozenset[Stage]] = {
    Stage.reception: frozenset({Stage.assessment, Stage.left}),
    Stage.assessment: frozenset({Stage.counselling, Stage.psychotherapy, Stage.analysis, Stage.left}),
    # Assessed again in the course of a treatment, and passed on in both directions.
    Stage.counselling: frozenset({Stage.assessment, Stage.psychotherapy, Stage.analysis, Stage.left}),
    Stage.psychotherapy: frozenset({Stage.assessment, Stage.counselling, Stage.analysis, Stage.left}),
    Stage.analysis: frozenset({Stage.ended}),
    Stage.ended: frozenset(),
    Stage.left: frozenset(),
}

ENDED = frozenset(stage for stage, following in NEXT.items() if not following)
MEDICAL = frozenset({Stage.psychotherapy})
"""The stages that a medical institution alone may give."""


def allows(present: Stage, following: Stage) -> bool:
    """Whether a visit may go on so."""
    return following in NEXT[present]

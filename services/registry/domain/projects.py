"""A project's people: whether it is staffed with who was trained (step 4), and whether they are supported (step 7).

The eight steps are those of 鲁文明办〔2023〕10号; the registry answers for the two that are about people, with counts
that say what is lacking. A project is known by the id that it has in every service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, model_validator

from services.registry.domain.trainings import TOPICS
from services.registry.domain.versions import PolicyPart, Source, Versioned

STEPS = {
    1: "项目认领",
    2: "需求评估",
    3: "方案制定",
    4: "招募培训",
    5: "项目执行",
    6: "效果评估",
    7: "支持保障",
    8: "品牌打造",
}
SUPPORTS = {"transport": "交通", "communication": "通讯", "meals": "餐食", "lodging": "住宿", "insurance": "保险"}
LACKING = {
    "no_call": "没有发布招募",
    "too_few": "招募人数不足",
    "untrained": "还有人未完成岗前培训",
    "not_ready": "还有人不符合上岗条件",
    "nobody": "还没有志愿者",
    "unsupported": "还有人未得到所需支持",
}


class Training(PolicyPart):
    topics: Annotated[tuple[str, ...], Field(min_length=1)]
    source: Source


class Support(PolicyPart):
    needs: tuple[str, ...]
    source: Source


class ProjectsPolicy(Versioned):
    training: Training
    support: Support

    @model_validator(mode="after")
    def known(self) -> ProjectsPolicy:
        if set(self.training.topics) - TOPICS.keys() or set(self.support.needs) - SUPPORTS.keys():
            raise ValueError("a training or a support that is not known")
        return self


@dataclass(frozen=True)
class Member:
    """Somebody in a project: trained or not, the codes of what the gate has against it, and what was given.

    `insured` is whether an insurance of the person holds today.
    """

    trained: bool
    reasons: tuple[str, ...] = ()
    insured: bool = False
    given: frozenset[str] = frozenset()
    incentives: int = 0


@dataclass(frozen=True)
class Step:
    """Where a project stands at a step: met where nothing is lacking."""

    number: int
    counts: dict[str, int]
    lacking: tuple[str, ...]
    by_code: dict[str, int] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return not self.lacking


def recruited_and_trained(needed: int, calls: int, members: Sequence[Member]) -> Step:
    """Step 4. `by_code` counts the people whom the gate has something against, by what it is."""
    trained = sum(one.trained for one in members)
    ready = sum(one.trained and not one.reasons for one in members)
    lacking = []
    if len(members) < needed:
        lacking += ["too_few"] if calls else ["no_call", "too_few"]
    if trained < len(members):
        lacking.append("untrained")
    if any(one.reasons for one in members):
        lacking.append("not_ready")
    codes = Counter(code for one in members for code in set(one.reasons))
    counts = {"needed": needed, "calls": calls, "recruited": len(members), "trained": trained, "ready": ready}
    return Step(4, counts, tuple(lacking), dict(sorted(codes.items())))


def supported(needs: Collection[str], members: Sequence[Member]) -> Step:
    """Step 7. `by_code` counts who was given each support; what a project does not need lacks to nobody."""
    whole = sum(set(needs) <= one.given for one in members)
    lacking = ["nobody"] if not members else ["unsupported"] if whole < len(members) else []
    counts = {"people": len(members), "supported": whole, "incentives": sum(one.incentives for one in members)}
    given = {code: sum(code in one.given for one in members) for code in SUPPORTS}
    return Step(7, counts, tuple(lacking), given)

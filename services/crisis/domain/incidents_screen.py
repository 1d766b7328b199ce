"""The incident's quick screen: whom to talk to first. It raises attention and lowers nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.base import Answer
from contracts.hotline import HotlineLevel
from services.crisis.domain.incidents import gravest
from services.crisis.domain.incidents_policy import ScreenPolicy


@dataclass(frozen=True)
class Found:
    """Whether somebody has to look at the person, and how gravely the screen itself speaks."""

    positive: bool
    level: HotlineLevel | None


def find_out(answers: Mapping[str, Answer], asked_of_all: Iterable[Answer], policy: ScreenPolicy) -> Found:
    """As many yeses as the policy says, or one to a question that raises by itself; or one to what every contact is
    asked: an act, a plan, an attempt, harm to a minor.
    """
    yes = {item for item, answer in answers.items() if answer is Answer.yes}
    levels = [row.raises for row in policy.questions if row.raises is not None and row.item in yes]
    if len(yes) >= policy.positive_from:
        levels.append(policy.positive_level)
    return Found(bool(levels) or Answer.yes in asked_of_all, gravest(levels))

"""From what was asked and answered to a tier. Nothing that is known lowers it; what is not known may raise it."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Answer, Tier
from contracts.hotline import HotlineLevel, RiskFlagged
from services.crisis.domain.policy import ItemRule, Policy
from services.crisis.domain.window import within

HOTLINE_TIERS = {HotlineLevel.high: Tier.high, HotlineLevel.moderate: Tier.moderate, HotlineLevel.low: Tier.low}


@dataclass(frozen=True)
class Finding:
    """The tier of a flag, every rule that held, and whether the danger still has to be asked about."""

    tier: Tier
    evidence: tuple[str, ...]
    assessment_needed: bool
    unasked: tuple[str, ...] = ()
    """The questions about the danger that nobody asked."""


def assess(flag: RiskFlagged, policy: Policy) -> Finding:
    """The highest tier that any rule gives; `low` where a flag gives no more than itself."""
    held: list[tuple[Tier, str]] = []
    rules = policy.tiering
    for answer_rule in rules.answers:
        if getattr(flag, answer_rule.question) is answer_rule.answer:
            held.append((answer_rule.tier, f"{answer_rule.question}={answer_rule.answer}"))
    for rating_rule in rules.ratings:
        rating = getattr(flag, rating_rule.question)
        if isinstance(rating, int) and rating >= rating_rule.from_:
            held.append((rating_rule.tier, f"{rating_rule.question}>={rating_rule.from_}"))
    if flag.hotline_level in HOTLINE_TIERS:
        held.append((HOTLINE_TIERS[flag.hotline_level], f"hotline_level={flag.hotline_level}"))
    held += _from_instrument(flag, policy)
    unanswered = [q for q in rules.unanswered.questions if getattr(flag, q) not in (Answer.yes, Answer.no)]
    if unanswered:
        held.append((rules.unanswered.tier, f"unanswered:{','.join(unanswered)}"))
    tier = Tier.highest([Tier.low, *(tier for tier, _ in held)])
    unasked = tuple(q for q in rules.unanswered.questions if getattr(flag, q) is Answer.not_asked)
    return Finding(tier, tuple(reason for _, reason in held), bool(unanswered), unasked)


def _from_instrument(flag: RiskFlagged, policy: Policy) -> list[tuple[Tier, str]]:
    if flag.assessment is None:
        return []
    taken = flag.assessment
    held: list[tuple[Tier, str]] = []
    for total_rule in policy.tiering.totals:
        if taken.instrument == total_rule.instrument and taken.total is not None and taken.total >= total_rule.from_:
            held.append((total_rule.tier, f"{taken.instrument}>={total_rule.from_}"))
    said_yes = [answer for answer in taken.answers if answer.answer is Answer.yes]
    for item_rule in policy.tiering.items:
        if taken.instrument != item_rule.instrument:
            continue
        for answer in said_yes:
            if answer.item == item_rule.item and _asks_about(answer.window, item_rule):
                held.append((item_rule.tier, f"{taken.instrument}.{answer.item}=yes"))
    return held


def _asks_about(window: str | None, rule: ItemRule) -> bool:
    """Whether a yes about this window is a yes about the rule's: a week lies within a month."""
    return not rule.windows or any(within(window, wide) for wide in rule.windows)

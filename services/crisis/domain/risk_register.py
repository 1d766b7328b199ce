"""The risk register of a project or plan: what may happen, how likely and how severe, who answers, and what is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from services.crisis.domain.ledger_policy import RiskBounds


class RiskState(StrEnum):
    open = "open"
    mitigated = "mitigated"
    occurred = "occurred"
    closed = "closed"


NEXT: dict[RiskState, frozenset[RiskState]] = {
    RiskState.open: frozenset({RiskState.mitigated, RiskState.occurred}),
    # What was done against it did not hold: it is open again.
    RiskState.mitigated: frozenset({RiskState.open, RiskState.closed, RiskState.occurred}),
    RiskState.occurred: frozenset({RiskState.mitigated, RiskState.closed}),
    RiskState.closed: frozenset(),
}
LIVE = frozenset({RiskState.open, RiskState.mitigated, RiskState.occurred})
"""It is looked at again on its review date."""


class RegisterState(StrEnum):
    draft = "draft"
    """A revision of an approved register is one again, until another person approves it."""
    approved = "approved"


class RiskLevel(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"


def allows(present: RiskState, following: RiskState) -> bool:
    """Whether a risk may move so."""
    return following in NEXT[present]


def level(likelihood: int, severity: int, bounds: RiskBounds) -> RiskLevel:
    """Likelihood times severity, by the policy's bounds."""
    product = likelihood * severity
    if product >= bounds.high_from:
        return RiskLevel.high
    return RiskLevel.medium if product >= bounds.medium_from else RiskLevel.low


def next_review(risks: Iterable[Mapping[str, Any]]) -> str | None:
    """The first day (ISO 8601) on which one of the risks is to be looked at again; none where all are closed."""
    return min((risk["review_on"] for risk in risks if risk["state"] in LIVE), default=None)


def overdue(risks: Iterable[Mapping[str, Any]], today: str) -> list[str]:
    """The ids of the risks whose day has gone by unreviewed."""
    return [risk["id"] for risk in risks if risk["state"] in LIVE and risk["review_on"] < today]

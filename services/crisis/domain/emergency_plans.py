"""Emergency plans: their states, what one needs to be approved, and the schedule of batches that one may carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class PlanState(StrEnum):
    draft = "draft"
    approved = "approved"
    superseded = "superseded"
    """A later version of the same division and kind was approved."""
    withdrawn = "withdrawn"


NEXT: dict[PlanState, frozenset[PlanState]] = {
    PlanState.draft: frozenset({PlanState.approved, PlanState.withdrawn}),
    PlanState.approved: frozenset({PlanState.superseded, PlanState.withdrawn}),
    PlanState.superseded: frozenset(),
    PlanState.withdrawn: frozenset(),
}

PSYCHOLOGICAL = "psychological-part"
"""The section that no plan is approved without, whatever a district's policy says: 精神卫生法 art. 14."""
RISK_PLAN = "risk-plan"
"""The section in whose place an approved risk register may stand."""


def allows(present: PlanState, following: PlanState) -> bool:
    """Whether a plan may move so."""
    return following in NEXT[present]


def missing_sections(sections: Iterable[Mapping[str, Any]], required: Iterable[str]) -> list[str]:
    """The sections that an approval needs and that are not there, or are empty."""
    there = {section["code"] for section in sections if section["text"].strip()}
    wanted = dict.fromkeys([PSYCHOLOGICAL, *required])
    return [code for code in wanted if code not in there]


def batch_mistake(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The first mistake in a schedule of batches as (place, what is wrong); the schedule is there so that people do
    not crowd, so two batches at one place may not overlap.
    """
    numbers = [row["batch"] for row in rows]
    if numbers != list(range(1, len(rows) + 1)):
        return "batches", "the batches are numbered from 1, one after another"
    for number, row in enumerate(rows):
        if row["ends_at"] <= row["starts_at"]:
            return f"batches.{number}.ends_at", "a batch ends after it starts"
        for before in rows[:number]:
            same = before["place"] == row["place"]
            if same and row["starts_at"] < before["ends_at"] and before["starts_at"] < row["ends_at"]:
                return f"batches.{number}.starts_at", f"it overlaps with batch {before['batch']} at the same place"
    return None

"""Marks on a person: what the next one who meets the person should know, for a time.

A mark informs. It lowers no tier, blocks no flag, and once its time is over it is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

KEPT = 50
"""Marks that a person's document keeps, those that have ended included; the audit log has all."""


def live(marks: Iterable[dict[str, Any]], moment: datetime) -> list[dict[str, Any]]:
    """The marks that hold at a moment, those that end last first."""
    holding = [mark for mark in marks if mark["ended_at"] is None and mark["until"] > moment]
    return sorted(holding, key=lambda mark: (mark["until"], str(mark["id"])), reverse=True)


def with_mark(marks: list[dict[str, Any]], mark: dict[str, Any], moment: datetime) -> list[dict[str, Any]]:
    """A new mark in place of one of its kind that still holds; what ended long ago goes first when there are many."""
    rest = [
        {**one, "ended_at": moment, "ended_by": mark["by"]}
        if one["kind"] == mark["kind"] and _holds(one, moment)
        else one
        for one in marks
    ]
    over = [one for one in rest if not _holds(one, moment)]
    holding = [one for one in rest if _holds(one, moment)]
    return [*over[-(KEPT - len(holding) - 1) :], *holding, mark]


def _holds(mark: dict[str, Any], moment: datetime) -> bool:
    return mark["ended_at"] is None and mark["until"] > moment

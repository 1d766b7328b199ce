"""Turns of duty: none of a volunteer's may overlap, and a 24-hour line has no gap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

LONGEST = timedelta(days=31)
"""A turn longer than this is taken for a slip of the pen."""


@dataclass(frozen=True, order=True)
class Turn:
    """From `starts_at` up to, not including, `ends_at`; aware UTC."""

    starts_at: datetime
    ends_at: datetime


def flaw_in_turn(turn: Turn) -> str | None:
    """What is wrong with a turn by itself; None when nothing is."""
    if turn.ends_at <= turn.starts_at:
        return "a turn of duty must end after it starts"
    if turn.ends_at - turn.starts_at > LONGEST:
        return f"a turn of duty may last {LONGEST.days} days at most"
    return None


def overlapping(turns: Sequence[Turn]) -> tuple[int, int] | None:
    """The positions of two turns that overlap, the later one second; None when no two do."""
    order = sorted(range(len(turns)), key=lambda position: turns[position])
    for before, after in pairwise(order):
        if turns[after].starts_at < turns[before].ends_at:
            return min(before, after), max(before, after)
    return None


def gaps(turns: Iterable[Turn], start: datetime, end: datetime) -> list[Turn]:
    """The stretches of [start, end) that no turn covers, in order, none touching another."""
    uncovered: list[Turn] = []
    covered_to = start
    for turn in sorted(turns):
        if turn.starts_at >= end:
            break
        if turn.starts_at > covered_to:
            uncovered.append(Turn(covered_to, turn.starts_at))
        covered_to = max(covered_to, turn.ends_at)
    if covered_to < end:
        uncovered.append(Turn(covered_to, end))
    return uncovered

"""The time that a question asks about: an ISO 8601 duration up to now, or `ever`."""

from __future__ import annotations

import math
import re

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.ASCII,
)
# Years and months have no length of their own: the shortest and the longest that they can have, in days.
_SHORTEST = {"years": 365, "months": 28, "weeks": 7, "days": 1, "hours": 1 / 24, "minutes": 1 / 1440, "seconds": 0}
_LONGEST = {**_SHORTEST, "years": 366, "months": 31}


def readable(window: str) -> bool:
    """Whether it is `ever` or a duration."""
    return _days(window, _SHORTEST) is not None


def within(window: str | None, wide: str) -> bool:
    """Whether what happened in `window` happened in `wide`. One that is not told, or not readable, counts as inside:
    not to know must not lower.
    """
    if window is None:
        return True
    narrow, limit = _days(window, _SHORTEST), _days(wide, _LONGEST)
    return narrow is None or limit is None or narrow <= limit


def _days(window: str, lengths: dict[str, float]) -> float | None:
    if window == "ever":
        return math.inf
    found = _DURATION.fullmatch(window)
    parts = {name: int(value) for name, value in found.groupdict().items() if value} if found else {}
    return sum(lengths[name] * value for name, value in parts.items()) if parts else None

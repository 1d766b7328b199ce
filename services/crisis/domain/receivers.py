"""Which institution can take a referral: what kind it is, whom it takes, and whether it has a place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class Unfit(StrEnum):
    """Why an institution cannot take a referral."""

    not_receiving = "not_receiving"
    wrong_kind = "wrong_kind"
    not_psychiatric = "not_psychiatric"
    no_minors = "no_minors"
    tier_not_taken = "tier_not_taken"
    full_today = "full_today"
    full_this_week = "full_this_week"


FULL = frozenset({Unfit.full_today, Unfit.full_this_week})


@dataclass(frozen=True)
class Wanted:
    """What a referral needs of its receiver."""

    minor: bool = False
    psychiatric: bool = False
    tier: str = "low"
    kinds: frozenset[str] = frozenset()
    """Kinds of organisation; empty means any."""


@dataclass(frozen=True)
class Places:
    """What was sent to the institution already: today, and in this week."""

    today: int = 0
    week: int = 0


def green(profile: Document | None, tier: str, tiers: Iterable[str], today: date) -> bool:
    """Whether the institution's green channel is open for a tier: it has one, and an agreement is in force."""
    if profile is None or not profile.get("green_channel") or tier not in set(tiers):
        return False
    return bool(in_force(profile, today))


def in_force(profile: Document, today: date) -> list[Document]:
    """The agreements on file that hold on a day; their days are ISO 8601 text, the last one included."""
    day = today.isoformat()
    return [one for one in profile.get("agreements", []) if one["from"] <= day <= one["until"]]


def unfit(
    organisation: Document, profile: Document | None, wanted: Wanted, places: Places, *, by_green_channel: bool = False
) -> Unfit | None:
    """The first reason against; what an institution has not said about itself is no reason."""
    if not organisation["receives"]:
        return Unfit.not_receiving
    if wanted.kinds and organisation["kind"] not in wanted.kinds:
        return Unfit.wrong_kind
    if profile is None:
        return None
    if wanted.psychiatric and profile.get("psychiatric") is False:
        return Unfit.not_psychiatric
    if wanted.minor and profile.get("takes_minors") is False:
        return Unfit.no_minors
    if profile.get("tiers") and wanted.tier not in profile["tiers"]:
        return Unfit.tier_not_taken
    capacity = profile.get("capacity") or {}
    kept = capacity.get("priority_per_day", 0) if by_green_channel else 0
    if capacity.get("per_day") is not None and places.today >= capacity["per_day"] + kept:
        return Unfit.full_today
    if capacity.get("per_week") is not None and places.week >= capacity["per_week"] + 7 * kept:
        return Unfit.full_this_week
    return None


def free_today(profile: Document | None, places: Places) -> int:
    """Places that are left today; many where the institution has set no limit."""
    capacity = (profile or {}).get("capacity") or {}
    return 10_000 if capacity.get("per_day") is None else max(0, int(capacity["per_day"]) - places.today)


def closeness(division: str, organisation: Document) -> int:
    """How much of the area code is shared: the longest common division, in digits."""
    theirs = organisation["division"]
    return max(size for size in (0, 2, 4, 6, 9, 12) if theirs[:size] == division[:size])


def week_of(day: date) -> str:
    """The ISO week of a day, `2026-W47`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"

"""What may be told outside the county, of one month, so that no small count can be worked out.

Outside its county a count from 1 to 9 is withheld (the threshold is a policy's). Everything published is the same for
everybody outside and is settled once for the whole country and month, so that no choice of queries tells more. Told are
months, not days, and counties and what is above them, nothing finer. A zero may be told.

Three additive relations could give a withheld count away: divisions sum to their parent, categories sum to their total,
and both at once. The scheme treats them as follows.

* A breakdown is a chain of splits: cases = moderate + rest, rest = high + rest', and so on. At a division both parts of
  a split are told, or none, and only if the split before it is.
* A division's figure is told only if its parent's is. What is withheld takes everything below with it.
* The divisions under one parent that are withheld form a pool; its sum is no secret, being the parent less the others.
  More divisions are withheld, the smallest first, until the pool protects its members: at least two, and a sum of at
  least the threshold for each part of the split. A pool that cannot be made so takes the parent with it.

Then every withheld count may be anything in an interval at least as wide as the threshold, for whoever knows all that
is told and that counts are not negative. Why: within one breakdown the unknowns are the cells of a table whose rows are
divisions and whose columns are categories, with known sums. A row with fewer splits told has the columns of one with
more, so the table is a staircase, for which Hall's condition gives the extremes of a cell (r its row's sum, u its
column's): at most the least of r, u and what the pool's members hold to the right of a split on the way; at least u
less what the other members hold. Each of these, and each difference that is the width, is one of the sums that the pool
conditions bound from below. Whatever a level higher up assigns can be shared out below it, so levels do not interact,
and neither do two breakdowns of one total. The tests solve the reader's linear programs.

A part that a division tells as zero is zero everywhere below it. The split is none there, and its other part is the sum
over again, told wherever the sum is.

Some indicators follow from another breakdown by a rule that anyone may read in a policy: how many follow-ups a tier
gets, which tiers are referred. They are told only where that breakdown is told completely (`gate`), where they add
nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.reporting.domain.counting import COUNTRY
from services.reporting.domain.indicators import (
    BY_ID,
    CHANNELS,
    OUTCOMES,
    REASONS,
    SERVICES,
    STATES,
    TIERS,
    Value,
    mean,
    sums,
)

FINEST = 6
"""Nothing finer than a county is told outside it."""

Table = Mapping[str, Mapping[str, int]]
"""Counted amounts by division, at every level from the county up, and by indicator path."""


@dataclass(frozen=True)
class Breakdown:
    """A total and the categories that sum to it, in the order in which they are split off."""

    total: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """A count that is part of no other, and its breakdowns, each after the one that tells its total.

    `gate` names the categories that have to be told where this family is to be told.
    """

    root: str
    breakdowns: tuple[Breakdown, ...] = ()
    gate: tuple[str, ...] = ()


def _names(prefix: str, words: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{word}" for word in words)


_BY_TIER = _names("cases.tier", TIERS)
_BY_PUNCTUALITY = ("acknowledgements.on_time", "acknowledgements.late")
_FROM_THE_START = ("drafted", "sent")

FAMILIES: tuple[Family, ...] = (
    Family(
        "flags.total",
        (
            Breakdown("flags.total", ("cases.total", "joined.total")),
            Breakdown("cases.total", _BY_TIER),
            Breakdown("cases.total", _names("cases.channel", CHANNELS)),
            Breakdown("cases.total", ("cases.age.adult_or_unknown", "cases.age.minor")),
            Breakdown("joined.total", _names("joined.channel", CHANNELS)),
        ),
    ),
    Family("risk.raised"),
    Family("risk.lowered"),
    Family("acknowledgements.total", (Breakdown("acknowledgements.total", _BY_PUNCTUALITY),)),
    Family("acknowledgements.seconds", gate=("acknowledgements.total",)),
    Family("acknowledgements.overdue_steps", gate=_BY_PUNCTUALITY),
    *(
        Family(
            f"emergency.{kind}.total",
            (Breakdown(f"emergency.{kind}.total", _names(f"emergency.{kind}", SERVICES)),),
            gate=_BY_TIER,
        )
        for kind in ("called", "confirmed")
    ),
    *(Family(f"referrals.{state}", gate=_BY_TIER if state in _FROM_THE_START else ()) for state in STATES),
    Family("follow_ups.planned", gate=_BY_TIER),
    Family("follow_ups.due"),
    Family(
        "follow_ups.concluded",
        (Breakdown("follow_ups.concluded", ("follow_ups.kept", "follow_ups.missed")),),
    ),
    Family("follow_ups.attempts", gate=("follow_ups.concluded",)),
    Family("responders.offered", gate=_BY_TIER),
    Family(
        "responders.concluded",
        (Breakdown("responders.concluded", ("responders.accepted", "responders.expired", "responders.declined")),),
        gate=_BY_TIER,
    ),
    Family("responders.seconds", gate=("responders.accepted",)),
    Family("coordinator.total", (Breakdown("coordinator.total", _names("coordinator", REASONS)),)),
    Family("closed.total", (Breakdown("closed.total", _names("closed", OUTCOMES)),)),
)

DERIVED: Mapping[str, tuple[str, ...]] = {
    **{f"flags.channel.{name}": BY_ID[f"flags.channel.{name}"].sum_of for name in CHANNELS},
    "acknowledgements.mean_seconds": ("acknowledgements.seconds",),
    "responders.mean_seconds": ("responders.seconds",),
}
"""Figures that are told exactly where those they follow from are."""


@dataclass
class _Country:
    """The divisions that have counts, as a tree."""

    divisions: tuple[str, ...]
    children: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for division in self.divisions:
            if division != COUNTRY:
                self.children.setdefault(_parent(division), []).append(division)

    def below(self, division: str) -> Iterable[str]:
        for child in self.children.get(division, ()):
            yield child
            yield from self.below(child)

    def parents_upwards(self) -> list[str]:
        return sorted(self.children, key=lambda division: (division != COUNTRY, len(division)), reverse=True)


def _parent(division: str) -> str:
    return division[:-2] or COUNTRY


def disclose(table: Table, threshold: int) -> dict[str, dict[str, Value]]:
    """What is told of the month outside, by division and indicator; what is withheld is absent.

    A mean is rounded, and None where there is nothing to take it of.
    """
    country = _Country(tuple(sorted(table, key=lambda division: (division != COUNTRY, len(division), division))))
    values = {division: sums(table[division]) for division in country.divisions}
    told: dict[str, set[str]] = {}
    for family in FAMILIES:
        _settle_family(family, country, values, threshold, told)
    for figure, sources in DERIVED.items():
        told[figure] = set.intersection(*(told[source] for source in sources))
    for division in told["flags.total"]:
        # Flags that all came by one channel are the total over again.
        untold = [channel for channel in _names("flags.channel", CHANNELS) if division not in told[channel]]
        if len(untold) == 1:
            told[untold[0]].add(division)
    published: dict[str, dict[str, Value]] = {division: {} for division in country.divisions}
    for indicator, divisions in told.items():
        mean_of = BY_ID[indicator].mean_of
        for division in divisions:
            value = values[division]
            if mean_of is None:
                published[division][indicator] = value[indicator]
            else:
                published[division][indicator] = mean(value[mean_of[0]], value[mean_of[1]])
    return published


def _settle_family(
    family: Family,
    country: _Country,
    values: Mapping[str, Mapping[str, int]],
    threshold: int,
    told: dict[str, set[str]],
) -> None:
    allowed = set(country.divisions)
    for indicator in family.gate:
        allowed &= told[indicator]
    root = {division: values[division][family.root] for division in country.divisions}
    (told[family.root],) = _settle(country, (root,), allowed, threshold)
    for breakdown in family.breakdowns:
        rest_told = told[breakdown.total]
        rest = {division: values[division][breakdown.total] for division in country.divisions}
        for category in breakdown.categories[:-1]:
            first = {division: values[division][category] for division in country.divisions}
            rest = {division: rest[division] - first[division] for division in country.divisions}
            told[category], rest_told = _settle(country, (first, rest), rest_told, threshold)
        told[breakdown.categories[-1]] = rest_told


def _settle(
    country: _Country, parts: tuple[Mapping[str, int], ...], allowed: set[str], threshold: int
) -> list[set[str]]:
    """The divisions at which each of the parts of a split is told; a total is a split of one part.

    `allowed` are the divisions at which the sum of the parts is told, or the gate is open.
    """

    def size(division: str) -> int:
        return sum(part[division] for part in parts)

    def protects(pool: list[str]) -> bool:
        return len(pool) > 1 and all(sum(part[member] for member in pool) >= threshold for part in parts)

    def withhold(division: str) -> None:
        shown.difference_update({division, *country.below(division)} - nothing)

    # Where a total that is told is zero, so are its parts, and everybody can tell.
    nothing = {division for division in allowed if len(parts) > 1 and not size(division)}
    shown = {
        division
        for division in country.divisions
        if division in allowed and all(part[division] == 0 or part[division] >= threshold for part in parts)
    }
    for parent in country.parents_upwards():
        if parent not in shown:
            withhold(parent)
            continue
        if any(part[parent] == 0 for part in parts):
            # A part that is zero here is zero everywhere below, and the other one is the sum, which is protected.
            continue
        pool = [child for child in country.children[parent] if child not in shown]
        candidates = sorted(
            (child for child in country.children[parent] if child in shown and size(child)),
            key=lambda child: (size(child), child),
        )
        while pool and not protects(pool):
            if not candidates:
                withhold(parent)
                break
            withhold(candidates[0])
            pool.append(candidates.pop(0))
    return [shown | _zero_below(country, part, shown) for part in parts]


def _zero_below(country: _Country, part: Mapping[str, int], shown: set[str]) -> set[str]:
    """Below a division that tells a zero everything is zero, and told so."""
    return {below for division in shown if part[division] == 0 for below in country.below(division)}

"""The reader who works out what is withheld: linear programs over everything that is told.

The relations are written down here once more, from what the words mean, and not taken from the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

CHANNELS = ("call", "chat", "tree_hole", "sms", "walk_in", "other")
TIERS = ("imminent", "high", "moderate", "low")
OUTCOMES = (
    "risk_reduced",
    "in_treatment",
    "declined_further_contact",
    "lost_contact",
    "moved_away",
    "opened_in_error",
    "died",
)
REASONS = ("nobody_on_duty", "everybody_busy", "all_declined_or_silent")

SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("flags.total", ("cases.total", "joined.total")),
    ("cases.total", tuple(f"cases.tier.{tier}" for tier in TIERS)),
    ("cases.total", tuple(f"cases.channel.{channel}" for channel in CHANNELS)),
    ("cases.total", ("cases.age.minor", "cases.age.adult_or_unknown")),
    ("joined.total", tuple(f"joined.channel.{channel}" for channel in CHANNELS)),
    *((f"flags.channel.{name}", (f"cases.channel.{name}", f"joined.channel.{name}")) for name in CHANNELS),
    ("acknowledgements.total", ("acknowledgements.on_time", "acknowledgements.late")),
    ("emergency.called.total", ("emergency.called.police_110", "emergency.called.ambulance_120")),
    ("emergency.confirmed.total", ("emergency.confirmed.police_110", "emergency.confirmed.ambulance_120")),
    ("follow_ups.concluded", ("follow_ups.kept", "follow_ups.missed")),
    ("responders.concluded", ("responders.accepted", "responders.declined", "responders.expired")),
    ("coordinator.total", tuple(f"coordinator.{reason}" for reason in REASONS)),
    ("closed.total", tuple(f"closed.{outcome}" for outcome in OUTCOMES)),
)

FAR = 1e5
"""More than any count here: a bound in place of none, so that every program has a solution."""

Table = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Interval:
    """What a withheld value may be, as far as the reader can tell."""

    least: float
    most: float

    @property
    def width(self) -> float:
        return self.most - self.least


class Attacker:
    """Knows what is told, that parts sum to totals and divisions to parents, and that nothing is negative.

    `rules` are further things the reader knows: of every county, that an indicator is a weighted sum of others.
    """

    def __init__(
        self,
        counties: list[str],
        indicators: list[str],
        told: Table,
        rules: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self._counties = sorted(counties)
        self._column = {
            (county, name): number
            for number, (county, name) in enumerate((c, n) for c in self._counties for n in indicators)
        }
        self._rows: list[dict[int, float]] = []
        self._right: list[float] = []
        known = set(indicators)
        equations = [(total, dict.fromkeys(parts, 1)) for total, parts in SUMS if known.issuperset((total, *parts))]
        equations += [(total, dict(weights)) for total, weights in (rules or {}).items()]
        for county in self._counties:
            for total, weights in equations:
                row = {self._column[county, part]: float(weight) for part, weight in weights.items()}
                self._equation({**row, self._column[county, total]: -1.0}, 0.0)
        for division, figures in told.items():
            for name, value in figures.items():
                if name in known:
                    self._equation(self._of(division, name), float(value))
        self._matrix = self._sparse()

    def interval(self, division: str, indicator: str) -> Interval:
        """What the value of a division may be."""
        wanted = self._sum(division, indicator)
        return Interval(float(wanted @ self._solve(wanted)), float(wanted @ self._solve(-wanted)))

    def narrowed(self, cells: list[tuple[str, str]], width: float) -> dict[tuple[str, str], Interval]:
        """Those of the cells that the reader can narrow to an interval less wide than this.

        Every solution found shows a possible value of every cell, so most cells need no program of their own.
        """
        sums = csr_matrix(np.array([self._sum(*cell) for cell in cells]).reshape(len(cells), len(self._column)))
        least, most = np.full(len(cells), np.inf), np.full(len(cells), -np.inf)
        found = {}
        for number, cell in enumerate(cells):
            for direction in (-1.0, 1.0):
                if most[number] - least[number] >= width:
                    break
                seen = sums @ self._solve(direction * self._sum(*cell))
                least, most = np.minimum(least, seen), np.maximum(most, seen)
            if most[number] - least[number] < width:
                found[cell] = Interval(float(least[number]), float(most[number]))
        return found

    def _sum(self, division: str, indicator: str) -> np.ndarray:
        wanted = np.zeros(len(self._column))
        for column in self._of(division, indicator):
            wanted[column] = 1.0
        return wanted

    def _of(self, division: str, indicator: str) -> dict[int, float]:
        within = "" if division == "0" else division
        return {self._column[county, indicator]: 1.0 for county in self._counties if county.startswith(within)}

    def _equation(self, row: dict[int, float], right: float) -> None:
        self._rows.append(row)
        self._right.append(right)

    def _sparse(self) -> csr_matrix:
        entries = [(number, column, value) for number, row in enumerate(self._rows) for column, value in row.items()]
        rows, columns, values = zip(*entries, strict=True)
        return csr_matrix((values, (rows, columns)), shape=(len(self._rows), len(self._column)))

    def _solve(self, cost: np.ndarray) -> np.ndarray:
        """A possible table at which the cost is least."""
        answer = linprog(cost, A_eq=self._matrix, b_eq=self._right, bounds=(0, FAR), method="highs")
        assert answer.status == 0, answer.message
        return np.asarray(answer.x)

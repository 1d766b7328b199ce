"""Statistics as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.reporting.domain import BY_ID
from services.reporting.domain.indicators import Value

BOM = "\ufeff"
WITHHELD = "*"
NOT_YET = "未发布"
HEADINGS = ("区划代码", "区划名称", "时期")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Row:
    """One division and period. An indicator that is absent is withheld; `figures` is None before they are told."""

    division: str
    name: str
    period: str
    figures: Mapping[str, Value] | None


@dataclass(frozen=True)
class Statistics:
    """An answer: which indicators of which rows, and under which policy."""

    division: str
    by: str
    level: str
    first: date
    last: date
    view: str
    policy: str
    threshold: int
    indicators: Sequence[str]
    rows: Sequence[Row]


def to_json(statistics: Statistics) -> dict[str, Any]:
    """Figures as ``{"value": 12}``, or ``{"value": null, "withheld": true}``; a mean of nothing has the value null."""
    return {
        "division": statistics.division,
        "by": statistics.by,
        "level": statistics.level,
        "from": statistics.first.isoformat(),
        "to": statistics.last.isoformat(),
        "view": statistics.view,
        "policy": {"version": statistics.policy, "threshold": statistics.threshold},
        "rows": [
            {
                "division": row.division,
                "name": row.name,
                "period": row.period,
                "published": row.figures is not None,
                "figures": {} if row.figures is None else _cells(row.figures, statistics.indicators),
            }
            for row in statistics.rows
        ],
    }


def _cells(figures: Mapping[str, Value], indicators: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        name: {"value": figures[name]} if name in figures else {"value": None, "withheld": True} for name in indicators
    }


def to_csv(statistics: Statistics) -> bytes:
    """UTF-8 with a byte order mark, which WPS and Excel want; ``*`` is what is withheld."""
    out = io.StringIO(BOM, newline="")
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out)
    writer.writerow([*HEADINGS, *(BY_ID[name].chinese for name in statistics.indicators)])
    for row in statistics.rows:
        cells = [_cell(row.figures, name) for name in statistics.indicators]
        writer.writerow([plain(row.division), plain(row.name), row.period, *cells])
    return out.getvalue().encode()


def _cell(figures: Mapping[str, Value] | None, name: str) -> str:
    if figures is None:
        return NOT_YET
    if name not in figures:
        return WITHHELD
    value = figures[name]
    return "" if value is None else str(value)


def plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text

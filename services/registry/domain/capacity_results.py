"""What a survey comes to, by division, so that no count of a few people can be read or worked out.

Counts of people are told where they are none or at least `few`. A division in which some count is smaller goes into the
row of the remaining divisions, which holds at least two of them and no small count itself; more divisions join it, the
smallest first, until that is so. A split is told for no division whose people are not told by themselves, so that the
rows of a split and those of its count cannot be set against each other. Where no such rows exist, the whole is told
alone; of a split that has a small count there, more options are withheld until what is withheld is no small count.

The units' own answers (which services there are, whether there is a clinic) are of no person and told as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.registry.domain.capacity_policy import Question, SurveyForm

Counts = Mapping[str, int]
ALONE = ""
"""The one option of a count."""


@dataclass(frozen=True)
class Answer:
    """A unit's answers to one form."""

    division: str
    answers: Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """A question's result: `total`, `rows` by division, and `rest`, the divisions that are told together as `others`.

    A count that is withheld is None; `total` itself is None where nothing is told.
    """

    total: dict[str, int | None]
    rows: dict[str, dict[str, int]]
    rest: tuple[str, ...] = ()
    others: dict[str, int] | None = None


def results(form: SurveyForm, given: Iterable[Answer], width: int, few: int) -> dict[str, Told]:
    """By question; divisions are told by the first `width` digits of their codes."""
    answers = list(given)
    told: dict[str, Told] = {}
    tables: dict[str, dict[str, Counter[str]]] = {}
    for one in form.questions:
        table = tables[one.code] = _table(one, answers, width)
        if one.kind not in ("count", "split"):
            rows = {name: _all(one, row) for name, row in sorted(table.items())}
            told[one.code] = Told({**_sum(one, rows.values())}, rows)
            continue
        people = {name: row[ALONE] for name, row in tables[one.of].items()} if one.of else {}
        told[one.code] = _protected(one, table, people, told.get(one.of or ""), few)
    return told


def _table(one: Question, answers: Sequence[Answer], width: int) -> dict[str, Counter[str]]:
    table: dict[str, Counter[str]] = {}
    for answer in answers:
        row, value = table.setdefault(answer.division[:width], Counter()), answer.answers[one.code]
        match one.kind:
            case "count":
                row[ALONE] += value
            case "split":
                row.update(value)
            case "several":
                row.update(value)
            case "choice":
                row[value] += 1
            case "yes_no":
                row["yes" if value else "no"] += 1
    return table


def _options(one: Question) -> list[str]:
    if one.kind == "count":
        return [ALONE]
    return ["yes", "no"] if one.kind == "yes_no" else list(one.options)


def _all(one: Question, row: Counts) -> dict[str, int]:
    return {option: row.get(option, 0) for option in _options(one)}


def _sum(one: Question, rows: Iterable[Counts]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for row in rows:
        added.update(row)
    return _all(one, added)


def small(count: int, few: int) -> bool:
    return 0 < count < few


def _unsafe(one: Question, row: Counts, people: int, few: int) -> bool:
    """Whether a row has a count of a few people, or leaves a few over."""
    if any(small(row[option], few) for option in row):
        return True
    apart = one.kind == "split" and not one.whole
    return apart and any(small(people - row[option], few) for option in row)


def _protected(
    one: Question, table: Mapping[str, Counts], people: Mapping[str, int], count: Told | None, few: int
) -> Told:
    rows = {name: _all(one, row) for name, row in sorted(table.items())}
    everyone = sum(people.values())
    total = _sum(one, rows.values())
    rest = _rest(one, rows, people, count, few)
    if rest is None:
        return Told(_withheld(one, total, everyone, count, few), {})
    shown = {name: row for name, row in rows.items() if name not in rest}
    others = _sum(one, [rows[name] for name in rest]) if rest else None
    return Told({**total}, shown, tuple(sorted(rest)), others)


def _rest(
    one: Question, rows: Mapping[str, dict[str, int]], people: Mapping[str, int], count: Told | None, few: int
) -> set[str] | None:
    """The divisions that are told together; None where no rows can be told."""
    rest = {name for name, row in rows.items() if _unsafe(one, row, people.get(name, 0), few)}
    if count is not None:
        rest |= rows.keys() - count.rows.keys()
    candidates = sorted(rows.keys() - rest, key=lambda name: (people.get(name, sum(rows[name].values())), name))
    while rest:
        together = _sum(one, [rows[name] for name in rest])
        safe = not _unsafe(one, together, sum(people.get(name, 0) for name in rest), few)
        if safe and len(rest) > 1:
            break
        if not candidates:
            return None
        rest.add(candidates.pop(0))
    return rest if rest != rows.keys() else None


def _withheld(
    one: Question, total: dict[str, int], everyone: int, count: Told | None, few: int
) -> dict[str, int | None]:
    """The whole alone, without its small counts, and without those that would give them away."""
    if count is not None and None in count.total.values():
        return dict.fromkeys(total)
    hidden = {option for option, value in total.items() if small(value, few)}
    if one.kind == "split" and not one.whole:
        hidden |= {option for option, value in total.items() if small(everyone - value, few)}
    elif one.whole and hidden:
        left = sorted(total.keys() - hidden, key=lambda option: (total[option], option))
        while left and (len(hidden) < 2 or small(sum(total[option] for option in hidden), few)):
            hidden.add(left.pop(0))
    return {option: None if option in hidden else value for option, value in total.items()}

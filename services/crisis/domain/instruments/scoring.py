"""From answers to a result. Pure: the same definition and the same answers give the same result for ever.

A missing item gives no total. What the answers so far make certain is told at once: a rule that holds, a total that can
only lie in a positive band, a safety assessment that is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.crisis.domain.instruments.definition import (
    DAY_MINUTES,
    Component,
    Definition,
    Item,
    Rule,
    WrongAnswer,
)

Span = tuple[int, int]
"""The least and the greatest that it can be, with what is not answered."""


@dataclass(frozen=True)
class Part:
    """A factor's mean or a component's points; None while one of its items is missing."""

    code: str
    label: str
    value: float | None


@dataclass(frozen=True)
class Result:
    """What an instrument says, and by which rules."""

    instrument: str
    variant: str
    version: str
    total: int | None
    band: str | None
    """None while items are missing, unless a rule holds that needs no total."""
    at_least: str | None
    """The band that is certain whatever the missing items would have said; None where nothing is."""
    positive: bool | None
    missing: tuple[str, ...]
    safety_assessment_needed: bool
    evidence: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    positive_items: int | None = None

    @property
    def complete(self) -> bool:
        return not self.missing


def score(definition: Definition, answers: Mapping[str, int | str]) -> Result:
    """The result of `answers` (item id -> number, `yes`, `no`, a time of day, or `unknown`, `refused`, `not_asked`).

    Raises `WrongAnswer` for an item that is not the instrument's, or an answer that the item does not have.
    """
    for ident in answers:
        if ident not in definition.by_id:
            raise WrongAnswer(ident, f"{definition.instrument} has no item {ident}")
    values = {ident: item.read(answers.get(ident)) for ident, item in definition.by_id.items()}
    missing = [ident for ident, item in definition.by_id.items() if _is_missing(item, answers, values)]
    inconsistent = _inconsistent(definition, values)
    if inconsistent is not None and inconsistent not in missing:
        missing.append(inconsistent)
    span = _total(definition, values, missing)
    held = [rule for rule in definition.rules if _holds(rule, definition, answers, values, span)]
    total = span[0] if span is not None and not _lacks(definition, missing) else None
    decided = [definition.severity[rule.band] for rule in held if rule.band is not None]
    certain = list(decided)
    if definition.method in ("sum", "components"):
        assert span is not None
        certain.append(min(_severity(definition, span[0]), _severity(definition, span[1])))
        if total is not None:
            decided.append(_severity(definition, total))
    elif not missing:
        decided.append(0)
    certain += decided
    known = bool(decided) or max(certain, default=0) > 0
    band = definition.bands[max(decided)] if decided else None
    least = definition.bands[max(certain)] if known else None
    return Result(
        instrument=definition.instrument,
        variant=definition.variant,
        version=definition.version,
        total=total,
        band=band.code if band else None,
        at_least=least.code if least else None,
        positive=True if least and least.positive else False if band and not missing else None,
        missing=tuple(missing),
        safety_assessment_needed=any(rule.safety for rule in held),
        evidence=(
            *((f"{definition.instrument}:{band.code}",) if band else ()),
            *(f"{definition.instrument}.{rule.id}" for rule in held),
        ),
        parts=tuple(_parts(definition, values, missing)),
        positive_items=_positive_items(definition, values) if definition.positive_item_from and not missing else None,
    )


def _is_missing(item: Item, answers: Mapping[str, int | str], values: Mapping[str, int | None]) -> bool:
    if values[item.id] is not None or item.of.optional:
        return False
    condition = item.of.skipped_if
    return condition is None or not condition.holds(answers.get(condition.item), values[condition.item])


def _lacks(definition: Definition, missing: Iterable[str]) -> bool:
    return any(definition.by_id[ident].of.scored for ident in missing)


def _inconsistent(definition: Definition, values: Mapping[str, int | None]) -> str | None:
    """The item to ask again where answers cannot all be true: longer asleep than in bed."""
    for component in definition.components:
        if component.quantity == "sleep_efficiency":
            asleep, to_bed, up = (values[ident] for ident in component.items)
            if asleep is not None and to_bed is not None and up is not None and asleep > _in_bed(to_bed, up):
                return component.items[0]
    return None


def _in_bed(to_bed: int, up: int) -> int:
    """Minutes in bed; the same time of day twice is a whole day."""
    return (up - to_bed - 1) % DAY_MINUTES + 1


def _points(definition: Definition, item: Item, value: int) -> int:
    if item.id in definition.reverse:
        return item.least + item.most - value
    return _step(item.of.steps, value) if item.of.steps else value


def _step(steps: tuple[tuple[int, int], ...], value: int) -> int:
    return max((start, points) for start, points in steps if start <= value)[1]


def _item_span(definition: Definition, item: Item, value: int | None) -> Span:
    if value is not None:
        points = _points(definition, item, value)
        return points, points
    if item.of.steps:
        possible = [points for _, points in item.of.steps]
        return min(possible), max(possible)
    return item.least, item.most


def _total(definition: Definition, values: Mapping[str, int | None], missing: Iterable[str]) -> Span | None:
    if definition.method == "rules":
        return None
    if definition.method == "components":
        spans = [_component_span(definition, component, values, missing) for component in definition.components]
    else:
        spans = [_item_span(definition, item, values[item.id]) for item in definition.scored]
    return sum(least for least, _ in spans), sum(most for _, most in spans)


def _component_span(
    definition: Definition, component: Component, values: Mapping[str, int | None], missing: Iterable[str]
) -> Span:
    if any(ident in missing for ident in component.items):
        possible = [points for _, points in component.steps]
        return min(possible), max(possible)
    points = _component_points(definition, component, values)
    return points, points


def _component_points(definition: Definition, component: Component, values: Mapping[str, int | None]) -> int:
    given = [values[ident] or 0 for ident in component.items]
    if component.quantity == "sleep_efficiency":
        asleep, to_bed, up = given
        return _step(component.steps, 100 * asleep // _in_bed(to_bed, up))
    points = [
        _points(definition, definition.by_id[ident], value) for ident, value in zip(component.items, given, strict=True)
    ]
    return _step(component.steps, sum(points))


def _severity(definition: Definition, total: int) -> int:
    """The place of the band with the highest start that the total reaches."""
    starts = [(band.from_, place) for place, band in enumerate(definition.bands) if band.from_ is not None]
    return max(((start, place) for start, place in starts if start <= total), default=(0, 0))[1]


def _holds(
    rule: Rule,
    definition: Definition,
    answers: Mapping[str, int | str],
    values: Mapping[str, int | None],
    span: Span | None,
) -> bool:
    """Whether a rule holds already; a missing item counts as its least value."""
    said = [condition.holds(answers.get(condition.item), values[condition.item]) for condition in rule.when]
    if rule.total_above is not None:
        said.append(span is not None and span[0] > rule.total_above)
    if rule.positive_items_above is not None:
        said.append(_positive_items(definition, values) > rule.positive_items_above)
    if rule.factor_above is not None:
        screened = [factor for factor in definition.factors if factor.screened]
        said.append(any(_mean(definition, factor.items, values) > rule.factor_above for factor in screened))
    return bool(said) and all(said)


def _positive_items(definition: Definition, values: Mapping[str, int | None]) -> int:
    start = definition.positive_item_from or 0
    return sum(1 for item in definition.scored if (values[item.id] or 0) >= start)


def _mean(definition: Definition, items: tuple[str, ...], values: Mapping[str, int | None]) -> Fraction:
    """The least that the mean can be."""
    spans = [_item_span(definition, definition.by_id[ident], values[ident]) for ident in items]
    return Fraction(sum(least for least, _ in spans), len(items))


def _parts(definition: Definition, values: Mapping[str, int | None], missing: Iterable[str]) -> Iterable[Part]:
    for factor in definition.factors:
        whole = not any(ident in missing for ident in factor.items)
        yield Part(
            factor.code, factor.label, round(float(_mean(definition, factor.items, values)), 2) if whole else None
        )
    for component in definition.components:
        whole = not any(ident in missing for ident in component.items)
        yield Part(component.code, component.label, _component_points(definition, component, values) if whole else None)

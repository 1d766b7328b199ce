"""What an instrument is: its items with the values that they allow, how they are scored, and what a result is called.

An item is known by its id and never by its position, so that a form in another order scores the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Answer, Name
from contracts.hotline import ItemId
from contracts.policies import PolicyPart, Source
from services.crisis.domain.window import readable

Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
NO_ANSWER = frozenset({Answer.unknown.value, Answer.refused.value, Answer.not_asked.value})
YES_NO = {Answer.no.value: 0, Answer.yes.value: 1}
DAY_MINUTES = 24 * 60


class WrongAnswer(ValueError):
    """An answer that the instrument does not have; `item` is the item's id."""

    def __init__(self, item: str, detail: str) -> None:
        super().__init__(detail)
        self.item = item
        self.detail = detail


class Kind(StrEnum):
    """What an item takes for an answer."""

    choice = "choice"
    yes_no = "yes_no"
    number = "number"
    clock = "clock"


class Option(PolicyPart):
    value: int
    label: Label


class Condition(PolicyPart):
    """An item's answer: one of some words, or a value from a number on."""

    item: ItemId
    is_: tuple[str, ...] = Field((), alias="is")
    from_: int | None = Field(None, alias="from")

    def holds(self, given: int | str | None, value: int | None) -> bool:
        """`given` is the answer as it was given, `value` what it was read as."""
        if self.from_ is not None:
            return value is not None and value >= self.from_
        return any(given == word or (word in YES_NO and value == YES_NO[word]) for word in self.is_)


class Items(PolicyPart):
    """Items that share what they allow, in the order of the form."""

    ids: tuple[ItemId, ...] = Field(min_length=1)
    kind: Kind
    options: tuple[Option, ...] = ()
    least: int = 0
    most: int = 1
    scored: bool = True
    optional: bool = False
    window: str | None = None
    """What the item asks about: an ISO 8601 duration up to now, or `ever`."""
    windows: tuple[str, ...] = ()
    """The windows under which a hotline may report the item, where there is more than one."""
    reported_as: ItemId | None = None
    """The item's id in a hotline's report, where it is another."""
    skipped_if: Condition | None = None
    steps: tuple[tuple[int, int], ...] = ()
    """(from this answer on, so many points), ascending; without them the answer is its points."""


class Item(PolicyPart):
    """One item; see `Items` for what its fields mean."""

    id: ItemId
    of: Items

    def read(self, given: int | str | None) -> int | None:
        """The answer as a number, or None where there is none. Raises `WrongAnswer`."""
        if given is None or (isinstance(given, str) and given in NO_ANSWER):
            return None
        kind = self.of.kind
        if isinstance(given, str) and kind is Kind.yes_no and given in YES_NO:
            return YES_NO[given]
        if isinstance(given, str) and kind is Kind.clock:
            return self._clock(given)
        if isinstance(given, bool) or not isinstance(given, int) or not self._allows(given):
            raise WrongAnswer(self.id, f"{self.id} takes {self.takes}, or unknown, refused, not_asked")
        return given

    def _allows(self, value: int) -> bool:
        if self.of.kind is Kind.choice:
            return any(option.value == value for option in self.of.options)
        return self.least <= value <= self.most

    def _clock(self, given: str) -> int:
        hours, colon, minutes = given.partition(":")
        if colon and len(hours) == 2 == len(minutes) and given.isascii() and (hours + minutes).isdigit():
            value = int(hours) * 60 + int(minutes)
            if int(minutes) < 60 and value < DAY_MINUTES:
                return value
        raise WrongAnswer(self.id, f"{self.id} takes {self.takes}")

    @property
    def takes(self) -> str:
        """What it takes, in words."""
        match self.of.kind:
            case Kind.choice:
                return "one of " + ", ".join(str(option.value) for option in self.of.options)
            case Kind.yes_no:
                return "yes or no"
            case Kind.number:
                return f"a number from {self.least} to {self.most}"
            case Kind.clock:
                return "a time of day such as 23:30"

    @property
    def least(self) -> int:
        match self.of.kind:
            case Kind.choice:
                return min(option.value for option in self.of.options)
            case Kind.number:
                return self.of.least
            case _:
                return 0

    @property
    def most(self) -> int:
        match self.of.kind:
            case Kind.choice:
                return max(option.value for option in self.of.options)
            case Kind.number:
                return self.of.most
            case Kind.clock:
                return DAY_MINUTES - 1
            case Kind.yes_no:
                return 1

    @property
    def all_windows(self) -> frozenset[str]:
        return frozenset(window for window in (self.of.window, *self.of.windows) if window)


class Factor(PolicyPart):
    """A mean over some items."""

    code: Code
    label: Label
    items: tuple[ItemId, ...] = Field(min_length=1)
    screened: bool = True
    """Whether a rule about factors reads it."""


class Component(PolicyPart):
    """Points, 0-3 for example, from the sum of some items' points, or from a quantity that is worked out of them."""

    code: Code
    label: Label
    items: tuple[ItemId, ...] = Field(min_length=1)
    quantity: Literal["sum", "sleep_efficiency"] = "sum"
    """`sleep_efficiency`: of `items` (minutes asleep, to bed, up) the minutes asleep in per cent of those in bed."""
    steps: tuple[tuple[int, int], ...] = Field(min_length=1)
    source: Source


class Band(PolicyPart):
    """What a result is called; the list goes from the mildest to the most severe."""

    code: Code
    label: Label
    from_: int | None = Field(None, alias="from")
    """The lowest total of the band; absent where only a rule gives it."""
    positive: bool


class Rule(PolicyPart):
    """What holds whatever the total: it names a band, or asks for a safety assessment at once, or both."""

    id: Code
    when: tuple[Condition, ...] = ()
    """All of them."""
    total_above: int | None = None
    positive_items_above: int | None = None
    factor_above: int | None = None
    band: Code | None = None
    safety: bool = False
    source: Source


class Manual(PolicyPart):
    """A manual that the instrument is used by; its edition is kept with each result."""

    code: Name
    title: Label
    edition: Label
    source: Source


class Texts(PolicyPart):
    """The wording that an operator has a licence for; it is served and never shipped."""

    licence: Annotated[str, StringConstraints(min_length=5, max_length=500)]
    language: str
    variants: tuple[Name, ...] = ()
    """Those that it is the wording of; all of them where it names none."""
    introduction: str | None = None
    items: Mapping[ItemId, str]


class Definition(PolicyPart):
    """One version of one variant of an instrument, whole."""

    instrument: Name
    variant: Name
    version: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    language: str
    title: Label
    note: str = ""
    default: bool = False
    self_rated: bool = False
    """Whether a person may take it alone, as a self-test."""
    about: str
    """The time that it asks about, in words."""
    source: Source
    texts_licence: str
    method: Literal["sum", "components", "rules", "criteria"]
    """`sum` of the items, of the `components`; `rules` alone and never a total; `criteria`: a sum that is only
    reported, and rules that decide."""
    items: tuple[Items, ...] = Field(min_length=1)
    reverse: tuple[ItemId, ...] = ()
    reverse_source: Source | None = None
    positive_item_from: int | None = None
    factors: tuple[Factor, ...] = ()
    components: tuple[Component, ...] = ()
    bands: tuple[Band, ...] = Field(min_length=1)
    bands_source: Source
    rules: tuple[Rule, ...] = ()
    manuals: tuple[Manual, ...] = Field(min_length=1)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.instrument, self.variant, self.version

    @cached_property
    def by_id(self) -> dict[str, Item]:
        """The items by id, in the order of the form."""
        return {ident: Item(id=ident, of=group) for group in self.items for ident in group.ids}

    @cached_property
    def scored(self) -> tuple[Item, ...]:
        return tuple(item for item in self.by_id.values() if item.of.scored)

    @cached_property
    def severity(self) -> dict[str, int]:
        """0 for the mildest band."""
        return {band.code: place for place, band in enumerate(self.bands)}

    def band(self, code: str) -> Band:
        return self.bands[self.severity[code]]

    def manual(self, code: str | None) -> Manual:
        """The manual of this code, or the first; raises `KeyError`."""
        if code is None:
            return self.manuals[0]
        return {manual.code: manual for manual in self.manuals}[code]

    @model_validator(mode="after")
    def _agrees(self) -> Definition:
        ids = [ident for group in self.items for ident in group.ids]
        named = {
            *self.reverse,
            *(ident for factor in self.factors for ident in factor.items),
            *(ident for component in self.components for ident in component.items),
            *(condition.item for rule in self.rules for condition in rule.when),
            *(group.skipped_if.item for group in self.items if group.skipped_if),
        }
        codes = [band.code for band in self.bands]
        problems = [
            (len(set(ids)) < len(ids), "an item is named twice"),
            (not named <= set(ids), f"no such items: {', '.join(sorted(named - set(ids)))}"),
            (len(set(codes)) < len(codes), "a band is named twice"),
            (any(rule.band not in (None, *codes) for rule in self.rules), "a rule names a band that is not there"),
            (any(g.kind is Kind.choice and not g.options for g in self.items), "a choice needs its options"),
            (self.method == "components" and not self.components, "there are no components"),
            (
                self.method in ("sum", "components") and self.bands[0].from_ is None,
                "a band of totals says from which total",
            ),
            (bool(self.reverse) and self.reverse_source is None, "a reverse key needs its source"),
            (
                any(not readable(w) for item in self.by_id.values() for w in item.all_windows),
                "a window is neither an ISO 8601 duration nor `ever`",
            ),
        ]
        for wrong, said in problems:
            if wrong:
                raise ValueError(said)
        starts = [band.from_ for band in self.bands if band.from_ is not None]
        if len(set(starts)) < len(starts) or starts not in (sorted(starts), sorted(starts, reverse=True)):
            raise ValueError("the bands must go one way")
        return self

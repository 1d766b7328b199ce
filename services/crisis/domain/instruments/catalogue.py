"""The instruments at hand: those that ship, and an operator's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from contracts.hotline import Assessment
from services.crisis.domain.instruments.definition import Definition, Texts
from services.crisis.domain.versions import SHIPPED

INSTRUMENTS = SHIPPED.parent / "instruments"


class Catalogue:
    """Every version of every variant, and the licensed wording that there is."""

    def __init__(self, definitions: Iterable[Definition], texts: Mapping[str, tuple[Texts, ...]]) -> None:
        self._known = {one.key: one for one in definitions}
        self._texts = texts
        self._variants: dict[str, str] = {}
        for one in self._known.values():
            if one.default or one.instrument not in self._variants:
                self._variants[one.instrument] = one.variant
        self._reports = {name: _Report(self._known.values(), name) for name in self._variants}

    def get(self, instrument: str, variant: str | None = None, version: str | None = None) -> Definition:
        """The definition; the default variant and the newest version where they are not said. Raises `KeyError`."""
        variant = variant or self._variants[instrument]
        version = version or max((key[2] for key in self._known if key[:2] == (instrument, variant)), default="")
        return self._known[instrument, variant, version]

    def all(self) -> list[Definition]:
        """Every definition, by name; the default variant first."""
        return sorted(
            self._known.values(),
            key=lambda one: (one.instrument, one.variant != self._variants[one.instrument], one.variant, one.version),
        )

    def is_default(self, definition: Definition) -> bool:
        return self._variants[definition.instrument] == definition.variant

    def texts(self, definition: Definition) -> Texts | None:
        """The wording for this variant that the operator has, if there is one."""
        for one in self._texts.get(definition.instrument, ()):
            if not one.variants or definition.variant in one.variants:
                return one
        return None

    def doubts(self, assessment: Assessment) -> tuple[str, ...]:
        """What a hotline's report says that its instrument does not; empty for an instrument that is not known here.

        A doubt is shown to people. It takes nothing away from what the report raises, and refuses nothing.
        """
        report = self._reports.get(assessment.instrument)
        return report.doubts(assessment) if report else ()


class _Report:
    """What a hotline may say about an instrument: its totals, its items, and the windows that they ask about."""

    def __init__(self, definitions: Iterable[Definition], instrument: str) -> None:
        own = [one for one in definitions if one.instrument == instrument]
        totals = [total for one in own if (total := _totals(one)) is not None]
        self.least = min((least for least, _ in totals), default=None)
        self.most = max((most for _, most in totals), default=None)
        self.windows: dict[str, set[str]] = {}
        for one in own:
            for item in one.by_id.values():
                self.windows.setdefault(item.of.reported_as or item.id, set()).update(item.all_windows)

    def doubts(self, assessment: Assessment) -> tuple[str, ...]:
        found: list[str] = []
        if assessment.total is not None:
            if self.least is None or self.most is None:
                found.append("total_of_what_is_never_summed")
            elif not self.least <= assessment.total <= self.most:
                found.append("total_out_of_bounds")
        for answer in assessment.answers:
            windows = self.windows.get(answer.item)
            if windows is None:
                found.append(f"unknown_item:{answer.item}")
            elif answer.window is not None and windows and answer.window not in windows:
                found.append(f"other_window:{answer.item}")
        return tuple(dict.fromkeys(found))


def _totals(definition: Definition) -> tuple[int, int] | None:
    if definition.method == "rules":
        return None
    if definition.method == "components":
        points = [[points for _, points in component.steps] for component in definition.components]
        return sum(min(one) for one in points), sum(max(one) for one in points)
    return sum(item.least for item in definition.scored), sum(item.most for item in definition.scored)


def catalogue(folder: Path | None) -> Catalogue:
    """What ships, and `<folder>/instruments/*.toml` and `<folder>/instrument_texts/*.toml` of the operator.

    A file may say `like = "<another file's stem>"` and then only what differs; an operator's file that differs in
    neither variant nor version takes the place of the one that ships. Raises `ValueError` that names the file.
    """
    raw: dict[str, dict[str, Any]] = {}
    definitions: list[Definition] = []
    for path in _files(INSTRUMENTS) + _files(folder / "instruments" if folder else None):
        try:
            raw[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        raw[path.stem]["_path"] = path
    for content in raw.values():
        path = content["_path"]
        try:
            definitions.append(Definition.model_validate(_whole(content, raw, ())))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path}: {error}") from error
    known = {definition.instrument: definition for definition in definitions}
    texts: dict[str, tuple[Texts, ...]] = {}
    for path in _files(folder / "instrument_texts" if folder else None):
        instrument = path.stem.partition(".")[0]
        try:
            one = Texts.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            if instrument not in known:
                raise ValueError(f"there is no instrument {instrument}")
            strangers = set(one.items) - set(known[instrument].by_id)
            if strangers:
                raise ValueError(f"{instrument} has no items {', '.join(sorted(strangers))}")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        texts[instrument] = (*texts.get(instrument, ()), one)
    return Catalogue(definitions, texts)


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder else []


def _whole(content: dict[str, Any], raw: Mapping[str, dict[str, Any]], seen: tuple[str, ...]) -> dict[str, Any]:
    """A file with what it takes from the one that it is like."""
    own = {name: value for name, value in content.items() if name not in ("like", "_path")}
    base = content.get("like")
    if base is None:
        return own
    if base in seen:
        raise ValueError(f"{base} is like itself")
    taken = _whole(raw[base], raw, (*seen, base))
    same = own.get("variant", taken["variant"]) == taken["variant"]
    return {**taken, "default": same and taken.get("default", False), **own}

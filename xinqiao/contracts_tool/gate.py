"""The compatibility gate: what was released is held against what would be released now.

The rule is the contracts' own: **adding an optional field keeps the version, anything else is a new version**. It is
that strict because an event meets readers and writers of every age. The log is kept for more than three years, so a
reader of tomorrow meets the events of today; hotline systems outside update when they can, so a reader of tomorrow also
meets a writer of today; and services are rolled out one after the other, so a reader of today meets a writer of
tomorrow.

- *Narrowing* (a field that becomes required, an enumeration's value removed, a tighter type, pattern or bound) refuses
  events that are in the log already, and hotlines that have not changed.
- *Widening* (an enumeration's value added, a looser type, pattern or bound, a required field that becomes optional)
  sends old readers what they refuse. A value added to an enumeration counts as a break for that reason: an old reader
  makes a dead letter of the whole event. What may grow has to be an optional field of its own.
- *Removing* a field or a version takes away what a reader may rely on, even where the field was optional.
- A changed default changes what the silence of an old writer means.

Each finding says who is hurt, and who has to be rolled out first with the new version beside the old one. Titles,
descriptions, examples and comments may change freely.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.topology import BY_KEY

Schema = dict[str, Any]

PROSE = frozenset({"title", "description", "examples", "$comment", "$defs", "$schema", "$id"})

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")

COMPARED = frozenset(
    {"properties", "required", "enum", "const", "anyOf", "type", "items", "default", "pattern", "format"}
).union(LOWER, UPPER)

NARROWED = "events in the log and producers that have not changed are refused"
WIDENED = "consumers that have not changed refuse the event, and it becomes a dead letter"
TAKEN_AWAY = "consumers that have not changed may rely on it"

CONSUMERS_FIRST = "consumers"
PRODUCERS_LAST = "consumers, reading both versions; then producers; the old version goes last"


@dataclass(frozen=True)
class Breaking:
    """One change that needs a new version: where it is, what it is, whom it hurts, who goes first."""

    event: str
    path: str
    what: str
    hurts: str
    first: str

    def __str__(self) -> str:
        place = f"{self.event} {self.path}".rstrip()
        return f"{place}: {self.what}. {self.hurts}. Make a new version; roll out first: {self.first}{_who(self.event)}"


def read_released(folder: Path) -> dict[str, Schema]:
    """The schemas of the last release, by ``<type>.v<major>``."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def compare_all(released: dict[str, Schema], present: dict[str, Schema]) -> list[Breaking]:
    """Every change between two sets of schemas that breaks a reader or a writer; a new event breaks nobody."""
    found = []
    for event, old in released.items():
        if event not in present:
            found.append(Breaking(event, "", "the version was removed", TAKEN_AWAY, CONSUMERS_FIRST))
        else:
            found += compare(event, old, present[event])
    return found


def compare(event: str, old: Schema, new: Schema) -> list[Breaking]:
    """The breaking changes from one schema of an event version to another."""
    return [
        Breaking(event, path, what, hurts, PRODUCERS_LAST if hurts != WIDENED else CONSUMERS_FIRST)
        for path, what, hurts in _differences("", _inlined(old, old), _inlined(new, new))
    ]


Difference = tuple[str, str, str]


def _differences(path: str, old: Schema, new: Schema) -> Iterator[Difference]:
    absent = object()
    if old.get("default", absent) != new.get("default", absent):
        what = f"the default changed from {old.get('default')!r} to {new.get('default')!r}"
        yield path, what, "an old producer's silence now means something else"
    if "anyOf" in old or "anyOf" in new:
        yield from _choices(path, old.get("anyOf", [_bare(old)]), new.get("anyOf", [_bare(new)]))
        return
    yield from _fields(path, old, new)
    yield from _values(path, old, new)
    yield from _bounds(path, old, new)
    if old.get("type") != new.get("type"):
        yield path, f"the type changed from {old.get('type')} to {new.get('type')}", NARROWED
    if "items" in old and "items" in new:
        yield from _differences(f"{path}[]", old["items"], new["items"])
    for word in sorted((old.keys() | new.keys()) - COMPARED):
        if old.get(word) != new.get(word):
            yield path, f"{word} changed from {old.get(word)!r} to {new.get(word)!r}", NARROWED
    if ("items" in old) != ("items" in new):
        yield path, "items are described in one of both only", NARROWED


def _fields(path: str, old: Schema, new: Schema) -> Iterator[Difference]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        place = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield place, "the field was removed", TAKEN_AWAY
            continue
        if name in required_after - required_before:
            yield place, "the field became required", NARROWED
        if name in required_before - required_after:
            yield place, "the field became optional", WIDENED
        yield from _differences(place, before[name], after[name])
    for name in after.keys() - before.keys():
        if name in required_after:
            yield f"{path}.{name}".lstrip("."), "a new field is required", NARROWED


def _values(path: str, old: Schema, new: Schema) -> Iterator[Difference]:
    before, after = _allowed(old), _allowed(new)
    if before is not None and after is not None:
        if gone := sorted(before - after):
            yield path, f"values were removed: {', '.join(gone)}", NARROWED
        if come := sorted(after - before):
            yield path, f"values were added: {', '.join(come)}", WIDENED
    elif after is not None:
        yield path, "the values became an enumeration", NARROWED
    elif before is not None:
        yield path, "the values are no longer an enumeration", WIDENED
    for word in ("pattern", "format"):
        if old.get(word) != new.get(word):
            hurts = WIDENED if word not in new else NARROWED
            yield path, f"the {word} changed from {old.get(word)} to {new.get(word)}", hurts


def _allowed(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {json.dumps(schema["const"], ensure_ascii=False)}
    if "enum" in schema:
        return {json.dumps(value, ensure_ascii=False) for value in schema["enum"]}
    return None


def _bounds(path: str, old: Schema, new: Schema) -> Iterator[Difference]:
    for words, sign in ((LOWER, 1), (UPPER, -1)):
        for word in words:
            before, after = old.get(word), new.get(word)
            if before == after:
                continue
            tighter = before is None or (after is not None and (after - before) * sign > 0)
            yield path, f"{word} changed from {before} to {after}", NARROWED if tighter else WIDENED


def _choices(path: str, old: list[Schema], new: list[Schema]) -> Iterator[Difference]:
    gone, come = [s for s in old if s not in new], [s for s in new if s not in old]
    for before in list(gone):
        alike = [after for after in come if after.get("type") == before.get("type")]
        if alike:
            gone.remove(before)
            come.remove(alike[0])
            yield from _differences(path, before, alike[0])
    for choice in gone:
        yield path, f"it can no longer be {_named(choice)}", NARROWED
    for choice in come:
        yield path, f"it can now also be {_named(choice)}", WIDENED


def _named(schema: Schema) -> str:
    return str(schema.get("type", schema))


def _bare(schema: Schema) -> Schema:
    """A plain schema as the only choice it is; its default belongs to the field."""
    return {word: value for word, value in schema.items() if word != "default"}


def _inlined(schema: Any, whole: Schema) -> Any:
    """The schema without prose, with what it refers to written in its place."""
    if isinstance(schema, list):
        return [_inlined(entry, whole) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{word: value for word, value in schema.items() if word != "$ref"}}
    plain = {word: _inlined(value, whole) for word, value in schema.items() if word not in PROSE | {"properties"}}
    if "properties" in schema:
        plain["properties"] = {name: _inlined(value, whole) for name, value in schema["properties"].items()}
    return plain


def _who(event: str) -> str:
    kind, _, version = event.rpartition(".v")
    declared = BY_KEY.get((kind, int(version))) if version.isdigit() else None
    if declared is None:
        return ""
    return f" (produced by {', '.join(declared.producers)}; consumed by {', '.join(declared.consumers)})"

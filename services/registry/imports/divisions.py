"""Division files of any size: checked whole, then written a thousand rows at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Tx
from services.registry import commands, store
from services.registry.domain.divisions import Listing, Row, ancestors, parent_of
from services.registry.domain.mistakes import Mistake, Mistaken
from services.registry.imports.report import Report
from services.registry.rows import Source, division_rows

EDITION = "china-division-2.7.0"
TOGETHER = 1000
"""Divisions in one transaction."""

Progress = Callable[[int, int], None]
T = TypeVar("T")


async def load_divisions(
    database: Database, source: Source, edition: str = EDITION, progress: Progress | None = None, inside: str = ""
) -> Report:
    """Take a division file: first all of it is checked, then it is written in transactions of a thousand rows.

    Raises `Mistaken` with the row and the column of each mistake, before anything is written, and `Refused` for a file
    that cannot be read. Loading again changes and tells nothing; an interrupted load is finished by loading again.
    `progress` is called with rows done and rows in all. Rows outside the division `inside` are mistakes.
    """
    if not 1 <= len(edition) <= 64:
        raise Refused("bad_edition", "版次须为 1 至 64 个字符", "edition")
    total = await _check_divisions(database, source, edition, inside)
    new = changed = done = 0
    for portion in _portions(_good(division_rows(source)), TOGETHER):
        added, altered = await database.transact(partial(_load_portion, given=portion, edition=edition))
        new, changed, done = new + added, changed + altered, done + len(portion)
        if progress is not None:
            progress(done, total)
    return Report(done, new, changed, done - new - changed)


import_divisions = load_divisions


async def _check_divisions(database: Database, source: Source, edition: str, inside: str) -> int:
    listing = Listing()
    mistakes: list[Mistake] = []
    total = 0
    for portion in _portions(division_rows(source), TOGETHER):
        rows = [row for row in portion if isinstance(row, Row)]
        mistakes += [row for row in portion if isinstance(row, Mistake)]
        known = await store.known_codes(database, listing.missing(rows))
        names = await store.names_in_edition(database, [row.code for row in rows], edition)
        for row in rows:
            if not row.code.startswith(inside):
                detail = f"{row.code} 不在您负责的区划 {inside} 之内"
                mistakes.append(Mistake("outside", detail, row.number, "code"))
            elif mistake := listing.check(row, known):
                mistakes.append(mistake)
            elif names.get(row.code, row.name) != row.name:
                detail = f"{row.code} 在版次 {edition} 中已有另一个名称；改名请用新的版次"
                mistakes.append(Mistake("duplicate", detail, row.number, "name"))
        total += len(portion)
        if len(mistakes) > TOGETHER:
            break
        await asyncio.sleep(0)
    if mistakes:
        raise Mistaken(mistakes)
    return total


async def _load_portion(tx: Tx, given: Sequence[Row], edition: str) -> tuple[int, int]:
    """How many of the rows are new, and how many changed."""
    rows = sorted({row.code: row for row in given}.values(), key=lambda row: row.code)
    before = await store.divisions(tx, {code for row in rows for code in (row.code, *ancestors(row.code))})
    known = before.keys() | {row.code for row in rows}
    fresh = [row.code for row in rows if row.code not in before]
    for orphan in await store.divisions_below(tx, [(code, parent_of(code, known)) for code in fresh]):
        tx.put("divisions", {**orphan, "parent": parent_of(orphan["_id"], known | {orphan["parent"]})})
    told = []
    for row in rows:
        found = before.get(row.code)
        if found is not None and (found["name"], found["local"]) == (row.name, row.local):
            continue
        parent = parent_of(row.code, known)
        document = {"_id": row.code, "name": row.name, "parent": parent, "local": row.local, "edition": edition}
        if found is None:
            tx.insert("divisions", document)
        else:
            tx.put("divisions", document)
        told.append(row)
    commands.list_divisions(tx, edition, told)
    return len(fresh), len(told) - len(fresh)


def _good(rows: Iterable[Row | Mistake]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, Mistake):
            raise Mistaken([row])
        yield row


def _portions(values: Iterable[T], size: int) -> Iterator[list[T]]:
    portion: list[T] = []
    for value in values:
        portion.append(value)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion

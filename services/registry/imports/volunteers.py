"""People from and into files in the layouts of 附件1 and 附件4.

A file is read twice: first all of it is checked, in the file and against the register, and nothing is written where
anything is wrong. Up to `WHOLE` people are then written in one transaction. More are written a thousand at a time
under one import, whose document counts what was written in the same transactions: an interrupted import is finished
by sending the same file again, nobody is ever half there, and sending a finished one again changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from chassis import observe
from chassis.clock import local_day, new_id, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import commands, store
from services.registry.commands.facts import read_papers
from services.registry.domain.mistakes import Mistake, Mistaken
from services.registry.domain.people import AGES, Registration, merged
from services.registry.domain.people_dates import born, settled
from services.registry.forms import (
    ANNEX_1,
    Entry,
    Form,
    Item,
    Layout,
    Submission,
    Wrong,
    items_of,
    tables_of,
    write_form,
)
from services.registry.forms.tables import MAX_FILE, Table
from services.registry.imports.report import Report
from services.registry.keys import Keys

WHOLE = 10_000
"""People of one file that are written in one transaction."""
TOGETHER = 1_000
EXPORTED = 10_000
"""People of one exported workbook."""

Progress = Callable[[int, int], None]


@dataclass
class _Seen:
    """What the first reading found: counts, and the people themselves as long as they are few."""

    form: Form = field(default_factory=Form)
    people: int = 0
    new: int = 0
    changed: int = 0
    waiting: int = 0
    by_sheet: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Order:
    """What is imported, for whom, and within which reach."""

    layout: Layout
    division: str
    inside: str
    actor: str
    today: date


async def import_volunteers(
    database: Database,
    keys: Keys,
    source: bytes | Path,
    division: str,
    dry_run: bool = False,
    *,
    layout: Layout = ANNEX_1,
    inside: str = "",
    actor: str = "command line",
    progress: Progress | None = None,
) -> Report:
    """Take a file in one of the official layouts (.xlsx, .xls, .csv) from a unit of a division.

    A person is known again by name and number within the county, whatever the form; who was handed in unchanged is
    left alone, and an empty cell takes nothing away. `progress` is called with people written and people in all.
    Raises `Mistaken` with sheet, row and column of each mistake, before anything is written, and `Refused` for what is
    no such file.
    """
    content = await asyncio.to_thread(_read_file, source) if isinstance(source, Path) else source
    order = _Order(layout, division, inside, actor, local_day(now()))
    with ExitStack() as stack:
        tables = await asyncio.to_thread(stack.enter_context, tables_of(content))
        seen = await _check(database, keys, tables, order, dry_run)
        if dry_run:
            return _report(seen, dry_run=True)
        if seen.people <= WHOLE:
            await database.transact(partial(_take_whole, keys=keys, seen=seen, order=order))
        else:
            await _take_large(database, keys, tables, seen, order, _import_key(content, order), progress)
    if progress is not None:
        progress(seen.people, seen.people)
    return _report(seen)


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE:
        raise Refused("too_large", f"文件超过 {MAX_FILE // 1024 // 1024} MB，请分成几份", "file")
    return path.read_bytes()


def _import_key(content: bytes, order: _Order) -> str:
    return hashlib.sha256(f"{order.layout.form}\n{order.division}\n".encode() + content).hexdigest()


def _report(seen: _Seen, dry_run: bool = False) -> Report:
    return Report(
        rows=seen.people + seen.form.repeated,
        new=seen.new,
        changed=seen.changed,
        unchanged=seen.people - seen.new - seen.changed,
        repeated=seen.form.repeated,
        waiting=seen.waiting,
        skipped_sheets=tuple(seen.form.skipped_sheets),
        dry_run=dry_run,
    )


async def _portions(tables: Sequence[Table], order: _Order) -> AsyncIterator[list[Item]]:
    items = items_of(tables, order.today, order.layout)
    while portion := await asyncio.to_thread(_next, items):
        yield portion


def _next(items: Iterator[Item]) -> list[Item]:
    portion: list[Item] = []
    for item in items:
        portion.append(item)
        if len(portion) == TOGETHER:
            break
    return portion


async def _check(database: Database, keys: Keys, tables: Sequence[Table], order: _Order, dry_run: bool) -> _Seen:
    seen = _Seen()
    form = seen.form
    await database.transact(lambda tx: commands.known_division(tx, order.division))
    async for portion in _portions(tables, order):
        people = [item for item in portion if isinstance(item, Entry)]
        for item in portion:
            form.take(item)
        seen.people += len(people)
        for entry in people:
            seen.by_sheet[entry.sheet] = seen.by_sheet.get(entry.sheet, 0) + 1
        if seen.people > WHOLE or dry_run:
            form.entries.clear()
        if people:
            check = partial(_check_portion, keys=keys, people=people, order=order, dry_run=dry_run)
            mistakes, new, changed = await database.transact(check)
            form.take(Wrong(tuple(mistakes), is_person=False))
            seen.new, seen.changed = seen.new + new, seen.changed + changed
    if form.mistakes:
        form.mistakes.sort(key=lambda mistake: (mistake.sheet or "", mistake.row))
        raise Mistaken(form.mistakes, form.more_mistakes)
    return seen


async def _check_portion(
    tx: Tx, keys: Keys, people: Sequence[Entry], order: _Order, dry_run: bool
) -> tuple[list[Mistake], int, int]:
    identities = [keys.identity(order.division, entry.person) for entry in people]
    before = await store.volunteers_by_identity(tx, identities)
    mistakes = []
    new = changed = 0
    if dry_run:
        await keys.persons.load(tx, [row["_id"] for row in before.values()])
    for entry, identity in zip(people, identities, strict=True):
        found = before.get(identity)
        if found is not None and not found["division"].startswith(order.inside):
            detail = "此人已由本区县其他单位登记，请联系区县的登记员"
            label = order.layout.label("name")
            mistakes.append(Mistake("registered_elsewhere", detail, entry.row, label, entry.sheet))
        elif dry_run:
            person = await _onto(tx, keys, entry, identity, found)
            known_on = found["age_given_on"] if found else None
            known = await commands.registration_of(tx, keys, found) if found else None
            given_on = date.fromisoformat(known_on) if known_on else None
            person, _ = settled(person, entry.given_on, known, given_on)
            new += found is None
            changed += found is not None and commands.volunteer_differs(keys, person, _lives_in(order, found), found)
    return mistakes, new, changed


def _lives_in(order: _Order, found: Document | None) -> str:
    """Where a person is registered: a form of a district takes nobody away from the street that knows the person."""
    if found is not None and found["division"].startswith(order.division):
        return str(found["division"])
    return order.division


async def _onto(tx: Tx, keys: Keys, entry: Entry, identity: str, found: Document | None) -> Registration:
    """The person of a row put onto what is known; who came under a merged entry's name keeps the one that stayed."""
    if found is None:
        return entry.person
    known = await commands.registration_of(tx, keys, found)
    person = merged(entry.person, known)
    if found["identity"] != identity:
        person = replace(person, name=known.name, phone=known.phone)
    return person


async def _take_whole(tx: Tx, keys: Keys, seen: _Seen, order: _Order) -> None:
    seen.new = seen.changed = seen.waiting = 0  # the transaction may be run again
    for portion in store.portions(seen.form.entries, TOGETHER):
        new, changed, waiting = await _write(tx, keys, portion, seen.form, order)
        seen.new, seen.changed, seen.waiting = seen.new + new, seen.changed + changed, seen.waiting + waiting
    if seen.new + seen.changed:
        await _keep_submissions(tx, keys, seen, order)


async def _take_large(
    database: Database,
    keys: Keys,
    tables: Sequence[Table],
    seen: _Seen,
    order: _Order,
    key: str,
    progress: Progress | None,
) -> None:
    start = 0
    await database.transact(partial(_begin, key=key, order=order, people=seen.people))
    async for portion in _portions(tables, order):
        people = [item for item in portion if isinstance(item, Entry)]
        if not people:
            continue
        write = partial(_write_next, keys=keys, people=people, form=seen.form, order=order, key=key, start=start)
        await database.transact(write)
        start += len(people)
        if progress is not None:
            progress(start, seen.people)
    await database.transact(partial(_finish, keys=keys, seen=seen, order=order, key=key))


async def _begin(tx: Tx, key: str, order: _Order, people: int) -> None:
    found = await store.import_of(tx, key)
    if found is not None and found["state"] == "writing":
        return  # an interrupted one goes on
    document = {
        "_id": key,
        "form": order.layout.form,
        "division": order.division,
        "state": "writing",
        "people": people,
        "done": 0,
        "new": 0,
        "changed": 0,
        "waiting": 0,
        "begun_at": tx.now,
        "finished_at": None,
    }
    tx.put("imports", document)


async def _write_next(
    tx: Tx, keys: Keys, people: Sequence[Entry], form: Form, order: _Order, key: str, start: int
) -> None:
    found = await store.import_of(tx, key)
    if found is None or found["done"] > start:
        return  # written before the interruption, or by another who sent the same file
    new, changed, waiting = await _write(tx, keys, people, form, order)
    document = {
        **found,
        "done": start + len(people),
        "new": found["new"] + new,
        "changed": found["changed"] + changed,
        "waiting": found["waiting"] + waiting,
    }
    tx.put("imports", document)


async def _finish(tx: Tx, keys: Keys, seen: _Seen, order: _Order, key: str) -> None:
    found = await store.import_of(tx, key)
    if found is None:
        raise NotFound("there is no such import")
    seen.new, seen.changed, seen.waiting = found["new"], found["changed"], found["waiting"]
    if found["state"] == "finished":
        return
    tx.put("imports", {**found, "state": "finished", "finished_at": tx.now})
    if seen.new + seen.changed:
        await _keep_submissions(tx, keys, seen, order)


async def _write(tx: Tx, keys: Keys, people: Sequence[Entry], form: Form, order: _Order) -> tuple[int, int, int]:
    """How many of the people are new, changed, and waiting for a consent."""
    identities = [keys.identity(order.division, entry.person) for entry in people]
    before = await store.volunteers_by_identity(tx, identities)
    elsewhere = [row for row in before.values() if not row["division"].startswith(order.inside)]
    if elsewhere:  # since the check
        raise Refused("registered_elsewhere", "有人刚由本区县其他单位登记，请再传一次", "file")
    fresh = [new_id() for _ in people]
    await keys.persons.load(tx, [*(row["_id"] for row in before.values()), *fresh])
    await tx.load("volunteers", fresh)
    await read_papers(tx, [row["_id"] for row in before.values()])
    units = {submission.sheet: submission.unit for submission in form.submissions}
    new = changed = waiting = 0
    current = {row["_id"]: row for row in before.values()}
    for entry, identity, ident in zip(people, identities, fresh, strict=True):
        stood = before.get(identity)
        found = current[stood["_id"]] if stood else None
        person = await _onto(tx, keys, entry, identity, found)
        state = {"ident": ident, "by_office": entry.person}
        state |= {"unit": units[entry.sheet]} if entry.sheet in units else {}
        document, wrote = await commands.write_volunteer(
            tx, keys, person, _lives_in(order, found), entry.given_on, found, **state
        )
        current[document["_id"]] = document
        new += found is None
        changed += wrote and found is not None
        waiting += bool(document["waits_for"])
    return new, changed, waiting


async def _keep_submissions(tx: Tx, keys: Keys, seen: _Seen, order: _Order) -> None:
    for submission in seen.form.submissions:
        ident = new_id()
        who = {"filled_by": submission.filled_by, "phone": submission.phone}
        document = {
            "_id": ident,
            "form": order.layout.form,
            "division": order.division,
            "unit": submission.unit,
            "day": submission.day.isoformat() if submission.day else None,
            "people": seen.by_sheet.get(submission.sheet, 0),
            "sealed": await keys.persons.seal(tx, ident, who),
            "at": tx.now,
        }
        tx.insert("submissions", document)
        tx.record(
            actor=order.actor,
            action="volunteers.imported",
            subject=str(ident),
            reason=order.layout.form,
            division=order.division,
            new=seen.new,
            changed=seen.changed,
        )


async def export_volunteers(
    database: Database,
    keys: Keys,
    division: str,
    *,
    layout: Layout = ANNEX_1,
    actor: str = "command line",
    reason: str = "export",
) -> bytes:
    """A workbook in an official layout with those active in its role in a division, whole; the reading is logged.

    Ages are those of today, as the form's date says.
    """
    today = local_day(now())

    async def read(tx: Tx) -> tuple[str, list[Registration]]:
        place = await store.division(tx, division)
        if place is None:
            raise NotFound(f"there is no division {division}")
        query = {**store.within(division), "active": True, "roles": layout.role}
        rows = await store.volunteers_in(tx, query, None, EXPORTED + 1)
        if len(rows) > EXPORTED:
            raise Refused("too_large", f"more than {EXPORTED} people; export smaller divisions", "division")
        await keys.persons.load(tx, [row["_id"] for row in rows])
        people = [aged(await commands.registration_of(tx, keys, row), row, today) for row in rows]
        tx.record(
            actor=actor,
            action="volunteers.exported",
            subject=division,
            reason=reason,
            division=division,
            people=len(people),
            form=layout.form,
        )
        return place["name"], people

    place, people = await database.transact(read)
    observe.PERSONAL_READS.labels("volunteer_export").inc(len(people))
    submission = Submission(layout.form, day=today)
    return await asyncio.to_thread(write_form, people, submission, place, layout)


def aged(person: Registration, row: Document, today: date) -> Registration:
    """The person with the age on a day."""
    given_on = date.fromisoformat(row["age_given_on"]) if row["age_given_on"] else None
    birth = born(person.birth_date, person.age, given_on)
    age = birth.age_on(today) if birth else None
    return replace(person, age=age if age in AGES else None)

"""Volunteers from and into workbooks in the layout of 附件1."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from chassis import observe
from chassis.clock import local_day, new_id, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import commands, store
from services.registry.domain.mistakes import Mistake, Mistaken
from services.registry.domain.people import Registration
from services.registry.forms import MAX_PEOPLE, STARTS, Entry, Form, Submission, read_form, write_form
from services.registry.imports.report import Report
from services.registry.keys import Keys


async def import_volunteers(
    database: Database,
    keys: Keys,
    content: bytes,
    division: str,
    dry_run: bool = False,
    *,
    inside: str = "",
    actor: str = "command line",
) -> Report:
    """Take a workbook in the layout of 附件1 from a unit of a division, all its people or none.

    A person is known again by name and number within the county; who was handed in unchanged is left alone. Raises
    `Mistaken` with sheet, row and column of each mistake, and `Refused` for what is no such workbook.
    """
    form = await asyncio.to_thread(read_form, content, local_day(now()))
    if form.mistakes:
        raise Mistaken(form.mistakes)
    return await database.transact(lambda tx: _take_volunteers(tx, keys, form, division, dry_run, inside, actor))


async def _take_volunteers(
    tx: Tx, keys: Keys, form: Form, division: str, dry_run: bool, inside: str, actor: str
) -> Report:
    await commands.known_division(tx, division)
    identities = [keys.identity(division, entry.person) for entry in form.entries]
    before = await store.volunteers_by_identity(tx, identities)
    elsewhere = [
        _registered_elsewhere(entry)
        for entry, identity in zip(form.entries, identities, strict=True)
        if identity in before and not before[identity]["division"].startswith(inside)
    ]
    if elsewhere:
        raise Mistaken(elsewhere)
    await keys.persons.load(tx, [row["_id"] for row in before.values()])
    units = {submission.sheet: submission.unit for submission in form.submissions}
    new = changed = 0
    for entry, identity in zip(form.entries, identities, strict=True):
        found = before.get(identity)
        person = await _with_qualifications(tx, keys, entry.person, found)
        if dry_run:
            wrote = commands.volunteer_differs(keys, person, division, found)
        else:
            unit = units[entry.sheet]
            _, wrote = await commands.write_volunteer(tx, keys, person, division, entry.given_on, found, unit=unit)
        new += found is None
        changed += wrote and found is not None
    report = Report(
        rows=len(form.entries) + form.repeated,
        new=new,
        changed=changed,
        unchanged=len(form.entries) - new - changed,
        repeated=form.repeated,
        skipped_sheets=tuple(form.skipped_sheets),
        dry_run=dry_run,
    )
    if not dry_run and new + changed:
        await _keep_submissions(tx, keys, form, division, report, actor)
    return report


async def _with_qualifications(tx: Tx, keys: Keys, person: Registration, found: Document | None) -> Registration:
    # 附件1 does not ask for the qualifications of 附件4: what is known of them stays.
    if found is None or not found["qualifications"]:
        return person
    known = await commands.registration_of(tx, keys, found)
    return replace(person, qualifications=known.qualifications, other_qualification=known.other_qualification)


def _registered_elsewhere(entry: Entry) -> Mistake:
    detail = "此人已由本区县其他单位登记，请联系区县的登记员"
    return Mistake("registered_elsewhere", detail, entry.row, STARTS["name"], entry.sheet)


async def _keep_submissions(tx: Tx, keys: Keys, form: Form, division: str, report: Report, actor: str) -> None:
    for submission in form.submissions:
        ident = new_id()
        who = {"filled_by": submission.filled_by, "phone": submission.phone}
        document = {
            "_id": ident,
            "form": "附件1",
            "division": division,
            "unit": submission.unit,
            "day": submission.day.isoformat() if submission.day else None,
            "people": sum(entry.sheet == submission.sheet for entry in form.entries),
            "sealed": await keys.persons.seal(tx, ident, who),
            "at": tx.now,
        }
        tx.insert("submissions", document)
        tx.record(
            actor=actor,
            action="volunteers.imported",
            subject=str(ident),
            reason="附件1",
            division=division,
            new=report.new,
            changed=report.changed,
        )


async def export_volunteers(
    database: Database, keys: Keys, division: str, *, actor: str = "command line", reason: str = "export"
) -> bytes:
    """A workbook in the layout of 附件1 with the active volunteers of a division, whole; the reading is logged."""

    async def read(tx: Tx) -> tuple[str, list[Registration]]:
        place = await store.division(tx, division)
        if place is None:
            raise NotFound(f"there is no division {division}")
        query = {**store.within(division), "active": True}
        rows = await store.volunteers_in(tx, query, None, MAX_PEOPLE + 1)
        if len(rows) > MAX_PEOPLE:
            raise Refused("too_large", f"more than {MAX_PEOPLE} people; export smaller divisions", "division")
        await keys.persons.load(tx, [row["_id"] for row in rows])
        people = [await commands.registration_of(tx, keys, row) for row in rows]
        tx.record(
            actor=actor,
            action="volunteers.exported",
            subject=division,
            reason=reason,
            division=division,
            people=len(people),
        )
        return place["name"], people

    place, people = await database.transact(read)
    observe.PERSONAL_READS.labels("volunteer_export").inc(len(people))
    submission = Submission("附件1", day=local_day(now()))
    return await asyncio.to_thread(write_form, people, submission, place)

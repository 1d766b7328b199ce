"""Organisations from a CSV, all rows or none."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from chassis.clock import new_id
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from contracts.registry import OrganisationKind
from services.registry import commands, store
from services.registry.domain.mistakes import Mistake, Mistaken
from services.registry.domain.organisations import NAME_LIMIT, Organisation
from services.registry.domain.people import plain
from services.registry.imports.report import Report

MAX_ORGANISATIONS = 10_000
ORGANISATION_COLUMNS = ["name", "division", "kind", "receives_referrals", "around_the_clock", "backup"]


async def import_organisations(database: Database, source: Path | bytes, inside: str = "") -> Report:
    """Take a CSV of organisations, all rows or none; the backup is named, in the file or registered before.

    An organisation is known again by its name within its county. Raises `Mistaken` or `Refused`.
    """
    content = await asyncio.to_thread(source.read_bytes) if isinstance(source, Path) else source
    rows = _organisation_rows(content)
    return await database.transact(lambda tx: _take_organisations(tx, rows, inside))


def _organisation_rows(content: bytes) -> list[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if list(reader.fieldnames or ()) != ORGANISATION_COLUMNS:
            raise Refused("no_header", f"第一行须是 {','.join(ORGANISATION_COLUMNS)}", "file")
        rows = []
        for row in reader:
            cells = {name: plain(row[name]) for name in ORGANISATION_COLUMNS}
            if any(cells.values()):
                rows.append((reader.line_num, cells))
            if len(rows) > MAX_ORGANISATIONS:
                raise Refused("too_large", f"一个文件最多 {MAX_ORGANISATIONS} 个机构", "file")
        return rows
    except UnicodeDecodeError as error:
        raise Refused("not_utf8", "不是 UTF-8 文字，请另存为 UTF-8 编码的 CSV", "file") from error
    except csv.Error as error:
        raise Refused("bad_csv", f"不是正确的 CSV：{error}", "file") from error


async def _take_organisations(tx: Tx, rows: Sequence[tuple[int, dict[str, str]]], inside: str) -> Report:
    mistakes: list[Mistake] = []
    told: list[tuple[int, Organisation, str]] = []
    divisions = await store.divisions(tx, {cells["division"] for _, cells in rows})
    for number, cells in rows:
        flaws = list(_organisation_flaws(cells, divisions, inside))
        mistakes += [Mistake(reason, detail, number, column) for column, reason, detail in flaws]
        if not flaws:
            told.append((number, _organisation(cells), cells["backup"]))
    keys = {organisation.key for _, organisation, _ in told}
    backups = {organisation.key: f"{organisation.division[:6]}:{backup}" for _, organisation, backup in told if backup}
    before = await store.organisations_by_key(tx, keys | set(backups.values()))
    idents = {key: row["_id"] for key, row in before.items()}
    receiving = {key for key, row in before.items() if row["receives_referrals"] and row["active"]}
    for number, organisation, _ in told:
        if organisation.key in keys:
            keys.discard(organisation.key)
            idents.setdefault(organisation.key, new_id())
            (receiving.add if organisation.receives_referrals else receiving.discard)(organisation.key)
        else:
            mistakes.append(Mistake("repeated", "同一区县内已有同名机构，请只留一行", number, "name"))
        mistakes += await _flaws_of_known(tx, number, organisation, before.get(organisation.key), inside)
    for number, organisation, _ in told:
        backup = backups.get(organisation.key)
        if backup is not None and (backup == organisation.key or backup not in receiving):
            detail = "后备机构须是同一区县内另一个接收转介的机构，写它的全名"
            mistakes.append(Mistake("bad_backup", detail, number, "backup"))
    if mistakes:
        raise Mistaken(mistakes)
    new = changed = 0
    for _, organisation, _ in told:
        backup = backups.get(organisation.key)
        found = before.get(organisation.key)
        whole = replace(organisation, backup_id=idents[backup] if backup else None)
        if found is not None:
            whole = replace(whole, active=found["active"])
        _, wrote = await commands.write_organisation(tx, whole, found, idents[organisation.key])
        new += found is None
        changed += wrote and found is not None
    return Report(len(told), new, changed, len(told) - new - changed)


async def _flaws_of_known(
    tx: Tx, number: int, told: Organisation, before: Document | None, inside: str
) -> list[Mistake]:
    """What a file may not make of an organisation that is there: another division's stays as that one has it."""
    if before is None:
        return []
    if not before["division"].startswith(inside):
        detail = "本区县另一区划已登记同名机构，请由该区划的管理员修改，或换一个名称"
        return [Mistake("registered_elsewhere", detail, number, "name")]
    known = replace(told, active=before["active"])
    if (flaw := await commands.flaw_in_change(tx, known, before)) is not None:
        return [Mistake(flaw.reason, flaw.detail, number, flaw.field)]
    return []


def _organisation_flaws(
    cells: dict[str, str], divisions: dict[str, Document], inside: str
) -> Iterator[tuple[str, str, str]]:
    if not 1 <= len(cells["name"]) <= NAME_LIMIT:
        yield "name", "bad_name", f"名称须为 1 至 {NAME_LIMIT} 个字"
    if cells["division"] not in divisions or not cells["division"].startswith(inside):
        yield "division", "unknown_division", "没有这个区划代码，或不在您负责的区划之内"
    if cells["kind"] not in set(OrganisationKind):
        yield "kind", "bad_kind", f"类别须是 {'、'.join(OrganisationKind)} 之一"
    for column in ("receives_referrals", "around_the_clock"):
        if cells[column] not in ("0", "1"):
            yield column, "bad_flag", "填 1（是）或 0（否）"


def _organisation(cells: dict[str, str]) -> Organisation:
    return Organisation(
        name=cells["name"],
        division=cells["division"],
        kind=OrganisationKind(cells["kind"]),
        receives_referrals=cells["receives_referrals"] == "1",
        around_the_clock=cells["around_the_clock"] == "1",
    )

"""Tables out of .xlsx, .xls and .csv files, told apart by their content and not by their name.

Rows come as a stream and may be asked for more than once; a row is a list of cells, each as the file holds it. Nothing
in a file is run, calculated or fetched: of a formula the value that the last program left is read, links to other
workbooks and pictures are left aside, macros are refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chassis.errors import Refused
from services.registry.forms.archive import SAVE_AGAIN, look_into

MAX_FILE = 64 * 1024 * 1024
MAX_XLS = 32 * 1024 * 1024
MAX_SHEETS = 50
MAX_ROWS = 120_000
"""Rows of a file, empty ones too."""
MAX_COLUMNS = 40
MAX_FIELD = 64 * 1024

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|table|\?xml|mht)", re.IGNORECASE)
_REFERENCE = re.compile(r"([A-Z]+)(\d+)")
Cells = list[object]


@dataclass(frozen=True)
class ErrorValue:
    """A cell that shows an error, as Excel also does for a picture that was put into the cell."""

    code: str


ERRORS = frozenset({"#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"})


@dataclass(frozen=True)
class Table:
    """One sheet. `rows` begins anew at each call and counts from 1."""

    title: str
    rows: Callable[[], Iterator[tuple[int, Cells]]]


@contextmanager
def tables_of(content: bytes) -> Iterator[list[Table]]:
    """The tables of a file; raises `Refused` that says what to do with any other file."""
    if len(content) > MAX_FILE:
        raise Refused("too_large", f"文件超过 {MAX_FILE // 1024 // 1024} MB，请分成几份", "file")
    if content.startswith(ZIP):
        with _xlsx(content) as tables:
            yield tables
    elif content.startswith(OLE):
        yield _xls(content)
    else:
        yield [_csv(content)]


@contextmanager
def _xlsx(content: bytes) -> Iterator[list[Table]]:
    found = look_into(content)
    book = None
    try:
        import openpyxl  # only who reads a workbook pays for it: it is a fifth of the service's memory

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheets = book.worksheets
    except Exception as error:  # openpyxl raises whatever a damaged part makes it stumble over
        if book is not None:
            book.close()
        raise _damaged() from error
    try:
        if len(sheets) > MAX_SHEETS:
            raise Refused("too_large", f"工作簿有 {len(sheets)} 张表，最多 {MAX_SHEETS} 张", "file")
        counted = _Counted()
        yield [_xlsx_table(sheet, found.merges.get(_part_of(sheet), []), counted) for sheet in sheets]
    finally:
        book.close()


def _part_of(sheet: Any) -> str:
    return str(getattr(sheet, "_worksheet_path", "")).lstrip("/")


def _xlsx_table(sheet: Any, merges: list[tuple[str, str]], counted: _Counted) -> Table:
    down = _downwards(merges)

    def rows() -> Iterator[tuple[int, Cells]]:
        counted.begin(sheet.title)
        sheet.reset_dimensions()  # what a sheet says of its size may be wrong, and rows beyond it would be lost
        given = iter(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True))
        held: dict[int, tuple[int, object]] = {}
        number = 0
        while True:
            try:
                row = next(given)
            except StopIteration:
                return
            except Refused:
                raise
            except Exception as error:
                raise _damaged() from error
            number += 1
            counted.row(sheet.title)
            cells = [ErrorValue(cell) if isinstance(cell, str) and cell in ERRORS else cell for cell in row]
            yield number, _filled(number, cells, down, held) if down else cells

    return Table(sheet.title, rows)


def _downwards(merges: list[tuple[str, str]]) -> dict[int, dict[int, int]]:
    """Merged areas of more than one row: the last row of each, by first row and column (from 0)."""
    found: dict[int, dict[int, int]] = {}
    for first, last in merges:
        (left, top), (right, bottom) = _place(first), _place(last)
        if bottom > top and left == right and left < MAX_COLUMNS:
            found.setdefault(top, {})[left] = bottom
    return found


def _place(reference: str) -> tuple[int, int]:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return 0, 0
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1, int(match[2])


def _filled(number: int, cells: Cells, down: dict[int, dict[int, int]], held: dict[int, tuple[int, object]]) -> Cells:
    # Only the first cell of a merged area has the value that a person sees beside every row of it.
    for column, last in down.get(number, {}).items():
        if column < len(cells):
            held[column] = (last, cells[column])
    for column, (last, value) in list(held.items()):
        if number > last:
            del held[column]
        elif any(cell not in (None, "") for place, cell in enumerate(cells) if place != column):
            cells.extend([None] * (column + 1 - len(cells)))
            cells[column] = value
    return cells


class _Counted:
    """Bounds the rows of all sheets together, each sheet as often as it is read."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}

    def begin(self, sheet: str) -> None:
        self._rows[sheet] = 0

    def row(self, sheet: str) -> None:
        self._rows[sheet] += 1
        if self._rows[sheet] > MAX_ROWS or sum(self._rows.values()) > MAX_ROWS:
            raise Refused("too_large", f"工作簿超过 {MAX_ROWS} 行（空行也算），请删去空行或分成几份", "file")


def _xls(content: bytes) -> list[Table]:
    if "EncryptedPackage".encode("utf-16-le") in content or "EncryptionInfo".encode("utf-16-le") in content:
        raise Refused("encrypted", "工作簿设有密码，不能打开；请取消密码（另存为不加密的 .xlsx）后再传", "file")
    if "_VBA_PROJECT".encode("utf-16-le") in content:
        raise Refused("macros", "工作簿带有宏，不能接收；请另存为不含宏的 .xlsx 后再传", "file")
    if len(content) > MAX_XLS:
        raise Refused("too_large", f".xls 文件超过 {MAX_XLS // 1024 // 1024} MB；{SAVE_AGAIN}", "file")
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO(), ragged_rows=True)
        sheets = book.sheets()
    except Exception as error:  # as above, for the older format
        if "encrypted" in str(error).lower():
            detail = "工作簿设有密码，不能打开；请取消密码（另存为不加密的 .xlsx）后再传"
            raise Refused("encrypted", detail, "file") from error
        raise _damaged() from error
    if len(sheets) > MAX_SHEETS:
        raise Refused("too_large", f"工作簿有 {len(sheets)} 张表，最多 {MAX_SHEETS} 张", "file")
    counted = _Counted()
    return [_xls_table(sheet, book.datemode, counted) for sheet in sheets]


def _xls_table(sheet: Any, datemode: Any, counted: _Counted) -> Table:
    import xlrd

    def value(cell: Any) -> object:
        if cell.ctype == xlrd.XL_CELL_DATE:
            try:
                return xlrd.xldate_as_datetime(cell.value, datemode)
            except (xlrd.XLDateError, ValueError, OverflowError):
                return cell.value
        if cell.ctype == xlrd.XL_CELL_ERROR:
            return ErrorValue(str(xlrd.error_text_from_code.get(cell.value, "#N/A")))
        return None if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK) else cell.value

    def rows() -> Iterator[tuple[int, Cells]]:
        counted.begin(sheet.name)
        for number in range(sheet.nrows):
            counted.row(sheet.name)
            yield number + 1, [value(cell) for cell in sheet.row(number)[:MAX_COLUMNS]]

    return Table(str(sheet.name), rows)


def _csv(content: bytes) -> Table:
    if _PAGE.match(content[:512]):
        raise Refused("not_a_workbook", f"是网页或 XML，不是工作簿（名称带 .xls 也一样）；{SAVE_AGAIN}", "file")
    encoding = _encoding(content)
    with io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="") as text:
        delimiter = _delimiter(text.read(16 * 1024))

    def rows() -> Iterator[tuple[int, Cells]]:
        counted = _Counted()
        counted.begin("")
        with io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            try:
                for number, cells in enumerate(reader, 1):
                    counted.row("")
                    if any(len(cell) > MAX_FIELD for cell in cells):
                        raise Refused("bad_csv", f"第 {reader.line_num} 行有一格过长，可能缺一个引号", "file")
                    # A row and not a line, as spreadsheet programs count: a quoted cell may take several lines.
                    yield number, list(cells[:MAX_COLUMNS])
            except csv.Error as error:
                detail = f"第 {reader.line_num} 行不是正确的 CSV（{error}）；请另存为 .xlsx 后再传"
                raise Refused("bad_csv", detail, "file") from error

    return Table("CSV", rows)


MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def _encoding(content: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with one, else GB18030; raises `Refused` for what is neither."""
    for mark, name in MARKS:
        if content.startswith(mark):
            return _decodes(content, name) or _no_text()
    if b"\x00" in content[:4096]:
        _no_text()
    return _decodes(content, "utf-8") or _decodes(content, "gb18030") or _no_text()


def _decodes(content: bytes, encoding: str) -> str | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), 1 << 20):
            decoder.decode(content[start : start + (1 << 20)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return encoding


def _no_text() -> str:
    detail = "不是 xlsx、xls 工作簿，也不是 UTF-8 或 GB18030 编码的 CSV；请用 Excel 或 WPS 另存为 .xlsx 后再传"
    raise Refused("not_a_workbook", detail, "file")


def _delimiter(start: str) -> str:
    # Commas of the forms' own texts stand in quotes: what parts the header's row is what is most often there outside.
    outside = re.sub(r'"[^"]*"', "", start)
    return max(",\t;|", key=outside.count)


def _damaged() -> Refused:
    detail = "文件不能作为 xlsx 工作簿打开，可能已损坏；请用 Excel 或 WPS 另存为 .xlsx 后再传"
    return Refused("not_a_workbook", detail, "file")

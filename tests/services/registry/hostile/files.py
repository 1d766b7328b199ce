"""Each function makes one hostile file around a form that is good but for it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import openpyxl
import xlwt

from tests.services.registry.support import HEADER, a_row, workbook

SHEET = "xl/worksheets/sheet1.xml"
Change = Callable[[str, bytes], bytes]


def changed(content: bytes, change: Change | None = None, **more: bytes) -> bytes:
    """A workbook with its parts changed, and with more parts (`__` stands for `/`, `_dot_` for a point)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bad:
        for part in good.infolist():
            data = good.read(part)
            bad.writestr(part.filename, change(part.filename, data) if change else data)
        for name, data in more.items():
            bad.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return stream.getvalue()


def in_part(name: str, old: bytes, new: bytes) -> Change:
    """Replaces bytes in one part; they must be there."""

    def change(part: str, data: bytes) -> bytes:
        if part != name:
            return data
        assert old in data, name
        return data.replace(old, new, 1)

    return change


def macros() -> bytes:
    return changed(workbook(a_row()), xl__vbaProject_dot_bin=b"\x00")


def macro_content_type() -> bytes:
    old, new = b"spreadsheetml.sheet.main+xml", b"ms-excel.sheet.macroEnabled.main+xml"
    return changed(workbook(a_row()), in_part("[Content_Types].xml", old, new))


def older_macros() -> bytes:
    return xls() + "_VBA_PROJECT".encode("utf-16-le")


def encrypted() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)


def bomb() -> bytes:
    """A sheet of 40 MB of blanks that packs to a thousandth."""
    blanks = b" " * (40 << 20)
    return changed(workbook(a_row()), in_part(SHEET, b"<sheetData>", b"<sheetData>" + blanks))


def entities() -> bytes:
    declared = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    return changed(workbook(a_row()), lambda part, data: declared + data if part == "xl/workbook.xml" else data)


def entities_in_utf_16() -> bytes:
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "ha">]><x>&a;</x>'
    return changed(workbook(a_row()), lambda part, data: text.encode("utf-16") if part == "xl/styles.xml" else data)


def a_million_rows() -> bytes:
    rows = b"".join(b'<row r="%d"/>' % number for number in range(6, 1_048_577))
    return changed(workbook(a_row()), in_part(SHEET, b"</sheetData>", rows + b"</sheetData>"))


def a_million_columns() -> bytes:
    row = b'<row r="6">' + b"<c><v>1</v></c>" * 1_000_000 + b"</row>"
    return changed(workbook(a_row()), in_part(SHEET, b"</sheetData>", row + b"</sheetData>"))


def a_million_strings() -> bytes:
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + b"<si/>" * 1_300_000
    return changed(workbook(a_row()), xl__sharedStrings_dot_xml=strings + b"</sst>")


def broken_zip() -> bytes:
    content = workbook(a_row())
    return content[: len(content) // 2]


def a_damaged_part() -> bytes:
    return changed(workbook(a_row()), lambda part, data: data[:200] if part == SHEET else data)


def two_of_a_name() -> bytes:
    stream = io.BytesIO(workbook(a_row()))
    with zipfile.ZipFile(stream, "a") as archive, zipfile.ZipFile(io.BytesIO(workbook())) as other:
        archive.writestr(SHEET, other.read(SHEET))
    return stream.getvalue()


def a_page() -> bytes:
    return b"<html><table><tr><td>" + "姓名".encode() + b"</td></tr></table></html>"


def binary_workbook() -> bytes:
    return changed(workbook(a_row()), xl__workbook_dot_bin=b"\x00")


def open_document() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    return stream.getvalue()


def latin() -> bytes:
    return b"name,phone\n" + b"\xe9\xff\xe9\xff,1\n"


def an_open_quote() -> bytes:
    return csv_of(a_row()) + b'"' + b"x" * 200_000


def with_a_picture() -> bytes:
    """A picture that floats over the sheet, as people paste photographs."""
    return changed(workbook(a_row()), xl__media__image1_dot_png=b"\x89PNG\r\n" + bytes(100_000))


def with_a_picture_in_a_cell() -> bytes:
    return workbook(a_row(post='=DISPIMG("ID_0123",1)'))


def with_an_error_cell() -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    cell = book.worksheets[0]["H5"]
    cell.value, cell.data_type = "#VALUE!", "e"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def with_external_links() -> bytes:
    link = b'<externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'
    return changed(workbook(a_row()), xl__externalLinks__externalLink1_dot_xml=link)


def csv_of(*rows: tuple[object, ...], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """The form as a CSV: title, unit, filler, header, people."""
    lines: list[tuple[object, ...]] = [
        ("海州区社区心理服务志愿者登记表",),
        ("浦西社区卫生服务中心",),
        ("填表人： 示例填表人 联系电话： 000-0000-0000 2024 年 3 月 28 日",),
        HEADER,
        *rows,
    ]
    quoted = [delimiter.join('"' + str(cell).replace('"', '""') + '"' for cell in line) for line in lines]
    return ("\r\n".join(quoted) + "\r\n").encode(encoding)


def xls(*rows: tuple[object, ...]) -> bytes:
    """The form as an older workbook; a single good row where none is given."""
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("登记表")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    lines: list[tuple[object, ...]] = [
        ("海州区社区心理服务志愿者登记表",),
        ("浦西社区卫生服务中心",),
        ("填表人： 示例填表人 联系电话： 000-0000-0000 2024 年 3 月 28 日",),
        (*HEADER, "出生日期"),
        *(rows or [a_row()]),
    ]
    for number, line in enumerate(lines):
        for column, value in enumerate(line):
            if hasattr(value, "year"):
                sheet.write(number, column, value, day)
            elif value is not None:
                sheet.write(number, column, value)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()

"""The official forms written: the layout given back, in a workbook that Excel, WPS and others open."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from services.registry.domain.people import (
    OTHER_QUALIFICATION,
    OTHER_TYPE,
    SEX_LABELS,
    Registration,
    write_codes,
)
from services.registry.forms.layouts import ANNEX_1, UNIT_LABEL, Layout
from services.registry.forms.reading import Submission

WIDTHS = {"name": 14, "sex": 6, "age": 6, "education": 14, "major": 16, "post": 14, "phone": 18}
WIDE = 28
LINE = 15
"""Points of a line of text."""
PROGRAM_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program may take for a formula, in a cell or in a CSV made of it."""


def write_form(people: Iterable[Registration], submission: Submission, place: str, layout: Layout = ANNEX_1) -> bytes:
    """A workbook in one of the official layouts; `read_form` reads it back."""
    import openpyxl
    from openpyxl.styles import Alignment, Border, Font, Side
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.worksheet import Worksheet

    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = submission.sheet
    last = get_column_letter(len(layout.columns))
    day = f"{submission.day:%Y} 年 {submission.day.month} 月 {submission.day.day} 日" if submission.day else "年 月 日"
    top = (
        f"{place}{layout.title}",
        f"{submission.unit} {UNIT_LABEL}".strip(),
        f"填表人： {submission.filled_by or '_____'} 联系电话： {submission.phone or '_____'} {day}",
    )
    for number, text in enumerate(top, 1):
        _write(sheet.cell(number, 1), text)
        sheet.merge_cells(f"A{number}:{last}{number}")
    sheet.row_dimensions[1].height = 26
    sheet["A1"].font = Font(bold=True, size=16)
    sheet["A1"].alignment = Alignment(horizontal="center")
    line = Side(style="thin")
    grid, wrapped = Border(line, line, line, line), Alignment(wrap_text=True, vertical="center")
    for column, (name, title) in enumerate(layout.columns.items(), 1):
        cell = sheet.cell(4, column)
        _write(cell, title)
        cell.alignment, cell.border, cell.font = wrapped, grid, Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = WIDTHS.get(name, WIDE)
    sheet.row_dimensions[4].height = _height(layout.columns)
    for row, person in enumerate(people, 5):
        texts = {name: _cell(person, name) for name in layout.columns}
        sheet.row_dimensions[row].height = _height(texts)
        for column, name in enumerate(layout.columns, 1):
            cell = sheet.cell(row, column)
            cell.border, cell.alignment = grid, wrapped
            if texts[name]:
                _write(cell, texts[name])
    sheet.freeze_panes = "A5"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = _fit_to_width()
    sheet.print_title_rows = "1:4"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _height(texts: Mapping[str, str]) -> int:
    # Not every program makes a row as high as its wrapped texts when it opens a file.
    lines = 1
    for name, text in texts.items():
        width = sum(2 if unicodedata.east_asian_width(sign) in "FWA" else 1 for sign in text)
        lines = max(lines, -(-width // (WIDTHS.get(name, WIDE) - 2)))
    return LINE * lines + 3


def _fit_to_width() -> Any:
    from openpyxl.worksheet.properties import PageSetupProperties

    return PageSetupProperties(fitToPage=True)


def _cell(person: Registration, column: str) -> str:
    match column:
        case "sex":
            return SEX_LABELS[person.sex]
        case "age":
            return "" if person.age is None else str(person.age)
        case "person_types":
            return write_codes(person.person_types, OTHER_TYPE, person.other_type)
        case "qualifications":
            return write_codes(person.qualifications, OTHER_QUALIFICATION, person.other_qualification)
        case "trained":
            yes = f"是：{person.training}" if person.training else "是"
            return {"yes": yes, "no": "否"}.get(person.trained, "")
        case _:
            return str(getattr(person, column))


def _write(cell: Any, text: str) -> None:
    # As text whatever it begins with: what somebody wrote into a form must not become a formula on another's screen,
    # also when the cell is opened and left there. That is what the leading apostrophe of a cell is in the file.
    cell.value = text
    cell.data_type = "s"
    if text.startswith(PROGRAM_STARTS):
        cell.quotePrefix = True

"""附件1 and 附件4 of 海心联办〔2024〕1号 as files: read with their mistakes, and written.

Layout of both: title (merged), the unit's row, a row with 填表人, 联系电话 and the date, the header, one person a row.
"""

from services.registry.forms.example import example_workbook
from services.registry.forms.layouts import ANNEX_1, ANNEX_4, LAYOUTS, Layout
from services.registry.forms.reading import (
    Again,
    Entry,
    Form,
    Item,
    Skipped,
    Submission,
    Wrong,
    items_of,
    read_form,
)
from services.registry.forms.tables import tables_of
from services.registry.forms.writing import write_form

__all__ = [
    "ANNEX_1",
    "ANNEX_4",
    "LAYOUTS",
    "Again",
    "Entry",
    "Form",
    "Item",
    "Layout",
    "Skipped",
    "Submission",
    "Wrong",
    "example_workbook",
    "items_of",
    "read_form",
    "tables_of",
    "write_form",
]

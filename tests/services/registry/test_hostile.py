"""Files that do harm: each has its end, said in words, and none of it is run, fetched or held in memory whole."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from datetime import date

import openpyxl
import pytest

from chassis.errors import Refused
from services.registry.domain.people import Registration
from services.registry.forms import ANNEX_1, ANNEX_4, Layout, Submission, read_form, write_form
from tests.services.registry.hostile import files
from tests.services.registry.support import Registry, a_row, workbook

TODAY = date(2026, 1, 15)

REFUSED: list[tuple[Callable[[], bytes], str]] = [
    (files.macros, "macros"),
    (files.macro_content_type, "macros"),
    (files.older_macros, "macros"),
    (files.encrypted, "encrypted"),
    (files.bomb, "too_large"),
    (files.entities, "entities"),
    (files.entities_in_utf_16, "entities"),
    (files.a_million_rows, "too_large"),
    (files.a_million_columns, "too_large"),
    (files.a_million_strings, "too_large"),
    (files.broken_zip, "not_a_workbook"),
    (files.a_damaged_part, "not_a_workbook"),
    (files.two_of_a_name, "not_a_workbook"),
    (files.a_page, "not_a_workbook"),
    (files.binary_workbook, "not_a_workbook"),
    (files.open_document, "not_a_workbook"),
    (files.latin, "not_a_workbook"),
    (files.an_open_quote, "bad_csv"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("make", "reason"), REFUSED, ids=[make.__name__ for make, _ in REFUSED])
def test_a_hostile_file_is_refused_with_a_reason_and_what_to_do(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(Refused) as caught:
        read_form(make(), TODAY)
    assert (caught.value.reason, caught.value.field) == (reason, "file")
    assert any("\u4e00" <= sign <= "\u9fff" for sign in caught.value.detail)


@pytest.mark.parametrize("make", [files.with_a_picture, files.with_external_links], ids=["picture", "links"])
def test_what_lies_beside_the_cells_is_left_aside(make: Callable[[], bytes]) -> None:
    form = read_form(make(), TODAY)
    assert (len(form.entries), form.mistakes) == (1, [])


def test_a_picture_or_an_error_in_a_cell_is_a_mistake_of_that_cell() -> None:
    # A formula without a value of its own is an empty cell; the value that a program left is what is read.
    for content in (files.with_an_error_cell(), csv_with_picture()):
        form = read_form(content, TODAY)
        assert [(mistake.column, mistake.row) for mistake in form.mistakes] == [("职务", 5)]
        assert "图片" in form.mistakes[0].detail


def csv_with_picture() -> bytes:
    return files.csv_of(a_row(post='=DISPIMG("ID_0123",1)'))


@pytest.mark.parametrize("start", ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(1)"])
@pytest.mark.parametrize("layout", [ANNEX_1, ANNEX_4], ids=["annex 1", "annex 4"])
def test_what_looks_like_a_formula_is_text_on_the_way_in_and_out(start: str, layout: Layout) -> None:
    (entry,) = read_form(files.csv_of(a_row(employer=start)), TODAY).entries
    assert entry.person.employer == start
    told = Registration(
        "=张示例", "000-0000-0001", person_types=(1,), employer=start, post=start, roles=(layout.role,), major=start
    )
    content = write_form([told], Submission(layout.form, day=TODAY), "示例区", layout)
    cells = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0][5]
    risky = [cell for cell in cells if str(cell.value or "").startswith(("=", "+", "-", "@"))]
    assert len(risky) >= 3
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in risky)
    (back,) = read_form(content, TODAY, layout).entries
    assert (back.person.employer, back.person.name) == (start, "=张示例")


def test_a_row_of_a_million_cells_takes_little_memory() -> None:
    content = files.a_million_columns()
    tracemalloc.start()
    with pytest.raises(Refused):
        read_form(content, TODAY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


async def test_a_hostile_file_over_http_is_answered_and_leaves_nothing(registry: Registry) -> None:
    async with registry.client("320706") as client:
        for make, reason in ((files.macros, "macros"), (files.bomb, "too_large"), (files.encrypted, "encrypted")):
            for path in ("/v1/volunteers/import", "/v1/talent/import"):
                answer = await client.post(path, params={"division": "320706016"}, content=make())
                assert answer.status_code == (413 if reason == "too_large" else 422)
                assert (answer.json()["reason"], answer.json()["field"]) == (reason, "file")
        good = await client.post("/v1/volunteers/import", params={"division": "320706016"}, content=workbook(a_row()))
        assert good.status_code == 200
    assert await registry.database.count("volunteers", {}) == 1

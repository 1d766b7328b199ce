"""附件1 as a workbook: read with its mistakes by sheet, row and column, and written so that it is read back."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Refused
from services.registry.domain.people import PERSON_TYPES, Registration
from services.registry.forms import (
    Submission,
    archive,
    example_workbook,
    read_form,
    tables,
    write_form,
)
from tests.services.registry.support import HEADER, a_row, workbook

TODAY = date(2026, 1, 15)


def refused(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read_form(content, TODAY)
    return caught.value


def test_a_filled_in_form_gives_its_people_and_who_handed_it_in() -> None:
    form = read_form(workbook(a_row()), TODAY)
    assert form.mistakes == []
    (submission,) = form.submissions
    assert submission == Submission("登记表", "浦西社区卫生服务中心", "示例填表人", "000-0000-0000", date(2024, 3, 28))
    (entry,) = form.entries
    assert entry.row == 5
    assert entry.given_on == date(2024, 3, 28)
    assert entry.person == Registration(
        name="张示例",
        phone="000-0000-0001",
        sex="female",
        age=35,
        education="本科",
        person_types=(1, 3),
        trained="yes",
        training="2023年5月 示例培训",
        employer="示例单位",
        post="职员",
    )


def test_a_date_that_is_not_filled_in_counts_as_today() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.worksheets[0]["A3"] = "填表人： _____ 联系电话： _____ 年 月 日"
    stream = io.BytesIO()
    book.save(stream)
    form = read_form(stream.getvalue(), TODAY)
    assert form.entries[0].given_on == TODAY
    assert form.submissions[0].filled_by == ""


@pytest.mark.parametrize("day", ["2024 年 2 月 30 日", "2026 年 1 月 16 日"])
def test_a_date_that_cannot_be_is_a_mistake(day: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.worksheets[0]["A3"] = f"填表人： 示例填表人 联系电话： 000-0000-0000 {day}"
    stream = io.BytesIO()
    book.save(stream)
    form = read_form(stream.getvalue(), TODAY)
    assert [(mistake.row, mistake.reason) for mistake in form.mistakes] == [(3, "bad_date")]


def test_empty_rows_are_skipped_and_later_rows_keep_their_number() -> None:
    form = read_form(workbook((None,) * 9, a_row(), ("", " ", None), a_row("李示例", "000-0000-0002", age="")), TODAY)
    assert [entry.row for entry in form.entries] == [6, 8]
    assert form.entries[1].person.age is None


def test_the_order_of_the_columns_does_not_matter() -> None:
    form = read_form(workbook(tuple(reversed(a_row())), header=tuple(reversed(HEADER))), TODAY)
    assert form.entries[0].person.name == "张示例"
    assert form.entries[0].person.person_types == (1, 3)


def test_every_mistake_names_sheet_row_and_column_and_says_what_to_do() -> None:
    form = read_form(
        workbook(
            a_row(name="", age="三十", phone=""),
            a_row("李示例", "000-0000-0002", types="9", sex="X"),
            a_row("王示例", "000-0000-0003", types="8"),
            a_row("赵示例", "000-0000-0004", types=""),
        ),
        TODAY,
    )
    found = {(mistake.sheet, mistake.row, mistake.column) for mistake in form.mistakes}
    assert found == {
        ("登记表", 5, "姓名"),
        ("登记表", 5, "年龄"),
        ("登记表", 5, "联系电话"),
        ("登记表", 6, "人员类型"),
        ("登记表", 6, "性别"),
        ("登记表", 7, "人员类型"),
        ("登记表", 8, "人员类型"),
    }
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in mistake.detail) for mistake in form.mistakes)
    assert not any("示例" in mistake.detail for mistake in form.mistakes)  # no mistake repeats who it is about


def test_a_missing_column_is_named() -> None:
    form = read_form(workbook(a_row()[:-1], header=HEADER[:-1]), TODAY)
    (mistake,) = form.mistakes
    assert "联系电话" in mistake.detail
    assert mistake.row == 4


def test_a_person_who_is_there_twice_counts_once_unless_the_words_differ() -> None:
    same = read_form(workbook(a_row(), a_row(phone="00000000001")), TODAY)
    assert same.mistakes != []  # the same digits, written otherwise: someone has to decide
    same = read_form(workbook(a_row(), a_row()), TODAY)
    assert (len(same.entries), same.repeated, same.mistakes) == (1, 1, [])
    other = read_form(workbook(a_row(), a_row(age=36)), TODAY)
    assert [(mistake.row, mistake.reason) for mistake in other.mistakes] == [(6, "repeated")]


def test_a_number_that_excel_took_for_a_number_is_read() -> None:
    form = read_form(workbook(a_row(phone=10000000001, types=3, age=35.0)), TODAY)
    assert form.entries[0].person.phone == "10000000001"
    assert form.entries[0].person.person_types == (3,)


def test_sheets_without_the_header_are_named_and_left() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.create_sheet("空表")
    book.create_sheet("说明").append(["填表说明"])
    stream = io.BytesIO()
    book.save(stream)
    form = read_form(stream.getvalue(), TODAY)
    assert form.skipped_sheets == ["说明"]
    assert len(form.entries) == 1


def zipped(**parts: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"\x00\x01", b"\xff\x80\xff", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", zipped(a=b"1"), workbook(a_row())[:-200]],
    ids=["bytes", "no text", "broken xls", "zip", "cut off"],
)
def test_what_is_no_workbook_is_refused_with_what_to_do(content: bytes) -> None:
    error = refused(content)
    assert error.reason == "not_a_workbook"
    assert "xlsx" in error.detail


def test_a_damaged_part_inside_a_workbook_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(a_row()))) as good, zipfile.ZipFile(stream, "w") as bad:
        for part in good.infolist():
            bad.writestr(part, b"<broken" if part.filename == "xl/workbook.xml" else good.read(part))
    assert refused(stream.getvalue()).reason == "not_a_workbook"


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", b"<Types/>")
        with bomb.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _ in range(archive.MAX_UNPACKED // (1 << 20) + 1):
                part.write(bytes(1 << 20))
    assert len(stream.getvalue()) < 1 << 20
    assert refused(stream.getvalue()).reason == "too_large"


def test_a_sheet_with_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 10)
    assert refused(workbook(*[(None,)] * 7, a_row())).reason == "too_large"


def test_a_row_numbered_a_million_does_not_get_far() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(a_row()))) as good, zipfile.ZipFile(stream, "w") as bad:
        for part in good.infolist():
            content = good.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                content = content.replace(b'<row r="5"', b'<row r="1048576"')
            bad.writestr(part, content)
    assert refused(stream.getvalue()).reason == "too_large"


def test_a_workbook_without_the_header_is_refused_with_the_columns_it_needs() -> None:
    error = refused(workbook(a_row(), header=("甲",) * 9))
    assert error.reason == "no_header"
    assert "人员类型" in error.detail


def test_a_formula_is_taken_for_its_value_and_never_calculated() -> None:
    form = read_form(workbook(a_row(name='=HYPERLINK("http://example.invalid","张示例")')), TODAY)
    assert [(mistake.column, mistake.reason) for mistake in form.mistakes] == [("姓名", "missing")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_what_looks_like_a_formula_is_written_as_text(start: str) -> None:
    person = Registration("张示例", "000-0000-0001", person_types=(1,), employer=f"{start}1+1", post=f"{start}A1")
    book = openpyxl.load_workbook(io.BytesIO(write_form([person], Submission("附件1"), "示例区")))
    cell = book.worksheets[0]["G5"]
    assert (cell.value, cell.data_type) == (f"{start}1+1", "s")
    assert cell.quotePrefix


texts = st.text("甲乙丙示例单位=+@'\"<&>.x", max_size=12).map(lambda text: " ".join(text.split()))
people = st.builds(
    Registration,
    name=st.text("张王李示例测", min_size=1, max_size=6),
    phone=st.integers(0, 9999).map(lambda number: f"000-0000-{number:04d}"),
    sex=st.sampled_from(("male", "female", "unknown")),
    age=st.none() | st.integers(1, 120),
    education=texts,
    person_types=st.sets(st.sampled_from(range(1, 8)), min_size=1).map(lambda codes: tuple(sorted(codes))),
    trained=st.sampled_from(("no", "unknown")),
    employer=texts,
    post=texts,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(people, max_size=5, unique_by=lambda person: person.phone))
def test_a_written_form_is_read_back_as_it_was(written: list[Registration]) -> None:
    form = read_form(write_form(written, Submission("附件1", "示例单位", day=TODAY), "示例区"), TODAY)
    assert form.mistakes == []
    assert [entry.person for entry in form.entries] == written
    assert form.submissions == [Submission("附件1", "示例单位", day=TODAY)]


def test_the_written_form_has_the_layout_of_annex_1() -> None:
    content = write_form([], Submission("附件1", "示例社区卫生服务中心", day=date(2024, 3, 28)), "海州区")
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    assert sheet["A1"].value == "海州区社区心理服务志愿者登记表"
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A1:I1", "A2:I2", "A3:I3"}
    assert str(sheet["A3"].value).startswith("填表人")
    header = [str(cell.value) for cell in sheet[4]]
    assert [title[:4] for title in header] == [
        "姓名", "性别", "年龄", "学历", "人员类型", "是否参加", "工作单位", "职务", "联系电话",
    ]  # fmt: skip
    assert all(f"{code}={label}" in header[4] for code, label in PERSON_TYPES.items())


def test_the_example_holds_people_who_are_plainly_made_up_the_same_for_the_same_seed() -> None:
    form = read_form(example_workbook(130, 7), TODAY)
    assert form.mistakes == []
    assert len(form.entries) == 130
    assert all(entry.person.name.startswith("示例") for entry in form.entries)
    assert all(entry.person.phone.startswith("000-0000-") for entry in form.entries)
    again = read_form(example_workbook(130, 7), TODAY)
    assert again.entries == form.entries
    assert read_form(example_workbook(130, 8), TODAY).entries != form.entries


def test_rows_beyond_what_the_sheet_says_of_its_size_are_read() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(a_row()))) as good, zipfile.ZipFile(stream, "w") as odd:
        for part in good.infolist():
            content = good.read(part)
            assert part.filename != "xl/worksheets/sheet1.xml" or b'<dimension ref="A1:I5"' in content
            odd.writestr(part, content.replace(b'<dimension ref="A1:I5"', b'<dimension ref="A1:I4"'))
    assert len(read_form(stream.getvalue(), TODAY).entries) == 1

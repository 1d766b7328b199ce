"""The same form as .xlsx, .xls and .csv, with cells as people fill them; rows in are rows taken and rows refused."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Refused
from services.registry.domain.people import TALENT, Flawed, Registration, plain
from services.registry.domain.people_dates import find_day, read_day
from services.registry.forms import (
    ANNEX_1,
    ANNEX_4,
    LAYOUTS,
    Layout,
    Submission,
    example_workbook,
    read_form,
    write_form,
)
from services.registry.forms.writing import LINE
from tests.services.registry.hostile.files import changed, csv_of, in_part, xls
from tests.services.registry.support import HEADER, a_row, workbook

TODAY = date(2026, 1, 15)
EXPECTED = read_form(workbook(a_row(), a_row("李示例", "000-0000-0002", types="１，３")), TODAY).entries


def people(content: bytes, layout: Layout = ANNEX_1) -> list[Registration]:
    form = read_form(content, TODAY, layout)
    assert form.mistakes == []
    return [entry.person for entry in form.entries]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_in_the_encodings_and_with_the_delimiters_that_programs_write(
    encoding: str, delimiter: str
) -> None:
    content = csv_of(a_row(), a_row("李示例", "000-0000-0002", types="1、3"), delimiter=delimiter, encoding=encoding)
    form = read_form(content, TODAY)
    assert [(entry.row, entry.person) for entry in form.entries] == [(entry.row, entry.person) for entry in EXPECTED]
    assert form.submissions[0].unit == "浦西社区卫生服务中心"
    assert form.submissions[0].day == date(2024, 3, 28)


def test_an_older_workbook_is_read_as_a_newer_one_is() -> None:
    form = read_form(xls(a_row(phone=10000000001), a_row("李示例", "000-0000-0002", age="")), TODAY)
    assert form.mistakes == []
    first, second = form.entries
    assert (first.sheet, first.row, first.person.phone, first.person.age) == ("登记表", 5, "10000000001", 35)
    assert second.person.age is None


@pytest.mark.parametrize("cell", ["1、3", "1,3", "１，３", "1 3", "1;3", 1.3, "3、1"])
def test_a_code_cell_means_the_same_in_every_format(cell: object) -> None:
    for content in (workbook(a_row(types=cell)), xls(a_row(types=cell)), csv_of(a_row(types=cell))):
        assert people(content)[0].person_types == (1, 3)


DAYS = [
    "2024-03-01",
    "2024/3/1",
    "2024年3月1日",
    "20240301",
    45352,
    "2024.3.1",
    "２０２４年３月１日",
    datetime(2024, 3, 1),
]


@pytest.mark.parametrize("cell", DAYS)
def test_a_day_is_read_however_it_is_written(cell: object) -> None:
    assert read_day(plain(cell)) == date(2024, 3, 1)


@pytest.mark.parametrize(
    "cell", ["三月一日", "3月1日", "2024年3月", "2024-13-01", "2024-02-30", "1", "99999999", "今天"]
)
def test_a_day_that_is_not_clear_is_asked_for_and_never_guessed(cell: str) -> None:
    with pytest.raises(Flawed, match=r"日期|哪一天|没有这一天"):
        read_day(plain(cell))


@given(st.dates(date(1900, 3, 1), date(2199, 12, 31)))
def test_every_way_to_write_a_day_names_the_same_day(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    ways = [
        day.isoformat(),
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y%m%d}",
    ]
    assert {read_day(way) for way in [*ways, str(serial)]} == {day}
    assert find_day(f"填表日期 {ways[2]} 止") == day


@pytest.mark.parametrize("line", ["2024 年 3 月 28 日", "2024/3/28", "2024-03-28", "2024.3.28"])
def test_the_forms_date_may_be_written_in_several_ways(line: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.worksheets[0]["A3"] = f"填表人： 示例填表人 联系电话： 000-0000-0000 {line}"
    assert read_form(saved(book), TODAY).submissions[0].day == date(2024, 3, 28)


@pytest.mark.parametrize("cell", ["20240328", 45379, datetime(2024, 3, 28)])
def test_the_forms_date_may_stand_in_a_cell_of_its_own(cell: Any) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.worksheets[0]["A3"] = "填表人： 示例填表人 联系电话： 000-0000-0000"
    book.worksheets[0]["F3"] = cell
    assert read_form(saved(book), TODAY).submissions[0].day == date(2024, 3, 28)


@pytest.mark.parametrize("line", ["三月一日", "2024 年 3 月 日", "3月28日"])
def test_half_a_date_of_the_form_is_asked_for(line: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row())))
    book.worksheets[0]["A3"] = f"填表人： 示例填表人 联系电话： 000-0000-0000 {line}"
    (mistake,) = read_form(saved(book), TODAY).mistakes
    assert (mistake.row, mistake.column, mistake.reason) == (3, "填表人", "bad_date")
    assert "2024-03-01" in mistake.detail


def saved(book: Any) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("cell", ["1989-05-04", "1989年5月4日", 32632, datetime(1989, 5, 4)])
def test_a_column_with_birth_dates_is_read_and_takes_the_place_of_the_age(cell: object) -> None:
    given = (*a_row(age=""), cell)
    for content in (workbook(given, header=(*HEADER, "出生日期")), xls(given)):
        (person,) = people(content)
        assert (person.birth_date, person.age) == ("1989-05-04", None)


def test_an_age_that_contradicts_the_birth_date_is_asked_about() -> None:
    content = workbook((*a_row(age=40), "1989-05-04"), header=(*HEADER, "出生日期"))
    assert [(m.column, m.reason) for m in read_form(content, TODAY).mistakes] == [("年龄", "age_and_birth_differ")]
    assert people(workbook((*a_row(age=34), "1989-05-04"), header=(*HEADER, "出生日期")))[0].age is None


def test_cells_that_were_merged_downwards_count_for_each_of_their_rows() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(a_row(), a_row("李示例", "000-0000-0002", employer=None))))
    book.worksheets[0].merge_cells("G5:G6")
    assert [person.employer for person in people(saved(book))] == ["示例单位", "示例单位"]


def test_texts_that_a_program_keeps_in_one_table_are_read() -> None:
    strings = "".join(f"<si><t>{text}</t></si>" for text in ("张示例",))
    table = f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{strings}</sst>'
    old = '<c r="A5" t="inlineStr"><is><t>张示例</t></is></c>'.encode()
    content = changed(workbook(a_row()), in_part("xl/worksheets/sheet1.xml", old, b'<c r="A5" t="s"><v>0</v></c>'))
    kind = b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    kind += b'spreadsheetml.sharedStrings+xml"/></Types>'
    content = changed(
        content, in_part("[Content_Types].xml", b"</Types>", kind), xl__sharedStrings_dot_xml=table.encode()
    )
    assert people(content)[0].name == "张示例"


# 附件4


def test_annex_4_gives_its_people_with_their_qualifications() -> None:
    form = read_form(example_workbook(60, 5, layout=ANNEX_4), TODAY, ANNEX_4)
    assert form.mistakes == []
    assert {entry.person.roles for entry in form.entries} == {(TALENT,)}
    assert {code for entry in form.entries for code in entry.person.qualifications} == {1, 2, 3, 4, 5, 6}
    assert any(entry.person.qualifications == () for entry in form.entries)
    assert all(entry.person.person_types == () for entry in form.entries)
    assert form.submissions[0].unit == "示例社区卫生服务中心"
    assert form.submissions[0].filled_by == "示例填表人"


def a_talent(**cells: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "name": "张示例", "sex": "女", "age": 35, "education": "本科", "major": "心理学", "qualifications": "3",
        "trained": "是", "employer": "示例学校", "post": "副教授", "phone": "000-0000-0001",
    }  # fmt: skip
    return tuple({**row, **cells}.values())


def talents(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.load_workbook(
        io.BytesIO(write_form([], Submission("附件4", "示例学校", day=TODAY), "示例区", ANNEX_4))
    )
    for row in rows:
        book.worksheets[0].append(list(row))
    return saved(book)


@pytest.mark.parametrize(
    ("cell", "codes", "words"),
    [
        ("", (), ""), ("无", (), ""), ("不选", (), ""), ("3、4", (3, 4), ""), ("３，４", (3, 4), ""),
        ("学校专职心理教师", (4,), ""), ("6、示例资质", (6,), "示例资质"),
    ],
)  # fmt: skip
def test_qualifications_may_be_several_or_none(cell: str, codes: tuple[int, ...], words: str) -> None:
    (person,) = people(talents(a_talent(qualifications=cell)), ANNEX_4)
    assert (person.qualifications, person.other_qualification) == (codes, words)


@pytest.mark.parametrize("cell", ["7", "医务人员", "6"])
def test_what_is_no_qualification_is_refused_also_where_it_is_a_person_type(cell: str) -> None:
    (mistake,) = read_form(talents(a_talent(qualifications=cell)), TODAY, ANNEX_4).mistakes
    assert (mistake.column, mistake.row) == ("资质", 5)


def test_a_form_at_the_wrong_door_is_told_which_one_it_is() -> None:
    for layout, other in ((ANNEX_1, ANNEX_4), (ANNEX_4, ANNEX_1)):
        with pytest.raises(Refused) as caught:
            read_form(example_workbook(1, 1, layout=other), TODAY, layout)
        assert caught.value.reason == "other_form"
        assert other.form in caught.value.detail


def test_the_written_annex_4_has_the_official_layout() -> None:
    content = write_form(
        [], Submission("附件4", "示例学校", "示例填表人", "000-0000-0000", date(2024, 4, 30)), "海州区", ANNEX_4
    )
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    assert sheet["A1"].value == "海州区社会心理服务人才信息库"
    assert sheet["A2"].value == "示例学校 社区卫生服务中心/学校"
    assert sheet["A3"].value == "填表人： 示例填表人 联系电话： 000-0000-0000 2024 年 4 月 30 日"
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A1:J1", "A2:J2", "A3:J3"}
    assert [str(cell.value)[:4] for cell in sheet[4]] == [
        "姓名", "性别", "年龄", "学历", "专业", "资质（可", "是否参加", "工作单位", "职称或职", "联系电话",
    ]  # fmt: skip
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.print_title_rows == "$1:$4"
    assert (sheet.row_dimensions[4].height or 0) >= 5 * LINE  # all six qualifications can be read


words = st.text("甲乙丙示例=+@'\"<&>.x", max_size=8).map(lambda text: " ".join(text.split()))
registrations = st.builds(
    Registration,
    name=st.text("张王李示例测", min_size=1, max_size=6),
    phone=st.integers(0, 9999).map(lambda number: f"000-0000-{number:04d}"),
    sex=st.sampled_from(("male", "female", "unknown")),
    age=st.none() | st.integers(1, 120),
    education=words,
    major=words,
    qualifications=st.sets(st.sampled_from(range(1, 6))).map(lambda codes: tuple(sorted(codes))),
    trained=st.sampled_from(("yes", "no", "unknown")),
    employer=words,
    post=words,
    roles=st.just((TALENT,)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(registrations, max_size=4, unique_by=lambda person: person.phone))
def test_a_written_annex_4_is_read_back_as_it_was(written: list[Registration]) -> None:
    assert people(write_form(written, Submission("附件4", day=TODAY), "示例区", ANNEX_4), ANNEX_4) == written


# Whatever a spreadsheet holds

cells = st.one_of(
    st.none(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    st.sampled_from(["张示例", "000-0000-0001", "男", "1、3", "是", "#VALUE!", "=1+1", "", " ", "35"]),
)
good = st.integers(0, 3).map(lambda number: a_row(phone=f"000-0000-000{number}"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(LAYOUTS),
    st.lists(st.one_of(good, st.lists(cells, max_size=12).map(tuple)), max_size=8),
    st.booleans(),
)
def test_rows_in_are_rows_taken_and_rows_refused_with_reasons(
    layout: Layout, rows: list[tuple[object, ...]], as_csv: bool
) -> None:
    header = HEADER if layout is ANNEX_1 else tuple(layout.columns.values())
    width = len(header)
    filled = [row for row in rows if any(plain(cell) for cell in row[:width])]
    if as_csv:
        filled = [row for row in rows if any(plain("" if cell is None else str(cell)) for cell in row[:width])]
        lines = [["" if cell is None else str(cell) for cell in row] for row in (header, *rows)]
        content = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines).encode()
    else:
        content = workbook(*[as_text(row) for row in rows], header=header)
    form = read_form(content, TODAY, layout)
    assert form.rows == len(filled)
    assert len(form.entries) + form.repeated + form.refused == len(filled)
    assert len({(mistake.sheet, mistake.row) for mistake in form.mistakes}) == form.refused
    assert all(mistake.reason and mistake.column and mistake.detail for mistake in form.mistakes)


def as_text(row: tuple[object, ...]) -> tuple[object, ...]:
    # What begins with "=" would be written as a formula without a value, which is an empty cell.
    return tuple(f" {cell}" if isinstance(cell, str) and cell.startswith("=") else cell for cell in row)

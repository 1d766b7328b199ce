"""附件1 of 海心联办〔2024〕1号 as a workbook: the volunteer form, read with its mistakes, and written.

Layout: title (merged), the unit's row, a row with 填表人, 联系电话 and the date, the header, one person a row.
"""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chassis.errors import Refused
from services.registry.domain.mistakes import Mistake
from services.registry.domain.people import (
    OTHER_TYPE,
    PERSON_TYPES,
    SEX_LABELS,
    Flawed,
    Registration,
    identity_parts,
    plain,
    read_age,
    read_codes,
    read_name,
    read_phone,
    read_sex,
    read_text,
    read_training,
    write_codes,
)

TITLE = "社区心理服务志愿者登记表"
UNIT_LABEL = "社区卫生服务中心/学校"
COLUMNS = {
    "name": "姓名",
    "sex": "性别",
    "age": "年龄",
    "education": "学历",
    "person_types": "人员类型 (可多选) 1=心理咨询师 2=心理治疗师 3=医务人员 4=教师 5=社会工作者 6=村居委会工作人员 "
    "7=高校学生 8=其他请说明",
    "trained": "是否参加过心理健康相关培训,如参加过,请备注培训时间及内容",
    "employer": "工作单位/部门/学生请注明专业",
    "post": "职务",
    "phone": "联系电话",
}
STARTS = {
    "name": "姓名",
    "sex": "性别",
    "age": "年龄",
    "education": "学历",
    "person_types": "人员类型",
    "trained": "是否参加过",
    "employer": "工作单位",
    "post": "职务",
    "phone": "联系电话",
}
"""What a header cell begins with, blanks aside; the order of the columns does not matter."""

MAX_PEOPLE = 10_000
MAX_ROWS = 100_000
MAX_SHEETS = 50
MAX_COLUMNS = 40
MAX_UNPACKED = 48 * 1024 * 1024
HEADER_WITHIN = 20
MAX_MISTAKES = 1_000
FILLER = re.compile(r"填表人:?[\s_]*(?P<name>[^\s_:]*?)[\s_]*联系电话:?[\s_]*(?P<phone>[0-9+\-]{5,})?")
DAY = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日")


@dataclass(frozen=True)
class Submission:
    """Who handed the form in: the rows between its title and its header."""

    sheet: str
    unit: str = ""
    filled_by: str = ""
    phone: str = ""
    day: date | None = None


@dataclass(frozen=True)
class Entry:
    """A person as read from one row."""

    sheet: str
    row: int
    person: Registration
    given_on: date


@dataclass
class Form:
    """What a workbook holds, and what is wrong in it."""

    submissions: list[Submission] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    repeated: int = 0
    skipped_sheets: list[str] = field(default_factory=list)
    rows_read: int = 0


def read_form(content: bytes, today: date) -> Form:
    """Read a workbook in the layout of 附件1.

    An age counts from the form's date, or from `today` where it has none. Raises `Refused` for what is no workbook,
    is too large, or has no sheet with the form's header; every other mistake is in `Form.mistakes`.
    """
    _check_archive(content)
    form = Form()
    try:
        import openpyxl  # only who reads a workbook pays for it: it is a fifth of the service's memory

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            sheets = book.worksheets
            if len(sheets) > MAX_SHEETS:
                raise Refused("too_large", f"工作簿有 {len(sheets)} 张表，最多 {MAX_SHEETS} 张", "file")
            for sheet in sheets:
                _read_sheet(sheet, form, today)
        finally:
            book.close()
    except Refused:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part makes it stumble over
        detail = "文件不能作为 xlsx 工作簿打开，可能已损坏；请用 Excel 或 WPS 另存为 .xlsx 后再传"
        raise Refused("not_a_workbook", detail, "file") from error
    if not form.submissions:
        wanted = "、".join(STARTS.values())
        raise Refused("no_header", f"没有找到表头；表头行须有这些列：{wanted}", "file")
    _find_repeated(form)
    return form


def _check_archive(content: bytes) -> None:
    # The archive's directory says how large its parts become, and zipfile reads no part beyond what is said there.
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        detail = "不是 xlsx 工作簿；.xls、.csv 或加密的文件请另存为不加密的 .xlsx 后再传"
        raise Refused("not_a_workbook", detail, "file") from error
    if "[Content_Types].xml" not in {part.filename for part in parts}:
        raise Refused("not_a_workbook", "是压缩包但不是 xlsx 工作簿，请直接上传 .xlsx 文件", "file")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED or len(parts) > 1_000:
        limit = MAX_UNPACKED // 1024 // 1024
        raise Refused("too_large", f"工作簿展开后超过 {limit} MB，请删去图片和无关的表，或分成几份", "file")


def _rows(sheet: Any, form: Form) -> Iterator[tuple[int, list[object]]]:
    sheet.reset_dimensions()  # what a sheet says of its size may be wrong, and rows beyond it would be lost in silence
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), 1):
        form.rows_read += 1
        if form.rows_read > MAX_ROWS:
            raise Refused("too_large", f"工作簿超过 {MAX_ROWS} 行（空行也算），请删去空行或分成几份", "file")
        yield number, list(row)


def _read_sheet(sheet: Any, form: Form, today: date) -> None:
    rows = _rows(sheet, form)
    above: list[str] = []
    used = False
    for number, values in rows:
        texts = [plain(value) for value in values]
        used = used or any(texts)
        columns = _columns(texts)
        if columns is not None:
            submission = _submission(sheet.title, above, today, form)
            form.submissions.append(submission)
            absent = [STARTS[name] for name in STARTS if name not in columns]
            if absent:
                detail = f"表头缺少这些列：{'、'.join(absent)}"
                form.mistakes.append(Mistake("missing_column", detail, number, "表头", sheet.title))
                return
            _read_people(sheet.title, rows, columns, submission.day or today, form)
            return
        above.append(" ".join(text for text in texts if text))
        if number >= HEADER_WITHIN:
            break
    if used:
        form.skipped_sheets.append(sheet.title)


def _columns(texts: Sequence[str]) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for position, text in enumerate(texts):
        squeezed = text.replace(" ", "")
        for name, start in STARTS.items():
            if squeezed.startswith(start) and name not in found:
                found[name] = position
    return found if {"name", "person_types"} <= found.keys() or {"name", "phone", "sex"} <= found.keys() else None


def _submission(sheet: str, above: Sequence[str], today: date, form: Form) -> Submission:
    unit, filled_by, phone, day = "", "", "", None
    for number, text in enumerate(above, 1):
        squeezed = text.replace("_", " ").strip()
        if "填表人" in squeezed:
            if match := FILLER.search(squeezed):
                filled_by, phone = match["name"], match["phone"] or ""
            if match := DAY.search(squeezed):
                try:
                    day = date(int(match[1]), int(match[2]), int(match[3]))
                except ValueError:
                    form.mistakes.append(Mistake("bad_date", "没有这一天，请改正填表日期", number, "填表人", sheet))
                if day is not None and day > today:
                    form.mistakes.append(Mistake("bad_date", "填表日期晚于今天，请改正", number, "填表人", sheet))
        elif squeezed and "登记表" not in squeezed and not squeezed.startswith("附件"):
            unit = squeezed.removesuffix(UNIT_LABEL).strip() if squeezed != UNIT_LABEL else ""
    return Submission(sheet, unit[:64], filled_by[:50], phone[:20], day)


def _read_people(
    sheet: str, rows: Iterator[tuple[int, list[object]]], columns: dict[str, int], given_on: date, form: Form
) -> None:
    for number, values in rows:
        cells = {name: plain(values[place]) if place < len(values) else "" for name, place in columns.items()}
        if not any(cells.values()):
            continue
        person, mistakes = read_person(cells)
        form.mistakes += [Mistake(m.reason, m.detail, number, STARTS[m.column], sheet) for m in mistakes]
        if person is not None:
            form.entries.append(Entry(sheet, number, person, given_on))
        if len(form.mistakes) > MAX_MISTAKES:
            return
        if len(form.entries) > MAX_PEOPLE:
            raise Refused("too_large", f"一份工作簿最多 {MAX_PEOPLE} 人，请分成几份", "file")


def read_person(cells: dict[str, str]) -> tuple[Registration | None, list[Mistake]]:
    """A row's person, or all that is wrong in the row; a mistake's `column` is the key of the cell, its `row` 0."""
    mistakes: list[Mistake] = []

    def read(column: str, reading: Any, *more: Any) -> Any:
        try:
            return reading(cells[column], *more)
        except Flawed as flaw:
            mistakes.append(Mistake(flaw.reason, flaw.detail, 0, column))
            return ("", "")  # never used: the row has a mistake

    name = read("name", read_name)
    phone = read("phone", read_phone)
    sex = read("sex", read_sex)
    age = read("age", read_age)
    types, other = read("person_types", read_codes, PERSON_TYPES, OTHER_TYPE)
    trained, training = read("trained", read_training)
    texts = {column: read(column, read_text, STARTS[column]) for column in ("education", "employer", "post")}
    if not cells["person_types"]:
        mistakes.append(Mistake("missing", "人员类型为空，请填代码 1 至 8，可多选，多项写作 1、3", 0, "person_types"))
    if mistakes:
        return None, mistakes
    person = Registration(
        name=name,
        phone=phone,
        sex=sex,
        age=age,
        person_types=types,
        other_type=other,
        trained=trained,
        training=training,
        **texts,
    )
    return person, []


def _find_repeated(form: Form) -> None:
    # A person who is there twice with the same words counts once; with other words, someone has to decide.
    first: dict[tuple[str, str], Entry] = {}
    kept: list[Entry] = []
    for entry in form.entries:
        before = first.setdefault(identity_parts(entry.person.name, entry.person.phone), entry)
        if before is entry:
            kept.append(entry)
        elif before.person == entry.person:
            form.repeated += 1
        else:
            detail = f"与表“{before.sheet}”第 {before.row} 行是同一个人（姓名和电话相同）而内容不同，请只留一行"
            form.mistakes.append(Mistake("repeated", detail, entry.row, STARTS["name"], entry.sheet))
    form.entries = kept


def write_form(people: Iterable[Registration], submission: Submission, place: str) -> bytes:
    """A workbook in the layout of 附件1; `read_form` reads it back."""
    import openpyxl
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.worksheet import Worksheet

    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = submission.sheet
    last = get_column_letter(len(COLUMNS))
    day = f"{submission.day:%Y} 年 {submission.day.month} 月 {submission.day.day} 日" if submission.day else "年 月 日"
    top = (
        f"{place}{TITLE}",
        f"{submission.unit} {UNIT_LABEL}".strip(),
        f"填表人： {submission.filled_by or '_____'} 联系电话： {submission.phone or '_____'} {day}",
    )
    for number, text in enumerate(top, 1):
        _write(sheet.cell(number, 1), text)
        sheet.merge_cells(f"A{number}:{last}{number}")
    sheet["A1"].font = Font(bold=True, size=16)
    sheet["A1"].alignment = Alignment(horizontal="center")
    for column, title in enumerate(COLUMNS.values(), 1):
        cell = sheet.cell(4, column)
        _write(cell, title)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(column)].width = 10 if len(title) < 6 else 26
    for row, person in enumerate(people, 5):
        for column, text in enumerate(_cells(person), 1):
            if text:
                _write(sheet.cell(row, column), text)
    sheet.freeze_panes = "A5"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _cells(person: Registration) -> tuple[str, ...]:
    trained = {"yes": f"是：{person.training}" if person.training else "是", "no": "否"}.get(person.trained, "")
    return (
        person.name,
        SEX_LABELS[person.sex],
        "" if person.age is None else str(person.age),
        person.education,
        write_codes(person.person_types, OTHER_TYPE, person.other_type),
        trained,
        person.employer,
        person.post,
        person.phone,
    )


def _write(cell: Any, text: str) -> None:
    # As text whatever it begins with: what somebody wrote into a form must not become a formula on another's screen.
    cell.value = text
    cell.data_type = "s"
    if text[:1] in ("=", "+", "-", "@", "\t", "\r"):
        cell.quotePrefix = True


MADE_UP_DAY = date(2024, 3, 28)


def example_workbook(people: int, seed: int, unit: str = "示例社区卫生服务中心", place: str = "示例区") -> bytes:
    """The form filled in with made-up people, plainly so: 示例一号, 000-0000-0001. The same seed gives the same people.

    Every second one is a counsellor, therapist or medical worker, so that a rota can be made of them.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up data
    made_up = [_made_up(number, dice) for number in range(1, people + 1)]
    return write_form(made_up, Submission("附件1", unit, "示例填表人", "000-0000-0000", MADE_UP_DAY), place)


def _made_up(number: int, dice: random.Random) -> Registration:
    types = {dice.choice((1, 2, 3)) if number % 2 else dice.randint(1, OTHER_TYPE)}
    if dice.random() < 0.3:
        types.add(dice.randint(1, 7))
    trained = dice.random() < 0.7
    return Registration(
        name=f"示例{_in_words(number)}号",
        phone=f"000-{number // 10_000:04d}-{number % 10_000:04d}",
        sex=dice.choice(("male", "female")),
        age=dice.randint(19, 68),
        education=dice.choice(("大专", "本科", "硕士研究生")),
        person_types=tuple(sorted(types)),
        other_type="示例职业" if OTHER_TYPE in types else "",
        trained="yes" if trained else "no",
        training=f"{dice.choice((2022, 2023))}年{dice.randint(1, 12)}月 示例心理援助培训" if trained else "",
        employer="示例心理学专业" if 7 in types else f"示例单位{dice.randint(1, 9)}",
        post=dice.choice(("职员", "主任", "教师", "护士")),
    )


def _in_words(number: int) -> str:
    digits = "〇一二三四五六七八九"
    if number < 10:
        return digits[number]
    if number < 20:
        return "十" + (digits[number - 10] if number > 10 else "")
    if number < 100:
        return digits[number // 10] + _in_words(number % 10 + 10).removesuffix("〇")
    return "".join(digits[int(sign)] for sign in str(number))

"""The official forms read: a stream of what a file holds, row by row, with what is wrong by sheet, row and column.

Every row below a header that holds anything comes out once: as an `Entry`, as `Again` (the same person with the same
words) or as `Wrong`, so that rows in are rows taken and rows refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from chassis.errors import Refused
from services.registry.domain.mistakes import Mistake
from services.registry.domain.people import (
    OTHER_QUALIFICATION,
    OTHER_TYPE,
    PERSON_TYPES,
    QUALIFICATIONS,
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
)
from services.registry.domain.people_dates import ASK, born, find_day, read_birth_date, read_day
from services.registry.forms.layouts import ANNEX_1, LAYOUTS, UNIT_LABEL, Layout
from services.registry.forms.tables import Cells, ErrorValue, Table, tables_of

MAX_PEOPLE = 100_000
MAX_MISTAKES = 1_000
HEADER_WITHIN = 20
FILLER = re.compile(r"填表人:?[\s_]*(?P<name>[^\s_:]*?)[\s_]*联系电话:?[\s_]*(?P<phone>[0-9+\-]{5,})?")
HALF_A_DAY = re.compile(r"[\d〇零一二三四五六七八九十]+\s*[年月日号]")
PICTURE = re.compile(r"^=?_?(xlfn\.)?(DISPIMG|IMAGE)\(", re.IGNORECASE)


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


@dataclass(frozen=True)
class Again:
    """A row that repeats another, word for word."""

    sheet: str
    row: int


@dataclass(frozen=True)
class Wrong:
    """A place that cannot be taken; `is_person` where it is a row below a header."""

    mistakes: tuple[Mistake, ...]
    is_person: bool = True


@dataclass(frozen=True)
class Skipped:
    """A sheet that holds something and is not the form."""

    sheet: str


Item = Submission | Entry | Again | Wrong | Skipped


@dataclass
class Form:
    """What a file holds, and what is wrong in it. `rows` counts those below a header that are not empty."""

    submissions: list[Submission] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    repeated: int = 0
    refused: int = 0
    skipped_sheets: list[str] = field(default_factory=list)
    more_mistakes: int = 0

    @property
    def rows(self) -> int:
        return len(self.entries) + self.repeated + self.refused

    def take(self, item: Item) -> None:
        match item:
            case Submission():
                self.submissions.append(item)
            case Entry():
                self.entries.append(item)
            case Again():
                self.repeated += 1
            case Skipped():
                self.skipped_sheets.append(item.sheet)
            case Wrong():
                self.refused += item.is_person
                room = MAX_MISTAKES - len(self.mistakes)
                self.mistakes += item.mistakes[:room]
                self.more_mistakes += len(item.mistakes[room:])


def read_form(content: bytes, today: date, layout: Layout = ANNEX_1) -> Form:
    """Read a whole file in one of the official layouts.

    An age counts from the form's date, or from `today` where it has none. Raises `Refused` for what is no workbook,
    is too large, or has no sheet with the form's header; every other mistake is in `Form.mistakes`.
    """
    form = Form()
    with tables_of(content) as tables:
        for item in items_of(tables, today, layout):
            form.take(item)
    return form


def items_of(tables: Sequence[Table], today: date, layout: Layout) -> Iterator[Item]:
    """What the tables hold, as a stream; raises `Refused` at its end where no sheet has the header."""
    seen: dict[bytes, tuple[str, int, bytes]] = {}
    found = people = 0
    others: set[str] = set()
    for table in tables:
        for item in _items_of_table(table, today, layout, others):
            if isinstance(item, Submission):
                found += 1
            if isinstance(item, Entry):
                people += 1
                if people > MAX_PEOPLE:
                    raise Refused("too_large", f"一份文件最多 {MAX_PEOPLE} 人，请分成几份", "file")
                item = _once(item, seen, layout)
            yield item
    if not found:
        if others:
            form = "、".join(sorted(others))
            raise Refused("other_form", f"这是{form}，不是{layout.form}；请用{form}的入口上传", "file")
        wanted = "、".join(names[0] for names in layout.starts.values())
        raise Refused("no_header", f"没有找到表头；表头行须有这些列：{wanted}", "file")


def _once(entry: Entry, seen: dict[bytes, tuple[str, int, bytes]], layout: Layout) -> Item:
    # A person who is there twice with the same words counts once; with other words, someone has to decide. Only
    # hashes are kept, so that a hundred thousand people fit.
    who = _hash(identity_parts(entry.person.name, entry.person.phone))
    words = _hash((entry.person, entry.given_on))
    sheet, row, before = seen.setdefault(who, (entry.sheet, entry.row, words))
    if (sheet, row) == (entry.sheet, entry.row):
        return entry
    if before == words:
        return Again(entry.sheet, entry.row)
    detail = f"与表“{sheet}”第 {row} 行是同一个人（姓名和电话相同）而内容不同，请只留一行"
    return Wrong((Mistake("repeated", detail, entry.row, layout.label("name"), entry.sheet),))


def _hash(value: object) -> bytes:
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _items_of_table(table: Table, today: date, layout: Layout, others: set[str]) -> Iterator[Item]:
    rows = table.rows()
    above: list[list[str]] = []
    used = False
    for number, cells in rows:
        texts = [_text(cell) for cell in cells]
        used = used or any(texts)
        if layout.is_header(texts):
            submission, wrong = _submission(table.title, above, today)
            yield submission
            if wrong:
                yield Wrong(tuple(wrong), is_person=False)
            yield from _people(table.title, number, rows, layout, texts, submission.day or today, today)
            return
        others.update(other.form for other in LAYOUTS if other is not layout and other.is_header(texts))
        above.append([text for text in texts if text])
        if number >= HEADER_WITHIN:
            break
    if used:
        yield Skipped(table.title)


def _text(cell: object) -> str:
    return "" if isinstance(cell, ErrorValue) else plain(cell)


def _submission(sheet: str, above: Sequence[Sequence[str]], today: date) -> tuple[Submission, list[Mistake]]:
    unit, filled_by, phone, day = "", "", "", None
    mistakes: list[Mistake] = []
    for number, texts in enumerate(above, 1):
        squeezed = " ".join(texts).replace("_", " ").strip()
        if "填表人" in squeezed:
            if match := FILLER.search(squeezed):
                filled_by, phone = match["name"], match["phone"] or ""
            try:
                day = _day_of_row(texts, squeezed, phone)
                if day is not None and day > today:
                    raise Flawed("bad_date", "填表日期晚于今天，请改正")
            except Flawed as flaw:
                mistakes.append(Mistake(flaw.reason, flaw.detail, number, "填表人", sheet))
        elif squeezed and not any(word in squeezed for word in ("登记表", "信息库")) and squeezed[:2] != "附件":
            unit = squeezed.removesuffix(UNIT_LABEL).strip() if squeezed != UNIT_LABEL else ""
    return Submission(sheet, unit[:64], filled_by[:50], phone[:20], day), mistakes


def _day_of_row(texts: Sequence[str], whole: str, phone: str) -> date | None:
    without = whole.replace(phone, " ", 1) if phone else whole
    if (found := find_day(without)) is not None:
        return found
    for text in texts:  # a cell of its own: 20240301, or the number that a spreadsheet has for a day
        if text.isdigit() and text != phone:
            return read_day(text)
    if HALF_A_DAY.search(without):
        raise Flawed("bad_date", f"填表日期{ASK}")
    return None


def _people(
    sheet: str,
    header: int,
    rows: Iterator[tuple[int, Cells]],
    layout: Layout,
    titles: Sequence[str],
    given_on: date,
    today: date,
) -> Iterator[Item]:
    columns = layout.places(titles)
    absent = [layout.label(name) for name in layout.starts if name not in columns]
    if absent:
        detail = f"表头缺少这些列：{'、'.join(absent)}"
        yield Wrong((Mistake("missing_column", detail, header, "表头", sheet),), is_person=False)
    for number, cells in rows:
        given = {name: cells[place] if place < len(cells) else None for name, place in columns.items()}
        texts = {name: _text(cell) for name, cell in given.items()}
        broken = {name: cell for name, cell in given.items() if isinstance(cell, ErrorValue)}
        if not broken and not any(texts.values()):
            continue
        if absent:
            yield Wrong(())
            continue
        person, mistakes = read_person(texts, layout, today, given_on, broken)
        if person is None:
            shown = (Mistake(m.reason, m.detail, number, layout.label(m.column), sheet) for m in mistakes)
            yield Wrong(tuple(shown))
        else:
            yield Entry(sheet, number, person, given_on)


def read_person(
    cells: Mapping[str, str],
    layout: Layout,
    today: date,
    given_on: date,
    broken: Mapping[str, ErrorValue] | None = None,
) -> tuple[Registration | None, list[Mistake]]:
    """A row's person, or all that is wrong in the row; a mistake's `column` is the key of the cell, its `row` 0."""
    mistakes: list[Mistake] = []

    def read(column: str, reading: Callable[..., Any], *more: object) -> Any:
        try:
            if broken and column in broken:
                raise Flawed("error_value", "这一格是错误值或图片，请改填文字")
            if PICTURE.match(cells[column]):
                raise Flawed("picture", "这一格是图片，请改填文字")
            return reading(cells[column], *more)
        except Flawed as flaw:
            mistakes.append(Mistake(flaw.reason, flaw.detail, 0, column))
            return None

    told: dict[str, Any] = {
        "name": read("name", read_name),
        "phone": read("phone", read_phone),
        "sex": read("sex", read_sex),
        "age": read("age", read_age),
        "roles": (layout.role,),
    }
    if "person_types" in layout.starts:
        codes = read("person_types", read_codes, PERSON_TYPES, OTHER_TYPE)
        told["person_types"], told["other_type"] = codes or ((), "")
        if codes == ((), ""):
            detail = "人员类型为空，请填代码 1 至 8，可多选，多项写作 1、3"
            mistakes.append(Mistake("missing", detail, 0, "person_types"))
    if "qualifications" in layout.starts:
        codes = read("qualifications", read_codes, QUALIFICATIONS, OTHER_QUALIFICATION)
        told["qualifications"], told["other_qualification"] = codes or ((), "")
    told["trained"], told["training"] = read("trained", read_training) or ("unknown", "")
    for column in ("education", "major", "employer", "post"):
        if column in layout.starts:
            told[column] = read(column, read_text, layout.label(column))
    if "birth_date" in cells:
        told["birth_date"] = read("birth_date", read_birth_date, today)
    if mistakes:
        return None, mistakes
    person = Registration(**told)
    if person.birth_date and person.age is not None:
        birth = born(person.birth_date, None, None)
        if birth is not None and birth.age_on(given_on) != person.age:
            detail = "年龄与出生日期不符（按填表日期的周岁），请改正或只填一项"
            return None, [Mistake("age_and_birth_differ", detail, 0, "age")]
        person = replace(person, age=None)
    return person, []

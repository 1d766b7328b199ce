"""Days as people write them, births, ages, and who is a minor.

A birth date is kept where it is known. The forms give an age and a day: the person was then born within a year that
this tells, and every age, also that of today, is derived from one of the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.registry.domain.people import TRAINED, Flawed, Registration, plain

SERIAL_BEGINS = date(1899, 12, 30)
"""Day 0 of a spreadsheet: it counts a 29 February 1900 that never was, so days from March 1900 on are right."""
SERIALS = range(61, 109_575)
"""March 1900 to the end of 2199."""
EARLIEST = date(1900, 3, 1)

_DAY = re.compile(r"(?<![\d.])(\d{4})\s*(?:年|-|/|\.)\s*(\d{1,2})\s*(?:月|-|/|\.)\s*(\d{1,2})\s*日?(?![\d-])")
_CLOCK = re.compile(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
ASK = "写不清是哪一天，请写全年月日，例如 2024-03-01"


def read_day(text: str) -> date:
    """A whole cell that is a day: 2024-03-01, 2024/3/1, 2024年3月1日, 20240301, or a spreadsheet's own number.

    Raises `Flawed` for anything else; a day without its year is asked for and never guessed.
    """
    text = _CLOCK.sub("", text).strip()
    if text.isascii() and text.isdigit():
        if len(text) == 8:
            return _made(text[:4], text[4:6], text[6:])
        if len(text) <= 6 and int(text) in SERIALS:
            return SERIAL_BEGINS + timedelta(days=int(text))
        raise Flawed("bad_date", ASK)
    match = _DAY.fullmatch(text)
    if match is None:
        raise Flawed("bad_date", ASK)
    return _made(*match.groups())


def find_day(text: str) -> date | None:
    """The day that stands somewhere in a text, None where there is none; raises `Flawed` for one that cannot be."""
    match = _DAY.search(text)
    return None if match is None else _made(*match.groups())


def _made(year: str, month: str, day: str) -> date:
    try:
        made = date(int(year), int(month), int(day))
    except ValueError:
        raise Flawed("bad_date", "没有这一天，请改正日期") from None
    if made < EARLIEST:
        raise Flawed("bad_date", "日期早于 1900 年 3 月，请改正")
    return made


def read_birth_date(text: str, today: date) -> str:
    """A birth date as an ISO day; empty for an empty cell."""
    if not text:
        return ""
    day = read_day(text)
    if day > today or today.year - day.year > 120:
        raise Flawed("bad_birth_date", "出生日期须在今天以前、一百二十年以内，请改正")
    return day.isoformat()


@dataclass(frozen=True)
class Birth:
    """The first and the last day on which the person may have been born; the same day where it is known."""

    first: date
    last: date

    def meets(self, other: Birth) -> bool:
        """Whether both may be true."""
        return self.first <= other.last and other.first <= self.last

    def age_on(self, day: date) -> int:
        """The completed years on a day; the lower one where the exact day of birth is not known."""
        return years_between(self.last, day)


def born(birth_date: str, age: int | None, given_on: date | None) -> Birth | None:
    """What a birth date, or an age and the day on which it was true, say of the birth."""
    if birth_date:
        day = date.fromisoformat(birth_date)
        return Birth(day, day)
    if age is None or given_on is None:
        return None
    return Birth(_years_on(given_on, -age - 1) + timedelta(days=1), _years_on(given_on, -age))


def birth_year(birth_date: str, age: int | None, given_on: date) -> int | None:
    """The year of birth; from an age about the year: it is true on the day that it was given, and may be one off."""
    if birth_date:
        return int(birth_date[:4])
    return None if age is None else given_on.year - age


def years_between(birth: date, day: date) -> int:
    """Completed years; who was born on 29 February is a year older on 1 March of a common year."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def minor_until(birth: Birth | None, day: date, adult_age: int) -> date | None:
    """For who may be a minor on `day`: the first day of the month after which the person surely is none. Else None.

    A month and not the day, because it is kept in clear and would tell the birthday.
    """
    if birth is None:
        return None
    adult_on = _years_on(birth.last, adult_age)
    if adult_on <= day:
        return None
    return date(adult_on.year + adult_on.month // 12, adult_on.month % 12 + 1, 1)


def _years_on(day: date, years: int) -> date:
    try:
        return day.replace(year=max(day.year + years, 1))
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)


@dataclass(frozen=True)
class Training:
    """One training as told: `when` is ``2023``, ``2023-05``, ``2023-05-06`` or empty, `content` the words."""

    when: str
    content: str


_WHEN = re.compile(
    r"(?<!\d)((?:19|20)\d{2})\s*(?:年|-|/|\.)(?:\s*(\d{1,2})\s*(?:月|-|/|\.)?(?:\s*(\d{1,2})\s*日?(?!\d))?)?(?!\d)"
)


def trainings_told(text: str) -> tuple[Training, ...]:
    """The trainings that a cell tells of, one for each time in it, in the order of the cell.

    The text itself is kept beside: an entry whose time makes no sense has none, and words before the first time are an
    entry of their own.
    """
    rest = TRAINED.sub("", plain(text))
    matches = list(_WHEN.finditer(rest))
    if not matches:
        return (Training("", _trimmed(rest)),) if _trimmed(rest) else ()
    told = [Training("", lead)] if (lead := _trimmed(rest[: matches[0].start()])) else []
    ends = [match.start() for match in matches[1:]] + [len(rest)]
    for match, end in zip(matches, ends, strict=True):
        told.append(Training(_when(match.groups()), _trimmed(rest[match.end() : end])))
    return tuple(told)


def _when(found: Sequence[str | None]) -> str:
    year, month, day = found
    if month is None or not 1 <= int(month) <= 12:
        return year or ""
    if day is None:
        return f"{year}-{int(month):02d}"
    try:
        return date(int(year or 0), int(month), int(day)).isoformat()
    except ValueError:
        return f"{year}-{int(month):02d}"


def _trimmed(text: str) -> str:
    return text.strip(" ,;:、。.()-/~至")


def settled(
    told: Registration, given_on: date, known: Registration | None, known_on: date | None
) -> tuple[Registration, date | None]:
    """The person with one statement of the birth, and the day on which the age in it was given.

    A birth date leaves no age. An age that may be true beside the known one says nothing new: the first one stays with
    its day, so that the same form next year, or an export that is read back, changes nothing.
    """
    if told.birth_date:
        return replace(told, age=None), None
    if told.age is None:
        return told, None
    if known is not None and known.age is not None and known_on is not None:
        before, now = born("", known.age, known_on), born("", told.age, given_on)
        if before is not None and now is not None and before.meets(now):
            return replace(told, age=known.age), known_on
    return told, given_on

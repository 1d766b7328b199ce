"""The division tree: codes of 2, 4, 6, 9 or 12 digits, whose parent is the longest shorter code that is a prefix.

Codes are the statistical division codes without trailing zeros (GB/T 2260 down to counties, GB/T 10114 for towns).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.registry.domain.mistakes import Mistake

LENGTHS = (2, 4, 6, 9, 12)
NAME_LIMIT = 64
TOGETHER = 1000
"""Divisions in one event, at most."""
BODY_LIMIT = 56 * 1024
"""Bytes of divisions in one event: below the 64 KiB that an event's body may have."""

LOCAL_SUFFIXES = {2: range(90, 100), 3: range(900, 1000)}
"""Local codes end in 900–999, or 90–99 above the county. GB/T 10114 gives 001–599 to towns, and the statistics office
none from 600 up, so a local code never meets one that is published later."""


@dataclass(frozen=True)
class Row:
    """One line of a division file; `number` counts from 1, the header included."""

    number: int
    code: str
    name: str
    local: bool = False


def ancestors(code: str) -> list[str]:
    """The codes that may be the parent, the longest first."""
    return [code[:length] for length in reversed(LENGTHS) if length < len(code)]


def parent_of(code: str, known: Collection[str]) -> str | None:
    """The longest shorter code among `known` that is a prefix; None for a province, or where there is none."""
    return next((ancestor for ancestor in ancestors(code) if ancestor in known), None)


def is_code(code: str) -> bool:
    return len(code) in LENGTHS and code.isascii() and code.isdigit()


def flaw_in_code(code: str) -> str | None:
    """What is wrong with a code, in words for people; None when nothing is."""
    if not is_code(code):
        return "区划代码须为 2、4、6、9 或 12 位数字（去掉末尾补的零）"
    return None


def flaw_in_name(name: str) -> str | None:
    """What is wrong with a division's name; None when nothing is."""
    if not name:
        return "名称为空，请填写"
    if len(name) > NAME_LIMIT:
        return f"名称有 {len(name)} 个字，最多 {NAME_LIMIT} 个"
    if any(unicodedata.category(sign) == "Cc" for sign in name):
        return "名称含有控制字符（例如换行），请删去"
    return None


def read_row(number: int, cells: Sequence[str]) -> Row | Mistake:
    """A division from the cells `code, name[, local]`."""
    if len(cells) not in (2, 3):
        return Mistake("bad_row", f"应有 2 或 3 列（code,name[,local]），这里有 {len(cells)} 列", number, "code")
    code, name = cells[0].strip(), cells[1].strip()
    if flaw := flaw_in_code(code):
        return Mistake("bad_code", flaw, number, "code")
    if flaw := flaw_in_name(name):
        return Mistake("bad_name", flaw, number, "name")
    local = cells[2].strip() if len(cells) == 3 else ""
    if local not in ("", "0", "1"):
        return Mistake("bad_local", "local 一列填 1（本地编号）、0 或留空", number, "local")
    return Row(number, code, name, local == "1")


class Listing:
    """Reads a file's rows in their order, in memory bounded by the number of towns, and finds what is wrong.

    A repeated village is found within its town here; wherever else it is repeated, the database finds it.
    """

    def __init__(self) -> None:
        self._upper: dict[str, str] = {}
        self._town = ""
        self._villages: dict[str, str] = {}

    def check(self, row: Row, known: Collection[str]) -> Mistake | None:
        """`known` are the codes that the database holds among the row's ancestors."""
        if len(row.code) > 2 and not any(up in self._upper or up in known for up in ancestors(row.code)):
            detail = f"找不到 {row.code} 的上级，请把上级排在它前面"
            return Mistake("missing_parent", detail, row.number, "code")
        seen = self._upper
        if len(row.code) == 12:
            if row.code[:9] != self._town:
                self._town, self._villages = row.code[:9], {}
            seen = self._villages
        if seen.setdefault(row.code, row.name) != row.name:
            return Mistake("duplicate", f"{row.code} 在前面已有另一个名称", row.number, "name")
        return None

    def missing(self, rows: Iterable[Row]) -> set[str]:
        """The ancestors of these rows that the file has not shown before them."""
        return {up for row in rows for up in ancestors(row.code)} - self._upper.keys()


def in_events(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in portions that fit an event: at most `TOGETHER`, and at most `BODY_LIMIT` bytes."""
    portion: list[Row] = []
    size = 0
    for row in rows:
        weight = len(json.dumps(row.name, ensure_ascii=False).encode()) + 64
        if portion and (len(portion) == TOGETHER or size + weight > BODY_LIMIT):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += weight
    if portion:
        yield portion


def common_division(codes: Iterable[str]) -> str:
    """The longest code, known or not, that all lie in; empty when they share no province."""
    given = list(codes)
    if not given:
        return ""
    low, high = min(given), max(given)
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    return low[: max((length for length in LENGTHS if length <= shared), default=0)]


def next_local_code(parent: str, taken: Collection[str]) -> str | None:
    """The first free local code under a parent; None when all are taken, or the parent is a village."""
    longer = [length for length in LENGTHS if length > len(parent)]
    if not longer:
        return None
    width = longer[0] - len(parent)
    for number in LOCAL_SUFFIXES[width]:
        code = f"{parent}{number}"
        if code not in taken:
            return code
    return None

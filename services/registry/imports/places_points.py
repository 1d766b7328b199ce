"""Where divisions lie, from a CSV `code,latitude,longitude`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from chassis.errors import Refused
from services.registry.domain.coverage import Point
from services.registry.domain.divisions import is_code
from services.registry.domain.mistakes import Mistake, Mistaken

HEADER = ["code", "latitude", "longitude"]
MAX_ROWS = 5_000
"""All of a file is one transaction; a county has fewer villages."""
LATITUDES = (3.0, 54.0)
LONGITUDES = (73.0, 136.0)


def read_points(content: bytes, datum: str, inside: str) -> list[tuple[int, str, Point]]:
    """Each row's number, code and point; all told in one coordinate system.

    Raises `Refused` where it is no such CSV, and `Mistaken` with every row that cannot be taken.
    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if [cell.strip() for cell in next(reader, [])] != HEADER:
            raise Refused("no_header", "第一行须是 code,latitude,longitude", "file")
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except UnicodeDecodeError as error:
        raise Refused("not_utf8", "文件不是 UTF-8 文字，请另存为 UTF-8 编码的 CSV", "file") from error
    except csv.Error as error:
        raise Refused("bad_csv", f"不是正确的 CSV：{error}", "file") from error
    if len(rows) > MAX_ROWS:
        raise Refused("too_large", f"文件超过 {MAX_ROWS} 行，请分成几份", "file")
    taken: list[tuple[int, str, Point]] = []
    mistakes: list[Mistake] = []
    seen: set[str] = set()
    for number, cells in rows:
        found = _row(number, cells, datum, inside, seen)
        if isinstance(found, Mistake):
            mistakes.append(found)
        else:
            taken.append((number, *found))
    if mistakes:
        raise Mistaken(mistakes)
    return taken


def _row(number: int, cells: Sequence[str], datum: str, inside: str, seen: set[str]) -> tuple[str, Point] | Mistake:
    if len(cells) != len(HEADER):
        return Mistake("bad_row", f"应有 3 列，这里有 {len(cells)} 列", number, "code")
    code = cells[0].strip()
    if not is_code(code):
        return Mistake("bad_code", "区划代码须为 2、4、6、9 或 12 位数字", number, "code")
    if not code.startswith(inside):
        return Mistake("unknown_division", f"没有区划 {code}", number, "code")
    if code in seen:
        return Mistake("duplicate", f"{code} 在前面已有一行", number, "code")
    seen.add(code)
    latitude, longitude = _number(cells[1], LATITUDES), _number(cells[2], LONGITUDES)
    if latitude is None:
        return Mistake("bad_latitude", "纬度须为 3 到 54 之间的度数（是否与经度写反了？）", number, "latitude")
    if longitude is None:
        return Mistake("bad_longitude", "经度须为 73 到 136 之间的度数", number, "longitude")
    return code, Point(latitude, longitude, datum)


def _number(text: str, bounds: tuple[float, float]) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and bounds[0] <= found <= bounds[1] else None

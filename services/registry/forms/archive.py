"""What an .xlsx holds, looked at part by part before any of it is read as XML.

A workbook is a zip of XML files that a stranger made. Each part is unpacked once as a stream and measured: its size,
its share of what came in, entities, and the longest row, because the reader holds a row at a time in memory.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from chassis.errors import Refused

MAX_UNPACKED = 256 * 1024 * 1024
MAX_PARTS = 1_000
MAX_RATIO = 400
"""Rows of a form shrink to a tenth or a twentieth; a thousandth is a bomb."""
RATIO_FROM = 16 * 1024 * 1024
MAX_SMALL_PART = 8 * 1024 * 1024
"""Bytes of a part that is read whole: styles, the list of sheets, relations."""
MAX_STRINGS_PART = 64 * 1024 * 1024
MAX_STRINGS = 1_200_000
MAX_ROW = 1024 * 1024
"""Bytes of XML of one row; the form's have a few hundred."""
MAX_MERGES = 20_000
CHUNK = 256 * 1024

SAVE_AGAIN = "请用 Excel 或 WPS 另存为 .xlsx 后再传"
_ROW_END = re.compile(rb"</(?:\w+:)?row\s*>|<(?:\w+:)?row\b[^<>]*/>")
_STRING = re.compile(rb"<(?:\w+:)?si\b")
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\b[^<>]*?ref=\"([A-Z]{1,3}\d{1,7}):([A-Z]{1,3}\d{1,7})\"")
_MACROS = re.compile(r"(^|/)vbaProject.*\.bin$|(^|/)macrosheets/", re.IGNORECASE)
_OVERLAP = 128


@dataclass(frozen=True)
class Contents:
    """What was found. `merges` holds the merged areas of each sheet's part, as (first cell, last cell)."""

    merges: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def look_into(content: bytes) -> Contents:
    """Measure every part; raises `Refused` for what is no workbook, holds macros, or would grow too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            _check_directory(parts, len(content))
            found = Contents()
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels")):
                    _check_part(archive, part, found)
            return found
    except Refused:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        # RuntimeError: a part that is locked with the zip's own password
        raise Refused("not_a_workbook", f"不是 xlsx 工作簿，或已损坏；{SAVE_AGAIN}", "file") from error


def _check_directory(parts: list[zipfile.ZipInfo], packed: int) -> None:
    names = [part.filename for part in parts]
    if "mimetype" in names and "content.xml" in names:
        raise Refused("not_a_workbook", f"是 .ods 表格；{SAVE_AGAIN}", "file")
    if "[Content_Types].xml" not in names:
        raise Refused("not_a_workbook", f"是压缩包但不是 xlsx 工作簿；{SAVE_AGAIN}", "file")
    if len(set(names)) < len(names):
        raise Refused("not_a_workbook", f"压缩包里有同名的部分；{SAVE_AGAIN}", "file")
    if any(_MACROS.search(name) for name in names):
        raise Refused("macros", "工作簿带有宏，不能接收；请另存为不含宏的 .xlsx 后再传", "file")
    if "xl/workbook.bin" in names:
        raise Refused("not_a_workbook", f"是 .xlsb 二进制工作簿；{SAVE_AGAIN}", "file")
    unpacked = sum(part.file_size for part in parts)
    is_bomb = unpacked > RATIO_FROM and unpacked > MAX_RATIO * max(packed, 1)
    if unpacked > MAX_UNPACKED or len(parts) > MAX_PARTS or is_bomb:
        limit = MAX_UNPACKED // 1024 // 1024
        raise Refused(
            "too_large", f"工作簿展开后过大（最多 {limit} MB），请删去图片、空行和无关的表，或分成几份", "file"
        )


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, found: Contents) -> None:
    name = part.filename
    is_sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
    is_strings = name.lower() == "xl/sharedstrings.xml"
    limit = MAX_UNPACKED if is_sheet else MAX_STRINGS_PART if is_strings else MAX_SMALL_PART
    if part.file_size > limit:
        raise Refused("too_large", f"工作簿的 {_short(name)} 部分过大，请把表格复制到新的工作簿后再传", "file")
    strings = since_row = 0
    for chunk, before in _chunks(archive, part):
        window = before + chunk
        if b"<!DOCTYPE" in window or b"<!ENTITY" in window or (not before and _is_wide(chunk)):
            raise Refused("entities", f"工作簿的 XML 含有实体定义或不是 UTF-8，不能接收；{SAVE_AGAIN}", "file")
        is_sheet = is_sheet or b"sheetData" in window  # wherever a workbook puts its sheets
        if not is_sheet:
            strings += len(_STRING.findall(window)) - len(_STRING.findall(before))
            if strings > MAX_STRINGS:
                raise Refused("too_large", "工作簿的文字过多，请分成几份", "file")
        if is_sheet:
            since_row = _longest(window, len(before), since_row)
            _note_merges(window, len(before), found.merges.setdefault(name, []))
        if b"macroEnabled" in window and name == "[Content_Types].xml":
            raise Refused("macros", "工作簿带有宏，不能接收；请另存为不含宏的 .xlsx 后再传", "file")


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[tuple[bytes, bytes]]:
    before = b""
    with archive.open(part) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk, before
            before = (before + chunk)[-_OVERLAP:]


def _is_wide(chunk: bytes) -> bool:
    # In UTF-16 or UTF-32 the words looked for here would stand with zeros between their signs.
    return chunk[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in chunk[:64]


def _longest(window: bytes, overlap: int, since: int) -> int:
    """How many bytes came since the last row ended; raises `Refused` for a row that is too long."""
    place = overlap
    for match in _ROW_END.finditer(window):
        if match.end() <= overlap:
            continue
        since += match.end() - place
        if since > MAX_ROW:
            break
        since, place = 0, match.end()
    else:
        since += len(window) - place
    if since > MAX_ROW:
        raise Refused("too_large", "表中有一行过长（列太多或文字太长），请只保留表格的各列", "file")
    return since


def _note_merges(window: bytes, overlap: int, merges: list[tuple[str, str]]) -> None:
    for match in _MERGE.finditer(window):
        if match.end() > overlap and len(merges) < MAX_MERGES:
            merges.append((match[1].decode(), match[2].decode()))


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1][:40]

"""Rows of a division file, plain or xz, one at a time and in bounded memory."""

from __future__ import annotations

import csv
import io
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from chassis.errors import Refused
from services.registry.domain.divisions import Row, read_row
from services.registry.domain.mistakes import Mistake

Source = Path | bytes | Sequence[Sequence[str]]

MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes of a file once unpacked; the national tree has 22 MB."""
MAX_ROWS = 1_000_000
XZ_MAGIC = b"\xfd7zXZ\x00"
XZ_MEMORY = 128 * 1024 * 1024
BLOCK = 64 * 1024


def division_rows(source: Source) -> Iterator[Row | Mistake]:
    """The rows of `code,name[,local]`, without the header.

    Raises `Refused` where the file is no UTF-8 CSV, has no such header, or is too large.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from _read(file)
    elif isinstance(source, bytes):
        yield from _read(io.BytesIO(source))
    else:
        for number, cells in enumerate(source, 1):
            yield read_row(number, cells)


def _read(file: BinaryIO) -> Iterator[Row | Mistake]:
    packed = file.read(len(XZ_MAGIC)) == XZ_MAGIC
    file.seek(0)
    unpacked = io.BufferedReader(_Bounded(file, packed), BLOCK)
    reader = csv.reader(io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if header not in (["code", "name"], ["code", "name", "local"]):
            raise Refused("no_header", "第一行须是 code,name 或 code,name,local", "file")
        for cells in reader:
            if reader.line_num > MAX_ROWS:
                raise Refused("too_large", f"文件超过 {MAX_ROWS} 行，请分成几份", "file")
            if cells:
                yield read_row(reader.line_num, cells)
    except UnicodeDecodeError as error:
        detail = f"第 {reader.line_num + 1} 行附近不是 UTF-8 文字，请另存为 UTF-8 编码的 CSV"
        raise Refused("not_utf8", detail, "file") from error
    except csv.Error as error:
        raise Refused("bad_csv", f"第 {reader.line_num} 行不是正确的 CSV：{error}", "file") from error
    except (lzma.LZMAError, EOFError) as error:
        raise Refused("bad_xz", "xz 压缩文件已损坏，请重新压缩", "file") from error


class _Bounded(io.RawIOBase):
    """Reads a file, unpacking it where it is packed, and refuses one that grows beyond the limit."""

    def __init__(self, file: BinaryIO, packed: bool) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY) if packed else None
        self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        self._taken += len(data)
        if self._taken > MAX_UNPACKED:
            raise Refused("too_large", f"文件展开后超过 {MAX_UNPACKED // 1024 // 1024} MB", "file")
        buffer[: len(data)] = data
        return len(data)

    def _next(self, wanted: int) -> bytes:
        if self._unpacker is None:
            return self._file.read(wanted)
        while not self._unpacker.eof:
            fed = self._file.read(BLOCK) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not fed:
                raise EOFError("the file ends early")
            if data := self._unpacker.decompress(fed, wanted):
                return data
        return b""

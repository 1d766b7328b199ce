"""What is wrong in a file that someone sent, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 200
"""How many mistakes of one file are told at once."""


@dataclass(frozen=True)
class Mistake:
    """One cell or row that cannot be taken. `row` counts from 1 as the program that shows the file counts."""

    reason: str
    detail: str
    row: int
    column: str
    sheet: str | None = None

    def __str__(self) -> str:
        sheet = f"表“{self.sheet}”" if self.sheet is not None else ""
        return f"{sheet}第 {self.row} 行“{self.column}”：{self.detail}"


class Mistaken(Exception):
    """A file is refused for these mistakes; nothing of it was taken."""

    def __init__(self, mistakes: Sequence[Mistake], more: int = 0) -> None:
        super().__init__(f"{len(mistakes) + more} mistakes")
        self.mistakes = tuple(mistakes[:SHOWN])
        self.more = max(0, len(mistakes) - SHOWN) + more

"""What an import did."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from chassis.tx import Document


@dataclass(frozen=True)
class Report:
    """What an import did, or with `dry_run` would do. `repeated` rows were in the file more than once.

    `waiting` people were taken and are not active: minors without their guardian's consent.
    """

    rows: int
    new: int
    changed: int
    unchanged: int
    repeated: int = 0
    waiting: int = 0
    skipped_sheets: tuple[str, ...] = ()
    dry_run: bool = False

    def as_json(self) -> Document:
        return asdict(self)

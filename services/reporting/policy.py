"""Where the policy on small counts is read from."""

from __future__ import annotations

from pathlib import Path

from services.reporting.domain.policy import SmallCounts, parse

FILE = "small_counts.toml"
SHIPPED = Path(__file__).parent / "policies" / FILE


def read_policy(folder: Path | None) -> SmallCounts:
    """The district's policy where its folder has one, else the one shipped. Raises `ValueError`."""
    own = folder / FILE if folder is not None else SHIPPED
    return parse((own if own.exists() else SHIPPED).read_text(encoding="utf-8"))

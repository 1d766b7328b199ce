"""Where the crisis service's policies lie."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from contracts import policies
from contracts.policies import Versioned, Versions

SHIPPED = Path(__file__).parent.parent / "policies"

V = TypeVar("V", bound=Versioned)


def load_versions(model: type[V], part: str, folder: Path | None = None) -> Versions[V]:
    """Read `policies/<part>/*.toml` as shipped, and those of `<folder>/<part>`, which come first where the version is
    the same; an empty `part` is the folder itself. Raises `ValueError` that names the file and the place in it.
    """
    return policies.load_versions(model, SHIPPED / part, folder / part if folder else None)

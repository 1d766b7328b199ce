"""The form of a policy: versioned TOML files that a district may set, each number beside its source.

A part of a service has a folder of its own, with a file for each version; what was decided names the version that it
was decided under.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

PolicyVersion = Annotated[str, StringConstraints(min_length=1, max_length=64)]

Source = Annotated[str, Field(min_length=5)]
"""Where a number comes from; a number without a published source says so."""


class PolicyPart(BaseModel):
    """A table of a policy; a field that is not known is refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Versioned(PolicyPart):
    """One version of a policy, whole."""

    version: PolicyVersion
    in_force_from: AwareDatetime


V = TypeVar("V", bound=Versioned)


class Versions(Generic[V]):
    """All versions known, for what was decided under an older one; the newest in force decides now."""

    def __init__(self, versions: Iterable[V]) -> None:
        self._by_version = {one.version: one for one in versions}
        if not self._by_version:
            raise ValueError("there is no policy")
        starts: dict[datetime, str] = {}
        for one in self._by_version.values():
            if one.in_force_from in starts:
                other = starts[one.in_force_from]
                raise ValueError(f"{other} and {one.version} are in force from the same moment")
            starts[one.in_force_from] = one.version

    def __iter__(self) -> Iterator[V]:
        return iter(self._by_version.values())

    def at(self, moment: datetime) -> V:
        """The version in force; raises `ValueError` before the first."""
        in_force = [one for one in self._by_version.values() if one.in_force_from <= moment]
        if not in_force:
            raise ValueError(f"no policy is in force at {moment.isoformat()}")
        return max(in_force, key=lambda one: one.in_force_from)

    def of(self, version: str) -> V:
        """The version that a decision was made under; raises `KeyError`."""
        return self._by_version[version]


def load_versions(model: type[V], shipped: Path, own: Path | None = None) -> Versions[V]:
    """Read the files of two folders; those of `own` come first where the version is the same.

    Raises `ValueError` that names the file and the place in it.
    """
    found: dict[str, V] = {}
    for folder in (shipped, own):
        for path in sorted(folder.glob("*.toml")) if folder else []:
            try:
                one = model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            found[one.version] = one
    return Versions(found.values())

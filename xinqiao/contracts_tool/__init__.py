"""Everything that is generated from the contracts, and the gate that keeps them compatible.

``python -m xinqiao.contracts_tool write`` writes it, ``check`` says what is not as it would be written and what breaks
the last release, ``release VERSION`` keeps the present schemas as the released ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.topology import EVENTS, SERVICES
from xinqiao.contracts_tool import asyncapi, event_map, gate, readmes, schemas

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Generated:
    """One file as it has to be; `path` is relative to the repository."""

    path: Path
    text: str


def generate(root: Path = ROOT) -> Iterator[Generated]:
    """Every generated file."""
    examples = schemas.read_examples(root / "contracts" / "examples")
    for declared in EVENTS:
        yield Generated(Path("contracts/schemas", schemas.file_name(declared.event)), schemas.text(declared.event))
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    yield Generated(Path("contracts/asyncapi.yaml"), asyncapi.text(version, examples))
    yield Generated(Path("docs/events.md"), event_map.text())
    for service in SERVICES:
        yield Generated(Path("services", service, "README.md"), readmes.text(service, root))


def write(root: Path = ROOT) -> list[Path]:
    """Write what differs and remove schemas of events that are gone; the paths that changed."""
    changed = []
    for generated in generate(root):
        path = root / generated.path
        if not path.exists() or path.read_text() != generated.text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(generated.text)
            changed.append(generated.path)
    for path in _strays(root):
        path.unlink()
        changed.append(path.relative_to(root))
    return changed


def check(root: Path = ROOT) -> list[str]:
    """What is wrong, in words; empty when the committed files are as generated and nothing breaks the last release."""
    wrong = []
    for generated in generate(root):
        path = root / generated.path
        if not path.exists():
            wrong.append(f"{generated.path} is missing: run `python -m xinqiao.contracts_tool write`")
        elif path.read_text() != generated.text:
            wrong.append(f"{generated.path} is not as generated: run `python -m xinqiao.contracts_tool write`")
    wrong += [f"{path.relative_to(root)} belongs to no event" for path in _strays(root)]
    released = gate.read_released(root / "contracts" / "schemas" / "released")
    return wrong + [str(change) for change in gate.compare_all(released, schemas.current())]


def release(version: str, root: Path = ROOT) -> None:
    """Keep the present schemas as those of a release; refuses while the gate finds a break."""
    folder = root / "contracts" / "schemas" / "released"
    if breaks := gate.compare_all(gate.read_released(folder), schemas.current()):
        raise SystemExit("\n".join(map(str, breaks)))
    folder.mkdir(parents=True, exist_ok=True)
    for declared in EVENTS:
        (folder / schemas.file_name(declared.event)).write_text(schemas.text(declared.event))
    (folder / "RELEASE").write_text(f"{version}\n")


def _strays(root: Path) -> list[Path]:
    known = {schemas.file_name(declared.event) for declared in EVENTS}
    return [path for path in sorted((root / "contracts" / "schemas").glob("*.json")) if path.name not in known]

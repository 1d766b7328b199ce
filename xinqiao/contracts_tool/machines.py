"""State machines, drawn from the tables that decide: `NEXT` in a service's domain modules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Set
from enum import StrEnum
from types import ModuleType

HEADING = "## State machines"


def text(service: str) -> str:
    """A Mermaid diagram for each machine of the service, in the order of the modules' names; empty without any."""
    drawings = [drawing for module in _modules(service) if (drawing := _drawing(module))]
    return "\n".join([HEADING, "", *drawings]) if drawings else ""


def _modules(service: str) -> list[ModuleType]:
    domain = importlib.import_module(f"services.{service}.domain")
    found = pkgutil.walk_packages(domain.__path__, f"{domain.__name__}.") if hasattr(domain, "__path__") else []
    return [domain, *(importlib.import_module(one.name) for one in sorted(found, key=lambda one: one.name))]


def _drawing(module: ModuleType) -> str:
    table: Mapping[StrEnum, Set[StrEnum]] | None = getattr(module, "NEXT", None)
    if table is None:
        return ""
    title = (module.__doc__ or "").strip().split("\n")[0]
    # Folded: a page that is read top to bottom shows the machines' names, and a diagram for who asks.
    lines = [
        "<details>",
        f"<summary>{title}</summary>",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"  [*] --> {next(iter(table)).value}",
    ]
    for state, following in table.items():
        targets = [other for other in table if other in following]
        lines += [f"  {state.value} --> {other.value}" for other in targets]
        if not targets:
            lines.append(f"  {state.value} --> [*]")
    return "\n".join([*lines, "```", "", "</details>", ""])

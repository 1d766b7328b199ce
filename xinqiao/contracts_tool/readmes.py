"""The end of each service's README: its state machines, and what it consumes and publishes."""

from __future__ import annotations

from pathlib import Path

from contracts.topology import EVENTS, Declared, events_of
from xinqiao.contracts_tool import machines

MARK = "<!-- What follows is generated: make contracts -->"


def text(service: str, root: Path) -> str:
    """The README as it should be: what people wrote, the machines, and the table."""
    path = root / "services" / service / "README.md"
    written = path.read_text().split(MARK)[0].rstrip()
    consumed = [declared for declared in EVENTS if service in declared.consumers]
    rows = [_row("consumes", declared) for declared in consumed]
    rows += [_row("publishes", declared) for declared in events_of(service)]
    drawn = machines.text(service)
    machine_lines = [drawn, "## Events", ""] if drawn else []
    return "\n".join([written, "", MARK, "", *machine_lines, "| | event | meaning |", "| --- | --- | --- |", *rows, ""])


def _row(what: str, declared: Declared) -> str:
    meaning = (declared.event.__doc__ or "").strip().split("\n")[0]
    return f"| {what} | `{declared.event.TYPE}` v{declared.event.VERSION} | {meaning} |"

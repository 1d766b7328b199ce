"""docs/events.md: who tells what to whom."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from contracts.base import Event
from contracts.topology import EVENTS, HOTLINE_GATEWAY, SERVICES, STREAMS, Declared, consumers_of
from xinqiao.contracts_tool.schemas import file_name

HEAD = """# Events

Generated from `contracts/topology.py` by `python -m xinqiao.contracts_tool write`; changes here are overwritten.

An event is known by its type, `<context>.<past_tense_name>`, and a major version. It travels as a CloudEvent 1.0: in
binary mode over NATS (attributes in `ce-` headers, the JSON body alone), in structured mode over HTTP. `{county}` is
six digits of the division code, or `000000` where none applies. Schemas are in `contracts/schemas/`, examples in
`contracts/examples/`, the whole contract for other languages in `contracts/asyncapi.yaml`; how a hotline publishes is
told in `docs/hotlines.md`.
"""


def meaning(event: type[Event]) -> str:
    """The first sentence of what the event says of itself, or its name in words."""
    said = inspect.cleandoc(event.__dict__.get("__doc__") or "").split("\n\n")[0].replace("\n", " ")
    return said or event.TYPE.split(".")[1].replace("_", " ").capitalize() + "."


def text() -> str:
    """The map as Markdown."""
    parts = [HEAD, "## Who tells whom\n", _diagram(), *(_table(stream) for stream in _streams()), _others()]
    return "\n".join(parts)


def _streams() -> list[str]:
    return list(dict.fromkeys(declared.stream for declared in EVENTS))


def _diagram() -> str:
    lines = ["```mermaid", "flowchart LR", "    hotline([hotline systems])"]
    lines += [f"    {service}[{service}]" for service in SERVICES]
    pairs: dict[tuple[str, str], int] = {}
    for declared in EVENTS:
        for producer in _tellers(declared):
            for consumer in declared.consumers:
                pairs[producer, consumer] = pairs.get((producer, consumer), 0) + 1
    for (producer, consumer), count in pairs.items():
        lines.append(f"    {producer} -->|{count} event{'s' if count > 1 else ''}| {consumer}")
    return "\n".join([*lines, "```", ""])


def _tellers(declared: Declared) -> Iterable[str]:
    """The producers; the gateway only passes on what a hotline said."""
    if "hotline" in declared.producers:
        return [producer for producer in declared.producers if producer != HOTLINE_GATEWAY]
    return declared.producers


def _table(stream: str) -> str:
    kept = STREAMS[stream]
    lines = [
        f"## {stream}\n",
        f"Kept for {kept.days} days, at most {kept.max_bytes // 1024**3} GiB; a full stream refuses.\n",
        "| event | version | subject | producer | consumers | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for declared in EVENTS:
        if declared.stream == stream:
            event = declared.event
            schema = f"[`{event.TYPE}`](../contracts/schemas/{file_name(event)})"
            subject = f"`{event.subject_for('{county}')}`"
            producers, consumers = ", ".join(declared.producers), ", ".join(declared.consumers)
            row = [schema, str(event.VERSION), subject, producers, consumers, meaning(event)]
            lines.append("| " + " | ".join(row) + " |")
    readers = [c.name for service in SERVICES for c in consumers_of(service) if c.stream == stream]
    lines.append(f"\nRead through the durable consumers {', '.join(f'`{name}`' for name in readers)}.\n")
    return "\n".join(lines)


def _others() -> str:
    lines = [
        "## Streams that hold no events\n",
        "| stream | subjects | kept for | what |",
        "| --- | --- | --- | --- |",
    ]
    told = {
        "TIMERS": "wake-ups that services set for themselves; the database is the truth",
        "DEAD": "dead letters: what a service could not take, with its reason, to the byte",
        "ADVISORIES": "what the broker says about deliveries that it gave up",
    }
    for name, stream in STREAMS.items():
        if name not in _streams():
            subjects = ", ".join(f"`{subject}`" for subject in stream.subjects)
            lines.append(f"| {name} | {subjects} | {stream.days} days | {told.get(name, '')} |")
    return "\n".join([*lines, ""])

"""What an outside client was promised, held against what is there: beyond `xinqiao audit`, which knows no outsider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from chassis.dead import read_stream
from chassis.envelope import from_message
from contracts.base import Event
from contracts.crisis import CaseAcknowledged, FollowUpKept
from contracts.matching import OfferAccepted
from contracts.topology import STREAMS
from xinqiao.audit import Report
from xinqiao.installation import Connections


async def check(
    connections: Connections, promised: Iterable[str], done: Mapping[str, set[str]], report: Report
) -> None:
    """Adds to the audit's report what is lost or twice of what was acknowledged to hotlines and to people."""
    promised = set(promised)
    there: Counter[str] = Counter()
    async for message in read_stream(connections.bus, "HOTLINE", list(STREAMS["HOTLINE"].subjects)):
        there[(message.headers or {}).get("ce-id", "")] += 1
    cases: Counter[str] = Counter()
    persons: Counter[str] = Counter()
    async for case in connections.databases["crisis"].stream("cases", {}):
        cases.update(str(flag["id"]) for flag in case["flags"])
        if case["person"]:
            persons[case["person"]] += 1
    for ident in promised:
        if not there[ident]:
            report.add("lost", f"flag {ident} was acknowledged, and HOTLINE does not hold it")
        if cases[ident] != 1:
            kind = "duplicated" if cases[ident] else "lost"
            report.add(kind, f"flag {ident} was acknowledged and is {cases[ident]} times in a case")
    for person, number in persons.items():
        if number > 1:  # nobody closes a case in this test, so a person has one
            report.add("duplicated", f"a person ({person[:8]}…) has {number} cases")
    await _acts(connections, done, report)


async def _acts(connections: Connections, done: Mapping[str, set[str]], report: Report) -> None:
    told = {name: Counter[str]() for name in ("acknowledged", "kept", "accepted")}
    for stream in ("CRISIS", "MATCHING"):
        seen: set[UUID] = set()
        async for message in read_stream(connections.bus, stream, list(STREAMS[stream].subjects)):
            event = from_message(message.subject, message.headers, message.data)
            if event.id not in seen:
                seen.add(event.id)
                if (act := _act(event)) is not None:
                    told[act[0]][act[1]] += 1
    for name, idents in done.items():
        for ident in idents:
            if not told[name][ident]:
                report.add("lost", f"{ident} was {name} by a person, and no event tells of it")
    for name in ("kept", "accepted"):
        for ident, number in told[name].items():
            if number > 1:
                report.add("duplicated", f"{ident} was told to be {name} {number} times")


def _act(event: Event) -> tuple[str, str] | None:
    if isinstance(event, CaseAcknowledged):
        return "acknowledged", str(event.case_id)
    if isinstance(event, FollowUpKept):
        return "kept", str(event.follow_up_id)
    if isinstance(event, OfferAccepted):
        return "accepted", str(event.offer_id)
    return None

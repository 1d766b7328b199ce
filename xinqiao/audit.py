"""The audit: the services are held against the log, and every difference is named.

Every flag that HOTLINE holds has one case or a dead letter, every case has what its policy asks for and told it once,
nobody holds two calls, the counters equal what the log says, and nothing is left over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from nats.aio.msg import Msg

from chassis.audit_log import broken_links
from chassis.bus import Bus
from chassis.clock import now
from chassis.consume import digest_of
from chassis.dead import accounted, read_stream
from chassis.envelope import from_message
from chassis.errors import Refused
from contracts.base import Answer, Event, Tier
from contracts.crisis import CaseOpened, CaseSplit, FlagJoined, ReferralMoved, ReferralState
from contracts.hotline import CheckInMissed, RiskFlagged
from contracts.topology import SERVICES, STREAMS, consumers_of
from services.crisis.domain.policy import Policies, Policy, load_policies
from services.matching.store import audit_facts
from services.reporting.store import recounted_differences
from xinqiao.installation import Connections

OVERDUE_SECONDS = 60


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the log says. `kind` is lost, duplicated, stuck or wrong."""

    kind: str
    what: str


@dataclass
class Report:
    """What the audit found, and the numbers it counted on the way."""

    flags: int = 0
    dead: int = 0
    cases: int = 0
    referrals: int = 0
    follow_ups: int = 0
    requests: int = 0
    responders: int = 0
    counted: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, kind: str, what: str) -> None:
        self.differences.append(Difference(kind, what))

    def count(self, kind: str) -> int:
        return sum(difference.kind == kind for difference in self.differences)

    @property
    def holds(self) -> bool:
        return not self.differences


async def settle(connections: Connections, seconds: float, progress: Callable[[int], None] = lambda left: None) -> int:
    """Wait until nothing is on its way; how much still was when the time ran out."""
    deadline = asyncio.get_running_loop().time() + seconds
    quiet = 0
    while True:
        left = await on_its_way(connections)
        progress(left)
        quiet = quiet + 1 if left == 0 else 0
        # Twice in a row: between two looks an event may be neither in the outbox nor pending.
        if quiet == 2 or asyncio.get_running_loop().time() > deadline:
            return left
        await asyncio.sleep(0.2)


async def on_its_way(connections: Connections) -> int:
    """Messages not yet settled, events not yet published, and timers that are due."""
    left = 0
    for service in SERVICES:
        for consumer in consumers_of(service):
            info = await connections.bus.jetstream.consumer_info(consumer.stream, consumer.name)
            left += (info.num_pending or 0) + (info.num_ack_pending or 0)
        left += await connections.databases[service].count("outbox", {})
        left += await connections.databases[service].count("timers", {"due_at": {"$lte": now()}})
    return left


async def audit(connections: Connections, policy_dir: Path | None = None) -> Report:
    """Hold the services against the streams. Run it when the platform is quiet, or after `settle`.

    `policy_dir` is what the services were told, where the district has policies of its own. Raises `Refused` when a
    policy in it cannot be read.
    """
    report = Report()
    try:
        policies = load_policies(policy_dir / "crisis" if policy_dir else None)
    except ValueError as error:
        raise Refused("bad_policy", str(error)) from error
    dead = await accounted(connections.bus)
    events = await _events(connections.bus, dead, report)
    cases = {case["_id"]: case async for case in connections.databases["crisis"].stream("cases", {})}
    # A case holds its newest flags; older ones lie beside it.
    async for row in connections.databases["crisis"].stream("flag_rows", {}):
        if row["case_id"] in cases:
            cases[row["case_id"]]["flags"].append({**row, "id": row["_id"]})
        else:
            report.add("wrong", f"flag {row['_id']} belongs to case {row['case_id']}, which does not exist")
    await _flags_have_cases(connections, cases, dead, report)
    await _cases_have_effects(connections, cases, policies, report)
    _events_fit_cases(cases, events, report)
    await _referrals_fit(connections, events, report)
    facts = await audit_facts(connections.databases["matching"], events)
    report.requests, report.responders = facts.requests, facts.answered
    for kind, what in facts.differences:
        report.add(kind, what)
    report.counted, different = await recounted_differences(connections.databases["reporting"], events)
    for what in different:
        report.add("wrong", what)
    await _nothing_left(connections, report)
    for service, database in connections.databases.items():
        for problem in await broken_links(database):
            report.add("wrong", f"{service}'s audit log: {problem}")
    return report


async def _events(bus: Bus, dead: set[tuple[str, str, int]], report: Report) -> list[Event]:
    """All events of the services, in the order of their streams; a second one of the same id is named."""
    events: list[Event] = []
    buried = {(stream, sequence) for _, stream, sequence in dead}
    for stream in ("REGISTRY", "CRISIS", "MATCHING"):
        seen: set[UUID] = set()
        async for message in read_stream(bus, stream, list(STREAMS[stream].subjects)):
            try:
                event = from_message(message.subject, message.headers, message.data)
            except Refused as error:
                sequence = message.metadata.sequence.stream
                if (stream, sequence) not in buried:
                    report.add("wrong", f"{stream} {sequence} is no event ({error.reason})")
                continue
            if event.id in seen:
                report.add("duplicated", f"{stream} holds event {event.id} twice")
                continue
            seen.add(event.id)
            events.append(event)
    return events


async def _flags_have_cases(
    connections: Connections, cases: dict[UUID, Any], dead: set[tuple[str, str, int]], report: Report
) -> None:
    holders: dict[UUID, list[UUID]] = defaultdict(list)
    for case in cases.values():
        for flag in case["flags"]:
            holders[flag["id"]].append(case["_id"])
    async for row in connections.databases["crisis"].stream("flag_rows", {}):
        holders[row["_id"]].append(row["case_id"])
    absences = {absence["_id"] async for absence in connections.databases["crisis"].stream("check_ins", {})}
    buried = {(stream, sequence) for service, stream, sequence in dead if service == "crisis"}
    report.dead = len(buried)
    bodies: dict[str, str] = {}
    async for message in read_stream(connections.bus, "HOTLINE", ["xinqiao.hotline.>"]):
        _flag_has_case(message, buried, holders, absences, bodies, report)
    report.flags = len(bodies)
    for flag_id, where in holders.items():
        if len(where) > 1:
            report.add("duplicated", f"flag {flag_id} is in {len(where)} cases")
        if str(flag_id) not in bodies:
            report.add("wrong", f"flag {flag_id} is in a case, and HOTLINE does not hold it")


def _flag_has_case(
    message: Msg,
    buried: set[tuple[str, int]],
    holders: dict[UUID, list[UUID]],
    absences: set[str],
    bodies: dict[str, str],
    report: Report,
) -> None:
    sequence = message.metadata.sequence.stream
    is_buried = (STREAMS["HOTLINE"].name, sequence) in buried
    try:
        event = from_message(message.subject, message.headers, message.data)
    except Refused as error:
        if not is_buried:
            report.add("lost", f"HOTLINE {sequence} ({error.reason}) has no dead letter")
        return
    if isinstance(event, CheckInMissed) and not is_buried and f"{event.hotline}:{event.person}" not in absences:
        report.add("lost", f"missed greeting {event.id} (HOTLINE {sequence}) was neither counted nor buried")
    if not isinstance(event, RiskFlagged):
        return  # a case begins with a flag; what other events lead to, the service flags itself
    digest = digest_of(event)
    if bodies.get(str(event.id), digest) != digest:
        if not is_buried:
            report.add("lost", f"HOTLINE {sequence} reuses the id {event.id} and has no dead letter")
        return
    if event.id in holders:
        bodies[str(event.id)] = digest
    elif not is_buried:
        bodies[str(event.id)] = digest
        report.add("lost", f"flag {event.id} (HOTLINE {sequence}) has neither a case nor a dead letter")


async def _cases_have_effects(
    connections: Connections, cases: dict[UUID, Any], policies: Policies, report: Report
) -> None:
    database = connections.databases["crisis"]
    plans = {plan["_id"]: plan async for plan in database.stream("plans", {})}
    referrals = Counter([referral["case_id"] async for referral in database.stream("referrals", {})])
    timers = {timer["_id"] async for timer in database.stream("timers", {})}
    open_by_person: Counter[str] = Counter()
    report.cases, report.referrals = len(cases), sum(referrals.values())
    unknown: Counter[str] = Counter()
    for case_id, case in cases.items():
        is_open = case["state"] == "open"
        if is_open and case["person"]:
            open_by_person[case["person"]] += 1
        planned = plans.get(case_id, {"follow_ups": []})["follow_ups"]
        report.follow_ups += len(planned)
        if case["state"] == "merged":
            # What its policy asks for, the case that it went into has; that one has to be there, and open or closed.
            if cases.get(case["merged_into"]) is None:
                report.add("lost", f"case {case_id} was merged into {case['merged_into']}, which does not exist")
            if case["flags"] or f"acknowledgement:{case_id}" in timers or f"follow_up:{case_id}" in timers:
                report.add("wrong", f"case {case_id} was merged and still has flags or timers")
            continue
        try:
            policy = policies.of(case["opened_under"]["policy"])
        except KeyError as error:
            unknown[str(error.args[0])] += 1
        else:
            _case_has_what_its_policy_asks(case, policy, referrals[case_id], len(planned), report)
        if is_open and case["acknowledgement"]["state"] == "waiting" and f"acknowledgement:{case_id}" not in timers:
            report.add("stuck", f"case {case_id} waits for an acknowledgement without a clock")
        pending = any(item["state"] in ("planned", "due") for item in planned)
        if is_open and pending and f"follow_up:{case_id}" not in timers:
            report.add("stuck", f"case {case_id} has follow-ups to come and no timer")
    for version, number in unknown.items():
        told = f"{number} case(s) were opened under policy {version}, which is not known here"
        report.add("wrong", f"{told}; XINQIAO_POLICY_DIR has to name the folder that the services read")
    for case_id in plans.keys() - cases.keys():
        report.add("wrong", f"there is a plan without its case {case_id}")
    for person, number in open_by_person.items():
        if number > 1:
            report.add("duplicated", f"{number} open cases of one person ({person[:8]}…)")


def _case_has_what_its_policy_asks(case: Any, policy: Policy, referrals: int, planned: int, report: Report) -> None:
    case_id, tier = case["_id"], Tier(case["opened_under"]["tier"])
    if tier in policy.referral.tiers and not referrals:
        report.add("lost", f"case {case_id} has no referral")
    if tier in policy.responder.tiers and case["responder"]["request_id"] is None:
        report.add("lost", f"case {case_id} asked for no responder")
    wanted = policy.follow_ups(tier, Answer(case["opened_under"]["consent"]), case["opened_at"])
    if planned < len(wanted):
        report.add("lost", f"case {case_id} has {planned} follow-ups, its policy asks for {len(wanted)}")


def _events_fit_cases(cases: dict[UUID, Any], events: list[Event], report: Report) -> None:
    opened: Counter[UUID] = Counter(event.case_id for event in events if isinstance(event, CaseOpened | CaseSplit))
    told: Counter[UUID] = Counter(event.flag_id for event in events if isinstance(event, CaseOpened | FlagJoined))
    for case_id, case in cases.items():
        if opened[case_id] != 1:
            report.add(
                "lost" if not opened[case_id] else "duplicated", f"case {case_id} was opened {opened[case_id]} times"
            )
        for flag in case["flags"]:
            if told[flag["id"]] != 1:
                kind = "lost" if not told[flag["id"]] else "duplicated"
                report.add(kind, f"flag {flag['id']} was told {told[flag['id']]} times")
    for case_id in opened.keys() - cases.keys():
        report.add("wrong", f"case {case_id} was told of and does not exist")


async def _referrals_fit(connections: Connections, events: list[Event], report: Report) -> None:
    states: dict[UUID, ReferralState] = {}
    for event in events:
        if isinstance(event, ReferralMoved):
            if states.get(event.referral_id) != event.previous:
                report.add("wrong", f"referral {event.referral_id} moved from {event.previous}, which it was not")
            states[event.referral_id] = event.state
    async for referral in connections.databases["crisis"].stream("referrals", {}):
        if states.pop(referral["_id"], None) != referral["state"]:
            report.add("lost", f"referral {referral['_id']} is {referral['state']}, and its events do not say so")
    for referral_id in states:
        report.add("wrong", f"referral {referral_id} was told of and does not exist")


async def _nothing_left(connections: Connections, report: Report) -> None:
    moment = now()
    for service, database in connections.databases.items():
        if waiting := await database.count("outbox", {}):
            report.add("stuck", f"{service} has {waiting} events that are not published")
        async for timer in database.stream("timers", {"due_at": {"$lte": moment}}):
            if (moment - timer["due_at"]).total_seconds() > OVERDUE_SECONDS:
                report.add("stuck", f"{service}'s timer {timer['_id']} was due at {timer['due_at'].isoformat()}")
        for consumer in consumers_of(service):
            info = await connections.bus.jetstream.consumer_info(consumer.stream, consumer.name)
            if left := (info.num_pending or 0) + (info.num_ack_pending or 0):
                report.add("stuck", f"{consumer.name} has {left} messages that are not settled")

"""A chain of people through whose hands a case goes, hop by hop: sent or read is not received.

The rules alone, on the chain as it is kept in its case: who is called, who has received, who is responsible. A hop that
does not answer in time is not left out: the next one is called as well, and whoever receives first takes the calls off
the others. Whoever passes on stays responsible until somebody of the next hop has received.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.base import Tier
from contracts.hotline import Setting
from services.crisis.domain.chains_policy import SettingChain

Chain = dict[str, Any]
"""As it is kept: `setting`, `policy`, `organisation_id`, `withheld`, `start` (the first hop that may know), `line_at`,
`hops` (each with `role`, `state`, `called_at`, `due_at`, `received_by`, `received_at`, `passed_at`,
`hold_until`), `called` (the roles that are called now), `holder`.
"""


class HopState(StrEnum):
    ahead = "ahead"
    left_out = "left_out"
    """Must not learn of it, or lies before where the chain began."""
    called = "called"
    overdue = "overdue"
    """Called, and late; the next one is called as well."""
    received = "received"
    """A named person has it."""
    passing = "passing"
    """The named person has passed it on, and stays responsible until the next has received."""
    passed_on = "passed_on"
    released = "released"
    """Was called, and another hop received first."""


NEXT: dict[HopState, frozenset[HopState]] = {
    HopState.ahead: frozenset({HopState.called}),
    HopState.left_out: frozenset(),
    HopState.called: frozenset({HopState.overdue, HopState.received, HopState.released}),
    HopState.overdue: frozenset({HopState.received, HopState.released}),
    HopState.received: frozenset({HopState.called, HopState.passing}),
    HopState.passing: frozenset({HopState.passed_on}),
    HopState.passed_on: frozenset(),
    HopState.released: frozenset({HopState.called}),
}

WAITING = frozenset({HopState.called, HopState.overdue})
HELD = frozenset({HopState.received, HopState.passing})


def allows(present: HopState, following: HopState) -> bool:
    """Whether a hop may go from one state to the other."""
    return following in NEXT[present]


class NotNow(Exception):
    """The chain's present state does not allow it."""


def begin(
    policy: SettingChain,
    version: str,
    setting: Setting,
    start: str | None,
    raised_by: tuple[str, str] | None,
    organisation_id: UUID | None,
    moment: datetime,
) -> Chain:
    """A chain before its first call.

    `start` is the role that the flag names, and then no hop before it learns of the case; without it the policy's. Who
    raised the concern, (role, subject), holds the hop of that role; where raising is passing on, the next is called.
    """
    named = policy.place(start)
    if start is not None and named is None:  # a word that nobody knows must not let the class know either
        named = policy.place(policy.withheld_start or policy.start)
    raiser = policy.place(raised_by[0]) if raised_by else None
    first = named if named is not None else policy.place(policy.start)
    if raiser is not None and (named is None or raiser >= named):
        first = raiser
    assert first is not None, "a policy's start is one of its hops"
    withheld = named is not None and named == policy.place(policy.withheld_start)
    hops: list[Chain] = [
        {
            "role": hop.role,
            "state": (HopState.left_out if place < first else HopState.ahead).value,
            "called_at": None,
            "due_at": None,
            "received_by": None,
            "received_at": None,
            "passed_at": None,
            "hold_until": None,
        }
        for place, hop in enumerate(policy.hops)
    ]
    chain: Chain = {
        "setting": setting.value,
        "policy": version,
        "organisation_id": organisation_id,
        "withheld": withheld,
        "start": first,
        "line_at": [tier.value for tier in policy.line_at],
        "hops": hops,
        "called": [],
        "holder": None,
    }
    if raised_by is not None and raiser == first:
        passes = policy.hops[first].raising_passes_on
        hops[first].update(
            state=(HopState.passing if passes else HopState.received).value,
            called_at=moment,
            received_by=raised_by[1],
            received_at=moment,
            passed_at=moment if passes else None,
        )
        _refresh(chain)
    return chain


def to_call(chain: Chain) -> int | None:
    """The hop that is to be called where none is: who has received looks again, or the next after who has passed it on,
    or the first. Hops before the chain's start never are.
    """
    states = [HopState(hop["state"]) for hop in chain["hops"]]
    if WAITING.intersection(states):
        return None
    if HopState.received in states:
        return states.index(HopState.received)
    after = states.index(HopState.passing) + 1 if HopState.passing in states else 0
    return next(
        (
            place
            for place, state in enumerate(states)
            if place >= max(after, chain["start"]) and allows(state, HopState.called)
        ),
        None,
    )


def call(chain: Chain, place: int, policy: SettingChain, tier: Tier, moment: datetime) -> None:
    """A hop is called; its clock starts."""
    hop = chain["hops"][place]
    _enter(hop, HopState.called)
    hop.update(
        called_at=moment,
        due_at=moment + policy.hops[place].time(tier),
        received_by=None,
        received_at=None,
        passed_at=None,
        hold_until=None,
    )
    _refresh(chain)


def receive(chain: Chain, place: int, subject: str, moment: datetime, hold_until: datetime | None = None) -> None:
    """A named person of a hop has it: other calls end, and whoever passed it on is free.

    Where nobody but the chain holds the case, `hold_until` says for how long it may stay there.
    """
    hop = chain["hops"][place]
    if HopState(hop["state"]) is HopState.received:
        raise NotNow("another person has received this case")
    if not allows(HopState(hop["state"]), HopState.received):
        raise NotNow("this hop is not called")
    _enter(hop, HopState.received)
    hop.update(received_by=subject, received_at=moment, hold_until=hold_until)
    for other in chain["hops"]:
        if other is hop:
            continue
        if HopState(other["state"]) in WAITING:
            _enter(other, HopState.released)
        elif HopState(other["state"]) in HELD:
            if HopState(other["state"]) is HopState.received:
                _enter(other, HopState.passing)
                other["passed_at"] = moment
            _enter(other, HopState.passed_on)
    _refresh(chain)


def pass_on(chain: Chain, place: int, moment: datetime) -> int:
    """Whoever holds the hop passes it on; the place of the hop that is to be called. The last hop passes to nobody."""
    hop = chain["hops"][place]
    if HopState(hop["state"]) is not HopState.received:
        raise NotNow("only who has received the case can pass it on, and only once")
    if place + 1 >= len(chain["hops"]):
        raise NotNow("the chain ends here")
    _enter(hop, HopState.passing)
    hop["passed_at"] = moment
    _refresh(chain)
    return place + 1


def overdue(chain: Chain, moment: datetime) -> list[int]:
    """The hops that are late since now. The last of the chain stays called, and is late again and again."""
    late = [
        place
        for place, hop in enumerate(chain["hops"])
        if HopState(hop["state"]) is HopState.called and hop["due_at"] <= moment
    ]
    for place in late:
        if place + 1 < len(chain["hops"]):
            _enter(chain["hops"][place], HopState.overdue)
    _refresh(chain)
    return late


def held_too_long(chain: Chain, moment: datetime) -> int | None:
    """The hop that is held past its time; it is told once."""
    for place, hop in enumerate(chain["hops"]):
        held = hop.get("hold_until")
        if HopState(hop["state"]) is HopState.received and held is not None and held <= moment:
            hop["hold_until"] = None
            return place
    return None


def call_again(chain: Chain, place: int, policy: SettingChain, tier: Tier, moment: datetime) -> None:
    """The chain's last hop is called once more; it stays late since the first call."""
    chain["hops"][place]["due_at"] = moment + policy.hops[place].time(tier)


def callable_next(chain: Chain, place: int) -> int | None:
    """The hop after this one, where it can be called as well."""
    following = place + 1
    if following < len(chain["hops"]) and allows(HopState(chain["hops"][following]["state"]), HopState.called):
        return following
    return None


def carries(chain: Chain, tier: Tier, line: frozenset[str]) -> bool:
    """Whether the chain alone holds the case: somebody is called who is not of the line, and the tier can wait."""
    roles = {role.replace("-", "_") for role in chain["called"]}
    return tier.value not in chain["line_at"] and bool(roles) and not roles & line


def withhold(chain: Chain, start: int) -> None:
    """From now on no hop before `start` may learn more: a call there ends, and the school's own hop is to be called."""
    chain.update(withheld=True, start=start)
    for hop in chain["hops"][:start]:
        if HopState(hop["state"]) in WAITING:
            _enter(hop, HopState.released)
        if HopState(hop["state"]) is HopState.received:
            _enter(hop, HopState.passing)
    _refresh(chain)


def due_at(chain: Chain) -> datetime | None:
    """When the chain's clock runs out; None where nobody is called, and nobody holds the case for a time."""
    moments = [hop["due_at"] for hop in chain["hops"] if HopState(hop["state"]) is HopState.called]
    moments += [
        hop["hold_until"]
        for hop in chain["hops"]
        if HopState(hop["state"]) is HopState.received and hop.get("hold_until") is not None
    ]
    return min(moments, default=None)


def end(chain: Chain) -> None:
    """The case is over: nobody is called any more, and nobody holds it."""
    for hop in chain["hops"]:
        if HopState(hop["state"]) in WAITING:
            _enter(hop, HopState.released)
    chain.update(called=[], holder=None)


def hidden(chain: Chain, place: int) -> bool:
    """Whether this hop may not see what the chain is about: it lies before the start of one that is withheld."""
    return bool(chain["withheld"]) and place < chain["start"]


def place_of(chain: Chain, roles: frozenset[str]) -> int | None:
    """The hop of one of these roles that is called; the earliest, which has waited longest."""
    for place, hop in enumerate(chain["hops"]):
        if HopState(hop["state"]) in WAITING and hop["role"].replace("-", "_") in roles:
            return place
    return None


def held_by(chain: Chain, subject: str) -> int | None:
    """The hop that this person holds."""
    for place, hop in enumerate(chain["hops"]):
        if HopState(hop["state"]) in HELD and hop["received_by"] == subject and not hidden(chain, place):
            return place
    return None


def holding(chain: Chain) -> int | None:
    """The hop that somebody holds."""
    return next((place for place, hop in enumerate(chain["hops"]) if HopState(hop["state"]) in HELD), None)


def _enter(hop: Chain, state: HopState) -> None:
    assert allows(HopState(hop["state"]), state), f"{hop['state']} -> {state}"
    hop["state"] = state.value


def _refresh(chain: Chain) -> None:
    """What is looked for: who is called, and who holds it."""
    chain["called"] = [hop["role"] for hop in chain["hops"] if HopState(hop["state"]) in WAITING]
    held = holding(chain)
    if held is not None:
        chain["holder"] = chain["hops"][held]["received_by"]

"""Experts taking turns: who has which slot of a rotation, so that none is empty and nobody has more than the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.crisis.domain.shifts import LOCAL, Interval


class ExpertService(StrEnum):
    """What experts take turns at: 心理专家在线, 轮流坐诊, 危机干预专家组待命, 心理专家五进."""

    experts_online = "experts_online"
    clinic = "clinic"
    crisis_standby = "crisis_standby"
    experts_five_visits = "experts_five_visits"


class NobodyLeft(Exception):
    """A slot for which too few experts are available. `slot` is its number, from 0."""

    def __init__(self, slot: int, since: datetime, missing: int) -> None:
        super().__init__(f"slot {slot}, from {since.isoformat()}, lacks {missing}")
        self.slot, self.since, self.missing = slot, since, missing


def slots(start: datetime, end: datetime, length: timedelta) -> list[Interval]:
    """The time from `start` to `end` in slots, one after the other; the last one may be shorter."""
    found: list[Interval] = []
    since = start
    while since < end:
        until = min(since + length, end)
        found.append((since, until))
        since = until
    return found


def days_of(slot: Interval) -> set[date]:
    """The days in Asia/Shanghai that a slot touches."""
    first = slot[0].astimezone(LOCAL).date()
    last = (slot[1] - timedelta(milliseconds=1)).astimezone(LOCAL).date()
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def is_free(slot: Interval, unavailable: frozenset[date], busy: Sequence[Interval]) -> bool:
    """Whether neither a day off nor another duty lies in the slot."""
    return not (days_of(slot) & unavailable) and not any(since < slot[1] and slot[0] < until for since, until in busy)


def rota(
    experts: Sequence[str],
    when: Sequence[Interval],
    places: int,
    unavailable: Mapping[str, frozenset[date]],
    busy: Mapping[str, Sequence[Interval]],
) -> list[tuple[str, ...]]:
    """For each slot `places` experts, each at most once in it. Raises `NobodyLeft` rather than leave one open.

    Of those who are free, who has had the fewest turns comes first, then whose last turn is longest ago, then the order
    given. Nobody has two slots running while somebody else is free. So experts who are always free differ by one turn
    at most.
    """
    turns = dict.fromkeys(experts, 0)
    last = dict.fromkeys(experts, -1)
    order = {expert: place for place, expert in enumerate(experts)}
    table: list[tuple[str, ...]] = []
    previous: tuple[str, ...] = ()
    for number, slot in enumerate(when):
        free = [one for one in experts if is_free(slot, unavailable.get(one, frozenset()), busy.get(one, ()))]
        if len(free) < places:
            raise NobodyLeft(number, slot[0], places - len(free))
        free.sort(key=lambda one: (one in previous, turns[one], last[one], order[one]))
        chosen = tuple(free[:places])
        for one in chosen:
            turns[one] += 1
            last[one] = number
        table.append(chosen)
        previous = chosen
    return table

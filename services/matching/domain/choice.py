"""Who is asked next: the nearest first, and among the equally near the least recently called."""

from __future__ import annotations

import uuid
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from contracts.base import Tier
from contracts.matching import NobodyLeft
from services.matching.domain.policy import Policy

LEVELS = (12, 9, 6, 4, 2)
"""Lengths of a division code, from a village up to a province."""


class DeclineReason(StrEnum):
    """Why a responder declines; nobody has to say."""

    busy = "busy"
    unwell = "unwell"
    too_far = "too_far"
    knows_the_person = "knows_the_person"
    beyond_competence = "beyond_competence"
    other = "other"
    not_said = "not_said"


DECLINE_LABELS = {
    DeclineReason.busy: "正在忙其他事务",
    DeclineReason.unwell: "身体不适",
    DeclineReason.too_far: "距离太远",
    DeclineReason.knows_the_person: "认识当事人，需要回避",
    DeclineReason.beyond_competence: "超出本人能力范围",
    DeclineReason.other: "其他",
    DeclineReason.not_said: "未说明",
}


@dataclass(frozen=True)
class Ask:
    """What a request asks for; `asked` are those who were asked already."""

    request_id: uuid.UUID
    division: str
    tier: Tier
    minor: bool
    requested_at: datetime
    asked: frozenset[uuid.UUID] = frozenset()
    restricted: bool = False

    @property
    def urgency(self) -> tuple[int, datetime, uuid.UUID]:
        """Sorts the most urgent first, and the longest waiting among equals."""
        return -self.tier.rank, self.requested_at, self.request_id


@dataclass(frozen=True)
class Person:
    """A responder as matching knows one, on a day. `busy` is to hold a request or to have an offer open."""

    id: uuid.UUID
    division: str
    person_types: frozenset[int]
    qualifications: frozenset[int]
    trained: bool
    active: bool
    busy: bool
    called_at: datetime | None
    minor: bool = False

    @property
    def turn(self) -> tuple[float, uuid.UUID]:
        """Sorts those never called first, then the least recently called."""
        return (self.called_at.timestamp() if self.called_at else 0.0), self.id


def qualifies(person: Person, tier: Tier, minor: bool, policy: Policy, restricted: bool = False) -> bool:
    """Whether a person may answer such a case at all; a restricted one is never for an ordinary volunteer.

    No case is a task for a minor: 志愿服务条例第十五条 asks that a task suits the age and the skills.
    """
    if not person.active or person.minor or (policy.training.required and not person.trained):
        return False
    if minor and not policy.minors.includes(person.person_types, person.qualifications):
        return False
    if restricted and not policy.restricted.includes(person.person_types, person.qualifications):
        return False
    return policy.tiers[tier].includes(person.person_types, person.qualifications)


def in_force(spells: Iterable[Mapping[str, Any]], fact: str, code: int, day: str) -> bool:
    """Whether a fact counts on an ISO day: on the days of one of its spells, and always where none names it."""
    own = [spell for spell in spells if spell["fact"] == fact and spell["code"] == code]
    return not own or any((one["since"] or "") <= day and (one["until"] is None or day <= one["until"]) for one in own)


def shared(one: str, other: str) -> int:
    """How many digits of the smallest division that holds both; 0 where only the country does."""
    for level in LEVELS:
        if len(one) >= level and len(other) >= level and one[:level] == other[:level]:
            return level
    return 0


def nearness(case: str, home: str, rosters: Iterable[str]) -> int:
    """Digits of the smallest area around the case that counts for a responder; 0 where none does.

    A responder belongs where the volunteer's division is. A turn of duty counts in an area if its roster covers the
    case or lies within the area; so a turn on another county's roster counts only once the area has widened to both.
    """
    own = shared(case, home)
    if own == 0:
        return 0
    return max((min(own, 12 if case.startswith(roster) else shared(case, roster)) for roster in rosters), default=0)


Entry = tuple[tuple[float, uuid.UUID], uuid.UUID]


class Board:
    """Those on duty now, as far as they were read, for the choices of one transaction.

    It only proposes: whoever takes its proposal looks at the responder's own document, and tells the board what
    became of the person.
    """

    def __init__(self) -> None:
        self._people: dict[uuid.UUID, Person] = {}
        self._rosters: dict[uuid.UUID, set[str]] = {}
        self._lines: dict[str, list[Entry]] = {}
        self._in_order: set[str] = set()
        self._reasons: dict[tuple[str, Tier, bool, bool], NobodyLeft] = {}
        self.areas: set[str] = set()
        """The areas that were read: every turn of duty of now whose roster covers them or lies within."""
        self.unread: dict[uuid.UUID, None] = {}
        """Those on duty of whom nothing is known but that they are busy; they matter only to say why nobody is left."""

    def add_roster(self, person_id: uuid.UUID, roster: str) -> None:
        self._rosters.setdefault(person_id, set()).add(roster)
        if person_id not in self._people:
            self.unread[person_id] = None
        self._reasons.clear()

    def leave(self, person_id: uuid.UUID) -> None:
        """Forget which rosters a person is on, for these to be read anew."""
        self._rosters.pop(person_id, None)
        self.unread.pop(person_id, None)
        self._reasons.clear()

    def knows(self, person_id: uuid.UUID) -> bool:
        return person_id in self._people

    def rosters(self, person_id: uuid.UUID) -> set[str]:
        return self._rosters.get(person_id, set())

    def put(self, person: Person) -> None:
        """A person as read, or as changed by this transaction."""
        before = self._people.get(person.id)
        self._people[person.id] = person
        self.unread.pop(person.id, None)
        self._reasons.clear()
        if person.busy or person == before:
            return
        for level in LEVELS:
            if len(person.division) >= level:
                area = person.division[:level]
                if area in self._in_order:
                    insort(self._lines[area], (person.turn, person.id))
                else:
                    self._lines.setdefault(area, []).append((person.turn, person.id))

    def take(self, person: Person) -> None:
        """A person who was free is busy now; the reasons why nobody is left stay what they are."""
        self._people[person.id] = person

    def first(self, ask: Ask, level: int, policy: Policy) -> Person | None:
        """The free, qualified person in the area of this level whose turn it is."""
        line = self._line(ask.division[:level])
        gone = []
        chosen = None
        for entry in line:
            person = self._people[entry[1]]
            if person.busy or person.turn != entry[0]:
                gone.append(entry)
            elif self._may(person, ask, level, policy) and person.id not in ask.asked:
                chosen = person
                break
        for entry in gone:
            line.remove(entry)
        return chosen

    def why_nobody(self, ask: Ask, policy: Policy) -> NobodyLeft:
        """Why nobody is left to ask, as far as people were read.

        `everybody_busy` is certain from the first who may answer and was not asked; the other two are certain once
        nobody is unread.
        """
        key = (ask.division, ask.tier, ask.minor, ask.restricted)
        if not ask.asked and key in self._reasons:
            return self._reasons[key]
        widest = policy.area.digits[-1]
        reason = NobodyLeft.nobody_on_duty
        for person in self._people.values():
            if self._may(person, ask, widest, policy):
                if person.id not in ask.asked:
                    reason = NobodyLeft.everybody_busy
                    break
                reason = NobodyLeft.all_declined_or_silent
        if not ask.asked:
            self._reasons[key] = reason
        return reason

    def anyone_free(self) -> bool:
        return any(not person.busy and person.id in self._rosters for person in self._people.values())

    def may_answer(self, person_id: uuid.UUID, ask: Ask, policy: Policy) -> bool:
        """Whether a person is qualified for the request and on duty for its area, at the widest."""
        person = self._people.get(person_id)
        return person is not None and self._may(person, ask, policy.area.digits[-1], policy)

    def candidates(self, ask: Ask, policy: Policy) -> list[tuple[Person, int]]:
        """Everyone qualified and on duty for a request, with the digits of the area, in the order of asking."""
        widest = policy.area.digits[-1]
        found = [
            (person, nearness(ask.division, person.division, self.rosters(person.id)))
            for person in self._people.values()
            if self._may(person, ask, widest, policy)
        ]
        return sorted(found, key=lambda pair: (-pair[1], pair[0].turn))

    def _may(self, person: Person, ask: Ask, level: int, policy: Policy) -> bool:
        return (
            qualifies(person, ask.tier, ask.minor, policy, ask.restricted)
            and nearness(ask.division, person.division, self._rosters.get(person.id, ())) >= level
        )

    def _line(self, area: str) -> list[Entry]:
        """The free of an area in the order of their turns; who is busy by now leaves the line when met."""
        if area not in self._in_order:
            self._in_order.add(area)
            self._lines.setdefault(area, []).sort()
        return self._lines[area]

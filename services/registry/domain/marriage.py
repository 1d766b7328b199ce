"""What a marriage-registry room (婚辅小站) offers: 婚前讲家、婚后理家, and counselling before and after marriage.

A session is planned and then held or called off. How many came is kept, and never who.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

ROOM = "marriage_room"


class State(StrEnum):
    planned = "planned"
    held = "held"
    cancelled = "cancelled"


NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.held, State.cancelled}),
    State.held: frozenset(),
    State.cancelled: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


@dataclass(frozen=True)
class Kind:
    """A kind of session: `training` for groups, else counselling; `before` or after marriage."""

    label: str
    training: bool
    before: bool


KINDS = MappingProxyType(
    {
        "before_training": Kind("婚前讲家", training=True, before=True),
        "after_training": Kind("婚后理家", training=True, before=False),
        "before_counselling": Kind("婚前心理疏导", training=False, before=True),
        "after_counselling": Kind("婚后心理疏导", training=False, before=False),
    }
)
SERVICE = "counselling"
"""What the gate is asked of who holds a counselling, of the services of /v1/qualification-codes."""
OF_TODAY = frozenset({"inactive", "matching_consent"})
"""What the gate may have against a person now that says nothing about the day on which a session was held."""


def flaw_in_people(kind: str, people: int, couple: int) -> str | None:
    """What is wrong with the number of people who came, for people; `couple` is the most in one counselling."""
    if not KINDS[kind].training and people > couple:
        return f"心理疏导每次最多 {couple} 人，多人请登记为培训"
    return "至少 1 人参加" if people < 1 else None


def told_sums(sessions: int, people: int, few: int) -> dict[str, int | None]:
    """Sessions and people as they are told: neither, where so few people came that it may be one couple."""
    hidden = 0 < people < few
    return {"sessions": None if hidden else sessions, "people": None if hidden else people}

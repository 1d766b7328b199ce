"""A complaint about a volunteer's service: received, looked into, answered by someone else, closed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    received = "received"
    looked_into = "looked_into"
    upheld = "upheld"
    not_upheld = "not_upheld"
    closed = "closed"


NEXT: dict[State, frozenset[State]] = {
    State.received: frozenset({State.looked_into}),
    State.looked_into: frozenset({State.upheld, State.not_upheld}),
    State.upheld: frozenset({State.closed}),
    State.not_upheld: frozenset({State.closed}),
    State.closed: frozenset(),
}
ANSWERS = frozenset({State.upheld, State.not_upheld})
"""The steps that take an answer in words."""


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "attitude": "服务态度",
        "absence": "未到岗或提前离岗",
        "privacy": "泄露个人隐私",
        "charging": "违规收费",
        "beyond_scope": "超出服务范围",
        "false_record": "服务记录不实",
        "other": "其他",
    }
)

"""The mandatory report to the police about harm to a minor (强制报告), from the duty to the receipt.

未成年人保护法 art. 11 and 《关于建立侵害未成年人案件强制报告制度的意见（试行）》(高检发〔2020〕9号): at once, on found
or suspected harm or danger of it. That nobody has asked, or that nobody knows, is no answer.
"""

from __future__ import annotations

from enum import StrEnum

from contracts.base import Answer


class State(StrEnum):
    none = "none"
    unclear = "unclear"
    """A minor, and the question about harm has neither a yes nor a no."""
    required = "required"
    made = "made"
    received = "received"
    not_required = "not_required"
    """Two persons decided so, the second a supervisor."""


NEXT: dict[State, frozenset[State]] = {
    State.none: frozenset({State.unclear, State.required}),
    State.unclear: frozenset({State.none, State.required}),
    State.required: frozenset({State.made, State.not_required}),
    # A further harm that comes to be known wants a further report.
    State.made: frozenset({State.received, State.required}),
    State.received: frozenset({State.required}),
    State.not_required: frozenset({State.required}),
}

STRICTEST_FIRST = (State.required, State.unclear, State.made, State.received, State.not_required, State.none)
"""Which of two states two merged cases keep."""


def allows(present: State, following: State) -> bool:
    """Whether a report may move so."""
    return following in NEXT[present]


def asked_for(present: State, harm: Answer, minor: bool, *, new: bool) -> State:
    """The state that follows from what is known of harm; `new` where a contact said so that is not reported yet.

    A no that follows upon a yes ends no duty: that takes two persons.
    """
    if harm is Answer.yes:
        return State.required if present in (State.none, State.unclear) or new else present
    if present in (State.none, State.unclear):
        return State.unclear if minor and harm is not Answer.no else State.none
    return present


def stricter(one: State, other: State) -> State:
    """Of the states of two cases that become one."""
    return min(one, other, key=STRICTEST_FIRST.index)

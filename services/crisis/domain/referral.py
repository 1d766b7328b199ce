"""The referral's states. Sent is not received: a named person at the institution moves it on."""

from __future__ import annotations

from contracts.crisis import ReferralState as State

NEXT: dict[State, frozenset[State]] = {
    State.drafted: frozenset({State.sent, State.cancelled}),
    # `sent` again is the bounce to the backup receiver, after a refusal or silence.
    State.sent: frozenset({State.received, State.expired, State.cancelled}),
    State.received: frozenset({State.accepted, State.declined, State.expired, State.cancelled}),
    State.accepted: frozenset({State.scheduled, State.attended, State.cancelled}),
    State.scheduled: frozenset({State.scheduled, State.attended, State.unattended, State.cancelled}),
    State.attended: frozenset({State.completed}),
    State.unattended: frozenset({State.scheduled, State.cancelled}),
    State.declined: frozenset({State.sent, State.cancelled}),
    State.expired: frozenset({State.sent, State.cancelled}),
    State.completed: frozenset(),
    State.cancelled: frozenset(),
}

ANSWERS = frozenset(
    {
        State.received,
        State.accepted,
        State.declined,
        State.scheduled,
        State.attended,
        State.unattended,
        State.completed,
    }
)
"""What only the receiving institution may say."""

ENDED = frozenset(state for state, following in NEXT.items() if not following)
UNDER_WAY = frozenset({State.sent, State.received, State.accepted, State.scheduled, State.attended, State.completed})
"""It was sent, and has not come back."""
WAITING = frozenset({State.sent, State.received})
"""The institution has to answer, and the clock runs."""
ACCEPTED = frozenset({State.accepted, State.scheduled})
"""The institution has taken it, and an outcome is to come."""


def allows(present: State, following: State) -> bool:
    """Whether a referral may move so."""
    return following in NEXT[present]

"""The referral's states. Sent is not received: a named person at the institution moves it on."""

from __future__ import annotations

from enum import StrEnum

from contracts.crisis import ReferralState as State

NEXT: dict[State, frozenset[State]] = {
    State.drafted: frozenset({State.sent, State.cancelled}),
    State.sent: frozenset({State.received, State.expired, State.cancelled}),
    State.received: frozenset({State.accepted, State.declined, State.expired, State.revoked}),
    State.accepted: frozenset({State.scheduled, State.attended, State.revoked}),
    State.scheduled: frozenset({State.scheduled, State.attended, State.unattended, State.revoked}),
    State.attended: frozenset({State.completed}),
    State.unattended: frozenset({State.scheduled, State.revoked}),
    # After a refusal or silence the policy bounces it to the backup, once; a person may send it anywhere.
    State.declined: frozenset({State.sent, State.bounced, State.cancelled}),
    State.expired: frozenset({State.sent, State.bounced, State.cancelled}),
    State.bounced: frozenset({State.sent, State.cancelled}),
    State.completed: frozenset(),
    State.cancelled: frozenset(),
    State.revoked: frozenset(),
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
ACCEPTED = frozenset({State.accepted, State.scheduled, State.attended, State.unattended})
"""The institution has taken it, and something is still to come: a time, an outcome, or what it found."""
HOLDS_PLACE = frozenset({State.sent, State.received, State.accepted, State.scheduled, State.attended, State.completed})
"""It takes one of the institution's places of the day on which it was sent."""


class OutcomeCode(StrEnum):
    """What came of the visit, without a diagnosis."""

    assessed_no_treatment_needed = "assessed_no_treatment_needed"
    outpatient_treatment = "outpatient_treatment"
    admitted = "admitted"
    counselling = "counselling"
    referred_on = "referred_on"
    declined_by_person = "declined_by_person"


class NextStep(StrEnum):
    """What the sender should do now."""

    none = "none"
    follow_up = "follow_up"
    next_appointment = "next_appointment"
    hand_over_to_primary_care = "hand_over_to_primary_care"
    refer_elsewhere = "refer_elsewhere"


class Medication(StrEnum):
    yes = "yes"
    no = "no"
    unknown = "unknown"


def allows(present: State, following: State) -> bool:
    """Whether a referral may move so."""
    return following in NEXT[present]


def withdrawal(present: State) -> State | None:
    """What the sender's taking it back is: cancelled, revoked once a named person received it, or nothing any more."""
    return next((state for state in (State.cancelled, State.revoked) if allows(present, state)), None)

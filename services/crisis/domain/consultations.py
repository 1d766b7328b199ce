"""A second professional's opinion about a case: asked of an institution, given by a named person of it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    requested = "requested"
    accepted = "accepted"
    declined = "declined"
    done = "done"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.requested: frozenset({State.accepted, State.declined, State.withdrawn}),
    State.accepted: frozenset({State.done, State.declined, State.withdrawn}),
    State.declined: frozenset(),
    State.done: frozenset(),
    State.withdrawn: frozenset(),
}
WAITING = frozenset(state for state, following in NEXT.items() if following)


class Kind(StrEnum):
    """Who is asked: a psychiatrist, or a family doctor who works with a psychiatric institution under an agreement."""

    psychiatrist = "psychiatrist"
    family_doctor = "family_doctor"


class Sign(StrEnum):
    """Why at once: the signs at which a psychiatrist has to look or an admission be sought."""

    self_harm = "self_harm"
    suicide = "suicide"
    aggression = "aggression"
    psychotic_symptoms = "psychotic_symptoms"
    poor_result = "poor_result"
    other = "other"


class Opinion(StrEnum):
    """What the consulted person advises; no diagnosis."""

    continue_here = "continue_here"
    outpatient_visit = "outpatient_visit"
    admission = "admission"
    emergency_admission = "emergency_admission"
    medication_review = "medication_review"
    guidance_at_home = "guidance_at_home"
    reassess = "reassess"


REFER = frozenset({Opinion.outpatient_visit, Opinion.admission, Opinion.emergency_admission})
"""Opinions after which a referral is the next step."""


def allows(present: State, following: State) -> bool:
    """Whether a consultation may move so."""
    return following in NEXT[present]

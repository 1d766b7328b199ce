"""Programmes: bereavement, reintegration, the time after an incident, elderly people with a mild result.

One mechanism for all: contacts by phase (`domain.follow_up`), and a programme that runs until a ground to end it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.base import Answer, Name, Tier
from contracts.crisis import ProgrammeGround, ProgrammeKind
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain import follow_up
from services.crisis.domain.follow_up import Contact, Outcome, Report
from services.crisis.domain.policy import Attempts
from services.crisis.domain.tiering import Finding

Programme = ProgrammeKind
Ground = ProgrammeGround

LABELS = {
    Programme.bereavement: "哀伤关怀",
    Programme.reintegration: "回归关怀",
    Programme.post_incident: "善后关怀",
    Programme.elderly_mild: "老年人定期随访",
}
"""What people read: families of the deceased (病亡者家属), discharged patients and their families, high-risk people in
the time after an incident (善后和恢复重建), elderly people with mild anxiety or depression."""


class State(StrEnum):
    """`review`: nothing is to come, and a person decides whether the programme goes on or ends."""

    running = "running"
    review = "review"
    ended = "ended"


NEXT: dict[State, frozenset[State]] = {
    State.running: frozenset({State.review, State.ended}),
    State.review: frozenset({State.running, State.ended}),
    State.ended: frozenset(),
}


def allows(present: State, following: State) -> bool:
    """Whether a programme may move so."""
    return following in NEXT[present]


class Concern(StrEnum):
    """What somebody of the office has to look at; each shows until the programme is reviewed."""

    contact_missed = "contact_missed"
    contact_refused = "contact_refused"
    contact_unusable = "contact_unusable"
    person_moved = "person_moved"
    reported_dead = "reported_dead"
    lost_contact = "lost_contact"
    prolonged_grief = "prolonged_grief"
    """Grief that has not eased six months after the loss: an assessment by a specialist is due (ICD-11 6B42)."""
    risk_flagged = "risk_flagged"
    phases_complete = "phases_complete"


# What is said of a bereaved person


class LossKind(StrEnum):
    illness = "illness"
    epidemic = "epidemic"
    suicide = "suicide"
    accident = "accident"
    disaster = "disaster"
    violence = "violence"
    other = "other"
    unknown = "unknown"


class Kinship(StrEnum):
    """Who the deceased was to the person."""

    spouse = "spouse"
    parent = "parent"
    child = "child"
    sibling = "sibling"
    grandparent = "grandparent"
    grandchild = "grandchild"
    other_relative = "other_relative"
    friend = "friend"
    colleague = "colleague"
    unknown = "unknown"


class Loss(BaseModel):
    """Whom the person lost, how and when; codes only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: LossKind
    kinship: Kinship
    on: date


class ProgrammeReport(Report):
    """What a contact told, beyond what a follow-up of a case asks."""

    prolonged_grief: Answer = Field(
        Answer.not_asked, description="Persistent longing or preoccupation that keeps the person from daily life."
    )
    needs_professional: Answer = Field(
        Answer.not_asked,
        description="The worker sees serious mental or behavioural trouble: a professional has to look.",
    )


# Policy

Days = Annotated[int, Field(ge=1, le=3660)]


def _days_ascend(days: tuple[int, ...]) -> tuple[int, ...]:
    if list(days) != sorted(set(days)):
        raise ValueError("the days must ascend")
    return days


class Phase(PolicyPart):
    """`days` from the anchor; with `every_days`, contacts go on at that distance until the programme ends."""

    name: Name
    label: Annotated[str, Field(min_length=1, max_length=32)]
    days: Annotated[tuple[Days, ...], Field(max_length=64), AfterValidator(_days_ascend)]
    every_days: Days | None = None
    source: Source


class ProgrammeRules(PolicyPart):
    phases: tuple[Phase, ...] = Field(min_length=1)
    first_within_hours: int = Field(ge=1, le=24 * 30)
    first_source: Source
    misses: int = Field(ge=1, le=10, description="So many contacts missed in a row, and contact counts as lost.")
    misses_source: Source
    screening_days: Days = Field(description="A screening older than this does not end a programme.")
    screening_source: Source
    grief_from_days: Days | None = None
    grief_source: Source | None = None
    grounds: tuple[Ground, ...]
    grounds_source: Source

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _days_ascend(tuple(day for phase in self.phases for day in phase.days))
        if any(phase.every_days for phase in self.phases[:-1]):
            raise ValueError("only the last phase can go on for ever")
        if (self.grief_from_days is None) != (self.grief_source is None):
            raise ValueError("grief_from_days and grief_source stand together")
        return self

    def moments(self, anchor: datetime, start: datetime) -> list[tuple[str, datetime]]:
        """Phase and moment of each contact to come, the first one soon after the start, whatever the phase."""
        soon = start + timedelta(hours=self.first_within_hours)
        planned = [(phase.name, anchor + timedelta(days=day)) for phase in self.phases for day in phase.days]
        later = [(name, moment) for name, moment in planned if moment > soon]
        begun = [name for name, moment in planned if moment <= soon]
        return [(begun[-1] if begun else self.phases[0].name, soon), *later]


def _each_programme(table: dict[Programme, ProgrammeRules]) -> dict[Programme, ProgrammeRules]:
    missing = [kind.value for kind in Programme if kind not in table]
    if missing:
        raise ValueError(f"nothing is said about {', '.join(missing)}")
    return table


class ProgrammesPolicy(Versioned):
    """One version of the programmes' policy, whole."""

    flag_from: Tier
    flag_source: Source
    attempts: Attempts
    programmes: Annotated[dict[Programme, ProgrammeRules], AfterValidator(_each_programme)]


# What a contact means


def asked(report: dict[str, Any]) -> bool:
    """Whether the person was asked about present danger and answered with a yes or a no."""
    questions = ("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks")
    return all(report[question] in (Answer.yes, Answer.no) for question in questions)


def positive(finding: Finding, from_: Tier) -> bool:
    """Whether answers, and not only missing ones, reach the tier from which a flag is raised."""
    said = [reason for reason in finding.evidence if not reason.startswith("unanswered:")]
    return bool(said) and finding.tier.rank >= from_.rank


def grief_is_prolonged(answer: Answer, loss_on: date | None, today: date, from_days: int | None) -> bool:
    """ICD-11 6B42 knows no prolonged grief before six months after the loss."""
    if answer is not Answer.yes or loss_on is None or from_days is None:
        return False
    return (today - loss_on).days >= from_days


@dataclass(frozen=True)
class Record:
    """What the record says, as far as a programme's end hangs on it."""

    contacts: tuple[Contact, ...]
    screening_days: int
    misses_wanted: int
    case_open: bool
    incident_closed: bool
    now: datetime


def lacks(ground: Ground, record: Record) -> str | None:
    """What is missing for this ground; nothing where it holds."""
    outcomes = {attempt["outcome"] for contact in record.contacts for attempt in contact["attempts"]}
    reports = [contact["report"] for contact in _ended(record.contacts) if contact.get("report")]
    match ground:
        case Ground.completed:
            return _lacks_completion(record)
        case Ground.wish:
            wished = Outcome.refused_to_talk in outcomes or (
                bool(reports) and reports[-1]["consent_to_further"] in (Answer.no, Answer.refused)
            )
            return None if wished else "the person has not said that no more contact is wanted"
        case Ground.followed_as_case:
            return None if record.case_open else "the person has no open case"
        case Ground.incident_closed:
            return None if record.incident_closed else "the incident is not closed"
        case Ground.lost_contact:
            row = len(follow_up.misses_in_a_row(record.contacts))
            enough = row >= record.misses_wanted
            return None if enough else f"{row} of {record.misses_wanted} contacts in a row were missed"
        case Ground.died:
            return None if Outcome.reported_dead in outcomes else "no attempt reports the person's death"
        case Ground.moved_away:
            return None if Outcome.moved_away in outcomes else "no attempt reports that the person has moved"


def _lacks_completion(record: Record) -> str | None:
    """The phases are over, and the last screening was asked in full, is fresh, and is not positive."""
    if any(follow_up.is_open(contact) and not contact.get("recurring") for contact in record.contacts):
        return "contacts of the phases are still to come"
    kept = [contact for contact in _ended(record.contacts) if contact.get("report")]
    if not kept:
        return "no contact was kept"
    last = kept[-1]
    if not asked(last["report"]):
        return "the last contact did not ask about present danger"
    if record.now - last["ended_at"] > timedelta(days=record.screening_days):
        return "the last screening is too old"
    if last["report"]["positive"]:
        return "the last screening is positive"
    return None


def _ended(contacts: tuple[Contact, ...]) -> list[Contact]:
    return sorted((one for one in contacts if "ended_at" in one), key=lambda one: (one["ended_at"], one["ordinal"]))

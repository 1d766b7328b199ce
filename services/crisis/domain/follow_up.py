"""The follow-up: its states, what the outcome of an attempt means, when a person may be called, and when it may end.

The same contact serves a case's plan and the programmes: only their policies differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from contracts.base import Answer, Rating, Tier
from contracts.base import Unanswered as NoRating
from services.crisis.domain.matters import Matter

LOCAL = ZoneInfo("Asia/Shanghai")
Contact = dict[str, Any]
"""One contact of a plan, as it is kept: state, due_at, window_until, attempts, and what it told."""


class State(StrEnum):
    """One contact. Who refused to talk was reached by our call, and did not let it happen: neither kept nor missed."""

    planned = "planned"
    due = "due"
    kept = "kept"
    missed = "missed"
    refused = "refused"
    void = "void"


NEXT: dict[State, frozenset[State]] = {
    State.planned: frozenset({State.due, State.void}),
    State.due: frozenset({State.kept, State.missed, State.refused, State.void}),
    State.kept: frozenset(),
    State.missed: frozenset(),
    State.refused: frozenset(),
    State.void: frozenset(),
}
OPEN = frozenset({State.planned, State.due})


def allows(present: State, following: State) -> bool:
    """Whether a contact may move so."""
    return following in NEXT[present]


def move(contact: Contact, following: State, at: datetime) -> None:
    """Enter a state; raises `ValueError` where no way leads there."""
    if not allows(State(contact["state"]), following):
        raise ValueError(f"a contact that is {contact['state']} cannot become {following}")
    contact["state"] = following.value
    if following not in OPEN:
        contact["ended_at"] = at


def is_open(contact: Contact) -> bool:
    return State(contact["state"]) in OPEN


# Attempts


class Outcome(StrEnum):
    """What came of one attempt."""

    reached = "reached"
    no_answer = "no_answer"
    phone_off = "phone_off"
    message_left = "message_left"
    number_not_in_use = "number_not_in_use"
    answered_by_another = "answered_by_another"
    """Nothing is told to whoever answered."""
    not_at_home = "not_at_home"
    asked_to_call_later = "asked_to_call_later"
    refused_to_talk = "refused_to_talk"
    moved_away = "moved_away"
    reported_dead = "reported_dead"


class AttemptChannel(StrEnum):
    call = "call"
    sms = "sms"
    chat = "chat"
    visit = "visit"
    walk_in = "walk_in"
    other = "other"


BY_PHONE = frozenset({AttemptChannel.call, AttemptChannel.sms})


@dataclass(frozen=True)
class Meaning:
    """`ends`: the state that the contact enters. `counts`: one of the attempts that policy asks for, if it is spaced.
    `asks`: the matter that a supervisor has to decide at once.
    """

    ends: State | None = None
    counts: bool = True
    asks: Matter | None = None


MEANING: dict[Outcome, Meaning] = {
    Outcome.reached: Meaning(ends=State.kept),
    Outcome.no_answer: Meaning(),
    Outcome.phone_off: Meaning(),
    Outcome.message_left: Meaning(),
    Outcome.number_not_in_use: Meaning(asks=Matter.contact_unusable),
    Outcome.answered_by_another: Meaning(),
    Outcome.not_at_home: Meaning(),
    # The person spoke, and named a time: that is no failed attempt.
    Outcome.asked_to_call_later: Meaning(counts=False),
    # An answer, not a silence: it ends this contact, and a supervisor decides how to go on.
    Outcome.refused_to_talk: Meaning(ends=State.refused, asks=Matter.follow_up_refused),
    # There is nobody to be reached here; whether it is true is a supervisor's question.
    Outcome.moved_away: Meaning(ends=State.void, asks=Matter.person_moved),
    Outcome.reported_dead: Meaning(ends=State.void, asks=Matter.reported_dead),
}


@dataclass(frozen=True)
class Hours:
    """The time of day, Asia/Shanghai, at which a person may be called: from (inclusive) until (exclusive)."""

    earliest: time
    latest: time

    def hold(self, moment: datetime) -> bool:
        return self.earliest <= moment.astimezone(LOCAL).time() < self.latest

    def following(self, moment: datetime) -> datetime:
        """The moment itself, or the next one at which a person may be called."""
        if self.hold(moment):
            return moment
        local = moment.astimezone(LOCAL)
        day = local.date() if local.time() < self.earliest else local.date() + timedelta(days=1)
        return datetime.combine(day, self.earliest, LOCAL).astimezone(moment.tzinfo)


@dataclass(frozen=True)
class Rules:
    """How one contact is tried; without `hours` every time of day counts."""

    most: int
    interval: timedelta
    window: timedelta
    hours: Hours | None
    lead: timedelta = timedelta(0)
    """So long before it is due an attempt may be made."""


def counted(contact: Contact) -> int:
    """The attempts that count so far."""
    return sum(attempt["counted"] for attempt in contact["attempts"])


def may_be_tried(contact: Contact, at: datetime, rules: Rules) -> bool:
    """Whether its time has come, or nearly: a contact months ahead is not kept today."""
    due_at: datetime = contact["due_at"]
    return at >= due_at - rules.lead


def attempts_left(contact: Contact, rules: Rules) -> int:
    return max(0, rules.most - counted(contact)) if is_open(contact) else 0


def next_attempt_from(contact: Contact, rules: Rules) -> datetime | None:
    """From when on the next attempt counts: three calls in two minutes are one."""
    told: list[datetime] = [attempt["at"] for attempt in contact["attempts"] if attempt["counted"]]
    if not told:
        return None
    moment = max(told) + rules.interval
    return rules.hours.following(moment) if rules.hours else moment


def fall_due(contact: Contact, at: datetime, rules: Rules) -> None:
    """It is due, by the clock or because somebody calls before; the whole window lies ahead, however late it is."""
    move(contact, State.due, at)
    contact["window_until"] = max(contact["due_at"], at) + rules.window


def try_once(
    contact: Contact, outcome: Outcome, channel: AttemptChannel, at: datetime, by: str, rules: Rules
) -> State | None:
    """Note an attempt on a contact that is due; the state that the contact has entered by it, if any.

    An attempt at night, or too soon after the last, is noted and does not count.
    """
    meaning = MEANING[outcome]
    start = next_attempt_from(contact, rules)
    spaced = (start is None or at >= start) and (rules.hours is None or rules.hours.hold(at))
    counts = meaning.ends is not None or (meaning.counts and spaced)
    attempt = {"at": at, "by": by, "outcome": outcome.value, "channel": channel.value, "counted": counts}
    contact["attempts"] = [*contact["attempts"], attempt]
    following = meaning.ends or (State.missed if counted(contact) >= rules.most else None)
    if following is not None:
        move(contact, following, at)
    return following


def misses_in_a_row(contacts: Sequence[Contact]) -> list[Contact]:
    """The latest contacts that ended, as far as none but missed ones stand there."""
    ended = [one for one in contacts if State(one["state"]) in (State.kept, State.missed, State.refused)]
    row: list[Contact] = []
    for one in sorted(ended, key=lambda one: (one["ended_at"], one["ordinal"]), reverse=True):
        if one["state"] != State.missed:
            break
        row.append(one)
    return row


# What the person wishes


class CallBack(StrEnum):
    allowed = "allowed"
    only_when_asked = "only_when_asked"
    """The telephone is shared, or being called is a danger: only once the person has asked for a call."""
    never = "never"


TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class Preferences(BaseModel):
    """How a person wants to be contacted; times are those of Asia/Shanghai."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    earliest: str | None = Field(None, pattern=TIME_OF_DAY, description="From, HH:MM; with `latest`.")
    latest: str | None = Field(None, pattern=TIME_OF_DAY, description="Until, HH:MM; with `earliest`.")
    call_back: CallBack = CallBack.allowed
    shared_phone: Answer = Answer.not_asked
    asked_for_call: bool = Field(False, description="The person has asked to be called.")

    @property
    def hours(self) -> Hours | None:
        if self.earliest is None or self.latest is None:
            return None
        return Hours(time.fromisoformat(self.earliest), time.fromisoformat(self.latest))

    @property
    def may_be_phoned(self) -> bool:
        """A shared telephone is called only when the person asked for it."""
        if self.call_back is CallBack.never:
            return False
        if self.call_back is CallBack.only_when_asked or self.shared_phone is Answer.yes:
            return self.asked_for_call
        return True


# What a contact tells


class Report(BaseModel):
    """What was asked and answered in a contact that was kept; not to be asked is an answer that shows.

    The steps are those of 988's follow-up: mood and risk, safety plan and means, treatment, consent to further contact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mood: Rating = Field(NoRating.not_asked, description="0, the worst, to 100.")
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    suicidal_intensity: Rating = NoRating.not_asked
    hopelessness: Rating = NoRating.not_asked
    stress_reaction: Answer = Answer.not_asked
    danger_to_others: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked
    safety_plan_reviewed: Answer = Answer.not_asked
    means_reviewed: Answer = Answer.not_asked
    in_treatment: Answer = Answer.not_asked
    consent_to_further: Answer = Answer.not_asked
    assessment_id: UUID | None = Field(None, description="The instrument that was taken in this contact, if any.")

    @property
    def risk(self) -> dict[str, Any]:
        """The answers that policy tiers, by the names of a flag's questions."""
        return {name: getattr(self, name) for name in RISK}


RISK = (
    "act_in_progress",
    "plan_within_72_hours",
    "attempt_within_2_weeks",
    "suicidal_intensity",
    "hopelessness",
    "stress_reaction",
    "danger_to_others",
    "suspected_harm_to_minor",
)


# The end


class Ground(StrEnum):
    """Why there are no more contacts from our side; each has to hold in the record."""

    in_treatment = "in_treatment"
    risk_reduced = "risk_reduced"
    declined = "declined"
    longest_reached = "longest_reached"
    lost_contact = "lost_contact"
    died = "died"
    moved_away = "moved_away"


@dataclass(frozen=True)
class Record:
    """What the record says, as far as the end of a follow-up hangs on it."""

    tier: Tier
    lowered: bool
    """The last change of the tier was a lowering, by two persons."""
    reduced_tiers: frozenset[Tier]
    referrals: frozenset[str]
    """The states of the case's referrals."""
    declined: bool
    age: timedelta
    longest: timedelta
    misses: int
    misses_wanted: int
    visited: bool
    """Somebody went there, within the missed contacts."""
    outcomes: frozenset[str]
    """The outcomes of all attempts."""
    handed_over: bool
    """An institution or a line at the new place has the person."""


ATTENDED = frozenset({"attended", "completed"})


def lacks(ground: Ground, record: Record) -> str | None:
    """What is missing in the record for this ground; nothing where it holds."""
    wanting: Mapping[Ground, tuple[bool, str]] = {
        Ground.in_treatment: (bool(record.referrals & ATTENDED), "no referral was attended or completed"),
        Ground.risk_reduced: (
            record.lowered and record.tier in record.reduced_tiers,
            f"the tier is {record.tier}, and two persons have not lowered it so far that this ground holds",
        ),
        Ground.declined: (record.declined, "the person has not said that no more contact is wanted"),
        Ground.longest_reached: (
            record.age >= record.longest,
            f"the case is {record.age.days} days old, and its tier's longest time is {record.longest.days}",
        ),
        Ground.lost_contact: (
            record.misses >= record.misses_wanted and record.visited,
            f"{record.misses} of {record.misses_wanted} contacts in a row were missed"
            + ("" if record.visited else ", and nobody went there"),
        ),
        Ground.died: (Outcome.reported_dead in record.outcomes, "no attempt reports the person's death"),
        Ground.moved_away: (
            Outcome.moved_away in record.outcomes and record.handed_over,
            "an attempt has to report the move, and a referral or transfer has to be accepted at the new place",
        ),
    }
    holds, missing = wanting[ground]
    return None if holds else missing

"""What is done to a programme, whether time or a person is the reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.clock import LOCAL, local_day, new_id
from chassis.tx import Document, Tx
from contracts.crisis import ProgrammeEnded
from services.crisis.domain import follow_up
from services.crisis.domain.follow_up import MEANING, AttemptChannel, Outcome
from services.crisis.domain.programmes import (
    Concern,
    Ground,
    Loss,
    Programme,
    ProgrammeRules,
    ProgrammesPolicy,
    State,
    allows,
)
from services.crisis.office import Office

HISTORY_LENGTH = 300
CONCERNS = {
    follow_up.State.missed: Concern.contact_missed,
    follow_up.State.refused: Concern.contact_refused,
}
BY_OUTCOME = {
    Outcome.number_not_in_use: Concern.contact_unusable,
    Outcome.moved_away: Concern.person_moved,
    Outcome.reported_dead: Concern.reported_dead,
}


def policy_of(programme: Document, office: Office) -> ProgrammesPolicy:
    """The version that the programme was begun under."""
    return office.programmes.of(programme["policy"])


def rules_of(programme: Document, office: Office) -> ProgrammeRules:
    return policy_of(programme, office).programmes[Programme(programme["kind"])]


def attempt_rules(programme: Document, office: Office, contact: Document | None = None) -> follow_up.Rules:
    """How a programme's contacts are tried; a time that a person has set is not moved."""
    set_by_hand = bool(contact and contact.get("added_by"))
    return policy_of(programme, office).attempts.rules(set_by_hand, wishes_of(programme).hours)


def wishes_of(programme: Document) -> follow_up.Preferences:
    return follow_up.Preferences.model_validate(programme["contact_preferences"] or {})


def anchor_of(loss: Loss | None, start: datetime) -> datetime:
    """From when the phases count: the day of the loss, at the time of day at which the programme began."""
    if loss is None:
        return start
    return datetime.combine(loss.on, start.astimezone(LOCAL).time(), LOCAL).astimezone(start.tzinfo)


def remark(programme: Document, tx: Tx, kind: str, by: str, **details: Any) -> None:
    """Add to the programme's history; only ids, codes and roles."""
    programme["history"] = [*programme["history"], {"at": tx.now, "kind": kind, "by": by, **details}][-HISTORY_LENGTH:]


def raise_concern(programme: Document, concern: Concern) -> None:
    if concern not in programme["concerns"]:
        programme["concerns"] = [*programme["concerns"], concern.value]


def add_contact(programme: Document, phase: str, due_at: datetime, **more: Any) -> Document:
    """One more contact of the programme."""
    contact: Document = {
        "id": new_id(),
        "ordinal": len(programme["contacts"]) + 1,
        "phase": phase,
        "due_at": due_at,
        "state": follow_up.State.planned.value,
        "attempts": [],
        **more,
    }
    programme["contacts"] = [*programme["contacts"], contact]
    return contact


def plan_phases(programme: Document, tx: Tx, office: Office) -> None:
    """The contacts that the kind's phases ask for, at times of day at which a person may be called."""
    hours = attempt_rules(programme, office).hours
    for phase, moment in rules_of(programme, office).moments(programme["anchor"], tx.now):
        add_contact(programme, phase, hours.following(moment) if hours else moment)


def void_contacts(programme: Document, tx: Tx) -> None:
    """Nothing more is to come."""
    for contact in programme["contacts"]:
        if follow_up.is_open(contact):
            follow_up.move(contact, follow_up.State.void, tx.now)


def keep_programme(programme: Document, tx: Tx) -> None:
    """Write it, with the state that follows from its contacts, and wake when something comes next.

    Nothing to come and nobody asked would be forgetting: then a person reviews it.
    """
    planned = [one["due_at"] for one in programme["contacts"] if one["state"] == follow_up.State.planned]
    windows = [one["window_until"] for one in programme["contacts"] if one["state"] == follow_up.State.due]
    programme["window_until"] = min(windows, default=None)
    if programme["state"] != State.ended:
        state = State.running if planned or windows else State.review
        if state is State.review and not programme["concerns"]:
            raise_concern(programme, Concern.phases_complete)
        if state != programme["state"]:
            enter(programme, tx, state)
    programme["next_at"] = min(planned + windows, default=programme["entered_at"])
    if planned or windows:
        tx.set_timer("programme", programme["_id"], min(planned + windows))
    else:
        tx.cancel_timer("programme", programme["_id"])
    tx.put("programmes", programme)


def enter(programme: Document, tx: Tx, state: State) -> None:
    """Move the programme; raises `ValueError` where no way leads there."""
    if not allows(State(programme["state"]), state):
        raise ValueError(f"a programme that is {programme['state']} cannot become {state}")
    programme.update(state=state.value, entered_at=tx.now)


def end_programme(programme: Document, ground: Ground, overridden: bool, by: str, tx: Tx) -> None:
    """No more contacts from our side."""
    void_contacts(programme, tx)
    enter(programme, tx, State.ended)
    programme["end"] = {"ground": ground.value, "overridden": overridden, "by": by, "at": tx.now}
    programme["concerns"] = []
    remark(programme, tx, "ended", by, ground=ground.value)
    keep_programme(programme, tx)
    tx.emit(
        ProgrammeEnded(
            **tx.stamp(programme["division"]),
            programme_id=programme["_id"],
            division=programme["division"],
            kind=programme["kind"],
            ground=ground.value,
        )
    )


def try_contact(
    programme: Document, contact: Document, said: Outcome, channel: AttemptChannel, by: str, tx: Tx, office: Office
) -> follow_up.State | None:
    """Note an attempt; the state that the contact entered by it, with what follows from it."""
    rules = attempt_rules(programme, office, contact)
    if contact["state"] == follow_up.State.planned:
        follow_up.fall_due(contact, tx.now, rules)
    entered = follow_up.try_once(contact, said, channel, tx.now, by, rules)
    remark(programme, tx, "attempted", by, contact_id=contact["id"], outcome=said.value)
    if said in BY_OUTCOME:
        raise_concern(programme, BY_OUTCOME[said])
    if MEANING[said].ends in (follow_up.State.refused, follow_up.State.void):
        void_contacts(programme, tx)  # nobody calls on before somebody of the office has looked
    if entered is not None:
        conclude(programme, contact, entered, tx, office)
    return entered


def conclude(programme: Document, contact: Document, entered: follow_up.State, tx: Tx, office: Office) -> None:
    """A contact has ended: who is missed shows, and where the phases recur the next contact is planned."""
    rules = rules_of(programme, office)
    if entered in CONCERNS:
        raise_concern(programme, CONCERNS[entered])
        remark(programme, tx, CONCERNS[entered].value, "policy", contact_id=contact["id"])
    if len(follow_up.misses_in_a_row(programme["contacts"])) >= rules.misses:
        raise_concern(programme, Concern.lost_contact)
    last = rules.phases[-1]
    nothing_open = not any(follow_up.is_open(one) for one in programme["contacts"])
    if last.every_days and nothing_open and entered in (follow_up.State.kept, follow_up.State.missed):
        moment = tx.now + timedelta(days=last.every_days)
        hours = attempt_rules(programme, office).hours
        add_contact(programme, last.name, hours.following(moment) if hours else moment, recurring=True)


async def programme_due(programme_id: UUID, tx: Tx, office: Office) -> None:
    """Contacts fall due, and those whose window passed without the person are missed."""
    programme = await tx.get("programmes", programme_id)
    if programme is None or programme["state"] == State.ended:
        return
    for contact in programme["contacts"]:
        if contact["state"] == follow_up.State.planned and contact["due_at"] <= tx.now:
            follow_up.fall_due(contact, tx.now, attempt_rules(programme, office, contact))
            remark(programme, tx, "contact_due", "policy", contact_id=contact["id"])
        if contact["state"] == follow_up.State.due and contact["window_until"] <= tx.now:
            follow_up.move(contact, follow_up.State.missed, tx.now)
            conclude(programme, contact, follow_up.State.missed, tx, office)
    keep_programme(programme, tx)


def days_since_loss(programme: Document, tx: Tx) -> int | None:
    """Whole days, Asia/Shanghai."""
    if programme["loss"] is None:
        return None
    return (local_day(tx.now) - Loss.model_validate(programme["loss"]).on).days

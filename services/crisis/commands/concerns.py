"""Raising a concern by hand, what becomes of it, and what is made of contacts that repeat or stay away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused, Unavailable
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel
from contracts.hotline import CheckInMissed, RiskFlagged, Setting, Way
from services.crisis import store
from services.crisis.commands.rights import OFFICERS, in_office, institution_of
from services.crisis.domain import concerns
from services.crisis.domain.codes import HELPERS, MarkKind
from services.crisis.domain.forms import Form, Wrong, as_flag, read_answers
from services.crisis.domain.persons import with_mark
from services.crisis.intake import raise_flag
from services.crisis.office import Office
from services.crisis.store.concerns import the_concern

GRID_WORKER = "grid_worker"
VILLAGE_DIGITS = 12


@dataclass(frozen=True)
class Told:
    """What a request says of a concern. `contact` and `reporter` are personal, and are sealed at once."""

    id: UUID
    way: Way
    channel: Channel
    division: str
    answers: dict[str, Any]
    form_version: str | None = None
    organisation_id: UUID | None = None
    grid: str | None = None
    contact: dict[str, str] = field(default_factory=dict)
    relation: str | None = None
    reporter: dict[str, str] = field(default_factory=dict)


async def raise_concern(told: Told, caller: Caller, tx: Tx, office: Office) -> Document:
    """Keep the concern and put its flag on the way, in one transaction. The same again has the same answer.

    Raises `Refused` with the field, `NotAllowed` where the role does not fill in this form or the id is another's.
    """
    role = concerns.acting_role(caller.roles, told.way)
    if role is None:
        raise NotAllowed(f"these roles do not fill in the form {told.way}", status=403, field="body.way")
    form = office.forms.of(told.way, told.form_version)
    if form is None:
        raise Refused("unknown_form", "there is no such version of this form", "body.form_version")
    answers = _answers(form, told)
    digest = _digest(told, caller, office)
    known = await tx.get("concerns", told.id)
    if known is not None:
        if known["digest"] != digest:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="body.id")
        return known
    await _refuse_place(told, caller, tx)
    grid = _grid(told, role, caller)
    setting = concerns.setting_of(role, told.way)
    school = await _organisation(told, role, setting, caller, tx)
    person = office.pseudonym(told.contact["phone"]) if told.contact.get("phone") else None
    said = as_flag(answers)
    if answers.get("withhold_from_class"):
        said["starts_at"] = "school-counsellor"
    elif told.way is Way.missed_check_in:
        said["starts_at"] = office.concerns.at(tx.now).check_in.starts_at if role in OFFICERS else None
    flag = raise_flag(
        tx,
        source=role.replace("_", "-"),
        way=told.way,
        channel=told.channel,
        division=told.division,
        contact=told.id,
        caller=person,
        setting=setting,
        organisation_id=school,
        sealed_contact=office.envelope.seal(told.contact) if told.contact else None,
        **said,
    )
    concern: Document = {
        "_id": told.id,
        "way": told.way.value,
        "form_version": form.version,
        "channel": told.channel.value,
        "division": told.division,
        "setting": setting.value,
        "organisation_id": school,
        "grid": grid,
        "answers": answers,
        "relation": told.relation,
        "raised_by": caller.subject,
        "role": role,
        "raised_at": tx.now,
        "anonymous": not told.contact,
        "flag_id": flag.id,
        "digest": digest,
        # Who tells it is another person than whom it is about: a key of its own.
        "sealed": await office.keys.seal(tx, told.id, told.reporter) if told.reporter else None,
    }
    tx.insert("concerns", concern)
    return concern


def _answers(form: Form, told: Told) -> dict[str, Any]:
    try:
        answers = read_answers(form, told.answers)
    except Wrong as error:
        place = f"body.answers.{error.place}" if error.place else "body.answers"
        raise Refused("invalid_answer", str(error), place) from error
    if told.way is Way.third_party and told.relation is None:
        raise Refused("missing", "a third party's call says who is meant: the relation", "body.about_another")
    return answers


def _digest(told: Told, caller: Caller, office: Office) -> str:
    """A keyed hash of who says what: it tells the same again from another, and gives nothing away."""
    said = [
        caller.subject,
        told.way,
        told.channel,
        told.division,
        told.form_version,
        str(told.organisation_id),
        told.answers,
        told.contact,
        told.relation,
        told.reporter,
        *([told.grid] if told.grid else []),
    ]
    return office.digest("concern " + json.dumps(said, sort_keys=True, ensure_ascii=False, default=str))


async def _refuse_place(told: Told, caller: Caller, tx: Tx) -> None:
    if not caller.sees(told.division):
        raise Refused("unknown_division", "this division lies outside the caller's", "body.division")
    if await tx.get("divisions", told.division) is None:
        if not await store.knows_divisions(tx):
            raise Unavailable("the registry's divisions have not arrived yet")
        raise Refused("unknown_division", f"there is no division {told.division}", "body.division")


def _grid(told: Told, role: str, caller: Caller) -> str | None:
    """The grid that it comes from: a grid worker's own, of the token's village; or the one that others name."""
    if role != GRID_WORKER:
        if told.grid is not None and not told.grid.startswith(told.division):
            raise Refused("unknown_grid", "this grid lies in another division", "body.grid")
        return told.grid
    if len(caller.division) != VILLAGE_DIGITS:
        raise NotAllowed("the token names no village", status=403, field="body.division")
    if caller.grid is not None and not caller.grid.startswith(caller.division):
        raise NotAllowed("the token's grid is of another village", status=403, field="body.grid")
    if told.grid not in (None, caller.grid):
        raise NotAllowed("the token is not this grid's", status=403, field="body.grid")
    return caller.grid


async def _organisation(told: Told, role: str, setting: Setting, caller: Caller, tx: Tx) -> UUID | None:
    """The school, station or care point that it comes from: the token's own, or the one that an officer names."""
    place = "body.organisation_id"
    own = institution_of(caller)
    if role not in OFFICERS:
        if told.organisation_id is not None and told.organisation_id != own:
            raise NotAllowed("the token is not this organisation's", status=403, field=place)
        if own is None and setting is Setting.school:
            raise NotAllowed("the token names no school", status=403, field=place)
        return own
    if told.organisation_id is None:
        if setting is Setting.school:
            raise Refused("missing", "a school's warning names the school", place)
        return None
    known = await tx.get("organisations", told.organisation_id)
    if known is None or (setting is Setting.school and known["kind"] not in ("school", "university")):
        raise Refused("unknown_organisation", "the registry knows no such school, station or care point", place)
    return told.organisation_id


async def read_reporter(concern_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """Who told it, for an officer who has to ask again; the reading is in the audit log."""
    concern = await the_concern(tx, concern_id)
    if not _of_office(concern, caller):
        raise NotFound("there is no such concern")
    tx.record(
        actor=caller.subject,
        action="reporter_read",
        subject=str(concern_id),
        division=concern["division"],
        reason=reason,
    )
    observe.PERSONAL_READS.labels("concerns").inc()
    if concern["sealed"] is None:
        return {"_id": concern_id, "reporter": None}
    try:
        return {"_id": concern_id, "reporter": await office.keys.open(tx, concern_id, concern["sealed"])}
    except Unreadable:
        return {"_id": concern_id, "reporter": None}


def shown(concern: Document, case: Document | None, caller: Caller) -> Document:
    """An officer of the division sees the concern and its case's id; who raised it sees what became of it.

    Raises `NotFound` for everybody else.
    """
    if _of_office(concern, caller) and (case is None or in_office(case, caller)):
        whole = {name: value for name, value in concern.items() if name not in ("sealed", "digest")}
        return whole | {
            "became": concerns.became(concern["raised_by"], case, concern["role"]),
            "case_id": case["_id"] if case else None,
            "reporter": "sealed" if concern["sealed"] else None,
        }
    if concern["raised_by"] != caller.subject:
        raise NotFound("there is no such concern")
    return {
        "_id": concern["_id"],
        "way": concern["way"],
        "division": concern["division"],
        "raised_at": concern["raised_at"],
        "became": concerns.became(concern["raised_by"], case, concern["role"]),
    }


def shown_all(found: Iterable[Document], cases: dict[UUID, Document], caller: Caller) -> list[Document]:
    """A list of them; what the caller may not see is not in it."""
    rows = []
    for concern in found:
        try:
            rows.append(shown(concern, cases.get(concern["flag_id"]), caller))
        except NotFound:
            continue
    return rows


def _of_office(concern: Document, caller: Caller) -> bool:
    return bool(caller.roles.intersection(OFFICERS)) and caller.sees(concern["division"])


# What flags make of it


def is_helper_in_need(flag: RiskFlagged) -> bool:
    """A marked stress reaction of somebody who helps others: 要进行针对性的个体心理治疗."""
    return flag.stress_reaction is Answer.yes and flag.care_group in {group.value for group in HELPERS}


async def mark_repeated(case: Document, flag: RiskFlagged, tx: Tx, office: Office) -> None:
    """Mark a person who calls again and again, for a time. It tells whoever meets the person next, and lowers nothing.

    Contacts are counted over the flags of the present case and the openings of those before.
    """
    policy = office.concerns.at(tx.now).repeated
    contacts = {(row["hotline"], row["contact"]): row["flagged_at"] for row in case["flags"]}
    number = concerns.contacts_within(contacts.values(), tx.now, policy.window_hours)
    if number < 2 and flag.way is not Way.repeated_contact and case["opened_at"] != tx.now:
        return
    person = await tx.get("persons", flag.caller)
    if person is None:
        return
    before = [moment for moment in person.get("recent", ()) if moment < case["opened_at"]]
    number += concerns.contacts_within(before, tx.now, policy.window_hours)
    if number < policy.contacts and flag.way is not Way.repeated_contact:
        return
    mark = {
        "id": new_id(),
        "kind": MarkKind.repeated_caller.value,
        "hours": policy.mark_hours,
        "by": "policy",
        "at": tx.now,
        "until": tx.now + timedelta(hours=policy.mark_hours),
        "reason": f"{number} contacts in {policy.window_hours} h",
        "ended_at": None,
        "ended_by": None,
    }
    tx.put("persons", {**person, "marks": with_mark(person.get("marks", []), mark, tx.now)})


# Missed greetings


async def read_check_ins(events: Sequence[CheckInMissed], tx: Tx) -> None:
    """Everything that a group of misses will look up, at once."""
    await tx.load("divisions", {event.place for event in events})
    await tx.load("check_ins", [_absence_key(event) for event in events])


async def take_check_in(event: CheckInMissed, tx: Tx, office: Office) -> None:
    """Count the misses of an absence; from the policy's number on it becomes a concern, once."""
    tolerance = timedelta(seconds=office.policies.at(tx.now).intake.future_tolerance_seconds)
    if event.occurred_at > tx.now + tolerance:
        raise Refused("time_in_future", "ce-time lies in the future", "ce-time")
    if await tx.get("divisions", event.place) is None:
        if not await store.knows_divisions(tx):
            raise Unavailable("the registry's divisions have not arrived yet")
        field = "division" if event.division else "county"
        raise Refused("unknown_division", f"there is no division {event.place}", field)
    key = _absence_key(event)
    absence = concerns.count_missed(await tx.get("check_ins", key), event)
    if absence is None:
        return
    policy = office.concerns.at(tx.now).check_in
    if absence["raised"] is None and sum(absence["missed"].values()) >= policy.missed:
        flag = raise_flag(
            tx,
            source=event.hotline,
            way=Way.missed_check_in,
            channel=Channel.other,
            division=event.place,
            contact=new_id(),
            caller=event.person,
            setting=Setting.community,
            organisation_id=event.organisation_id,
            starts_at=policy.starts_at,
            age_band=event.age_band,
            sex=event.sex,
            sealed_contact=event.sealed_contact,
        )
        absence["raised"] = flag.id
    tx.put("check_ins", {**absence, "_id": key, "division": event.place})


def _absence_key(event: CheckInMissed) -> str:
    return f"{event.hotline}:{event.person}"

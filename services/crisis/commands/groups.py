"""A town's group (基层综合管理小组): its members by department, and the log of its meetings."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.clock import local_day, new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.incidents_said import check_same, known_division, same_again
from services.crisis.domain.groups import TOWN_DIGITS, changes, missing_departments, mistake, sat_on, seat
from services.crisis.office import Office
from services.crisis.store.groups import memberships_of, the_group


async def set_group(
    division: str, members: list[dict[str, Any]], revision: int, caller: Caller, tx: Tx, office: Office
) -> Document:
    """The group as it shall be from now on; who leaves stays in its history. The same revision again changes nothing.

    Raises `Refused` with the field, `NotAllowed` for another revision than the next.
    """
    if not caller.sees(division):
        raise NotFound("there is no such division")
    if len(division) != TOWN_DIGITS:
        raise Refused("no_town", "a group is a town's: nine digits", "path.division")
    await known_division(tx, division, "path.division")
    policy = office.ledger.at(tx.now)
    wrong = mistake(members, policy.groups.departments)
    if wrong is not None:
        raise Refused("members", wrong[1], f"body.{wrong[0]}")
    group = await tx.get("town_groups", division) or {"_id": division, "revision": 0, "members": []}
    if group["revision"] == revision and list(map(seat, group["members"])) == list(map(seat, members)):
        return group
    if revision != group["revision"] + 1:
        raise NotAllowed(f"the group is at revision {group['revision']}", reason="revision", field="body.revision")
    left, joined = changes(map(seat, group["members"]), map(seat, members))
    today = local_day(tx.now).isoformat()
    for one in await memberships_of(tx, division):
        if one["until"] is None and seat(one) in left:
            tx.put("group_memberships", {**one, "until": today, "ended_by": caller.subject})
    for subject, department, role in sorted(joined):
        tx.insert(
            "group_memberships",
            {
                "_id": new_id(),
                "division": division,
                "subject": subject,
                "department": department,
                "role": role,
                "since": today,
                "until": None,
                "by": caller.subject,
                "ended_by": None,
            },
        )
    group.update(
        members=members,
        revision=revision,
        missing_departments=missing_departments(members, policy.groups.required),
        policy=policy.version,
        by=caller.subject,
        at=tx.now,
    )
    tx.put("town_groups", group)
    tx.record(
        actor=caller.subject,
        action="town_group_set",
        subject=division,
        division=division,
        reason="members",
        revision=revision,
        joined=len(joined),
        left=len(left),
    )
    return group


async def log_meeting(
    division: str,
    meeting_id: UUID,
    caller: Caller,
    tx: Tx,
    office: Office,
    *,
    on: date,
    attendance: list[str],
    decisions: list[str],
    text: str | None,
) -> Document:
    """A meeting of the group; who was there has to be a member on that day. What was said is sealed.

    Raises `Refused` with the field. The same again is one meeting.
    """
    if not caller.sees(division):
        raise NotFound("the town has no group")
    await the_group(tx, division)
    digest = same_again(office, division, on, attendance, decisions, text)
    known = await tx.get("group_meetings", meeting_id)
    if known is not None:
        return check_same(known, digest)
    if on > local_day(tx.now):
        raise Refused("day_in_future", "the meeting has not taken place yet", "body.on")
    codes = office.ledger.at(tx.now).groups.decisions
    for number, code in enumerate(decisions):
        if code not in codes:
            raise Refused("unknown_decision", "there is no such decision", f"body.decisions.{number}")
    sat = sat_on(await memberships_of(tx, division), on)
    for number, subject in enumerate(attendance):
        if subject not in sat:
            raise Refused("no_member", "not a member on that day", f"body.attendance.{number}")
    meeting: Document = {
        "_id": meeting_id,
        "division": division,
        "on": on.isoformat(),
        "attendance": attendance,
        "decisions": decisions,
        "digest": digest,
        "by": caller.subject,
        "at": tx.now,
        "sealed": await office.keys.seal(tx, meeting_id, {"text": text}) if text else None,
    }
    tx.insert("group_meetings", meeting)
    return meeting


async def read_meeting(
    division: str, meeting_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """The meeting with what was said; the reading is logged."""
    meeting = await tx.get("group_meetings", meeting_id)
    if meeting is None or meeting["division"] != division or not caller.sees(division):
        raise NotFound("there is no such meeting")
    said = await office.keys.open(tx, meeting_id, meeting["sealed"]) if meeting["sealed"] else {}
    tx.record(
        actor=caller.subject, action="group_meeting_read", subject=str(meeting_id), division=division, reason=reason
    )
    observe.PERSONAL_READS.labels("group_meeting").inc()
    return {**shown(meeting), "text": said.get("text")}


def shown(meeting: Document) -> Document:
    """A meeting as a list shows it: whether something is sealed, and nothing of it."""
    told = {name: value for name, value in meeting.items() if name not in ("sealed", "digest")}
    return {**told, "has_text": meeting["sealed"] is not None}

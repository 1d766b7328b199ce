"""Terms of members, loans of people and teams, and the visits of experts to schools."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import HelpLent, SchoolVisited
from services.registry import store
from services.registry.commands import gate
from services.registry.commands.children_keepers import check_keeper, grants, note_keepers
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation
from services.registry.commands.places_people import known_person
from services.registry.commands.teams import organisation_anywhere, save
from services.registry.domain.gate import REASONS
from services.registry.domain.teams import clashing, flaw_in_loan, flaw_in_member, on_day, overlap
from services.registry.domain.teams_status import State as Status
from services.registry.domain.teams_visits_status import State as Visit
from services.registry.domain.teams_visits_status import allows as visit_allows
from services.registry.policy import Policies
from services.registry.store import teams as kept

EXPERT = "expert"
"""The role of the gate by which experts go to schools."""
TERMS = 5_000
"""Terms of one team, those that ended included."""


async def set_term(
    tx: Tx, team: Document, ident: uuid.UUID, told: dict[str, Any], policies: Policies, *, by: str, inside: str
) -> Document:
    """A term of a member, whole; written again it is replaced, and the same again changes nothing.

    Who keeps the database of children in difficulty is asked for what the gate says; who let them in is in the log.
    """
    if team["status"] == Status.dissolved:
        raise NotAllowed("队伍已解散")
    if flaw := flaw_in_member(told, team):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    others = [one for one in team["members"] if one["id"] != ident]
    known = next((one for one in team["members"] if one["id"] == ident), None)
    if known is not None and known == {"id": ident, **told}:
        return team
    # Whoever left the register may still have a term ended, and nothing else.
    if known is None or (known["person_id"], known["organisation_id"]) != (told["person_id"], told["organisation_id"]):
        told = await _known_member(tx, team, told, inside)
    if grants(known, told):
        await check_keeper(tx, told["person_id"], policies)
    term = {"id": ident, **told}
    if len(others) >= TERMS:
        raise NotAllowed(f"一支队伍最多登记 {TERMS} 个任期")
    if clashing(term, others) is not None:
        raise NotAllowed("该成员在这段时间里已是这支队伍的成员", reason="member_twice", field="since")
    members = sorted([*others, term], key=lambda one: (one["since"], str(one["id"])))
    note_keepers(tx, team, members, "term", by)
    return save(tx, team, {**team, "members": members})


async def _known_member(tx: Tx, team: Document, told: dict[str, Any], inside: str) -> dict[str, Any]:
    if told["person_id"] is not None:
        # A lent person belongs elsewhere, and only the caller's reach bounds who may be put in.
        person = await known_person(tx, told["person_id"], inside)
        return {**told, "person_id": person["_id"]}
    await organisation_anywhere(tx, told["organisation_id"], "organisation_id")
    return told


def drop_term(tx: Tx, team: Document, ident: uuid.UUID, by: str) -> Document:
    """A term that was entered by mistake goes; one that is over gets its last day instead."""
    members = [one for one in team["members"] if one["id"] != ident]
    if len(members) == len(team["members"]):
        raise NotFound("there is no such term")
    note_keepers(tx, team, members, "dropped", by)
    return save(tx, team, {**team, "members": members})


async def lend(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, by: str, inside: str
) -> Document:
    """A person or a team is lent for a time; loans of the same one do not overlap."""
    await known_division(tx, told["division"])
    entries = await store.entries_of(tx, told["subject_id"]) if told["subject"] == "person" else [told["subject_id"]]
    if before is not None:
        if before["subject"] != told["subject"] or before["subject_id"] not in entries:
            raise NotAllowed("这个编号已用于另一项借用")
        told["subject_id"] = before["subject_id"]
    origin = await _origin(tx, told, before, inside)
    if flaw := flaw_in_loan(told, origin):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    if not told["cancelled"]:
        for other in [one for entry in entries for one in await kept.loans_of(tx, entry)]:
            if other["_id"] != ident and overlap(told["since"], told["until"], other["since"], other["until"]):
                raise NotAllowed("这段时间里已被借用", reason="lent_twice", field="since")
    document = {"_id": ident, "origin": origin, "by": by, **told}
    if before is not None and all(before[name] == value for name, value in document.items() if name != "by"):
        return before
    kept.touch_subject(tx, entries[0])
    document["revision"] = 1 if before is None else before["revision"] + 1
    tx.put("loans", document)
    tx.emit(
        HelpLent(
            **tx.stamp(told["division"]),
            loan_id=ident,
            revision=document["revision"],
            lent=told["subject"],
            lent_id=told["subject_id"],
            kind=told["kind"],
            origin=origin,
            division=told["division"],
            since=date.fromisoformat(told["since"]),
            until=date.fromisoformat(told["until"]),
            cancelled=told["cancelled"],
        )
    )
    return document


async def _origin(tx: Tx, told: dict[str, Any], before: Document | None, inside: str) -> str:
    """The division that the lent one comes from; it stays what it was when the loan was made."""
    if before is not None:
        return str(before["origin"])
    if told["subject"] == "person":
        person = await known_person(tx, told["subject_id"], inside, "subject_id")
        told["subject_id"] = person["_id"]
        if told["origin_id"] is None:
            return str(person["division"])
        # Who works for the city may live in a town: what counts is the unit that lends.
        return str((await known_organisation(tx, told["origin_id"], inside, "origin_id"))["division"])
    team = await kept.document(tx, "teams", told["subject_id"])
    if team is None or not team["division"].startswith(inside) or team["status"] != Status.active:
        raise Refused("unknown_team", "没有这支队伍，或不在运行中", "subject_id")
    return str(team["division"])


async def plan_visit(
    tx: Tx,
    pool: Document,
    ident: uuid.UUID,
    told: dict[str, Any],
    before: Document | None,
    policies: Policies,
    *,
    by: str,
    inside: str,
) -> Document:
    """A visit of an expert of a pool to a school; it is planned first, and done on its day or later.

    Nobody goes who left, or to whom the gate says no; a visit is called off whatever became of the expert.
    """
    if pool["type"] != "school_expert_pool":
        raise NotAllowed("只有进校园专家库才有进校计划")
    to = Visit(told["state"])
    if before is not None and before["team_id"] != pool["_id"]:
        raise NotAllowed("这个编号已用于另一次活动")
    entries = await store.entries_of(tx, told["person_id"])
    present = Visit(before["state"]) if before is not None else None
    if before is not None:
        if to is Visit.cancelled:
            told = {**{name: before[name] for name in told}, "state": told["state"]}
        same_person = before["person_id"] in entries
        if all(before[name] == value or (name == "person_id" and same_person) for name, value in told.items()):
            return before
    if present in (None, to) and to is not Visit.planned:
        raise NotAllowed("活动须先列入计划" if present is None else "活动已结束，不能改动")
    if present is not None and present is not to and not visit_allows(present, to):
        raise NotAllowed(f"活动现为 {present.value}，不能变为 {to.value}")
    if to is Visit.done and told["day"] > local_day(tx.now).isoformat():
        raise NotAllowed("活动日期未到", field="day")
    division = before["division"] if before is not None else ""
    if to is not Visit.cancelled:
        division = await _school(tx, told["organisation_id"], inside)
        told["person_id"] = await _expert(tx, pool, told, entries, policies)
    entry = {"state": to.value, "by": by, "at": tx.now}
    log = before["log"] if before else []
    document: Document = {"_id": ident, "team_id": pool["_id"], "division": division, **told}
    document |= {"revision": before["revision"] + 1 if before else 1, "log": [*log, entry]}
    tx.put("team_visits", document)
    tx.emit(
        SchoolVisited(
            **tx.stamp(division),
            visit_id=ident,
            revision=document["revision"],
            team_id=pool["_id"],
            organisation_id=told["organisation_id"],
            division=division,
            day=date.fromisoformat(told["day"]),
            state=to.value,
        )
    )
    return document


async def _school(tx: Tx, ident: uuid.UUID, inside: str) -> str:
    """The division of the school that is visited."""
    school = await known_organisation(tx, ident, inside)
    if school["kind"] not in ("school", "university"):
        raise Refused("no_school", "进校园活动须在学校", "organisation_id")
    return str(school["division"])


async def _expert(
    tx: Tx, pool: Document, told: dict[str, Any], entries: Sequence[uuid.UUID], policies: Policies
) -> uuid.UUID:
    """Who goes: in the pool on that day, still registered, and let through by the gate as an expert is."""
    if pool["status"] != Status.active:
        raise NotAllowed("专家库不在运行中，不能安排进校园", reason="team_not_active")
    if not any(term["person_id"] in entries for term in on_day(pool["members"], told["day"])):
        raise Refused("no_member", "该人员当天不在专家库中", "person_id")
    # The pool may be of a level above, and so may its experts: whose pool the caller sees was asked before.
    person = await known_person(tx, entries[0], "")
    asked = gate.Asked(date.fromisoformat(told["day"]), role=EXPERT)
    if reasons := (await gate.may(tx, person, asked, policies)).reasons:
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(f"不能安排进校园：{words}", reason=reasons[0].code, field="person_id")
    found: uuid.UUID = person["_id"]
    return found

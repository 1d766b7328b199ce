"""Plans of activities: written by the unit, agreed to by its content supervisor, and held."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import ActivityPlanMoved
from services.registry import store
from services.registry.commands.places_people import known_person
from services.registry.domain.activity_plans import (
    EDITABLE,
    LABELS,
    State,
    allows,
    flaw_in_holding,
    flaw_in_plan,
    names,
    supervisions_of,
)
from services.registry.domain.activity_plans_policy import SIGNS_OFF, ActivityPlansPolicy
from services.registry.domain.relations import Flaw
from services.registry.domain.service_records import Span
from services.registry.domain.teams_status import State as Team
from services.registry.store import activity_plans as kept
from services.registry.store import places as kept_places
from services.registry.store import teams as kept_teams

RECORDS = 500
"""Records of service of one activity; who has more plans it in parts."""
AUTHORS = 100
STEPS = 200


async def write_plan(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, caller: Caller, policy: ActivityPlansPolicy
) -> Document:
    """A plan as it shall be, whole; the same again changes nothing. What is with the supervisor is withdrawn first."""
    if before is not None and before["organisation_id"] != told["organisation_id"]:
        raise NotAllowed("这个编号已用于另一单位的计划", field="organisation_id")
    organisation = await _own_unit(tx, told["organisation_id"], caller)
    known = before["leader_id"] if before else None
    told = {**told, "leader_id": await store.same_id(tx, told["leader_id"], known)}
    if before is not None and all(before.get(name) == value for name, value in told.items()):
        return before
    if before is not None and before["state"] not in EDITABLE:
        raise NotAllowed(f"计划现为{LABELS[State(before['state'])]}，先撤回再改动", reason="not_editable")
    _refuse(flaw_in_plan(told, organisation["kind"], policy.plans))
    await _refuse_team(tx, told, caller)
    if told["place_id"] is not None:
        place = await kept_places.place(tx, told["place_id"])
        if place is None or not caller.sees(place["division"]):
            raise Refused("unknown_place", "没有这个场所", "place_id")
    if before is None or told["leader_id"] != before["leader_id"]:
        told = {
            **told,
            "leader_id": (await known_person(tx, told["leader_id"], caller.division[:6], "leader_id"))["_id"],
        }
    base = before or {
        "_id": ident,
        "revision": 0,
        "state": State.drafted.value,
        "log": [_entry(tx, State.drafted, caller)],
        "authors": [],
        "signed": None,
        "held": None,
    }
    return _write(tx, {**base, **told, **_unit(organisation), "authors": _with_author(base, caller)})


async def submit(tx: Tx, plan: Document, caller: Caller) -> Document:
    """To the content supervisor, who has to be named; submitting again changes nothing."""
    organisation = await _own_unit(tx, plan["organisation_id"], caller)
    if plan["state"] == State.submitted:
        return plan
    _step(plan, State.submitted)
    if plan["starts_at"] <= tx.now:
        raise NotAllowed("计划的时间已过，请先改期", reason="too_late", field="starts_at")
    if not await supervisors_of(tx, organisation):
        raise NotAllowed(
            "本单位还没有登记内容指导人，请先登记指导关系", reason="no_supervisor", field="organisation_id"
        )
    return _move(tx, {**plan, **_unit(organisation), "authors": _with_author(plan, caller)}, State.submitted, caller)


async def withdraw(tx: Tx, plan: Document, caller: Caller) -> Document:
    """The unit takes its plan back to change it; what was agreed to holds no more."""
    await _own_unit(tx, plan["organisation_id"], caller)
    if plan["state"] == State.drafted:
        return plan
    _step(plan, State.drafted)
    return _move(tx, {**plan, "signed": None}, State.drafted, caller)


async def cancel(tx: Tx, plan: Document, reason: str, caller: Caller) -> Document:
    """The activity does not take place."""
    await _own_unit(tx, plan["organisation_id"], caller)
    if plan["state"] == State.cancelled:
        return plan
    _step(plan, State.cancelled)
    return _move(tx, plan, State.cancelled, caller, reason)


async def give_back(tx: Tx, plan: Document, reason: str, caller: Caller) -> Document:
    """The supervisor wants it otherwise, and says why."""
    relation = await _naming(tx, plan, caller)
    if plan["state"] == State.returned and plan["log"][-1]["by"] == caller.subject:
        return plan
    _step(plan, State.returned)
    _record(tx, plan, caller, "activity_plan.returned", reason, relation)
    return _move(tx, plan, State.returned, caller, reason)


async def sign_off(tx: Tx, plan: Document, revision: int, caller: Caller) -> Document:
    """The supervisor agrees to form and content of the very plan that was read, and of no later one."""
    relation = await _naming(tx, plan, caller)
    if plan["state"] == State.signed_off and plan["signed"]["by"] == caller.subject:
        return plan
    _step(plan, State.signed_off)
    if plan["revision"] != revision:
        raise NotAllowed("计划在阅后已有改动，请重新审阅", reason="changed", field="revision")
    if plan["starts_at"] <= tx.now:
        raise NotAllowed("计划的时间已过，不能补签；请退回改期", reason="too_late", field="starts_at")
    signed = {
        "by": caller.subject,
        "at": tx.now,
        "relation_id": relation["_id"],
        "supervisor": relation["supervisor"],
    }
    _record(tx, plan, caller, "activity_plan.signed_off", "form and content", relation)
    return _move(tx, {**plan, "signed": signed}, State.signed_off, caller)


async def hold(
    tx: Tx,
    plan: Document,
    starts_at: datetime,
    ends_at: datetime,
    participants: int,
    record_ids: Sequence[uuid.UUID],
    caller: Caller,
    policy: ActivityPlansPolicy,
) -> Document:
    """What was held, with its records of service; the same again changes nothing, and more records are added."""
    await _own_unit(tx, plan["organisation_id"], caller)
    told = {"starts_at": starts_at, "ends_at": ends_at, "participants": participants}
    if plan["state"] == State.held:
        if any(plan["held"][name] != value for name, value in told.items()):
            raise NotAllowed("这次活动已登记开展情况，不再改写")
        return await _link(tx, plan, record_ids, caller)
    if plan["signed"] is None:
        raise NotAllowed("未经内容指导签批的活动不能登记为已开展", reason="not_signed_off")
    _step(plan, State.held)
    _refuse(flaw_in_holding(plan, starts_at, ends_at, tx.now, policy.plans))
    plan = {**plan, "held": {**told, "by": caller.subject, "at": tx.now}}
    linked = await _with_records(tx, plan, record_ids, caller)
    return _move(tx, linked, State.held, caller)


async def link_record(tx: Tx, plan: Document, ident: uuid.UUID, caller: Caller) -> Document:
    """A record of service that was written down after the activity had been."""
    await _own_unit(tx, plan["organisation_id"], caller)
    if plan["state"] != State.held:
        raise NotAllowed("活动登记开展后才能关联服务记录")
    return await _link(tx, plan, [ident], caller)


async def supervisors_of(tx: Tx, organisation: Document) -> list[Document]:
    """The relations in force by which somebody answers for this unit's activities."""
    relations = await kept.relations_over(tx, organisation, SIGNS_OFF)
    in_force = supervisions_of(organisation, relations, local_day(tx.now).isoformat())
    return [one for one in in_force if await in_office(tx, one)]


async def in_office(tx: Tx, relation: Document) -> bool:
    """Whether the person whom a relation names still works, if it names one."""
    return relation["person_id"] is None or await kept_places.working(tx, relation["person_id"]) is not None


async def supervises(tx: Tx, plan: Document, caller: Caller) -> Document | None:
    """The relation by which the caller answers for a plan's form and content; None where there is none."""
    organisation = await store.organisation(tx, plan["organisation_id"])
    if organisation is None:
        return None
    entries = await store.entries_of_subject(tx, caller.subject)
    return next(
        (one for one in await supervisors_of(tx, organisation) if names(one, caller.organisation, entries)), None
    )


async def _naming(tx: Tx, plan: Document, caller: Caller) -> Document:
    relation = await supervises(tx, plan, caller)
    if relation is None:
        raise NotAllowed("不是指导关系所指的内容指导人", status=403, reason="not_the_supervisor")
    if caller.subject in plan["authors"] or plan["leader_id"] in await store.entries_of_subject(tx, caller.subject):
        raise NotAllowed("不能签批自己的计划", status=403, reason="own_plan")
    return relation


async def _own_unit(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    """The unit, which has to be the token's own where the token names one."""
    found = await store.organisation(tx, ident)
    if found is None or not found["active"] or not caller.sees(found["division"]):
        raise Refused("unknown_organisation", "没有这个机构，或已停用", "organisation_id")
    if caller.organisation is not None and caller.organisation != str(ident):
        raise NotAllowed("只能编报本单位的活动计划", status=403, field="organisation_id")
    return found


async def _refuse_team(tx: Tx, told: dict[str, Any], caller: Caller) -> None:
    if told["team_id"] is None:
        return
    team = await kept_teams.document(tx, "teams", told["team_id"])
    if team is None or team["status"] == Team.dissolved or not caller.sees(team["division"]):
        raise Refused("unknown_team", "没有这支队伍，或已解散", "team_id")
    if team["organisation_id"] not in (None, told["organisation_id"]):
        raise Refused("another_units", "这支队伍属于另一单位", "team_id")


async def _link(tx: Tx, plan: Document, idents: Sequence[uuid.UUID], caller: Caller) -> Document:
    linked = await _with_records(tx, plan, idents, caller)
    return plan if linked.get("record_ids") == plan.get("record_ids") else _write(tx, linked)


async def _with_records(tx: Tx, plan: Document, idents: Sequence[uuid.UUID], caller: Caller) -> Document:
    """The plan with these records as well: of the same unit, that count, and of the time of the activity."""
    present = plan.get("record_ids", [])
    new = [ident for ident in dict.fromkeys(idents) if ident not in present]
    if not new:
        return plan
    if len(present) + len(new) > RECORDS:
        raise NotAllowed(f"一次活动最多关联 {RECORDS} 条服务记录", field="record_ids")
    found = {row["_id"]: row for row in await kept.records(tx, new)}
    span = Span(plan["held"]["starts_at"], plan["held"]["ends_at"])
    for ident in new:
        row = found.get(ident)
        if row is None or not caller.sees(row["division"]):
            raise Refused("unknown_record", f"没有这条服务记录：{ident}", "record_ids")
        if row["organisation_id"] != plan["organisation_id"]:
            raise Refused("another_units", f"这条服务记录属于另一单位：{ident}", "record_ids")
        if row["state"] != "counted":
            raise Refused("not_counted", f"这条服务记录已更正或撤销：{ident}", "record_ids")
        if not span.touches(Span(row["starts_at"], row["ends_at"])):
            raise Refused("another_time", f"这条服务记录不在活动时间之内：{ident}", "record_ids")
    return {**plan, "record_ids": [*present, *new]}


def _unit(organisation: Document) -> Document:
    code = organisation["division"]
    return {"division": code, "organisation_kind": organisation["kind"], "organisation_division": code}


def _with_author(plan: Document, caller: Caller) -> list[str]:
    authors = list(dict.fromkeys([*plan["authors"], caller.subject]))
    if len(authors) > AUTHORS:
        raise NotAllowed(f"一份计划最多由 {AUTHORS} 人编写")
    return authors


def _step(plan: Document, to: State) -> None:
    present = State(plan["state"])
    if not allows(present, to):
        raise NotAllowed(f"计划现为{LABELS[present]}，不能变为{LABELS[to]}")


def _entry(tx: Tx, state: State, caller: Caller, reason: str = "") -> Document:
    return {"state": state.value, "by": caller.subject, "at": tx.now, "reason": reason}


def _move(tx: Tx, plan: Document, to: State, caller: Caller, reason: str = "") -> Document:
    # The oldest steps of a plan that went to and fro very often are in the events and in the audit log.
    log = [*plan["log"], _entry(tx, to, caller, reason)][-STEPS:]
    return _write(tx, {**plan, "state": to.value, "log": log})


def _record(tx: Tx, plan: Document, caller: Caller, action: str, reason: str, relation: Document) -> None:
    tx.record(
        actor=caller.subject,
        action=action,
        subject=str(plan["_id"]),
        reason=reason,
        division=plan["division"],
        relation=str(relation["_id"]),
    )


def _refuse(flaw: Flaw | None) -> None:
    if flaw is not None:
        raise Refused(flaw.reason, flaw.detail, flaw.field)


def visible_plan(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such plan")
    return found


def _write(tx: Tx, before: Document) -> Document:
    document = {
        **before,
        "revision": before["revision"] + 1,
        "day": local_day(before["starts_at"]).isoformat(),
    }
    tx.put("activity_plans", document)
    signed, held = document["signed"] or {}, document["held"] or {}
    tx.emit(
        ActivityPlanMoved(
            **tx.stamp(document["division"]),
            plan_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            organisation_id=document["organisation_id"],
            team_id=document["team_id"],
            state=document["state"],
            form=document["form"],
            contents=tuple(document["contents"]),
            audiences=tuple(document["audiences"]),
            service=document["service"],
            problems=tuple(document["problems"]),
            starts_at=held.get("starts_at", document["starts_at"]),
            ends_at=held.get("ends_at", document["ends_at"]),
            signed_off=document["signed"] is not None,
            supervisor=signed.get("supervisor"),
            relation_id=signed.get("relation_id"),
            participants=held.get("participants"),
            service_records=len(document.get("record_ids", ())),
        )
    )
    return document

"""Tasks for children in difficulty: whoever helps is asked for what the policy says, when given and when looking."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.children import helping, read_fields, save_helped, withdraw
from services.registry.commands.gate import Asked, may
from services.registry.commands.places_people import known_person
from services.registry.domain.children import HELPER, State, key_of
from services.registry.domain.children_tasks import State as Task
from services.registry.domain.children_tasks import allows, is_open
from services.registry.domain.gate import REASONS, Reason
from services.registry.keys import Keys
from services.registry.policy import Policies
from services.registry.store import children_database as kept
from services.registry.store import places as places_kept

WHAT = "what"


async def give_task(
    tx: Tx, keys: Keys, ident: uuid.UUID, child: Document, told: dict[str, Any], *, by: str, inside: str
) -> Document:
    """A task of a volunteer for a child; under its id it is given once, and the same again changes nothing.

    Raises `NotAllowed` for who may not help, and where there are enough helpers or enough children.
    """
    person = await known_person(tx, told["volunteer_id"], inside, "volunteer_id")
    what = told[WHAT]
    state = {"child_id": child["_id"], **{name: value for name, value in told.items() if name != WHAT}}
    state["volunteer_id"] = person["_id"]
    before = await kept.task(tx, ident)
    entries = await store.entries_of(tx, person["_id"])
    if before is not None:
        known = {**before, "volunteer_id": person["_id"]} if before["volunteer_id"] in entries else before
        same = all(known[name] == value for name, value in state.items()) and before["sealed"] is not None
        if same and await _text(tx, keys, before) == what:
            return before
        raise NotAllowed("任务下达后不能修改，请撤回后另行下达", reason="given")
    if child["state"] != State.listed:
        raise NotAllowed("记录已结束或已删除", reason="not_listed")
    if not set(state["help"]) <= set(child["help"]):
        raise Refused("not_wanted", "任务须是该儿童需要的帮扶", "help")
    pairs = keys.policies.children.at(tx.now).pairs
    first, last = date.fromisoformat(state["since"]), date.fromisoformat(state["until"])
    if last < max(first, local_day(tx.now)) or last - first > timedelta(days=pairs.longest_days):
        raise Refused("bad_span", f"任务期限须晚于开始且不超过 {pairs.longest_days} 天", "until")
    await check_helper(tx, keys.policies, person)
    # Two tasks given at once, and a task given to who leaves at the same moment, are written one after the other.
    tx.increment("volunteers", person["_id"], {"turns": 1})
    today = local_day(tx.now).isoformat()
    mine = {one["child_id"] for one in await kept.tasks_for(tx, entries) if one["until"] >= today} | {child["_id"]}
    if len(mine) > pairs.children_of_a_helper:
        raise NotAllowed(f"一名志愿者最多帮扶 {pairs.children_of_a_helper} 名儿童", reason="too_many_children")
    if len((await helping(tx, [child["_id"]]))[child["_id"]] | {person["_id"]}) > pairs.helpers_of_a_child:
        raise NotAllowed(f"一名儿童最多由 {pairs.helpers_of_a_child} 人帮扶", reason="too_many_helpers")
    document: Document = {
        "_id": ident,
        "revision": 1,
        "division": child["division"],
        "state": Task.given.value,
        "by": by,
        **state,
        "sealed": await keys.persons.seal(tx, key_of(child["_id"]), {WHAT: what}),
    }
    tx.put("children_tasks", document)
    await save_helped(tx, child, by)
    return document


async def check_helper(tx: Tx, policies: Policies, person: Document) -> None:
    """Raises `NotAllowed` with the first reason why the gate lets a person not help a child."""
    if reasons := await _reasons(tx, policies, person):
        told = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(told, reason=reasons[0].code, field="volunteer_id")


async def _reasons(tx: Tx, policies: Policies, person: Document) -> tuple[Reason, ...]:
    return (await may(tx, person, Asked(local_day(tx.now), role=HELPER), policies)).reasons


async def move_task(tx: Tx, task: Document, child: Document, to: Task, by: str) -> Document:
    """Done or withdrawn: from then on the volunteer sees nothing of the child."""
    present = Task(task["state"])
    if present is to:
        return task
    if not allows(present, to):
        raise NotAllowed(f"任务现为 {present.value}，不能变为 {to.value}")
    document = {**task, "state": to.value, "revision": task["revision"] + 1}
    tx.put("children_tasks", document)
    await save_helped(tx, child, by)
    return document


async def take_back(tx: Tx, entries: Sequence[uuid.UUID], by: str) -> None:
    """Withdraw what a person has to do for children under whichever entry: they count as not helped by this person."""
    children = {}
    for task in await kept.tasks_for(tx, entries):
        withdraw(tx, task)
        children[task["child_id"]] = await kept.child(tx, task["child_id"])
    for child in children.values():
        if child is not None:
            await save_helped(tx, child, by)


async def take_back_unfit(tx: Tx, ident: uuid.UUID, policies: Policies, by: str) -> None:
    """Withdraw the tasks of a person whom the gate does not let help a child any more: nobody waits for who may not."""
    entries = await store.entries_of(tx, ident)
    if not await kept.tasks_for(tx, entries):
        return
    person = await places_kept.working(tx, ident)
    if person is None or await _reasons(tx, policies, person):
        await take_back(tx, entries, by)


async def look_into(tx: Tx, keys: Keys, ident: uuid.UUID, subject: str, reason: str) -> tuple[Document, dict[str, str]]:
    """What a task asks for, for whom it was given to and on its days alone; the reading is logged."""
    task = await kept.task(tx, ident)
    if task is None or task["volunteer_id"] is None or not await store.is_person(tx, subject, task["volunteer_id"]):
        raise NotFound("there is no such task")
    if not is_open(task["state"], task["since"], task["until"], local_day(tx.now).isoformat()):
        raise NotAllowed("任务不在期限内，或已结束", reason="not_open")
    person = await places_kept.working(tx, task["volunteer_id"])
    if person is None:
        raise NotAllowed(REASONS["inactive"], reason="inactive")
    await check_helper(tx, keys.policies, person)
    child = await kept.child(tx, task["child_id"])
    if child is None or child["state"] != State.listed:
        raise NotAllowed("记录已结束或已删除", reason="not_listed")
    text = await _text(tx, keys, task)
    fields = await read_fields(tx, keys, child, tuple(task["fields"]), reason, subject, ident)
    return task, {WHAT: text, **fields}


async def _text(tx: Tx, keys: Keys, task: Document) -> str:
    return (await keys.persons.open(tx, key_of(task["child_id"]), task["sealed"]))[WHAT]

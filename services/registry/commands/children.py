"""Records of children in difficulty: kept by those alone who keep the database, sealed, and erased with their key."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from chassis.clock import local_day, new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from contracts.registry import ChildRecordMoved
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.gate import Asked, may
from services.registry.domain.children import KEEPER, OF_AGE, PERSONAL, State, allows, key_of, turns_of_age
from services.registry.domain.children_tasks import State as Task
from services.registry.domain.gate import REASONS
from services.registry.domain.relations import holds_on
from services.registry.domain.teams_labels import CHILDREN_DATABASE
from services.registry.keys import Keys
from services.registry.policy import Policies
from services.registry.store import children_database as kept
from services.registry.store import places as places_kept
from services.registry.store import teams as teams_kept

COUNTY = 6
LISTED_ALREADY = "listed_already"


@dataclass(frozen=True)
class Keeper:
    """Who keeps the database today, and of which divisions; `teams` by division."""

    subject: str
    teams: dict[str, uuid.UUID]
    inside: str

    def team_over(self, division: str) -> uuid.UUID | None:
        """The nearest of the keeper's organisations over a division; None where the division is not the keeper's."""
        held = [one for one in self.teams if division.startswith(one)] if division.startswith(self.inside) else []
        return self.teams[max(held, key=len)] if held else None


async def keeper(tx: Tx, policies: Policies, subject: str, inside: str) -> Keeper:
    """Who calls, as a keeper of the database; raises `NotAllowed` (403) for everybody else, whatever their role.

    What the gate asks of a keeper is asked each time: who may read everything meets at least what a helper has to.
    """
    day = local_day(tx.now)
    teams: dict[str, uuid.UUID] = {}
    called = _person(subject)
    person = await places_kept.working(tx, called) if called is not None else None
    entries = await store.entries_of(tx, person["_id"]) if person is not None else []
    for team in await kept.teams_of(tx, entries) if entries else []:
        for term in team["members"]:
            own = term["person_id"] in entries and term["role"] == CHILDREN_DATABASE
            if own and holds_on(term["since"], term["until"], day.isoformat()):
                teams[team["division"]] = team["_id"]
    if person is None or not teams:
        raise NotAllowed("只有骨干志愿服务组织的困境儿童数据库管理人可以使用", status=403, reason="not_a_keeper")
    if reasons := (await may(tx, person, Asked(day, role=KEEPER), policies)).reasons:
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(words, status=403, reason=reasons[0].code)
    return Keeper(subject, teams, inside)


def _person(subject: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(subject)
    except ValueError:
        return None


async def record_of(tx: Tx, ident: uuid.UUID, who: Keeper) -> Document:
    """A record in the keeper's divisions; others are not there."""
    found = await kept.child(tx, ident)
    if found is None or who.team_over(found["division"]) is None:
        raise NotFound("there is no such record")
    return found


async def write_child(
    tx: Tx, keys: Keys, ident: uuid.UUID, told: dict[str, Any], personal: dict[str, str], who: Keeper
) -> tuple[Document, bool]:
    """A record as it shall be; the same again changes nothing. Returns it and whether it is new."""
    await known_division(tx, told["division"])
    team = who.team_over(told["division"])
    if team is None:
        raise NotFound(f"there is no division {told['division']}")
    before = await kept.child(tx, ident)
    if before is not None:
        if who.team_over(before["division"]) is None:
            raise NotFound("there is no such record")
        if before["state"] != State.listed:
            raise NotAllowed("记录已结束或已删除，不能修改", reason="not_listed")
    today = local_day(tx.now)
    birth = date.fromisoformat(personal["birth_date"])
    grown_on = turns_of_age(birth, keys.policies.children.at(tx.now).age.adult)
    if not birth <= today < grown_on:
        raise Refused("not_a_child", "出生日期须在今天以前，且未成年", "birth_date")
    for field in ("basis_on", "consent_on"):
        if told[field] is not None and told[field] > today.isoformat():
            raise Refused("bad_date", "登记依据和监护人同意的日期不能晚于今天", field)
    await check_consent(tx, keys.policies, told, personal, team)
    identity = identity_of(keys, told["division"], personal)
    await _not_listed(tx, ident, identity)
    state: Document = {**told, "team_id": team, "of_age_year": grown_on.year, "identity": identity}
    same = before is not None and all(before[name] == value for name, value in state.items())
    if before is not None and same and await keys.persons.open(tx, key_of(ident), before["sealed"]) == personal:
        return before, False
    new: Document = {"_id": ident, "revision": 0, "state": State.listed.value, "helped_until": None, "ended_on": None}
    sealed = await keys.persons.seal(tx, key_of(ident), personal)
    document = {**(before or new), **state, "sealed": sealed}
    note(tx, document, "child.written", "listed" if before is None else "changed", who.subject)
    return save(tx, document, who.subject), before is None


async def check_consent(
    tx: Tx, policies: Policies, told: dict[str, Any], personal: dict[str, str], team: uuid.UUID
) -> None:
    """Raise `Refused` where a record stands on an office's duty, and no office keeps it and no guardian agreed.

    个人信息保护法第三十一条.
    """
    rule = policies.children.at(tx.now).consent
    asked = local_day(tx.now) < turns_of_age(date.fromisoformat(personal["birth_date"]), rule.guardian_below)
    if told["basis"] == "guardian_consent" or not asked:
        return
    backbone = await teams_kept.document(tx, "teams", team)
    host = backbone.get("organisation_id") if backbone is not None else None
    office = await store.organisation(tx, host) if host is not None else None
    if office is not None and office["kind"] in rule.offices:
        return
    for field, value in (("consent_on", told["consent_on"]), ("guardian", personal["guardian"])):
        if not value:
            raise Refused("consent_missing", "非行政机关管理的记录，另须监护人同意，并写明监护人", field)


def identity_of(keys: Keys, division: str, personal: dict[str, str]) -> str:
    return keyed_hash(keys.master, "child", division[:COUNTY], personal["name"], personal["birth_date"])


async def _not_listed(tx: Tx, ident: uuid.UUID, identity: str) -> None:
    other = await kept.child_with(tx, identity)
    if other is not None and other["_id"] != ident:
        words = "本区县可能已登记该儿童，请联系区县的数据库管理人核对或移交"
        raise NotAllowed(words, reason=LISTED_ALREADY, field="name")


def note_double(tx: Tx, ident: uuid.UUID, division: str, by: str) -> None:
    """That somebody was told that a child is listed: who asks about many children is found in the log."""
    county = division[:COUNTY]
    tx.record(actor=by, action="child.double", subject=str(ident), reason=LISTED_ALREADY, division=county)


def save(tx: Tx, before: Document, by: str) -> Document:
    """Write a record with its event, which tells of no place and of no number: small counts would give a child away."""
    document = {**before, "revision": before["revision"] + 1, "by": by, "changed_at": tx.now}
    tx.put("children", document)
    moved = ChildRecordMoved(
        **tx.stamp(""), record_id=document["_id"], revision=document["revision"], state=document["state"]
    )
    tx.emit(moved)
    return document


async def move_child(tx: Tx, keys: Keys, record: Document, to: State, reason: str, by: str) -> Document:
    """End a record, or list it again; what was given to volunteers is taken back with it.

    What ended is known by its name and birth date no more, so that another town may list the child.
    """
    present = State(record["state"])
    if present is to:
        return record
    if to is State.erased or not allows(present, to):
        raise NotAllowed(f"记录现为 {present.value}，不能变为 {to.value}")
    if to is State.ended:
        record = await without_tasks(tx, record)
        record = {name: value for name, value in record.items() if name not in ("identity", "handed_to")}
        record["ended_on"] = local_day(tx.now).isoformat()
    else:
        personal = await keys.persons.open(tx, key_of(record["_id"]), record["sealed"])
        if of_age(tx, keys.policies, personal):
            raise NotAllowed("已成年，不能再登记", reason=OF_AGE)
        identity = identity_of(keys, record["division"], personal)
        await _not_listed(tx, record["_id"], identity)
        record = {**record, "identity": identity, "ended_on": None}
    note(tx, record, f"child.{to.value}", reason, by)
    return save(tx, {**record, "state": to.value}, by)


def of_age(tx: Tx, policies: Policies, personal: dict[str, str]) -> bool:
    """Whether a child is of age today."""
    birth = date.fromisoformat(personal["birth_date"])
    return turns_of_age(birth, policies.children.at(tx.now).age.adult) <= local_day(tx.now)


async def erase_child(tx: Tx, keys: Keys, record: Document, reason: str, by: str) -> Document:
    """Delete the child's key and all that tells who it is; the log of who read it stays. Again, nothing happens."""
    if record["state"] == State.erased:
        return record
    record = await without_tasks(tx, record)
    county = record["division"][:COUNTY]
    for task in await kept.tasks_of(tx, record["_id"]):
        bare = {"sealed": None, "fields": [], "help": [], "volunteer_id": None, "division": county}
        tx.put("children_tasks", {**task, **bare})
    await keys.persons.erase(tx, key_of(record["_id"]))
    note(tx, record, "child.erased", reason, by)
    gone = {name: value for name, value in record.items() if name not in ("identity", "handed_to")}
    nothing: Document = {"sealed": None, "difficulties": [], "help": [], "of_age_year": None, "ended_on": None}
    whereabouts = {"division": county, "team_id": None}
    return save(tx, {**gone, **nothing, **whereabouts, "state": State.erased.value}, by)


async def without_tasks(tx: Tx, record: Document) -> Document:
    """The record after all that was given to volunteers for the child was taken back."""
    for task in await kept.tasks_of(tx, record["_id"]):
        if task["state"] == Task.given:
            withdraw(tx, task)
    return {**record, "helped_until": None}


def withdraw(tx: Tx, task: Document) -> None:
    tx.put("children_tasks", {**task, "state": Task.withdrawn.value, "revision": task["revision"] + 1})


async def save_helped(tx: Tx, record: Document, by: str) -> Document:
    """Write a record after its tasks changed: until when somebody helps the child follows from them."""
    given = [one["until"] for one in await kept.tasks_of(tx, record["_id"]) if one["state"] == Task.given]
    return save(tx, {**record, "helped_until": max(given, default=None)}, by)


async def helping(tx: Tx, idents: Sequence[uuid.UUID]) -> dict[uuid.UUID, set[uuid.UUID]]:
    """The people who have a task for these children whose last day has not passed, each once whatever the entries."""
    tasks = await kept.tasks_running(tx, idents, local_day(tx.now).isoformat())
    entries = list(dict.fromkeys(task["volunteer_id"] for task in tasks))
    people = {row["_id"]: row.get("merged_into") or row["_id"] for row in await store.people_of(tx, entries)}
    found: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    for task in tasks:
        found[task["child_id"]].add(people[task["volunteer_id"]])
    return found


async def read_fields(
    tx: Tx, keys: Keys, record: Document, fields: tuple[str, ...], reason: str, by: str, task: uuid.UUID | None = None
) -> dict[str, str]:
    """Some fields of a child in plain; who read which, when and why is kept beside the audit log.

    For a task nothing is read of who is of age: nobody helps a child that is none.
    """
    if record["state"] == State.erased:
        raise NotAllowed("记录已删除", reason="erased")
    opened = await keys.persons.open(tx, key_of(record["_id"]), record["sealed"])
    if task is not None and of_age(tx, keys.policies, opened):
        raise NotAllowed("已成年，任务终止", reason=OF_AGE)
    entry: Document = {
        "_id": new_id(),
        "child_id": record["_id"],
        "division": record["division"][:COUNTY],
        "task_id": task,
        "by": by,
        "fields": [name for name in PERSONAL if name in fields],
        "reason": reason,
        "at": tx.now,
    }
    tx.insert("children_reads", entry)
    note(tx, record, "child.read", reason, by, fields=",".join(entry["fields"]))
    return {name: opened.get(name, "") for name in entry["fields"]}


def note(tx: Tx, record: Document, action: str, reason: str, by: str, **details: str) -> None:
    """Write into the audit log; the county alone, since the log outlives the record and a village may name a child."""
    subject, county = str(record["_id"]), record["division"][:COUNTY]
    tx.record(actor=by, action=action, subject=subject, reason=reason, division=county, **details)

"""Rosters and turns of duty."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import LOCAL, local_day, new_id
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import DutyRostered, RosterWritten
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.gate import bare_facts, barring, binding_role, check_duties, known_role, shipped
from services.registry.domain.availability import Window, covered_by
from services.registry.domain.duty import Turn, flaw_in_turn, overlapping
from services.registry.domain.gate import Facts
from services.registry.domain.rosters import HOUR, LINE_12356, hours_by_week, most_at_once, quiet_broken, week_bounds
from services.registry.domain.rosters_policy import RostersPolicy
from services.registry.policy import Policies
from services.registry.store.qualifications import merged_entries
from services.registry.store.rosters import turns_between


@dataclass(frozen=True)
class Roster:
    """A rota as told: what it covers, the role on it, whether it must have no gap, and what it asks of people.

    `seats` is how many may be on duty at once (None: any number), `min_seats` how many must be. `languages` and
    `skills` are asked of everybody on it; `sex` is a preference, and a turn that differs says so.
    """

    division: str
    role: str
    around_the_clock: bool
    title: str = ""
    kind: str = "line"
    seats: int | None = None
    min_seats: int = 1
    sex: str | None = None
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()

    def state(self) -> Document:
        lists = {"languages": sorted(set(self.languages)), "skills": sorted(set(self.skills))}
        return {name: lists.get(name, value) for name, value in vars(self).items()}


async def write_roster(tx: Tx, name: str, told: Roster, policies: Policies | None = None) -> tuple[Document, bool]:
    """Make or change a roster; raises `Refused` for a role that the gate has no rule for."""
    await known_division(tx, told.division)
    known_role(told.role, policies or shipped(), tx.now)
    before = await store.roster(tx, name)
    limits = policies.rosters.at(tx.now) if policies else None
    if limits and told.kind == LINE_12356 and told.min_seats < limits.line.seats_12356:
        detail = f"a 12356 line has at least {limits.line.seats_12356} seats at all times"
        raise Refused("too_few_seats", detail, "min_seats")
    if told.seats is not None and told.seats < told.min_seats:
        raise Refused("too_few_seats", "there cannot be fewer seats than must be filled", "seats")
    state = told.state()
    if before and all(before[field] == value for field, value in state.items()):
        return before, False
    if before and (before["division"], before["role"]) != (told.division, told.role):
        raise NotAllowed("the division and the role of a roster stay; make another roster")
    document = {
        "_id": name,
        "revision": before["revision"] + 1 if before else 1,
        **state,
        "turns": before["turns"] if before else 0,
    }
    tx.put("rosters", document)
    told_state = {**state, "seats": told.seats or 0, "sex": told.sex}
    del told_state["title"]
    tx.emit(RosterWritten(**tx.stamp(told.division), roster=name, revision=document["revision"], **told_state))
    return document, True


async def add_duties(
    tx: Tx,
    roster: Document,
    duties: Sequence[tuple[uuid.UUID, Turn]],
    inside: str = "",
    policies: Policies | None = None,
    **more: Any,
) -> list[Document]:
    """Put volunteers on duty, all turns or none. `Refused` and `NotAllowed` name the position of what cannot be.

    Without `policies` nobody's weekly hours are looked at, and the gate asks under those that ship. `more` is kept
    with each turn.
    """
    if not duties:
        return []
    people = await _check_duties(tx, roster, duties, inside, policies)
    documents = []
    for volunteer, turn in duties:
        document = {
            "_id": new_id(),
            "revision": 1,
            "roster": roster["_id"],
            "division": roster["division"],
            "role": roster["role"],
            "volunteer_id": volunteer,
            "starts_at": turn.starts_at,
            "ends_at": turn.ends_at,
            "active": True,
            "remarks": _remarks(roster, people[volunteer], turn),
            "changed_at": tx.now,
            **more,
        }
        tx.insert("duties", document)
        _touch(tx, roster, volunteer)
        _tell_duty(tx, document)
        documents.append(document)
    return documents


async def move_duty(
    tx: Tx,
    roster: Document,
    duty: Document,
    turn: Turn,
    inside: str = "",
    policies: Policies | None = None,
) -> Document:
    """The same turn of the same person at another time, looked at as a new one is; the calendar shows it moved."""
    if not duty["active"]:
        raise NotAllowed("the turn was taken back", reason="withdrawn")
    if (duty["starts_at"], duty["ends_at"]) == (turn.starts_at, turn.ends_at):
        return duty
    volunteer = duty["volunteer_id"]
    try:
        people = await _check_duties(tx, roster, [(volunteer, turn)], inside, policies, {duty["_id"]})
    except (Refused, NotAllowed) as error:  # one turn by itself has no position in a list
        field = error.field.removeprefix("duties.0.") if error.field else None
        error.field = field if field in ("starts_at", "ends_at") else None
        error.detail = error.detail.removeprefix("duties.0: ")
        raise
    moved = {
        **duty,
        "starts_at": turn.starts_at,
        "ends_at": turn.ends_at,
        "revision": duty["revision"] + 1,
        "remarks": _remarks(roster, people[volunteer], turn),
        "changed_at": tx.now,
    }
    tx.put("duties", moved)
    _touch(tx, roster, volunteer)
    _tell_duty(tx, moved)
    return moved


def _touch(tx: Tx, roster: Document, volunteer: uuid.UUID) -> None:
    # Two transactions that put the same person on duty at once both write this, so one of them is run again; so do
    # two that take the last seat.
    tx.increment("volunteers", volunteer, {"turns": 1})
    if roster["seats"] is not None:
        tx.increment("rosters", roster["_id"], {"turns": 1})


async def _check_duties(
    tx: Tx,
    roster: Document,
    duties: Sequence[tuple[uuid.UUID, Turn]],
    inside: str,
    policies: Policies | None,
    leaving: Collection[uuid.UUID] = (),
) -> dict[uuid.UUID, Document]:
    """The people, after all rules; `leaving` are turns that these take the place of."""
    limits = policies.rosters.at(tx.now) if policies else None
    await tx.load("volunteers", {volunteer for volunteer, _ in duties})
    by_volunteer: dict[uuid.UUID, list[int]] = {}
    people: dict[uuid.UUID, Document] = {}
    for position, (volunteer, turn) in enumerate(duties):
        if flaw := flaw_in_turn(turn):
            raise Refused("bad_turn", flaw, f"duties.{position}.ends_at")
        found = await store.volunteer(tx, volunteer)
        if found is None or not found["active"] or not found["division"].startswith(inside):
            raise Refused("unknown_volunteer", "there is no such active volunteer", f"duties.{position}.volunteer_id")
        _check_person(roster, found, turn, position)
        people[volunteer] = found
        by_volunteer.setdefault(volunteer, []).append(position)
    latest = max(turn.ends_at for _, turn in duties)
    earliest = min(turn.starts_at for _, turn in duties)
    held: dict[uuid.UUID, list[Turn]] = {}
    first, last = week_bounds(earliest, latest, LOCAL)
    for portion in store.portions(by_volunteer):
        # What a person did under an entry that was merged counts with the rest.
        owner = {**await merged_entries(tx, portion), **{ident: ident for ident in portion}}
        for duty in await store.duties_of(tx, list(owner), last, first):
            if duty["_id"] not in leaving:
                held.setdefault(owner[duty["volunteer_id"]], []).append(Turn(duty["starts_at"], duty["ends_at"]))
    for volunteer, positions in by_volunteer.items():
        before = held.get(volunteer, [])
        turns = [*before, *(duties[position][1] for position in positions)]
        clash = overlapping(turns)
        if clash is not None:
            position = positions[clash[1] - len(before)] if clash[1] >= len(before) else positions[0]
            raise NotAllowed(f"duties.{position}: the volunteer is on duty then already", reason="overlap")
        if limits is not None:
            _check_cap(people[volunteer], turns, [duties[position][1] for position in positions], positions[0], limits)
    if roster["seats"] is not None:
        rows = await turns_between(tx, roster["_id"], earliest, latest)
        taken = [Turn(row["starts_at"], row["ends_at"]) for row in rows if row["_id"] not in leaving]
        if most_at_once([*taken, *(turn for _, turn in duties)]) > roster["seats"]:
            raise NotAllowed(f"the roster has {roster['seats']} seats", reason="seats_taken")
    await check_duties(tx, roster, duties, people, policies)
    return people


def _check_person(roster: Document, person: Document, turn: Turn, position: int) -> None:
    told = person["rota"] or {}
    for name in ("languages", "skills"):
        if lacking := set(roster[name]) - set(person[name]):
            detail = f"duties.{position}: the roster asks for {', '.join(sorted(lacking))}"
            raise NotAllowed(detail, reason=f"{name}_missing", field=f"duties.{position}.volunteer_id")
    quiet = told.get("quiet")
    if quiet and quiet_broken(turn, quiet["start"], quiet["end"], LOCAL):
        raise NotAllowed(f"duties.{position}: the turn lies in the person's quiet hours", reason="quiet_hours")


def _check_cap(
    person: Document, turns: Iterable[Turn], added: Iterable[Turn], position: int, limits: RostersPolicy
) -> None:
    own = (person["rota"] or {}).get("hours_a_week")
    cap = min(limits.person.hours_a_week, own if own is not None else limits.person.hours_a_week)
    sums = hours_by_week(turns, LOCAL)
    for monday in hours_by_week(added, LOCAL):
        if sums[monday] > cap * HOUR:
            hours = sums[monday] / timedelta(hours=1)
            detail = f"duties.{position}: {hours:g} hours in the week of {monday}; at most {cap}"
            raise NotAllowed(detail, reason="weekly_cap")


def _remarks(roster: Document, person: Document, turn: Turn) -> list[str]:
    """What a person wished otherwise and does not forbid."""
    remarks = []
    if roster["sex"] is not None and person["sex"] != roster["sex"]:
        remarks.append("sex")
    windows = [Window(**window) for window in (person["rota"] or {}).get("windows", ())]
    if windows and not covered_by(windows, turn, LOCAL):
        remarks.append("outside_free_time")
    return remarks


async def withdraw_unfit(tx: Tx, person: Document, policies: Policies, *, running: bool = True) -> list[Document]:
    """Withdraw the turns to come that the gate would not let a person take any more; a `running` one is such a turn.

    A turn is asked for what it was asked for when it was made: a course that is offered since then takes nobody off
    duty. The person's document is touched, so that a turn that is made at the same moment meets this look.
    """
    ident = person["_id"]
    tx.increment("volunteers", ident, {"turns": 1})
    duties = await store.duties_of(tx, [ident], datetime.max.replace(tzinfo=UTC), tx.now)
    if not duties:
        return []
    facts = (await bare_facts(tx, [person], tx.now, local_day(tx.now), policies))[ident]
    withdrawn = []
    for duty in duties:
        if duty["starts_at"] <= tx.now and not running:
            continue
        if await _unfit(tx, duty, person, facts, policies):
            withdrawn.append(withdraw_duty(tx, duty))
    return withdrawn


async def _unfit(tx: Tx, duty: Document, person: Document, facts: Facts, policies: Policies) -> bool:
    if not person["active"] or policies.gate.at(tx.now).role(duty["role"]) is None:
        return True
    binding = await binding_role(tx, duty["role"], duty["division"], policies, duty.get("changed_at"))
    left = Turn(max(duty["starts_at"], tx.now), duty["ends_at"])
    return bool(barring(binding, person, facts, left, tx.now, policies))


def withdraw_duty(tx: Tx, duty: Document) -> Document:
    """Take a turn back; nothing happens when it was taken back before."""
    if not duty["active"]:
        return duty
    withdrawn = {**duty, "active": False, "revision": duty["revision"] + 1, "changed_at": tx.now}
    tx.put("duties", withdrawn)
    _tell_duty(tx, withdrawn)
    return withdrawn


def _tell_duty(tx: Tx, document: Document) -> None:
    fields = ("revision", "roster", "division", "volunteer_id", "role", "starts_at", "ends_at", "active")
    event = DutyRostered(
        **tx.stamp(document["division"]),
        duty_id=document["_id"],
        swap_id=document.get("swap_id"),
        **{name: document[name] for name in fields},
    )
    tx.emit(event)

"""Rosters and turns of duty."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.clock import new_id
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import DutyRostered
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.domain.duty import Turn, flaw_in_turn, overlapping


@dataclass(frozen=True)
class Roster:
    """A rota as told: what it covers, the role on it, and whether it must have no gap."""

    division: str
    role: str
    around_the_clock: bool
    title: str = ""


async def write_roster(tx: Tx, name: str, told: Roster) -> tuple[Document, bool]:
    await known_division(tx, told.division)
    before = await store.roster(tx, name)
    state: Document = {
        "division": told.division,
        "role": told.role,
        "around_the_clock": told.around_the_clock,
        "title": told.title,
    }
    if before and all(before[field] == value for field, value in state.items()):
        return before, False
    if before and (before["division"], before["role"]) != (told.division, told.role):
        raise NotAllowed("the division and the role of a roster stay; make another roster")
    document = {"_id": name, "revision": before["revision"] + 1 if before else 1, **state}
    tx.put("rosters", document)
    return document, True


async def add_duties(
    tx: Tx, roster: Document, duties: Sequence[tuple[uuid.UUID, Turn]], inside: str = ""
) -> list[Document]:
    """Put volunteers on duty, all turns or none. `Refused` and `NotAllowed` name the position of what cannot be."""
    if not duties:
        return []
    await _check_duties(tx, duties, inside)
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
        }
        tx.insert("duties", document)
        # Two transactions that put the same person on duty at once both write this, so one of them is run again.
        tx.increment("volunteers", volunteer, {"turns": 1})
        _tell_duty(tx, document)
        documents.append(document)
    return documents


async def _check_duties(tx: Tx, duties: Sequence[tuple[uuid.UUID, Turn]], inside: str) -> None:
    await tx.load("volunteers", {volunteer for volunteer, _ in duties})
    by_volunteer: dict[uuid.UUID, list[int]] = {}
    for position, (volunteer, turn) in enumerate(duties):
        if flaw := flaw_in_turn(turn):
            raise Refused("bad_turn", flaw, f"duties.{position}.ends_at")
        found = await store.volunteer(tx, volunteer)
        if found is None or not found["active"] or not found["division"].startswith(inside):
            raise Refused("unknown_volunteer", "there is no such active volunteer", f"duties.{position}.volunteer_id")
        by_volunteer.setdefault(volunteer, []).append(position)
    latest = max(turn.ends_at for _, turn in duties)
    earliest = min(turn.starts_at for _, turn in duties)
    held: dict[uuid.UUID, list[Turn]] = {}
    for portion in store.portions(by_volunteer):
        for duty in await store.duties_of(tx, portion, latest, earliest):
            held.setdefault(duty["volunteer_id"], []).append(Turn(duty["starts_at"], duty["ends_at"]))
    for volunteer, positions in by_volunteer.items():
        before = held.get(volunteer, [])
        clash = overlapping([*before, *(duties[position][1] for position in positions)])
        if clash is not None:
            position = positions[clash[1] - len(before)] if clash[1] >= len(before) else positions[0]
            raise NotAllowed(f"duties.{position}: the volunteer is on duty then already")


def withdraw_duty(tx: Tx, duty: Document) -> Document:
    """Take a turn back; nothing happens when it was taken back before."""
    if not duty["active"]:
        return duty
    withdrawn = {**duty, "active": False, "revision": duty["revision"] + 1}
    tx.put("duties", withdrawn)
    _tell_duty(tx, withdrawn)
    return withdrawn


def _tell_duty(tx: Tx, document: Document) -> None:
    fields = ("revision", "roster", "division", "volunteer_id", "role", "starts_at", "ends_at", "active")
    event = DutyRostered(
        **tx.stamp(document["division"]), duty_id=document["_id"], **{name: document[name] for name in fields}
    )
    tx.emit(event)

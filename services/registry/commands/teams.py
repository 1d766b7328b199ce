"""Teams: each change with its event, the tree without circles, and the corps of a province with its teams."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import TeamRegistered
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places import linked_organisation
from services.registry.domain.teams import closes_a_circle, flaw_in_parent, flaw_in_team, level_of
from services.registry.domain.teams_labels import TEAM_TYPES
from services.registry.domain.teams_policy import Professional
from services.registry.domain.teams_status import State, allows
from services.registry.store import places as kept_places
from services.registry.store import teams as kept

_BOOKKEEPING = frozenset({"revision"})
DEPTH = 32


async def register_team(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, by: str, inside: str
) -> Document:
    """A new team, proposed, or the present state of one; the same again changes nothing."""
    await known_division(tx, told["division"])
    if before is not None and before["status"] == State.dissolved:
        raise NotAllowed("队伍已解散")
    host = await linked_organisation(tx, told, before, inside)
    # The unit that guides a team may be one of a level above.
    await linked_organisation(tx, told, before, inside[:2], "guiding_id")
    if flaw := flaw_in_team(told, host["kind"] if host else None):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    await _room(tx, told, inside)
    if told["parent_id"] is not None:
        await _parent(tx, ident, told)
    if before is not None:
        _no_change_under_members(told, before)
        for below in await kept.children(tx, ident):
            if flaw_in_parent(below["division"], told):
                raise NotAllowed("下级队伍不在这个区划之内", field="division")
    base = before or {
        "_id": ident,
        "revision": 0,
        "status": State.proposed.value,
        "status_log": [{"status": State.proposed.value, "by": by, "at": tx.now, "reason": ""}],
        "members": [],
    }
    more = {"level": level_of(told["division"]), "group": TEAM_TYPES[told["type"]].group}
    return save(tx, before, {**base, **told, **more})


def _no_change_under_members(told: dict[str, Any], before: Document) -> None:
    if before["members"] and (told["type"], told["ring_network"]) != (before["type"], before["ring_network"]):
        raise NotAllowed("队伍已有成员，不能改变类型", field="type")


async def _room(tx: Tx, told: dict[str, Any], inside: str) -> None:
    """The room that a team has; what a unit's team sits in is no other unit's."""
    if told["place_id"] is None:
        return
    place = await kept_places.place(tx, told["place_id"])
    if place is None or not place["division"].startswith(inside):
        raise Refused("unknown_place", "没有这个场所", "place_id")
    of_unit = TEAM_TYPES[told["type"]].group == "unit"
    if of_unit and place["organisation_id"] not in (None, told["organisation_id"]):
        raise Refused("other_unit", "这个场所属于其他单位", "place_id")


async def _parent(tx: Tx, ident: uuid.UUID, told: dict[str, Any]) -> None:
    parent = await kept.document(tx, "teams", told["parent_id"])
    if parent is None or parent["status"] == State.dissolved:
        raise Refused("unknown_team", "没有这个上级队伍，或已解散", "parent_id")
    if flaw := flaw_in_parent(told["division"], parent):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    above: dict[uuid.UUID, uuid.UUID | None] = {}
    step: Document | None = parent
    while step is not None and step["_id"] not in above:
        above[step["_id"]] = step["parent_id"]
        if len(above) > DEPTH:
            raise Refused("too_deep", f"队伍最多 {DEPTH} 层", "parent_id")
        step = await kept.document(tx, "teams", step["parent_id"]) if step["parent_id"] else None
    if closes_a_circle(ident, told["parent_id"], above.get):
        raise Refused("circle", "上级队伍不能是自己，也不能是自己的下级", "parent_id")
    kept.touch_tree(tx, told["division"])


async def move_team(tx: Tx, team: Document, to: State, reason: str, by: str) -> Document:
    """The next status; the same again changes nothing."""
    present = State(team["status"])
    if to is present:
        return team
    if not allows(present, to):
        raise NotAllowed(f"队伍现为 {present.value}，不能变为 {to.value}")
    if to is State.dissolved and await kept.children(tx, team["_id"]):
        raise NotAllowed("还有下级队伍，先为它们另定上级或解散")
    if to is State.dissolved:
        kept.touch_tree(tx, team["division"])  # a team that is just put below it is seen, or comes too late
    if to is State.active and team["valid_until"] and team["valid_until"] < local_day(tx.now).isoformat():
        raise NotAllowed("有效期已过，先延长有效期", field="valid_until")
    if to is State.active and team["parent_id"] is not None:
        kept.touch_tree(tx, team["division"])
    entry = {"status": to.value, "by": by, "at": tx.now, "reason": reason}
    return save(tx, team, {**team, "status": to.value, "status_log": [*team["status_log"], entry]})


def save(tx: Tx, before: Document | None, document: Document) -> Document:
    """Write and tell a team unless it is as it was."""
    document.pop("highest_of", None)
    if document["highest"] and document["status"] != State.dissolved:
        document["highest_of"] = document["division"]
    if before is not None and _content(document) == _content(before):
        return before
    document["revision"] = 1 if before is None else before["revision"] + 1
    tx.put("teams", document)
    _tell(tx, document)
    return document


def _content(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _BOOKKEEPING}


def _tell(tx: Tx, team: Document) -> None:
    today = local_day(tx.now).isoformat()
    running = [term for term in team["members"] if term["until"] is None or term["until"] >= today]
    people = sum(term["person_id"] is not None for term in running)
    tx.emit(
        TeamRegistered(
            **tx.stamp(team["division"]),
            team_id=team["_id"],
            revision=team["revision"],
            type=team["type"],
            division=team["division"],
            level=team["level"],
            status=team["status"],
            parent_id=team["parent_id"],
            organisation_id=team["organisation_id"],
            guiding_id=team["guiding_id"],
            place_id=team["place_id"],
            number=team["number"],
            tags=tuple(team["tags"]),
            party_building=team["party_building"],
            highest=team["highest"],
            members=people,
            member_organisations=len(running) - people,
            origin_region=team["origin_region"],
            valid_from=day_of(team["valid_from"]),
            valid_until=day_of(team["valid_until"]),
            services=tuple(team.get("services", ())),
            problems=tuple(team["problems"]),
        )
    )


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


async def seed_professional(
    tx: Tx, policy: Professional, blank: dict[str, Any], *, by: str, inside: str
) -> tuple[int, list[Document]]:
    """The corps of the province and its professional teams, active; those that are there stay as they are.

    `blank` is a team that tells nothing. The first value says how many were new.
    """
    await known_division(tx, policy.province)
    idents = [_seeded(policy.province, number) for number in range(policy.count + 1)]
    await tx.load("teams", idents)
    new, teams = 0, []
    for number, ident in enumerate(idents):
        team = await kept.document(tx, "teams", ident)
        if team is None:
            new += 1
            told = {**blank, "division": policy.province, "type": "corps", "name": policy.corps}
            if number:
                named = {"type": "professional", "name": policy.name_of(number)}
                told |= {**named, "number": number, "parent_id": idents[0]}
            team = await register_team(tx, ident, told, None, by=by, inside=inside)
            team = await move_team(tx, team, State.active, "seeded", by)
        teams.append(team)
    return new, teams


def _seeded(province: str, number: int) -> uuid.UUID:
    # Seeded again, they are the same teams: ids that follow from province and number.
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:xinqiao:team:{province}:professional:{number}")


async def organisation_anywhere(tx: Tx, ident: uuid.UUID, field: str) -> Document:
    """An active organisation, wherever it is; for what reaches over divisions."""
    found = await store.organisation(tx, ident)
    if found is None or not found["active"]:
        raise Refused("unknown_organisation", "没有这个机构，或已停用", field)
    return found

"""Guidance between organisations, what departments have for others, and party members' check-in with communities."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import Event
from contracts.registry import CommunityCheckedIn, OrganisationKind, OrganisationsRelated, ResourceListed
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places import linked_organisation
from services.registry.commands.places_people import known_person
from services.registry.commands.teams import day_of, organisation_anywhere
from services.registry.domain.activity_plans_policy import ActivityPlansPolicy
from services.registry.domain.places_status import State as Place
from services.registry.domain.relations import flaw_in_relation, lasts_longer
from services.registry.domain.teams_status import State as Team
from services.registry.store import places
from services.registry.store import teams as kept


async def relate(
    tx: Tx,
    ident: uuid.UUID,
    told: dict[str, Any],
    before: Document | None,
    *,
    inside: str,
    policy: ActivityPlansPolicy,
) -> Document:
    """A relation as it shall be, whole; one that ended stays, with its last day."""
    await known_division(tx, told["division"])
    if before is not None and any(before[name] != told[name] for name in ("kind", "guide_id", "division")):
        raise NotAllowed("关系的双方和类别不能改变，请另行登记")
    # What was right when it was made may be ended after one of the two left.
    links = ("guided_id", "guided_kind", "place_id", "team_id", "supervisor")
    if before is None or any(before.get(name) != told[name] for name in links):
        guide = await organisation_anywhere(tx, told["guide_id"], "guide_id")
        guided = await linked_organisation(tx, told, before, inside, "guided_id")
        if flaw := flaw_in_relation(told, guide, guided, policy):
            raise Refused(flaw.reason, flaw.detail, flaw.field)
        await _team_and_station(tx, told, inside)
    await _person(tx, told, before, inside)
    document, same = _whole(ident, told, before)
    return document if same else _put(tx, document)


def end_relation(tx: Tx, relation: Document, until: str) -> Document:
    """A relation ends on a day, because the person who is named in it left."""
    if relation["until"] == until:
        return relation
    return _put(tx, {**relation, "revision": relation["revision"] + 1, "until": until})


def _put(tx: Tx, document: Document) -> Document:
    tx.put("relations", document)
    tx.emit(
        OrganisationsRelated(
            **tx.stamp(document["division"]),
            relation_id=document["_id"],
            revision=document["revision"],
            kind=document["kind"],
            division=document["division"],
            guide_id=document["guide_id"],
            guided_id=document["guided_id"],
            guided_kind=OrganisationKind(document["guided_kind"]) if document["guided_kind"] else None,
            supervisor=document["supervisor"],
            since=date.fromisoformat(document["since"]),
            until=day_of(document["until"]),
            team_id=document.get("team_id"),
            place_id=document.get("place_id"),
        )
    )
    return document


async def _team_and_station(tx: Tx, told: dict[str, Any], inside: str) -> None:
    """The team that guides is active and of the county, and the station lies in the caller's division."""
    if told["team_id"] is not None:
        team = await kept.document(tx, "teams", told["team_id"])
        if team is None or team["status"] != Team.active or not team["division"].startswith(inside[:6]):
            raise Refused("unknown_team", "没有这支队伍，或不在运行中", "team_id")
    if told["place_id"] is not None:
        place = await places.place(tx, told["place_id"])
        if place is None or place["status"] == Place.closed or not place["division"].startswith(inside):
            raise Refused("unknown_place", "没有这个站点，或已关闭", "place_id")


async def list_resource(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str
) -> Document:
    """What a department has, as it shall be, whole."""
    await known_division(tx, told["division"])
    await linked_organisation(tx, told, before, inside)
    document, same = _whole(ident, told, before)
    if same:
        return document
    tx.put("resources", document)
    names = ("department", "kind", "division", "quantity", "available", "organisation_id")
    event: Event = ResourceListed(
        **tx.stamp(told["division"]),
        resource_id=ident,
        revision=document["revision"],
        **{name: told[name] for name in names},
    )
    tx.emit(event)
    return document


async def check_in(tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str) -> Document:
    """A party organisation, or one member of it, checked in with a community on a day that was."""
    await known_division(tx, told["division"])
    await linked_organisation(tx, told, before, inside[:6])
    if told["day"] > local_day(tx.now).isoformat():
        raise Refused("bad_day", "报到日期不能晚于今天", "day")
    if told["person_id"] is not None:
        if told["people"] != 1:
            raise Refused("bad_count", "党员个人报到为 1 人", "people")
        await _person(tx, told, before, inside[:6])
    document, same = _whole(ident, told, before)
    if same:
        return document
    tx.put("check_ins", document)
    tx.emit(
        CommunityCheckedIn(
            **tx.stamp(told["division"]),
            check_in_id=ident,
            revision=document["revision"],
            division=told["division"],
            organisation_id=told["organisation_id"],
            form=told["form"],
            day=date.fromisoformat(told["day"]),
            people=told["people"],
        )
    )
    return document


async def _person(tx: Tx, told: dict[str, Any], before: Document | None, inside: str) -> None:
    """The person of a link that is new, another's, or longer than it was; one that was linked stays, and may end."""
    if told["person_id"] is None:
        return
    if before is not None:
        told["person_id"] = await store.same_id(tx, told["person_id"], before["person_id"])
    if before is None or before["person_id"] != told["person_id"] or lasts_longer(told, before):
        told["person_id"] = (await known_person(tx, told["person_id"], inside))["_id"]


def _whole(ident: uuid.UUID, told: dict[str, Any], before: Document | None) -> tuple[Document, bool]:
    """The document with its revision, and whether it is as it was."""
    if before is not None and all(before.get(name) == value for name, value in told.items()):
        return before, True
    return {"_id": ident, "revision": before["revision"] + 1 if before else 1, **told}, False

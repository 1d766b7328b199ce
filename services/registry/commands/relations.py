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
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation
from services.registry.commands.places_people import known_person
from services.registry.commands.teams import day_of, organisation_anywhere
from services.registry.domain.relations import flaw_in_relation


async def relate(tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str) -> Document:
    """A relation as it shall be, whole; one that ended stays, with its last day."""
    await known_division(tx, told["division"])
    guide = await organisation_anywhere(tx, told["guide_id"], "guide_id")
    guided = await known_organisation(tx, told["guided_id"], inside, "guided_id") if told["guided_id"] else None
    if flaw := flaw_in_relation(told, guide, guided):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    if before is not None and any(before[name] != told[name] for name in ("kind", "guide_id", "division")):
        raise NotAllowed("关系的双方和类别不能改变，请另行登记")
    if told["person_id"] is not None:
        told["person_id"] = (await known_person(tx, told["person_id"], inside))["_id"]
    document, same = _whole(ident, told, before)
    if same:
        return document
    tx.put("relations", document)
    tx.emit(
        OrganisationsRelated(
            **tx.stamp(told["division"]),
            relation_id=ident,
            revision=document["revision"],
            kind=told["kind"],
            division=told["division"],
            guide_id=told["guide_id"],
            guided_id=told["guided_id"],
            guided_kind=OrganisationKind(told["guided_kind"]) if told["guided_kind"] else None,
            supervisor=told["supervisor"],
            since=date.fromisoformat(told["since"]),
            until=day_of(told["until"]),
        )
    )
    return document


async def list_resource(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str
) -> Document:
    """What a department has, as it shall be, whole."""
    await known_division(tx, told["division"])
    if told["organisation_id"] is not None:
        await known_organisation(tx, told["organisation_id"], inside)
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
    await known_organisation(tx, told["organisation_id"], inside[:6])
    if told["day"] > local_day(tx.now).isoformat():
        raise Refused("bad_day", "报到日期不能晚于今天", "day")
    if told["person_id"] is not None:
        if told["people"] != 1:
            raise Refused("bad_count", "党员个人报到为 1 人", "people")
        told["person_id"] = (await known_person(tx, told["person_id"], inside[:6]))["_id"]
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


def _whole(ident: uuid.UUID, told: dict[str, Any], before: Document | None) -> tuple[Document, bool]:
    """The document with its revision, and whether it is as it was."""
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before, True
    return {"_id": ident, "revision": before["revision"] + 1 if before else 1, **told}, False

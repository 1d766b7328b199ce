"""Supervision and training that teams of experts give to volunteer organisations and teams."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import OrganisationsTutored
from services.registry import store
from services.registry.commands.places import known_organisation
from services.registry.commands.places_people import known_person
from services.registry.commands.teams import day_of
from services.registry.domain.activity_plans_policy import ActivityPlansPolicy
from services.registry.domain.relations import lasts_longer
from services.registry.domain.teams import on_day
from services.registry.domain.teams_labels import TEAM_TYPES
from services.registry.domain.teams_status import State
from services.registry.store import teams as kept_teams


async def tutor(
    tx: Tx,
    ident: uuid.UUID,
    told: dict[str, Any],
    before: Document | None,
    team: Document,
    policy: ActivityPlansPolicy,
    *,
    inside: str,
) -> Document:
    """What a team of experts does for one organisation or team, whole; the same again changes nothing."""
    if told["person_id"] is not None:
        known = before["person_id"] if before else None
        told = {**told, "person_id": await store.same_id(tx, told["person_id"], known)}
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before
    sides = ("team_id", "kind", "organisation_id", "tutored_team_id")
    if before is not None and any(before[name] != told[name] for name in sides):
        raise NotAllowed("双方和类别不能改变，请另行登记")
    rule = policy.tutor(team["type"])
    if rule is None or told["kind"] not in rule.kinds:
        raise Refused("wrong_type", f"{TEAM_TYPES[team['type']].label}不承担这项工作", "team_id")
    if (told["organisation_id"] is None) == (told["tutored_team_id"] is None):
        raise Refused("one_of_two", "须填一个机构，或一支队伍，二者选一", "organisation_id")
    # What began may end whoever left since, and goes on longer only where it could begin today.
    fresh = before is None or lasts_longer(told, before)
    if fresh:
        await _refuse_sides(tx, told, team, inside)
    if told["person_id"] is not None and (fresh or before is None or told["person_id"] != before["person_id"]):
        person = await known_person(tx, told["person_id"], inside[:2])
        day = max(told["since"], local_day(tx.now).isoformat())
        if person["_id"] not in {term["person_id"] for term in on_day(team["members"], day)}:
            raise Refused("not_a_member", "不是这支专家团队的在任成员", "person_id")
        told = {**told, "person_id": person["_id"]}
    document = {
        "_id": ident,
        "revision": before["revision"] + 1 if before else 1,
        "division": team["division"],
        **told,
    }
    return _put(tx, document)


def end_tutoring(tx: Tx, tutoring: Document, until: str) -> Document:
    """A tutoring ends on a day, because the member of the team who does it left."""
    if tutoring["until"] == until:
        return tutoring
    return _put(tx, {**tutoring, "revision": tutoring["revision"] + 1, "until": until})


def _put(tx: Tx, document: Document) -> Document:
    tx.put("tutorings", document)
    tx.emit(
        OrganisationsTutored(
            **tx.stamp(document["division"]),
            tutoring_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            team_id=document["team_id"],
            kind=document["kind"],
            organisation_id=document["organisation_id"],
            tutored_team_id=document["tutored_team_id"],
            since=date.fromisoformat(document["since"]),
            until=day_of(document["until"]),
        )
    )
    return document


async def _refuse_sides(tx: Tx, told: dict[str, Any], team: Document, inside: str) -> None:
    """A team that works tutors others: neither itself nor the unit that it is of."""
    if team["status"] != State.active:
        raise NotAllowed("专家团队尚未成立或已停用", field="team_id")
    if told["organisation_id"] is not None:
        await known_organisation(tx, told["organisation_id"], inside)
        if told["organisation_id"] == team["organisation_id"]:
            raise Refused("itself", "不能督导、培训本单位", "organisation_id")
        return
    other = await kept_teams.document(tx, "teams", told["tutored_team_id"])
    if other is None or other["status"] == State.dissolved or not other["division"].startswith(inside):
        raise Refused("unknown_team", "没有这支队伍，或已解散", "tutored_team_id")
    if other["_id"] == team["_id"]:
        raise Refused("itself", "不能督导、培训自己", "tutored_team_id")

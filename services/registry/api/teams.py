"""Teams over HTTP: code lists, the register, the tree, and how each stands."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Response

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api import teams_campus, teams_members
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach, seen
from services.registry.api.teams_forms import TeamIn, TeamStepIn
from services.registry.api.teams_lists import CodeQuery, Cursor, Day, known, listed, shown, visible
from services.registry.commands import teams as commands
from services.registry.domain.activity_plans_policy import SIGNS_OFF
from services.registry.domain.agreements import KINDS, SERVICES
from services.registry.domain.providers import KINDS as PROVIDER_KINDS
from services.registry.domain.providers import TYPES
from services.registry.domain.relations import KINDS as RELATIONS
from services.registry.domain.relations import holds_on
from services.registry.domain.talent import TAGS
from services.registry.domain.teams import CAMPUS, RANK, THREE_PROFESSIONS, on_day, standing
from services.registry.domain.teams_labels import CHILDREN_DATABASE, CODE_LISTS, GROUPS, TEAM_TYPES
from services.registry.domain.teams_status import State
from services.registry.keys import Keys
from services.registry.store import teams as kept
from services.registry.store.ledger import still_working

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Keeper = Annotated[Caller, Depends(caller_with("registrar", "privacy_officer"))]
Sort = Literal["id", "name", "division", "type", "-id", "-name", "-division", "-type"]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/team-codes")
    async def read_team_codes(caller: Reader) -> Document:
        """The code lists of teams, providers, agreements and relations, with the names that papers give them."""
        more: dict[str, Mapping[Any, str]] = {
            "tags": TAGS,
            "professions": THREE_PROFESSIONS,
            "campus": CAMPUS,
            "providers": TYPES,
            "provider_kinds": PROVIDER_KINDS,
            "agreements": KINDS,
            "services": SERVICES,
            "relations": RELATIONS,
            "content_supervisors": {
                one.code: one.label
                for one in keys.policies.activity_plans.at(now()).supervisors
                if one.kind == SIGNS_OFF
            },
        }
        return {"lists": {name: dict(words) for name, words in {**CODE_LISTS, **more}.items()}}

    @app.get("/v1/teams")
    async def list_teams(
        caller: Reader,
        division: DivisionQuery = None,
        type: CodeQuery = None,
        group: CodeQuery = None,
        level: CodeQuery = None,
        status: CodeQuery = None,
        tag: CodeQuery = None,
        party_building: CodeQuery = None,
        parent_id: uuid.UUID | None = None,
        organisation_id: uuid.UUID | None = None,
        guiding_id: uuid.UUID | None = None,
        person_id: uuid.UUID | None = None,
        highest: bool | None = None,
        valid_on: Day = None,
        sort: Sort = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The teams of a division, filtered and in a stable order; `person_id` asks for those a person is or was in."""
        known("type", type, TEAM_TYPES)
        known("group", group, GROUPS)
        known("level", level, RANK)
        known("status", status, list(State))
        known("tag", tag, TAGS)
        known("party_building", party_building, CODE_LISTS["party_building"])
        asked: Document = {
            "type": type,
            "group": group,
            "level": level,
            "status": status,
            "tags": tag,
            "party_building": party_building,
            "parent_id": parent_id,
            "organisation_id": organisation_id,
            "guiding_id": guiding_id,
            "members.person_id": person_id,
            "highest": highest,
        }
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        if valid_on is not None:
            begun = {"$or": [{"valid_from": None}, {"valid_from": {"$lte": valid_on}}]}
            running = {"$or": [{"valid_until": None}, {"valid_until": {"$gte": valid_on}}]}
            query |= {"$and": [begun, running]}
        found = await listed(database, "teams", query, sort, after, limit, dict)
        return {**found, "items": await _all_shown(database, found["items"])}

    @app.put("/v1/teams/{ident}")
    async def write_team(ident: uuid.UUID, body: TeamIn, caller: Registrar, response: Response) -> Document:
        """A new team under an id that the client chose, or one as it shall be; the same again changes nothing."""
        seen(caller, body.division)
        told = body.told()

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.document(tx, "teams", ident)
            if before is not None:
                visible(before, caller)
            team = await commands.register_team(tx, ident, told, before, by=caller.subject, inside=caller.division)
            return team, before is None

        team, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return await _shown(database, team)

    @app.get("/v1/teams/{ident}")
    async def read_team(ident: uuid.UUID, caller: Reader) -> Document:
        """A team with its log."""
        return await _shown(database, visible(await database.get("teams", ident), caller))

    @app.post("/v1/teams/{ident}/status")
    async def move_team(ident: uuid.UUID, body: TeamStepIn, caller: Registrar) -> Document:
        """Activate, suspend or dissolve a team; the same status again changes nothing."""

        async def move(tx: Tx) -> Document:
            team = visible(await kept.document(tx, "teams", ident), caller)
            return await commands.move_team(tx, team, body.status, body.reason, caller.subject)

        return await _shown(database, await database.transact(move))

    @app.get("/v1/teams/{ident}/standing")
    async def read_standing(ident: uuid.UUID, caller: Reader, day: Day = None) -> Document:
        """Members by role and ring, what is missing to the target, to the three professions, and visits, on a day."""
        team = visible(await database.get("teams", ident), caller)
        when = day or local_day(now()).isoformat()
        (present,) = await _with_those_there(database, [team], when)
        answer = asdict(standing(present, when, keys.policies.teams.at(now()).pools.school_experts))
        if team["type"] == "school_expert_pool":
            visits = await kept.visits_of(database, ident)
            answer["visits"] = {
                "planned": sum(one["state"] == "planned" for one in visits),
                "done": sum(one["state"] == "done" for one in visits),
                "schools": len({one["organisation_id"] for one in visits if one["state"] == "done"}),
            }
        return {"id": ident, "day": when, **answer}

    @app.post("/v1/provincial-teams/seed")
    async def seed_teams(caller: Registrar) -> Document:
        """Register the corps of the province and its professional teams; those that are there stay as they are."""
        policy = keys.policies.teams.at(now()).professional
        if not caller.sees(policy.province):
            raise NotFound(f"there is no division {policy.province}")
        blank = TeamIn(name=policy.corps, type="corps", division=policy.province).told()

        async def seed(tx: Tx) -> tuple[int, list[Document]]:
            return await commands.seed_professional(tx, policy, blank, by=caller.subject, inside=caller.division)

        new, teams = await database.transact(seed)
        return {"new": new, "teams": await _all_shown(database, teams)}

    @app.get("/v1/children-database/keepers")
    async def read_keepers(caller: Keeper, division: DivisionQuery = None) -> Document:
        """Who may keep the database of children in difficulty today: persons by team; the data are not here."""
        today = local_day(now()).isoformat()
        teams = await kept.keepers(database, reach(caller, division), CHILDREN_DATABASE)
        held = [
            (team, term)
            for team in teams
            for term in team["members"]
            if term["role"] == CHILDREN_DATABASE and holds_on(term["since"], term["until"], today)
        ]
        working = await still_working(database, [term["person_id"] for _, term in held if term["person_id"]])
        items = [
            {
                "team_id": team["_id"],
                "division": team["division"],
                "level": team["level"],
                "person_id": working[term["person_id"]],
                "since": term["since"],
                "until": term["until"],
            }
            for team, term in held
            if term["person_id"] in working
        ]
        return {"items": items}

    teams_members.routes(app, database, keys)
    teams_campus.routes(app, database, keys)


async def _with_those_there(database: Database, teams: Sequence[Document], day: str) -> list[Document]:
    """The teams with the terms that hold on a day: of who is still registered, and of each member one."""
    terms = {team["_id"]: on_day(team["members"], day) for team in teams}
    people = {term["person_id"] for held in terms.values() for term in held if term["person_id"] is not None}
    working = await still_working(database, people)
    found = []
    for team in teams:
        there: dict[uuid.UUID, Mapping[str, Any]] = {}
        for term in terms[team["_id"]]:
            if term["person_id"] is None:
                there.setdefault(term["organisation_id"], term)
            elif term["person_id"] in working:
                there.setdefault(working[term["person_id"]], term)
        found.append({**team, "members": list(there.values())})
    return found


async def _shown(database: Database, team: Document) -> Document:
    (one,) = await _all_shown(database, [team])
    return one


async def _all_shown(database: Database, teams: Sequence[Document]) -> list[Document]:
    today = local_day(now()).isoformat()
    return [
        {
            **shown(team, "members", "highest_of"),
            "type_label": TEAM_TYPES[team["type"]].label,
            "members_today": len(team["members"]),
            "valid_today": holds_on(team["valid_from"] or "", team["valid_until"], today),
        }
        for team in await _with_those_there(database, teams, today)
    ]

"""What teams of experts do for volunteer organisations and teams, over HTTP: supervision and training."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_forms import NAME_LIMIT, Form, example
from services.registry.api.teams_lists import Cursor, listed, shown, visible
from services.registry.commands.expert_teams import tutor
from services.registry.keys import Keys
from services.registry.store import activity_plans as kept
from services.registry.store import teams as kept_teams

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Kind = Literal["supervision", "training"]
Order = Literal["id", "since", "-id", "-since"]


class TutoringIn(Form):
    """A team of experts supervises or trains one organisation, or one team; `until` is the last day."""

    model_config = example(
        team_id="01970d3b-0000-7000-8000-000000000d01",
        kind="supervision",
        organisation_id="01970d3b-0000-7000-8000-000000000a05",
        person_id="01970d3b-0000-7000-8000-000000000b01",
        topic="心理咨询督导",
        since="2026-03-01",
        until="2027-02-28",
    )

    team_id: uuid.UUID
    kind: Kind
    organisation_id: uuid.UUID | None = None
    tutored_team_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = Field(None, description="The member of the team who does it, where it is one.")
    topic: str = Field("", max_length=NAME_LIMIT)
    since: date
    until: date | None = None

    def told(self) -> dict[str, Any]:
        if self.until is not None and self.until < self.since:
            raise Refused("backwards", "止日早于起日", "until")
        return super().told()


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/tutorings/{ident}")
    async def write_tutoring(ident: uuid.UUID, body: TutoringIn, caller: Registrar) -> Document:
        """What a team of experts does for another, whole; one that ended stays, and the same again changes nothing."""

        async def write(tx: Tx) -> Document:
            before = await kept.tutoring(tx, ident)
            if before is not None:
                visible(before, caller)
            team = visible(await kept_teams.document(tx, "teams", body.team_id), caller)
            policy = keys.policies.activity_plans.at(tx.now)
            return await tutor(tx, ident, body.told(), before, team, policy, inside=caller.division)

        return shown(await database.transact(write))

    @app.get("/v1/tutorings/{ident}")
    async def read_tutoring(ident: uuid.UUID, caller: Reader) -> Document:
        found = await database.get("tutorings", ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such tutoring")
        return shown(found)

    @app.get("/v1/tutorings")
    async def list_tutorings(
        caller: Reader,
        division: DivisionQuery = None,
        team_id: uuid.UUID | None = None,
        organisation_id: uuid.UUID | None = None,
        tutored_team_id: uuid.UUID | None = None,
        kind: Kind | None = None,
        running: bool | None = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """Who supervises and trains whom; `running` are those of today."""
        asked = {
            "team_id": team_id,
            "organisation_id": organisation_id,
            "tutored_team_id": tutored_team_id,
            "kind": kind,
        }
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        if running is not None:
            day = local_day(now()).isoformat()
            today = {"since": {"$lte": day}, "$or": [{"until": None}, {"until": {"$gte": day}}]}
            query = {"$and": [query, today if running else {"$nor": [today]}]}
        return await listed(database, "tutorings", query, sort, after, limit)

"""The people of projects over HTTP: who is in one, how steps 4 and 7 stand, and their counts told to the others."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import DivisionCode, Name
from services.registry import store
from services.registry.api.places_forms import one_of
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.api.teams_forms import Form, example
from services.registry.commands import projects as commands
from services.registry.domain.gate import REASONS
from services.registry.domain.projects import LACKING, STEPS, SUPPORTS, Step
from services.registry.keys import Keys
from services.registry.store import projects as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
PersonReader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
SupportCode = Annotated[str, *one_of(SUPPORTS)]


class ProjectIn(Form):
    """What a project asks of its people, and what they need; where `supports` is absent, what the policy names."""

    model_config = example(
        division="370812",
        organisation_id="01970d3b-0000-7000-8000-000000000a07",
        role="responder",
        service="guidance",
        needed=12,
        supports=["transport", "insurance"],
        recruitment_ids=["01970d3b-0000-7000-8000-000000000801"],
    )

    division: DivisionCode
    organisation_id: uuid.UUID
    role: Name | None = Field(None, description="As on rosters: what the gate asks of it.")
    service: Annotated[str, Field(max_length=64)] | None = Field(None, description="Of /v1/qualification-codes.")
    needed: Annotated[int, Field(ge=1, le=kept.MOST_PEOPLE)]
    supports: Annotated[list[SupportCode], Field(max_length=len(SUPPORTS))] | None = None
    recruitment_ids: list[uuid.UUID] = Field([], max_length=20)
    course_ids: list[uuid.UUID] = Field([], max_length=20, description="Its own pre-service courses, all to be passed.")


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/projects/{ident}")
    async def write(ident: uuid.UUID, body: ProjectIn, caller: Registrar, response: Response) -> Document:
        """A project's people, as they are asked for; the same again changes nothing; registrars only."""
        seen(caller, body.division)
        told = body.told()

        async def put(tx: Tx) -> tuple[Document, bool]:
            before = await kept.project(tx, ident)
            if before is not None:
                _visible(before, caller)
            return await commands.write_project(tx, keys, ident, told, before, inside=caller.division)

        document, new = await database.transact(put)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.put("/v1/projects/{ident}/people/{person_id}")
    async def join(ident: uuid.UUID, person_id: uuid.UUID, caller: Registrar) -> Document:
        """Somebody takes part without a call; the same again changes nothing; registrars only."""

        async def put(tx: Tx) -> Document:
            project = _visible(await kept.project(tx, ident), caller)
            return await commands.join(tx, project, person_id, caller.subject, caller.division)

        return _shown(await database.transact(put))

    @app.delete("/v1/projects/{ident}/people/{person_id}")
    async def leave(ident: uuid.UUID, person_id: uuid.UUID, caller: Registrar) -> Document:
        """Somebody does not take part any more; the same again changes nothing; registrars only."""

        async def put(tx: Tx) -> Document:
            project = _visible(await kept.project(tx, ident), caller)
            gone = any(one["person_id"] == person_id for one in project["left"])
            if not gone and person_id not in await commands.people_in(tx, project):
                raise NotFound("there is no such person in the project")
            return commands.leave(tx, project, person_id, caller.subject)

        return _shown(await database.transact(put))

    @app.get("/v1/projects/{ident}/people")
    async def people(ident: uuid.UUID, caller: PersonReader, after: After = None, limit: Limit = 50) -> Document:
        """The people in a project by id: trained, ready or why not, and what was given."""

        async def read(tx: Tx) -> Document:
            project = _visible(await kept.project(tx, ident), caller)
            everybody = sorted((await commands.people_in(tx, project)).items())
            page = [person for one, person in everybody if after is None or one > after][:limit]
            items = [
                {
                    "person_id": person,
                    "trained": one.trained,
                    "ready": one.trained and not one.reasons,
                    "reasons": [{"code": code, "detail": REASONS[code]} for code in one.reasons],
                    "given": sorted(one.given),
                    "lacking": sorted(set(project["supports"]) - one.given),
                    "incentives": one.incentives,
                }
                for person, one in (await commands.members_of(tx, keys, project, page)).items()
            ]
            return {"items": items, "next": items[-1]["person_id"] if len(items) == limit else None}

        return await database.look(read)

    @app.get("/v1/projects/{ident}/steps")
    async def steps(ident: uuid.UUID, caller: Reader) -> Document:
        """How a project stands at step 4, recruited and trained, and at step 7, supported, with what is lacking."""

        async def read(tx: Tx) -> Document:
            project = _visible(await kept.project(tx, ident), caller)
            found = await commands.steps_of(tx, keys, project)
            seven = _step(found.seven) | {"needs": project["supports"]}
            return {"id": ident, "calls": found.calls, "steps": [_step(found.four), seven]}

        return await database.look(read)

    @app.post("/v1/projects/{ident}/report")
    async def report(ident: uuid.UUID, caller: Registrar) -> Document:
        """Tell the other services the counts as they are now; where they are as told last, nothing happens."""

        async def tell(tx: Tx) -> Document:
            return await commands.report(tx, keys, _visible(await kept.project(tx, ident), caller))

        return _shown(await database.transact(tell))

    @app.get("/v1/projects/{ident}")
    async def read(ident: uuid.UUID, caller: Reader) -> Document:
        """What a project asks of its people."""
        return _shown(_visible(await database.get("projects", ident), caller))

    @app.get("/v1/projects")
    async def list_projects(
        caller: Reader, division: DivisionQuery = None, after: After = None, limit: Limit = 50
    ) -> Document:
        """The projects of a division, in the order of their ids."""
        rows = await store.page(database, "projects", store.within(reach(caller, division)), after, limit)
        return paged([_shown(row) for row in rows], limit)


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such project")
    return found


def _step(step: Step) -> Document:
    lacking = [{"code": code, "detail": LACKING[code]} for code in step.lacking]
    told = {"number": step.number, "label": STEPS[step.number], "met": step.met, **step.counts}
    return {**told, "by_code": step.by_code, "lacking": lacking}


def _shown(row: Document) -> Document:
    hidden = ("_id", "people", "left")
    named = len(row["people"])
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in hidden}, "named": named}

"""Tasks for children in difficulty over HTTP: what a volunteer sees is what the task asks for, and nothing else."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.children import Help, Keeper, ReadIn
from services.registry.api.places_forms import Day, one_of
from services.registry.api.teams_forms import Form, example
from services.registry.api.volunteers import NO_STORE
from services.registry.commands import children as records
from services.registry.commands import children_tasks as commands
from services.registry.domain.children import HELP, TASK_FIELDS
from services.registry.domain.children_tasks import State, is_open
from services.registry.keys import Keys
from services.registry.store import children_database as kept

Helper = Annotated[Caller, Depends(caller_with("volunteer"))]
Asked = Annotated[str, *one_of(TASK_FIELDS)]


class TaskIn(Form):
    """What a volunteer shall do for a child, on which days, and which of the child's fields that takes."""

    model_config = example(
        child_id="01970d3b-0000-7000-8000-000000000f01",
        volunteer_id="01970d3b-0000-7000-8000-0000000000b1",
        help=["learning"],
        what="周六上午到校辅导作业",
        fields=["name", "school"],
        since="2026-03-02",
        until="2026-06-30",
    )

    child_id: uuid.UUID
    volunteer_id: uuid.UUID
    help: Annotated[list[Help], Field(min_length=1, max_length=len(HELP))]
    what: Annotated[str, Field(min_length=2, max_length=500)]
    fields: list[Asked] = Field([], max_length=len(TASK_FIELDS), description="Fields of the child that it takes.")
    since: Day
    until: Day


class TaskMoveIn(Form):
    model_config = example(to="done")

    to: Literal["done", "withdrawn"]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/children-tasks/{ident}")
    async def give(ident: uuid.UUID, body: TaskIn, caller: Keeper) -> Document:
        """Give a volunteer a task for a child; who may not help is a conflict that says why; keepers only."""
        told = body.told()
        del told["child_id"]

        async def write(tx: Tx) -> Document:
            who = await records.keeper(tx, keys.policies, caller.subject, caller.division)
            child = await records.record_of(tx, body.child_id, who)
            before = await kept.task(tx, ident)
            if before is not None and before["child_id"] != child["_id"]:
                raise NotAllowed("这个编号已用于另一项任务", reason="taken")
            return await commands.give_task(tx, keys, ident, child, told, by=caller.subject, inside=caller.division)

        return _shown(await database.transact(write))

    @app.post("/v1/children-tasks/{ident}/moves")
    async def move(ident: uuid.UUID, body: TaskMoveIn, caller: Keeper) -> Document:
        """A task is done, or is taken back: from then on the volunteer sees nothing of it; keepers only."""

        async def step(tx: Tx) -> Document:
            who = await records.keeper(tx, keys.policies, caller.subject, caller.division)
            task = await kept.task(tx, ident)
            if task is None:
                raise NotFound("there is no such task")
            child = await records.record_of(tx, task["child_id"], who)
            return await commands.move_task(tx, task, child, State(body.to), caller.subject)

        return _shown(await database.transact(step))

    @app.get("/v1/children-tasks/own")
    async def own(caller: Helper) -> Document:
        """The caller's tasks that are given: kinds of help and days, and nothing of the children."""
        today = local_day(now()).isoformat()

        async def read(tx: Tx) -> list[Document]:
            return await kept.tasks_for(tx, await store.entries_of(tx, _person(caller)))

        names = ("help", "fields", "since", "until", "state")
        return {
            "items": [
                {
                    "id": row["_id"],
                    **{name: row[name] for name in names},
                    "open": is_open(row["state"], row["since"], row["until"], today),
                }
                for row in await database.transact(read)
            ]
        }

    @app.post("/v1/children-tasks/{ident}/look")
    async def look(ident: uuid.UUID, body: ReadIn, caller: Helper, response: Response) -> Document:
        """What the own task says, and of the child what it asks for; only on its days; the reading is logged."""
        task, fields = await database.transact(
            lambda tx: commands.look_into(tx, keys, ident, caller.subject, body.reason)
        )
        observe.PERSONAL_READS.labels("child_task").inc()
        response.headers.update(NO_STORE)
        return {"id": ident, "help": task["help"], "since": task["since"], "until": task["until"], **fields}


def _person(caller: Caller) -> uuid.UUID:
    try:
        return uuid.UUID(caller.subject)
    except ValueError:
        raise NotFound("there is no such volunteer") from None


def _shown(row: Document) -> Document:
    names = ("revision", "child_id", "volunteer_id", "help", "fields", "since", "until", "state")
    return {"id": row["_id"], **{name: row[name] for name in names}}

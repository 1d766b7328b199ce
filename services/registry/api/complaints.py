"""Complaints over HTTP: taken down, looked into and answered; texts are read on record only."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.requests import After, DivisionQuery, Limit, paged, reach
from services.registry.api.service_records import shown
from services.registry.api.volunteers import NO_STORE, present_person
from services.registry.commands.complaints import not_about, receive_complaint, step_complaint
from services.registry.domain.complaints import ANSWERS, KINDS, State
from services.registry.keys import Keys
from services.registry.store import service_records as kept

Taker = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "supervisor", "community_worker"))]
Handler = Annotated[Caller, Depends(caller_with("registrar", "supervisor"))]


class ComplaintIn(BaseModel):
    """What someone complains of; `record_id` names the service, where it is one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "volunteer_id": "01970d3b-0000-7000-8000-000000000b01",
                    "kind": "absence",
                    "text": "约定时间没有到岗，也没有通知（示例）",
                }
            ]
        },
    )

    volunteer_id: uuid.UUID
    kind: Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]
    text: Annotated[str, Field(min_length=2, max_length=2000)]
    record_id: uuid.UUID | None = None


class ComplaintStep(BaseModel):
    """The next step; whether it is upheld is said with an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "upheld", "answer": "情况属实，已提醒并重新培训（示例）"}]},
    )

    to: State
    answer: Annotated[str, Field(min_length=2, max_length=2000)] | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/complaints/{ident}")
    async def receive(ident: uuid.UUID, body: ComplaintIn, caller: Taker) -> Document:
        """Take a complaint down; its text is sealed."""

        async def write(tx: Tx) -> Document:
            person = await present_person(tx, body.volunteer_id, caller)
            return await receive_complaint(
                tx, keys, ident, person, body.kind, body.text, body.record_id, caller.subject
            )

        return shown(await database.transact(write))

    @app.post("/v1/complaints/{ident}/steps")
    async def step(ident: uuid.UUID, body: ComplaintStep, caller: Handler) -> Document:
        """Look into it, answer it, close it; never by the one whom it is about, nor by who recorded the service."""

        async def write(tx: Tx) -> Document:
            found = _visible(await kept.complaint(tx, ident), caller)
            person = await store.volunteer(tx, found["volunteer_id"])
            if body.to in ANSWERS and (person is None or person["erased"]):
                raise NotAllowed("the person was erased")
            return await step_complaint(tx, keys, found, body.to, body.answer, caller.subject)

        return shown(await database.transact(write))

    @app.post("/v1/complaints/{ident}/reveal")
    async def reveal(ident: uuid.UUID, body: Why, caller: Handler, response: Response) -> Document:
        """The text and the answer in plain; who read them, when and why is logged."""

        async def read(tx: Tx) -> Document:
            found = _visible(await kept.complaint(tx, ident), caller)
            await not_about(tx, found, caller.subject)
            opened = await keys.persons.open(tx, found["volunteer_id"], found["sealed"])
            answer = None
            if found["answer"] is not None:
                answer = (await keys.persons.open(tx, found["volunteer_id"], found["answer"]))["text"]
            tx.record(
                actor=caller.subject,
                action="complaint.revealed",
                subject=str(ident),
                reason=body.reason,
                division=found["division"],
            )
            return {"id": ident, "text": opened["text"], "answer": answer}

        plain_text = await database.transact(read)
        observe.PERSONAL_READS.labels("complaint").inc()
        response.headers.update(NO_STORE)
        return plain_text

    @app.get("/v1/complaints/{ident}")
    async def look_up(ident: uuid.UUID, caller: Handler) -> Document:
        """A complaint with its steps, without its texts."""
        return shown(_visible(await database.get("complaints", ident), caller))

    @app.get("/v1/complaints")
    async def list_complaints(
        caller: Handler,
        division: DivisionQuery = None,
        state: State | None = None,
        volunteer_id: uuid.UUID | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The complaints of a division in the order of their ids, without their texts; of a person under any entry."""
        query = store.within(reach(caller, division)) | ({"state": state.value} if state else {})
        if volunteer_id is not None:
            entries = await database.transact(lambda tx: store.entries_of(tx, volunteer_id))
            query["volunteer_id"] = {"$in": entries}
        rows = await store.page(database, "complaints", query, after, limit)
        return paged([shown(row) for row in rows], limit)


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such complaint")
    return found

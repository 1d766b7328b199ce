"""Queries of the record of offences over HTTP: entered by registrars, and read by them and privacy officers alone."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Day, one_of
from services.registry.api.teams_forms import Form, example
from services.registry.api.volunteers import NO_STORE, standing_person, visible_person
from services.registry.commands import children_checks as commands
from services.registry.domain.children_checks import ASKED, WITHDRAWN, Result
from services.registry.keys import Keys
from services.registry.store import children_database as kept

Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Reader = Annotated[Caller, Depends(caller_with("registrar", "privacy_officer"))]


class CheckIn(Form):
    """Of whom it was asked, on which day, and the answer as a code; what a record says is not taken."""

    model_config = example(
        person_id="01970d3b-0000-7000-8000-0000000000b1", asked="police", on="2026-03-02", result="clear"
    )

    person_id: uuid.UUID
    asked: Annotated[str, *one_of(ASKED)]
    on: Day
    result: Result


class WithdrawIn(Form):
    model_config = example(reason="entered_by_mistake")

    reason: Annotated[str, *one_of(WITHDRAWN)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/record-checks/{ident}")
    async def enter(ident: uuid.UUID, body: CheckIn, caller: Registrar, response: Response) -> Document:
        """A query and its answer; who is not clear is taken from the children's tasks and database at once."""
        told: dict[str, Any] = {"asked": body.asked, "on": body.on.isoformat(), "result": body.result.value}

        async def write(tx: Tx) -> tuple[Document, bool]:
            person = await standing_person(tx, body.person_id, caller)
            return await commands.enter_check(tx, ident, person, told, caller.subject, keys.policies)

        check, new = await database.transact(write)
        response.status_code = 201 if new else 200
        response.headers.update(NO_STORE)
        return _shown(check)

    @app.post("/v1/record-checks/{ident}/withdraw")
    async def withdraw(ident: uuid.UUID, body: WithdrawIn, caller: Registrar) -> Document:
        """A query that does not count any more; another is entered for it under another id."""

        async def step(tx: Tx) -> Document:
            check = await kept.record_check(tx, ident)
            if check is None:
                raise NotFound("there is no such query")
            person = await standing_person(tx, check["person_id"], caller)
            return await commands.withdraw_check(tx, check, person, body.reason, caller.subject, keys.policies)

        return _shown(await database.transact(step))

    @app.get("/v1/people/{ident}/record-checks")
    async def read_checks(ident: uuid.UUID, caller: Reader, response: Response) -> Document:
        """The queries about a person, under whichever entry, with their answers; registrars, privacy officers."""
        response.headers.update(NO_STORE)

        async def read(tx: Tx) -> list[Document]:
            visible_person(await store.volunteer(tx, ident), caller)
            return await kept.record_checks_of(tx, await store.entries_of(tx, ident))

        return {"items": [_shown(row) for row in await database.transact(read)]}

    def _shown(row: Document) -> Document:
        names = ("revision", "person_id", "asked", "on", "result", "entered_by", "entered_at", "withdrawn")
        days = keys.policies.children.at(now()).record_check.valid_days
        last = date.fromisoformat(row["on"]) + timedelta(days=days - 1)
        expired = last < local_day(now())
        return {"id": row["_id"], **{name: row[name] for name in names}, "until": last, "expired": expired}
